"""CAMIA: p-values by hand, against a loop, and what the release does that ours does not."""

from math import isnan, log, nan

import numpy as np
import pytest
from scipy.stats import combine_pvalues

from nonmember.attacks.language.camia import camia
from nonmember.evaluation.roc import auc

HOW = ["mean", "fisher", "pearson", "mudholkar_george"]


def naive(row, population, combine):
    """One record's score from lists of numbers."""
    told = []
    for own, others in zip(row, zip(*population, strict=True), strict=True):
        known = [x for x in others if not isnan(x)]
        if isnan(own) or not known:
            continue
        least = 1 / (len(known) + 1)
        share = sum(x >= own for x in known) / len(known)
        p, q = max(share, least), max(1 - share, least)
        told.append(
            {"mean": -p, "fisher": -log(p), "pearson": log(q), "mudholkar_george": log(q / p)}[
                combine
            ]
        )
    return sum(told) / len(told) if told else nan


def world(seed, *, gap=0.0, n=200, z=150, d=12):
    rng = np.random.default_rng(seed)
    member = np.arange(n) < n // 2
    return rng.normal(gap * member[:, None], size=(n, d)), rng.normal(size=(z, d)), member


def test_two_features_by_hand():
    population = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    own = np.array([[2.5, 5.0], [9.0, 40.0], [0.0, 35.0]])
    found = camia(own, population)
    np.testing.assert_allclose(found, [-(0.5 + 1) / 2, -(0.2 + 0.25) / 2, -(1 + 0.25) / 2])


@pytest.mark.parametrize("combine", HOW)
def test_it_equals_the_loop(combine):
    own, population, _ = world(0, n=40, z=25, d=6)
    rng = np.random.default_rng(1)
    own, population = np.round(own, 1), np.round(population, 1)  # so that ties abound
    own[rng.random(own.shape) < 0.2] = nan
    own[3], population[rng.random(population.shape) < 0.3] = nan, nan
    population[:, 2] = nan
    expected = [naive(row, population.tolist(), combine) for row in own.tolist()]
    np.testing.assert_allclose(camia(own, population, combine=combine), expected, rtol=1e-9)
    assert np.isnan(expected).sum() == 1


@pytest.mark.parametrize("combine", HOW[1:])
def test_it_ranks_as_the_combined_p_value_does(combine):
    own, population, _ = world(2, n=60)
    least = 1 / (len(population) + 1)
    shares = (population[None] >= own[:, None]).mean(axis=1)
    expected = [
        -combine_pvalues(np.clip(row, least, 1 - least), method=combine).pvalue for row in shares
    ]
    found = camia(own, population, combine=combine)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(expected))


@pytest.mark.parametrize("combine", HOW)
def test_planted_members_come_first_and_noise_says_nothing(combine):
    own, population, member = world(3, gap=0.5)
    assert auc(camia(own, population, combine=combine), member).value > 0.8
    own, population, member = world(4, n=2000)
    four_errors = 4 * np.sqrt(2001 / (12 * 1000 * 1000))
    found = auc(camia(own, population, combine=combine), member).value
    assert found == pytest.approx(0.5, abs=four_errors)


def test_without_anybody_to_hold_it_against_nothing_is_scored():
    own, population, _ = world(0)
    assert np.isnan(camia(own, population[:0])).all()


@pytest.mark.parametrize("combine", HOW)
def test_one_known_non_member_is_enough_for_finite_scores(combine):
    own, population, _ = world(0)
    assert np.isfinite(camia(own, population[:1], combine=combine)).all()


def test_a_record_more_extreme_than_all_is_not_surer_than_the_population_allows():
    population = np.zeros((9, 4))
    score = camia(np.array([[1.0] * 4, [1e9] * 4]), population)
    np.testing.assert_allclose(score, [-0.1, -0.1])


def test_signs_are_not_turned_by_the_labels_that_are_scored():
    """The release turns each feature by the evaluated sides; pure noise then separates."""
    ours, turned = [], []
    for seed in range(20):
        own, population, member = world(seed, n=100, d=60)
        sign = np.sign(own[member].mean(axis=0) - own[~member].mean(axis=0))
        ours.append(auc(camia(own, population), member).value)
        turned.append(auc(camia(own * sign, population * sign), member).value)
    assert np.mean(ours) == pytest.approx(0.5, abs=0.05)
    assert np.mean(turned) > 0.75


def test_a_record_scores_alone_as_among_others():
    own, population, _ = world(5)
    np.testing.assert_array_equal(camia(own[[7]], population), camia(own, population)[[7]])
