"""Two models by the same records: how much more attacks find of one, and if by more than chance.

Each model is met by the attack that is surest of it, as whoever attacks it would choose. Were
one attack taken for both, the one that is surest of the first, chance would have helped it there
and not with the second, and any second model would seem to leak less. That the attacks were
chosen for what they found is paid for: each attack on one model beside each attack on the other
counts as a comparison that was made, in the simultaneous interval as in Holm's p-values, which
hold whichever of them are shown.

Records are those that both attacks scored. Members that a defense dropped are among them where
the attack scores a record by itself: that they leak nothing is what the defense does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import FAMILIES, Attack, of_families
from nonmember.audit import counterparts
from nonmember.audit.folds import widening
from nonmember.audit.parts import Common
from nonmember.audit.records import AttackResult, TargetResult
from nonmember.audit.worth import DifferenceResult
from nonmember.data.split import Split
from nonmember.errors import RunError
from nonmember.evaluation.intervals import resolvable, simultaneous
from nonmember.evaluation.paired import (
    Difference,
    Pair,
    auc_difference,
    holm,
    paired,
    tpr_difference,
)
from nonmember.seeds import derive
from nonmember.types import Scores

RESAMPLES = 400  # only their spread is used, and the ends of a 95 % interval


@dataclass(frozen=True)
class Side:
    """A target, and each of its attacks' scores of the candidates."""

    found: TargetResult
    scores: Mapping[str, Scores]


@dataclass(frozen=True)
class Match:
    """Two targets on the candidates of ``split``, the second beside the first, and their names."""

    first: Side
    second: Side
    names: tuple[str, str]
    split: Split


@dataclass(frozen=True)
class Asked:
    """How targets of one kind are compared; ``among`` is ``tried`` of all that are, or more."""

    kind: str
    level: float
    fprs: tuple[float, ...]
    seed: int
    among: int


def within(sides: Sequence[Side], split: Split, spec: Common) -> tuple[DifferenceResult, ...]:
    """The differences between targets of one audit, see ``counterparts``."""
    targets = [one.found for one in sides]
    by_name = {one.found.name: one for one in sides}
    matches = [
        Match(by_name[other.name], side, (other.name, side.found.name), split)
        for side in sides
        for other in counterparts.counterparts(side.found, targets)
    ]
    ask, seed = spec.evaluation, derive(spec.seed, "differences")
    among = tried(((one.first.found, one.second.found) for one in matches), ask.fpr)
    return differences(matches, Asked(spec.kind, ask.level, ask.fpr, seed, among))


def differences(matches: Sequence[Match], asked: Asked) -> tuple[DifferenceResult, ...]:
    """Of each match the AUC and the true-positive rates that the sample carries, all at once.

    Raises:
        RunError: an attack is not known here, so that it is not known how it was fitted.
    """
    found = [
        one
        for match in matches
        for attacks in counterparts.attacks(match.first.found, match.second.found)
        for one in _compared(match, attacks, asked)
    ]
    p_values = np.array([one.p_value for one in found], dtype=float)
    adjusted = holm(p_values, asked.among).tolist()
    return tuple(replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True))


def tried(matched: Iterable[tuple[TargetResult, TargetResult]], fprs: Sequence[float]) -> int:
    """From how many comparisons those that are shown of these targets were chosen."""
    pairs = (
        len(counterparts.on_model(first)) * len(counterparts.on_model(second))
        for first, second in matched
    )
    return sum(pairs) * (1 + len(fprs))


def _compared(
    match: Match, attacks: tuple[AttackResult, AttackResult], asked: Asked
) -> Iterator[DifferenceResult]:
    """One match by its two attacks; nothing where a side has no record that both scored."""
    both = _paired(match, attacks, asked)
    if both is None:
        return
    members = int(both.member.sum())
    wider = max(widening(registered(one.name, asked.kind), match.split) for one in attacks)
    for fpr in (None, *both.samples[0].tpr):
        found = _difference(both, fpr, asked.level, asked.among, wider)
        yield DifferenceResult(
            target=match.names[1],
            against=match.names[0],
            attack=attacks[1].name,
            attack_against=attacks[0].name,
            fpr=fpr,
            first=found.first,
            second=found.second,
            change=found.change,
            simultaneous=found.simultaneous,
            p_value=found.p_value,
            adjusted=None,
            among=asked.among,
            members=members,
            non_members=len(both.member) - members,
        )


def _paired(match: Match, attacks: tuple[AttackResult, AttackResult], asked: Asked) -> Pair | None:
    """The scores of the records that both attacks scored, if these are on both sides."""
    first, second = (
        side.scores[attack.name]
        for side, attack in zip((match.first, match.second), attacks, strict=True)
    )
    there = ~(np.isnan(first) | np.isnan(second))
    member, group = match.split.member[there], match.split.group[there]
    if member.all() or not member.any():
        return None
    fprs = tuple(fpr for fpr in asked.fprs if resolvable(fpr, int((~member).sum())))
    scores = first[there], second[there]
    return paired(*scores, member, group, fprs=fprs, times=RESAMPLES, seed=asked.seed)


def _difference(
    both: Pair, fpr: float | None, level: float, among: int, wider: float
) -> Difference:
    together = simultaneous(level, among)
    if fpr is None:
        return auc_difference(both, level=level, together=together, wider=wider)
    return tpr_difference(both, fpr, level=level, together=together, wider=wider)


def registered(name: str, kind: str) -> Attack:
    """The attack of that name.

    Raises:
        RunError: it is not known here.
    """
    known = of_families(FAMILIES[kind])
    if name not in known:
        raise RunError(
            f"attack {name!r}: not known here, so its scores cannot be compared; install the "
            "package that brings it"
        )
    return known[name]
