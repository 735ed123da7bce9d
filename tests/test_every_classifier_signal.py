"""The contract: what must hold for every signal that asks classifiers, present and future."""

import copy

import numpy as np
import pytest
from signals.classifiers import images, linear

import nonmember.signals.boundary
import nonmember.signals.diffused
import nonmember.signals.jittered
import nonmember.signals.trajectory
import nonmember.signals.views  # noqa: F401
from nonmember.data import examples
from nonmember.models.diffusion import Diffusion, Regeneration, fresh
from nonmember.signals.catalogue import SIGNALS
from nonmember.signals.diffused import Joined

GIVEN = images()
STUDENTS = [linear(36, seed=seed) for seed in (4, 5)]
DIFFUSION = Diffusion(
    lambda noised, t: 0.1 * noised, np.linspace(0.99, 0.5, 100), (6, 6), 0.0, 1.0, "a shrinking"
)
COPIES = Joined(tuple(fresh(DIFFUSION, Regeneration(t=t, n=3), b"the attacker's") for t in (5, 50)))
BESIDE = {"students": STUDENTS, "diffused": COPIES, "diffusion": DIFFUSION}
OPTIONS = {
    "view_logits": {"kind": "noise", "views": 4},
    "hop_skip_jump": {"budget": 300, "low": 0.0, "high": 1.0},
    "jitter_logits": {"views": 4, "low": 0.0, "high": 1.0},
}
OF_THE_OTHERS = {"view_logits": {"kind": "shift", "views": 5}}  # what no other input changes
OF_CLASSIFIERS = {name: one for name, one in SIGNALS.items() if "examples" in one.inputs}


@pytest.fixture(params=OF_CLASSIFIERS.values(), ids=list(OF_CLASSIFIERS), scope="module")
def signal(request):
    return request.param


def asked(signal, given=GIVEN, model=None, **options):
    known = {"classifier": model or linear(36), "examples": given, **BESIDE}
    options = {**OPTIONS.get(signal.name, {}), **options}
    return signal.extract(*(known[name] for name in signal.inputs), **options)


@pytest.fixture(scope="module")
def answers(signal):
    return asked(signal)


def test_it_gives_what_it_provides(signal, answers):
    assert answers.keys() == signal.provides.keys()
    for array in answers.values():
        assert array.dtype == np.float32 and len(array) == len(GIVEN) and array.size
        assert np.isfinite(array).all()


def test_the_same_question_gets_the_same_answer(signal, answers):
    np.random.seed(3)  # noqa: NPY002  (what draws from the global state must fail here)
    again = asked(signal)
    for name, array in answers.items():
        np.testing.assert_array_equal(again[name], array)


def test_the_order_of_inputs_does_not_matter(signal, answers):
    order = np.random.default_rng(2).permutation(len(GIVEN))
    turned = asked(signal, GIVEN.take(order))
    for name, array in answers.items():
        np.testing.assert_allclose(turned[name], array[order], rtol=1e-4, atol=1e-5)


def test_an_input_is_answered_alone_as_in_company(signal):
    options = OF_THE_OTHERS.get(signal.name, {})
    together = asked(signal, **options)
    for place in (0, 7):
        alone = asked(signal, GIVEN.take(np.array([place])), **options)
        for name, array in together.items():
            np.testing.assert_allclose(alone[name][0], array[place], rtol=1e-4, atol=1e-5)


def test_no_inputs_are_no_rows(signal, answers):
    empty = examples.of(np.zeros((0, 6, 6), dtype=np.uint8), np.zeros(0, dtype=int))
    nothing = asked(signal, empty)
    for name, array in answers.items():
        assert nothing[name].shape == (0, *array.shape[1:]) and nothing[name].dtype == np.float32


def test_inputs_are_left_as_they_are(signal):
    given = copy.deepcopy(GIVEN)
    given.inputs.setflags(write=False)
    given.labels.setflags(write=False)
    asked(signal, given)
    np.testing.assert_array_equal(given.inputs, GIVEN.inputs)


def test_watch_is_told_of_every_input_and_changes_nothing(signal, answers):
    told, model = [], linear(36)
    watched = asked(signal, model=model, watch=told.append)
    assert sum(told) >= max(1, model.asked)  # students are told of too
    assert bool(model.asked) == ("classifier" in signal.inputs)
    for name, array in answers.items():
        np.testing.assert_array_equal(watched[name], array)


def test_it_puts_no_more_inputs_than_it_says(signal):
    model = linear(36)
    asked(signal, model=model)
    each = signal.queries
    each = OPTIONS[signal.name][each] if isinstance(each, str) else each
    assert model.asked <= each * len(GIVEN)
