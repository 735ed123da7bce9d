"""The contract: what must hold for every registered signal, present and future.

Of signals that ask language models, and of derived ones; those that ask classifiers have a
contract of their own, in ``test_every_classifier_signal``.
"""

import copy
from inspect import getdoc, signature

import numpy as np
import pytest
import worlds
from signals.models import STATISTICS, Answering, counting, mixed, texts

import nonmember.audit.threat  # these fill the catalogue
import nonmember.signals.boundary
import nonmember.signals.diffused
import nonmember.signals.jittered
import nonmember.signals.rewritten
import nonmember.signals.trajectory
import nonmember.signals.views  # noqa: F401
from nonmember.signals.catalogue import SIGNALS, ask, extractor, queried
from nonmember.signals.derive import DERIVED
from nonmember.types import ACCESS

GIVEN = mixed()
KNOWN = {"shots": texts(8, 5, seed=6), "member_shots": texts(7, 9, seed=7)}
AS_SCORED = ("token_", "prefix_", "repeat_")  # one column per scored token of the record


OF_LANGUAGE = {name: one for name, one in SIGNALS.items() if one.inputs[0] == "model"}


@pytest.fixture(params=OF_LANGUAGE.values(), ids=list(OF_LANGUAGE), scope="module")
def signal(request):
    return request.param


@pytest.fixture(params=SIGNALS.values(), ids=list(SIGNALS))
def registered(request):
    return request.param


def asked(signal, given, model=None, **options):
    whole = {"contents": [one.content for one in given], "rewrites_cache": None}
    known = [{**KNOWN, **whole}[name] for name in signal.inputs[2:]]
    return signal.extract(model or counting(), given, *known, **options)


@pytest.fixture(scope="module")
def answers(signal):
    return asked(signal, GIVEN)


@pytest.fixture(params=DERIVED.values(), ids=list(DERIVED))
def derived(request):
    return request.param


def inputs(function, world):
    return [world[need] for need in signature(function).parameters]


def close(found, expected):
    """Equal up to rounding, wider arrays being no different where NaN."""
    shape = np.maximum(found.shape, expected.shape)
    padded = (
        np.pad(
            one, [(0, n - m) for n, m in zip(shape, one.shape, strict=True)], constant_values=np.nan
        )
        for one in (found, expected)
    )
    np.testing.assert_allclose(*padded, rtol=1e-4, atol=1e-4)


def test_it_gives_what_it_provides(signal, answers):
    assert answers.keys() == signal.provides.keys()
    for array in answers.values():
        assert array.dtype == np.float32
        assert array.shape[0] == len(GIVEN) and array.ndim in (2, 3) and array.size


def test_each_row_holds_numbers_then_nan(answers):
    for array in answers.values():
        missing = np.isnan(array)
        assert not (missing[..., :-1] & ~missing[..., 1:]).any()
        assert np.isfinite(array[~missing]).all()


def test_what_is_of_scored_tokens_stands_where_they_do(answers):
    counts = np.array([one.scored.sum() for one in GIVEN])
    for name, array in answers.items():
        if name.startswith(AS_SCORED):
            rows = array.reshape(len(GIVEN), -1, array.shape[-1])
            past = np.arange(array.shape[-1]) >= counts[:, None, None]
            np.testing.assert_array_equal(np.isnan(rows), np.broadcast_to(past, rows.shape))


def test_records_without_a_scored_token_are_nan(answers):
    silent = [place for place, one in enumerate(GIVEN) if not one.scored.any()]
    assert len(silent) == 2
    for array in answers.values():
        assert np.isnan(array[silent]).all()


def test_the_same_question_gets_the_same_answer(signal, answers):
    again = asked(signal, GIVEN)
    for name, array in answers.items():
        np.testing.assert_array_equal(again[name], array)


def test_the_order_of_records_does_not_matter(signal, answers):
    order = np.random.default_rng(2).permutation(len(GIVEN))
    turned = asked(signal, [GIVEN[i] for i in order])
    for name, array in answers.items():
        close(turned[name], array[order])


def test_a_record_is_answered_alone_as_in_company(signal, answers):
    for place in (0, 4, 6, 7):
        alone = asked(signal, GIVEN[place : place + 1])
        for name, array in answers.items():
            close(alone[name], array[place : place + 1])


def test_no_records_are_no_rows(signal):
    for array in asked(signal, []).values():
        assert array.shape[0] == 0 and array.dtype == np.float32 and min(array.shape[1:]) >= 1


def test_a_remote_model_is_asked_for_the_same(signal, answers):
    remote = asked(signal, GIVEN, Answering(counting(), STATISTICS))
    for name, array in answers.items():
        close(remote[name], array)


def test_records_are_left_as_they_are(signal):
    given = copy.deepcopy(GIVEN)
    asked(signal, given)
    for before, after in zip(GIVEN, given, strict=True):
        np.testing.assert_array_equal(before.ids, after.ids)
        np.testing.assert_array_equal(before.scored, after.scored)


def test_watch_is_told_and_changes_nothing(signal, answers):
    told = []
    watched = asked(signal, GIVEN, watch=told.append)
    assert told and min(told) > 0
    for name, array in answers.items():
        np.testing.assert_array_equal(watched[name], array)


def test_it_can_be_asked_for_and_says_at_what_access(registered):
    assert registered.version >= 1 and getdoc(registered.extract)
    for name, access in registered.provides.items():
        assert extractor(name) is registered and access in ACCESS
        assert queried([f"known_base_{name}"]) == {ask(f"known_base_{name}")}


def test_each_option_is_documented(registered):
    for option in registered.options:
        assert f"{option}:" in getdoc(registered.extract) or "As ``" in getdoc(registered.extract)


def test_it_says_how_many_texts_it_puts(registered):
    count = registered.queries
    count = registered.options[count] if isinstance(count, str) else count
    assert (count >= 1) == bool({"model", "classifier"} & {*registered.inputs})


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
        if not callable(world[name]):
            np.testing.assert_array_equal(world[name], before[name])


def test_what_is_derived_comes_down_to_questions_or_texts(derived):
    assert ask(derived.__name__).name == derived.__name__ and getdoc(derived)
    needs = set(signature(derived).parameters)
    assert bool(queried([derived.__name__])) == (needs != {"texts"})
