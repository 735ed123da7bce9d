"""The persons whom the strongest attack gives away: how many, and for their owner only, who."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nonmember.audit.cases import Audit, Ground
from nonmember.audit.figures import scored
from nonmember.audit.worth import PersonsAtRisk
from nonmember.errors import UnresolvableError
from nonmember.evaluation.persons import persons
from nonmember.evaluation.risk import names, p_values, q_values
from nonmember.seeds import derive
from nonmember.types import Scores

SHOWN = 10
LEAST_TIMES = 200  # bootstrap samples of a figure that is not used here


@dataclass(frozen=True)
class Told:
    """A score per person, larger = likelier trained on, and whether they were."""

    ids: Int[np.ndarray, "p"]
    scores: Float[np.ndarray, "p"]
    trained: Bool[np.ndarray, "p"]


def told(scores: Scores, subject: Audit, ground: Ground) -> Told | None:
    """The persons among those judged; None where records say no person, or too few have scores.

    Args:
        scores: of all candidates, by the strongest attack.
        subject: the audit.
        ground: which of them are judged, and the truth about these.
    """
    if not subject.grouped:
        return None
    values, member, group = scored(scores[ground.there], ground.split)
    seed = derive(subject.spec.seed, "persons at risk")
    try:
        found = persons(values, member, group, times=LEAST_TIMES, seed=seed)
    except UnresolvableError:
        return None
    ids, own = np.array(found.ids), np.array(found.scores)
    return Told(ids, own, np.isin(ids, group[member]))


def at_risk(scores: Scores, subject: Audit, ground: Ground) -> PersonsAtRisk | None:
    """Counts and ranks alone, as they may be shared; of no persons None."""
    found = told(scores, subject, ground)
    if found is None:
        return None
    everyone = np.arange(len(found.ids))
    named, unnamed = names(found.scores, found.trained, everyone)
    outsiders = found.scores[~found.trained]
    top = -np.sort(-found.scores[found.trained])[:SHOWN]
    above = tuple(int((outsiders >= score).sum()) for score in top)
    return PersonsAtRisk(int(found.trained.sum()), len(outsiders), named, unnamed, above)


def columns(scores: Scores, subject: Audit, ground: Ground) -> dict[str, Scores]:
    """Per candidate its person's score, and the false discovery rate of naming that one (q)."""
    found = told(scores, subject, ground)
    if found is None:
        return {}
    group = subject.candidates.split.group
    q = q_values(p_values(found.scores, found.trained, np.arange(len(found.ids))))
    place = np.minimum(np.searchsorted(found.ids, group), len(found.ids) - 1)
    there = found.ids[place] == group
    return {
        name: np.where(there, values[place], np.nan)
        for name, values in (("person", found.scores), ("person_q", q))
    }
