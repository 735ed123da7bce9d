"""Attacks that look at likelihoods, worked by hand, and their edges."""

import numpy as np
import pytest

from nonmember.attacks.language.likelihood import (
    dc_pdd,
    gap_k,
    loss,
    lowercase,
    min_k,
    min_k_plus_plus,
    surp,
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


def test_lowercase_is_the_loss_without_capitals_over_the_loss_with_them():
    logprobs = np.array([[-1.0, -3.0], [-2.0, NAN], [NAN, NAN], [-1.0, -1.0]])
    lowered = np.array([[[-4.0, -4.0, -1.0]], [[-1.0, NAN, NAN]], [[-1.0, NAN, NAN]], [[NAN] * 3]])
    texts = ["Ab", "A", "", "AB"]
    found = lowercase(logprobs, lowered, texts)
    np.testing.assert_allclose(found, [1.5, 0.5, NAN, NAN], rtol=1e-9)
    close(lowercase(logprobs, lowered, texts, form="difference"), [1, -1, NAN, NAN])


def test_lowercase_of_a_text_without_capitals_is_exactly_one():
    """Whatever is said of its copy: asked in other company, it would differ by rounding."""
    logprobs = np.array([[-1.7, -0.3], [0.0, 0.0], [-INF, -0.1], [NAN, NAN]])
    texts = ["a b", "1 2", "straße", "a"]
    for copies in (np.full((4, 1, 1), NAN), 1.01 * logprobs[:, None]):
        close(lowercase(logprobs, copies, texts)[3:], [NAN])
        assert lowercase(logprobs, copies, texts)[:3].tolist() == [1, 1, 1]
        assert lowercase(logprobs, copies, texts, form="difference")[:3].tolist() == [0, 0, 0]


def test_lowercase_of_a_text_of_certain_tokens_is_finite():
    found = lowercase(np.zeros((1, 2)), np.full((1, 1, 2), -1.0), ["A b"])
    np.testing.assert_allclose(found, [1e10], rtol=1e-9)


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


def test_surp_is_the_mean_of_unlikely_tokens_where_the_model_is_sure():
    logprobs = np.array([[-1.0, -5.0, -3.0, -2.0], [-4.0, -1.0, NAN, NAN]])
    entropy = np.array([[0.5, 0.5, 3.0, 0.5], [1.9, 0.1, NAN, NAN]])
    close(surp(logprobs, entropy, k=0.5), [-5, -4])
    close(surp(logprobs, entropy, k=0.8), [-3.5, -4])
    close(surp(logprobs, entropy, k=0.5, e=4.0), [-4, -4])


def test_surp_of_a_text_without_surprise_is_the_highest_score_or_none():
    logprobs = np.array([[-1.0, -5.0], [NAN, NAN]])
    entropy = np.array([[0.5, 2.0], [NAN, NAN]])  # the limit itself is not below the limit
    close(surp(logprobs, entropy), [0, NAN])
    close(surp(logprobs, entropy, unsurprised="nan"), [NAN, NAN])


def test_surp_counts_all_tokens_that_equal_the_last_of_the_least_likely():
    logprobs, entropy = np.array([[-3.0, -1.0, -3.0]]), np.array([[9.0, 0.0, 0.0]])
    close(surp(logprobs, entropy, k=0.4), [-3])


def test_gap_k_smooths_the_distance_to_the_likeliest_token():
    logprobs = np.array([[-1.0, -5.0, -3.0, NAN]])
    top, std = np.array([[-1.0, -1.0, -2.0, NAN]]), np.array([[1.0, 2.0, 0.5, NAN]])
    close(gap_k(logprobs, top, std, w=2, k=0.5), [-2])  # gaps 0, -2, -2; means -1, -2
    close(gap_k(logprobs, top, std, w=2, k=1.0), [-1.5])
    close(gap_k(logprobs, top, std, w=2, k=0.5, scale="none"), [-2.5])
    close(gap_k(logprobs, top, std), [-4 / 3])


def test_gap_k_does_not_smooth_a_text_of_fewer_tokens():
    logprobs, top = (
        np.array([[-1.0, -5.0, NAN], [NAN] * 3]),
        np.array([[-1.0, -1.0, NAN], [NAN] * 3]),
    )
    close(gap_k(logprobs, top, np.ones((2, 3)), w=3), [-4, NAN])


def test_gap_k_of_a_certain_model_is_zero_on_hits_and_finite_elsewhere():
    certain = np.zeros((2, 1))
    close(gap_k(np.array([[0.0], [-INF]]), certain, certain), [0, -1e8])


def test_dc_pdd_weighs_probability_by_rarity_up_to_a_bound():
    logprobs = np.log(np.array([[0.5, 0.002, 0.001], [0.002, NAN, NAN], [NAN] * 3]))
    ids = np.array([[7.0, 8.0, 9.0], [7.0, NAN, NAN], [NAN] * 3])
    frequency = np.exp(np.array([[-2.0, -2.0, -3.0], [-4.0, NAN, NAN], [NAN] * 3]))
    close(dc_pdd(logprobs, ids, frequency), [0.017 / 3, 0.008, NAN])
    close(dc_pdd(logprobs, ids, frequency, a=9.0), [1.007 / 3, 0.008, NAN])


def test_dc_pdd_counts_a_token_once_where_it_first_occurs():
    logprobs = np.log(np.array([[0.001, 0.002, 0.003, 0.004]]))
    ids, frequency = np.array([[5.0, 3.0, 5.0, 3.0]]), np.full((1, 4), np.exp(-1.0))
    close(dc_pdd(logprobs, ids, frequency), [0.0015])
    close(dc_pdd(logprobs, ids, frequency, first_only=False), [0.0025])


def test_all_tokens_alike_score_as_one_of_them():
    alike = np.full((2, 7), -1.7)
    for score in (loss(alike), min_k(alike), min_k(alike, window=3, stride=2)):
        close(score, [-1.7, -1.7])
