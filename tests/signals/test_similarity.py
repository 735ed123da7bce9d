"""Nearness of preferred to true tokens, by hand and against a loop over pairs."""

from math import nan, sqrt

import numpy as np
import pytest

from nonmember.signals import similarity
from nonmember.signals.similarity import label_similarity

VECTORS = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [0.0, 0.0], [-5.0, 0.0]])


def of_five(ids):
    return VECTORS[ids]


def test_five_tokens_by_hand():
    true = np.array([[0.0, 0.0, 0.0, 0.0, 3.0, 3.0]])
    top = np.array([[1.0, 2.0, 4.0, 0.0, 0.0, 3.0]])
    found = label_similarity(true, top, of_five)
    np.testing.assert_allclose(found, [[0.0, sqrt(0.5), -1.0, 1.0, 0.0, 1.0]], atol=1e-15)


def test_unscored_positions_are_nan_and_nobody_is_asked_of_them():
    true, top = np.array([[nan, 0.0, nan]]), np.array([[nan, 1.0, 2.0]])
    found = label_similarity(true, top, of_five)
    np.testing.assert_array_equal(found, [[nan, 0.0, nan]])


def test_it_asks_once_for_each_token():
    asked = []

    def counting(ids):
        asked.append(ids.tolist())
        return VECTORS[ids]

    label_similarity(np.array([[0.0, 1.0, 0.0, 2.0]]), np.array([[1.0, 0.0, 1.0, 2.0]]), counting)
    assert asked == [[0, 1]]  # token 2 was hit, so that its embedding does not matter


@pytest.mark.parametrize("at_once", [1, 7, 16_384])
def test_it_equals_the_loop(at_once, monkeypatch):
    monkeypatch.setattr(similarity, "PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 4))
    true, top = rng.integers(0, 30, (2, 12, 9)).astype(float)
    gaps = rng.random((12, 9)) < 0.2
    true[gaps] = top[gaps] = nan
    found = label_similarity(true, top, lambda ids: vectors[ids])
    for row in range(12):
        for place in range(9):
            if gaps[row, place]:
                assert np.isnan(found[row, place])
                continue
            a, b = vectors[int(true[row, place])], vectors[int(top[row, place])]
            cosine = sum(a * b) / sqrt(sum(a * a) * sum(b * b))
            assert found[row, place] == pytest.approx(cosine, abs=1e-9)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (2, 3)])
def test_nothing_to_compare_asks_nobody(shape):
    nothing = np.full(shape, nan)

    def refuse(ids):
        raise AssertionError(f"asked for {ids}")

    assert np.isnan(label_similarity(nothing, nothing, refuse)).all()
