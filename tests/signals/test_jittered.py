"""Copies that hardly differ: by hand, inside their range, and refused where there are none."""

import numpy as np
import pytest
from signals.classifiers import images, linear

from nonmember.data import examples
from nonmember.errors import SpecError
from nonmember.signals.jittered import jitter_logits


def copies(inputs, **options):
    """What a model is shown: (v n ...)."""
    model = linear(int(np.prod(inputs.shape[1:])))
    jitter_logits(model, examples.of(inputs, [0] * len(inputs)), **options)
    return np.array(model.calls)


def change(inputs, **options):
    """How each copy but the first differs: (v-1 n d)."""
    found = copies(inputs, **options).astype(float)
    np.testing.assert_array_equal(found[0], inputs)
    return (found[1:] - inputs).reshape(len(found) - 1, len(inputs), -1)


def test_one_number_of_each_copy_moves_by_a_quantum_at_the_same_place_of_all_inputs():
    given = np.random.default_rng(0).uniform(0.1, 0.9, (5, 4, 4))
    found = change(given, views=10, low=0.0, high=1.0)
    places = found != 0
    assert (places.sum(axis=2) == 1).all() and (places == places[:, :1]).all()
    np.testing.assert_allclose(np.abs(found).sum(axis=2), 1 / 255)
    assert len({row[0].argmax() for row in places}) == 9
    assert (found > 0).any() and (found < 0).any()


def test_each_number_moves_once_before_one_moves_by_two_quanta():
    given = np.full((1, 3), 0.5)
    found = change(given, views=10, low=0.0, high=1.0)[:, 0]
    for turn in range(3):
        moved = found[3 * turn : 3 * turn + 3]
        np.testing.assert_allclose(np.abs(moved).sum(axis=0), (turn + 1) / 255)


def test_a_quantum_is_of_the_examples_range():
    given = np.array([[-3.0, 1.0], [5.0, 2.0]])
    np.testing.assert_allclose(np.abs(change(given, views=3)).sum(axis=2), 8 / 255)


@pytest.mark.parametrize(("most", "quantum"), [(255, 1), (16, 1), (65535, 257)])
def test_whole_numbers_move_by_at_least_one_within_their_range(most, quantum):
    given = np.array([[0, most]] * 3, dtype=np.uint16)
    found = change(given, views=3)
    assert (np.abs(found).sum(axis=2) == quantum).all()
    assert (found[..., 0] >= 0).all() and (found[..., 1] <= 0).all()


def test_no_copy_leaves_the_range():
    given = images(20).inputs
    found = copies(np.round(given), views=80, low=0.0, high=1.0)
    assert found.min() >= 0 and found.max() <= 1 and found.dtype == given.dtype


def test_bits_are_turned_over():
    given = np.random.default_rng(0).random((4, 6)) < 0.5
    found = copies(given, views=7)
    assert found.dtype == bool and ((found[1:] != given).sum(axis=2) == 1).all()


def test_the_logits_are_of_each_copy_in_turn():
    given, model = images(7), linear(36)
    found = jitter_logits(model, given, views=4)["jitter_logits"]
    assert found.shape == (7, 4, 3)
    for view, copy in enumerate(list(model.calls)):
        np.testing.assert_array_equal(found[:, view], model.logits(copy))


def test_every_model_is_shown_the_same_copies_of_a_seed():
    given = images(5).inputs
    one, same, other = (copies(given, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_copies_do_not_depend_on_how_many_there_are():
    few, many = (copies(images(5).inputs, views=views) for views in (4, 50))
    np.testing.assert_array_equal(few, many[:4])


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (["a text"], {}, "no number of a text can be moved"),
        (np.ones((2, 5)), {"high": 0.5}, "from 1 to 1 are not between low=None and high=0.5"),
        (np.ones((2, 5)), {"low": 2.0}, "set low and high so that all inputs are"),
    ],
)
def test_what_cannot_be_moved_is_refused_before_the_model_is_asked(inputs, options, says):
    model = linear(5)
    with pytest.raises(SpecError, match=says):
        jitter_logits(model, examples.of(inputs, [0] * len(inputs)), **options)
    assert not model.calls
