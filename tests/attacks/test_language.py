"""Each attack worked by hand, and its edges."""

import numpy as np
import pytest

from nonmember.attacks.language import (
    ez_mia,
    loss,
    min_k,
    min_k_plus_plus,
    reference_difference,
    wbc,
    zlib,
)

NAN, INF = np.nan, np.inf


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_loss_is_the_mean_log_probability():
    logprobs = np.array([[-1.0, -2.0, -3.0], [-4.0, NAN, NAN], [NAN, NAN, NAN], [0.0, 0.0, NAN]])
    close(loss(logprobs), [-2, -4, NAN, 0])
    close(loss(logprobs, reduction="sum"), [-6, -4, NAN, 0])


def test_loss_clips_an_impossible_token_at_ten_thousand_nats():
    close(loss(np.array([[-INF, 0.0], [-2e4, 0.0], [-INF, -INF]])), [-5000, -5000, -1e4])


def test_zlib_divides_by_the_bytes_of_the_compressed_text():
    logprobs = np.array([[-1.0, -2.0, -3.0], [-4.0, NAN, NAN], [NAN, NAN, NAN]])
    lengths = np.array([10, 16, 8])
    close(zlib(logprobs, lengths), [-0.2, -0.25, NAN])
    close(zlib(logprobs, lengths, numerator="sum"), [-0.6, -0.25, NAN])


def test_reference_difference_is_the_mean_gain_over_the_base():
    logprobs = np.array([[-1.0, -2.0, -3.0], [-4.0, NAN, NAN], [-1.0, -INF, NAN]])
    base = np.array([[-2.0, -2.0, -5.0], [-3.0, NAN, NAN], [-INF, -INF, NAN]])
    close(reference_difference(logprobs, base), [1, -1, 9999 / 2])


def test_min_k_is_the_mean_of_the_least_likely_share():
    logprobs = np.array([[-1.0, -5.0, -3.0, -2.0], [-4.0, -1.0, NAN, NAN], [-1.0, NAN, NAN, NAN]])
    close(min_k(logprobs, k=0.5), [-4, -4, -1])
    close(min_k(logprobs, k=0.25), [-5, -4, -1])
    close(min_k(logprobs, k=1.0), loss(logprobs))


def test_min_k_keeps_one_token_of_a_short_text_and_no_padding():
    long = np.full((1, 100), NAN)
    long[0, :4] = -1.0, -5.0, -3.0, -2.0  # 0.2 x 4 < 1, yet 0.2 x 100 = 20
    close(min_k(long, k=0.2), [-5])


@pytest.mark.parametrize("k, tokens, kept", [(0.29, 100, 29), (0.7, 10, 7), (0.2, 14, 2)])
def test_min_k_rounds_down_what_is_not_whole_and_nothing_that_is(k, tokens, kept):
    logprobs = -np.arange(1.0, tokens + 1)[None]
    close(min_k(logprobs, k=k), [-np.arange(tokens - kept + 1, tokens + 1).mean()])


def test_min_k_averages_windows_before_it_takes_the_lowest():
    logprobs = np.array([[-1.0, -5.0, -3.0, -2.0], [-4.0, -1.0, NAN, NAN]])
    close(min_k(logprobs, k=0.7, window=2), [-(4 + 3) / 2, -2.5])
    close(min_k(logprobs, k=0.2, window=2, stride=2), [-3, -2.5])
    close(min_k(logprobs, k=0.2, window=9), [-11 / 4, -2.5])


def test_min_k_plus_plus_standardises_each_token():
    logprobs = np.array([[-1.0, -5.0, -4.0], [-3.0, -2.0, NAN]])
    mean = np.array([[-2.0, -2.0, -3.0], [-1.0, -4.0, NAN]])
    std = np.array([[1.0, 2.0, 2.0], [2.0, 0.5, NAN]])
    close(min_k_plus_plus(logprobs, mean, std, k=0.4), [-1.5, -1.0])
    close(min_k_plus_plus(logprobs, mean, std, k=0.7), [(-1.5 - 0.5) / 2, -1.0])


def test_min_k_plus_plus_where_the_model_is_certain():
    certain = np.zeros((2, 1))
    logprobs = np.array([[0.0], [-5.0]])
    close(min_k_plus_plus(logprobs, certain, certain), [0, -5e4])
    close(min_k_plus_plus(logprobs, certain, certain, clip=10.0), [0, -10])


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


@pytest.mark.parametrize("score", [reference_difference, wbc], ids=lambda f: f.__name__)
def test_nothing_changed_scores_zero(score):
    same = np.log(np.full((2, 5), 0.3))
    close(score(same, same), [0, 0])


def test_all_tokens_alike_score_as_one_of_them():
    alike = np.full((2, 7), -1.7)
    for score in (loss(alike), min_k(alike), min_k(alike, window=3, stride=2)):
        close(score, [-1.7, -1.7])


@pytest.mark.parametrize("rows, width", [(2, 0), (0, 3), (0, 0)])
def test_nothing_to_score_scores_nothing(rows, width):
    a = np.full((rows, width), NAN)
    found = [
        loss(a),
        zlib(a, np.full(rows, 8)),
        reference_difference(a, a),
        min_k(a),
        min_k(a, window=2, stride=3),
        min_k_plus_plus(a, a, a),
        ez_mia(a, a, a, few_errors="neutral"),
        wbc(a, a),
    ]
    for scores in found:
        close(scores, np.full(rows, NAN))
