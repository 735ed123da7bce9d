"""LiRA and RMIA: by hand, against loops written from the papers' formulas, and their edges."""

from math import exp, isnan, log, nan, pi, sqrt
from statistics import mean, median

import numpy as np
import pytest
from scipy.stats import skew

from nonmember.attacks.classifier.reference import (
    lira,
    lira_offline,
    lira_views,
    rmia,
    skewed_share,
)
from nonmember.attacks.classifier.threshold import loss
from nonmember.evaluation.roc import auc

STDS = ("auto", "candidate", "shrunk", "global")


def world(seed, *, n=40, m=16, c=3, z=50, balanced=True):
    """Answers of a target and m models; unbalanced, a candidate may have any number of them."""
    rng = np.random.default_rng(seed)
    saw = rng.random((m, n)) < rng.random(n)
    if balanced:
        saw = rng.permuted(np.tile(np.arange(m) % 2 == 0, (n, 1)), axis=1).T
    labels = rng.integers(0, c, n)
    reference = rng.normal(0, 2, (m, n, c)) + rng.normal(0, 2, (n, c))
    reference[:, np.arange(n), labels] += 2 * saw
    population = rng.normal(0, 2, (z, c)), rng.integers(0, c, z), rng.normal(0, 2, (m, z, c))
    return rng.normal(0, 2, (n, c)), labels, reference, saw, *population


def of_two(margins):
    """Logits of two classes whose first one has these margins."""
    return np.stack([np.asarray(margins, dtype=float), np.zeros(np.shape(margins))], axis=-1)


def phi(row, label):
    p = exp(row[label]) / sum(exp(z) for z in row)
    return log(p) - log(1 - p)


def sides(reference, labels, saw, candidate):
    values = [phi(one[candidate], labels[candidate]) for one in reference]
    return [
        [value for value, inside in zip(values, saw[:, candidate], strict=True) if inside == side]
        for side in (True, False)
    ]


def gaussians(reference, labels, saw, std, centre):
    """Centre and deviation, about the mean, of each candidate and side."""
    place = mean if centre == "mean" else median
    groups = [sides(reference, labels, saw, i) for i in range(len(labels))]
    found = []
    for side in (0, 1):
        middles = [place(g[side]) if g[side] else nan for g in groups]
        squares = [sum((x - mean(g[side])) ** 2 for x in g[side]) for g in groups]
        free = [max(len(g[side]) - 1, 0) for g in groups]
        overall = sum(squares) / sum(free) if sum(free) else nan
        row = []
        for middle, square, k1 in zip(middles, squares, free, strict=True):
            k, rule = k1 + 1, std
            if std == "auto":
                rule = "candidate" if k >= 32 else "shrunk" if k >= 4 else "global"
            if k < 2:
                row.append((nan, nan))
                continue
            variance = {
                "candidate": square / k1,
                "shrunk": (4 * overall + square) / (4 + k1),
                "global": overall,
            }[rule]
            row.append((middle, max(sqrt(variance), 1e-3 * sqrt(overall))))
        found.append(row)
    return found


def logpdf(x, middle, deviation):
    return -log(deviation) - log(2 * pi) / 2 - ((x - middle) / deviation) ** 2 / 2


def looped(logits, labels, reference, saw, *, std="auto", centre="mean", offline=False):
    inside, outside = gaussians(reference, labels, saw, std, centre)
    scores = []
    for row, label, seen, unseen in zip(logits, labels, inside, outside, strict=True):
        x = phi(row, label)
        if offline:
            scores.append((x - unseen[0]) / unseen[1])
        elif isnan(seen[0]) or isnan(unseen[0]):
            scores.append(nan)
        else:
            scores.append(logpdf(x, *seen) - logpdf(x, *unseen))
    return scores


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("centre", ["mean", "median"])
@pytest.mark.parametrize("models", [6, 16, 70])
def test_lira_equals_the_loop(std, centre, models):
    given = world(0, n=24, m=models)[:4]
    for score, offline in ((lira, False), (lira_offline, True)):
        found = score(*given, std=std, centre=centre)
        expected = looped(*given, std=std, centre=centre, offline=offline)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("std", STDS)
def test_lira_equals_the_loop_where_models_are_few_or_uneven(std):
    given = world(1, n=60, m=9, balanced=False)[:4]
    online, offline = lira(*given, std=std), lira_offline(*given, std=std)
    few = given[3].sum(axis=0)
    np.testing.assert_array_equal(np.isnan(online), (few < 2) | (few > 7))
    np.testing.assert_array_equal(np.isnan(offline), few > 7)
    np.testing.assert_allclose(online, looped(*given, std=std), rtol=1e-9, atol=1e-9)
    expected = looped(*given, std=std, offline=True)
    np.testing.assert_allclose(offline, expected, rtol=1e-9, atol=1e-9)


def test_lira_by_hand():
    """IN 5 and 7 (mean 6, sd sqrt 2), OUT 1 and 3 (mean 2, the same): the ratio is linear."""
    reference = of_two([[5, 5], [7, 7], [1, 1], [3, 3]])
    saw = np.array([[True] * 2] * 2 + [[False] * 2] * 2)
    labels = np.zeros(2, dtype=int)
    found = lira(of_two([6, 4]), labels, reference, saw, std="candidate")
    np.testing.assert_allclose(found, [16 / 4, 0], atol=1e-8)
    found = lira_offline(of_two([6, 0]), labels, reference, saw)
    np.testing.assert_allclose(found, [4 / sqrt(2), -2 / sqrt(2)], rtol=1e-9)


def test_a_deviation_is_never_under_a_thousandth_of_all():
    """Models that agree on a candidate to the last digit do not give it all the certainty."""
    margins = np.random.default_rng(2).normal(0, 1, (8, 50))
    margins[:, 0] = 1.0
    saw = np.tile(np.arange(8)[:, None] % 2 == 0, (1, 50))
    labels = np.zeros(50, dtype=int)
    found = lira_offline(of_two(np.full(50, 2.0)), labels, of_two(margins), saw, std="candidate")
    unseen = margins[1::2]
    overall = sqrt(((unseen - unseen.mean(axis=0)) ** 2).sum() / (3 * 50))
    assert found[0] == pytest.approx(1 / (1e-3 * overall))


def test_views_are_the_mean_of_what_each_says():
    logits, labels, reference, saw, *_ = world(3, n=30)
    rng = np.random.default_rng(4)
    own = np.stack([logits, *rng.normal(0, 2, (2, *logits.shape))], axis=1)
    theirs = np.stack([reference, *rng.normal(0, 2, (2, *reference.shape))], axis=2)
    for mode, score in (("online", lira), ("offline", lira_offline)):
        each = [score(own[:, view], labels, theirs[:, :, view], saw) for view in range(3)]
        found = lira_views(own, labels, theirs, saw, mode=mode)
        np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-8, atol=1e-8)
        np.testing.assert_array_equal(
            lira_views(own[:, :1], labels, theirs[:, :, :1], saw, mode=mode), each[0]
        )


def test_references_take_out_what_is_hard_for_every_model():
    rng = np.random.default_rng(14)
    saw = rng.permuted(np.tile(np.arange(17) % 2 == 0, (400, 1)), axis=1).T
    margins = rng.normal(0, 4, 400) + 2 * saw + rng.normal(0, 0.7, saw.shape)
    labels = np.zeros(400, dtype=int)
    needs = of_two(margins[0]), labels, of_two(margins[1:]), saw[1:]
    plain = auc(loss(*needs[:2]), saw[0]).value
    population = of_two(rng.normal(0, 4, 300)), labels[:300], of_two(rng.normal(0, 4, (16, 300)))
    for found in (lira(*needs), lira_offline(*needs)):
        assert auc(found, saw[0]).value > 0.9 > plain + 0.2
    assert auc(rmia(*needs, *population), saw[0]).value > plain + 0.05


def p_of(row, label):
    return exp(row[label]) / sum(exp(z) for z in row)


def average(row, saw, mode, a):
    inside = [p for p, seen in zip(row, saw, strict=True) if seen]
    outside = [p for p, seen in zip(row, saw, strict=True) if not seen]
    if mode == "online" and (not inside or not outside):
        return nan
    if not outside:
        return nan
    if mode == "online":
        return (mean(inside) + mean(outside)) / 2
    return ((1 + a) * mean(outside) + (1 - a)) / 2


def ratios(logits, labels, reference, saw, mode, a):
    found = []
    for i, label in enumerate(labels):
        theirs = [p_of(one[i], label) for one in reference]
        found.append(p_of(logits[i], label) / average(theirs, saw[:, i], mode, a))
    return found


@pytest.mark.parametrize("mode", ["offline", "online"])
@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_rmia_equals_the_loop_over_candidates_and_population(mode, a, gamma):
    given = world(5, n=40, m=5, balanced=False)
    logits, labels, reference, saw, pop_logits, pop_labels, ref_pop = given
    own = ratios(logits, labels, reference, saw, mode, a)
    others = ratios(pop_logits, pop_labels, ref_pop, np.zeros((5, 50), dtype=bool), "offline", a)
    shares, of_class = [], []
    for ratio, label in zip(own, labels, strict=True):
        beaten = [ratio >= gamma * other for other in others]
        alike = [one for one, other in zip(beaten, pop_labels, strict=True) if other == label]
        shares.append(nan if isnan(ratio) else mean(beaten))
        of_class.append(nan if isnan(ratio) else mean(alike))
    options = {"mode": mode, "a": a, "gamma": gamma}
    close = {"rtol": 1e-9, "atol": 1e-9}
    assert np.isnan(own).any() and len(set(shares)) > 10
    np.testing.assert_allclose(rmia(*given, **options), np.log(own), **close)
    np.testing.assert_allclose(rmia(*given, **options, returns="share"), shares, **close)
    np.testing.assert_allclose(rmia(*given, **options, returns="class_share"), of_class, **close)


def test_rmia_by_hand():
    """The target says 0.9; OUT 0.5 and 0.7, so P is (1.3 x 0.6 + 0.7) / 2 = 0.74.

    Of the population, with ratios 1 and 0.5, only the second is beaten twice over.
    """
    logits = of_two([log(9.0)])
    reference = of_two([[0.0], [log(7 / 3)], [log(9.0)]])
    saw = np.array([[False], [False], [True]])
    population = of_two([log(0.65 / 0.35), log(0.325 / 0.675)])
    out = (2 * 0.65 - 0.7) / 1.3  # so that P is 0.65
    ref_population = of_two(np.full((3, 2), log(out / (1 - out))))
    zeros = np.zeros(2, dtype=int)
    given = logits, zeros[:1], reference, saw, population, zeros, ref_population
    np.testing.assert_allclose(rmia(*given), [log(0.9 / 0.74)], rtol=1e-9)
    assert rmia(*given, returns="share").tolist() == [0.5]
    assert rmia(*given, returns="share", gamma=1.0).tolist() == [1.0]


@pytest.mark.parametrize("p, out", [(0.6, 0.3), (0.6, 0.7), (0.7, 0.3), (0.7, 0.7), (0.7, 0.8)])
@pytest.mark.parametrize("returns", ["share", "class_share"])
def test_a_ratio_exactly_gamma_times_larger_beats(p, out, returns):
    """Whatever the last digit of its logarithm."""
    own, other, theirs = (of_two([log(one / (1 - one))]) for one in (p, p / 2, out))
    zeros, reference = np.zeros(1, dtype=int), np.stack([theirs, theirs])
    given = own, zeros, reference, np.zeros((2, 1), dtype=bool), other, zeros, reference
    assert rmia(*given, gamma=2.0, returns=returns).tolist() == [1.0]
    assert rmia(*given, gamma=2.0 + 1e-6, returns=returns).tolist() == [0.0]


def test_population_points_get_the_offline_formula_in_either_mode():
    """OUT 0.4 alone, of which a = 0.5 makes P = 0.55; online would have no P without IN."""
    given = (
        of_two([0.0]),
        np.zeros(1, dtype=int),
        of_two([[0.0], [0.0]]),
        np.array([[True], [False]]),
    )
    others = of_two([log(0.44 / 0.56)]), np.zeros(1, dtype=int), of_two([[log(0.4 / 0.6)]] * 2)
    for gamma, share in ((1.249, 1.0), (1.251, 0.0)):  # own ratio 1, theirs 0.44 / 0.55 = 0.8
        options = {"mode": "online", "a": 0.5, "returns": "share", "gamma": gamma}
        assert rmia(*given, *others, **options).tolist() == [share]


def test_a_share_ranks_as_the_ratio_but_for_ties():
    given = world(6, n=200, z=100)
    order = np.argsort(rmia(*given), kind="stable")
    assert (np.diff(rmia(*given, returns="share")[order]) >= 0).all()
    assert (np.diff(rmia(*given, returns="class_share")[order]) < 0).any()


@pytest.mark.parametrize("models", [1, 2])
def test_rmia_works_with_a_model_or_two(models):
    given = world(7, m=4)
    saw = np.zeros_like(given[3][:models])
    few = (*given[:2], given[2][:models], saw, *given[4:6], given[6][:models])
    for returns in ("log_ratio", "share", "class_share"):
        assert np.isfinite(rmia(*few, returns=returns)).all()
        assert np.isnan(rmia(*few, mode="online", returns=returns)).all()


def test_an_impossible_class_is_finite():
    logits, labels, reference, saw, *population = world(8)
    impossible = np.full_like(reference, 900.0)
    impossible[:, np.arange(40), labels] = 0.0
    own = logits.copy()
    own[np.arange(40), labels] = -900.0
    found = rmia(own, labels, impossible, saw, *population, a=1.0)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(rmia(logits, labels, impossible, saw, *population, a=1.0)[0] > 60, 1)


def test_a_class_without_population_has_no_share():
    given = world(9)
    others = np.where(given[5] == 0, 1, given[5])
    found = rmia(*given[:5], others, given[6], returns="class_share")
    np.testing.assert_array_equal(np.isnan(found), given[1] == 0)


def test_tuning_attacks_a_reference_never_the_target():
    """The first reference is told by the others, its twin left out; the target plays no part."""
    logits, labels, reference, _, *population = world(10, n=200, m=8)
    rng = np.random.default_rng(11)
    halves = rng.random((4, 200)) < 0.5
    saw = np.stack([halves, ~halves], axis=1).reshape(8, 200)
    reference[:, np.arange(200), labels] += 3 * saw
    own = [p_of(row, label) for row, label in zip(reference[0], labels, strict=True)]
    areas = {}
    for step in range(11):
        a, scores = step / 10, []
        for i, label in enumerate(labels):
            theirs = [p_of(one[i], label) for one in reference[2:]]
            scores.append(own[i] / average(theirs, saw[2:, i], "offline", a))
        there = ~np.isnan(scores)
        areas[a] = auc(np.array(scores)[there], saw[0][there]).value
    best = max(areas, key=lambda a: (areas[a], a))
    given = labels, reference, saw, *population
    assert 0 <= best <= 1 and areas[best] > min(areas.values())
    for target in (logits, -logits):
        np.testing.assert_array_equal(rmia(target, *given, a="tune"), rmia(target, *given, a=best))


def test_normality_is_checked_per_candidate_and_side():
    rng = np.random.default_rng(12)
    margins = rng.normal(0, 1, (40, 30))
    margins[:20, :6] = rng.exponential(1, (20, 6)) ** 3  # of those that saw them
    saw = np.tile(np.arange(40)[:, None] < 20, (1, 30))
    labels = np.zeros(30, dtype=int)
    beyond = [np.abs(skew(margins[side], axis=0)) > 1 for side in (slice(20), slice(20, 40))]
    found = skewed_share(of_two(margins), labels, saw)
    assert found == pytest.approx((beyond[0] | beyond[1]).mean()) and found >= 0.2


def test_normality_of_two_models_is_not_known():
    _, *answers = world(13, m=4)[:4]
    assert np.isnan(skewed_share(*answers[1::-1], answers[2]))
