"""Who is in question, whom attackers know, and whom references are trained on."""

from typing import Any

import digits
import numpy as np
import pytest

from nonmember.audit.classifiers.candidates import Sides, candidates_of, none_of
from nonmember.audit.classifiers.jobs import Inquire, Teach
from nonmember.audit.classifiers.plan import plan
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Given, Subject, inspect
from nonmember.audit.parts import checked
from nonmember.data.examples import Examples, of
from nonmember.errors import DataError


def sides(backwards: bool = False) -> Sides:
    """Members and non-members; or the one as the other, and the last example first."""
    given = [of(*side, name=name) for side, name in zip(digits.sides(), "mo", strict=True)]
    if backwards:
        given = [side.take(np.arange(len(side))[::-1]) for side in reversed(given)]
    return Sides(given[0], given[1], none_of(given[0]))


def subject(**change: Any) -> Subject:
    values = {
        "kind": "classifier",
        "data": {"members": "m", "non_members": "o"},
        "targets": {"model": {"model": "net"}},
        **digits.settings(),
        **change,
    }
    values["references"] = {**values["references"], "architecture": "net made anew"}
    held = {"net": digits.leaky(), "net made anew": digits.network}
    return inspect(checked(ClassifierSpec, values, "test"), Given(held, sides()))


def codes(examples: Examples) -> set[bytes]:
    return {row.tobytes() for row in examples.digests}


def test_the_population_is_in_no_candidate_and_in_no_training_set() -> None:
    found = subject()
    aside, candidates = codes(found.candidates.population), codes(found.candidates.examples)
    assert len(aside) == digits.OTHERS // 5 and not aside & candidates
    outside = sides().non_members
    assert aside < codes(outside) and candidates | aside == codes(sides().members + outside)
    trained = [job for job in plan(found).jobs if isinstance(job, Teach)]
    assert len(trained) == 1
    for model in trained[0].models:
        rows = trained[0].kind.examples.take(np.flatnonzero(model.rows))
        assert codes(rows) < candidates and not codes(rows) & aside


def test_every_candidate_is_in_half_of_the_references() -> None:
    (target,) = subject().targets
    assert target.references is not None
    assert (target.references.member.sum(axis=0) == digits.REFERENCES["count"] // 2).all()
    rows = np.stack([one.rows for one in target.references.models])
    np.testing.assert_array_equal(rows, target.references.member)


def test_the_order_of_candidates_tells_nothing() -> None:
    there, back = (candidates_of(sides(way), 0.0, seed=0) for way in (False, True))
    np.testing.assert_array_equal(there.examples.digests, back.examples.digests)
    np.testing.assert_array_equal(there.split.member, ~back.split.member)
    places = np.flatnonzero(there.split.member)
    middle = (len(there.split.member) - 1) / 2
    assert abs(places.mean() - middle) < 4 * len(there.split.member) / np.sqrt(12 * len(places))


def test_a_file_of_answers_has_members_first_in_their_own_order() -> None:
    found, given = candidates_of(sides(), 0.2, seed=0), sides()
    every = given.members + given.non_members
    assert found.every.ids == every.ids
    np.testing.assert_array_equal(found.every.inputs, every.inputs)


def test_people_are_in_the_population_whole_or_not() -> None:
    given = sides()
    people = tuple(f"person {place // 4}" for place in range(digits.OTHERS))
    outside = given.non_members
    theirs = Examples(outside.inputs, outside.labels, outside.ids, people)
    found = candidates_of(Sides(given.members, theirs, given.control), 0.2, seed=0)
    known, asked = set(found.population.groups), set(found.examples.groups)
    assert len(known) == 10 and not known & asked
    whole = tuple("one" for _ in people)
    one = Examples(outside.inputs, outside.labels, outside.ids, whole)
    with pytest.raises(DataError, match="all non-members are one group"):
        candidates_of(Sides(given.members, one, given.control), 0.0, seed=0)


def test_a_plan_is_pure_and_asks_the_target_before_anything_is_trained() -> None:
    first, again = plan(subject()), plan(subject())
    assert [job.address for job in first.jobs] == [job.address for job in again.jobs]
    kinds = [type(job) for job in first.jobs]
    assert kinds[:2] == [Inquire, Inquire] and Teach in kinds[2:]
    assert not isinstance(first.jobs[0].model, Teach)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"attacks": {"run": ["lira", "rmia", "entropy"]}}, True),
        ({"evaluation": {"fpr": [0.2]}}, True),
        ({"seed": 1}, False),
        ({"references": {**digits.REFERENCES, "recipe": {"epochs": 61}}}, False),
    ],
)
def test_references_are_the_same_for_the_same_recipe_seed_and_examples(
    change: dict[str, Any], same: bool
) -> None:
    own, other = (
        {job.address for job in plan(one).jobs if isinstance(job, Teach)}
        for one in (subject(), subject(**change))
    )
    assert (own == other) is same and own.isdisjoint(other) is not same


def test_copies_are_told_and_stay_together() -> None:
    given = sides()
    twice = given.members + given.members.take(np.array([4]))
    spec = checked(
        ClassifierSpec,
        {
            "data": {"members": "m", "non_members": "o"},
            "targets": {"model": {"model": "net"}},
            "attacks": {"run": ["loss"]},
        },
        "test",
    )
    held = Given({"net": digits.leaky()}, Sides(twice, given.non_members, given.control))
    found = inspect(spec, held)
    assert [finding.code for finding in found.findings if finding.records] == ["E102"]
    split = found.candidates.split
    assert (split.member.sum(), len(np.unique(split.group[split.member]))) == (101, 100)
