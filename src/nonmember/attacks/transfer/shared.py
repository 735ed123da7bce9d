"""One network for all candidates: for few references, and where all leak in the same way."""

from typing import Annotated

import numpy as np
from annotated_types import Ge
from jaxtyping import Float, Int

from nonmember.attacks.registry import attack
from nonmember.attacks.transfer.features import (
    AskedMeans,
    Means,
    Part,
    Sides,
    of_part,
    parts,
    refuse_few,
    refuse_unlike,
)
from nonmember.attacks.transfer.metaclassifier import SOFT, TENTH
from nonmember.attacks.transfer.networks import Networks, Recipe, fitted
from nonmember.errors import DataError
from nonmember.types import Count, RefMember, RefViewLogits, Scores, ViewLogits

SPREADS = 3.0  # deviations that are 1
RECIPE = Recipe(hidden=128, outputs=1, rate=5e-3, batch=256, epochs=10)

Folds = Annotated[int, Ge(1)]
PerModel = Float[np.ndarray, "p q"]
Level = Float[np.ndarray, "p 1 c"]
Pairs = Float[np.ndarray, "p q d"]
"""What is known of each of p candidates according to each of q models."""


@attack(family="transfer", paper="Abascal et al. 2024, arXiv:2306.01181")
def tmi_global(
    aug_logits: ViewLogits,
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    *,
    folds: Folds = 1,
    k: Count | None = None,
    seed: int = 0,
) -> Scores:
    """Log-odds, in nats, that one network for all candidates learns from the references.

    It sees how far the target's log-odds are from the references' mean, in deviations, and
    that mean. Better than a network for each where references are few or the leak is one
    shift for all.

    Args:
        aug_logits: the fine-tuned target's of v copies, (n v c).
        ref_aug_logits: those of m references, (m n v c).
        ref_member: whom the references' parents were pre-trained on, (m n).
        folds: parts of the candidates, each scored by a network that did not see it; of 1
            the network learns from the references' answers to all.
        k: only the k largest probabilities are looked at, the rest being spread evenly.
        seed: of all that is drawn.

    Raises:
        DataError: the copies or classes differ, an answer is not finite, fewer than two
            references are on a side of a candidate, or there are fewer candidates than folds.
    """
    refuse_unlike(aug_logits, ref_aug_logits)
    refuse_few(ref_member)
    own, _ = moments(aug_logits[None], k)
    given, spread = moments(ref_aug_logits, k)
    return taught_together(given, spread, ref_member.T, own, folds, seed)[:, 0]


def moments(logits: RefViewLogits, k: int | None) -> tuple[Means, Means]:
    """Mean and variance over the copies of each model's log-odds."""
    found: list[Part] = [of_part(logits, part, k) for part in parts(logits)]
    means, variances = ([getattr(one, what)(axis=2) for one in found] for what in ("mean", "var"))
    return np.concatenate(means), np.concatenate(variances)


def taught_together(
    given: Means, spread: Means, saw: Sides, asked: AskedMeans, folds: int, seed: int
) -> PerModel:
    """Log-odds that each asked model has of each candidate.

    Args:
        given: mean log-odds of the references, which are learnt from, (n m c).
        spread: variance of these over the copies, (n m c).
        saw: whom their parents were pre-trained on, (n m).
        asked: mean log-odds of q models, (n q c).
        folds: of the candidates.
        seed: of all that is drawn.
    """
    centre = given.mean(axis=1, keepdims=True)
    variance = (spread + np.square(given - centre)).mean(axis=1, keepdims=True)
    learnt, held = (_rows(one, centre, np.sqrt(variance)) for one in (given, asked))
    found = np.zeros(held.shape[:2])
    fold = _folded(centre[:, 0], folds)
    for name in range(folds):
        own = fold == name
        used = ~own if folds > 1 else own
        network = _fitted(learnt[used], saw[used], seed)
        found[own] = _told(network, held[own])
    return found


def _rows(values: AskedMeans, centre: Level, deviation: Level) -> Pairs:
    away = (values - centre) / (deviation + SOFT) / SPREADS
    level = np.broadcast_to(centre / TENTH, values.shape)
    return np.concatenate([away, level], axis=2).astype(np.float32)


def _folded(centre: Float[np.ndarray, "p c"], folds: int) -> Int[np.ndarray, "p"]:
    """The fold of each candidate, whatever the order in which they came."""
    count = len(centre)
    if folds > 1 and count < folds:
        raise DataError(f"tmi_global: {count} candidates in {folds} folds; set fewer folds")
    found = np.zeros(count, dtype=int)
    found[np.lexsort(centre.T)] = np.arange(count) % folds
    return found


def _fitted(learnt: Float[np.ndarray, "p m d"], saw: Sides, seed: int) -> Networks:
    """One network, its records in an order of their own."""
    rows, member = learnt.reshape(-1, learnt.shape[2]), saw.ravel()
    order = np.lexsort((member, *rows.T))
    return fitted(rows[order][None], member[order][None], RECIPE, seed)


def _told(network: Networks, held: Pairs) -> PerModel:
    """One candidate at a time: how a product rounds depends on how many rows it has."""
    count = held.shape[0]
    stacked = Networks(np.broadcast_to(network.flat, (count, network.flat.shape[1])), RECIPE)
    return stacked.log_odds(held).astype(float)
