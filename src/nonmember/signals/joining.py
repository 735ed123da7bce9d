"""Records put one after another as token ids: what of each stands where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from nonmember.models.text import Encoded, Form


@dataclass(frozen=True)
class Joint:
    """How a tokenizer's records follow one another.

    ``opening`` is the token before a record that is not of it, a BOS or the separator of
    packed records, if there is one: it stands once, at the beginning of all. ``between`` are
    the tokens of the separator: the EOS of packed records, else the one asked for. It follows
    texts that do not end by themselves: a chat ends a turn; a completion and a packed text,
    unless they were cut, end in an EOS.
    """

    opening: Int[np.ndarray, "o"]
    between: Int[np.ndarray, "s"]
    eos: int | None

    def cut(self, one: Encoded) -> int:
        """How many tokens at the record's beginning are not of it."""
        return int(len(self.opening) > 0 and np.array_equal(one.ids[:1], self.opening))

    def body(self, one: Encoded) -> tuple[Int[np.ndarray, "b"], Bool[np.ndarray, "b"]]:
        """The record's own tokens, and which of them are scored."""
        cut = self.cut(one)
        return one.ids[cut:], one.scored[cut:]

    def after(self, one: Encoded) -> Int[np.ndarray, "e"]:
        """What separates the record from the next."""
        ended = isinstance(one.content, tuple) or (len(one.ids) and one.ids[-1] == self.eos)
        return self.between[:0] if ended else self.between


def joint(tokenizer: Any, form: Form, separator: str) -> Joint:
    """How records of this form follow one another, ``separator`` between plain texts."""
    found = tokenizer("a", return_special_tokens_mask=True, verbose=False)
    eos = tokenizer.eos_token_id
    opening = [eos] if form.packed else []
    if found["special_tokens_mask"][:1] == [1]:
        opening = found["input_ids"][:1]
    asked = tokenizer(separator, add_special_tokens=False, verbose=False)["input_ids"]
    between = [eos] if form.packed else asked
    return Joint(np.array(opening, dtype=np.int64), np.array(between, dtype=np.int64), eos)
