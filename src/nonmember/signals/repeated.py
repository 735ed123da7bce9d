"""A text said again and again: how much the first time was news to the model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded
from nonmember.signals.catalogue import signal
from nonmember.signals.joining import Joint, joint
from nonmember.signals.language import STATISTICS_VERSION, token_statistics
from nonmember.types import Count


@signal(
    provides={"repeat_token_logprobs": "logprobs"},
    queries="copies",
    version=2 + STATISTICS_VERSION,
)
def repeats(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 5,
    separator: str = "\n",
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities, in nats, in each of v repetitions (Chang et al. 2024, CAMIA).

    All copies stand in one sequence, which is read in one pass; a BOS, or the separator of
    packed records, stands before the first only. In each copy the same tokens are scored
    as in ``token_logprobs``, at the same positions, so that copy 0 is ``token_logprobs``.
    Array (n v t), NaN past the last scored token. As many whole copies are made as the
    model's context holds; the others are NaN. A record over its form's limit, which is
    read in windows, has copy 0 only.

    Args:
        model: what is asked.
        encoded: n records.
        copies: v, the first one included.
        separator: between plain texts; chats, completions and packed records end by themselves.
        watch: told the tokens done after each pass.
    """
    held = list(encoded)
    joins = [joint(model.tokenizer, one.form, separator) for one in held[:1]]
    made = [_repeated(joins[0], one, copies, model.context) for one in held]
    found = token_statistics(model, [long for _, long in made], watch=watch)["token_logprobs"]
    width = max([1, *(int(one.scored.sum()) for one in held)])
    out = np.full((len(held), copies, width), np.nan, dtype=np.float32)
    for row, flat, one, (times, _) in zip(out, found, held, made, strict=True):
        count = int(one.scored.sum())
        row[:times, :count] = flat[: times * count].reshape(times, count)
    return {"repeat_token_logprobs": out}


def _repeated(joins: Joint, one: Encoded, copies: int, context: int | None) -> tuple[int, Encoded]:
    """How many copies fit, and the sequence that they are."""
    ids, scored = joins.body(one)
    between = joins.after(one)
    if len(one.ids) > one.form.limit:
        return 1, one
    if context is not None:
        free = context - len(one.ids)
        copies = min(copies, 1 + max(0, free) // max(1, len(between) + len(ids)))
    gap = np.zeros(len(between), dtype=bool)
    whole = np.concatenate([one.ids, *[between, ids] * (copies - 1)])
    marks = np.concatenate([one.scored, *[gap, scored] * (copies - 1)])
    form = replace(one.form, limit=max(one.form.limit, len(whole)))
    return copies, replace(one, ids=whole, scored=marks, form=form)
