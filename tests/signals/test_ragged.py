"""Arithmetic on ragged rows: by hand, and against loops over lists."""

from math import floor

import numpy as np
import pytest

from nonmember.signals.ragged import (
    among_lowest,
    clipped,
    lowest,
    mean,
    of_copies,
    ratio,
    together,
    windows_of,
)

NAN = np.nan


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module", params=[np.float32, np.float64], ids=["float32", "float64"])
def ragged(request):
    """Rows of 0 to 30 values, a few missing in their midst."""
    rng = np.random.default_rng(5)
    lengths = np.r_[0, 1, 2, rng.integers(3, 31, 37)]
    missing = (np.arange(30) >= lengths[:, None]) | (rng.random((40, 30)) < 0.1)
    return np.where(missing, NAN, rng.normal(size=(40, 30))).astype(request.param)


def lists(values):
    return [[float(x) for x in row if not np.isnan(x)] for row in values]


def test_clipped_is_float64_and_keeps_what_is_not_scored():
    found = clipped(np.array([[-np.inf, -2e4, -1.5, 0.0, NAN]], dtype=np.float32))
    assert found.dtype == np.float64
    same(found, [[-1e4, -1e4, -1.5, 0, NAN]])


def test_mean_is_over_what_is_there():
    same(mean(np.array([[1.0, 2.0, NAN], [NAN, 5.0, NAN], [NAN] * 3])), [1.5, 5, NAN])


def test_mean_adds_float32_in_float64():
    values = np.full((1, 100_000), 0.1, dtype=np.float32)
    same(mean(values), [float(np.float32(0.1))])


def test_lowest_by_hand():
    values = np.array([[3.0, 1.0, 2.0, 4.0], [NAN, 7.0, NAN, 6.0], [NAN] * 4])
    same(lowest(values, 0.5), [1.5, 6, NAN])
    same(lowest(values, 0.1), [1, 6, NAN])
    same(lowest(values, 1.0), mean(values))


def test_among_lowest_by_hand():
    values = np.array([[3.0, 1.0, 2.0, 4.0], [NAN, 7.0, NAN, 6.0], [2.0, 2.0, 2.0, 1.0], [NAN] * 4])
    no = [False] * 4
    assert among_lowest(values, 0.25).tolist() == [
        [False, True, False, False],
        [False, False, False, True],
        [False, False, False, True],
        no,
    ]
    tied = among_lowest(values, 0.5).tolist()
    assert tied == [[False, True, True, False], [False, False, False, True], [True] * 4, no]


def test_among_lowest_of_nothing_is_nothing():
    assert among_lowest(np.zeros((2, 0)), 0.5).shape == (2, 0)


def test_together_leaves_what_every_array_has():
    one, other = together(np.array([[-np.inf, -1.0, NAN]]), np.array([[-1.0, NAN, -1.0]]))
    same(one, [[-1e4, NAN, NAN]])
    same(other, [[-1, NAN, NAN]])


def test_ratio_is_one_of_equals_and_finite():
    found = ratio(np.array([0.0, 3.0, 1.0, NAN]), np.array([0.0, 3.0, 0.0, 1.0]))
    assert found[:2].tolist() == [1, 1]
    np.testing.assert_allclose(found[2:], [1e10, NAN], rtol=1e-9)


def test_of_copies_clips_each_copy_and_leaves_the_missing_out():
    copies = np.array([[[-1.0, -3.0], [NAN, NAN], [-np.inf, 0.0]]])
    same(of_copies(mean, copies), [[-2, NAN, -5000]])
    assert of_copies(mean, copies[:, :0]).shape == (1, 0)


def test_windows_by_hand():
    values = np.array([[1.0, 2.0, 4.0, 8.0], [1.0, NAN, 2.0, NAN], [NAN] * 4])
    sums, used = windows_of(values, 3)
    same(sums, [[7, 14, NAN, NAN], [3, NAN, NAN, NAN], [NAN] * 4])
    assert used.tolist() == [3, 2, 1]


def test_mean_equals_the_loop(ragged):
    same(mean(ragged), [sum(row) / len(row) if row else NAN for row in lists(ragged)])


@pytest.mark.parametrize("k", [0.01, 0.2, 0.5, 0.7, 1.0])
def test_lowest_equals_the_loop(ragged, k):
    kept = [sorted(row)[: max(1, floor(k * len(row) + 1e-9))] for row in lists(ragged)]
    same(lowest(ragged, k), [sum(row) / len(row) if row else NAN for row in kept])


@pytest.mark.parametrize("width", [1, 2, 7, 30, 99])
def test_windows_equal_the_loop(ragged, width):
    sums, used = windows_of(ragged, width)
    for found, size, row in zip(sums, used, lists(ragged), strict=True):
        assert size == min(width, max(1, len(row)))
        expected = [sum(row[i : i + size]) for i in range(len(row) - size + 1)]
        same(found, [*expected, *[NAN] * (len(found) - len(expected))])


@pytest.mark.parametrize(
    "function",
    [
        clipped,
        mean,
        lambda v: together(v, v),
        lambda v: lowest(v, 0.5),
        lambda v: among_lowest(v, 0.5),
        lambda v: windows_of(v, 2),
        lambda v: of_copies(mean, v[None]),
    ],
    ids=["clipped", "mean", "together", "lowest", "among_lowest", "windows_of", "of_copies"],
)
def test_inputs_are_left_alone(function):
    values = np.array([[3.0, -2e4, NAN, 1.0]])
    before = values.copy()
    function(values)
    np.testing.assert_array_equal(values, before)
