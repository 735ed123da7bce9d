"""From records to token ids: one encoding, used to train and to score alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from nonmember.data.texts import Message, Record
from nonmember.errors import DataError, ModelError


@dataclass(frozen=True)
class Encoded:
    """One record as a model meets it.

    ``scored`` marks the tokens that are trained on and scored: all but the first of a plain
    text (which nothing precedes, unless the tokenizer sets a BOS there), the assistant's of
    a chat. ``text`` is what the record says as far as it was used: the text, or of a chat
    what the assistant says.
    """

    ids: Int[np.ndarray, "t"]
    scored: Bool[np.ndarray, "t"]
    text: str
    truncated: bool


def encode(tokenizer: Any, records: Sequence[Record], *, limit: int) -> tuple[Encoded, ...]:
    """Token ids of each record, cut to its first ``limit`` tokens.

    Raises:
        DataError: a chat that the chat template cannot hold.
        ModelError: a chat, and the tokenizer has no chat template.
    """
    return tuple(
        _plain(tokenizer, record.content, limit)
        if isinstance(record.content, str)
        else _chat(tokenizer, record.id, record.content, limit)
        for record in records
    )


def collate(encoded: Sequence[Encoded]) -> tuple[Int[np.ndarray, "b t"], Bool[np.ndarray, "b t"]]:
    """Token ids, right-padded with 0, and the marks of scored tokens, False where padded."""
    longest = max(len(one.ids) for one in encoded)
    ids = np.zeros((len(encoded), longest), dtype=np.int64)
    scored = np.zeros((len(encoded), longest), dtype=bool)
    for row, one in enumerate(encoded):
        ids[row, : len(one.ids)] = one.ids
        scored[row, : len(one.ids)] = one.scored
    return ids, scored


def _plain(tokenizer: Any, text: str, limit: int) -> Encoded:
    found = tokenizer(text, return_offsets_mapping=True, verbose=False)
    ids = np.asarray(found["input_ids"][:limit], dtype=np.int64)
    scored = np.arange(len(ids)) > 0
    truncated = len(found["input_ids"]) > limit
    end = found["offset_mapping"][limit - 1][1] if truncated else len(text)
    return Encoded(ids, scored, text[:end], truncated)


def _chat(tokenizer: Any, where: str, messages: tuple[Message, ...], limit: int) -> Encoded:
    text, spans = _render(tokenizer, where, messages)
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = np.asarray(found["input_ids"][:limit], dtype=np.int64)
    starts = np.asarray([start for start, _ in found["offset_mapping"][:limit]], dtype=np.int64)
    ends = [end for _, end in found["offset_mapping"][:limit]]
    scored = np.zeros(len(ids), dtype=bool)
    for start, end in spans:
        scored |= (starts >= start) & (starts < end)
    scored[:1] = False
    reached = max(ends, default=0)
    spoken = "".join(text[start : min(end, reached)] for start, end in spans if start < reached)
    return Encoded(ids, scored, spoken, len(found["input_ids"]) > limit)


def _render(
    tokenizer: Any, where: str, messages: tuple[Message, ...]
) -> tuple[str, list[tuple[int, int]]]:
    """The chat as one string, and where in it the assistant speaks (end-of-turn included)."""
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"{where}: a chat, but the model's tokenizer has no chat template; give texts"
        )
    try:
        whole = _prefix(tokenizer, messages, len(messages))
        spans = [
            (_prefix(tokenizer, messages, i, prompt=True), _prefix(tokenizer, messages, i + 1))
            for i, message in enumerate(messages)
            if message.role == "assistant"
        ]
    except Exception as error:
        raise DataError(
            f"{where}: the chat template refuses this chat ({error}); mend its roles"
        ) from None
    if not all(whole.startswith(before) and whole.startswith(after) for before, after in spans):
        raise DataError(
            f"{where}: the chat template rewrites earlier turns, so that the trained tokens cannot "
            "be told; give chats of one exchange"
        )
    return whole, [(len(before), len(after)) for before, after in spans]


def _prefix(
    tokenizer: Any, messages: tuple[Message, ...], count: int, *, prompt: bool = False
) -> str:
    """The first ``count`` turns as one string, the header of an answer after them if ``prompt``."""
    if count == 0:  # templates refuse it; the header that stands after a turn stands before it too
        turn, longer = (_prefix(tokenizer, messages, 1, prompt=more) for more in (False, True))
        header = longer.removeprefix(turn)
        return turn[: turn.find(header) + len(header)] if header in turn else ""
    turns = [message._asdict() for message in messages[:count]]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=prompt))
