"""Diffence end to end: what it is calibrated on, what it refuses, and what it protects."""

from dataclasses import replace

import numpy as np
import pytest
from models.fence.worlds_fence import CLASSES, Linear, Shaken, calibration, examples, moved

from nonmember.data.examples import of
from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import DataError, ModelError
from nonmember.models.fence import interval, select

EVERY = ("s3", "s1", "s2", "mean", "majority")
NONE = examples(0)


def confidence(inputs, copies):
    labels, made = Linear().logits(inputs).argmax(axis=1), copies(inputs)
    answers = Linear().logits(made.reshape(-1, 6)).reshape(*made.shape[:2], CLASSES)
    return select.confidence(answers, select.keeping(answers, labels, moved(made, inputs)))


@pytest.mark.parametrize("selector", EVERY)
def test_it_answers_and_leaves_its_inputs_alone(selector):
    given, before = calibration(), calibration()
    found = diffence(Linear(), given, Shaken(), selector=selector)
    inputs = examples(50).inputs
    assert found.logits(inputs).shape == (50, CLASSES)
    assert np.isfinite(found.logits(inputs)).all()
    np.testing.assert_array_equal(given.members.inputs, before.members.inputs)
    np.testing.assert_array_equal(given.public.inputs, before.public.inputs)
    again = diffence(Linear(), given, Shaken(), selector=selector)
    np.testing.assert_array_equal(again.logits(inputs), found.logits(inputs))


def test_s3_uses_no_membership():
    swapped = replace(calibration(), members=NONE, non_members=NONE)
    inputs = examples(50).inputs
    found = [diffence(Linear(), one, Shaken()).logits(inputs) for one in (calibration(), swapped)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("objective", ["js", "ks"])
def test_s1_takes_the_interval_of_the_search(objective):
    given, copies = calibration(), Shaken()
    found = diffence(Linear(), given, copies, selector="s1", objective=objective)
    sides = [confidence(side.inputs, copies) for side in (given.members, given.non_members)]
    low, high, apart = interval.search(*sides, objective)
    assert (found.fence.low, found.fence.high) == (low, high)
    assert found.fence.figures["apart"] == apart
    given = (examples(60, seed).inputs for seed in (8, 9))
    others = [found.asked(inputs).odds for inputs in given]
    again, untouched = (
        interval.divergence(*interval.answered(low, high, *odds, objective), objective)
        for odds in (sides, others)
    )
    assert again == pytest.approx(apart)
    assert untouched > apart
    kept = [found.fence.figures[f"kept_{side}"] for side in ("members", "non_members", "public")]
    assert kept[:2] == [np.isfinite(side).mean() for side in sides]


def test_s2_takes_the_interval_of_members():
    given = replace(calibration(), non_members=NONE)
    found = diffence(Linear(), given, Shaken(), selector="s2")
    odds = confidence(given.members.inputs, Shaken())
    odds = odds[np.isfinite(odds)]
    assert (found.fence.low, found.fence.high) == (odds.min(), odds.mean())
    assert "apart" not in found.fence.figures


def test_donors_are_defended_answers_to_public_inputs_and_to_no_others():
    given = calibration()
    found = diffence(Linear(), given, Shaken(1))
    answers = found.answer(given.public.inputs)
    mine = {row.tobytes() for row in answers.logits[~answers.fell_back]}
    assert {row.tobytes() for row in found.fence.donors} == mine
    assert 0.1 < answers.fell_back.mean() < 0.8
    labels = found.fence.donors.argmax(axis=1)
    assert (np.diff(labels) >= 0).all()
    odds = select.log_odds(found.fence.donors)
    assert found.fence.confidence == np.median(odds)


def test_donors_have_the_classifiers_labels_and_not_the_true_ones():
    given = calibration()
    wrong = of(given.public.inputs, (given.public.labels + 1) % CLASSES)
    one, other = (
        diffence(Linear(), replace(given, public=side), Shaken()) for side in (given.public, wrong)
    )
    np.testing.assert_array_equal(one.fence.donors, other.fence.donors)


def test_fewer_copies_fall_back_more_often():
    inputs = examples(400, 4).inputs
    rates = [
        diffence(Linear(), calibration(), Shaken(count)).answer(inputs).fell_back.mean()
        for count in (1, 3, 20)
    ]
    assert rates[0] > rates[1] > rates[2]


def test_what_is_fitted_is_asked_of_memory_once_for_each_way():
    kept = {}

    def remember(name, make):
        if name not in kept:
            kept[name] = make()
        return kept[name]

    class Counting(Linear):
        asked = 0

        def logits(self, inputs):
            type(self).asked += len(inputs)
            return super().logits(inputs)

    given = replace(calibration(), remember=remember)
    first = diffence(Counting(), given, Shaken(), selector="s1")
    asked = Counting.asked
    second = diffence(Counting(), given, Shaken(), selector="s1", fallback="flat")
    assert Counting.asked == asked > 0
    np.testing.assert_array_equal(first.fence.donors, second.fence.donors)
    for changes in ({"selector": "s3"}, {"selector": "s1", "objective": "ks"}):
        diffence(Counting(), given, Shaken(), **changes)
    diffence(Counting(), given, Shaken(key="another"), selector="s1")
    assert len(kept) == 4
    assert all(isinstance(one, np.ndarray) for arrays in kept.values() for one in arrays.values())


@pytest.mark.parametrize(
    ("selector", "missing", "said"),
    [
        ("s1", "members", "selector s1 is calibrated on members and there are none"),
        ("s1", "non_members", "selector s1 is calibrated on non-members and there are none"),
        ("s2", "members", "selector s2 is calibrated on members and there are none"),
        ("s3", "public", "selector s3 is calibrated on public examples and there are none"),
    ],
)
def test_what_is_missing_is_named(selector, missing, said):
    with pytest.raises(DataError, match=f"^diffence: {said}"):
        diffence(Linear(), replace(calibration(), **{missing: NONE}), Shaken(), selector=selector)


def test_a_label_that_is_no_class_is_refused():
    given = replace(calibration(), public=examples(40, 3, classes=9))
    with pytest.raises(DataError, match=r"^diffence: a label of public examples is 8, and the"):
        diffence(Linear(), given, Shaken())


def test_one_class_is_refused():
    given = replace(calibration(), members=NONE, non_members=NONE, public=NONE)
    with pytest.raises(ModelError, match=r"^diffence: the classifier knows one class"):
        diffence(Linear(classes=1), given, Shaken())


class Far:
    """Copies that never keep a label."""

    digest = "far"

    def __call__(self, inputs):
        own = Linear().logits(inputs).argmax(axis=1)
        others = examples(400, 11).inputs
        labels = Linear().logits(others).argmax(axis=1)
        places = [int((labels != label).argmax()) for label in own]
        return others[places][:, None]


@pytest.mark.parametrize(("selector", "side"), [("s3", "public examples"), ("s2", "members")])
def test_copies_that_never_keep_a_label_are_refused(selector, side):
    with pytest.raises(ModelError, match=f"^diffence: no copy of any of the {side} keeps its"):
        diffence(Linear(), calibration(), Far(), selector=selector)


class Same:
    """Copies that are the input itself."""

    digest = "same"

    def __call__(self, inputs):
        return inputs[:, None]


@pytest.mark.parametrize("selector", ["s1", "s2", "s3"])
def test_copies_that_are_all_their_input_are_refused(selector):
    with pytest.raises(ModelError, match=r"every copy of .* is the input itself; .* a larger t"):
        diffence(Linear(), calibration(), Same(), selector=selector)


@pytest.mark.parametrize("selector", ["mean", "majority"])
def test_all_copies_together_tell_the_label_alone_where_they_are_the_input(selector):
    found = diffence(Linear(), calibration(), Same(), selector=selector)
    inputs = examples(50).inputs
    answers = found.logits(inputs)
    np.testing.assert_array_equal(answers.argmax(axis=1), Linear().logits(inputs).argmax(axis=1))
    assert len(np.unique(np.sort(answers, axis=1), axis=0)) == 1


class Idle(Shaken):
    """Copies of which each other one is the input itself."""

    def __call__(self, inputs):
        made = super().__call__(inputs)
        made[:, ::2] = inputs[:, None]
        return made


def test_donors_and_rates_leave_out_copies_that_are_their_input():
    given = calibration()
    found = diffence(Linear(), given, Idle(4), selector="s1")
    answers = found.answer(given.public.inputs)
    assert not answers.kept[:, ::2].any()
    mine = {row.tobytes() for row in answers.logits[~answers.fell_back]}
    assert {row.tobytes() for row in found.fence.donors} == mine
    figures = found.fence.figures
    assert figures["kept_public"] == answers.kept.mean() < 0.5
    assert figures["kept_members"] == found.answer(given.members.inputs).kept.mean()


def test_confidence_that_only_members_have_is_hidden():
    """A classifier sure of the exact inputs that it was trained on, and of nothing near them."""
    members, others = examples(300, 21), examples(300, 22)
    known = {row.tobytes() for row in members.inputs}

    class Memorising(Linear):
        def logits(self, inputs):
            sure = np.array([row.tobytes() in known for row in inputs], dtype=np.float32)
            return super().logits(inputs) * (1 + 9 * sure[:, None])

    def auc(classifier):
        inside, outside = (
            select.log_odds(classifier.logits(side.inputs)) for side in (members, others)
        )
        above = (inside[:, None] > outside).mean() + (inside[:, None] == outside).mean() / 2
        return float(above)

    bare = Memorising()
    assert auc(bare) > 0.8
    for selector in ("s3", "s1", "s2"):
        found = diffence(bare, calibration(), Shaken(), selector=selector)
        assert abs(auc(found) - 0.5) < 4 * (1 / (6 * 300)) ** 0.5
