"""The discriminant: by hand, against a loop written from the specification, and its symmetries."""

import numpy as np
import pytest
import worlds_transfer

from nonmember.attacks.transfer.discriminant import tmi_label, tmi_lda
from nonmember.attacks.transfer.features import log_odds
from nonmember.evaluation.roc import auc


def world(seed=0, *, n=9, m=10, v=3, c=4, balanced=True):
    rng = np.random.default_rng(seed)
    saw = rng.permuted(np.tile(np.arange(m) % 2 == 0, (n, 1)), axis=1).T
    if not balanced:
        saw = rng.random((m, n)) < 0.5
        saw[:2], saw[2:4] = True, False
    return rng.normal(0, 2, (n, v, c)), rng.normal(0, 2, (m, n, v, c)), saw


def looped(z, references, saw, gamma, diagonal):
    """(z - (mu1 + mu0)/2)' C^-1 (mu1 - mu0) of one candidate, a number at a time."""
    m, size = len(references), len(z)
    mu = [
        [np.mean([r[k] for r, inside in zip(references, saw, strict=True) if inside == side])
         for k in range(size)]
        for side in (False, True)
    ]  # fmt: skip
    w = np.zeros((size, size))
    for row, inside in zip(references, saw, strict=True):
        for a in range(size):
            for b in range(size):
                w[a, b] += (row[a] - mu[int(inside)][a]) * (row[b] - mu[int(inside)][b])
    everyone = [*references, z]
    tau = np.mean([np.var([row[k] for row in everyone]) for k in range(size)])
    c = (1 - gamma) * w / (m - 2) + (gamma * tau + 1e-6) * np.eye(size)
    if diagonal:
        c = np.diag(np.diag(c))
    apart = np.subtract(mu[1], mu[0])
    return (z - np.add(mu[1], mu[0]) / 2) @ np.linalg.inv(c) @ apart


@pytest.mark.parametrize("gamma", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
@pytest.mark.parametrize("balanced", [True, False])
def test_it_equals_the_loop(gamma, covariance, balanced):
    own, reference, saw = world(m=14, balanced=balanced)
    found = tmi_lda(own, reference, saw, gamma=gamma, covariance=covariance)
    z, others = log_odds(own).mean(axis=1), log_odds(reference).mean(axis=2)
    for i, score in enumerate(found):
        expected = looped(z[i], others[:, i], saw[:, i], gamma, covariance == "diagonal")
        np.testing.assert_allclose(score, expected, rtol=1e-8, atol=1e-9)


def test_by_hand():
    """Log-odds +-x of two classes: IN 3 and 5, OUT 1 and -1, target 4.

    Either class: W = 4, tau = var(3, 5, 1, -1, 4) = 4.64; mu1 - mu0 = 4, halfway 2. With a
    diagonal C = .5 * 4 / 2 + .5 * 4.64 + 1e-6 the score is 2 * (4 - 2) * 4 / C.
    """
    x = np.array([3.0, 5.0, 1.0, -1.0])
    reference = np.stack([x, 0 * x], axis=-1)[:, None, None]
    saw = np.array([[True], [True], [False], [False]])
    own = np.array([[[4.0, 0.0]]])
    found = tmi_lda(own, reference, saw, gamma=0.5, covariance="diagonal")
    np.testing.assert_allclose(found, [16 / (1 + 0.5 * 4.64 + 1e-6)], rtol=1e-12)


def test_what_is_right_for_so_many_references_and_classes():
    few, many = world(m=16), world(m=18)
    for given, gamma in ((few, 0.9), (many, 0.5)):
        found = tmi_lda(*given, gamma=gamma, covariance="full")
        np.testing.assert_array_equal(tmi_lda(*given), found)
    crowded = world(m=14)  # 4 classes, more than 14 / 4
    found = tmi_lda(*crowded, gamma=0.9, covariance="diagonal")
    np.testing.assert_array_equal(tmi_lda(*crowded), found)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_what_leaves_it_as_it_is(covariance):
    own, reference, saw = world(m=16)
    found = tmi_lda(own, reference, saw, covariance=covariance)
    rng = np.random.default_rng(3)
    classes, models = rng.permutation(own.shape[2]), rng.permutation(len(saw))
    turned = tmi_lda(own[..., classes], reference[..., classes], saw, covariance=covariance)
    np.testing.assert_allclose(turned, found, rtol=1e-9)
    turned = tmi_lda(own, reference[models], saw[models], covariance=covariance)
    np.testing.assert_allclose(turned, found, rtol=1e-9)
    turned = tmi_lda(own, reference, ~saw, covariance=covariance)
    np.testing.assert_allclose(turned, -found, rtol=1e-12)


@pytest.mark.parametrize("views", [2, 3, 9, 12])
def test_copies_that_are_alike_are_as_one(views):
    own, reference, saw = world(v=1)
    found = tmi_lda(own.repeat(views, axis=1), reference.repeat(views, axis=2), saw)
    np.testing.assert_allclose(found, tmi_lda(own, reference, saw), rtol=1e-9)


def test_told_of_the_k_largest_it_tells_less():
    made = worlds_transfer.references(200, models=34, classes=6, gap=1.5)
    own, member = made[0][-1], made[1][-1]
    given = own, made[0][:-2], made[1][:-2]
    values = [auc(tmi_lda(*given, k=k), member).value for k in (1, 2, 5)]
    assert values[0] < values[-1] and values[0] > 0.6
    np.testing.assert_array_equal(tmi_lda(*given, k=5), tmi_lda(*given))


def test_labels_only_are_the_discriminant_of_votes():
    world = worlds_transfer.transfer(12)
    votes, others, saw = world["aug_votes"], world["ref_aug_votes"], world["ref_member"]
    found = tmi_label(votes, others, saw)
    for i, score in enumerate(found):
        expected = looped(votes[i], others[:, i], saw[:, i], 0.5, diagonal=False)
        np.testing.assert_allclose(score, expected, rtol=1e-8, atol=1e-9)
    float32 = tmi_label(votes.astype(np.float32), others.astype(np.float32), saw)
    np.testing.assert_allclose(float32, found, rtol=1e-4, atol=1e-5)
