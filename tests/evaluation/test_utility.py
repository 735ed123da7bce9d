"""What a classifier is worth: by hand, against loops, and simulated."""

import numpy as np
import pytest

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.utility import (
    accuracy,
    brier,
    calibration_error,
    confidence,
    confidence_auc,
    loss,
)

ODDS = np.log([[0.8, 0.1, 0.1], [0.25, 0.7, 0.05], [0.3, 0.4, 0.3], [0.6, 0.2, 0.2]])
TRUE = np.array([0, 0, 1, 0])
ALONE = np.arange(4)
FIGURES = [accuracy, loss, brier, calibration_error, confidence_auc]


def world(seed, n, *, over=0.0, classes=4):
    """Answers that are right less often than their confidence says, by ``over``."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, classes))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    share = np.clip(odds.max(axis=1) - over, 0, 1)
    top = logits.argmax(axis=1)
    labels = np.where(rng.random(n) < share, top, (top + 1) % classes)
    return logits, labels, share


def test_figures_by_hand():
    assert accuracy(ODDS, TRUE, ALONE).value == 0.75
    expected = -np.log([0.8, 0.25, 0.4, 0.6]).mean()
    assert loss(ODDS, TRUE, ALONE).value == pytest.approx(expected)
    assert loss(ODDS + 7.0, TRUE, ALONE).value == pytest.approx(expected)
    np.testing.assert_allclose(confidence(ODDS), np.log([4, 0.7 / 0.3, 0.4 / 0.6, 1.5]))
    assert confidence_auc(ODDS, TRUE, ALONE).value == pytest.approx(1 / 3)
    # Fifteen bins: each record is in one of its own.
    assert calibration_error(ODDS, TRUE, ALONE).value == pytest.approx((0.2 + 0.7 + 0.6 + 0.4) / 4)


def test_brier_by_hand():
    squares = [0.04 + 0.01 + 0.01, 0.5625 + 0.49 + 0.0025, 0.09 + 0.36 + 0.09, 0.16 + 0.04 + 0.04]
    assert brier(ODDS, TRUE, ALONE).value == pytest.approx(np.mean(squares))
    sure = np.array([[1e4, 0.0], [0.0, 1e4], [1e4, 0.0], [1e4, 0.0]])
    assert brier(sure, np.array([0, 1, 0, 1]), ALONE).value == pytest.approx(0.5)
    wrong = brier(sure, 1 - sure.argmax(axis=1), ALONE)
    assert wrong.value == wrong.high == 2


def test_calibration_in_bins_of_equal_mass_by_hand():
    # Two bins of two records: of 0.4 and 0.6, both right; of 0.7 and 0.8, one right.
    def found(logits, labels=TRUE, bins=2):
        return calibration_error(logits, labels, ALONE, bins=bins, times=10).value

    assert found(ODDS) == pytest.approx(abs(2 - 1.0) / 4 + abs(1 - 1.5) / 4)
    assert found(ODDS, bins=1) == pytest.approx(abs(3 - 2.5) / 4)
    # Equal probabilities share a bin, however many there are.
    same = np.tile(np.log([0.6, 0.2, 0.2]), (4, 1))
    assert found(same, bins=4) == pytest.approx(0.75 - 0.6)


@pytest.mark.parametrize("bins", [7, 15])
def test_bins_of_equal_mass_equal_the_loop(bins):
    logits, labels, _ = world(3, 501, over=0.1)
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    sure, right, expected = odds.max(axis=1), odds.argmax(axis=1) == labels, 0.0
    order = np.argsort(sure)
    for one in range(bins):
        held = [i for place, i in enumerate(order) if int((place + 0.5) / 501 * bins) == one]
        assert abs(len(held) - 501 / bins) <= 1
        expected += len(held) / 501 * abs(right[held].mean() - sure[held].mean())
    found = calibration_error(logits, labels, np.arange(501), bins=bins, times=50)
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert found.low < found.value < found.high


def test_sure_answers_do_not_saturate():
    logits = np.array([[1000.0, 0.0], [900.0, 0.0], [1e30, -1e30], [0.0, 800.0]])
    labels = np.array([0, 1, 0, 1])
    np.testing.assert_allclose(confidence(logits), [1000, 900, 2e30, 800])
    assert confidence_auc(logits, labels, ALONE, times=10).value == pytest.approx(2 / 3)
    assert loss(logits, labels, ALONE).value == pytest.approx(225)
    assert calibration_error(logits, labels, ALONE, times=10).value == pytest.approx(0.25)


@pytest.mark.parametrize("figure", FIGURES)
def test_intervals_hold_the_value_and_follow_groups(figure):
    logits, labels, _ = world(1, 200, over=0.1)
    alone = figure(logits, labels, np.arange(200))
    assert alone.low < alone.value < alone.high
    copies = [np.repeat(part, 5, axis=0) for part in (logits, labels, np.arange(200))]
    again = figure(*copies)
    assert again.value == pytest.approx(alone.value)
    assert again.high - again.low == pytest.approx(alone.high - alone.low, rel=0.15)


@pytest.mark.parametrize("figure", FIGURES)
def test_float32_and_the_order_of_classes_change_nothing(figure):
    logits, labels, _ = world(2, 100)
    expected = figure(logits, labels, np.arange(100))
    order = np.array([2, 0, 3, 1])
    moved = figure(logits[:, order], np.argsort(order)[labels], np.arange(100))
    narrow = figure(logits.astype(np.float32), labels, np.arange(100))
    for found in (moved, narrow):
        assert (found.low, found.value, found.high) == pytest.approx(
            (expected.low, expected.value, expected.high), abs=1e-5
        )


@pytest.mark.parametrize("over", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("n", [60, 400])
def test_calibration_intervals_cover_what_the_model_truly_is(over, n):
    """At least 93 %, less two standard errors of 100 simulations."""
    logits, labels, share = world(99, 200_000, over=over)
    odds = 1 / (1 + np.exp(-confidence(logits)))
    place = np.minimum((odds * 15).astype(int), 14)
    truth = np.abs(np.bincount(place, weights=odds - share)).sum() / len(labels)
    covered = 0
    for seed in range(100):
        found = calibration_error(*world(seed, n, over=over)[:2], np.arange(n), times=200)
        covered += not found.excludes(truth)
    assert covered / 100 >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / 100)


def test_a_model_that_never_errs_is_not_known_perfectly():
    logits, labels = np.tile([5.0, 0.0], (50, 1)), np.zeros(50, dtype=int)
    found = calibration_error(logits, labels, np.arange(50), times=50)
    assert found.low == 0 and found.high > 0.06
    assert accuracy(logits, labels, np.arange(50)).low < 0.95
    unseen = 1 - 0.025 ** (1 / 50)  # the largest share of errors of which 50 show none
    assert brier(logits, labels, np.arange(50)).high == pytest.approx(2 * unseen, rel=0.01)
    assert loss(logits, labels, np.arange(50)).high == pytest.approx(5 * unseen, rel=0.03)
    with pytest.raises(UnresolvableError, match="50 of 50"):
        confidence_auc(logits, labels, np.arange(50))
    with pytest.raises(UnresolvableError, match="0 of 50"):
        confidence_auc(logits, labels + 1, np.arange(50))


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("labels", [[0, 0, 1, 3], [0, 0, 1, -1]])
def test_labels_that_are_no_class_are_refused(figure, labels):
    with pytest.raises(DataError, match="classes"):
        figure(ODDS, np.array(labels), ALONE)
    with pytest.raises(DataError, match="0 labels"):
        figure(ODDS[:0], TRUE[:0], ALONE[:0])
