"""What is amiss with the defenses of a classifier: set by too few, or dearly paid for."""

from collections.abc import Iterator

from nonmember.audit.cases import undefended
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.classifiers.undefended import change_against
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.signals.store import Store

FEW = 100  # examples of either side, below which a network that tells members learns little
COSTLY = 0.05  # of the answers, beyond which fewer right ones are told of


def findings(target: Target, subject: Subject, todo: Plan, store: Store) -> Iterator[Finding]:
    """All that is amiss with a target's defenses."""
    known = subject.candidates.calibration
    bare = undefended(target, subject.targets, subject.spec.targets)
    steps = target.guard.steps if target.guard else ()
    if any(one.defense.name == "memguard" for one in steps):
        yield from few_to_learn_by("memguard", len(known.members), len(known.non_members))
    if bare is not None:
        change = change_against(bare, Answers(target, subject, todo, store))
        yield from costly(target.name, bare.name, change)


def few_to_learn_by(name: str, members: int, non_members: int) -> Iterator[Finding]:
    """E138: a defense learns what tells members by so few examples that it learns little."""
    if min(members, non_members) < FEW:
        yield Finding(
            "E138",
            "warning",
            f"{name} learns what tells members from {members} of them and {non_members} "
            "non-members, too few to learn much by, and hides no more than it learns: give more "
            f"examples, or a larger data.calibration, until {FEW} of either side are set aside",
        )


def costly(name: str, against: str, change: Interval) -> Iterator[Finding]:
    """E139: a defended model gives fewer right answers than anybody would trade for privacy."""
    if change.value < -COSTLY and change.high < 0:
        yield Finding(
            "E139",
            "warning",
            f"{name} is right about {-100 * change.value:.1f} points fewer of the non-members "
            f"than {against}, which has no defense ({change.level:.0%} interval "
            f"{-100 * change.high:.1f} to {-100 * change.low:.1f}): a model that knows less leaks "
            "less, whatever its defenses do; weaken them until it answers as well",
        )
