"""The stacked fit: its gradient by differences, one network in a plain loop, and its symmetries."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nonmember.attacks.transfer.metaclassifier import PUBLISHED
from nonmember.attacks.transfer.networks import Networks, Recipe, _slope, fitted
from nonmember.attacks.transfer.shared import RECIPE
from nonmember.seeds import generator

SMALL = Recipe(hidden=5, outputs=2, rate=5e-3, batch=8, epochs=3, dropout=0.5, decay=0.1)


def made(seed=0, *, p=3, r=21, d=4):
    rng = np.random.default_rng(seed)
    member = rng.random((p, r)) < 0.5
    member[:, :2], member[:, 2:4] = True, False
    rows = rng.normal(0, 1, (p, r, d)) + 0.5 * member[:, :, None]
    return rows.astype(np.float32), member


def weights(member):
    """Both sides weigh the same, the mean weight is 1."""
    return np.where(member, 0.5 / member.mean(), 0.5 / (1 - member.mean()))


def looped(rows, member, recipe, seed):
    """One network, record by record and in float64, with the draws of the stacked fit."""
    drawn, (count, inputs) = generator(seed, "metaclassifier"), rows.shape
    sizes = ((inputs, recipe.hidden), (recipe.hidden, recipe.outputs))
    w1, w2 = (
        (drawn.uniform(-1, 1, (into + 1) * out) / math.sqrt(into)).reshape(into + 1, out)
        for into, out in sizes
    )
    moments = [np.zeros_like(one) for one in (w1, w1, w2, w2)]
    weight, steps = weights(member), 0
    for epoch in range(recipe.epochs):
        order = drawn.permutation(count)
        rate = recipe.rate * recipe.fall ** (epoch // recipe.every)
        for start in range(0, count, recipe.batch):
            batch = order[start : start + recipe.batch]
            kept = np.ones((len(batch), recipe.hidden))
            if recipe.dropout:
                random = drawn.random(kept.shape, dtype=np.float32)
                kept = (random >= recipe.dropout) / (1 - recipe.dropout)
            g1, g2 = recipe.decay * w1, recipe.decay * w2
            for mask, i in zip(kept, batch, strict=True):
                x = np.append(rows[i], 1.0)
                h = np.append(np.maximum(x @ w1, 0) * mask, 1.0)
                out = h @ w2
                if recipe.outputs == 2:  # softmax
                    e = np.exp(out - out.max())
                    delta = e / e.sum() - np.array([not member[i], member[i]])
                else:
                    delta = 1 / (1 + np.exp(-out)) - member[i]
                delta = delta * weight[i] / len(batch)
                g2 = g2 + np.outer(h, delta)
                g1 = g1 + np.outer(x, (w2 @ delta)[:-1] * mask * (x @ w1 > 0))
            steps += 1
            for place, (w, g) in enumerate(((w1, g1), (w2, g2))):
                mean, square = moments[2 * place : 2 * place + 2]
                mean += 0.1 * (g - mean)
                square += 0.001 * (g * g - square)
                up, down = mean / (1 - 0.9**steps), square / (1 - 0.999**steps)
                np.subtract(w, rate * up / (np.sqrt(down) + 1e-8), out=w)
    return w1, w2


def told(w1, w2, rows):
    out = np.c_[np.maximum(np.c_[rows, np.ones(len(rows))] @ w1, 0), np.ones(len(rows))] @ w2
    return out[:, 1] - out[:, 0] if out.shape[1] == 2 else out[:, 0]


@pytest.mark.parametrize(
    "recipe",
    [
        SMALL,
        replace(SMALL, outputs=1, dropout=0.0, decay=0.0),
        replace(PUBLISHED, epochs=9),
        replace(RECIPE, batch=9, epochs=4),
    ],
    ids=["small", "one output", "published", "shared"],
)
def test_it_equals_the_loop(recipe):
    rows, member = made()
    found = fitted(rows, member, recipe, 3).log_odds(rows)
    for i in range(len(rows)):
        expected = told(*looped(rows[i].astype(float), member[i], recipe, 3), rows[i])
        np.testing.assert_allclose(found[i], expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_slope_is_that_of_the_loss(outputs):
    rows, member = made(r=8)
    recipe = replace(SMALL, outputs=outputs, decay=0.0)
    rng = np.random.default_rng(5)
    flat = rng.normal(0, 0.5, (3, 5 * 5 + 6 * outputs))
    kept = 2.0 * (rng.random((8, 5)) < 0.5)
    weight = np.stack([weights(one) for one in member])
    x = np.concatenate([rows, np.ones((3, 8, 1))], axis=2)
    found = _slope(Networks(flat, recipe), x, member.astype(float), weight, kept)

    def loss(flat):
        first, second = Networks(flat, recipe).parts(flat)
        out = (np.maximum(x @ first, 0) * kept) @ second[:, :-1] + second[:, -1:]
        odds = out @ recipe.sign
        return (weight * np.logaddexp(0, np.where(member, -odds, odds))).mean(axis=1)

    for place in range(flat.shape[1]):
        step = np.zeros_like(flat)
        step[:, place] = 1e-5
        slope = (loss(flat + step) - loss(flat - step)) / 2e-5
        np.testing.assert_allclose(found[:, place], slope, rtol=1e-4, atol=1e-7)


def test_a_network_is_fitted_alone_as_among_others():
    rows, member = made(p=5, r=70)
    together = fitted(rows, member, PUBLISHED, 0)
    for i in range(5):
        alone = fitted(rows[i : i + 1], member[i : i + 1], PUBLISHED, 0)
        np.testing.assert_array_equal(alone.flat[0], together.flat[i])


def test_it_learns_and_the_seed_matters():
    rows, member = made(p=2, r=200)
    first, other = (fitted(rows, member, PUBLISHED, seed).log_odds(rows) for seed in (0, 1))
    assert ((first > 0) == member).mean() > 0.6
    assert (first != other).all() and np.isfinite(first).all()
    assert fitted(rows, member, PUBLISHED, 0).flat.dtype == np.float32


def test_both_sides_weigh_the_same_however_many_they_are():
    """With nothing to be learnt the odds are even, though four of five are members."""
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 0.01, (1, 400, 3)).astype(np.float32)
    member = (np.arange(400) % 5 > 0)[None]
    assert abs(fitted(rows, member, PUBLISHED, 0).log_odds(rows).mean()) < 0.2
