"""Every model a victim: equal to the attack given the models that stay, and blind to the rest."""

import copy

import numpy as np
import pytest
import worlds_transfer

from nonmember.attacks.classifier.reference import lira
from nonmember.attacks.transfer.all import (
    ALL,
    adapted_lira_all,
    lira_all,
    tmi_all,
    tmi_global_all,
    tmi_label_all,
    tmi_lda_all,
)
from nonmember.attacks.transfer.discriminant import tmi_label, tmi_lda
from nonmember.attacks.transfer.features import log_odds
from nonmember.attacks.transfer.likelihood import adapted_lira
from nonmember.attacks.transfer.metaclassifier import tmi
from nonmember.attacks.transfer.shared import tmi_global
from nonmember.errors import DataError
from nonmember.evaluation.roc import auc

ON_LOGITS = [name for name in ALL if name != "tmi_label"]
LEARNED = [name for name in ON_LOGITS if name != "max_confidence"]


def world(m=12, n=20, *, v=2, c=3, seed=0, gap=2.0):
    found, saw = worlds_transfer.references(n, models=m, views=v, classes=c, gap=gap, seed=seed)
    return found, saw, worlds_transfer.groups(m)


def votes(logits):
    return np.eye(logits.shape[3])[logits.argmax(axis=3)].mean(axis=2)


def scored(name, logits, saw, groups):
    if name == "max_confidence":
        return ALL[name](logits)
    return ALL[name](votes(logits) if name == "tmi_label" else logits, saw, groups)


def one_by_one(attack, answers, saw, groups, **options):
    """The attack on each model in turn, given all models of other groups."""
    rest = [groups != name for name in groups]
    return [attack(answers[i], answers[kept], saw[kept], **options) for i, kept in enumerate(rest)]


UNEVEN = np.array([0, 0, 1, 1, 2, 3, 4, 4, 4, 5, 6, 6])  # pairs, ones by themselves, and three


@pytest.mark.parametrize("gamma", [0.05, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
@pytest.mark.parametrize("groups", [np.arange(12) // 2, np.arange(12), UNEVEN, UNEVEN[::-1]])
def test_models_are_taken_out_of_the_discriminant_exactly(gamma, covariance, groups):
    logits, saw, _ = world()
    options = {"gamma": gamma, "covariance": covariance}
    found = tmi_lda_all(logits, saw, groups, **options)
    expected = one_by_one(tmi_lda, logits, saw, groups, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    found = tmi_label_all(votes(logits), saw, groups, **options)
    expected = one_by_one(tmi_label, votes(logits), saw, groups, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_pairs_that_are_not_complementary_everywhere_are_refitted():
    logits, saw, groups = world(m=16)
    saw[1, 3] = saw[0, 3]
    found = tmi_lda_all(logits, saw, groups, gamma=0.3)
    expected = one_by_one(tmi_lda, logits, saw, groups, gamma=0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_the_adapted_lira_of_all_is_that_of_each():
    logits, saw, groups = world()
    for covariance in ("sides", "pooled"):
        found = adapted_lira_all(logits, saw, groups, covariance=covariance, k=1)
        expected = one_by_one(adapted_lira, logits, saw, groups, covariance=covariance, k=1)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", ["point", "fixed", "unit"])
def test_the_networks_of_all_are_those_of_each_block(scale):
    """In five blocks of eight pairs: the first has two of them."""
    logits, saw, groups = world(m=16)
    found = tmi_all(logits, saw, groups, scale=scale, blocks=5, seed=4)
    block = np.repeat([0, 0, 1, 1, 2, 3, 3, 4], 2)
    expected = one_by_one(tmi, logits, saw, block, scale=scale, seed=4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("folds", [1, 3])
def test_the_one_network_of_all_is_that_of_each_block(folds):
    logits, saw, groups = world()
    found = tmi_global_all(logits, saw, groups, folds=folds)  # as many blocks as pairs
    expected = one_by_one(tmi_global, logits, saw, groups, folds=folds)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_upper_reference_of_all_is_lira_on_each():
    logits, saw, groups = world()
    labels = np.random.default_rng(0).integers(0, 3, 20)
    own = logits[:, :, 0]
    found = lira_all(own, labels, saw, groups, std="candidate")
    for i, score in enumerate(found):
        kept = groups != groups[i]
        expected = lira(own[i], labels, own[kept], saw[kept], std="candidate")
        np.testing.assert_allclose(score, expected, rtol=1e-8)
    np.testing.assert_array_equal(
        lira_all(own, labels, saw, groups), lira_all(own, labels, saw, groups, std="shrunk")
    )


@pytest.mark.parametrize("name", ALL)
def test_what_is_true_of_a_victim_and_its_twin_is_not_looked_at(name):
    logits, saw, groups = world(m=16)
    found = scored(name, logits, saw, groups)
    for victim in (0, 5, 15):
        turned = saw.copy()
        turned[groups == groups[victim]] ^= True
        again = scored(name, logits, turned, groups)
        np.testing.assert_allclose(again[victim], found[victim], rtol=1e-8, atol=1e-8)
        if name != "max_confidence":
            assert (again != found).any()


@pytest.mark.parametrize("name", ALL)
def test_a_planted_lean_is_found_and_inputs_are_left_alone(name):
    """A single leaning class moves all networks; of those of one point, 16 pairs do."""
    given = world(m=32, n=60, c=4, v=3, gap=4.0)
    before = copy.deepcopy(given)
    found = scored(name, *given)
    assert found.shape == given[1].shape and np.isfinite(found).all()
    bar = 0.65 if name == "max_confidence" else 0.9
    assert auc(found.ravel(), given[1].ravel()).value > bar
    for now, then in zip(given, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("models", [16, 32, 64])
def test_noise_tells_nothing(name, models):
    """Neither a twin nor a count of parents gives the answer away."""
    given = world(m=models, n=16_000 // models, v=1, c=4, gap=0.0, seed=models)
    found = scored(name, *given)
    assert auc(found.ravel(), given[1].ravel()).value == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ALL)
def test_answers_that_are_all_alike_are_tied(name):
    logits, saw, groups = world()
    constant = np.broadcast_to(np.array([0.1, 0.7, -0.3]), logits.shape)
    found = scored(name, constant, saw, groups)
    assert np.isfinite(found).all() and len(np.unique(found)) <= len(np.unique(groups))
    assert all(np.unique(row).size == 1 for row in found)


@pytest.mark.parametrize("name", ON_LOGITS)
@pytest.mark.parametrize("views", [1, 2, 3, 9, 12])
def test_any_number_of_copies_will_do(name, views):
    logits, saw, groups = world(v=views, n=8)
    assert np.isfinite(scored(name, logits, saw, groups)).all()


@pytest.mark.parametrize("name", [name for name in ALL if name != "tmi_global"])
def test_an_extreme_candidate_changes_no_other_score(name):
    logits, saw, groups = world()
    extreme = np.concatenate([logits, 1e6 * logits[:, :1]], axis=1)
    more = np.concatenate([saw, saw[:, :1]], axis=1)
    found = scored(name, extreme, more, groups)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, :-1], scored(name, logits, saw, groups))


@pytest.mark.parametrize("name", LEARNED)
def test_the_order_of_candidates_does_not_matter(name):
    logits, saw, groups = world(n=70)  # more than are fitted in one stack
    order = np.random.default_rng(1).permutation(70)
    found = scored(name, logits[:, order], saw[:, order], groups)
    np.testing.assert_array_equal(found, scored(name, logits, saw, groups)[:, order])


@pytest.mark.parametrize("name", LEARNED)
def test_too_few_pairs_are_refused(name):
    logits, saw, groups = world(m=4)
    with pytest.raises(DataError, match="fewer than two references on a side of 20 candidates"):
        scored(name, logits, saw, groups)
    with pytest.raises(DataError):
        scored(name, logits, saw, np.zeros(4, dtype=int))


def test_only_the_published_scale_forgets_how_large_log_odds_are():
    """Of two classes phi is +-(u0 - u1), so that doubled logits are doubled log-odds."""
    rng = np.random.default_rng(0)
    own, others = rng.normal(0, 4, (6, 2, 2)), rng.normal(0, 4, (12, 6, 2, 2))
    for one in (own, others):
        one[..., 0] = np.abs(one[..., 0]) + 2  # norms of phi above 1
        one[..., 1] = 0
    saw = worlds_transfer.pairs(rng, 12, 6)
    assert (np.linalg.norm(log_odds(others), axis=-1) > 1).all()
    for scale in ("unit", "fixed", "point"):
        single, double = (tmi(f * own, f * others, saw, scale=scale) for f in (1, 2))
        assert np.allclose(single, double, rtol=1e-5, atol=1e-6) == (scale == "unit")
    np.testing.assert_array_equal(tmi(own, others, saw), tmi(own, others, saw, scale="point"))
