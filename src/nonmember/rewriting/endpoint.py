"""Rewrites by a model behind an OpenAI-compatible endpoint, on this machine or far away."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Event
from typing import Annotated, Any

from annotated_types import Ge

from nonmember.errors import SpecError
from nonmember.models.source import digest
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.passages import cut, rejoined
from nonmember.rewriting.prompts import REFUSED, Kind, answer, fingerprint, question
from nonmember.rewriting.protocols import Rewrite, Rewriter, Watch
from nonmember.rewriting.registry import rewriter
from nonmember.seeds import derive
from nonmember.types import Count, Positive

TRIES = 3  # of a request, each of which may take its whole time
LONGEST, MARGIN = 0.6, 256  # of a reply: tokens for each byte of the passage, and besides
SEEDS = 2**31  # seeds that every server can hold

LATE, FAILED = "timed out", "the server failed"
DECLINED, NOTHING = "the server refused the request", "an answer without choices"


@dataclass(frozen=True)
class Endpoint:
    """A ``Rewriter``: a served model that is asked over HTTP, passage by passage."""

    url: str
    model: str
    temperature: float
    kind: Kind
    words: int
    at_once: int
    per_second: float | None
    timeout: float
    insecure: bool
    sends_to: str | None

    @property
    def name(self) -> str:
        """Under which it is registered."""
        return "endpoint"

    @property
    def identity(self) -> str:
        """Digest of where the model is, of its name there and of how it is asked.

        A server that puts another model under the name does not change it.
        """
        how = [LONGEST, MARGIN, fingerprint(self.kind), self.temperature, self.words]
        return f"endpoint {digest(json.dumps([self.url.rstrip('/'), self.model, how]))}"

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Watch | None = None
    ) -> list[Rewrite]:
        """One rewrite for each text; its seed is sent to servers that take one.

        What fails for one text alone is said of that text: the request times out or is
        refused, or what the model says is no rewrite.

        Args:
            texts: of any length; all passages of one must succeed.
            seeds: one for each text.
            watch: told how many more texts are done, after each.

        Raises:
            ModelError: the server cannot be reached, knows no such model, wants another key,
                or answers what no such server does.
        """
        from nonmember.models.endpoint.turns import in_turns

        jobs = list(zip(texts, seeds, strict=True))
        line = _line(self) if jobs else None
        return in_turns(
            lambda job, stop: self._one(line, *job, stop),
            jobs,
            at_once=self.at_once,
            told=lambda _: watch(1) if watch else None,
        )

    def _one(self, line: Any, text: str, seed: int, stop: Event) -> Rewrite:
        """The rewrite of a text, of which no more is sent once a passage has failed."""
        whole, news = cut(text, self.words, self.kind), []
        for number, passage in enumerate(whole.said):
            new = self._passage(line.until(stop), passage, derive(seed, number) % SEEDS)
            if new.text is None and not new.tokens_written:
                return new  # counting those before it would let a passing failure be kept
            news.append(new)
            if new.text is None:
                break
        return rejoined(whole, news)

    def _passage(self, line: Any, old: str, seed: int) -> Rewrite:
        from nonmember.models.endpoint.client import GivenUpError, RefusedError, TimedOutError

        asked, most = question(old, self.kind), int(LONGEST * len(old.encode())) + MARGIN
        try:
            found = line.ask(asked, most=most, temperature=self.temperature, seed=seed)
        except RefusedError:
            return Rewrite(None, DECLINED)
        except GivenUpError as error:
            return Rewrite(None, LATE if isinstance(error, TimedOutError) else FAILED)
        new = self._read(found.choices[0], old) if found.choices else Rewrite(None, NOTHING)
        if found.usage is None:
            return new
        read, written = found.usage.prompt_tokens, found.usage.completion_tokens
        return new._replace(tokens_read=read or 0, tokens_written=written or 0)

    def _read(self, choice: Any, old: str) -> Rewrite:
        """What the model said, as a rewrite of the passage."""
        if choice.message.refusal or choice.finish_reason == "content_filter":
            return Rewrite(None, REFUSED)
        reply, whole = choice.message.content or "", choice.finish_reason != "length"
        return answer(reply, old, self.kind, whole=whole)


@rewriter(limits=Limits(containment=0.30))
def endpoint(  # noqa: PLR0913  (one parameter per option)
    *,
    url: str = "http://127.0.0.1:11434/v1",
    model: str = "",
    temperature: Annotated[float, Ge(0)] = 0.8,
    at_once: Count = 4,
    per_second: Positive | None = None,
    timeout: Positive = 120.0,
    kind: Kind = "prose",
    words: Count = 400,
    allow_upload: bool = False,
    insecure: bool = False,
) -> Rewriter:
    """Ask a model behind an OpenAI-compatible endpoint to say it in its own words.

    Its server reads every text that is rewritten: the most exposed ones, if a defense chose
    them. A key is sent if the environment holds one for this address.

    Args:
        url: of the API; the default is Ollama's on this machine.
        model: its name there.
        temperature: divides the logits.
        at_once: requests that wait for an answer at the same time.
        per_second: requests begun in a second, at most; None for no limit.
        timeout: seconds without a sign of the server after which a request has failed.
        kind: of the texts: prose, or code.
        words: most words of a passage; longer texts are rewritten passage by passage.
        allow_upload: texts may be sent to another machine.
        insecure: even by plain http, where anybody between reads along.

    Raises:
        SpecError: no model is named, the address is none, or the texts would leave this
            machine without leave.
    """
    from nonmember.models.endpoint.service import Service, bearer, local

    bearer(Service(url, model, "", insecure=True))  # its address and the key: is each one?
    if not model:
        raise SpecError(
            f"rewriter endpoint: no model of {url} is named; set model to the name that it is "
            "served under"
        )
    if not local(url):
        _check_leave(url, model, allow_upload=allow_upload, insecure=insecure)
    sends_to = None if local(url) else url
    return Endpoint(
        url, model, temperature, kind, words, at_once, per_second, timeout, insecure, sends_to
    )


def _check_leave(url: str, model: str, *, allow_upload: bool, insecure: bool) -> None:
    """Refuse to send texts to another machine unless the user said that they may go there."""
    if not allow_upload:
        raise SpecError(
            f"rewriter endpoint: {url} is not this machine, and the whole text of every record "
            f"that is rewritten would be sent there, to the model {model!r}; set allow_upload = "
            "true if these texts may leave this machine, or give the address of a server on it"
        )
    if url.lower().startswith("http:") and not insecure:
        raise SpecError(
            f"rewriter endpoint: {url} would send the texts to another machine unencrypted; give "
            "an https address, or set insecure = true"
        )


@lru_cache(maxsize=4)  # asked for again for every block of records
def _line(asked: Endpoint) -> Any:
    """A connection that knows what requests the server takes; it is opened here."""
    from nonmember.models.endpoint.client import Client
    from nonmember.models.endpoint.conversation import dial
    from nonmember.models.endpoint.service import Service

    how: dict[str, Any] = {
        "at_once": asked.at_once,
        "per_second": asked.per_second,
        "insecure": asked.insecure,
    }
    service = Service(asked.url, asked.model, "", **how)
    return dial(Client(service, timeout=asked.timeout, tries=TRIES), asked.temperature)
