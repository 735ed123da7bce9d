"""A fence in the place of a torch module and of a scikit-learn classifier."""

import numpy as np
import pytest
import torch
from models.fence.worlds_fence import CLASSES, Linear, Shaken, calibration, examples
from sklearn.metrics import get_scorer

from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import ModelError
from nonmember.models.fence.module import as_estimator, as_module

INPUTS = examples(20).inputs


@pytest.fixture(scope="module")
def fenced():
    return diffence(Linear(), calibration(), Shaken())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_module_answers_tensors_without_gradients(fenced, dtype):
    rows = torch.from_numpy(INPUTS).to(dtype).requires_grad_()
    found = as_module(fenced)(rows)
    assert found.dtype == torch.float32 and not found.requires_grad
    np.testing.assert_array_equal(found.numpy().argmax(1), fenced.logits(INPUTS).argmax(1))
    if dtype == torch.float32:
        np.testing.assert_array_equal(found.numpy(), fenced.logits(INPUTS))


def test_a_module_stands_in_others(fenced):
    whole = torch.nn.Sequential(as_module(fenced), torch.nn.Softmax(dim=1)).eval()
    np.testing.assert_allclose(whole(torch.from_numpy(INPUTS)).sum(dim=1), 1, atol=1e-6)


def test_an_estimator_answers_arrays(fenced):
    made = as_estimator(fenced)
    np.testing.assert_array_equal(made.classes_, np.arange(CLASSES))
    np.testing.assert_array_equal(made.predict(INPUTS), fenced.logits(INPUTS).argmax(axis=1))
    logits = fenced.logits(INPUTS).astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.predict_proba(INPUTS), expected, atol=1e-12)


def test_an_estimator_has_the_names_of_its_classes(fenced):
    made = as_estimator(fenced, ["ash", "elm", "oak", "yew"])
    assert set(made.predict(INPUTS)) <= {"ash", "elm", "oak", "yew"}
    with pytest.raises(ModelError, match=r"^fence: 2 names for 4 classes; give one each$"):
        as_estimator(fenced, ["ash", "elm"])


@pytest.mark.parametrize("name", ["accuracy", "neg_log_loss", "roc_auc_ovr"])
def test_the_scorers_of_scikit_learn_take_it(fenced, name):
    labels = fenced.logits(INPUTS).argmax(axis=1)
    assert set(labels) == set(range(CLASSES))
    found = get_scorer(name)(as_estimator(fenced), INPUTS, labels)
    assert np.isfinite(found) and (name != "accuracy" or found == 1)
