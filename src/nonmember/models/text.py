"""From records to token ids: one encoding, used to train and to score alike."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

import numpy as np
from jaxtyping import Bool, Int

from nonmember.data.records import Completion, Content, Record, respoken, spoken
from nonmember.data.texts import normalised
from nonmember.errors import ModelError, SpecError
from nonmember.models import chats
from nonmember.models.source import digest

BLOCK = 256  # records that are encoded together
ENCODING_VERSION = 1  # to be bumped whenever a record's ids or scored marks change


@dataclass(frozen=True)
class Form:
    """How a record becomes tokens, for training and scoring alike.

    Args:
        limit: most tokens of one forward pass.
        packed: the model was trained on blocks of records with a separator (the tokenizer's
            EOS) between them: it precedes each record and ends it, so that a text's first
            token and the EOS after its last one were trained on and are scored. Where the
            tokenizer sets a BOS of its own, that stands in the place of the separator before
            the record: they never stand side by side.
        long: texts over the limit are cut, or read in ``windows`` that overlap by half.

    Raises:
        SpecError: a limit that leaves no token to be predicted from another.
    """

    limit: int
    packed: bool = False
    long: Literal["cut", "slide"] = "cut"

    def __post_init__(self) -> None:
        least = 2 if self.long == "slide" else 1
        if self.limit < least:
            raise SpecError(f"form: limit = {self.limit}; give at least {least}")


@dataclass(frozen=True)
class Encoded:
    """One record as a model meets it.

    ``scored`` marks the tokens that are trained on and scored. Of a plain text: all but the
    first, which nothing precedes (with a BOS or in packed form: all of the text). Of a
    completion: its tokens and the EOS after it, none of the prompt's. Of a chat: the
    assistant's. ``text`` is what the record says as far as it was used: the text, the
    completion, or what the assistant says. ``content`` is what was encoded, a text or
    completion already cut to what was used.
    """

    ids: Int[np.ndarray, "t"]
    scored: Bool[np.ndarray, "t"]
    text: str
    truncated: bool
    content: Content
    form: Form


@dataclass(frozen=True)
class Encodings(Sequence[Encoded]):
    """The records encoded when they are asked for; iteration encodes them in blocks."""

    tokenizer: Any
    records: Sequence[Record]
    form: Form

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int) -> Encoded: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Encoded, ...]: ...

    def __getitem__(self, place: int | slice) -> Encoded | tuple[Encoded, ...]:
        if isinstance(place, slice):
            return encode(self.tokenizer, self.records[place], self.form)
        return encode(self.tokenizer, [self.records[place]], self.form)[0]

    def __iter__(self) -> Iterator[Encoded]:
        for start in range(0, len(self), BLOCK):
            yield from self[start : start + BLOCK]


def encode(tokenizer: Any, records: Sequence[Record], form: Form) -> tuple[Encoded, ...]:
    """Token ids of each record; over the limit they are cut, unless ``form`` lets it slide.

    A completion ends in an EOS, if the tokenizer has one, as fine-tuning tools end it; an
    empty one, like an empty text, has nothing to score. A chat begins and ends as its
    template has it, packed or not.

    Raises:
        DataError: a chat that the chat template cannot hold.
        ModelError: a chat, and the tokenizer has no chat template; packed, and it has no EOS.
    """
    habits = _habits(tokenizer, form)
    drafts = [_draft(tokenizer, habits, record.id, record.content) for record in records]
    return _finished(tokenizer, drafts, form)


def reworded(tokenizer: Any, one: Encoded, change: Callable[[str], str]) -> Encoded:
    """The record with ``change`` made to its text, completion or assistant's turns, same form.

    Raises:
        DataError: a chat that the chat template cannot hold once it is changed.
    """
    habits = _habits(tokenizer, one.form)
    if one.truncated:  # what was cut off did not end in an EOS
        habits = replace(habits, ending="")
    draft = _draft(
        tokenizer,
        habits,
        "a reworded chat",
        respoken(one.content, [change(part) for part in spoken(one.content)]),
    )
    (found,) = _finished(tokenizer, [draft], one.form)
    return replace(found, truncated=found.truncated or one.truncated)


def windows(one: Encoded) -> tuple[Encoded, ...]:
    """The record in pieces of at most ``form.limit`` tokens; itself if it fits.

    Each piece begins half a limit after the one before and marks as scored what that one
    did not reach: every scored token is scored in one piece, after at least half a limit
    of tokens if so many precede it. Pieces without a scored token are left out, unless
    there is no other.
    """
    limit, length = one.form.limit, len(one.ids)
    if length <= limit:
        return (one,)
    pieces, reached = [], 0
    for start in range(0, length, limit // 2):
        fresh = np.arange(start, min(start + limit, length)) >= reached
        part = slice(start, start + len(fresh))
        pieces.append(replace(one, ids=one.ids[part], scored=one.scored[part] & fresh))
        reached = part.stop
        if reached == length:
            break
    return tuple(piece for piece in pieces if piece.scored.any()) or (pieces[0],)


def lossy(tokenizer: Any, one: Encoded) -> bool:
    """Whether the tokenizer loses some of the text: its tokens do not spell it again."""
    ids = tokenizer(one.text, add_special_tokens=False, verbose=False)["input_ids"]
    spelled = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return normalised(spelled) != normalised(one.text)


def fingerprint(tokenizer: Any) -> str:
    """A digest of all that decides ids: tokenizer, chat template and ``ENCODING_VERSION``."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    for state in ("truncation", "padding"):  # of whoever called last, not of the tokenizer
        rules.pop(state, None)
    special = {
        name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "unk", "pad")
    }
    told = (rules, special, tokenizer.chat_template, tokenizer.split_special_tokens)
    return digest(*(json.dumps(part, sort_keys=True) for part in (ENCODING_VERSION, *told)))


def collate(encoded: Sequence[Encoded]) -> tuple[Int[np.ndarray, "b t"], Bool[np.ndarray, "b t"]]:
    """Token ids, right-padded with 0, and the marks of scored tokens, False where padded."""
    longest = max(len(one.ids) for one in encoded)
    ids = np.zeros((len(encoded), longest), dtype=np.int64)
    scored = np.zeros((len(encoded), longest), dtype=bool)
    for row, one in enumerate(encoded):
        ids[row, : len(one.ids)] = one.ids
        scored[row, : len(one.ids)] = one.scored
    return ids, scored


@dataclass(frozen=True)
class _Habits:
    """What surrounds a text that is no chat: tokens put before it, and the EOS it ends in."""

    opening: tuple[int, ...]
    ending: str
    packed: bool


@dataclass(frozen=True)
class _Draft:
    """A record on its way to tokens.

    What it says stands at ``spans`` of ``string``. Scored are the tokens that begin there;
    where ``marks`` are given, those; where ``first`` is given, all from that number on.
    """

    content: Content
    string: str
    spans: chats.Spans
    marks: tuple[bool, ...] | None = None
    opening: tuple[int, ...] = ()
    first: int | None = None


def _habits(tokenizer: Any, form: Form) -> _Habits:
    # Marks that the tokenizer sets itself are not set twice.
    marks = tokenizer("a", return_special_tokens_mask=True, verbose=False)["special_tokens_mask"]
    eos = tokenizer.eos_token
    if form.packed and eos is None:
        raise ModelError(
            "packed: the model's tokenizer has no EOS, which would stand between records; "
            "give it the one that was trained with, or leave `packed` off"
        )
    opening = (tokenizer.eos_token_id,) if form.packed and marks[:1] != [1] else ()
    return _Habits(opening, "" if eos is None or marks[-1:] == [1] else eos, form.packed)


def _draft(tokenizer: Any, habits: _Habits, where: str, content: Content) -> _Draft:
    if isinstance(content, str):
        ending = habits.ending if habits.packed else ""
        string = content if content.endswith(ending) else content + ending
        return _Draft(content, string, ((0, len(content)),), None, habits.opening, 1)
    if isinstance(content, Completion):
        start = len(content.prompt)
        string = content.prompt + content.completion
        spans = ((start, len(string)),)
        string = string if content.completion.endswith(habits.ending) else string + habits.ending
        first = len(habits.opening) + _shared(tokenizer, content.prompt, string)
        return _Draft(content, string, spans, None, habits.opening, max(1, first))
    return _Draft(content, *chats.render(tokenizer, where, content))


def _shared(tokenizer: Any, prompt: str, whole: str) -> int:
    """How many tokens of the prompt alone also begin the whole, as fine-tuning tools count."""
    alone, together = tokenizer([prompt, whole], verbose=False)["input_ids"]
    pairs = enumerate(zip(alone, together, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(alone), len(together)))


def _finished(tokenizer: Any, drafts: Sequence[_Draft], form: Form) -> tuple[Encoded, ...]:
    found: dict[int, Encoded] = {}
    for chat in (False, True):  # a chat's template sets its marks, a text's the tokenizer
        places = [place for place, draft in enumerate(drafts) if (draft.first is None) is chat]
        if places:
            tokens = tokenizer(
                [drafts[place].string for place in places],
                add_special_tokens=not chat,
                return_offsets_mapping=True,
                return_attention_mask=False,
                verbose=False,
            )
            parts = zip(places, tokens["input_ids"], tokens["offset_mapping"], strict=True)
            found |= {place: _cut(drafts[place], ids, at, form) for place, ids, at in parts}
    return tuple(found[place] for place in range(len(drafts)))


def _cut(
    draft: _Draft, ids: Sequence[int], offsets: Sequence[tuple[int, int]], form: Form
) -> Encoded:
    whole = np.array([*draft.opening, *ids], dtype=np.int64)
    bounds = np.array([*[(0, 0) for _ in draft.opening], *offsets], dtype=np.int64).reshape(-1, 2)
    truncated = form.long == "cut" and len(whole) > form.limit
    kept = slice(form.limit if truncated else None)
    starts, ends = bounds[kept].T
    reached = ends.max(initial=0) if truncated else len(draft.string)
    said = [draft.string[start : min(end, reached)] for start, end in draft.spans]
    if draft.first is not None:
        scored = (np.arange(len(starts)) >= draft.first) & any(said)
    else:
        scored = _spoken(draft, starts)
    text = "".join(said)
    return Encoded(whole[kept], scored, text, truncated, _used(draft.content, text), form)


def _spoken(draft: _Draft, starts: Int[np.ndarray, "t"]) -> Bool[np.ndarray, "t"]:
    """Which of a chat's tokens, beginning at ``starts``, are the assistant's."""
    if draft.marks is not None:
        spoken = np.array(draft.marks[: len(starts)], dtype=bool)
    else:
        spoken = np.zeros(len(starts), dtype=bool)
        for start, end in draft.spans:
            spoken |= (starts >= start) & (starts < end)
    spoken[:1] = False  # nothing precedes it
    return spoken


def _used(content: Content, text: str) -> Content:
    """The content as far as it was used; a chat stays whole, since its template needs it so."""
    if isinstance(content, str):
        return text
    return replace(content, completion=text) if isinstance(content, Completion) else content
