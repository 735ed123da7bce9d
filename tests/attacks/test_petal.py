"""PETAL: by hand, against a loop, and what it does where the line cannot be drawn."""

from math import isnan, log, nan

import numpy as np
import pytest

from nonmember.attacks.language.petal import petal
from nonmember.evaluation.roc import auc


def naive(target, surrogate, logprobs, epsilon=1e-3):
    """One text from lists of numbers."""
    rows = [
        (log(max(a, epsilon)), log(max(b, epsilon)), max(x, -1e4))
        for a, b, x in zip(target, surrogate, logprobs, strict=True)
        if not any(map(isnan, (a, b, x)))
    ]
    if not rows:
        return nan
    q, known, lp = (np.array(column) for column in zip(*rows, strict=True))
    slope, level = 0.0, lp.mean()
    if len(set(known.tolist())) > 1 and np.polyfit(known, lp, 1)[0] > 0:
        slope, level = np.polyfit(known, lp, 1)
    return np.mean(slope * q + level)


def world(seed, *, gap=0.0, n=300, t=60):
    """Alike tokens are likely ones; a target prefers the true token more often for members."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    near = rng.uniform(0.01, 1.0, (n, t))
    logprobs = 1.5 * np.log(near) - 0.5 + 0.4 * rng.normal(size=(n, t))
    hits = rng.random((n, t)) < gap * member[:, None]
    target = np.where(hits, 1.0, rng.uniform(0.01, 1.0, (n, t)))
    past = np.arange(t) >= rng.integers(20, t + 1, n)[:, None]
    return *(np.where(past, nan, one) for one in (target, near, np.minimum(logprobs, 0))), member


def test_two_tokens_by_hand():
    """The line through (log .1, -3) and (log 1, -1), read at log 1 twice."""
    found = petal(np.array([[1.0, 1.0]]), np.array([[0.1, 1.0]]), np.array([[-3.0, -1.0]]))
    assert found[0] == pytest.approx(-1.0, abs=1e-12)
    found = petal(np.array([[0.1, 0.1]]), np.array([[0.1, 1.0]]), np.array([[-3.0, -1.0]]))
    assert found[0] == pytest.approx(-3.0, abs=1e-12)


@pytest.mark.parametrize("epsilon", [1e-3, 0.2])
def test_it_equals_the_loop(epsilon):
    target, near, logprobs, _ = world(0, n=60)
    rng = np.random.default_rng(1)
    near[:5], logprobs[5:10] = np.where(np.isnan(near[:5]), nan, 0.4), -logprobs[5:10] - 9
    logprobs[rng.random(logprobs.shape) < 0.02] = -np.inf
    target[rng.random(target.shape) < 0.05] = -0.2
    target[10], near[11], logprobs[12] = nan, nan, nan
    lists = (one.tolist() for one in (target, near, logprobs))
    expected = [naive(*row, epsilon) for row in zip(*lists, strict=True)]
    found = petal(target, near, logprobs, epsilon=epsilon)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(found).sum() == 3


@pytest.mark.parametrize("near", [[0.5, 0.5, 0.5], [0.9, 0.5, 0.1]], ids=["all equal", "falling"])
def test_where_no_rising_line_can_be_drawn_the_labels_say_nothing(near):
    logprobs = np.array([[-4.0, -2.0, -0.6]])
    for target in ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0]):
        found = petal(np.array([target]), np.array([near]), logprobs)
        assert found[0] == pytest.approx(-2.2, abs=1e-12)


def test_one_token_is_scored_as_the_surrogate_does():
    assert petal(np.array([[1.0]]), np.array([[0.3]]), np.array([[-2.0]]))[0] == -2.0


def test_a_text_scores_alone_as_among_others():
    *given, _ = world(2)
    alone = petal(*(one[[17]] for one in given))
    np.testing.assert_allclose(alone, petal(*given)[[17]], rtol=1e-12)


def test_a_target_that_prefers_true_tokens_more_often_is_told():
    *given, member = world(3, gap=0.3)
    assert auc(petal(*given), member).value > 0.8
    *given, member = world(4, n=2000)
    four_errors = 4 * np.sqrt(2001 / (12 * 1000 * 1000))
    assert auc(petal(*given), member).value == pytest.approx(0.5, abs=four_errors)


def test_a_target_that_is_its_surrogate_gives_the_surrogate_s_own_mean():
    _, near, logprobs, _ = world(5)
    np.testing.assert_allclose(petal(near, near, logprobs), np.nanmean(logprobs, axis=1))


def test_an_impossible_similarity_is_no_outlier():
    """With the release's floor of 1e-16 one unlike token weighs as much as all the others."""
    target = np.full((1, 50), 0.9)
    target[0, 0] = -0.1
    rng = np.random.default_rng(0)
    near = rng.uniform(0.01, 1.0, (1, 50))
    logprobs = np.log(near)
    ours, release = (petal(target, near, logprobs, epsilon=e)[0] for e in (1e-3, 1e-16))
    assert ours == pytest.approx((49 * log(0.9) + log(1e-3)) / 50, abs=1e-9)
    assert release < ours - 0.5
