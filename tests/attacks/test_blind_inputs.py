"""The baselines on inputs and labels, by hand, against loops, and on splits within classes."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from nonmember.attacks.blind_inputs import input_statistics, label_frequency
from nonmember.evaluation.roc import auc

SIDES = np.arange(40) < 20


def world(seed, n=300, *, gap=0.0):
    """Inputs of which one number in three is larger by ``gap`` where trained on."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(n) < n // 2
    features = rng.normal(size=(n, 3))
    features[:, 1] += gap * member
    return features, member


def cross_fitted(blind, given, member, seed=0):
    """Each fifth scored by what is learnt from the others, by rank within it."""
    found = np.zeros(len(member))
    for known, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(given, member):
        found[held] = rankdata(blind(given[held], given[known], member[known])) / len(held)
    return auc(found, member)


def test_a_number_of_one_side_only_settles_it():
    given = np.where(SIDES, 5.0, -5.0)[:, None]
    found = input_statistics(np.array([[4.0], [-4.0], [np.nan]]), given, SIDES)
    np.testing.assert_allclose(found, [1, 0, np.nan], atol=1e-12)


def walked(tree, row):
    """The share of members in the leaf that one input falls into."""
    node = 0
    while tree.children_left[node] >= 0:
        left = np.float32(row[tree.feature[node]]) <= tree.threshold[node]
        node = (tree.children_left if left else tree.children_right)[node]
    shares = tree.value[node][0]
    return shares[1] / shares.sum()


def test_the_forest_equals_the_loop():
    (known, member), (features, _) = world(0, gap=1.0), world(1, 30, gap=1.0)
    forest = RandomForestClassifier(50, max_depth=3, min_samples_leaf=5, random_state=0)
    trees = forest.fit(known, member).estimators_
    expected = [np.mean([walked(tree.tree_, row) for tree in trees]) for row in features]
    np.testing.assert_allclose(input_statistics(features, known, member), expected, rtol=1e-9)


def test_numbers_that_cannot_be_had_are_left_out_of_the_account():
    known, member = world(0, gap=3.0)
    known[::3, 0] = np.nan
    found = input_statistics(np.array([[np.nan, 3.0, np.nan], [0, -3.0, 0]]), known, member)
    assert found[0] > 0.8
    assert found[1] < 0.2


@pytest.mark.parametrize("known", [np.zeros((40, 2)), np.full((40, 2), np.nan)])
def test_inputs_that_are_all_alike_say_nothing(known):
    np.testing.assert_array_equal(input_statistics(np.ones((3, 2)), known, SIDES), 0.5)


def test_few_trees_are_no_error():
    known, member = world(0, gap=3.0)
    assert np.isfinite(input_statistics(known, known, member, trees=1)).all()


def test_the_share_of_a_class_by_hand():
    """30 of 40 members in class 0 and 10 of 40 in class 1: chance would do a tenth of that."""
    classes = np.repeat([0, 1], 40)
    member = np.concatenate([np.arange(40) < 30, np.arange(40) < 10])
    between = (2 * 40 * 0.25**2 - 0.25) / (80 - 2 * 40**2 / 80)
    kept = between / (between + 0.25 / 40)
    found = label_frequency(np.array([1, 0, 7, 0]), classes, member)
    expected = 0.5 + 0.25 * kept * np.array([-1, 1, 0, 1])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 0.85 < kept < 1


def test_classes_of_unequal_size_equal_the_loop():
    rng = np.random.default_rng(3)
    classes = rng.choice(6, 200, p=[0.4, 0.2, 0.2, 0.1, 0.05, 0.05])
    member = rng.random(200) < np.array([0.2, 0.8, 0.5, 0.9, 0.1, 0.5])[classes]
    share, excess, squares = member.mean(), -5 * member.mean() * (1 - member.mean()), 0.0
    for one in range(6):
        own = member[classes == one]
        excess += len(own) * (own.mean() - share) ** 2
        squares += len(own) ** 2
    between = excess / (200 - squares / 200)
    for one in range(6):
        own = member[classes == one]
        kept = between / (between + share * (1 - share) / len(own))
        found = label_frequency(np.array([one]), classes, member)
        assert found[0] == pytest.approx(share + kept * (own.mean() - share), rel=1e-12)


def test_classes_that_differ_by_chance_are_not_told_apart():
    classes = np.arange(40) % 4
    assert set(label_frequency(np.arange(4), classes, SIDES)) == {0.5}


@pytest.mark.parametrize("side", [True, False])
def test_one_known_side_says_the_same_of_every_candidate(side):
    member = np.full(40, side)
    np.testing.assert_array_equal(label_frequency(np.arange(3), np.arange(40) % 4, member), side)
    features, _ = world(0, 40)
    np.testing.assert_array_equal(input_statistics(features, features, member), side)


def test_no_candidates_have_no_scores():
    none, features = np.zeros(0, dtype=int), world(0, 40)[0]
    assert label_frequency(none, np.arange(40) % 4, SIDES).shape == (0,)
    assert input_statistics(features[:0], features, SIDES).shape == (0,)


def test_a_biased_split_is_found():
    assert cross_fitted(input_statistics, *world(0, gap=1.0)).low > 0.5
    rng = np.random.default_rng(0)
    member = np.arange(300) % 2 == 0
    classes = np.where(rng.random(300) < 0.6, rng.integers(0, 3, 300), 3 + member)
    assert cross_fitted(label_frequency, classes, member).low > 0.5


def test_a_split_within_classes_is_not_ranked_the_wrong_way_round():
    """Whoever is held out is missing among the known ones of its class."""
    classes = np.repeat(np.arange(10), 20)
    member = np.arange(200) % 2 == 0
    assert cross_fitted(label_frequency, classes, member).value == pytest.approx(0.5, abs=0.02)
    marks = np.eye(10)[classes] + 0.0
    found = [cross_fitted(input_statistics, marks, member, seed).value for seed in range(4)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03)
