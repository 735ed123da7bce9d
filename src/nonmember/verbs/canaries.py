"""Canaries for training data: made before a model is trained, asked after by its audit."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from nonmember.audit.canaries import making
from nonmember.audit.canaries.making import Order
from nonmember.data.canaries import form_named, new_secret
from nonmember.errors import SpecError

READING = {"language": {"field"}, "classifier": {"label", "text", "group"}}
NONE: Mapping[str, str] = MappingProxyType({})


def canaries(
    data: str | Path,
    output: str | Path,
    *,
    count: int = 1000,
    kind: Literal["language", "classifier"] = "language",
    form: str | None = None,
    length: int | None = None,
    reading: Mapping[str, str] = NONE,
) -> dict[str, Any]:
    """Put canaries into training data, each if its own coin says so; return the manifest.

    Train on ``output``'s data in any way, then audit with ``canaries=output``: the lower bounds
    on epsilon are valid statements of differential privacy, from one training run.

    Args:
        data: the training data, in any format that audits read.
        output: a folder that is not there yet: the data under its old name, ``manifest.json``,
            which may be shared, and ``private``, which may not.
        count: canaries; about half of them are put in.
        kind: what the data trains: a language model, or a classifier.
        form: words, suffix or digits for language models; mislabelled or noise for classifiers.
        length: of language models, the words or digits drawn for each.
        reading: where what stands in ``data``, as audits are told it: `field` of language
            models' data; `label`, `text` and `group` of classifiers'.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    wanted = form_named(form, kind)
    if count < 1:
        raise SpecError(f"canaries: --count {count} is none at all; ask for some hundred or more")
    if length is not None and (length < 1 or kind == "classifier"):
        raise SpecError("canaries: --length is of texts, and 1 or more; give such, or leave it out")
    if odd := sorted(set(reading) - READING[kind]):
        raise SpecError(f"canaries: {', '.join(odd)} says nothing of {kind} data; leave it out")
    place = Path(data).expanduser()
    order = Order(place, Path(output), wanted, count, new_secret(), reading)
    return making.make(order, length)
