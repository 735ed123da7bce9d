"""How often a lower bound of epsilon is above 0 where nothing leaks, and what it finds if it does.

    python benchmarks/null_bounds.py

Scores are drawn at random, blind to membership, 1,000 times for every bound and size; more than
5 % of bounds above 0, and two standard errors, ends the script with an error. The two rows named
"not offered" look for the best figure without paying for the search; they show that the simulation
finds such faults. Then members' scores are shifted by two standard deviations, 100 times: the
median bound, and how many exceed the truth. Writes benchmarks/results/null_bounds.json; about one
minute on one core.
"""

import sys
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
from machine import keep, rounded

from nonmember.evaluation.epsilon import Bound, from_counts, two_sided
from nonmember.evaluation.f_dp import gaussian_epsilon, one_run_f_dp
from nonmember.evaluation.one_run import best_of, correct_guesses, grid, one_run
from nonmember.evaluation.roc import tally
from nonmember.seeds import derive, generator
from nonmember.types import Member, Scores

NULLS, LEAKS, NOMINAL, SHIFT, DELTA = 1000, 100, 0.05, 2.0, 1e-5
MOST = NOMINAL + 2 * sqrt(NOMINAL * (1 - NOMINAL) / NULLS)
SIZES = (100, 200, 1000, 2000)
PERSON = 5  # records of one, with one score

Way = Callable[[Scores, Member, int], Bound]
once, once_f_dp = cache(one_run), cache(one_run_f_dp)  # bounds depend on counts alone


def best_threshold(scores: Scores, member: Member, _seed: int) -> Bound:
    """The best of a hundred thresholds and more, as if it had been the only one: not valid."""
    counts = tally(scores, member)
    found, alarms = (
        np.cumsum(side[0]).astype(int) for side in (counts.members, counts.non_members)
    )
    steps = np.unique(np.geomspace(1, len(found) - 1, 50).astype(int))
    tried = (
        from_counts(
            *(int(count) for count in (found[at], found[-1], alarms[at], alarms[-1])),
            direction=direction,
        )
        for at in np.union1d(steps, len(found) - 1 - steps)
        for direction in ("tpr", "tnr")
    )
    return max(tried, key=lambda bound: bound.epsilon)


def best_guesses(scores: Scores, member: Member, seed: int) -> Bound:
    """The best of twenty numbers of guesses, as if it had been the only one: not valid."""
    canaries = len(scores)
    numbers = [canaries * part // 20 for part in range(1, 21)]
    tried = (once(correct_guesses(scores, member, r, seed=seed), r, canaries) for r in numbers)
    return max(tried, key=lambda bound: bound.epsilon)


def by_persons(scores: Scores, member: Member, seed: int) -> Bound:
    """Persons of five records, all with the score of the first."""
    order = np.argsort(member, kind="stable")
    person = np.empty(len(scores), dtype=int)
    person[order] = np.arange(len(scores)) // PERSON
    first = np.unique(person, return_index=True)[1]
    return two_sided(scores[first][person], member, person, seed=seed)


def sided(threshold: Any, at: tuple[float, ...] = ()) -> Way:
    """A two-sided bound of pooled records."""
    return lambda scores, member, seed: two_sided(
        scores, member, threshold=threshold, at=at, seed=seed
    )


def guessed(bound: Callable[..., Bound], share: float | None, decimals: int | None = None) -> Way:
    """A bound of one run: one share of the canaries guessed at, or the grid of shares."""

    def way(scores: Scores, member: Member, seed: int) -> Bound:
        told = scores if decimals is None else scores.round(decimals)
        made = grid(len(scores)) if share is None else (round(share * len(scores)),)
        return best_of(told, member, made, bound=bound, coins=True, seed=seed)

    return way


POOLED: dict[str, Way] = {
    "two-sided, fixed": sided("fixed", (0.0,)),
    "two-sided, split": sided("split"),
    "two-sided, split, persons of five": by_persons,
    "two-sided, Bonferroni, five fixed": sided("bonferroni", (-2.0, -1.0, 0.0, 1.0, 2.0)),
    "two-sided, Bonferroni, eleven by rank": sided("bonferroni"),
    "not offered: best of many thresholds": best_threshold,
}
COINS: dict[str, Way] = {
    "one run, all guessed": guessed(once, 1.0),
    "one run, a tenth guessed": guessed(once, 0.1),
    "one run, a tenth guessed, ties": guessed(once, 0.1, decimals=0),
    "one run, grid": guessed(once, None),
    "f-DP Gaussian, all guessed": guessed(once_f_dp, 1.0),
    "f-DP Gaussian, a tenth guessed": guessed(once_f_dp, 0.1),
    "f-DP Gaussian, grid": guessed(once_f_dp, None),
    "f-DP approximate, grid": guessed(partial(once_f_dp, curve="approximate"), None),
    "not offered: best of twenty numbers of guesses": best_guesses,
}


def drawn(way: str, size: int, shift: float, seed: int) -> tuple[Scores, Member]:
    """Pooled: ``size`` records of either side; coins: ``size`` canaries, each with its own."""
    rng = generator(seed, way, size, str(shift))
    member = np.arange(2 * size) < size if way in POOLED else rng.random(size) < 0.5
    return rng.normal(size=len(member)) + shift * member, member


def bounds(way: str, size: int, shift: float, times: int) -> np.ndarray:
    """The bounds of so many audits."""
    found = (POOLED | COINS)[way]
    return np.array(
        [
            found(*drawn(way, size, shift, time), derive(time, "bounds")).epsilon
            for time in range(times)
        ]
    )


def main() -> None:
    """Simulate audits of nothing, then of a leak."""
    truth = gaussian_epsilon(SHIFT, DELTA)
    alarms, leaks = {way: dict[str, float]() for way in POOLED | COINS}, dict[str, Any]()
    for way, size in product(POOLED | COINS, SIZES):
        alarms[way][str(size)] = float(np.mean(bounds(way, size, 0.0, NULLS) > 0))
        print(f"{way:50} {size:5} {alarms[way][str(size)]:7.1%}", flush=True)
    offered = [way for way in POOLED | COINS if "not offered" not in way]
    for way, size in product(offered, SIZES):
        found = bounds(way, size, SHIFT, LEAKS)
        leaks.setdefault(way, {})[str(size)] = {
            "median": rounded(float(np.median(found))),
            "above 0": float(np.mean(found > 0)),
            "above the truth": float(np.mean(found > truth)),
        }
    keep("null_bounds", "false alarms", {"nulls": NULLS, "most": rounded(MOST), "rates": alarms})
    keep(
        "null_bounds", "leak", {"audits": LEAKS, "epsilon": rounded(truth), "delta": DELTA, **leaks}
    )
    if over := [way for way in offered if max(alarms[way].values()) > MOST]:
        sys.exit(f"more false alarms than {MOST:.1%}: {', '.join(over)}")


if __name__ == "__main__":
    main()
