"""Two models by different records: what is found of each on its own, put together.

Nothing is known of how two samples of records go together, so there is no p-value. Where they
have nothing to do with each other, or share records of the same side, taking them as independent
makes no interval too narrow; where records are members in one and not in the other it may, and
the intervals' arms are added, which holds however the two go together.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from nonmember.audit import counterparts
from nonmember.audit.comparing import RESAMPLES, Asked, Side, registered
from nonmember.audit.figures import scored
from nonmember.audit.folds import widening
from nonmember.audit.records import AttackResult
from nonmember.audit.worth import DifferenceResult
from nonmember.data.split import Split
from nonmember.evaluation import roc
from nonmember.evaluation.intervals import Interval, resolvable, simultaneous
from nonmember.evaluation.paired import unpaired
from nonmember.evaluation.roc import Replicates
from nonmember.types import Member, Scores


@dataclass(frozen=True)
class Match:
    """Two targets, each on the candidates of its split, and how they are called.

    ``moved``: some records are members in the one and non-members in the other.
    """

    sides: tuple[Side, Side]
    splits: tuple[Split, Split]
    names: tuple[str, str]
    moved: bool


@dataclass(frozen=True)
class Own:
    """One attack's scores of its own records, and what bootstrap samples make of them."""

    scores: Scores
    member: Member
    samples: Replicates
    wider: float

    def figure(self, fpr: float | None, level: float) -> Interval:
        """The AUC, or the true-positive rate at ``fpr``."""
        known = self.scores, self.member, self.samples
        if fpr is None:
            return roc.auc(*known, level=level).widened(self.wider)
        return roc.tpr_at_fpr(*known, fpr=fpr, level=level).tpr.widened(self.wider)


def differences(match: Match, asked: Asked) -> Iterator[DifferenceResult]:
    """The AUC, and the true-positive rates that both samples carry.

    Raises:
        RunError: an attack is not known here, so that it is not known how it was fitted.
    """
    for attacks in counterparts.attacks(*(side.found for side in match.sides)):
        first, second = (_own(match, place, one, asked) for place, one in enumerate(attacks))
        if first is None or second is None:
            continue
        rates = (fpr for fpr in first.samples.tpr if fpr in second.samples.tpr)
        for fpr in (None, *rates):
            yield _difference(match, attacks, (first, second), fpr, asked)


def _own(match: Match, place: int, attack: AttackResult, asked: Asked) -> Own | None:
    """None where it scored no member, or no non-member."""
    split = match.splits[place]
    values, member, group = scored(match.sides[place].scores[attack.name], split)
    if member.all() or not member.any():
        return None
    fprs = [fpr for fpr in asked.fprs if resolvable(fpr, int((~member).sum()))]
    drawn = roc.bootstrap(values, member, group, fprs=fprs, times=RESAMPLES, seed=asked.seed)
    return Own(values, member, drawn, widening(registered(attack.name, asked.kind), split))


def _difference(
    match: Match,
    attacks: tuple[AttackResult, AttackResult],
    both: tuple[Own, Own],
    fpr: float | None,
    asked: Asked,
) -> DifferenceResult:
    own, together = (
        (both[0].figure(fpr, level), both[1].figure(fpr, level))
        for level in (asked.level, simultaneous(asked.level, asked.among))
    )
    correlated, members = -1.0 if match.moved else 0.0, int(both[1].member.sum())
    return DifferenceResult(
        target=match.names[1],
        against=match.names[0],
        attack=attacks[1].name,
        attack_against=attacks[0].name,
        fpr=fpr,
        first=own[0],
        second=own[1],
        change=unpaired(*own, correlated=correlated),
        simultaneous=unpaired(*together, correlated=correlated),
        p_value=None,
        adjusted=None,
        among=asked.among,
        members=members,
        non_members=len(both[1].member) - members,
    )
