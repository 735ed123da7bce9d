"""What the strongest attack means for people: flags, names, slices, and a bound on epsilon."""

from collections.abc import Mapping

import numpy as np

from nonmember.audit import people
from nonmember.audit.cases import Audit, Ground
from nonmember.audit.figures import scored
from nonmember.audit.records import AttackResult
from nonmember.audit.worth import RiskResult
from nonmember.errors import UnresolvableError
from nonmember.evaluation import epsilon
from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.intervals import independent
from nonmember.evaluation.risk import at_once, names, risks
from nonmember.evaluation.slices import Slices, slices
from nonmember.seeds import derive
from nonmember.types import Scores

Cuts = Mapping[str, np.ndarray]
"""Ways to cut the candidates, by name: the slice of each, (n,)."""


def of(
    best: AttackResult, scores: Scores, subject: Audit, ground: Ground, cuts: Cuts
) -> RiskResult:
    """What the strongest attack on a target means.

    Args:
        best: its figures.
        scores: of all candidates.
        subject: the audit.
        ground: which of them are judged, and the truth about these.
        cuts: ways to cut the candidates.
    """
    spec, seed = subject.spec.evaluation, derive(subject.spec.seed, "risk")
    values, member, group = scored(scores[ground.there], ground.split)
    there = ~np.isnan(scores[ground.there])
    own = {name: cut[ground.there][there] for name, cut in cuts.items()}
    rate = best.tpr[0] if best.tpr else None
    named, unnamed = names(values, member, group)
    cut = Slices((), (), None)
    if own:
        level, times = spec.level, spec.resamples
        cut = slices(values, member, group, own, level=level, times=times, seed=seed)
    worth = independent(group[~member])
    flags = () if rate is None else risks(at_once(rate, worth), own=spec.priors)
    return RiskResult(
        attack=best.name,
        fpr=None if rate is None else rate.fpr,
        flags=flags,
        names=named,
        unnamed=unnamed,
        worst=cut.worst,
        tested=len(cut.tested),
        untested=tuple(f"{one.by} {one.name}" for one in cut.untested),
        bound=_bound(values, member, group, spec.level, seed),
        persons=people.at_risk(scores, subject, ground),
    )


def _bound(
    values: Scores, member: np.ndarray, group: np.ndarray, level: float, seed: int
) -> Bound | None:
    """The lower bound of epsilon; None where no scores could give one."""
    try:
        return epsilon.two_sided(values, member, group, level=level, seed=seed)
    except UnresolvableError:
        return None
