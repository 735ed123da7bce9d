"""Loss trajectories: references teach which of them are of members."""

import inspect

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.classifier import learners
from nonmember.attacks.classifier.trajectory import LEAST, trajectory
from nonmember.errors import DataError
from nonmember.evaluation.roc import auc

MODELS = ("mlp", "forest", "boosting", "logistic")


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(learners, "TREES", 30)


def world(seed=0, *, n=200, models=2, epochs=5, fall=2.0):
    """Losses of which those of members fall at the last epochs, from levels of their own."""
    rng = np.random.default_rng(seed)
    ref_member = np.stack([rng.permutation(np.arange(n) % 2 == 0) for _ in range(models)])
    member = np.arange(n) % 2 == 0
    seen = np.concatenate([member[None], ref_member])
    logs = rng.normal(0, 2, (models + 1, n, 1)) + rng.normal(0, 0.5, (models + 1, n, epochs))
    logs[..., -1] -= fall * seen
    losses = np.exp(logs)
    return (losses[0], losses[1:], ref_member), member


@pytest.mark.parametrize("model", MODELS)
def test_what_a_fall_of_the_loss_means_is_learnt_from_the_references(model):
    signals, member = world()
    found = trajectory(*signals, model=model)
    assert np.isfinite(found).all()
    assert auc(found, member).value > 0.85
    last = auc(-signals[0][:, -1], member).value
    assert auc(found, member).value > last + 0.05


@pytest.mark.parametrize("model", MODELS)
def test_references_of_swapped_membership_turn_the_scores(model):
    (own, references, saw), member = world()
    assert auc(trajectory(own, references, ~saw, model=model), member).value < 0.15


def test_noise_gives_an_auc_of_half():
    found = [auc(trajectory(*signals), member).value for signals, member in
             (world(seed, fall=0.0) for seed in range(4))]  # fmt: skip
    assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.041 / np.sqrt(4))


def test_it_equals_logistic_regression_by_hand():
    (own, references, saw), _ = world()
    known = np.log(np.concatenate(list(references)) + LEAST)
    centre, spread = known.mean(axis=0), known.std(axis=0)
    fitted = LogisticRegression(tol=1e-10, max_iter=1000)
    fitted.fit((known - centre) / spread, np.concatenate(list(saw)))
    inputs = (np.log(own + LEAST) - centre) / spread
    expected = inputs @ fitted.coef_[0] + fitted.intercept_[0]
    found = trajectory(own, references, saw, model="logistic")
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_losses_of_0_are_scored():
    (own, references, saw), _ = world()
    own[:, -1] = references[0, :, -1] = 0
    assert np.isfinite(trajectory(own, references, saw)).all()


def test_one_reference_model_is_enough():
    (own, references, saw), member = world()
    assert auc(trajectory(own, references[:1], saw[:1]), member).value > 0.8


def test_a_candidate_without_losses_is_not_scored():
    (own, references, saw), _ = world()
    own[7] = np.nan
    found = trajectory(own, references, saw)
    assert np.isnan(found[7]) and np.isfinite(np.delete(found, 7)).all()


def test_other_numbers_of_epochs_are_refused():
    (own, references, saw), _ = world()
    with pytest.raises(DataError, match="4 losses of the target and 5 of each reference"):
        inspect.unwrap(trajectory)(own[:, :4], references, saw)
