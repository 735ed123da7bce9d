"""The candidates as a model meets them: how many tokens each has, and what is wrong with any."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from nonmember.data.records import Records
from nonmember.data.split import Split
from nonmember.errors import DataError, ModelError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.models import causal
from nonmember.models.source import Source
from nonmember.models.text import Encodings, Form, lossy

FEWEST_TOKENS = 8


@dataclass(frozen=True)
class Met:
    """The n candidates as a model meets them: tokens, and how many of them are scored."""

    tokens: Int[np.ndarray, "n"]
    scored: Int[np.ndarray, "n"]
    truncated: Bool[np.ndarray, "n"]
    lossy: Bool[np.ndarray, "n"]


def met(encoded: Encodings, models: Sequence[Source]) -> Met:
    """Lengths of all candidates, in one pass.

    Raises:
        ModelError: the tokenizer names a token that a model does not have.
    """
    sizes = {model.name: causal.vocabulary_size(model) for model in models}
    rows = []
    for place, one in enumerate(encoded):
        highest = int(one.ids.max(initial=0))
        small = next((name for name, size in sizes.items() if size and highest >= size), None)
        if small is not None:
            raise ModelError(
                f"{small}: the tokenizer gives {encoded.records[place].id} a token {highest}, but "
                f"this model knows only {sizes[small]}; put the tokenizer of this model into its "
                "folder"
            )
        damaged = lossy(encoded.tokenizer, one)
        rows.append((len(one.ids), int(one.scored.sum()), one.truncated, damaged))
    tokens, scored, truncated, damage = np.array(rows, dtype=np.int64).T
    return Met(tokens, scored, truncated.astype(bool), damage.astype(bool))


def refuse_silence(name: str, met: Met, split: Split) -> None:
    """A side without a token to score leaves nothing to compare."""
    for side, chosen in (("members", split.member), ("non-members", ~split.member)):
        if not met.scored[chosen].any():
            raise DataError(
                f"targets.{name}: no record of the {side} has a token to score; give longer texts, "
                "or chats in which the assistant speaks"
            )


def findings_of(met: Met, records: Records, form: Form) -> tuple[Finding, ...]:
    """What the candidates' token sequences tell a reader to beware of."""
    short, damaged = (
        [record.id for record in records.take(np.flatnonzero(marks))]
        for marks in (met.scored < FEWEST_TOKENS, met.lossy)
    )
    cut = int(met.truncated.sum())
    found = (
        checks.near_empty(short, FEWEST_TOKENS),
        checks.truncated(cut, len(records), form.limit),
        checks.lossy(damaged),
    )
    return tuple(finding for finding in found if finding is not None)
