"""scikit-learn classifiers, in memory and as skops files."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sklearn
from models.classifiers import nets
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from nonmember.data.examples import Examples
from nonmember.data.examples import of as examples_of
from nonmember.errors import ModelError
from nonmember.models.classifiers import find, load, of
from nonmember.models.classifiers.answers import LEAST

skops = pytest.importorskip("skops.io")

MODELS = {
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "forest": RandomForestClassifier(3, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=2, random_state=0),
    "bayes": GaussianNB(),
    "calibrated": CalibratedClassifierCV(LogisticRegression(), cv=2, ensemble=False),
}


def fitted(name: str, examples: Examples) -> Any:
    return MODELS[name].fit(examples.inputs, examples.labels)


@pytest.mark.parametrize("name", MODELS)
def test_log_probabilities_are_the_models_own_in_memory_and_from_a_file(
    name: str, tmp_path: Path
) -> None:
    examples = nets.rows(60)
    model, path = fitted(name, examples), tmp_path / "model.skops"
    skops.dump(model, path)
    held = of(model)
    found = load(held, "cpu", examples)
    expected = np.log(np.maximum(model.predict_proba(examples.inputs), LEAST))
    np.testing.assert_allclose(found.logits(examples.inputs), expected, rtol=1e-6)
    assert (found.classes, held.access, held.asks) == (3, "scores", True)
    stored = load(find(str(path)), "cpu", examples)
    np.testing.assert_array_equal(stored.logits(examples.inputs), found.logits(examples.inputs))


def test_inputs_of_more_axes_are_laid_flat_and_others_refused() -> None:
    examples = nets.rows(20)
    loaded = load(of(fitted("bayes", examples)), "cpu", examples)
    flat = loaded.logits(examples.inputs)
    np.testing.assert_array_equal(loaded.logits(examples.inputs.reshape(20, 2, 3)), flat)
    with pytest.raises(ModelError, match=r"inputs in shape \(5,\); it takes shape \(6,\)"):
        loaded.logits(nets.rows(features=5).inputs)
    with pytest.raises(ModelError, match="inputs in texts; it takes"):
        loaded.logits(["a"])


def test_texts_are_given_to_a_pipeline_that_counts_words() -> None:
    texts, labels = ["the cat", "a dog", "the dog", "a cat"], [0, 1, 0, 1]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, labels)
    found = load(of(model), "cpu", examples_of(texts, labels)).logits(texts[:1])
    np.testing.assert_allclose(np.exp(found), model.predict_proba(texts[:1]), rtol=1e-6)


def test_columns_stand_where_their_classes_say() -> None:
    examples = nets.rows(20, classes=2)
    model = GaussianNB().fit(examples.inputs, examples.labels * 2)
    found = load(of(model), "cpu", examples).logits(examples.inputs)
    probabilities = model.predict_proba(examples.inputs)
    np.testing.assert_allclose(np.exp(found)[:, [0, 2]], probabilities, rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(found[:, 1], np.log(LEAST), rtol=1e-6)


def test_named_classes_are_told_in_the_models_order() -> None:
    examples = nets.rows(20, classes=2)
    model = GaussianNB().fit(examples.inputs, np.array(["spam", "ham"])[examples.labels])
    assert of(model).class_names == ("ham", "spam")
    assert of(fitted("bayes", examples)).class_names is None


def test_the_digest_is_of_the_fitted_model() -> None:
    one, other = nets.rows(20), nets.rows(20, seed=1)
    digests = [of(GaussianNB().fit(e.inputs, e.labels)).digest for e in (one, one, other)]
    assert digests[0] == digests[1] != digests[2]


CUSTOM = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
class Custom(ClassifierMixin, BaseEstimator):
    def fit(self, inputs, labels):
        self.classes_ = np.unique(labels)
        return self
    def predict_proba(self, inputs):
        return np.tile([{first}, 1 - {first}], (len(inputs), 1))
def scaled(inputs):
    return inputs * {first}
"""


@pytest.mark.parametrize("part", ["alone", "in a pipeline", "function"])
def test_the_digest_is_of_the_users_own_code(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = nets.rows(20, classes=2)

    def digest(first: float) -> str:
        module = ModuleType("their_estimators")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(CUSTOM.format(first=first), vars(module))
        model = {
            "alone": module.Custom(),
            "in a pipeline": make_pipeline(StandardScaler(), module.Custom()),
            "function": make_pipeline(FunctionTransformer(module.scaled), GaussianNB()),
        }[part]
        # What is fitted is the same whatever the code: all columns are told apart alike.
        return of(model.fit(np.zeros((20, 6)), examples.labels)).digest

    assert digest(0.5) == digest(0.5) != digest(0.75)


def test_the_digest_is_of_scikit_learns_version(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted("bayes", nets.rows(20))
    before = of(model).digest
    monkeypatch.setattr(sklearn, "__version__", "0.1")
    assert of(model).digest != before


def test_an_estimator_without_content_is_refused() -> None:
    examples = nets.rows(20)
    model = make_pipeline(FunctionTransformer(lambda inputs: inputs), GaussianNB())
    with pytest.raises(ModelError, match=r"cannot be told by content .*named functions"):
        of(model.fit(examples.inputs, examples.labels))


PRIVATE = "Patient Jane Doe"


def test_a_refusal_never_repeats_an_input() -> None:
    examples = nets.rows(20)
    loaded = load(of(fitted("pipeline", examples)), "cpu", examples)
    for inputs in ([PRIVATE], np.full((1, 6), PRIVATE), np.full((1, 6), PRIVATE, dtype=object)):
        with pytest.raises(ModelError, match=r"ValueError\); give the inputs") as raised:
            loaded.logits(inputs)
        assert "Jane" not in str(raised.value)


class Raising(GaussianNB):
    """Refuses every input with an error of its choice."""

    error: Exception = IndexError()

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (IndexError("index 7 is out of bounds"), r"\(index 7 is out of bounds\)"),
        (ZeroDivisionError(), r"\(ZeroDivisionError\)"),
        (KeyError(PRIVATE), r"\(\(left out\)\)"),
        (
            RuntimeError(f"no such word: '{PRIVATE}'\nnor \"it's\""),
            r"\(no such word: \(left out\)\)",
        ),
        (
            ValueError(f"Found unknown categories [{PRIVATE}] in it"),
            r"categories \(left out\) in it",
        ),
    ],
)
def test_whatever_an_estimator_raises_is_told_without_the_input(
    error: Exception, said: str
) -> None:
    examples = nets.rows(20)
    model = Raising().fit(examples.inputs, examples.labels)
    model.error = error
    with pytest.raises(ModelError, match=said) as raised:
        load(of(model), "cpu", examples)
    assert "Jane" not in str(raised.value)


def test_what_cannot_be_asked_for_probabilities_is_refused() -> None:
    examples = nets.rows(20)
    inputs, labels = examples.inputs, examples.labels
    cases = {
        "has no predict_proba": SGDClassifier().fit(inputs, labels),
        "LinearRegression has no predict_proba": LinearRegression().fit(inputs, labels),
        "is not fitted": GaussianNB(),
        "fitted on one class": GaussianNB().fit(inputs, labels * 0),
        "fit it on labels from 0": GaussianNB().fit(inputs, labels - 1),
        "not fitted to one label": RandomForestClassifier(2).fit(
            inputs, np.stack([labels, labels], axis=1)
        ),
    }
    for message, model in cases.items():
        with pytest.raises(ModelError, match=message):
            of(model)


def test_a_skops_file_with_other_types_is_refused_and_lists_them(tmp_path: Path) -> None:
    examples, path = nets.rows(20), tmp_path / "model.skops"
    model = make_pipeline(FunctionTransformer(nets.seeded), GaussianNB())
    model[1].fit(examples.inputs, examples.labels)
    skops.dump(model, path)
    with pytest.raises(ModelError, match=r"needs .*nets.seeded, which may run code"):
        find(str(path))


def test_a_damaged_skops_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(ModelError, match="no readable skops file"):
        find(str(path))


@pytest.mark.parametrize("kind", ["tree", "boosting"])
def test_a_tree_that_points_outside_itself_is_refused(kind: str, tmp_path: Path) -> None:
    examples, path = nets.rows(60), tmp_path / "model.skops"
    if kind == "tree":
        model: Any = DecisionTreeClassifier().fit(examples.inputs, examples.labels)
        model.tree_.children_left[0] = 10_000
    else:
        model = fitted("boosting", examples)
        model._predictors[0][0].nodes["feature_idx"][0] = 10_000
    skops.dump(model, path)
    with pytest.raises(ModelError, match="points outside itself"):
        find(str(path))
