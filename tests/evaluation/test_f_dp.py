from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import binom, norm

from nonmember.errors import DataError, SpecError
from nonmember.evaluation.f_dp import FAMILIES, gaussian_epsilon, one_run_f_dp
from nonmember.evaluation.one_run import best_of, correct_guesses, one_run


def gaussian(x: float, mu: float) -> float:
    """The trade-off curve of two normals mu apart."""
    return float(norm.cdf(norm.ppf(1 - x) - mu))


def approximate(x: float, epsilon: float, delta: float) -> float:
    steep, flat = 1 - delta - np.exp(epsilon) * x, np.exp(-epsilon) * (1 - delta - x)
    return max(0.0, steep, flat)


def refuted(correct: int, made: int, canaries: int, error: float, curve) -> bool:
    """Their algorithm in plain lists, inverting 1 - f by a search."""

    def least(y: float) -> float:
        if 1 - curve(0.0) >= y:
            return 0.0
        return brentq(lambda x: 1 - curve(x) - y, 0.0, 1.0, xtol=1e-14)

    right, wrong = [0.0] * (correct + 1), [0.0] * (correct + 1)
    right[correct] = error * correct / canaries
    wrong[correct] = error * (made - correct) / canaries
    for i in reversed(range(correct)):
        wrong[i] = max(wrong[i + 1], least(right[i + 1]))
        right[i] = right[i + 1] + i / (made - i) * (wrong[i] - wrong[i + 1])
        if right[i] + wrong[i] > made / canaries:
            return True
    return False


def fewest_above(epsilon: float, made: int, **options) -> int:
    """Correct guesses from which on the bound is above ``epsilon``."""
    correct = range(made + 1)
    return bisect_right(
        correct, epsilon, key=lambda v: one_run_f_dp(v, made, made, **options).epsilon
    )


@pytest.mark.parametrize("mu", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("delta", [1e-5, 1e-2])
def test_the_epsilon_of_a_gaussian_curve_is_where_its_hockey_stick_is_delta(mu, delta):
    epsilon = gaussian_epsilon(mu, delta)
    start = epsilon / mu + mu / 2
    excess = quad(lambda x: norm.pdf(x - mu) - np.exp(epsilon) * norm.pdf(x), start, start + 12)[0]
    assert epsilon == 0 or excess == pytest.approx(delta, rel=1e-5)


def test_a_gaussian_curve_close_to_none_has_no_epsilon():
    assert gaussian_epsilon(0.0, 1e-5) == gaussian_epsilon(1e-6, 1e-5) == 0
    assert gaussian_epsilon(1.0, 1e-5) == pytest.approx(4.3772, abs=1e-4)
    assert gaussian_epsilon(1e-6, 0.9) == gaussian_epsilon(2.0, 0.9) == 0


@pytest.mark.parametrize("parameter", [0.0, 0.4, 2.0])
def test_the_least_x_is_the_inverse_of_the_curve(parameter):
    y = np.linspace(0.02, 0.98, 25)
    mu = np.full(25, parameter)
    x = FAMILIES["gaussian"].least(y, mu, 0.0)
    assert [1 - gaussian(one, parameter) for one in x] == pytest.approx(list(y), abs=1e-9)
    x = FAMILIES["approximate"].least(y, mu, 0.05)
    reached = [1 - approximate(one, parameter, 0.05) for one in x]
    assert reached == pytest.approx(list(np.maximum(y, 0.05)), abs=1e-9)


def test_two_guesses_by_hand():
    """All of two right at error a: a, then a + g(a), and g(a + g(a)) must not exceed the rest."""
    error = 0.6

    def short(mu: float) -> float:
        g = norm.cdf(norm.ppf(error) - mu)
        return error + g + norm.cdf(norm.ppf(min(error + g, 1)) - mu) - 1

    mu = brentq(short, 0.3, 9)
    bound = one_run_f_dp(2, 2, 2, level=1 - error)
    assert bound.epsilon == pytest.approx(gaussian_epsilon(mu, 1e-5), abs=1e-5)


@pytest.mark.parametrize("counts", [(40, 40, 40), (33, 40, 40), (18, 20, 60), (20, 20, 60)])
def test_the_bound_is_the_least_private_curve_that_the_algorithm_refutes(counts):
    bound = one_run_f_dp(*counts, curve="approximate", delta=1e-3)
    assert bound.epsilon > 0.5
    for off, expected in ((-1e-4, True), (1e-4, False)):
        epsilon = bound.epsilon + off
        assert refuted(*counts, 0.05, lambda x, e=epsilon: approximate(x, e, 1e-3)) is expected
    bound = one_run_f_dp(*counts)
    mu = brentq(lambda mu: gaussian_epsilon(mu, 1e-5) - bound.epsilon, 0.01, 9)
    for off, expected in ((-1e-4, True), (1e-4, False)):
        assert refuted(*counts, 0.05, lambda x, m=mu + off: gaussian(x, m)) is expected


@pytest.mark.parametrize("curve", ["gaussian", "approximate"])
@pytest.mark.parametrize("made", [20, 200, 500])
def test_a_mechanism_that_leaks_nothing_is_bounded_at_most_as_often_as_promised(made, curve):
    """Exactly: correct guesses are then binomial, whatever the attack."""
    least = fewest_above(0.0, made, curve=curve)
    assert 0 < binom.sf(least - 1, made, 0.5) <= 0.05


@pytest.mark.parametrize("mu", [0.5, 1.5])
@pytest.mark.parametrize("made", [50, 200])
def test_a_known_curve_is_exceeded_at_most_as_often_as_promised(made, mu):
    """Exactly, where each canary has a normal score of its own and all are guessed at best."""
    truth = gaussian_epsilon(mu, 1e-5)
    least = fewest_above(truth, made)
    assert binom.sf(least - 1, made, norm.cdf(mu / 2)) <= 0.05


def test_a_known_curve_is_not_exceeded_with_abstentions():
    """The 50 surest of 500 guesses; two binomial standard errors of 200 audits."""
    truth, bounds = gaussian_epsilon(1.0, 1e-5), {}
    above = np.zeros(200, dtype=bool)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        member = rng.random(500) < 0.5
        correct = correct_guesses(rng.normal(size=500) + member, member, 50)
        if correct not in bounds:
            bounds[correct] = one_run_f_dp(correct, 50, 500).epsilon
        above[seed] = bounds[correct] > truth
    assert above.mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("counts", [(841, 1000, 1000), (99, 100, 1000), (200, 200, 400)])
def test_a_strong_gaussian_leak_is_bounded_more_tightly(counts):
    assert one_run_f_dp(*counts).epsilon > 1.3 * one_run(*counts).epsilon


def test_much_delta_costs_the_approximate_curve_less():
    assert one_run(190, 200, 1000, delta=1e-3).epsilon < 1.5
    assert one_run_f_dp(190, 200, 1000, curve="approximate", delta=1e-3).epsilon > 2.3


@pytest.mark.parametrize("curve", ["gaussian", "approximate"])
def test_more_delta_more_confidence_and_fewer_correct_bound_less(curve):
    for bounds in (
        [one_run_f_dp(90, 100, 200, curve=curve, delta=delta).epsilon for delta in (1e-5, 1e-3)],
        [one_run_f_dp(90, 100, 200, curve=curve, level=level).epsilon for level in (0.9, 0.99)],
        [one_run_f_dp(v, 100, 200, curve=curve).epsilon for v in (100, 90, 80)],
    ):
        assert all(one > next_one for one, next_one in pairwise(bounds))
    assert one_run_f_dp(50, 100, 200, curve=curve).epsilon == 0
    assert one_run_f_dp(0, 100, 200, curve=curve).epsilon == 0


def test_it_says_what_it_is():
    scores, member = np.arange(200.0), np.arange(200) >= 100
    bound = best_of(scores, member, (40,), bound=one_run_f_dp, coins=True)
    assert bound == one_run_f_dp(40, 40, 200, coins=True)
    assert (bound.valid, bound.counts["correct"]) == ("dp", 40)
    assert "if the curve is Gaussian" in str(bound)
    assert one_run_f_dp(40, 40, 200).valid == "descriptive"


def test_impossible_counts_and_options_are_refused():
    with pytest.raises(DataError, match="cannot be; give"):
        one_run_f_dp(6, 5, 10)
    with pytest.raises(SpecError, match="delta 1 "):
        one_run_f_dp(5, 5, 10, delta=1.0)
    with pytest.raises(SpecError, match="no Gaussian curve has an epsilon at delta 0"):
        one_run_f_dp(5, 5, 10, delta=0.0)
    assert one_run_f_dp(10, 10, 10, curve="approximate", delta=0.0).epsilon > 0.5
