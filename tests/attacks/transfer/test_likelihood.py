"""The adapted LiRA: against a loop with another library's Gaussians, and by hand."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from nonmember.attacks.transfer.features import log_odds
from nonmember.attacks.transfer.likelihood import adapted_lira


def world(seed=0, *, n=7, m=10, v=3, c=4):
    rng = np.random.default_rng(seed)
    saw = rng.permuted(np.tile(np.arange(m) % 2 == 0, (n, 1)), axis=1).T
    return rng.normal(0, 2, (n, v, c)), rng.normal(0, 2, (m, n, v, c)), saw


def looped(own, reference, saw, shrink, pooled):
    target, others = log_odds(own), log_odds(reference)
    views, found = own.shape[1], []
    for i in range(len(own)):
        classes = [int(np.argmax(own[i, view])) for view in range(views)]
        at = [target[i, view, k] for view, k in enumerate(classes)]
        rows = np.array([[one[i, a, k] for a, k in enumerate(classes)] for one in others])
        sides = [rows[saw[:, i]], rows[~saw[:, i]]]
        covariances = [np.atleast_2d(np.cov(side, rowvar=False)) for side in sides]
        if pooled:
            weighted = sum(c * (len(s) - 1) for c, s in zip(covariances, sides, strict=True))
            covariances = [weighted / (len(rows) - 2)] * 2
        inside, outside = (
            multivariate_normal.logpdf(
                at,
                side.mean(axis=0),
                (1 - shrink) * c + (shrink * np.mean(np.diag(c)) + 1e-6) * np.eye(views),
            )
            for side, c in zip(sides, covariances, strict=True)
        )
        found.append(inside - outside)
    return found


@pytest.mark.parametrize("covariance", ["sides", "pooled"])
@pytest.mark.parametrize("shrink", [0.1, 0.7, 1.0])
@pytest.mark.parametrize("views", [1, 2, 9])
def test_it_equals_the_loop(covariance, shrink, views):
    given = world(v=views)
    found = adapted_lira(*given, covariance=covariance, shrink=shrink)
    expected = looped(*given, shrink, covariance == "pooled")
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_by_hand():
    """IN 3 and 5, OUT 1 and -1, target 4: one variance 2 (and 1e-6), means 4 and 0."""
    x = np.array([3.0, 5.0, 1.0, -1.0])
    reference = np.stack([x, 0 * x], axis=-1)[:, None, None]
    saw = np.array([[True], [True], [False], [False]])
    found = adapted_lira(np.array([[[4.0, 0.0]]]), reference, saw)
    np.testing.assert_allclose(found, [16 / 2 / (2 + 1e-6)], rtol=1e-12)


def test_below_32_references_both_sides_have_one_covariance():
    for models, covariance in ((30, "pooled"), (32, "sides")):
        given = world(m=models)
        found = adapted_lira(*given, covariance=covariance)
        np.testing.assert_array_equal(adapted_lira(*given), found)


def test_the_class_is_the_targets_likeliest_not_the_references():
    own, reference, saw = world(v=1)
    turned = own[..., ::-1].copy()
    assert (adapted_lira(own, reference, saw) != adapted_lira(turned, reference, saw)).all()
    others = reference.copy()
    likeliest = own.argmax(axis=2)[:, 0]
    least = own.argmin(axis=2)[:, 0]
    assert (likeliest != least).all()
    swapped = others.copy()  # what references say of classes that are not looked at, swapped
    for i, looked in enumerate(likeliest):
        rest = [k for k in range(4) if k != looked]
        swapped[:, i, 0, rest] = others[:, i, 0, rest[::-1]]
    found = adapted_lira(own, swapped, saw)
    np.testing.assert_allclose(found, adapted_lira(own, reference, saw), rtol=1e-9)
