"""A text read after others, whose membership the attacker knows."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from nonmember.errors import ModelError
from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, windows
from nonmember.signals.catalogue import signal
from nonmember.signals.joining import Joint, joint
from nonmember.signals.language import STATISTICS_VERSION, joined, of_positions
from nonmember.types import Count


@signal(provides={"prefix_token_logprobs": "logprobs"}, version=2 + STATISTICS_VERSION)
def prefix(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    shots: Sequence[Encoded],
    *,
    count: Count = 7,
    separator: str = "\n\n",
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities, in nats, after known non-members (Xie et al. 2024, ReCaLL).

    One prefix stands before every record: the shots, joined as token ids. Shots that do not
    fit are left out: the prefix and the longest record that the form allows stay within the
    model's context. The tokens of the record that ``token_logprobs`` scores are scored, at
    the same positions, and no others. A BOS, or the separator of packed records, stands
    before the prefix instead of the record, whose first token then follows the shots. Array
    (n t), NaN past the last scored token.

    Args:
        model: what is asked; the prefix is read once, and what the model keeps of it reused.
        encoded: n records; those over their form's limit are read in windows, each after the
            prefix.
        shots: records known to be non-members, none of them among ``encoded``.
        count: most shots.
        separator: between plain texts; chats, completions and packed records end by themselves.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: no shot fits.
    """
    return {"prefix_token_logprobs": _after(model, encoded, shots[:count], separator, watch)}


@signal(provides={"prefix_member_token_logprobs": "logprobs"}, version=2 + STATISTICS_VERSION)
def prefix_member(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    member_shots: Sequence[Encoded],
    *,
    count: Count = 7,
    separator: str = "\n\n",
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities, in nats, after known members (Wang et al. 2024, CON-ReCall).

    As ``prefix``, with ``member_shots``: records known to be members, none among ``encoded``.

    Raises:
        ModelError: no shot fits.
    """
    found = _after(model, encoded, member_shots[:count], separator, watch)
    return {"prefix_member_token_logprobs": found}


def fits(
    tokenizer: Any,
    shots: Sequence[Encoded],
    context: int | None,
    *,
    count: int,
    separator: str,
) -> bool:
    """Whether any shot fits before a text, so that ``prefix`` would not refuse them.

    Args:
        tokenizer: the model's.
        shots: records to put before a text.
        context: the model's, in tokens; None if it does not say.
        count: as the extractor's option.
        separator: as the extractor's option.
    """
    some = shots[:count]
    return bool(some) and bool(_fitting(joint(tokenizer, some[0].form, separator), some, context))


def _after(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    shots: Sequence[Encoded],
    separator: str,
    watch: Watch | None,
) -> np.ndarray:
    """Log-probabilities of the scored tokens (n t) after one prefix made of ``shots``."""
    if not shots:
        raise ModelError("prefix: no known records to put before a text; give some")
    joins = joint(model.tokenizer, shots[0].form, separator)
    before = _before(joins, shots, model.context)
    pieces = [windows(one) for one in encoded]
    flat = list(chain.from_iterable(pieces))
    if isinstance(model, Remote):
        whole = [_following(joins, before, one) for one in flat]
        found = model.statistics(whole, watch=watch)
    else:
        # A row begins with the prefix's last token, whose hidden state predicts the text's first.
        past = model.remember(torch.from_numpy(before[:-1]).to(model.device))
        rows = [_following(joins, before[-1:], one) for one in flat]
        found = of_positions(model, rows, past=past, watch=watch)
    return joined(np.asarray(found["token_logprobs"]), pieces)


def _before(joins: Joint, shots: Sequence[Encoded], context: int | None) -> Int[np.ndarray, "p"]:
    """The prefix, with what opens it."""
    taken = _fitting(joins, shots, context)
    if not taken:
        raise ModelError(
            f"prefix: a context of {context} tokens holds no known record beside a text of "
            f"{shots[0].form.limit}; set data.max_tokens lower, or leave out the attacks with "
            "known records before a text"
        )
    return np.concatenate([joins.opening, *taken])


def _fitting(
    joins: Joint, shots: Sequence[Encoded], context: int | None
) -> list[Int[np.ndarray, "_"]]:
    """The shots that fit before any record of their form, in their order."""
    limit = shots[0].form.limit
    parts = [np.concatenate([joins.body(shot)[0], joins.after(shot)]) for shot in shots]
    free = np.inf if context is None else context - limit - len(joins.opening)
    taken = []
    for part in parts:
        if 0 < len(part) <= free:
            taken.append(part)
            free -= len(part)
    return taken


def _following(joins: Joint, before: Int[np.ndarray, "p"], one: Encoded) -> Encoded:
    """The record after ``before``, of which nothing is scored."""
    ids, scored = joins.body(one)
    whole = np.concatenate([before, ids])
    marks = np.concatenate([np.zeros(len(before), dtype=bool), scored])
    return replace(one, ids=whole, scored=marks, form=replace(one.form, limit=max(2, len(whole))))
