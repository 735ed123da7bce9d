"""HopSkipJump: against boundaries whose distance is known, its budget, and what it looks at."""

import numpy as np
import pytest
from signals.classifiers import Linear, images, linear

from nonmember.data import examples
from nonmember.errors import SpecError
from nonmember.signals.boundary import hop_skip_jump

WIDTH = 20


def halves(width=WIDTH, seed=0):
    """A classifier whose boundary is a plane through the middle of the unit cube."""
    normal = np.random.default_rng(seed).normal(size=width)
    zeros = np.zeros(width)
    return Linear(np.stack([zeros, normal], axis=1), np.array([0.0, -normal.sum() / 2])), normal


def inside(model, n=16, width=WIDTH, seed=1):
    """Inputs so near the middle that the nearest point of the plane is in the cube."""
    inputs = np.random.default_rng(seed).uniform(0.35, 0.65, size=(n, width))
    return examples.of(inputs, model.logits(inputs).argmax(axis=1))


def distances(normal, inputs, norm):
    length = np.linalg.norm(normal) if norm == "l2" else np.abs(normal).sum()
    return np.abs((inputs - 0.5) @ normal) / length


def search(model, given, **options):
    found = hop_skip_jump(model, given, **{"low": 0.0, "high": 1.0, **options})
    return found["boundary_distance"], found["boundary_queries"]


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_known_distance_is_found_within_some_per_cent(norm):
    model, normal = halves()
    given = inside(model)
    found, _ = search(model, given, norm=norm)
    ratio = found / distances(normal, given.inputs, norm)
    assert ratio.min() > 1 - 1e-4  # never nearer than the boundary is
    assert ratio.max() < 1.06


def test_an_input_in_the_plane_of_two_numbers_by_hand():
    """Class 1 where the first number is above 0.5; from 0.2 that is 0.3 away."""
    model = Linear(np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([0.0, -0.5]))
    found, _ = search(model, examples.of(np.array([[0.2, 0.7], [0.9, 0.1]]), [0, 1]))
    np.testing.assert_allclose(found, [0.3, 0.4], rtol=2e-3)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_larger_budget_never_finds_a_longer_distance(norm):
    model, _ = halves()
    given = inside(model)
    budgets = (2, 30, 101, 105, 112, 215, 240, 500, 1000, 2500)
    found = np.array([search(model, given, norm=norm, budget=budget)[0] for budget in budgets])
    found = np.where(np.isnan(found), np.inf, found)
    assert (found[1:] <= found[:-1]).all()
    assert (found[-1] < 0.5 * found[2]).all()


@pytest.mark.parametrize("budget", [1, 2, 101, 102, 110, 200, 215, 1000])
def test_queries_are_counted_as_the_model_is_asked(budget):
    model, _ = halves()
    given = inside(model)
    for place in range(3):
        model.calls.clear()
        _, used = search(model, given.take(np.array([place])), budget=budget)
        assert used.tolist() == [model.asked] and model.asked <= budget


def test_starts_are_asked_once_for_all():
    model, _ = halves()
    given = inside(model)
    model.calls.clear()
    _, used = search(model, given, budget=500)
    assert used.sum() - 100 * (len(given) - 1) == model.asked


def test_wrong_at_once_is_at_distance_0_for_one_query():
    model, _ = halves()
    given = inside(model)
    wrong = examples.of(given.inputs, 1 - given.labels)
    found, used = search(model, wrong)
    assert not found.any() and (used == 1).all()


def test_the_budget_bounds_every_input():
    given = images(20)
    found, used = search(linear(36), given, budget=700)
    wrong = linear(36).logits(given.inputs).argmax(axis=1) != given.labels
    assert 0 < wrong.sum() < 20
    np.testing.assert_array_equal(found == 0, wrong)
    assert (used[wrong] == 1).all() and (used <= 700).all() and (used[~wrong] > 550).all()


def test_only_the_likeliest_class_is_looked_at():
    class Labels(Linear):
        def logits(self, inputs):
            return np.eye(2, dtype=np.float32)[super().logits(inputs).argmax(axis=1)]

    model, _ = halves()
    given = inside(model)
    hard = Labels(model.weights, model.bias)
    np.testing.assert_array_equal(search(hard, given, budget=600), search(model, given, budget=600))


def test_what_is_put_stays_in_the_range():
    model, _ = halves()
    given = inside(model)
    model.calls.clear()
    search(model, given, low=-0.5, high=1.5, budget=400)
    assert min(call.min() for call in model.calls) == pytest.approx(-0.5, abs=0.05)
    assert max(call.max() for call in model.calls) == pytest.approx(1.5, abs=0.05)
    assert all(call.min() >= -0.5 and call.max() <= 1.5 for call in model.calls)


def test_distances_are_in_sides_of_the_range():
    model, _ = halves()
    given = inside(model)
    wide = Linear(model.weights / 255, model.bias)
    found, _ = search(model, given, budget=600)
    same = search(wide, examples.of(given.inputs * 255, given.labels), budget=600, high=255.0)
    np.testing.assert_allclose(same[0], found, rtol=0.05)


def test_by_default_the_range_is_the_examples_own():
    model, _ = halves()
    given = inside(model)
    images_of = examples.of(given.inputs.reshape(-1, 4, 5), given.labels)
    ends = {"low": float(given.inputs.min()), "high": float(given.inputs.max())}
    default = hop_skip_jump(model, images_of, budget=400)["boundary_distance"]
    np.testing.assert_array_equal(default, search(model, images_of, budget=400, **ends)[0])


def test_columns_of_a_table_have_ranges_of_their_own():
    """A thousandfold column is as easily moved as its neighbour; a constant one stays."""
    model, _ = halves()
    given = inside(model)
    scale = np.where(np.arange(WIDTH) % 2, 1000.0, 1.0)
    model.weights[3] = 0
    table = given.inputs * scale
    table[:, 3] = 7.0
    wide = Linear(model.weights / scale[:, None], model.bias)
    given = examples.of(given.inputs, model.logits(given.inputs).argmax(axis=1))
    plain = hop_skip_jump(model, given, budget=800)["boundary_distance"]
    found = hop_skip_jump(wide, examples.of(table, given.labels), budget=800)["boundary_distance"]
    np.testing.assert_allclose(np.median(found), np.median(plain), rtol=0.2)
    assert {number for call in wide.calls for number in call[:, 3].tolist()} == {7.0}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_numbers_are_put_as_whole_numbers(dtype):
    model, normal = halves()
    pixels = np.rint(inside(model).inputs * 255).astype(dtype)
    wide = Linear(model.weights / 255, model.bias)
    given = examples.of(pixels, wide.logits(pixels).argmax(axis=1))
    found, _ = search(wide, given, high=255.0)
    assert {call.dtype for call in wide.calls} == {np.dtype(dtype)}
    ratio = found / distances(normal, pixels / 255, "l2")
    assert ratio.min() > 0.99 and np.median(ratio) < 1.3


def test_bits_stay_bits():
    model, _ = halves()
    bits = np.random.default_rng(0).random((6, WIDTH)) < 0.5
    given = examples.of(bits, model.logits(bits).argmax(axis=1))
    found = hop_skip_jump(model, given, budget=400)["boundary_distance"]
    np.testing.assert_allclose(found**2, np.rint(found**2), atol=1e-5)  # so many bits turned
    assert (found >= 1).all()


def test_a_class_that_all_noise_has_is_left_by_other_starts():
    """Class 1 only where all is bright: no uniform input, but one of two values."""
    model = Linear(np.stack([np.zeros(200), np.ones(200)], axis=1), np.array([0.0, -180.0]))
    found, used = search(model, examples.of(np.full((2, 200), 0.5), [0, 0]), budget=400)
    assert (found > 0).all() and (used > 201).all()


def test_without_any_start_there_is_no_distance():
    model = Linear(np.zeros((WIDTH, 2)), np.array([1.0, 0.0]))
    found, used = search(model, examples.of(np.full((2, WIDTH), 0.5), [0, 1]))
    assert np.isnan(found[0]) and found[1] == 0
    assert used.tolist() == [201, 1]


def test_it_is_seeded():
    model, _ = halves()
    given = inside(model)
    one, same, other = (search(model, given, budget=400, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (["a text"], {}, "texts have no distance to a boundary"),
        (np.full((2, 4), 2.0), {"high": 1.0}, "inputs from 2 to 2 are not between"),
        (np.full((2, 4), 0.5), {"low": 0.6}, "set low and high so that all inputs are"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_model_is_asked(inputs, options, says):
    model = linear(4)
    with pytest.raises(SpecError, match=says):
        hop_skip_jump(model, examples.of(inputs, [0] * len(inputs)), **options)
    assert not model.calls
