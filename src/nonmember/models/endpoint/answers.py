"""What a server said of a prompt's tokens, or of the token after it, as numbers.

A reader returns None where the server did not answer in its form at all, and raises
``LackingError`` where it did but left something out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from nonmember.models.endpoint.completions import Choice, Likelihood
from nonmember.types import LOGPROB_FLOOR

PIECE = "\ufffd"  # what stands for a piece of a character
NAMED = "token_id:"  # how vLLM spells a token whose id is asked for

Values = dict[str, np.ndarray]
"""Name of a token statistic -> its values, float32, one per scored token."""


class LackingError(Exception):
    """What a server's answer lacks, in words."""


@dataclass(frozen=True)
class Asked:
    """What one prompt was put for.

    ``ids`` are tokens that stand side by side; ``places`` says which are wanted. Of a model
    that is asked position by position, the last one alone is, and is not sent. ``more`` is
    how many tokens the model may write after them.
    """

    ids: Int[np.ndarray, "t"]
    places: Int[np.ndarray, "p"]
    more: int = 1


Reader = Callable[[Any, Choice, Asked], Values | None]


def read_prompt_logprobs(_: Any, choice: Choice, asked: Asked) -> Values | None:
    """Of vLLM's ``prompt_logprobs``: each token's own entry, and that of the likeliest."""
    given = choice.prompt_logprobs
    if given is None:
        return None
    _count(len(given), len(asked.ids), len(asked.ids))
    found = [_entry(given[place], int(asked.ids[place]), int(place)) for place in asked.places]
    names = ("token_logprobs", "token_hit", "token_top_logprob", "token_top_id")
    columns = np.asarray(found, dtype=np.float32).reshape(-1, len(names)).T
    return dict(zip(names, columns, strict=True))


def read_echo(_: Any, choice: Choice, asked: Asked) -> Values | None:
    """Of a prompt that is written again: its tokens' log-probabilities, by position.

    ``top_logprobs`` spells tokens and does not number them, so the likeliest one's id is
    not known; whether it is the true one shows in their log-probabilities.
    """
    given, length = choice.logprobs, len(asked.ids)
    if given is None or given.token_logprobs is None or len(given.token_logprobs) <= 1 < length:
        return None
    own = given.token_logprobs
    _count(len(own), length, length + asked.more)
    picked = np.array([_clipped(own[place]) for place in asked.places], dtype=np.float32)
    if given.top_logprobs is None:
        return {"token_logprobs": picked}
    _count(len(given.top_logprobs), length, length + asked.more)
    top = picked.copy()
    for j, place in enumerate(asked.places):
        others = given.top_logprobs[place]
        if not others:
            raise LackingError(f"no entry for the likeliest token at position {place}")
        top[j] = max([float(picked[j]), *map(_clipped, others.values())])
    hit = (picked >= top).astype(np.float32)
    return {"token_logprobs": picked, "token_hit": hit, "token_top_logprob": top}


def read_next(tokenizer: Any, choice: Choice, asked: Asked) -> Values | None:
    """Of one written token: whether it is the true one, told by its id, else by its spelling.

    Tokens that are spelled alike cannot be told apart by their spelling; these are mostly
    pieces of one character.
    """
    true, written = int(asked.ids[-1]), written_ids(choice)
    if written:
        hit, top = np.array([[written[0] == true], [written[0]]], dtype=np.float32)
        return {"token_hit": hit, "token_top_id": top}
    if written is None and (choice.text or choice.finish_reason != "stop"):
        same = _whole(choice.text) == spelled(tokenizer, asked.ids)
        return {"token_hit": np.array([same], dtype=np.float32)}
    same = true in tokenizer.all_special_ids  # it stopped; which end token made it is not said
    end = true if same else tokenizer.eos_token_id
    hit, top = np.array([[same], [math.nan if end is None else end]], dtype=np.float32)
    return {"token_hit": hit, "token_top_id": top}


def written_ids(choice: Choice) -> list[int] | None:
    """Ids of the tokens that were written, in whichever way the server gives them, if it does."""
    if choice.token_ids is not None:
        return choice.token_ids
    given = choice.logprobs
    if given is None:
        return None
    if given.content and all(one.id is not None for one in given.content):
        return [one.id for one in given.content if one.id is not None]
    return named_ids(given.tokens or ())


def named_ids(tokens: Sequence[str]) -> list[int] | None:
    """Ids of tokens that are spelled as their ids."""
    numbers = [token.removeprefix(NAMED) for token in tokens if token.startswith(NAMED)]
    if not tokens or len(numbers) < len(tokens) or not all(one.isdecimal() for one in numbers):
        return None
    return [int(one) for one in numbers]


def spelled(tokenizer: Any, ids: Int[np.ndarray, "t"]) -> str:
    """What the last token adds to the text of those before it.

    Whether a token begins with a space is known only beside others, and a piece of a
    character has no spelling of its own.
    """
    near = ids[-5:].tolist()
    whole, before = (
        tokenizer.decode(part, clean_up_tokenization_spaces=False) for part in (near, near[:-1])
    )
    return _whole(whole[len(before) :]) if whole.startswith(before) else PIECE


def _whole(text: str) -> str:
    """The text of one token; a piece of a character is sent as nothing, or with a stand-in."""
    return PIECE if not text or PIECE in text else text


def _entry(
    given: dict[int, Likelihood] | None, true: int, place: int
) -> tuple[float, float, float, float]:
    """Log p of the true token, whether it is the likeliest, and log p and id of the likeliest."""
    if given is None or true not in given:
        raise LackingError(f"no entry for the token at position {place}")
    ranks = [one.rank for one in given.values()]
    if None not in ranks and 1 not in ranks:
        raise LackingError(f"no entry for the likeliest token at position {place}")
    values = {token: _clipped(one.logprob) for token, one in given.items()}
    own, top = values[true], max(values.values())
    if own >= top:
        return own, 1.0, top, float(true)
    return own, 0.0, top, float(min(token for token, value in values.items() if value == top))


def _count(found: int, least: int, most: int) -> None:
    if not least <= found <= most:
        raise LackingError(f"log-probabilities at {found} positions of a prompt of {least} tokens")


def _clipped(logprob: float | None) -> float:
    """JSON has no infinity: servers say null, or a large negative number."""
    value = LOGPROB_FLOOR if logprob is None else logprob
    if math.isnan(value) or value == math.inf:
        raise LackingError(f"{value} for a log-probability")
    return max(LOGPROB_FLOOR, value)
