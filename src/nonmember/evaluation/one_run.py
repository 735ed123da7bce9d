"""Privacy audit with one training run (Steinke, Nasr and Jagielski 2023, arXiv:2305.08846).

Many canaries, each in the training data if a coin of its own says so; after training, guesses
which are. If the model is private, hardly more guesses are right than a binomial draw would have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.optimize import bisect
from scipy.special import bdtr, bdtrc, expit

from nonmember.errors import DataError, SpecError, UnresolvableError
from nonmember.evaluation.epsilon import Bound, places, refuse_options
from nonmember.evaluation.intervals import simultaneous
from nonmember.seeds import generator
from nonmember.types import Member, Scores

SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of the canaries that are guessed at
LARGEST = 64.0  # epsilon at which no audit has ever enough guesses to arrive


def p_value(epsilon: float, correct: int, made: int, canaries: int, delta: float) -> float:
    """Of so many correct guesses, or more, under (``epsilon``, ``delta``)-privacy; at most 1."""
    right = expit(epsilon)
    chance = float(bdtrc(correct - 1, made, right)) if correct else 1.0
    if correct and delta:
        fewer = np.append(bdtr(np.arange(correct)[::-1], made, right), 0.0)
        within = (fewer[0] - fewer[1:]) / np.arange(1, correct + 1)
        chance += 2 * canaries * delta * float(within.max())
    return min(1.0, chance)


def refuse_guesses(where: str, correct: int, made: int, canaries: int) -> None:
    """Refuse counts that no audit can have given.

    Raises:
        DataError: not 0 <= correct <= made <= canaries, or no guess was made.
    """
    if not 0 <= correct <= made <= canaries or not made:
        raise DataError(
            f"{where}: {correct} correct of {made} guesses at {canaries} canaries cannot be; "
            "give 0 <= correct <= made <= canaries, and at least one guess"
        )


def one_run(
    correct: int,
    made: int,
    canaries: int,
    *,
    coins: bool = False,
    delta: float = 1e-5,
    level: float = 0.95,
) -> Bound:
    """The largest epsilon that so many correct guesses refute at ``level``.

    Args:
        correct: guesses that were right.
        made: guesses that were made, a number fixed before any score was seen.
        canaries: how many could have been guessed at.
        coins: whether each canary was included independently with probability 1/2, by us.
        delta: of (epsilon, delta)-privacy.
        level: confidence that epsilon is not below the bound.

    Raises:
        DataError: the counts cannot be.
        SpecError: delta or level is impossible.
    """
    refuse_options("one_run", delta, level)
    refuse_guesses("one_run", correct, made, canaries)

    def spare(epsilon: float) -> float:
        return p_value(epsilon, correct, made, canaries, delta) - (1 - level)

    epsilon = 0.0 if spare(0.0) > 0 else float(bisect(spare, 0.0, LARGEST, xtol=1e-9))
    counts = guess_counts(correct, made, canaries)
    return Bound(epsilon, level, "one run", delta, counts, valid(coins))


def valid(coins: bool) -> Literal["dp", "descriptive"]:
    """What a bound of one run says, if coins decided on each canary, and if not."""
    return "dp" if coins else "descriptive"


def guess_counts(correct: int, made: int, canaries: int) -> dict[str, int]:
    """The counts of an audit in one run, under their names."""
    return {"correct": correct, "guesses": made, "canaries": canaries}


def correct_guesses(scores: Scores, member: Member, made: int, *, seed: int = 0) -> int:
    """How many are right if the top half of the guesses says "in", the bottom half "out".

    An odd one says "in". Equal scores are drawn for, without a look at the truth.

    Raises:
        UnresolvableError: a score is NaN, one side is missing, or all scores are equal.
        DataError: more guesses than canaries, or none.
    """
    refuse_guesses("one_run", 0, made, len(scores))
    return _correct(_from_the_top(scores, member, seed), made)


def _from_the_top(scores: Scores, member: Member, seed: int) -> Member:
    """The truth in the order of the scores, largest first; equal ones in a random order."""
    place = places("one_run", scores, member)
    return member[np.lexsort((generator(seed, "one_run").random(len(place)), place))]


def _correct(truth: Member, made: int) -> int:
    outside = made // 2
    return int(truth[: made - outside].sum() + (~truth[len(truth) - outside :]).sum())


def grid(canaries: int) -> tuple[int, ...]:
    """Numbers of guesses to try together: a few shares of the canaries, in rising order."""
    return tuple(sorted({max(1, round(share * canaries)) for share in SHARES}))


def best_of(
    scores: Scores,
    member: Member,
    guesses: Sequence[int],
    *,
    bound: Callable[..., Bound] = one_run,
    coins: bool = False,
    delta: float = 1e-5,
    level: float = 0.95,
    seed: int = 0,
) -> Bound:
    """The best bound over numbers of guesses fixed beforehand, each at its share of the error.

    One number is no choice and costs nothing. ``bound`` is ``one_run`` or ``one_run_f_dp``.

    Raises:
        SpecError: no number of guesses is given, or delta or level is impossible.
        UnresolvableError, DataError: as ``correct_guesses``.
    """
    refuse_options("one_run", delta, level)
    if not len(guesses):
        raise SpecError("one_run: no number of guesses to try; give one, or those of `grid`")
    for made in guesses:
        refuse_guesses("one_run", 0, made, len(scores))
    truth, each = _from_the_top(scores, member, seed), simultaneous(level, len(guesses))
    tried = [
        bound(_correct(truth, made), made, len(truth), coins=coins, delta=delta, level=each)
        for made in guesses
    ]
    best = max(tried, key=lambda one: one.epsilon)
    told = best.method + (f", best of {len(tried)} numbers of guesses" if len(tried) > 1 else "")
    return Bound(best.epsilon, level, told, delta, best.counts, best.valid)


def best_attack(
    scores: Mapping[str, Scores],
    member: Member,
    guesses: Sequence[int],
    *,
    bound: Callable[..., Bound] = one_run,
    coins: bool = False,
    delta: float = 1e-5,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[str, Bound]:
    """The attack by whose scores the bound is best, each at its share of the error; and the bound.

    One attack that was named before any score was seen is no choice and costs nothing. None may
    have been told of any canary's coin.

    Raises:
        SpecError: no attack or no number of guesses is given, or delta or level is impossible.
        UnresolvableError: no attack ranks the canaries.
        DataError: as ``correct_guesses``.
    """
    if not scores:
        raise SpecError("one_run: no attack to guess by; give one, or several")
    each, tried, flat = simultaneous(level, len(scores)), dict[str, Bound](), ""
    for name, own in scores.items():
        try:
            tried[name] = best_of(
                own, member, guesses, bound=bound, coins=coins, delta=delta, level=each, seed=seed
            )
        except UnresolvableError as error:
            flat = str(error)
    if not tried:
        raise UnresolvableError(flat)
    best = max(tried, key=lambda name: tried[name].epsilon)
    found = tried[best]
    told = found.method + (f", best of {len(scores)} attacks" if len(scores) > 1 else "")
    return best, replace(found, level=level, method=told)
