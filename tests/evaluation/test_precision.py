"""When to stop adding references: by hand, and simulated over redrawn references."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import t as student

from nonmember.errors import SpecError
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.precision import (
    Spread,
    combined,
    decide,
    level_of_look,
    rounds,
    spread_over,
)
from nonmember.evaluation.roc import auc, tally

FIGURES = {"auc": lambda counts: counts.auc(), "tpr": lambda counts: counts.tpr_at(0.1)}


def test_looks_double_and_end_at_the_most():
    assert rounds(64, first=4) == (4, 8, 16, 32, 64)
    assert rounds(20) == (8, 16, 20)
    assert rounds(8) == (8,)


@pytest.mark.parametrize(("most", "first"), [(7, 4), (8, 3), (4, 8), (0, 0)])
def test_references_that_are_no_pairs_are_refused(most, first):
    with pytest.raises(SpecError, match="pairs"):
        rounds(most, first=first)


def test_the_level_is_spent_on_looks_that_can_stop():
    assert level_of_look(0.95, rounds(16, first=4)) == pytest.approx(0.975)
    assert level_of_look(0.95, (8,)) == pytest.approx(0.95)


def test_the_error_of_a_mean_is_that_of_the_textbook():
    """Of a figure that is a mean over pairs, the jackknife's variance is the sample's over m."""
    of_pair = np.random.default_rng(0).normal(size=30)

    def score(rows):
        assert (rows[1::2] == rows[::2] + 1).all()
        return np.full(3, of_pair[rows[::2] // 2].mean())

    expected = of_pair.std(ddof=1) / np.sqrt(30)
    errors = [spread_over(score, 60, lambda s: float(s[0]), seed=seed).error for seed in range(60)]
    assert np.mean(np.square(errors)) == pytest.approx(expected**2, rel=0.1)
    found = spread_over(score, 60, lambda s: float(s[0]))
    assert found.value == pytest.approx(of_pair.mean())
    assert found.error == pytest.approx(expected, rel=0.5)
    assert (found.references, found.freedom) == (60, 19)
    assert found.reach(0.95) == pytest.approx(student.ppf(0.975, 19) * found.error)


@pytest.mark.parametrize("references", [2, 6])
def test_too_few_pairs_cannot_tell(references):
    found = spread_over(lambda rows: np.zeros(3), references, lambda s: 0.7)
    assert (found.value, found.error, found.reach(0.95)) == (0.7, np.inf, np.inf)


def test_a_candidate_that_some_cannot_score_leaves_the_spread_open():
    def score(rows):
        return np.array([1.0, 2.0 if len(rows) == 16 else np.nan])

    assert spread_over(score, 16, lambda s: 0.5).error == np.inf


def interval(low, value, high, level=0.95):
    return Interval(low, value, high, level)


def spread(error, references=16):
    return Spread(0.6, error, references, references // 2 - 1)


def decided(own, error, *, asked=0.03, references=16, sizes=(8, 16, 32)):
    ends = interval(0.6 - own, 0.6, 0.6 + own)
    return decide(spread(error, references), ends, asked=asked, candidates=400, sizes=sizes)


def test_narrow_enough_stops():
    found = decided(0.02, 0.005)
    assert (found.next, found.references, found.candidates) == ("enough", 16, 400)
    assert found.owed_to_references == pytest.approx(student.ppf(0.975, 7) * 0.005)
    reach = np.hypot(0.02, found.owed_to_references)
    assert found.interval.low == pytest.approx(0.6 - reach)
    assert found.interval.high == pytest.approx(0.6 + reach)


def test_where_references_are_the_limit_the_next_look_has_twice_as_many():
    found = decided(0.02, 0.05)
    assert (found.next, found.references) == ("references", 32)
    assert decided(0.05, 0.05).next == "references"
    assert decided(0.5, np.inf, references=4, sizes=(4, 8)).references == 8


def test_where_candidates_are_the_limit_it_says_how_many():
    found = decided(0.06, 0.005)
    assert (found.next, found.references, found.candidates) == ("candidates", 16, 1600)


def test_no_more_references_than_there_may_be():
    found = decided(0.02, 0.05, references=32)
    assert (found.next, found.references) == ("most", 32)


def test_the_wider_arm_counts():
    lopsided = interval(0.5, 0.6, 0.61)
    found = decide(spread(0.0), lopsided, asked=0.05, candidates=100, sizes=(16,))
    assert (found.next, found.candidates) == ("candidates", 400)


@pytest.mark.parametrize("asked", [0.0, 1.0, -0.1, float("nan")])
def test_a_precision_that_is_none_is_refused(asked):
    with pytest.raises(SpecError, match="between 0 and 1"):
        decide(spread(0.01), interval(0.5, 0.6, 0.7), asked=asked, candidates=100, sizes=(16,))


def test_a_combined_interval_stays_a_share():
    assert combined(interval(0.9, 0.95, 0.97), np.inf) == interval(0.0, 0.95, 1.0)
    assert combined(interval(0.9, 0.95, 0.97), 0.0) == interval(0.9, 0.95, 0.97)


class World:
    """Candidates of one target; references can be drawn anew."""

    def __init__(self, seed, n=300):
        self.rng = np.random.default_rng(seed)
        self.level, self.own = self.rng.normal(size=n), np.exp(0.5 * self.rng.normal(size=n))
        self.member = self.rng.permutation(n) < n // 2
        self.observed = self.said(self.member[None])[0]

    def said(self, saw):
        """Margins by models that were trained on these; a model's own level is common to all."""
        noise = self.rng.normal(size=saw.shape) + 0.3 * self.rng.normal(size=(len(saw), 1))
        return self.level + self.own * saw + noise

    def references(self, m):
        """The scores by these rows of m new references: midway between IN and OUT, or above."""
        half = np.array([self.rng.permutation(len(self.member)) < 150 for _ in range(m // 2)])
        saw = np.stack([half, ~half], axis=1).reshape(m, -1)
        said = self.said(saw)

        def score(rows):
            ours, there = said[rows], saw[rows]
            inside = np.where(there, ours, 0).sum(axis=0) / there.sum(axis=0)
            outside = np.where(there, 0, ours).sum(axis=0) / (~there).sum(axis=0)
            return (inside - outside) * (self.observed - (inside + outside) / 2)

        return score


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("references", [8, 32])
def test_the_spread_is_that_over_redrawn_references(name, references):
    """Within a factor of 1.5, on average over what one of them would say."""
    true, told = [], []
    for seed in range(3):
        world = World(seed)

        def figure(scores, member=world.member):
            return float(FIGURES[name](tally(scores, member))[0])

        again = [spread_over(world.references(references), references, figure) for _ in range(15)]
        true.append(np.var([one.value for one in again], ddof=1))
        told.append(np.mean([one.error**2 for one in again]))
    assert 1 / 1.5 < np.sqrt(np.mean(told) / np.mean(true)) < 1.5


@cache
def expected(references):
    """The area that this attack has on average, over candidates and references."""
    found = []
    for seed in range(400):
        world = World(1000 + seed)
        scores = world.references(references)(np.arange(references))
        found.append(float(tally(scores, world.member).auc()[0]))
    return np.mean(found)


def test_intervals_hold_wherever_one_stops():
    """At least 95 % cover, less two standard errors of 60 simulations."""
    sizes, covered, stops = rounds(32, first=4), 0, set()
    level = level_of_look(0.95, sizes)
    for seed in range(60):
        world = World(seed)
        score = world.references(sizes[-1])
        for references in sizes:
            found = spread_over(
                score, references, lambda s, truth=world.member: float(tally(s, truth).auc()[0])
            )
            own = auc(score(np.arange(references)), world.member, level=level)
            decision = decide(found, own, asked=0.085, candidates=300, sizes=sizes)
            if decision.next != "references":
                break
        stops.add((references, decision.next))
        covered += not decision.interval.excludes(expected(references))
    assert len(stops) > 1
    assert covered / 60 >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / 60)
