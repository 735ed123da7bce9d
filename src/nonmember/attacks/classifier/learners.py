"""Classifiers that learn to tell members by a few numbers of each record.

Whatever they are fitted to is put in an order of its own first, so that the order in which
records came changes nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.classifier.margins import rounded
from nonmember.seeds import derive, generator
from nonmember.types import Features, KnownFeatures, KnownMember, RefMember, Scores

Learner: TypeAlias = Literal["mlp", "forest", "boosting", "logistic"]
LogOdds = Callable[[Features], Scores]
Fit = Callable[[KnownFeatures, KnownMember, int, int], LogOdds]
"""From known records, their membership, a number of restarts and a seed."""

Weights = list[Float[np.ndarray, "r _ _"]]
"""Of r networks: first matrix and bias, second matrix and bias."""

FittedRows = Int[np.ndarray, "r f"]
HeldRows = Int[np.ndarray, "r h"]
"""Of r networks: the known records that each is fitted to, and those that stop it."""

FEWEST = 10  # known members, and others, from which anything can be learnt
FLAT = 1e-9  # deviation, as a share of the largest number, that is rounding only
MOST = 20_000  # known records that are learnt from
TREES = 300
LEAF = 5  # least known records at a leaf of a forest
HIDDEN = 64
HELD = 0.2  # share of what a network is fitted to by which it is stopped
STEPS, ROUNDS, PATIENCE = 32, 100, 10  # steps of a round; rounds, and how many without a gain
BATCH = 32  # least records of a step
LEAST_GAIN = 1e-4  # nats of loss
RATE, DECAY = 3e-3, 1e-3


def log_odds(
    own: Features,
    known: KnownFeatures,
    member: KnownMember,
    *,
    model: Learner,
    restarts: int,
    seed: int,
    leaf: int = LEAF,
) -> Scores:
    """Log-odds of membership, in nats; 0 where the known records are all alike.

    NaN of a candidate that lacks a number, and of all with fewer than 10 known records on a
    side. Of more than 20,000 known records so many are drawn.

    Args:
        own: what is known of the candidates, (n d).
        known: the same of other records, (k d); it alone says what is standardised how.
        member: which of those were trained on, (k,).
        model: ``mlp``, a network of 64 hidden units, stopped by a fifth of the known records;
            ``forest`` of 300 trees; ``boosting`` of shallow trees, stopped likewise;
            ``logistic`` regression.
        restarts: networks with other beginnings and another fifth, whose log-odds are averaged.
        seed: of all that is drawn.
        leaf: least known records at a leaf of the forest.
    """
    there = ~np.isnan(known).any(axis=1)
    known, member = _settled(known[there], member[there], seed)
    scored = ~np.isnan(own).any(axis=1)
    enough = min(int(member.sum()), int((~member).sum())) >= FEWEST
    score = np.where(scored & enough, 0.0, np.nan)
    if enough and scored.any():
        kept = varies(known)
        centre, spread = known[:, kept].mean(axis=0), known[:, kept].std(axis=0)
        given, asked = ((one[:, kept] - centre) / spread for one in (known, own[scored]))
        fits: dict[Learner, Fit] = {
            "mlp": _mlp,
            "forest": partial(_forest, leaf=leaf),
            "boosting": _boosting,
            "logistic": _logistic,
        }
        if kept.any():
            score[scored] = rounded(fits[model](given, member, restarts, seed)(asked))
    return score


def varies(known: KnownFeatures) -> Bool[np.ndarray, "d"]:
    """Whether each column is moved by more than rounding: by over 1e-9 of its largest number."""
    return known.std(axis=0) > FLAT * np.abs(known).max(axis=0)


def _settled(
    known: KnownFeatures, member: KnownMember, seed: int
) -> tuple[Float[np.ndarray, "s d"], Bool[np.ndarray, "s"]]:
    """The known records in an order of their own; of too many some, drawn."""
    order = np.lexsort((member, *known.T))
    if len(order) > MOST:
        order = order[np.sort(generator(seed, "known records").permutation(len(order))[:MOST])]
    return known[order], member[order]


def rows_of(
    reference: Float[np.ndarray, "m n *d"], ref_member: RefMember
) -> tuple[Float[np.ndarray, "mn *d"], Bool[np.ndarray, "mn"]]:
    """Each pair of a model and a candidate as a record whose membership is known.

    Of the first models only, where all would be more than 20,000 pairs.
    """
    models, count = reference.shape[:2]
    used = min(models, max(1, MOST // max(1, count)))
    pairs = reference[:used].reshape(used * count, *reference.shape[2:])
    return pairs, ref_member[:used].reshape(used * count)


def _logistic(known: KnownFeatures, member: KnownMember, restarts: int, seed: int) -> LogOdds:
    fitted = LogisticRegression(solver="newton-cholesky").fit(known, member)
    return _decision(fitted)


def _boosting(known: KnownFeatures, member: KnownMember, restarts: int, seed: int) -> LogOdds:
    fitted = HistGradientBoostingClassifier(
        max_iter=300,
        max_depth=3,
        early_stopping=True,
        validation_fraction=HELD,
        random_state=derive(seed, "boosting") % 2**32,
    ).fit(known, member)
    return _decision(fitted)


def _decision(fitted: Any) -> LogOdds:
    score: LogOdds = fitted.decision_function
    return score


def _forest(
    known: KnownFeatures, member: KnownMember, restarts: int, seed: int, *, leaf: int
) -> LogOdds:
    forest = RandomForestClassifier(
        TREES, min_samples_leaf=leaf, random_state=derive(seed, "forest") % 2**32
    ).fit(known, member)

    def score(own: Features) -> Scores:
        share = forest.predict_proba(own)[:, 1]
        return np.log((TREES * share + 0.5) / (TREES * (1 - share) + 0.5))  # finite at 0 and 1

    return score


def _mlp(known: KnownFeatures, member: KnownMember, restarts: int, seed: int) -> LogOdds:
    """Networks fitted side by side, each with the weights of its best round, by its own fifth."""
    rng = generator(seed, "mlp")
    fitted, held = _parted(rng, member, restarts)
    weights = _begun(rng, restarts, known.shape[1])
    state = [[np.zeros_like(one) for one in weights] for _ in range(2)]
    kept = [one.copy() for one in weights]
    best, stale = np.full(restarts, np.inf), np.zeros(restarts, dtype=int)
    shape = restarts, max(BATCH, fitted.shape[1] // STEPS)
    for start in range(0, ROUNDS * STEPS, STEPS):
        for turn in range(start + 1, start + STEPS + 1):
            rows = np.take_along_axis(fitted, rng.integers(0, fitted.shape[1], shape), axis=1)
            _adam(weights, _slopes(weights, known[rows], member[rows]), state, turn)
        loss = _losses(_answers(weights, known[held]), member[held])
        better = (loss < best - LEAST_GAIN) & (stale < PATIENCE)
        best, stale = np.where(better, loss, best), np.where(better, 0, stale + 1)
        for mine, now in zip(kept, weights, strict=True):
            mine[better] = now[better]
        if (stale >= PATIENCE).all():
            break
    return lambda own: _answers(kept, own).mean(axis=0)


def _parted(
    rng: np.random.Generator, member: KnownMember, restarts: int
) -> tuple[FittedRows, HeldRows]:
    """For each network the records that it is fitted to, and those that stop it; of both sides."""
    sides = [
        rng.permuted(np.tile(np.flatnonzero(side), (restarts, 1)), axis=1)
        for side in (member, ~member)
    ]
    cuts = [round(HELD * side.shape[1]) for side in sides]
    held = [side[:, :cut] for side, cut in zip(sides, cuts, strict=True)]
    fitted = [side[:, cut:] for side, cut in zip(sides, cuts, strict=True)]
    return np.concatenate(fitted, axis=1), np.concatenate(held, axis=1)


def _begun(rng: np.random.Generator, restarts: int, width: int) -> Weights:
    shapes = (width, HIDDEN), (HIDDEN, 1)
    weights: Weights = []
    for inward, outward in shapes:
        drawn = rng.standard_normal((restarts, inward, outward))
        weights += [drawn * np.sqrt(2 / max(1, inward)), np.zeros((restarts, 1, outward))]
    return weights


def _answers(weights: Weights, given: Float[np.ndarray, "*r b d"]) -> Float[np.ndarray, "r b"]:
    """Each network's log-odds; of records of its own, or of the same as the others'."""
    first, bias, second, offset = weights
    return (np.maximum(given @ first + bias, 0) @ second + offset)[..., 0]


def _losses(
    answers: Float[np.ndarray, "r b"], member: Bool[np.ndarray, "r b"]
) -> Float[np.ndarray, "r"]:
    """Mean cross-entropy of each network, in nats."""
    return np.logaddexp(0, np.where(member, -answers, answers)).mean(axis=1)


def _slopes(
    weights: Weights, given: Float[np.ndarray, "r b d"], member: Bool[np.ndarray, "r b"]
) -> Weights:
    """Gradient of the mean cross-entropy."""
    first, bias, second, offset = weights
    hidden = np.maximum(given @ first + bias, 0)
    answer = hidden @ second + offset
    above = (expit(answer) - member[..., None]) / member.shape[1]
    below = above @ second.swapaxes(1, 2) * (hidden > 0)
    return [
        given.swapaxes(1, 2) @ below,
        below.sum(axis=1, keepdims=True),
        hidden.swapaxes(1, 2) @ above,
        above.sum(axis=1, keepdims=True),
    ]


def _adam(weights: Weights, slopes: Weights, state: list[Weights], turn: int) -> None:
    """A step of Adam with decoupled weight decay, in place."""
    for place, slope in enumerate(slopes):
        mean, square = (kept[place] for kept in state)
        mean += 0.1 * (slope - mean)
        square += 0.001 * (slope**2 - square)
        scaled = (mean / (1 - 0.9**turn)) / (np.sqrt(square / (1 - 0.999**turn)) + 1e-8)
        weights[place] -= RATE * (scaled + DECAY * weights[place])
