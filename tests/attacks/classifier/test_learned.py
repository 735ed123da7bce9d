"""Attacks that learn from answers: features by hand, sides that stay apart, and what they owe."""

from math import exp, log

import numpy as np
import pytest
import worlds_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from nonmember.attacks.classifier import learned, learners
from nonmember.attacks.classifier.learned import described, nn_attack, shadow
from nonmember.errors import DataError
from nonmember.evaluation.roc import auc

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]])
LABELS = np.array([0, 2])
MODELS = ("mlp", "forest", "boosting", "logistic")
FEATURES = ("rich", "shokri", "mlleaks", "nasr")


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(learners, "TREES", 30)


def world(gap=2.0, n=300, seed=0):
    return worlds_classifier.whole(gap=gap, n=n, seed=seed)


def of_known(world, **options):
    names = ("logits", "labels", "known_logits", "known_labels", "known_member")
    return nn_attack(*(world[name] for name in names), **options)


def of_references(world, **options):
    names = ("logits", "labels", "ref_logits", "ref_member")
    return shadow(*(world[name] for name in names), **options)


def probabilities(row):
    total = sum(exp(z) for z in row)
    return [exp(z) / total for z in row]


def test_rich_features_by_hand():
    found = described(LOGITS, LABELS, "rich")
    for row, logits, label in zip(found, LOGITS.tolist(), LABELS.tolist(), strict=True):
        p = probabilities(logits)
        top = max(range(3), key=lambda j: logits[j])
        margins = [log(p[j] / (1 - p[j])) for j in (label, top)]
        entropy = sum(q * log(q) for q in p)
        wrong = sum(q * log(1 - q) for j, q in enumerate(p) if j != label)
        modified = (1 - p[label]) * log(p[label]) + wrong
        ranked = [log(q) for q in sorted(p, reverse=True)]
        of_class = [float(j == label) for j in range(3)]
        expected = [*margins, entropy, modified, float(top == label), *ranked, *of_class]
        np.testing.assert_allclose(row, expected, rtol=1e-8)
    np.testing.assert_allclose(found[:, 0], [1.686738, -2.048587], atol=1e-6)
    np.testing.assert_allclose(found[:, 2], [-0.524267, -0.524267], atol=1e-6)
    np.testing.assert_allclose(found[:, 3], [-0.042181, -3.490439], atol=1e-6)


def test_the_papers_features_by_hand():
    p = np.array([probabilities(row) for row in LOGITS.tolist()])
    of_class = np.array([[1.0, 0, 0], [0, 0, 1]])
    loss = -np.log(p[[0, 1], LABELS])[:, None]
    expected = {
        "shokri": np.hstack([p, of_class]),
        "mlleaks": np.sort(p, axis=1)[:, ::-1],
        "nasr": np.hstack([p, of_class, loss]),
    }
    for features, numbers in expected.items():
        np.testing.assert_allclose(described(LOGITS, LABELS, features), numbers, rtol=1e-12)


def test_two_classes_have_two_largest_and_many_classes_no_column_each():
    assert described(LOGITS[:, :2], np.array([0, 1]), "mlleaks").shape == (2, 2)
    many = np.random.default_rng(0).normal(size=(4, 101))
    assert described(many, np.arange(4), "rich").shape == (4, 5 + 3)
    assert described(many[:, :100], np.arange(4), "rich").shape == (4, 5 + 3 + 100)


def test_logistic_regression_equals_the_one_by_hand():
    given = world()
    known, own = (
        described(given[f"{side}logits"], given[f"{side}labels"], "nasr") for side in ("known_", "")
    )
    centre, spread = known.mean(axis=0), known.std(axis=0)
    fitted = LogisticRegression(tol=1e-10, max_iter=1000)
    fitted.fit((known - centre) / spread, given["known_member"])
    expected = (own - centre) / spread @ fitted.coef_[0] + fitted.intercept_[0]
    found = of_known(given, features="nasr", model="logistic")
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("features", FEATURES)
def test_planted_members_come_first_in_finite_scores(model, features):
    given = world()
    scores = of_known(given, model=model, features=features)
    assert np.isfinite(scores).all()
    if (model, features) != ("logistic", "shokri"):  # no line tells whose probability is large
        assert auc(scores, given["member"]).value > 0.75


@pytest.mark.parametrize("model", MODELS)
def test_references_teach_what_members_look_like(model):
    given = world(gap=worlds_classifier.GAP, n=40)
    assert auc(of_references(given, model=model), given["member"]).value > 0.9


def test_swapped_known_membership_swaps_the_order():
    given = world(gap=worlds_classifier.GAP)
    for model in MODELS:
        swapped = given | {"known_member": ~given["known_member"]}
        assert auc(of_known(swapped, model=model), given["member"]).value < 0.1


@pytest.mark.parametrize("model", MODELS)
def test_noise_separates_only_what_it_was_fitted_to(model):
    own, crossed = [], []
    for seed in range(6):
        given = world(gap=0.0, n=200, seed=seed)
        logits, labels, member = (given[name] for name in ("logits", "labels", "member"))
        told = nn_attack(logits, labels, logits, labels, member, model=model)
        own.append(auc(told, member).value)
        score = np.zeros(len(member))
        for known, held in StratifiedKFold(4).split(logits, member):
            sides = [logits[held], labels[held], logits[known], labels[known], member[known]]
            score[held] = nn_attack(*sides, model=model)
        crossed.append(auc(score, member).value)
    assert np.mean(own) > 0.55
    assert np.mean(crossed) == pytest.approx(
        0.5, abs=4 * 0.065 / np.sqrt(6)
    )  # folds and ties widen it


@pytest.mark.parametrize("attack", [of_known, of_references])
@pytest.mark.parametrize("model", MODELS)
def test_neither_the_candidates_order_nor_the_known_ones_matters(attack, model):
    given = world(n=40)
    expected = attack(given, model=model)
    order = np.random.default_rng(1).permutation(40)
    turned = {
        name: value[:, order] if name.startswith("ref_") else value[order]
        for name, value in given.items()
        if not name.startswith(("pop_", "ref_pop", "ref_aug", "known_"))
    }
    again = np.random.default_rng(2).permutation(40)
    turned |= {name: value[again] for name, value in given.items() if name.startswith("known_")}
    np.testing.assert_allclose(attack(turned, model=model), expected[order], rtol=1e-8)


def test_known_records_alone_set_the_scale():
    given = world()
    whole = of_known(given)
    one = given | {name: given[name][[11]] for name in ("logits", "labels")}
    np.testing.assert_allclose(of_known(one), whole[[11]], rtol=1e-8)


def test_a_classs_own_model_takes_200_known_records_of_every_class(monkeypatch):
    """With them another class's records change nothing."""
    given = world(n=1600)
    counts = np.bincount(given["known_labels"])
    options = {"features": "shokri", "model": "logistic"}
    expected = of_known(given, **options)
    zero = given["labels"] == 0
    others = given["known_labels"] != 0
    swapped = given | {"known_member": given["known_member"] ^ others}
    for most, apart in ((counts.min(), True), (counts.min() + 1, False)):
        monkeypatch.setattr(learned, "PER_CLASS", most)
        assert (of_known(swapped, **options)[zero] == expected[zero]).all() == apart
        assert (of_known(swapped, **options)[~zero] != expected[~zero]).any()


def test_one_reference_model_is_enough():
    given = world(gap=worlds_classifier.GAP, n=100)
    few = given | {name: given[name][:1] for name in ("ref_logits", "ref_member")}
    assert auc(of_references(few), given["member"]).value > 0.9


def test_references_are_pairs_of_a_model_and_a_candidate_and_the_first_ones_of_too_many(
    monkeypatch,
):
    given = world(n=40)
    first, other = (
        np.concatenate([array[k] for k in range(2)])
        for array in (given["ref_logits"], given["ref_member"])
    )
    labels = np.tile(given["labels"], 2)
    expected = nn_attack(given["logits"], given["labels"], first, labels, other)
    monkeypatch.setattr(learners, "MOST", 119)
    np.testing.assert_array_equal(of_references(given), expected)


def test_of_too_many_known_records_some_are_drawn(monkeypatch):
    given = world(n=200)
    whole = of_known(given, model="logistic")
    monkeypatch.setattr(learners, "MOST", 120)
    one, same, other = (of_known(given, model="logistic", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != whole).any() and (one != other).any()


@pytest.mark.parametrize("members", [0, 9, 191, 200])
def test_too_few_known_records_of_a_side_score_nobody(members):
    given = world(n=200)
    given["known_member"] = np.arange(200) < members
    assert np.isnan(of_known(given)).all()


def test_known_records_that_are_all_alike_score_0():
    given = world(n=60)
    given["known_logits"], given["known_labels"] = np.ones((60, 4)), np.zeros(60, dtype=int)
    for model in MODELS:
        np.testing.assert_array_equal(of_known(given, model=model), 0.0)


@pytest.mark.parametrize("restarts", [1, 3])
def test_restarts_are_averaged_and_seeded(restarts):
    given = world(n=80)
    one, same, other = (of_known(given, restarts=restarts, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_more_restarts_differ_less_between_seeds():
    given = world(gap=1.0, n=100)
    apart = []
    for restarts in (1, 8):
        seeds = [of_known(given, restarts=restarts, seed=seed) for seed in range(6)]
        apart.append(np.std(seeds, axis=0).mean())
    assert apart[1] < 0.7 * apart[0]


def test_larger_leaves_of_the_forest_are_less_sure():
    given = world(gap=1.0, n=100)
    fine, coarse = (of_known(given, model="forest", leaf=leaf) for leaf in (1, 30))
    assert np.abs(coarse).max() < np.abs(fine).max()
    np.testing.assert_array_equal(
        of_known(given, model="mlp", leaf=1), of_known(given, model="mlp", leaf=30)
    )


def test_slopes_are_those_of_the_loss():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((2, 3, 4), (2, 1, 4), (2, 4, 1), (2, 1, 1))]
    inputs, member = rng.normal(size=(2, 7, 3)), rng.random((2, 7)) < 0.5

    def losses():
        return learners._losses(learners._answers(weights, inputs), member)

    for weight, slope in zip(weights, learners._slopes(weights, inputs, member), strict=True):
        for place in np.ndindex(weight.shape):
            around = []
            for change in (1e-6, -2e-6):
                weight[place] += change
                around.append(losses()[place[0]])
            weight[place] += 1e-6
            assert slope[place] == pytest.approx((around[0] - around[1]) / 2e-6, abs=1e-6)


def test_a_fifth_of_either_side_stops_a_network_that_is_not_fitted_to_it():
    member = np.arange(100) < 30
    fitted, held = learners._parted(np.random.default_rng(0), member, 5)
    for mine, theirs in zip(fitted, held, strict=True):
        assert sorted([*mine, *theirs]) == list(range(100))
        assert (member[theirs].sum(), len(theirs)) == (6, 20)
    assert len({tuple(sorted(one)) for one in held.tolist()}) == 5


def test_answers_that_are_no_numbers_are_refused_wherever_they_are():
    given = world(n=40)
    for name in ("logits", "known_logits"):
        broken = given[name].copy()
        broken[3, 1] = np.inf
        with pytest.raises(DataError, match=r"logits\[3\]: a logit is not finite"):
            of_known(given | {name: broken})
