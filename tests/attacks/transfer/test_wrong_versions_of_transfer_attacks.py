"""What public code does otherwise, or is easily done wrong: each differs from ours, and how."""

import numpy as np
import pytest
import worlds_transfer

from nonmember.attacks.transfer.all import adapted_lira_all, tmi_lda_all
from nonmember.attacks.transfer.features import log_odds
from nonmember.evaluation.roc import auc


def of(scores, saw):
    return auc(np.asarray(scores).ravel(), saw.ravel()).value


def with_a_prior(scores, saw):
    """Plus the log of how many of all others saw it: the answer itself, read backwards."""
    inside = saw.sum(axis=0) - saw
    outside = (~saw).sum(axis=0) - ~saw
    return scores + np.log(inside / outside)


def test_a_prior_gives_the_answer_away_backwards():
    logits, saw = worlds_transfer.references(1000, models=16, gap=0.0)
    alone = tmi_lda_all(logits, saw, np.arange(16))
    assert of(with_a_prior(alone, saw), saw) < 0.47
    grouped = tmi_lda_all(logits, saw, worlds_transfer.groups(16))
    assert of(grouped, saw) == pytest.approx(0.5, abs=0.02)


def test_a_twin_that_stays_enters_the_score():
    logits, saw = worlds_transfer.references(50, models=16)
    turned = saw.copy()
    turned[:2] ^= True
    for groups, same in ((worlds_transfer.groups(16), True), (np.arange(16), False)):
        found, again = (tmi_lda_all(logits, one, groups)[0] for one in (saw, turned))
        assert np.allclose(found, again, rtol=1e-8, atol=1e-8) == same


def test_probabilities_in_float32_lose_the_surest_answers():
    gaps = np.array([14.0, 16, 18, 20])
    logits = np.stack([gaps, 0 * gaps], axis=1).astype(np.float32)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    theirs = (np.log(p + 1e-15) - np.log(1 - p + 1e-15))[:, 0]
    assert theirs[2] == theirs[3] > 34  # a jump, and a tie
    np.testing.assert_allclose(log_odds(logits)[:, 0], gaps)


def test_scores_that_are_rescaled_by_victim_depend_on_other_candidates():
    logits, saw = worlds_transfer.references(100, models=16)
    groups = worlds_transfer.groups(16)
    logits[3, 0] *= 50  # one model, one candidate
    raw = adapted_lira_all(logits, saw, groups)
    low, high = raw.min(axis=1, keepdims=True), raw.max(axis=1, keepdims=True)
    rescaled = (raw - low) / (high - low)
    assert of(rescaled, saw) < of(raw, saw)
