"""Temperature, clipped confidence, constant confidence: by hand."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from signals.classifiers import Linear

from nonmember.data import examples
from nonmember.defenses.classifier.answers import keeping
from nonmember.defenses.classifier.clip_confidence import clip_confidence
from nonmember.defenses.classifier.constant_confidence import constant_confidence, shares
from nonmember.defenses.classifier.temperature import fitted, temperature
from nonmember.errors import DataError, SpecError
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.select import log_odds

SECRET = b"s" * 32
FENCES = [temperature, clip_confidence, constant_confidence]


def identity(classes):
    """A classifier whose logits are its inputs."""
    return Linear(np.eye(classes), np.zeros(classes))


def calibration(logits, labels, remember=None):
    others = examples.of(np.asarray(logits, dtype=np.float32), labels)
    none = others.take(np.arange(0))
    more = {} if remember is None else {"remember": remember}
    return Calibration(none, others, none, SECRET, **more)


def test_the_label_is_kept_whatever_is_rounded():
    wide = np.array([[1.0, 1.0 + 1e-12], [2.0, 1.0], [1e300, -1e300], [1.0, 3.0]])
    found = keeping(wide, np.array([1, 0, 0, 0]))
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert found.argmax(axis=1).tolist() == [1, 0, 0, 0]
    np.testing.assert_array_equal(found[1], [2, 1])
    np.testing.assert_allclose(found[[0, 3]], [[1, 1], [3, 3]], rtol=1e-6)


def test_a_temperature_divides():
    given = np.array([[2.0, 0.0, -4.0]], dtype=np.float32)
    fence = temperature(identity(3), calibration(given, [0]), temperature=4.0)
    np.testing.assert_array_equal(fence.logits(given), [[0.5, 0, -1]])


def test_a_fitted_temperature_by_hand():
    # Of ten answers with log odds 4 nine are right: at log odds log 9 the loss is least.
    logits = np.tile([4.0, 0.0], (10, 1))
    labels = np.array([0] * 9 + [1])
    fence = temperature(identity(2), calibration(logits, labels))
    assert fence.temperature == pytest.approx(4 / np.log(9))


def test_a_fitted_temperature_has_the_least_loss():
    rng = np.random.default_rng(0)
    logits = 5 * rng.normal(size=(400, 4))
    labels = np.array([rng.choice(4, p=np.exp(log_softmax(row / 3))) for row in logits])

    def loss(one):
        return -log_softmax(logits / one, axis=1)[np.arange(400), labels].mean()

    found = fitted(logits, labels)
    assert 2.3 < found < 3.9
    assert loss(found) < min(loss(found * 1.01), loss(found / 1.01))


def test_a_temperature_stays_within_its_bounds():
    logits = np.array([[4.0, 0.0], [0.0, 1e4]])
    assert fitted(logits, np.array([0, 1])) == 0.01
    assert fitted(logits, np.array([1, 0])) == 100
    assert fitted(np.zeros((2, 2)), np.array([1, 0])) in (0.01, 100)


def test_shares_by_hand():
    given, true = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    overall = (3 + 1) / (4 + 2)
    expected = [(2 + 2 * overall) / 5, (1 + 2 * overall) / 3, overall]
    np.testing.assert_allclose(shares(given, true, 3, 2), expected)


def test_constant_confidence_tells_the_share_and_no_more():
    logits = np.array([[5, 1, 0], [1, 0.5, 0.2], [9, 8, 7], [0, 2, 1]], dtype=np.float32)
    fence = constant_confidence(identity(3), calibration(logits, [0, 0, 1, 1]), prior=2)
    found = fence.logits(logits)
    odds = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    first, second = fence.shares[:2]
    rest = (1 - first) / 2, (1 - second) / 2
    np.testing.assert_allclose(odds[:3], np.tile([first, rest[0], rest[0]], (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(odds[3], [rest[1], second, rest[1]], rtol=1e-5)


def test_a_label_that_is_never_right_stays_the_label():
    logits = np.tile([0.0, 1.0, 0.0], (50, 1))
    fence = constant_confidence(identity(3), calibration(logits, [0] * 50))
    found = fence.logits(logits.astype(np.float32))
    np.testing.assert_allclose(found, np.tile([0, 1e-6, 0], (50, 1)))
    sure = constant_confidence(identity(3), calibration(logits, [1] * 50))
    assert np.isfinite(sure.logits(logits.astype(np.float32))).all()


def test_confidence_is_clipped_by_hand():
    # Log odds of two classes are the difference; those of calibration are 0, 1, ..., 10.
    seen = np.stack([np.arange(11.0), np.zeros(11)], axis=1)
    fence = clip_confidence(identity(2), calibration(seen, [0] * 11), low=0.1, high=0.5)
    assert (fence.low, fence.high) == (1, 5)
    given = np.array([[0.5, 0.0], [3.0, 0.0], [2.0, 9.0], [0.0, 0.0]], dtype=np.float32)
    found = fence.logits(given)
    np.testing.assert_allclose(found, [[1, 0], [3, 0], [2, 7], [1, 0]])


def test_clipped_log_odds_lie_in_the_bounds_and_the_others_keep_their_proportions():
    rng = np.random.default_rng(1)
    logits = (4 * rng.normal(size=(300, 5))).astype(np.float32)
    labels = logits.argmax(axis=1)
    fence = clip_confidence(identity(5), calibration(logits, labels), low=0.3, high=0.6)
    found, rows = fence.logits(logits), np.arange(300)
    odds, before = log_odds(found), log_odds(logits)
    second = np.sort(logits, axis=1)[:, -2]
    others = np.where(np.arange(5) == labels[:, None], -np.inf, logits)
    least = second - logsumexp(others, axis=1)  # below which the label would be lost
    np.testing.assert_allclose(
        odds, np.maximum(before.clip(fence.low, fence.high), least), atol=1e-5
    )
    np.testing.assert_array_equal(found.argmax(axis=1), labels)
    found[rows, labels] = logits[rows, labels]
    np.testing.assert_array_equal(found, logits)


def test_a_label_is_not_clipped_away():
    seen = np.zeros((4, 6))  # log odds of -log 5 throughout
    fence = clip_confidence(identity(6), calibration(seen, [0] * 4))
    given = np.array([[0, 0, 0, 0, 0.5, 2]], dtype=np.float32)
    found = fence.logits(given)
    assert found.argmax() == 5 and found[0, 5] == np.nextafter(np.float32(0.5), np.float32(1))


@pytest.mark.parametrize("fence", FENCES)
def test_extreme_answers_stay_finite(fence):
    given = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [0, 0, 0]], dtype=np.float32)
    for options in [{}, {"temperature": 0.01}] if fence is temperature else [{}]:
        found = fence(identity(3), calibration(given, [0, 2, 0]), **options).logits(given)
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found.argmax(axis=1), given.argmax(axis=1))


@pytest.mark.parametrize("fence", FENCES)
def test_what_is_fitted_is_remembered(fence):
    given, kept, made = np.eye(3, dtype=np.float32), {}, []

    def remember(name, make):
        made.append(name)
        return kept.setdefault(name, make())

    known = calibration(given, [0, 1, 1], remember)
    model = identity(3)
    first = fence(model, known).logits(given)
    np.testing.assert_array_equal(fence(model, known).logits(given), first)
    assert len(made) == 2 and len(kept) == 1 and fence.__name__ in made[0]


@pytest.mark.parametrize("fence", FENCES)
def test_refusals(fence):
    with pytest.raises(DataError, match=r"non_members is empty"):
        fence(identity(3), calibration(np.zeros((0, 3)), np.zeros(0, dtype=int)))
    with pytest.raises(DataError, match="label 3 and the classifier the classes 0 to 2"):
        fence(identity(3), calibration(np.zeros((1, 3)), [3]))


def test_bounds_are_in_order():
    with pytest.raises(SpecError, match=r"low=0\.6 is above high=0\.5"):
        clip_confidence(identity(2), calibration(np.zeros((1, 2)), [0]), low=0.6)
