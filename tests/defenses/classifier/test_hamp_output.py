"""HAMP's part at test time: by hand, and that nothing of the input but the order is told."""

import numpy as np
import pytest
from signals.classifiers import Linear, images, linear

from nonmember.data import examples
from nonmember.defenses.classifier.hamp_output import exchanged, hamp_output, random_inputs
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.fence.calibration import Calibration

SECRET = b"s" * 32


def calibration(inputs, secret=SECRET):
    some = examples.of(inputs, np.zeros(len(inputs), dtype=int))
    return Calibration(some, some, some.take(np.arange(0)), secret)


def test_exchange_by_hand():
    own = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 7.0]], dtype=np.float32)
    other = np.array([[9.0, -1.0, 4.0], [0.5, 2.5, 1.5]], dtype=np.float32)
    np.testing.assert_array_equal(exchanged(own, other), [[-1, 9, 4], [1.5, 0.5, 2.5]])


def test_ties_of_the_other_answer_do_not_cost_the_label():
    own = np.array([[1.0, 2.0, 3.0, 0.0]], dtype=np.float32)
    found = exchanged(own, np.array([[4.0, 4.0, 4.0, 1.0]], dtype=np.float32))
    assert found[0].argsort().tolist() == [3, 0, 1, 2] and len({*found[0].tolist()}) == 4
    np.testing.assert_allclose(found, [[4, 4, 4, 1]], rtol=1e-6)


def test_answers_are_those_to_its_random_input_in_its_own_order():
    model, given = linear(36), images(40).inputs
    fenced = hamp_output(model, calibration(given))
    found = fenced.logits(given)
    drawn = random_inputs(given, fenced.low, fenced.high, SECRET, whole=False)
    np.testing.assert_array_equal(np.sort(found), np.sort(model.logits(drawn)))
    own = model.logits(given)
    np.testing.assert_array_equal(found.argsort(axis=1), own.argsort(axis=1))
    assert np.abs(drawn - given).max(axis=(1, 2)).min() > 0.1


def test_what_is_asked_is_asked_at_once():
    model, given = linear(36), images(40).inputs
    hamp_output(model, calibration(given)).logits(given)
    assert [len(call) for call in model.calls] == [80]


def test_random_inputs_depend_on_the_input_and_the_secret():
    given = np.stack([np.zeros(6), np.ones(6), np.zeros(6)]).astype(np.float32)
    low, high = np.array(0.0), np.array(1.0)
    found = random_inputs(given, low, high, SECRET, whole=False)
    np.testing.assert_array_equal(found[0], found[2])
    assert (found[0] != found[1]).all()
    assert (random_inputs(given, low, high, b"t" * 32, whole=False) != found).all()


def test_an_input_that_is_moved_by_less_than_a_step_keeps_its_random_one():
    given = (np.random.default_rng(0).integers(0, 256, (1, 6)) / 255).astype(np.float32)
    given[0, :2] = 0, 1
    moved = given.repeat(30, axis=0)
    moved[:, 3] += np.linspace(-0.0019, 0.0019, 30, dtype=np.float32)
    end = np.repeat([[0.0], [1.0]], 6, axis=1).astype(np.float32)
    fenced = hamp_output(linear(6), calibration(end))
    found = random_inputs(moved, fenced.low, fenced.high, SECRET, whole=False)
    assert len(np.unique(moved, axis=0)) == 30 and len(np.unique(found, axis=0)) == 1
    assert len(np.unique(np.sort(fenced.logits(moved), axis=1), axis=0)) == 1
    moved[:, 3] = np.arange(30) / 255
    found = random_inputs(moved, fenced.low, fenced.high, SECRET, whole=False)
    assert len(np.unique(found, axis=0)) == 30


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, bool])
def test_inputs_of_0_and_1_become_coins(dtype):
    given = np.random.default_rng(0).integers(0, 2, (50, 40)).astype(dtype)
    fenced = hamp_output(linear(40), calibration(given))
    drawn = random_inputs(given, fenced.low, fenced.high, SECRET, whole=fenced.whole)
    assert fenced.whole and drawn.dtype == dtype and {*np.unique(drawn).tolist()} == {0, 1}
    assert abs(drawn.mean() - 0.5) < 4 * 0.5 / np.sqrt(2000)


def test_the_range_is_that_of_each_column_and_of_all_pixels():
    table = np.array([[0.0, 100.0, 7.0], [1.0, 200.0, 7.0]], dtype=np.float32)
    fenced = hamp_output(linear(3), calibration(table))
    assert fenced.low.tolist() == [0, 100, 7] and fenced.high.tolist() == [1, 200, 7]
    many = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    drawn = random_inputs(many, fenced.low, fenced.high, SECRET, whole=False)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.5, 150, 7], rtol=0.1)
    assert drawn.min(axis=0)[1] >= 100 and drawn.max(axis=0)[1] <= 200
    pixels = np.random.default_rng(0).integers(0, 256, (9, 5, 5)).astype(np.uint8)
    images_of = hamp_output(linear(25), calibration(pixels))
    assert images_of.low == pixels.min() and images_of.high == pixels.max() and images_of.whole
    bytes_of = random_inputs(
        np.repeat(pixels, 40, axis=0), images_of.low, images_of.high, SECRET, whole=True
    )
    assert bytes_of.dtype == np.uint8 and abs(bytes_of.mean() / 127.5 - 1) < 0.3


def test_refusals():
    given = images(4).inputs
    nothing = calibration(given[:0])
    with pytest.raises(DataError, match="0 shapes"):
        hamp_output(linear(36), nothing)
    two = examples.of(given[:, :5], np.zeros(4, dtype=int))
    with pytest.raises(DataError, match="2 shapes"):
        hamp_output(linear(36), Calibration(images(), two, two, SECRET))
    texts = examples.of(["a", "b"], [0, 1])
    with pytest.raises(SpecError, match="texts"):
        hamp_output(linear(36), Calibration(texts, texts, texts, SECRET))
    fenced = hamp_output(linear(36), calibration(given))
    for other in (["a"], given[:, :5]):
        with pytest.raises(ModelError, match=r"in the shape \(6, 6\)"):
            fenced.logits(other)


def test_extreme_answers_stay_finite():
    model = Linear(np.array([[2e4, 0.0, -2e4]]), np.array([-1e4, 0.0, 1e4]))
    given = np.array([[0.0], [1.0], [0.5]], dtype=np.float32)
    found = hamp_output(model, calibration(given)).logits(given)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found.argmax(axis=1), model.logits(given).argmax(axis=1))
