"""LiRA and RMIA on language models: by hand, against loops from the papers, and at their edges."""

from math import exp, expm1, isnan, log, nan, pi, sqrt

import numpy as np
import pytest

from nonmember.attacks import references
from nonmember.attacks.language.reference import lira, lira_offline, rmia
from nonmember.evaluation.roc import auc

NAN, INF = np.nan, np.inf
STDS = ["auto", "candidate", "shrunk", "global"]


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def ragged(n=40, m=10, t=12, seed=0):
    """Texts of 0 to 12 tokens; the balance of models differs, a few were seen by all or none."""
    rng = np.random.default_rng(seed)
    past = np.arange(t) >= rng.permutation(np.r_[0, 0, rng.integers(1, t + 1, n - 2)])[:, None]
    logprobs = -rng.gamma(2.0, 1.0, (m + 1, n, t))
    logprobs[rng.random(logprobs.shape) < 0.01] = -INF
    logprobs[:, past] = NAN
    member = rng.random((m, n)) < rng.uniform(0.2, 0.8, n)
    member[:, :2], member[:, 2:4] = True, False
    member[0, 4:6] = ~member[0, 2:4]
    return logprobs[0], logprobs[1:], member


def valid(row):
    return [max(x, -1e4) for x in row if not isnan(x)]


def average(values):
    return sum(values) / len(values) if values else nan


def units(target, models, member, unit):
    """Per unit: what the target says, what each model says, who saw it, which text it is of."""
    for i, row in enumerate(target):
        if unit == "text" and valid(row):
            yield average(valid(row)), [average(valid(m[i])) for m in models], member[:, i], i
        if unit == "token":
            for j, x in enumerate(row):
                if not isnan(x):
                    yield max(x, -1e4), [max(m[i, j], -1e4) for m in models], member[:, i], i


def of_texts(found, texts):
    return [average([x for i, x in found if i == text]) for text in range(texts)]


def spreads(sides, std):
    """The deviation of each unit's models, which is that of all units where so few are there."""
    squares = [sum((x - average(side)) ** 2 for x in side) for side in sides]
    free = [max(0, len(side) - 1) for side in sides]
    pooled = sum(squares) / sum(free)
    found = []
    for square, degrees, side in zip(squares, free, sides, strict=True):
        kind = std
        if std == "auto":
            kind = "candidate" if len(side) >= 32 else "shrunk" if len(side) >= 4 else "global"
        own = square / degrees if degrees else nan
        mixed = (4 * pooled + square) / (4 + degrees)
        variance = {"candidate": own, "shrunk": mixed, "global": pooled}[kind]
        found.append(max(sqrt(variance), 1e-3 * sqrt(pooled)))
    return found


def scale(x, statistic):
    x = min(x, -1e-10) if statistic == "logit" else x
    return x if statistic == "logprob" else x - log(-expm1(x))


def naive_lira(given, *, unit, statistic, std, offline):
    every = list(units(*given, unit))
    seen = [scale(x, statistic) for x, *_ in every]
    sides = [
        [[scale(x, statistic) for x, s in zip(xs, saw, strict=True) if s == kind]
         for _, xs, saw, _ in every]
        for kind in (True, False)
    ]  # fmt: skip
    deviations = [spreads(side, std) for side in sides]
    found = []
    for i, x in enumerate(seen):
        values = []
        for side, deviation in zip(sides, deviations, strict=True):
            z = (x - average(side[i])) / deviation[i] if len(side[i]) > 1 else nan
            values.append(z if offline else -(z**2) / 2 - log(deviation[i] * sqrt(2 * pi)))
        found.append((every[i][3], values[1] if offline else values[0] - values[1]))
    return of_texts(found, len(given[0]))


def naive_rmia(given, *, unit, mode, a):
    found = []
    for x, xs, saw, text in units(*given, unit):
        side = {
            kind: average([exp(x) for x, s in zip(xs, saw, strict=True) if s == kind])
            for kind in (True, False)
        }
        if mode == "online":
            average_p = (side[True] + side[False]) / 2
        else:
            average_p = ((1 + a) * side[False] + (1 - a)) / 2
        found.append((text, x - log(max(average_p, 1e-30))))
    return of_texts(found, len(given[0]))


@pytest.mark.parametrize("unit", ["text", "token"])
@pytest.mark.parametrize("statistic", ["logprob", "logit"])
@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("models", [5, 10, 70])
def test_lira_equals_the_loop(unit, statistic, std, models):
    given = ragged(m=models)
    how = {"unit": unit, "statistic": statistic, "std": std}
    with np.errstate(invalid="raise"):
        found, offline = lira(*given, **how), lira_offline(*given, **how)
    if std != "candidate":  # where two models on a side decide, the loop divides by nothing
        assert np.isnan(offline).sum() < np.isnan(found).sum() < 30
    close(found, naive_lira(given, **how, offline=False))
    close(offline, naive_lira(given, **how, offline=True))


@pytest.mark.parametrize("unit", ["text", "token"])
@pytest.mark.parametrize("how", [{"a": 1.0}, {"a": 0.3}, {"a": 0.0}, {"mode": "online"}])
def test_rmia_equals_the_loop(unit, how):
    given = ragged()
    both = {"mode": "offline", "a": 1.0, **how}
    found = rmia(*given, unit=unit, **both)
    assert 0 < np.isnan(found).sum() < 20
    close(found, naive_rmia(given, unit=unit, **both))


HAND = (
    np.array([[-1.0, NAN], [-2.0, -4.0]]),
    np.array([[[-1.0, NAN], [-3.0, -1.0]], [[-3.0, NAN], [-5.0, -3.0]],
              [[-4.0, NAN], [-1.0, -1.0]], [[-6.0, NAN], [-3.0, -3.0]]]),
    np.array([[True, False], [True, False], [False, True], [False, True]]),
)  # fmt: skip


def test_lira_by_hand():
    """In the means -2 and -2, out -5 and -3, all deviations the square root of 2."""
    first = -(1**2) / 4 + 4**2 / 4
    second = -(1**2) / 4 + 0
    for std in STDS:
        close(lira(*HAND, std=std), [first, second])
        close(lira_offline(*HAND, std=std), [4 / sqrt(2), 0])


def test_rmia_by_hand():
    out = [(exp(-4) + exp(-6)) / 2, (exp(-2) + exp(-4)) / 2]
    inside = [(exp(-1) + exp(-3)) / 2, (exp(-1) + exp(-3)) / 2]
    own = [-1, -3]
    close(rmia(*HAND), [x - log(p) for x, p in zip(own, out, strict=True)])
    mixed = [x - log(0.65 * p + 0.35) for x, p in zip(own, out, strict=True)]
    close(rmia(*HAND, a=0.3), mixed)
    both = [x - log((p + q) / 2) for x, p, q in zip(own, out, inside, strict=True)]
    close(rmia(*HAND, mode="online"), both)


def planted(n=400, m=16, t=30, gap=0.5, seed=3):
    """A target and models that find what they saw likelier by ``gap``; texts differ by far more."""
    rng = np.random.default_rng(seed)
    halves = rng.permuted(np.tile(np.arange(n) % 2 == 0, (m // 2, 1)), axis=1)
    member = np.stack([halves, ~halves], axis=1).reshape(m, n)
    truth = rng.random(n) < 0.5
    saw = np.concatenate([truth[None], member])
    level = rng.normal(-6.0, 1.0, n)[:, None] - rng.gamma(2.0, 1.0, (n, t))
    logprobs = level + gap * saw[..., None] + 0.3 * rng.normal(size=(m + 1, n, t))
    return logprobs[0], logprobs[1:], member, truth


@pytest.mark.parametrize("score", [lira, lira_offline, rmia])
@pytest.mark.parametrize("unit", ["text", "token"])
def test_a_planted_leak_is_found_and_nothing_where_there_is_none(score, unit):
    *given, truth = planted()
    assert auc(score(*given, unit=unit), truth).value > 0.98
    *given, truth = planted(gap=0.0)
    assert abs(auc(score(*given, unit=unit), truth).value - 0.5) < 4 * sqrt(801 / 12) / 200


def test_rmia_of_unlikely_texts_needs_an_a_near_one():
    *given, truth = planted()
    tuned, small = rmia(*given, a="tune"), rmia(*given, a=0.0)
    assert auc(tuned, truth).value == auc(rmia(*given), truth).value > 0.98
    assert auc(small, truth).value < 0.7, "p + 1 of all texts is the same: what is left is p"


def test_a_is_tuned_without_the_twin_of_the_model_it_is_tuned_on():
    *_, member, _ = planted()
    given = planted()[1]
    p = np.exp(given.mean(axis=2))
    other = p.copy()
    other[1] = np.random.default_rng(0).random(p.shape[1])
    assert references.tuned(p, member) == references.tuned(other, member) == 1.0
    assert references.tuned(p[:1], member[:1]) == 1.0
    assert references.tuned(p[:, :0], member[:, :0]) == 1.0


def test_a_text_that_too_few_models_saw_or_did_not_has_no_score():
    target, models = np.full((5, 3), -1.0), np.random.default_rng(0).normal(-2, 0.1, (4, 5, 3))
    member = np.arange(4)[:, None] < np.arange(5)
    assert np.isnan(lira(target, models, member)).tolist() == [True, True, False, True, True]
    offline = np.isnan(lira_offline(target, models, member))
    assert offline.tolist() == [False, False, False, True, True]
    assert np.isnan(rmia(target, models, member)).tolist() == [False] * 4 + [True]
    online = np.isnan(rmia(target, models, member, mode="online"))
    assert online.tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("score", [lira, lira_offline, rmia])
@pytest.mark.parametrize("unit", ["text", "token"])
def test_a_model_that_has_no_answer_to_a_text_counts_for_nothing_there(score, unit):
    *given, _ = planted(n=30, m=8)
    target, models, member = given
    silent, fewer = models.copy(), [np.delete(one, 2, axis=0) for one in (models, member)]
    silent[2, :7] = NAN
    found = score(target, silent, member, unit=unit)
    assert np.isfinite(found).all()
    if score is rmia:  # each text by itself
        close(found[:7], score(target, *fewer, unit=unit)[:7])
        close(found[7:], score(target, models, member, unit=unit)[7:])


@pytest.mark.parametrize("score", [lira, lira_offline, rmia])
@pytest.mark.parametrize("unit", ["text", "token"])
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_score_scores_nothing(score, unit, shape):
    given = np.zeros(shape), np.zeros((4, *shape)), np.arange(4)[:, None] < np.full(shape[:1], 2)
    np.testing.assert_array_equal(score(*given, unit=unit), np.full(shape[0], NAN))


@pytest.mark.parametrize("unit", ["text", "token"])
@pytest.mark.parametrize("statistic", ["logprob", "logit"])
@pytest.mark.parametrize("std", STDS)
def test_certain_and_impossible_texts_have_finite_scores(unit, statistic, std):
    target = np.array([[0.0, 0.0], [-INF, -1.0], [-1.0, -1.0]])
    models, member = np.stack([target] * 4), np.tile([[True], [False]], (2, 3))
    how = {"unit": unit, "statistic": statistic, "std": std}
    close(lira(target, models, member, **how), [0, 0, 0])
    close(lira_offline(target, models, member, **how), [0, 0, 0])
    assert np.isfinite(rmia(target, models, member, unit=unit)).all()


def test_the_median_is_a_centre_that_one_model_does_not_move():
    reference = np.array([[0.0, 1.0], [2.0, 2.0], [100.0, NAN], [4.0, 5.0]])
    side = np.array([[True, True], [True, True], [True, True], [False, True]])
    middle, _ = references.gaussian(reference, side, centre="median")
    close(middle, [2, 2])
    close(references.gaussian(reference[:2], side[:2], centre="median")[0], [1, 1.5])


@pytest.mark.parametrize("std", STDS)
def test_deviations_are_about_the_mean_whatever_the_centre(std):
    reference = np.random.default_rng(5).gamma(1.0, 1.0, (12, 9))
    side = np.random.default_rng(6).random((12, 9)) < 0.6
    found, expected = (
        references.gaussian(reference, side, std=std, centre=centre)
        for centre in ("median", "mean")
    )
    np.testing.assert_array_equal(found[1], expected[1])
    assert (found[0] != expected[0]).all()


def test_how_candidates_differ_is_no_part_of_the_common_deviation():
    """The authors' script pools raw values, in which hard and easy texts differ."""
    *given, truth = planted(m=4)
    reference = given[1].mean(axis=2)
    _, deviation = references.gaussian(reference, given[2], std="global")
    close(deviation, 0.3 / sqrt(30), 0.01)
    assert reference[given[2]].std() > 10 * deviation[0]
    assert truth.any()
