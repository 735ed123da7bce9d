"""Attacks that compare with the base model, worked by hand, and their edges."""

import numpy as np
import pytest

from nonmember.attacks.language.compared import (
    ez_mia,
    ht_mia,
    reference_difference,
    reference_ratio,
    wbc,
)

NAN, INF = np.nan, np.inf


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_reference_difference_is_the_mean_gain_over_the_base():
    logprobs = np.array([[-1.0, -2.0, -3.0], [-4.0, NAN, NAN], [-1.0, -INF, NAN]])
    base = np.array([[-2.0, -2.0, -5.0], [-3.0, NAN, NAN], [-INF, -INF, NAN]])
    close(reference_difference(logprobs, base), [1, -1, 9999 / 2])


def test_reference_ratio_is_minus_the_loss_over_the_base_models():
    logprobs = np.array([[-1.0, -2.0], [-4.0, NAN], [NAN, NAN]])
    base = np.array([[-2.0, -4.0], [-1.0, NAN], [NAN, NAN]])
    np.testing.assert_allclose(reference_ratio(logprobs, base), [-0.5, -4, NAN], rtol=1e-9)


def test_reference_ratio_of_certain_tokens_is_finite():
    certain, not_certain = np.zeros((1, 2)), np.full((1, 2), -1.0)
    close(reference_ratio(certain, certain), [-1])
    np.testing.assert_allclose(reference_ratio(not_certain, certain), [-1e10], rtol=1e-9)


def test_ez_mia_weighs_gains_against_losses_where_the_target_errs():
    logprobs = np.array([[-1.0, -2.0, -3.0, -0.1], [-1.0, -1.0, -2.0, NAN]])
    base = np.array([[-2.0, -1.5, -4.0, -9.0], [-2.0, -3.0, -2.0, NAN]])
    hit = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, NAN]])
    close(ez_mia(logprobs, base, hit, c=0.5), np.log([2.5 / 1.0, 3.5 / 0.5]))
    close(ez_mia(logprobs, base, hit), np.log([2.000001 / 0.500001, 3.000001 / 1e-6]))


def test_ez_mia_of_too_few_errors_is_not_scored_or_neutral():
    logprobs = np.array([[-1.0, -2.0], [-1.0, -2.0], [-1.0, -2.0], [NAN, NAN], [-INF, -INF]])
    base = np.array([[-3.0, -3.0], [-3.0, -3.0], [-3.0, -3.0], [NAN, NAN], [-3.0, -3.0]])
    hit = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [NAN, NAN], [1.0, 1.0]])
    enough = np.log(3.000001 / 1e-6)
    close(ez_mia(logprobs, base, hit), [NAN, NAN, enough, NAN, NAN])
    close(ez_mia(logprobs, base, hit, few_errors="neutral"), [0, 0, enough, NAN, 0])
    one = ez_mia(logprobs, base, hit, min_errors=1)
    close(one, [NAN, np.log(2.000001 / 1e-6), enough, NAN, NAN])


def test_wbc_is_the_share_of_windows_that_gained():
    logprobs = np.array([[-1.0, -4.0, -1.0], [-1.0, NAN, NAN], [-2.0, -2.0, NAN]])
    base = np.array([[-2.0, -2.0, -4.0], [-2.0, NAN, NAN], [-1.0, -3.0, NAN]])
    close(wbc(logprobs, base, windows=(2,)), [0.5, 1, 0])
    close(wbc(logprobs, base, windows=(2, 3)), [0.75, 1, 0])
    close(wbc(logprobs, base, windows=(40,)), [1, 1, 0])
    close(wbc(logprobs, base, windows=(2,), ties=0.5), [0.5, 1, 0.5])


HARD = {
    "token_logprobs": np.log([[0.3, 0.1, 0.6, 0.9, NAN]]),
    "base_token_logprobs": np.log([[0.1, 0.2, 0.5, 0.9, NAN]]),
}


def test_ht_mia_is_the_mean_gain_in_probability_where_the_base_was_unsure():
    close(ht_mia(**HARD, k=0.5), [(0.2 - 0.1) / 2])
    close(ht_mia(**HARD, k=0.25), [0.2])
    close(ht_mia(**HARD), [0.2])


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"hard_by": "target"}, -0.1),
        ({"gain": "logprob"}, np.log(3)),
        ({"aggregate": "share"}, 1),
        ({"aggregate": "share", "k": 1.0}, 0.5),
        ({"gain": "logprob", "k": 0.5}, np.log(3 / 2) / 2),
    ],
)
def test_ht_mia_by_other_rules(options, expected):
    close(ht_mia(**HARD, **options), [expected])


def test_ht_mia_takes_all_tokens_that_equal_the_last_of_the_hard():
    logprobs, base = np.log([[0.3, 0.2, 0.9]]), np.log([[0.1, 0.1, 0.9]])
    close(ht_mia(logprobs, base, k=0.2), [0.15])


@pytest.mark.parametrize(
    "score, expected",
    [(reference_difference, 0), (reference_ratio, -1), (wbc, 0), (ht_mia, 0)],
    ids=lambda case: getattr(case, "__name__", None),
)
def test_nothing_changed_gives_one_score(score, expected):
    same = np.log(np.full((2, 5), 0.3))
    assert score(same, same).tolist() == [expected] * 2
