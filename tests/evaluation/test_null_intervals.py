"""Every interval and p-value there is, in simulated audits whose truth is known.

Coverage of 95 % intervals is to be at least 93 %, false alarms of tests at 5 % at most 5 %; both
less (or more) two binomial standard errors of the simulation. Here are few simulations of 100
records; ``benchmarks/null_intervals.py`` runs these worlds with up to 2,000, and more often, and
those that would take long here or that tests/evaluation/test_coverage.py runs already.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from nonmember.evaluation.attack_accuracy import attack_accuracy
from nonmember.evaluation.crossed import mean_auc
from nonmember.evaluation.intervals import Interval, mean_interval
from nonmember.evaluation.paired import auc_difference, mcnemar, paired, tpr_difference
from nonmember.evaluation.persons import persons
from nonmember.evaluation.pooled import pooled_tpr
from nonmember.evaluation.risk import named, p_values, ppv, risks
from nonmember.evaluation.roc import TprAtFpr, auc, bootstrap, tpr_at_fpr
from nonmember.evaluation.sets import dataset_inference
from nonmember.evaluation.slices import slices
from nonmember.evaluation.utility import accuracy, brier, calibration_error, confidence_auc, loss

COVER, ALARM = 0.93, 0.05
FEW, TIMES = 40, 400  # simulations here, and samples: fewer do not give the ends themselves
ELSEWHERE = ("auc, 0", "tpr, auc", "auc difference, 0.5", "auc difference, 0.99", "tpr difference")
AREAS = (0.5, 0.8, 0.99)
ROOT = np.sqrt(2)

Estimate = Callable[[int, int, int], tuple[Interval, float]]
"""From records in all, a seed and bootstrap samples to an interval and the truth."""


@dataclass(frozen=True)
class World:
    """What is simulated, by name; ``estimate`` gives the truth too, NaN for the mean estimate."""

    name: str
    estimate: Estimate


def scored(n: int, seed: int, area: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard normal scores of as many members as others, whose AUC is ``area``."""
    member = np.arange(n) < n // 2
    scores = np.random.default_rng(seed).normal(size=n) + ROOT * ndtri(area) * member
    return scores, member, np.arange(n)


def two(n: int, seed: int, areas: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """The same of two models that agree to 0.8."""
    rng, member = np.random.default_rng(seed), np.arange(n) < n // 2
    common = rng.normal(size=n)
    first, second = (
        np.sqrt(0.8) * common + np.sqrt(0.2) * rng.normal(size=n) + ROOT * ndtri(area) * member
        for area in areas
    )
    return first, second, member, np.arange(n)


def beyond(area: float, fpr: float) -> float:
    """The true-positive rate at a true false-positive rate."""
    return float(ndtr(ROOT * ndtri(area) + ndtri(fpr)))


def rate(n: int, alarms: int) -> float:
    """The false-positive rate at which so many of n / 2 non-members are flagged."""
    return 2 * alarms / n


def area_of(area: float) -> Estimate:
    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        scores, member, group = scored(n, seed, area)
        drawn = bootstrap(scores, member, group, times=times, seed=seed)
        return auc(scores, member, drawn), area

    return estimate


def at_rate(n: int, seed: int, times: int, area: float, alarms: int) -> tuple[TprAtFpr, float]:
    """The rate, and the threshold it is at."""
    scores, member, group = scored(n, seed, area)
    fpr = rate(n, alarms)
    drawn = bootstrap(scores, member, group, fprs=(fpr,), times=times, seed=seed)
    threshold = float(np.sort(scores[~member])[-alarms - 1])
    return tpr_at_fpr(scores, member, drawn, fpr=fpr), threshold


def tpr_of(area: float, alarms: int) -> Estimate:
    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        return at_rate(n, seed, times, area, alarms)[0].tpr, beyond(area, rate(n, alarms))

    return estimate


def fpr_of(alarms: int) -> Estimate:
    """Of the threshold that was used."""

    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        found, threshold = at_rate(n, seed, times, 0.8, alarms)
        return found.measured_fpr, float(ndtr(-threshold))

    return estimate


def ppv_of(area: float, alarms: int, prior: float) -> Estimate:
    """Of the threshold that was used."""

    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        found, threshold = at_rate(n, seed, times, area, alarms)
        (share,) = (one.ppv for one in risks(found) if one.prior == prior)
        truth = ppv(prior, float(ndtr(ROOT * ndtri(area) - threshold)), float(ndtr(-threshold)))
        assert truth is not None
        return share or Interval(0.0, 0.0, 1.0, 0.95), truth  # nobody flagged: nothing is told

    return estimate


def change_of(areas: tuple[float, float], alarms: int | None = None) -> Estimate:
    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        given = two(n, seed, areas)
        if alarms is None:
            both = paired(*given, times=times, seed=seed)
            return auc_difference(both).change, areas[1] - areas[0]
        fpr = rate(n, alarms)
        truth = beyond(areas[1], fpr) - beyond(areas[0], fpr)
        both = paired(*given, fprs=(fpr,), times=times, seed=seed)
        return tpr_difference(both, fpr).change, truth

    return estimate


def accuracy_of_attack(area: float) -> Estimate:
    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        found = attack_accuracy(*scored(n, seed, area), times=times, seed=seed)
        return found.balanced, 0.5 if area == 0.5 else np.nan

    return estimate


def classified(n: int, seed: int, scale: float) -> tuple[np.ndarray, ...]:
    """Logits of four classes that are right as often as they say, and labels."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(n, 4))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (odds.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return logits, np.minimum(labels, 3), np.arange(n)


def worth_of(figure: Callable[..., Interval], scale: float, *, sampled: bool = False) -> Estimate:
    truth = figure(*classified(100_000, 2**31, scale), **({"times": 1} if sampled else {})).value
    if figure is calibration_error:
        truth = 0.0  # these are right as often as they say, whatever a sample shows

    def estimate(n: int, seed: int, times: int) -> tuple[Interval, float]:
        drawn = {"times": times, "seed": seed} if sampled else {}
        return figure(*classified(n, seed, scale), **drawn), truth

    return estimate


def mean_of_skewed(n: int, seed: int, _times: int) -> tuple[Interval, float]:
    """Two records of a person, whose values are the same; their mean is that of a lognormal."""
    values = np.random.default_rng(seed).lognormal(size=n // 2)
    return mean_interval(np.repeat(values, 2), np.arange(n) // 2), float(np.exp(0.5))


def many(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Twelve models in complementary pairs, and how exposed either and each record are."""
    rng = np.random.default_rng(seed)
    pairs = rng.permuted(np.tile(np.arange(n) < n // 2, (6, 1)), axis=1)
    member = np.stack([pairs, ~pairs], axis=1).reshape(12, n)
    level = np.repeat(0.3 * rng.normal(size=6), 2)[:, None] + 0.3 * rng.normal(size=n)
    scores = rng.normal(size=(12, n)) + (ROOT * ndtri(0.7) + level) * member
    return scores, member, np.arange(12) // 2, np.arange(n)


def mean_area(n: int, seed: int, _times: int) -> tuple[Interval, float]:
    # A difference of normals, of variance 2 + 0.09 + 0.09 where the levels vary as well.
    return mean_auc(*many(n, seed)).mean, float(ndtr(ROOT * ndtri(0.7) / np.sqrt(2.18)))


def pooled(n: int, seed: int, _times: int) -> tuple[Interval, float]:
    found = pooled_tpr(*many(n, seed), fpr=0.05, seed=seed)
    assert found is not None
    return found, float(ndtr((ROOT * ndtri(0.7) - ndtri(0.95)) / np.sqrt(1.18)))


def of_persons(n: int, seed: int, times: int) -> tuple[Interval, float]:
    rng = np.random.default_rng(seed)
    group = np.arange(n) // 4
    member = group % 2 == 0
    scores = rng.normal(size=n) + rng.normal(size=n)[group] + ROOT * np.sqrt(1.25) * 0.5 * member
    return persons(scores, member, group, times=times, seed=seed).auc, float(ndtr(0.5))


def effect(n: int, seed: int, _times: int) -> tuple[Interval, float]:
    features = np.random.default_rng(seed).normal(size=(n, 3))
    found = dataset_inference(features, np.arange(n) < n // 2, np.arange(n), repeats=3, seed=seed)
    return found.effect, 0.0


def intervals() -> list[World]:
    """All of them, at the centre and in the tails."""
    found = [World(f"auc, {area}", area_of(area)) for area in AREAS]
    for alarms in (1, 10):
        told = f"{alarms} expected false positive{'s' * (alarms > 1)}"
        found += [World(f"tpr, auc {area}, {told}", tpr_of(area, alarms)) for area in AREAS]
        found += [
            World(f"measured fpr, {told}", fpr_of(alarms)),
            World(f"ppv at 0.1, auc 0.8, {told}", ppv_of(0.8, alarms, 0.1)),
            World(f"tpr difference, auc 0.8 and 0.6, {told}", change_of((0.8, 0.6), alarms)),
            World(f"tpr difference, auc 0.99 twice, {told}", change_of((0.99, 0.99), alarms)),
        ]
    found += [
        World(f"auc difference, {one} and {other}", change_of((one, other)))
        for one, other in ((0.5, 0.5), (0.8, 0.6), (0.99, 0.99))
    ]
    found += [World(f"attack accuracy, auc {area}", accuracy_of_attack(area)) for area in AREAS]
    for scale in (2.0, 8.0):
        found += [
            World(f"accuracy, scale {scale:.0f}", worth_of(accuracy, scale)),
            World(f"loss, scale {scale:.0f}", worth_of(loss, scale)),
            World(f"brier, scale {scale:.0f}", worth_of(brier, scale)),
            World(
                f"calibration error, scale {scale:.0f}",
                worth_of(calibration_error, scale, sampled=True),
            ),
            World(
                f"confidence auc, scale {scale:.0f}", worth_of(confidence_auc, scale, sampled=True)
            ),
        ]
    for scale in (16.0, 64.0):  # surer and surer: of 100 records about six, or one, are wrong
        found += [
            World(f"loss, scale {scale:.0f}", worth_of(loss, scale)),
            World(f"brier, scale {scale:.0f}", worth_of(brier, scale)),
        ]
    return [
        *found,
        World("mean of lognormals", mean_of_skewed),
        World("mean auc of twelve models", mean_area),
        World("pooled tpr of twelve models", pooled),
        World("auc of persons", of_persons),
        World("effect of dataset inference, null", effect),
    ]


NullTest = Callable[[int, int, int], float]
"""From records in all, a seed and bootstrap samples to a p-value; nothing is to be found."""


def null_tests() -> dict[str, NullTest]:
    """All p-values there are, where there is nothing to be found; of named, 0 if anybody is."""

    def of_change(n: int, seed: int, times: int) -> float:
        both = paired(*two(n, seed, (0.7, 0.7)), times=times, seed=seed)
        return auc_difference(both).p_value

    def of_rates(n: int, seed: int, times: int) -> float:
        given, fpr = two(n, seed, (0.7, 0.7)), rate(n, 10)
        both = paired(*given, fprs=(fpr,), times=times, seed=seed)
        return tpr_difference(both, fpr).p_value

    def of_flags(n: int, seed: int, _times: int) -> float:
        first, second, *_ = two(n, seed, (0.5, 0.5))
        return mcnemar(first > 1, second > 1).p_value

    def of_record(n: int, seed: int, _times: int) -> float:
        return float(p_values(*scored(n, seed, 0.5))[0])

    def of_names(n: int, seed: int, _times: int) -> float:
        return 0.0 if named(*scored(n, seed, 0.5), confidence=0.95).records else 1.0

    def of_slices(n: int, seed: int, times: int) -> float:
        scores, member, group = scored(4 * n, seed, 0.5)
        found = slices(scores, member, group, {"quarter": group % 4}, times=times, seed=seed)
        return min(one.p_value for one in found.tested if one.p_value is not None)

    def of_sets(n: int, seed: int, _times: int) -> float:
        features = np.random.default_rng(seed).normal(size=(n, 3))
        suspect = np.arange(n) < n // 2
        return dataset_inference(features, suspect, np.arange(n), repeats=3, seed=seed).p

    return {
        "auc difference": of_change,
        "tpr difference, 10 expected false positives": of_rates,
        "mcnemar": of_flags,
        "conformal p-value of a record": of_record,
        "anybody named with 95 % confidence": of_names,
        "smallest of four slices, Holm": of_slices,
        "dataset inference": of_sets,
    }


def coverage(world: World, n: int, simulations: int, times: int) -> float:
    """The share of intervals that hold the truth, or the mean estimate where that is unknown."""
    found, truths = zip(*(world.estimate(n, s, times) for s in range(simulations)), strict=True)
    mean = float(np.mean([one.value for one in found]))
    known = [mean if np.isnan(truth) else float(truth) for truth in truths]
    return float(np.mean([not a.excludes(b) for a, b in zip(found, known, strict=True)]))


def alarms(test: NullTest, n: int, simulations: int, times: int) -> float:
    """The share of p-values of at most 5 %."""
    return float(np.mean([test(n, seed, times) <= ALARM for seed in range(simulations)]))


def least(simulations: int) -> float:
    """The coverage to be reached, less two standard errors."""
    return COVER - 2 * np.sqrt(COVER * (1 - COVER) / simulations)


def most(simulations: int) -> float:
    """The false alarms allowed, and two standard errors."""
    return ALARM + 2 * np.sqrt(ALARM * (1 - ALARM) / simulations)


@pytest.mark.parametrize(
    "world",
    [world for world in intervals() if not world.name.startswith(ELSEWHERE)],
    ids=lambda world: world.name,
)
def test_intervals_cover(world: World) -> None:
    assert coverage(world, 100, FEW, TIMES) >= least(FEW)


@pytest.mark.parametrize("name", [name for name in null_tests() if "Holm" not in name])
def test_false_alarms_are_no_more_than_the_nominal_share(name: str) -> None:
    assert alarms(null_tests()[name], 100, FEW, TIMES) <= most(FEW)


def test_a_simulation_tells_an_interval_that_is_too_narrow() -> None:
    """Half as wide they cover 67 %; of p-values a fourth as large, a fifth are at most 5 %."""

    def halved(n: int, seed: int, times: int) -> tuple[Interval, float]:
        one, truth = area_of(0.8)(n, seed, times)
        low, high = (one.value + (end - one.value) / 2 for end in (one.low, one.high))
        return Interval(low, one.value, high, one.level), truth

    assert coverage(World("halved", halved), 100, FEW, TIMES) < least(FEW)
    test = null_tests()["auc difference"]
    assert alarms(lambda *how: test(*how) / 4, 100, FEW, TIMES) > most(FEW)
