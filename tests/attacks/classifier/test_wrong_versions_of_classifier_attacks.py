"""Formulas found in public code that are not the papers'; each reverses two records of ours.

In every case ours ranks record 0 above record 1, and the wrong version does the opposite, or
cannot tell them apart.
"""

import numpy as np
import pytest
from scipy.stats import norm

from nonmember.attacks.classifier.population import attack_p
from nonmember.attacks.classifier.reference import lira, lira_offline, rmia
from nonmember.attacks.classifier.threshold import (
    class_thresholds,
    confidence,
    entropy,
    loss,
    modified_entropy,
)

ZEROS = np.zeros(2, dtype=int)


def of_two(margins):
    return np.stack([np.asarray(margins, dtype=float), np.zeros(np.shape(margins))], axis=-1)


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def sigmoid(margins):
    return 1 / (1 + np.exp(-np.asarray(margins, dtype=float)))


def loss_as_a_negated_probability():
    logits = of_two([3, 1])
    return loss(logits, ZEROS), -softmax(logits)[:, 0]


def confidence_as_a_saturated_probability():
    logits = of_two([60, 50])
    return confidence(logits, ZEROS), softmax(logits).max(axis=1)


def entropy_of_clipped_probabilities():
    logits = of_two([40, 30])
    p = np.clip(softmax(logits), 1e-7, 1 - 1e-7)
    return entropy(logits, ZEROS), (p * np.log(p)).sum(axis=1)


def modified_entropy_with_clipped_complements():
    logits = of_two([-30, -40])
    p = np.clip(softmax(logits), 1e-7, 1 - 1e-7)
    wrong = (1 - p[:, 0]) * np.log(p[:, 0]) + p[:, 1] * np.log(1 - p[:, 1])
    return modified_entropy(logits, ZEROS), wrong


def class_thresholds_that_are_dropped():
    """What is sure for a hard class is less than what is not for an easy one."""
    known = np.repeat([[5.0, 0.0], [9.0, 0.0], [0.0, -1.0], [0.0, 1.0]], 20, axis=0)
    labels, member = np.repeat([0, 0, 1, 1], 20), np.repeat([False, True] * 2, 20)
    logits, own = np.array([[0.0, 2.0], [4.0, 0.0]]), np.array([1, 0])
    return class_thresholds(logits, own, known, labels, member), modified_entropy(logits, own)


def references(inside, outside):
    """Models in turn trained on both records and on neither, with these margins (k 2)."""
    margins = np.stack([inside, outside], axis=1).reshape(-1, 2)
    return of_two(margins), np.tile(np.arange(len(margins))[:, None] % 2 == 0, (1, 2))


def lira_with_deviations_between_candidates():
    """One deviation, of raw values: of each side, how candidates differ, and nothing else.

    In the models trained on them the two records are 10 apart, in the others they are alike.
    """
    inside, outside = np.array([[2, 12], [4, 14]]), np.array([[1, 1], [3, 3]])
    reference, saw = references(inside, outside)
    target = np.array([3.9, 4.6])
    wrong = norm.logpdf(target, inside.mean(axis=0), inside.std())
    wrong -= norm.logpdf(target, outside.mean(axis=0), outside.std())
    return lira(of_two(target), ZEROS, reference, saw, std="global"), wrong


def lira_with_the_deviation_inside_for_both():
    inside, outside = np.array([[4, 4], [8, 8]]), np.array([[1, -2], [1.2, 5]])
    reference, saw = references(inside, outside)
    target = np.array([3.0, 5.0])
    spread = inside.std(axis=0, ddof=1)
    wrong = norm.logpdf(target, inside.mean(axis=0), spread)
    wrong -= norm.logpdf(target, outside.mean(axis=0), spread)
    return lira(of_two(target), ZEROS, reference, saw, std="candidate"), wrong


def lira_offline_two_sided():
    outside = np.array([[1, 1], [3, 3]])
    reference, saw = references(outside + 3, outside)
    target = np.array([4.0, -5.0])
    wrong = -norm.logpdf(target, outside.mean(axis=0), outside.std(axis=0, ddof=1))
    return lira_offline(of_two(target), ZEROS, reference, saw), wrong


def lira_offline_saturated():
    outside = np.array([[1, 1], [3, 3]])
    reference, saw = references(outside + 3, outside)
    target = np.array([40.0, 30.0])
    wrong = norm.cdf(target, outside.mean(axis=0), outside.std(axis=0, ddof=1))
    return lira_offline(of_two(target), ZEROS, reference, saw), wrong


def lira_offline_cut_to_the_smallest_count():
    """Two models have not seen record 0, and all five record 1, of which the wrong takes two."""
    margins = np.array([[0, 2], [1, 3], [9, 9], [9, 9], [9, 9]])
    saw = np.array([[False, False]] * 2 + [[True, False]] * 3)
    target = np.array([4.0, 6.1])
    wrong = (target - margins[:2].mean(axis=0)) / margins[:2].std(axis=0, ddof=1)
    return lira_offline(of_two(target), ZEROS, of_two(margins), saw, std="candidate"), wrong


POPULATION = of_two([0.0]), ZEROS[:1], of_two([[0.0], [0.0]])
NONE_SAW = np.zeros((2, 2), dtype=bool)


def rmia_with_margins_for_probabilities():
    """Offline, P leans on p being between 0 and 1."""
    target, outside = np.array([2.0, 0.2]), np.array([[1.0, -0.5]] * 2)
    ours = rmia(of_two(target), ZEROS, of_two(outside), NONE_SAW, *POPULATION, a=0.3)
    return ours, target / ((1.3 * outside[0] + 0.7) / 2)


def rmia_with_log_probabilities():
    target, outside = np.array([2.0, -2.0]), np.array([[1.0, -2.0]] * 2)
    p, out = np.log(sigmoid(target)), np.log(sigmoid(outside[0]))
    ours = rmia(of_two(target), ZEROS, of_two(outside), NONE_SAW, *POPULATION, a=0.3)
    return ours, p / ((1.3 * out + 0.7) / 2)


def attack_p_of_the_larger_loss():
    population = of_two([0.0, 1.0, 2.0]), np.zeros(3, dtype=int)
    logits = of_two([1.5, 0.5])
    losses, others = (-loss(one, np.zeros(len(one), dtype=int)) for one in (logits, population[0]))
    wrong = np.array([(others <= one).mean() for one in losses])
    return attack_p(logits, ZEROS, *population), wrong


WRONG = [
    loss_as_a_negated_probability,
    confidence_as_a_saturated_probability,
    entropy_of_clipped_probabilities,
    modified_entropy_with_clipped_complements,
    class_thresholds_that_are_dropped,
    lira_with_deviations_between_candidates,
    lira_with_the_deviation_inside_for_both,
    lira_offline_two_sided,
    lira_offline_saturated,
    lira_offline_cut_to_the_smallest_count,
    rmia_with_margins_for_probabilities,
    rmia_with_log_probabilities,
    attack_p_of_the_larger_loss,
]


@pytest.mark.parametrize("version", WRONG, ids=lambda version: version.__name__)
def test_ours_ranks_otherwise(version):
    ours, wrong = version()
    assert ours[0] > ours[1]
    assert wrong[0] <= wrong[1]
