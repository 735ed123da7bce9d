"""Logits: blocks, and answers that are none."""

import numpy as np
import pytest
from signals.classifiers import Linear, images, linear

from nonmember.data import examples
from nonmember.errors import ModelError
from nonmember.signals import classes
from nonmember.signals.classes import class_logits


class Saying:
    """Answers what it was given, whatever it is asked."""

    def __init__(self, answer, classes):
        self.answer, self.classes = answer, classes

    def logits(self, inputs):
        return self.answer


def test_logits_are_the_models_own():
    model = Linear(np.array([[1.0, -1.0], [0.5, 2.0]]), np.array([0.0, 1.0]))
    given = examples.of(np.array([[1.0, 2.0], [0.0, -4.0]]), [0, 1])
    found = class_logits(model, given)["logits"]
    np.testing.assert_array_equal(found, [[2.0, 4.0], [-2.0, -7.0]])
    assert found.dtype == np.float32


def test_blocks_change_nothing_but_the_calls(monkeypatch):
    given, whole, parts, told = images(11), linear(36), linear(36), []
    expected = class_logits(whole, given)["logits"]
    monkeypatch.setattr(classes, "AT_ONCE", 4)
    found = class_logits(parts, given, watch=told.append)["logits"]
    np.testing.assert_array_equal(found, expected)
    assert told == [len(call) for call in parts.calls] == [4, 4, 3]


def test_texts_are_asked_as_they_are():
    class Lengths:
        classes = 2

        def logits(self, inputs):
            return np.array([[len(text), 0.0] for text in inputs], dtype=np.float32)

    given = examples.of(["a", "abc"], [0, 1])
    np.testing.assert_array_equal(class_logits(Lengths(), given)["logits"][:, 0], [1, 3])


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (2, 3, 1)])
def test_answers_of_another_shape_are_refused(shape):
    given = examples.of(np.zeros((2, 5), dtype=np.float32), [0, 1])
    with pytest.raises(ModelError, match=r"2 inputs and 3 classes; let it answer one row"):
        class_logits(Saying(np.zeros(shape, dtype=np.float32), 3), given)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_answers_that_are_not_finite_are_refused_with_their_place(wrong):
    answer = np.zeros((3, 2), dtype=np.float32)
    answer[1, 1] = wrong
    given = examples.of(np.zeros((3, 5), dtype=np.float32), [0, 1, 0])
    with pytest.raises(ModelError, match="input 2 is not finite; mend the model"):
        class_logits(Saying(answer, 2), given)


def test_of_equal_classes_the_first_counts_as_the_likeliest():
    model = Linear(np.zeros((1, 3)), np.array([1.0, 1.0, 0.0]))
    found = class_logits(model, examples.of(np.zeros((3, 1)), [0, 1, 2]))["hit"]
    assert found.tolist() == [1, 0, 0]
