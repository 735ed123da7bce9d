"""When to stop adding reference models: what a figure owes to them, and what to candidates.

A figure of an attack with reference models has two errors. Other candidates would have given
another figure: its interval tells. So would other reference models, drawn and trained anew,
of which an interval over candidates knows nothing; leaving some of those there are out tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, hypot, inf, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Int
from scipy.stats import t as student

from nonmember.errors import SpecError
from nonmember.evaluation.intervals import Interval, simultaneous
from nonmember.seeds import generator
from nonmember.types import Scores

FEWEST = 4  # pairs: three freely varying numbers are the least to take a spread from
DRAWS = 20  # of pairs to leave out: the figure is computed anew for each

Score = Callable[[Int[np.ndarray, "_"]], Scores]
"""The candidates' scores by the reference models of these rows alone, whatever the method."""

Next = Literal["enough", "references", "candidates", "most"]


@dataclass(frozen=True)
class Spread:
    """What other reference models would do to a figure.

    ``value`` is the figure with all ``references``; ``error`` its standard error over redrawn
    sets of as many, infinite where they are too few to tell; ``freedom`` how many independent
    differences that comes from.
    """

    value: float
    error: float
    references: int
    freedom: int

    def reach(self, level: float) -> float:
        """Half the width of the interval of this error alone."""
        if not np.isfinite(self.error):
            return inf
        return float(student.ppf((1 + level) / 2, self.freedom) * self.error)


@dataclass(frozen=True)
class Decision:
    """What to do after a look at a figure.

    ``next``: stop, as the figure is known as well as was asked for (enough); train
    ``references`` in all, then look again (references); stop, as only more candidates would
    help, about ``candidates`` in all with as many members among them (candidates); or stop, as
    there are to be no more references (most). ``interval`` holds for both errors, at whichever
    look one stops; ``owed_to_candidates`` and ``owed_to_references`` are its half-widths if it
    were for one of them.
    """

    next: Next
    references: int
    candidates: int
    interval: Interval
    asked: float
    owed_to_candidates: float
    owed_to_references: float


def rounds(most: int, *, first: int = 8) -> tuple[int, ...]:
    """How many reference models there are at each look: twice as many each time, to ``most``.

    Raises:
        SpecError: fewer than two of them, more to begin with than at most, or an odd number.
    """
    if not 2 <= first <= most or first % 2 or most % 2:
        raise SpecError(
            f"precision: from {first} to {most} reference models; they come in pairs, so give even "
            "numbers, the first at least 2 and no more than the last"
        )
    sizes = [first]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return tuple(sizes)


def level_of_look(level: float, sizes: tuple[int, ...]) -> float:
    """The level of each look's interval, so that ``level`` holds wherever one stops.

    Bonferroni over the looks at which it can be told whether to stop.
    """
    return simultaneous(level, sum(size >= 2 * FEWEST for size in sizes))


def spread_over(
    score: Score, references: int, figure: Callable[[Scores], float], *, seed: int = 0
) -> Spread:
    """The error that a figure owes to its reference models: a delete-d jackknife over pairs.

    References come in pairs of complementary training sets, rows 2k and 2k + 1. A third of
    the pairs is drawn and left out, 20 times; the variance of the figure over these, times
    the pairs kept per pair left out, is its variance with all of them (Shao and Wu 1989). A
    third, because the rate at a low false-positive rate moves in steps, which leaving out one
    pair would take for spread, while of few pairs a half is another attack. What a method
    chooses by the number of references, such as whose deviations, ``score`` must hold fixed.

    Args:
        score: of an array of rows, such as [0, 1, 4, 5], always whole pairs.
        references: m, how many rows there are, an even number.
        figure: of scores, larger = likelier member.
        seed: of the draws.

    Returns:
        The spread; its error is infinite with fewer than 4 pairs, or where a candidate that
        all of them can score cannot be scored without some.
    """
    rows, whole = np.arange(references).reshape(-1, 2), score(np.arange(references))
    pairs, rng = len(rows), generator(seed, "references left out")
    value, freedom = figure(whole), min(DRAWS, pairs) - 1
    if pairs < FEWEST:
        return Spread(value, inf, references, freedom)
    kept, found = pairs - round(pairs / 3), []
    for _ in range(DRAWS):
        some = score(rows[np.sort(rng.permutation(pairs)[:kept])].ravel())
        if (np.isnan(some) & ~np.isnan(whole)).any():
            return Spread(value, inf, references, freedom)
        found.append(figure(some))
    error = sqrt(kept / (pairs - kept) * np.var(found, ddof=1))
    return Spread(value, error, references, freedom)


def decide(
    spread: Spread,
    interval: Interval,
    *,
    asked: float,
    candidates: int,
    sizes: tuple[int, ...],
) -> Decision:
    """Whether the figure is known to within ``asked`` either way, and if not, what would help.

    More references help while they account for more than the candidates do. Where the
    candidates' own interval is the wider one, and wider than was asked for, as many candidates
    are named as would narrow it to that: its width falls with the root of their number.

    Args:
        spread: what the references add, at this look.
        interval: over candidates alone, at ``level_of_look``.
        asked: the half-width asked for, of either error, in the units of the figure.
        candidates: members and non-members that were scored.
        sizes: the looks planned, from ``rounds``.

    Raises:
        SpecError: a precision that is none.
    """
    if not 0 < asked < 1:
        raise SpecError(
            f"precision: {asked} is no half-width of a share; use a number between 0 and 1"
        )
    own = max(interval.value - interval.low, interval.high - interval.value)
    theirs, now = spread.reach(interval.level), spread.references
    more = next((size for size in sizes if size > now), now)
    to_do: Next = "references" if more > now else "most"
    if own > asked and own >= theirs:
        to_do = "candidates"
    elif max(own, theirs) <= asked:
        to_do = "enough"
    needed = ceil(candidates * max(1.0, own / asked) ** 2 - 1e-9)
    return Decision(
        next=to_do,
        references=more if to_do == "references" else now,
        candidates=needed,
        interval=combined(interval, theirs),
        asked=asked,
        owed_to_candidates=own,
        owed_to_references=theirs,
    )


def combined(interval: Interval, reach: float) -> Interval:
    """The interval of a share, its arms lengthened by an independent error that reaches so far."""
    low = max(0.0, interval.value - hypot(interval.value - interval.low, reach))
    high = min(1.0, interval.value + hypot(interval.high - interval.value, reach))
    return Interval(low, interval.value, high, interval.level)
