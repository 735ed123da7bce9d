"""A defense is no worse only where the interval says so; and the interval covers."""

import numpy as np
import pytest

from nonmember.errors import SpecError
from nonmember.evaluation.inferiority import accuracy_change, no_worse
from nonmember.evaluation.intervals import Interval


def answers(right: np.ndarray) -> np.ndarray:
    return np.stack([right, ~right], axis=1).astype(float)


def pair(seed: int, n: int, lost: float, gained: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether two models are right: one share of all records is lost, another gained."""
    fate = np.random.default_rng(seed).random(n)
    first = (fate < lost) | (fate > 0.4)
    return first, (first & (fate >= lost)) | ((fate >= lost) & (fate < lost + gained))


def change(seed: int, n: int, lost: float, gained: float) -> Interval:
    first, second = pair(seed, n, lost, gained)
    return accuracy_change(answers(first), answers(second), np.zeros(n, int), np.arange(n))


def test_the_change_by_hand():
    first, second = np.arange(10) < 7, (np.arange(10) < 6) | (np.arange(10) > 7)
    found = accuracy_change(answers(first), answers(second), np.zeros(10, int), np.arange(10))
    assert found.value == pytest.approx((2 - 1) / 10)
    assert found.low < 0 < found.high


def test_models_that_answer_alike_are_not_known_to_be_equal():
    right = np.arange(100) < 90
    found = accuracy_change(answers(right), answers(right), np.zeros(100, int), np.arange(100))
    rule = 1 - 0.025 ** (1 / 100)
    assert (found.low, found.high) == pytest.approx((-rule, rule))
    assert no_worse(found, 0.01).startswith("Not shown")
    assert no_worse(found, 0.05).startswith("No more than 5 points worse: change +0.0 points")


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.0), (0.05, 0.05), (0.01, 0.002)])
def test_the_interval_covers_and_hardly_ever_calls_a_worse_model_no_worse(lost, gained, n):
    """93 % and 2.5 %, either with two standard errors of 400 simulations."""
    times, margin = 400, lost - gained
    found = [change(seed, n, lost, gained) for seed in range(times)]
    covered = np.mean([not one.excludes(gained - lost) for one in found])
    assert covered >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / times)
    if margin:
        called = np.mean([no_worse(one, margin).startswith("No more") for one in found])
        assert called <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / times)


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0, np.nan])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(SpecError, match="margin"):
        no_worse(Interval(-0.1, 0.0, 0.1, 0.95), margin)
