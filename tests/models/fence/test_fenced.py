"""What a fence answers, by itself: labels, fall-backs, and the same answer to the same question."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from models.diffusion.small import gaussian
from models.fence.worlds_fence import CLASSES, SECRET, Linear, Shaken, calibration, examples

from nonmember.errors import ModelError
from nonmember.models.diffusion import Regeneration, fresh
from nonmember.models.fence import select
from nonmember.models.fence.fenced import Fence, Fenced, span_of
from nonmember.models.fence.keyed import Span, draws, name, ranging, steps
from nonmember.signals.copies_kept import remembered
from nonmember.signals.store import Store

PRESERVING = ("s1", "s2", "s3")
EVERY = (*PRESERVING, "mean", "majority")
INPUTS = examples(120).inputs


def donors(each=(25, 25, 25, 5)):
    """Logits by label, whose log odds are 1, 2, 3 and so on in turn."""
    labels = np.repeat(np.arange(CLASSES), each)
    found = np.zeros((len(labels), CLASSES), dtype=np.float32)
    found[np.arange(len(labels)), labels] = np.arange(len(labels)) % 5 + 1 + np.log(CLASSES - 1)
    return found


def fence(selector="s3", fallback="donor", low=0.5, high=1.5):
    return Fence(selector, fallback, low, high, donors(), 2.5)


def fenced(selector="s3", count=5, classifier=None, **changes):
    made = fence(selector, **changes)
    return Fenced(classifier or Linear(), Shaken(count), made, SECRET)


@dataclass(frozen=True)
class Tied:
    """Gives every input several equal logits, and none of them the first place."""

    classes: int = CLASSES

    def logits(self, inputs):
        low = (inputs.reshape(len(inputs), -1).sum(axis=1) > 0).astype(np.float32)
        return np.stack([low * 0, low, low, low * 0], axis=1)


@pytest.mark.parametrize("classifier", [Linear(), Tied(), Linear(scale=1e-5)])
@pytest.mark.parametrize("selector", PRESERVING)
@pytest.mark.parametrize("count", [1, 5])
def test_the_label_is_the_classifiers_own(selector, count, classifier):
    made = fenced(selector, count, classifier)
    own = classifier.logits(INPUTS).argmax(axis=1)
    np.testing.assert_array_equal(made.logits(INPUTS).argmax(axis=1), own)
    for place in range(20):
        assert made.logits(INPUTS[place : place + 1]).argmax() == own[place]
    assert made.label_preserving and made.classes == CLASSES


@pytest.mark.parametrize("selector", ["mean", "majority"])
def test_all_copies_together_change_labels_and_say_so(selector):
    made = fenced(selector)
    assert not made.label_preserving
    found = made.answer(INPUTS)
    assert (found.logits.argmax(axis=1) != Linear().logits(INPUTS).argmax(axis=1)).any()
    assert not found.fell_back.any()


@pytest.mark.parametrize("selector", EVERY)
def test_the_same_question_has_the_same_answer_alone_in_a_batch_and_in_any_order(selector):
    made = fenced(selector, count=2)
    together = made.logits(INPUTS)
    order = np.random.default_rng(0).permutation(len(INPUTS))
    np.testing.assert_array_equal(made.logits(INPUTS[order]), together[order])
    alone = np.concatenate([made.logits(one[None]) for one in INPUTS])
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("selector", EVERY)
def test_blocks_change_nothing(selector, monkeypatch):
    whole = fenced(selector).answer(INPUTS)
    monkeypatch.setattr("nonmember.models.fence.fenced.ROWS", 7)
    for one, other in zip(fenced(selector).answer(INPUTS), whole, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("selector", EVERY)
def test_no_inputs_have_no_answers(selector):
    found = fenced(selector).answer(INPUTS[:0])
    assert [len(part) for part in found] == [0] * 4 and found.logits.shape == (0, CLASSES)


def test_the_answer_is_a_copys_and_tells_how_it_was_found():
    made = fenced("s1")
    found = made.answer(INPUTS)
    own, copies = Linear().logits(INPUTS).argmax(axis=1), Shaken()(INPUTS)
    answers = Linear().logits(copies.reshape(-1, 6)).reshape(*copies.shape[:2], CLASSES)
    np.testing.assert_array_equal(found.kept, answers.argmax(axis=2) == own[:, None])
    np.testing.assert_array_equal(found.fell_back, ~found.kept.any(axis=1))
    odds = select.log_odds(found.logits)
    np.testing.assert_array_equal(found.inside, ~found.fell_back & (odds >= 0.5) & (odds <= 1.5))
    for row in np.flatnonzero(~found.fell_back):
        assert any(np.array_equal(found.logits[row], one) for one in answers[row][found.kept[row]])


def lost(**changes):
    """Those of many inputs with a single copy that fell back."""
    many = examples(600, seed=5).inputs
    made = fenced("s3", 1, **changes)
    found = made.answer(many)
    assert 0.1 < found.fell_back.mean() < 0.8
    labels = Linear().logits(many).argmax(axis=1)
    return many[found.fell_back], found.logits[found.fell_back], labels[found.fell_back]


def test_a_fall_back_is_a_donor_of_the_label_or_flat_where_there_are_few():
    _inputs, answers, labels = lost()
    known = {row.tobytes() for row in select.rounded(donors(), donors().argmax(axis=1))}
    few = labels == CLASSES - 1
    assert all(row.tobytes() in known for row in answers[~few])
    assert few.any() and not any(row.tobytes() in known for row in answers[few])
    np.testing.assert_allclose(select.log_odds(answers[few]), 2.5, atol=1e-3)
    assert len(np.unique(answers[labels == 0], axis=0)) > 1
    np.testing.assert_array_equal(answers.argmax(axis=1), labels)


def test_a_flat_fall_back_tells_the_label_alone():
    _inputs, answers, labels = lost(fallback="flat")
    for label in range(CLASSES):
        (row,) = np.unique(answers[labels == label], axis=0)
        assert row.argmax() == label and (np.delete(row, label) == 0).all()
        np.testing.assert_allclose(select.log_odds(row[None]), 2.5, atol=1e-3)


def test_a_fall_back_is_never_what_the_classifier_says():
    inputs, answers, _ = lost()
    own = select.rounded(Linear().logits(inputs), Linear().logits(inputs).argmax(axis=1))
    assert (answers != own).any(axis=1).all()


@dataclass(frozen=True)
class Faithful:
    """Copies that are the input itself but for the last ``others``."""

    others: int = 0
    digest: str = "faithful"

    def __call__(self, inputs):
        same = np.repeat(inputs[:, None], 3, axis=1)
        turned = np.roll(inputs, 1, axis=1)[:, None].repeat(self.others, axis=1)
        return np.concatenate([same, turned], axis=1)


def integers(dtype, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2 if dtype is bool else 9, (count, 6)).astype(dtype)


def as_float(logits):
    return select.rounded(logits, logits.argmax(axis=1))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("selector", EVERY)
@pytest.mark.parametrize("fallback", ["donor", "flat"])
def test_a_copy_that_is_its_input_is_never_answered_with(selector, fallback, dtype):
    asked = integers(dtype, 200)
    own = Linear().logits(asked)
    made = Fenced(Linear(), Faithful(), fence(selector, fallback), SECRET)
    found = made.answer(asked)
    assert found.fell_back.all() and not found.kept.any() and not found.inside.any()
    np.testing.assert_array_equal(found.logits.argmax(axis=1), own.argmax(axis=1))
    bare = as_float(own) - as_float(own).min(axis=1, keepdims=True)
    said = found.logits - found.logits.min(axis=1, keepdims=True)
    assert np.isfinite(said).all() and (np.abs(said - bare) > 0.01).any(axis=1).all()


@pytest.mark.parametrize("selector", EVERY)
def test_copies_beside_those_that_are_their_input_alone_count(selector):
    asked = integers(np.uint8, 200)
    asked = asked[(asked != np.roll(asked, 1, axis=1)).any(axis=1)]
    both = Fenced(Linear(), Faithful(2), fence(selector), SECRET).answer(asked)

    class Turned(Faithful):
        def __call__(self, inputs):
            return super().__call__(inputs)[:, 3:]

    alone = Fenced(Linear(), Turned(2), fence(selector), SECRET).answer(asked)
    np.testing.assert_array_equal(both.logits, alone.logits)
    np.testing.assert_array_equal(both.kept[:, 3:], alone.kept)
    assert not both.kept[:, :3].any() and alone.kept.any()


@dataclass(frozen=True)
class Coded:
    """Copies of inputs from 0 to 1 that their codes decide, and that tell their range."""

    copies: Shaken
    low: float = 0.0
    high: float = 1.0
    digest: str = "coded"

    def __call__(self, inputs):
        return self.copies(np.rint(inputs * 255).astype(inputs.dtype))


@pytest.mark.parametrize("selector", EVERY)
def test_an_input_that_is_moved_by_less_than_a_step_has_one_answer(selector):
    one = (np.random.default_rng(0).integers(0, 256, (1, 6)) / 255).astype(np.float32)
    many = one.repeat(40, axis=0)
    many[:, 2] += np.linspace(-0.0019, 0.0019, 40, dtype=np.float32)  # of 1/255 less than half
    assert len(np.unique(Linear().logits(many).argmax(axis=1))) == 1
    made = Fenced(Linear(), Coded(Shaken(30)), fence(selector), SECRET)
    found = made.answer(many)
    assert found.kept.sum(axis=1).min() > 3 and len(np.unique(found.logits, axis=0)) == 1
    moved = one + np.arange(30, dtype=np.float32)[:, None] * np.float32(1 / 255)
    assert len(np.unique(draws(SECRET, "copy", moved, Span(0, 1)))) == 30


def test_the_range_is_that_of_the_diffusion_model(tmp_path):
    made = fresh(gaussian((6,), low=-1.0, high=3.0), Regeneration(n=2), SECRET)
    assert span_of(made) == (-1.0, 3.0)
    assert span_of(remembered(made, Store(tmp_path), low=-1.0, high=3.0)) == (-1.0, 3.0)
    assert span_of(Shaken()) is None


def test_copies_of_the_same_codes_are_the_input_itself():
    asked = np.random.default_rng(0).uniform(0.1, 0.9, (50, 6)).astype(np.float32)

    class Rounded(Coded):
        def __call__(self, inputs):
            return (np.rint(inputs * 255) / 255).astype(inputs.dtype)[:, None]

    assert (Rounded(Shaken())(asked)[:, 0] != asked).any(axis=1).all()
    assert Fenced(Linear(), Rounded(Shaken()), fence(), SECRET).answer(asked).fell_back.all()


def test_steps_by_hand():
    given = np.array([[0.0, 7.0], [100.0, 7.4], [-100.4, np.nan]])
    span = Span(np.array([0.0, 7.0]), np.array([255.0, 7.0]))
    np.testing.assert_array_equal(steps(given, span), [[0, 0], [100, 102], [-100, np.nan]])
    whole = ranging([given[:2], given[:1]])
    assert (whole.low.tolist(), whole.high.tolist()) == ([0, 7], [100, 7.4])
    assert ranging([given[:2, None], given[:1, None]]) == (0, 100)


def test_donors_are_drawn_evenly():
    labels = np.zeros(5000, dtype=np.int64)
    found = fence().instead(labels, np.random.default_rng(0).random(5000))
    counts = np.unique(found[:, 0], return_counts=True)[1]
    assert len(counts) == 5 and (abs(counts - 1000) < 5 * 800**0.5).all()
    ends = fence().instead(labels[:2], np.array([0.0, 1 - 2.0**-53]))
    np.testing.assert_array_equal(ends.argmax(axis=1), [0, 0])


def test_two_fences_stand_side_by_side():
    one, other = fenced("s3"), replace(fenced("s3"), secret=bytes(32))
    before = one.logits(INPUTS)
    assert (other.logits(INPUTS) != before).any()
    np.testing.assert_array_equal(one.logits(INPUTS), before)


def test_draws_depend_on_secret_purpose_and_input_alone():
    found = draws(SECRET, "copy", INPUTS, None)
    assert len(np.unique(found)) == len(found) and (found >= 0).all() and (found < 1).all()
    np.testing.assert_array_equal(draws(SECRET, "copy", INPUTS.astype(np.float64), None), found)
    np.testing.assert_array_equal(draws(SECRET, "copy", INPUTS[::-1], None)[::-1], found)
    np.testing.assert_array_equal(draws(SECRET, "copy", np.asfortranarray(INPUTS), None), found)
    zeros = np.zeros((1, 3))
    assert draws(SECRET, "copy", zeros, None) == draws(SECRET, "copy", -zeros, None)
    others = (draws(bytes(32), "copy", INPUTS, None), draws(SECRET, "donor", INPUTS, None))
    for one, two in pairwise((found, *others)):
        assert (one != two).all()
    assert name(SECRET) != name(bytes(32)) and SECRET.hex() not in name(SECRET)


def test_the_secret_is_not_shown():
    assert repr(SECRET) not in repr(fenced()) and "secret" not in repr(fenced())
    assert repr(SECRET) not in repr(calibration())


def test_draws_are_uniform():
    found = draws(SECRET, "copy", examples(4000, seed=9).inputs, None)
    counts = np.histogram(found, bins=10, range=(0, 1))[0]
    assert (abs(counts - 400) < 5 * 360**0.5).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found[:, :0], "no copies to choose from"),
        (lambda found: found[:, 0], r"copies in shape \(120, 6\) of inputs"),
        (lambda found: found[1:], "copies in shape"),
        (lambda found: found * np.float32(np.nan), "a copy holds a number that is not finite"),
    ],
)
def test_copies_of_no_use_are_refused(change, said):
    class Broken:
        digest = "broken"

        def __call__(self, inputs):
            return change(Shaken()(inputs))

    made = Fenced(Linear(), Broken(), fence(), SECRET)
    with pytest.raises(ModelError, match=f"^fence: .*{said}"):
        made.logits(INPUTS)


def test_answers_that_are_not_finite_are_refused():
    class Broken:
        classes = CLASSES

        def logits(self, inputs):
            return np.full((len(inputs), CLASSES), np.inf, dtype=np.float32)

    with pytest.raises(ModelError, match=r"^fence: the classifier's answer to the inputs is not"):
        fenced(classifier=Broken()).logits(INPUTS)


def test_texts_are_refused():
    with pytest.raises(ModelError, match=r"^fence: is given texts, which are not regenerated"):
        fenced().logits(["one", "two"])
