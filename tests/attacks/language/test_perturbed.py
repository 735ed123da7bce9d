"""Attacks that alter the text, worked by hand, and their edges."""

import numpy as np
import pytest

from nonmember.attacks.language.perturbed import neighbourhood, pac, spv_base, spv_mia

NAN, INF = np.nan, np.inf


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_neighbourhood_is_the_likelihood_above_the_mean_of_the_copies():
    logprobs = np.array([[-1.0, -3.0, NAN], [-4.0, NAN, NAN]])
    copies = np.array(
        [
            [[-4.0, -2.0, NAN], [-5.0, NAN, NAN], [NAN] * 3],
            [[-1.0, -1.0, -4.0], [NAN] * 3, [NAN] * 3],
        ]
    )
    close(neighbourhood(logprobs, copies), [-2 - -4, -4 - -2])
    close(neighbourhood(logprobs, copies, standardise=True), [2 / 1, NAN])


@pytest.mark.parametrize("score", [neighbourhood, pac], ids=lambda f: f.__name__)
def test_a_text_without_copies_or_tokens_is_not_scored(score):
    logprobs = np.array([[-1.0, -3.0], [NAN, NAN], [-1.0, -3.0]])
    copies = np.array([[[NAN, NAN]], [[-1.0, -2.0]], [[-1.0, -2.0]]])
    np.testing.assert_array_equal(np.isnan(score(logprobs, copies)), [True, True, False])


def test_neighbourhood_of_copies_that_agree_is_finite_in_standard_deviations():
    found = neighbourhood(np.array([[-1.0]]), np.full((1, 2, 1), -2.0), standardise=True)
    close(found, [1 / 1e-4])


def test_pac_is_how_much_wider_likelihoods_are_after_swaps():
    logprobs = np.array([[-1.0, -2.0, -3.0, -4.0, NAN]])
    copies = np.array([[[-5.0, -1.0, -5.0, -1.0, NAN], [-2.0, -4.0, NAN, NAN, NAN], [NAN] * 5]])
    close(pac(logprobs, copies, most=0.5, least=0.25), [(4 + 2) / 2 - 2.5])
    close(pac(logprobs, copies), [(4 + 2) / 2 - 3])


def test_pac_by_default_holds_a_twentieth_against_three_tenths():
    logprobs, copies = -np.arange(1.0, 41)[None], np.zeros((1, 1, 40))
    close(pac(logprobs, copies), [-(-1.5 + np.arange(29, 41).mean())])


SPANS = (
    np.array([[-1.0, -3.0], [-1.0, NAN]]),
    np.array([[[-4.0, -4.0], [-3.0, NAN]], [[-2.0, NAN], [NAN, NAN]]]),
    np.array([[-2.0, -4.0], [-5.0, NAN]]),
    np.array([[[-4.0, -2.0], [-2.0, -2.0]], [[-4.0, NAN], [NAN, NAN]]]),
)


@pytest.mark.parametrize("score", [spv_mia, spv_base], ids=lambda f: f.__name__)
def test_spv_is_how_far_probability_stands_out_more_than_for_the_reference(score):
    e = np.exp
    first = e(-2) - (e(-4) + e(-3)) / 2 - (e(-3) - (e(-3) + e(-2)) / 2)
    close(score(*SPANS), [first, e(-1) - e(-2) - (e(-5) - e(-4))])
    close(score(*SPANS, log=True), [(-2 + 3.5) - (-3 + 2.5), (-1 + 2) - (-5 + 4)])


@pytest.mark.parametrize("score", [spv_mia, spv_base], ids=lambda f: f.__name__)
def test_spv_of_hopeless_texts_still_differs_in_logarithms(score):
    impossible = np.full((2, 3), -INF)
    copies = np.stack([np.full((2, 3), -9000.0), np.full((2, 3), -8000.0)])[:, :1]
    given = impossible, copies, impossible, copies[::-1]
    close(score(*given), [0, 0])
    close(score(*given, log=True), [1000, -1000])
