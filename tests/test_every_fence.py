"""The contract: what must hold for every defense that stands between a classifier and its asker."""

import copy
import inspect
import re
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Ge
from pydantic import TypeAdapter
from signals.classifiers import Linear, linear

import nonmember.defenses.every  # noqa: F401  (fills the registry)
from nonmember.data import examples
from nonmember.defenses.registry import DEFENSES
from nonmember.models.fence.calibration import Calibration
from nonmember.models.protocols import Classifier

FENCES = {
    one.name: one
    for one in DEFENSES.values()
    if (one.family, one.stage) == ("classifier", "inference")
}
CLASSES, WIDTH, COPIES = 4, 9, 6
QUICK = {"memguard": {"epochs": 2, "learning_rate": 0.1}}
GIVEN = {"calibration", "classifier", "copies"}


class Nearby:
    """Copies of an input that differ from it a little, the same whenever it is asked about."""

    digest = "nearby"

    def __call__(self, inputs):
        copies = [inputs + 0.02 * np.cos(100 * inputs + number) for number in range(COPIES)]
        return np.stack(copies, axis=1).clip(0, 1).astype(inputs.dtype)


def some(seed, n, width=WIDTH):
    """Inputs between 0 and 1, and labels that are mostly those of ``linear``."""
    rng = np.random.default_rng(seed)
    inputs = rng.random((n, width)).astype(np.float32)
    said = linear(width, CLASSES).logits(inputs).argmax(axis=1)
    return examples.of(inputs, np.where(rng.random(n) < 0.8, said, rng.integers(0, CLASSES, n)))


CALIBRATION = Calibration(some(1, 60), some(2, 60), some(3, 200), b"s" * 32)
QUESTIONS = some(4, 30).inputs


@pytest.fixture(params=FENCES.values(), ids=list(FENCES))
def fence(request):
    return request.param


def put_before(fence, model=None, calibration=CALIBRATION):
    known = {
        "classifier": model or linear(WIDTH, CLASSES),
        "calibration": calibration,
        "copies": Nearby(),
    }
    return fence.apply(*(known[need] for need in fence.needs), **QUICK.get(fence.name, {}))


def test_there_are_some():
    assert FENCES.keys() >= {"memguard", "hamp_output", "clip_confidence", "temperature"}
    assert "constant_confidence" in FENCES


def test_it_is_a_classifier_of_as_many_classes(fence):
    made = put_before(fence)
    assert isinstance(made, Classifier) and made.classes == CLASSES
    found = made.logits(QUESTIONS)
    assert found.shape == (30, CLASSES) and found.dtype == np.float32 and np.isfinite(found).all()
    assert made.logits(QUESTIONS[:0]).shape == (0, CLASSES)


def test_the_same_question_gets_the_same_answer(fence):
    made = put_before(fence)
    before = made.logits(QUESTIONS)
    np.random.seed(3)  # noqa: NPY002  (what draws from the global state must fail here)
    np.testing.assert_array_equal(made.logits(QUESTIONS), before)
    np.testing.assert_array_equal(put_before(fence).logits(QUESTIONS), before)


def test_an_input_is_answered_alone_as_in_company(fence):
    made = put_before(fence)
    together = made.logits(QUESTIONS)
    order = np.random.default_rng(2).permutation(len(QUESTIONS))
    np.testing.assert_allclose(made.logits(QUESTIONS[order]), together[order], atol=1e-5)
    for place in (0, 7, 29):
        alone = made.logits(QUESTIONS[place : place + 1])
        np.testing.assert_allclose(alone[0], together[place], atol=1e-5)


def test_it_keeps_the_label_or_says_that_it_does_not(fence):
    model = linear(WIDTH, CLASSES)
    made = put_before(fence, model)
    assert isinstance(made.label_preserving, bool)
    if made.label_preserving:
        own, found = (one.logits(QUESTIONS).argmax(axis=1) for one in (model, made))
        np.testing.assert_array_equal(found, own)


def test_of_equal_classes_the_first_stays_the_label(fence):
    weights = np.repeat(linear(WIDTH, 2).weights, 2, axis=1)
    tied = Linear(weights, np.repeat(-0.5 * linear(WIDTH, 2).weights.sum(axis=0), 2))
    own = tied.logits(QUESTIONS)
    assert {*own.argmax(axis=1).tolist()} == {0, 2}
    made = put_before(fence, tied)
    if made.label_preserving:
        np.testing.assert_array_equal(made.logits(QUESTIONS).argmax(axis=1), own.argmax(axis=1))


@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_answers_stay_finite_whatever_the_classifier_says(fence, scale):
    plain = linear(WIDTH, CLASSES)
    steep = Linear(scale * plain.weights, scale * plain.bias)
    made = put_before(fence, steep)
    found = made.logits(QUESTIONS)
    assert np.isfinite(found).all()
    if made.label_preserving:
        np.testing.assert_array_equal(found.argmax(axis=1), steep.logits(QUESTIONS).argmax(axis=1))


def test_it_does_something(fence):
    model = linear(WIDTH, CLASSES)
    assert np.abs(put_before(fence, model).logits(QUESTIONS) - model.logits(QUESTIONS)).max() > 0


def test_inputs_and_calibration_are_left_as_they_are(fence):
    calibration, given = copy.deepcopy(CALIBRATION), QUESTIONS.copy()
    sides = (calibration.members, calibration.non_members, calibration.public)
    for array in (given, *(part for side in sides for part in (side.inputs, side.labels))):
        array.setflags(write=False)
    put_before(fence, calibration=calibration).logits(given)
    np.testing.assert_array_equal(given, QUESTIONS)


def test_what_is_fitted_is_remembered_by_name(fence):
    """A second fence, before a classifier that says other things, has what the first fitted."""
    kept, made = {}, []

    def remember(name, make):
        if name not in kept:
            kept[name] = make()
            made.append(name)
        return kept[name]

    known = Calibration(
        CALIBRATION.members, CALIBRATION.non_members, CALIBRATION.public, b"s" * 32, remember
    )
    first = put_before(fence, calibration=known).logits(QUESTIONS)
    fitted = list(made)
    np.testing.assert_array_equal(put_before(fence, calibration=known).logits(QUESTIONS), first)
    assert made == fitted
    for arrays in kept.values():
        assert all(isinstance(one, np.ndarray) and one.dtype != object for one in arrays.values())


def test_it_needs_a_classifier_and_what_a_defender_has(fence):
    assert fence.needs[:2] == ("classifier", "calibration") and {*fence.needs} <= GIVEN


def bounded(annotation):
    """Whether numbers of this type have an end, as far as there are any."""
    schema = TypeAdapter(annotation).json_schema()
    kinds = schema.get("anyOf", [schema])
    ends = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"}
    return all(
        kind.get("type") not in ("number", "integer") or ends & kind.keys() for kind in kinds
    )


def test_options_are_typed_bounded_keywords_whose_defaults_fit(fence):
    parameters = inspect.signature(fence.apply, eval_str=True).parameters
    for name in fence.options:
        parameter = parameters[name]
        assert parameter.kind is parameter.KEYWORD_ONLY
        TypeAdapter(parameter.annotation).validate_python(parameter.default, strict=True)
        assert name == "seed" or bounded(parameter.annotation), f"{name} has no bounds"


def test_bounds_are_seen():
    assert (
        bounded(bool) and bounded(Annotated[int, Ge(0)]) and bounded(Annotated[int, Ge(0)] | None)
    )
    assert not bounded(float) and not bounded(float | None)


def test_it_explains_every_parameter_and_names_its_paper(fence):
    head, _, arguments = inspect.getdoc(fence.apply).partition("Args:")
    assert head.splitlines()[0].endswith((".", ";", ":")) and len(head.splitlines()[0]) > 20
    for name in (*fence.needs, *fence.options):
        assert re.search(rf"^\s+{name}: ", arguments, re.MULTILINE), f"{name} is not explained"
    assert re.search(r"\w+ .*\d{4}, arXiv:\d{4}\.\d{5}", fence.paper)
    assert fence.apply.__module__ == f"nonmember.defenses.classifier.{fence.name}"
