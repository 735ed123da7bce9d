"""The placebo: groups stay whole, counts stay, and what is true of whom does not."""

import numpy as np
import pytest
import worlds_transfer

from nonmember.attacks.transfer.all import ALL
from nonmember.attacks.transfer.placebo import placebo
from nonmember.evaluation.roc import auc


def test_pairs_move_together_and_every_candidate_for_itself():
    saw = worlds_transfer.pairs(np.random.default_rng(0), 32, 300)
    before = saw.copy()
    found = placebo(saw, worlds_transfer.groups(32))
    np.testing.assert_array_equal(saw, before)
    np.testing.assert_array_equal(found[1::2], ~found[::2])
    np.testing.assert_array_equal(found.sum(axis=0), 16)
    assert abs((found == saw).mean() - 0.5) < 0.04
    assert len(np.unique(found != saw, axis=1).T) > 200
    again = placebo(saw, worlds_transfer.groups(32))
    np.testing.assert_array_equal(again, found)
    assert (placebo(saw, worlds_transfer.groups(32), seed=1) != found).any()


def test_groups_of_other_sizes_exchange_among_themselves():
    groups = np.array([4, 0, 0, 1, 2, 2, 3, 3, 1, 4, 4, 5])
    saw = np.random.default_rng(1).random((12, 50)) < 0.5
    found = placebo(saw, groups)
    for name in (4, 5):  # the only ones of three models, and of one
        np.testing.assert_array_equal(found[groups == name], saw[groups == name])
    pairs = [np.flatnonzero(groups == name) for name in range(4)]
    for j in range(50):
        given, dealt = (sorted(tuple(one[p, j]) for p in pairs) for one in (saw, found))
        assert given == dealt


@pytest.mark.parametrize("models", [6, 8, 32])
@pytest.mark.parametrize("name", ["tmi_lda", "adapted_lira"])
def test_attacks_find_nothing_in_it(name, models):
    logits, saw = worlds_transfer.references(300, models=models)
    groups = worlds_transfer.groups(models)
    assert auc(ALL[name](logits, saw, groups).ravel(), saw.ravel()).value > 0.9
    found = []
    for seed in range(8):
        dealt = placebo(saw, groups, seed=seed)
        found.append(auc(ALL[name](logits, dealt, groups).ravel(), dealt.ravel()).value)
    assert np.mean(found) == pytest.approx(0.5, abs=0.02)


def test_nothing_is_left_of_what_is_true_however_few_the_pairs():
    rng = np.random.default_rng(2)
    for count in (2, 4, 8):
        saw = worlds_transfer.pairs(rng, count, 20_000)
        found = placebo(saw, worlds_transfer.groups(count))
        kept = (found == saw)[::2]  # of each pair; the twin's is the same
        assert kept.mean() == pytest.approx(0.5, abs=0.02)
        together = np.corrcoef(kept, rowvar=True) if count > 2 else np.eye(1)
        np.testing.assert_allclose(together, np.eye(count // 2), atol=0.04)


def test_models_of_a_group_each_are_dealt_out_among_themselves():
    saw = np.random.default_rng(3).random((6, 200)) < 0.5
    found = placebo(saw, np.arange(6))
    np.testing.assert_array_equal(found.sum(axis=0), saw.sum(axis=0))
    assert (found != saw).any(axis=0).mean() > 0.5
