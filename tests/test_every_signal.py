"""The contract: what must hold for every registered signal, present and future."""

import copy
from inspect import getdoc, signature

import numpy as np
import pytest
import worlds
from signals.models import counting, record, records

import nonmember.signals.language  # noqa: F401  (fills the catalogue)
from nonmember.signals.catalogue import SIGNALS, ask, extractor, queried
from nonmember.signals.derive import DERIVED
from nonmember.types import ACCESS

GIVEN = [*records(20, 3, 70, 9, share=0.6), record([]), record([7]), *records(40, seed=1)]


@pytest.fixture(params=SIGNALS.values(), ids=list(SIGNALS), scope="module")
def signal(request):
    return request.param


@pytest.fixture(scope="module")
def answers(signal):
    return signal.extract(counting(), GIVEN)


@pytest.fixture(params=DERIVED.values(), ids=list(DERIVED))
def derived(request):
    return request.param


def inputs(function, world):
    return [world[need] for need in signature(function).parameters]


def test_it_gives_what_it_provides(signal, answers):
    assert answers.keys() == signal.provides.keys()
    for array in answers.values():
        assert array.shape[0] == len(GIVEN) and array.ndim == 2
        assert np.issubdtype(array.dtype, np.floating)


def test_each_row_holds_its_scored_tokens_then_nan(answers):
    counts = np.array([one.scored.sum() for one in GIVEN])
    for array in answers.values():
        past = np.arange(array.shape[1]) >= counts[:, None]
        np.testing.assert_array_equal(np.isnan(array), past)
        assert np.isfinite(array[~past]).all()


def test_the_same_question_gets_the_same_answer(signal, answers):
    again = signal.extract(counting(), GIVEN)
    for name, array in answers.items():
        np.testing.assert_array_equal(again[name], array)


def test_the_order_of_records_does_not_matter(signal, answers):
    order = np.random.default_rng(2).permutation(len(GIVEN))
    turned = signal.extract(counting(), [GIVEN[i] for i in order])
    for name, array in answers.items():
        np.testing.assert_allclose(turned[name], array[order], rtol=1e-5, atol=1e-5)


def test_it_can_be_asked_for_and_says_at_what_access(signal):
    assert signal.version >= 1 and getdoc(signal.extract)
    for name, access in signal.provides.items():
        assert extractor(name) is signal and access in ACCESS
        assert queried([f"known_base_{name}"]) == {ask(f"known_base_{name}")}


def test_what_is_derived_has_one_entry_per_candidate_in_their_order(derived):
    world = worlds.language(40)
    order = np.random.default_rng(2).permutation(40)
    whole = derived(*inputs(derived, world))
    assert len(whole) == 40
    turned = derived(*inputs(derived, worlds.reordered(world, order)))
    np.testing.assert_array_equal(turned, whole[order])


def test_what_is_derived_leaves_its_inputs_alone(derived):
    world = worlds.language(10)
    before = copy.deepcopy(world)
    derived(*inputs(derived, world))
    for name in signature(derived).parameters:
        np.testing.assert_array_equal(world[name], before[name])


def test_what_is_derived_comes_down_to_questions_or_texts(derived):
    assert ask(derived.__name__).name == derived.__name__ and getdoc(derived)
    needs = set(signature(derived).parameters)
    assert bool(queried([derived.__name__])) == (needs != {"texts"})
