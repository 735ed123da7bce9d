"""A language model that only answers: statistics and continuations, asked for over HTTP."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from nonmember.errors import ModelError
from nonmember.models import causal
from nonmember.models.endpoint.answers import Asked, LackingError, Values, written_ids
from nonmember.models.endpoint.card import identity, read_card
from nonmember.models.endpoint.client import Client
from nonmember.models.endpoint.completions import Choice, complete
from nonmember.models.endpoint.manner import (
    PLAIN,
    Manner,
    Way,
    asked_of,
    find,
    incomplete,
    sent,
    value_of,
)
from nonmember.models.endpoint.service import Service
from nonmember.models.endpoint.turns import in_turns
from nonmember.models.protocols import Watch
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, windows
from nonmember.seeds import derive
from nonmember.types import Access

TOKENS_AT_ONCE = 4096  # in the prompts of one request, unless one alone has more
SEEDS = 2**31  # seeds that every server can hold


@dataclass(frozen=True)
class Part:
    """A prompt for statistics: of which record, and how many of its tokens are then done."""

    row: int
    asked: Asked
    done: int


@dataclass(frozen=True)
class Turn:
    """A prompt to write after, with the settings of its request."""

    prompt: np.ndarray
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """A ``Remote``: the model of a service, with the tokenizer that the service names.

    ``context`` is how many tokens it can be asked about, if the server says; ``digest`` what
    tells the model from others in a cache.
    """

    service: Service
    tokenizer: Any
    client: Client
    manner: Manner
    context: int | None
    digest: str

    @property
    def access(self) -> Access:
        """The most that it answers: logprobs, label, or text alone."""
        return self.manner.access

    def close(self) -> None:
        """Hang up; done without being asked when nobody holds the endpoint any more."""
        self.client.close()

    def statistics(
        self, encoded: Sequence[Encoded], *, watch: Watch | None = None
    ) -> dict[str, np.ndarray]:
        """Those of the token statistics that it answers, float32 (n t).

        Scored tokens stand side by side; NaN past the last one. A record of which one value
        is unknown has none at all. A model that answers with labels is asked once per scored
        token.

        Args:
            encoded: n records.
            watch: told the tokens done after each request.

        Raises:
            ModelError: it answers with text only, or a request failed for good.
        """
        way, records = self._way(), tuple(encoded)
        width = max([1, *(int(one.scored.sum()) for one in records)])
        blank = np.full((len(records), width), np.nan, dtype=np.float32)
        out = {name: blank.copy() for name in self.manner.gives}
        batches = list(self._batches(way, records))
        found = in_turns(
            lambda batch, stop: self._values(way, batch, stop),
            batches,
            at_once=self.service.at_once,
            told=lambda batch: watch(sum(part.done for part in batch)) if watch else None,
        )
        parts = [part for batch in batches for part in batch]
        _place(out, parts, [values for answers in found for values in answers])
        return out

    def sample(
        self,
        prompts: Sequence[np.ndarray],
        *,
        most: Sequence[int],
        temperature: float,
        top_k: int,
        seed: int,
        watch: Watch | None = None,
    ) -> list[np.ndarray]:
        """Ids that it writes after each prompt, int64; the end token is cut off.

        No text goes further than the context. A server that gives no ids is taken by its
        text, encoded again. Each prompt is sent with a seed that follows from the root seed,
        the prompt and how often it came before.

        Args:
            prompts: token ids, one array each.
            most: how many ids after each, at most.
            temperature: divides the logits.
            top_k: how many tokens are drawn from; where ``manner.extras`` has no top_k, all.
            seed: root of the seeds that are sent.
            watch: told the tokens of prompt and answer after each request.

        Raises:
            ModelError: a prompt that is empty or fills the context, or a request failed for good.
        """
        met: Counter[bytes] = Counter()
        turns = []
        for prompt, count in zip(prompts, most, strict=True):
            key = prompt.tobytes()
            drawn = derive(seed, key.hex(), met[key]) % SEEDS
            met[key] += 1
            extras = {name: value_of(name, top_k, drawn) for name in self.manner.extras}
            sizes = {"max_tokens": self._room(prompt, count), "temperature": float(temperature)}
            turns.append(Turn(prompt, {**PLAIN, **extras, **sizes}))
        return in_turns(
            self._written,
            turns,
            at_once=self.service.at_once,
            told=lambda turn: watch(_length(turn)) if watch else None,
        )

    def _room(self, prompt: np.ndarray, count: int) -> int:
        """How much of ``count`` the context leaves after the prompt."""
        longest = self.context
        if len(prompt) < 1 or (longest is not None and len(prompt) > longest):
            raise ModelError(
                f"{self.service.url}: cannot write after a prompt of {len(prompt)} tokens; give "
                f"prompts of at least 1{f' and at most {longest}' if longest else ''}"
            )
        return int(count if longest is None else min(count, longest + 1 - len(prompt)))

    def _way(self) -> Way:
        if self.manner.way is None:
            raise ModelError(
                f"{self.service.url}: takes no token ids, and so says nothing of single tokens; "
                "run attacks that need text only"
            )
        return self.manner.way

    def _batches(self, way: Way, records: Sequence[Encoded]) -> Iterator[list[Part]]:
        """Prompts in order, as many together as the server takes and a request should hold."""
        batch: list[Part] = []
        size = 0
        for part in _parts(way, records):
            size += len(part.asked.ids)
            if batch and (len(batch) == self.manner.together or size > TOKENS_AT_ONCE):
                yield batch
                batch, size = [], len(part.asked.ids)
            batch.append(part)
        if batch:
            yield batch

    def _values(self, way: Way, batch: Sequence[Part], stop: Event) -> list[Values]:
        prompts = [sent(way, part.asked) for part in batch]
        answer = complete(self.client.until(stop), self.tokenizer, prompts, way.settings)
        pairs = zip(answer.choices, batch, strict=True)
        return [self._read(way, choice, part.asked) for choice, part in pairs]

    def _read(self, way: Way, choice: Choice, asked: Asked) -> Values:
        try:
            values = way.read(self.tokenizer, choice, asked)
        except LackingError as lacking:
            raise incomplete(self.client, lacking) from None
        if values is None or not set(self.manner.gives) <= set(values):
            raise incomplete(self.client, LackingError("less of this prompt than of the first one"))
        return values

    def _written(self, turn: Turn, stop: Event) -> np.ndarray:
        limit = turn.settings["max_tokens"]
        if limit < 1:
            return np.zeros(0, dtype=np.int64)
        prompt = turn.prompt.tolist()
        text = self.manner.way is None
        asked = [self._spelled(prompt) if text else prompt]
        answer = complete(self.client.until(stop), self.tokenizer, asked, turn.settings)
        choice = answer.choices[0]
        ids = written_ids(choice)
        if ids is None:
            ids = self.tokenizer(choice.text, add_special_tokens=False)["input_ids"]
        end = self.tokenizer.eos_token_id
        ids = ids[: ids.index(end)] if end in ids else ids
        return np.asarray(ids[:limit], dtype=np.int64)

    def _spelled(self, prompt: list[int]) -> str:
        """The prompt as text, without the BOS that the server sets itself."""
        first = prompt[0] == self.tokenizer.bos_token_id
        return self.tokenizer.decode(prompt[first:], clean_up_tokenization_spaces=False)


def connect(service: Service) -> Endpoint:
    """Look at what the server's model answers, with a public sentence.

    Raises:
        ModelError: the tokenizer cannot be read, the server cannot be asked, it leaves out
            part of an answer, or the tokenizer is not that of its model.
    """
    tokenizer = _tokenizer(service.tokenizer)
    client = Client(service)
    try:
        card = read_card(client)
        manner = find(client, tokenizer)
    except BaseException:
        client.close()
        raise
    context = None if card is None else card.context
    return Endpoint(service, tokenizer, client, manner, context, identity(service, card, manner))


def _tokenizer(name: str) -> Any:
    path = Path(name).expanduser()
    if not path.is_dir():
        return causal.load_tokenizer(locate(name))
    # A tokenizer's folder need not hold a model, so that it is not located as one.
    return causal.load_tokenizer(Source(name, "folder", path, "", 0))


def _parts(way: Way, records: Sequence[Encoded]) -> Iterator[Part]:
    """All that is asked of the records, in order; their tokens are done once in all."""
    for row, one in enumerate(records):
        prompts = [asked for piece in windows(one) for asked in asked_of(way, piece)]
        extra = len(one.ids) - sum(len(asked.places) for asked in prompts)
        for asked in prompts:
            yield Part(row, asked, len(asked.places) + extra)
            extra = 0


def _place(out: Values, parts: Sequence[Part], found: Sequence[Values]) -> None:
    """Write what was found side by side into the rows of its records, whole or not at all."""
    filled: Counter[int] = Counter()
    for part, values in zip(parts, found, strict=True):
        start, stop = filled[part.row], filled[part.row] + len(part.asked.places)
        filled[part.row] = stop
        for name, array in out.items():
            array[part.row, start:stop] = values[name]
    arrays = tuple(out.values())
    torn = [row for row, end in filled.items() if any(np.isnan(a[row, :end]).any() for a in arrays)]
    for array in arrays:
        array[torn] = np.nan


def _length(turn: Turn) -> int:
    return len(turn.prompt) + int(turn.settings["max_tokens"])
