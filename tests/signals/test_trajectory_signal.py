"""Losses along a distillation: by hand, and students that are none."""

from math import log

import numpy as np
import pytest
from signals.classifiers import Linear, images, linear

from nonmember.data import examples
from nonmember.errors import ModelError, SpecError
from nonmember.signals.trajectory import loss_trajectory


def test_losses_of_the_students_in_order_then_of_the_model_itself():
    given = examples.of(np.array([[0.0], [1.0]]), [0, 1])
    unsure = Linear(np.zeros((1, 2)), np.zeros(2))
    threefold = Linear(np.zeros((1, 2)), np.array([log(3.0), 0.0]))
    rising = Linear(np.array([[0.0, log(4.0)]]), np.zeros(2))
    found = loss_trajectory(rising, given, [unsure, threefold])["trajectory"]
    expected = [[log(2), log(4 / 3), log(2)], [log(2), log(4), log(5 / 4)]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_equals_the_loop():
    given, models = images(9), [linear(36, seed=seed) for seed in range(4)]
    found = loss_trajectory(models[0], given, models[1:])["trajectory"]
    for i in range(9):
        for j, model in enumerate((*models[1:], models[0])):
            answer = model.logits(given.inputs[i : i + 1])[0].astype(float)
            loss = -np.log(np.exp(answer)[given.labels[i]] / np.exp(answer).sum())
            assert found[i, j] == pytest.approx(loss, rel=1e-5, abs=1e-6)


def test_a_certain_mistake_has_a_finite_loss():
    sure = Linear(np.zeros((1, 2)), np.array([1e4, 0.0]))
    found = loss_trajectory(sure, examples.of(np.zeros((1, 1)), [1]), [sure])["trajectory"]
    np.testing.assert_array_equal(found, [[1e4, 1e4]])


def test_the_model_is_asked_once_about_each_input():
    model = linear(36)
    loss_trajectory(model, images(9), [linear(36, seed=1)])
    assert model.asked == 9


def test_no_students_are_refused():
    with pytest.raises(SpecError, match="no students were distilled"):
        loss_trajectory(linear(36), images(3), [])


def test_students_of_fewer_classes_are_refused():
    with pytest.raises(ModelError, match="label 2 of a model of 2 classes"):
        given = examples.of(images(3).inputs, [0, 1, 2])
        loss_trajectory(linear(36), given, [linear(36, classes=2)])
