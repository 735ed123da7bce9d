"""Attacks that know non-members only: by hand, against loops, and on a null."""

import numpy as np
import pytest
import worlds_classifier
from scipy.optimize import check_grad, minimize
from scipy.stats import norm

from nonmember.attacks.classifier import regression
from nonmember.attacks.classifier.margins import hinge, margin
from nonmember.attacks.classifier.population import attack_p, quantile
from nonmember.attacks.classifier.threshold import loss
from nonmember.evaluation.intervals import clopper_pearson
from nonmember.evaluation.roc import auc


def answers(seed, n=60, c=3):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(n, c)), rng.integers(0, c, n)


def of_two(margins):
    return np.stack([np.asarray(margins, dtype=float), np.zeros(len(margins))], axis=1)


@pytest.mark.parametrize("population", ["all", "class"])
def test_the_p_value_equals_the_loop(population):
    own, others = answers(0), answers(1, n=90)
    own[0][:5], own[1][:5] = others[0][:5], others[1][:5]  # ties
    others[1][others[1] == 2] = 1  # none of class 2
    score, calm = loss(*own), loss(*others)
    expected = []
    for value, label in zip(score, own[1], strict=True):
        held = calm if population == "all" else calm[others[1] == label]
        p_value = (1 + sum(other >= value for other in held)) / (len(held) + 1)
        expected.append(1 - p_value if len(held) else np.nan)
    found = attack_p(*own, *others, population=population)
    assert np.isnan(found).any() == (population == "class")
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_the_p_value_by_hand():
    zeros = np.zeros(4, dtype=int)
    found = attack_p(of_two([0, 2, 9]), zeros[:3], of_two([1, 2, 3, 4]), zeros)
    np.testing.assert_allclose(found, [1 - 5 / 5, 1 - 4 / 5, 1 - 1 / 5], atol=1e-12)


def test_it_ranks_as_loss():
    given = worlds_classifier.whole(n=400)
    needs = [given[name] for name in ("logits", "labels", "pop_logits", "pop_labels")]
    order = np.argsort(loss(*needs[:2]))
    assert (np.diff(attack_p(*needs)[order]) >= 0).all()


@pytest.mark.parametrize("population", ["all", "class"])
def test_non_members_have_uniform_p_values(population):
    """So one in twenty is flagged at 0.05, and none at a share below 1 / (z + 1)."""
    own, others = answers(2, n=4000), answers(3, n=1999)
    p_values = 1 - attack_p(*own, *others, population=population)
    flagged = int((p_values <= 0.05 + 1e-12).sum())
    assert 0.03 < flagged / 4000 < 0.07
    assert p_values.min() >= 1 / 2000 - 1e-12


def regressed(seed, n, slope=1.5, leak=0.0):
    """A margin that is linear in one of two features, its log-deviation in the other."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2))
    noise = np.exp(0.5 * features[:, 1]) * rng.normal(size=n)
    return of_two(slope * features[:, 0] + noise + leak), np.zeros(n, dtype=int), features


def test_the_gaussian_form_finds_the_mean_and_the_deviation():
    own, known = regressed(4, 300), regressed(5, 20000)
    found = quantile(*own, *known, penalty=1e-3)
    expected = (own[0][:, 0] - 1.5 * own[2][:, 0]) / np.exp(0.5 * own[2][:, 1])
    np.testing.assert_allclose(found, expected, atol=0.15)


def test_the_gaussian_form_has_the_least_cost():
    """Against the negative log-likelihood and penalty written out, from another beginning."""
    own, known = regressed(6, 50), regressed(7, 80)
    x = (known[2] - known[2].mean(axis=0)) / known[2].std(axis=0)
    s = known[0][:, 0]
    v = (s - s.mean()) / s.std()

    def cost(w):
        total = 3.0 * sum(w[[0, 1, 3, 4]] ** 2) / 2
        for row, value in zip(x, v, strict=True):
            middle, spread = w[0] * row[0] + w[1] * row[1] + w[2], w[3:5] @ row + w[5]
            total -= norm.logpdf(value, middle, np.exp(spread)) - norm.logpdf(0)
        return total

    w = minimize(cost, np.full(6, 0.1), tol=1e-12, method="BFGS", options={"gtol": 1e-6}).x
    y = (own[2] - known[2].mean(axis=0)) / known[2].std(axis=0)
    wanted = ((own[0][:, 0] - s.mean()) / s.std() - y @ w[:2] - w[2]) / np.exp(y @ w[3:5] + w[5])
    np.testing.assert_allclose(quantile(*own, *known, penalty=3.0), wanted, rtol=1e-4, atol=1e-4)


def test_without_features_it_is_the_standard_score():
    own, known = (of_two([1.0, 4.0]), np.zeros(2, dtype=int), np.zeros((2, 0))), regressed(8, 500)
    s = known[0][:, 0]
    found = quantile(*own, known[0], known[1], np.zeros((500, 0)))
    np.testing.assert_allclose(found, (np.array([1.0, 4.0]) - s.mean()) / s.std(), rtol=1e-5)


def test_pinball_levels_are_exceeded_as_often_as_they_say():
    own, known = regressed(9, 4000), regressed(10, 4000)
    found = quantile(*own, *known, form="pinball", penalty=1e-3)
    assert found.min() >= 0 and found.max() <= 1 - 1 / 4000 + 1e-9
    for level in (0.2, 0.5, 0.9, 0.99):
        assert (found > level).mean() == pytest.approx(1 - level, abs=0.03)


def test_pinball_by_hand():
    """Levels 0.2 and 0.8 at 10 and 20; between them it is linear, beyond there is nothing."""
    levels, quantiles = np.array([0.2, 0.8]), np.tile([10.0, 20.0], (6, 1))
    own = np.array([9.0, 10.0, 15.0, 20.0, 99.0, 12.0])
    quantiles[5] = np.nan
    found = regression._interpolated(own, quantiles, levels)
    np.testing.assert_allclose(found, [0, 0.2, 0.5, 0.8, 0.8, np.nan])


def test_what_is_hard_is_taken_out():
    member = np.arange(600) % 2 == 0
    logits, labels, features = regressed(12, 600, slope=6.0)
    logits[:, 0] += 3 * member
    plain = auc(loss(logits, labels), member).value
    for form in ("gaussian", "pinball"):
        found = quantile(logits, labels, features, *regressed(13, 1000, slope=6.0), form=form)
        assert auc(found, member).value > plain + 0.15


@pytest.mark.parametrize("statistic, measure", [("hinge", hinge), ("margin", margin)])
def test_the_statistic_is_an_option(statistic, measure):
    own, known = answers(14), answers(15, n=200)
    nothing = np.zeros((60, 1)), np.zeros((200, 1))
    found = quantile(own[0], own[1], nothing[0], *known, nothing[1], statistic=statistic)
    s = measure(*known)
    np.testing.assert_allclose(found, (measure(*own) - s.mean()) / s.std(), rtol=1e-4, atol=1e-4)


def test_classes_are_features_if_asked():
    """Class 1 is surer by 4, which the features do not say."""
    rng = np.random.default_rng(16)
    labels = rng.integers(0, 2, 800)
    logits = np.zeros((800, 2))
    logits[np.arange(800), labels] = 4 * labels + rng.normal(size=800)
    mine, theirs = slice(0, 400), slice(400, 800)
    nothing = np.zeros((400, 1))
    given = logits[mine], labels[mine], nothing, logits[theirs], labels[theirs], nothing
    for by_label, expected in ((False, 2.0), (True, 0.5)):
        found = quantile(*given, by_label=by_label)
        apart = found[labels[mine] == 1].mean() - found[labels[mine] == 0].mean()
        assert (apart > 1.5) == (not by_label) and apart < expected


@pytest.mark.parametrize("form", ["gaussian", "pinball"])
def test_what_has_no_description_is_not_scored_and_not_fitted_to(form):
    own, known = regressed(17, 40), regressed(18, 300)
    own[2][3, 1], known[2][7, 0] = np.nan, np.nan
    known[0][7] = 1e6
    found = quantile(*own, *known, form=form)
    without = [np.delete(one, 7, axis=0) for one in known]
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    np.testing.assert_array_equal(found, quantile(*own, *without, form=form))


@pytest.mark.parametrize("form", ["gaussian", "pinball"])
def test_a_column_that_rounding_alone_moves_says_nothing(form):
    own, known = regressed(24, 40), regressed(25, 300)
    theirs = np.where(np.arange(300) % 2 == 0, 0.3, 0.1 + 0.2)
    mine = np.linspace(-1e6, 1e6, 40)
    both = [np.column_stack([one[2], more]) for one, more in ((own, mine), (known, theirs))]
    found = quantile(*own[:2], both[0], *known[:2], both[1], form=form)
    np.testing.assert_array_equal(found, quantile(*own, *known, form=form))
    both[0][3, 2] = np.nan
    again = quantile(*own[:2], both[0], *known[:2], both[1], form=form)
    assert np.flatnonzero(np.isnan(again)).tolist() == [3]


@pytest.mark.parametrize("form", ["gaussian", "pinball"])
def test_a_population_that_rounding_alone_tells_apart_scores_nothing(form):
    own, known = regressed(26, 20), regressed(27, 50)
    known[0][:, 0] = 7 * (1 + 1e-13 * np.arange(50))
    assert np.isnan(quantile(*own, *known, form=form)).all()


@pytest.mark.parametrize("form", ["gaussian", "pinball"])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_population_that_says_nothing_scores_nothing(form, rows):
    own, known = regressed(19, 20), [one[:rows] for one in regressed(20, 10)]
    known[0][:] = 1.0
    assert np.isnan(quantile(*own, *known, form=form)).all()


def test_the_slope_is_that_of_the_cost():
    """As ``minimize`` is told it; else the fit would end early."""
    seen = []
    rng = np.random.default_rng(21)
    rows = np.pad(rng.normal(size=(40, 2)), ((0, 0), (0, 1)), constant_values=1.0)
    values = rng.normal(size=40)

    def least(cost, start):
        at = start + 0.1 * rng.normal(size=start.shape)
        seen.append(check_grad(lambda w: cost(w)[0], lambda w: cost(w)[1], at))
        return start

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression, "_least", least)
        regression._fitted_gaussian(rows, values, 2.0)
        regression._fitted_quantiles(rows, values, np.array([0.1, 0.9]), 2.0)
    assert len(seen) == 3 and max(seen) < 1e-4


@pytest.mark.parametrize("features", [1, 30])
def test_a_null_is_flagged_as_often_as_it_should(features):
    """At the 1 % threshold of other non-members; one fitted to whom it scores flags more."""
    rng = np.random.default_rng(22)
    member = np.arange(4000) % 2 == 0
    logits, inputs = of_two(rng.normal(size=4000)), rng.normal(size=(4000, features))
    known = of_two(rng.normal(size=400)), np.zeros(400, dtype=int), rng.normal(size=(400, features))
    found = quantile(logits, np.zeros(4000, dtype=int), inputs, *known)
    threshold = np.sort(found[~member])[::-1][20]
    tpr = clopper_pearson(int((found[member] > threshold).sum()), 2000, level=0.99)
    assert tpr.low <= 0.01 <= tpr.high


def test_a_regressor_that_has_seen_the_evaluated_non_members_finds_a_leak_that_is_none():
    rng = np.random.default_rng(23)
    member = np.arange(240) % 2 == 0
    logits, labels = of_two(rng.normal(size=240)), np.zeros(240, dtype=int)
    inputs = rng.normal(size=(240, 60))
    fresh = of_two(rng.normal(size=120)), labels[:120], rng.normal(size=(120, 60))
    wrong = logits[~member], labels[~member], inputs[~member]
    options = {"penalty": 1e-3, "form": "pinball"}
    areas = [
        auc(np.abs(quantile(logits, labels, inputs, *known, **options) - 0.5), member).value
        for known in (fresh, wrong)
    ]
    assert areas[1] > 0.6 and abs(areas[0] - 0.5) < 0.1
