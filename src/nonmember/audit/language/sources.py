"""The models that an audit names: found on this machine, or asked for over HTTP."""

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from nonmember.audit.language.spec import Endpoint, Target
from nonmember.errors import ModelError
from nonmember.models import causal, endpoint
from nonmember.models.endpoint import Service
from nonmember.models.source import Source, locate
from nonmember.models.text import Encodings
from nonmember.types import Access

COMPARED = 200  # records on which two tokenizers must agree


@dataclass(frozen=True)
class Served:
    """A model behind an endpoint: what it is by its server's own account, and what it answers."""

    service: Service
    digest: str
    access: Access
    gives: frozenset[str]
    context: int | None
    tokenizer: Any
    parameters: int = 0
    base: None = None
    quantised: None = None

    @property
    def name(self) -> str:
        """Its name at its server, and whose server that is."""
        return f"{self.service.model} at {self.service.url}"


def find(name: str, target: Target) -> tuple[Source | Served | None, Source | None]:
    """The target's model, if it is there, and its base.

    Raises:
        ModelError: one cannot be used, naming the target.
    """
    base = locate(target.base) if target.base is not None else None
    if target.endpoint is not None:
        return _served(str(target.model), target.endpoint), base
    if target.model is None:
        assert base is not None
        if base.base is not None:
            raise ModelError(
                f"targets.{name}: {base.name} is an adapter, which cannot be trained further; "
                "merge it into a folder first"
            )
        return None, base
    source = locate(target.model, base=target.base)
    if source.base is not None:
        return source, source.base
    if base is not None and base.digest == source.digest:
        raise ModelError(
            f"targets.{name}: model and base are the same; name what it was tuned from"
        )
    return source, base


def _served(url: str, how: Endpoint) -> Served:
    """Ask the server what its model answers."""
    service = Service(
        url,
        how.served,
        how.tokenizer,
        at_once=how.at_once,
        per_second=how.per_second,
        insecure=how.insecure,
    )
    found = endpoint.connect(service)
    try:
        gives = frozenset(found.manner.gives)
        return Served(service, found.digest, found.access, gives, found.context, found.tokenizer)
    finally:
        found.close()


def compare_tokenizers(source: str, base: Source, encoded: Encodings) -> None:
    """Token by token comparison needs one tokenizer; refuse a base that cuts texts otherwise."""
    other = causal.load_tokenizer(base)
    other.chat_template = encoded.tokenizer.chat_template  # the base meets chats as the target does
    theirs = Encodings(other, encoded.records, encoded.form)
    for place, (mine, their) in enumerate(islice(zip(encoded, theirs, strict=True), COMPARED)):
        if not np.array_equal(mine.ids, their.ids):
            raise ModelError(
                f"{base.name}: its tokenizer cuts {encoded.records[place].id} into other tokens "
                f"than that of {source}; name the base that the target was fine-tuned from"
            )
