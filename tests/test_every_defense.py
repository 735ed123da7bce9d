"""The contract: what must hold for every registered defense and selector."""

import copy
import inspect
import itertools
import operator
import re
from dataclasses import fields

import numpy as np
import pytest
import worlds
from pydantic import TypeAdapter

import nonmember.defenses.every  # these fill the registries
import nonmember.signals.language  # noqa: F401
from nonmember.attacks.registry import ATTACKS
from nonmember.defenses.language.roles import DROP, RAW, REWRITE
from nonmember.defenses.registry import DEFENSES, SELECTORS
from nonmember.errors import SpecError
from nonmember.signals.catalogue import queried
from nonmember.training.recipe import Recipe

STAGES = {
    stage: [d for d in DEFENSES.values() if (d.family, d.stage) == ("language", stage)]
    for stage in ("data", "training")
}
EVERY = [*DEFENSES.values(), *SELECTORS.values()]
OF_RECORDS = [one for one in EVERY if one.needs[0] not in ("recipe", "classifier")]
REFUSED = {"dp_lora", "early_stopping"}  # when to stop would be read off unprotected records


NAME = operator.attrgetter("name")


def named(things):
    return {"params": things, "ids": NAME}


@pytest.fixture(**named(STAGES["data"]))
def data(request):
    return request.param


@pytest.fixture(**named(STAGES["training"]))
def training(request):
    return request.param


@pytest.fixture(**named([*SELECTORS.values()]))
def selector(request):
    return request.param


@pytest.fixture(scope="module")
def world():
    n = 64
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(worlds.WORDS, 40)) for _ in range(n)]
    texts[40:50] = texts[:10]
    exposure = rng.normal(size=n).round(1)
    exposure[7] = np.nan
    return worlds.language(n) | {"texts": texts, "spoken": texts, "exposure": exposure}


def inputs(one, world):
    return [world[need] for need in one.needs]


def function(one):
    return getattr(one, "apply", None) or one.exposure


def test_every_record_gets_one_role(data, world):
    roles = data.apply(*inputs(data, world))
    assert roles.shape == (64,) and roles.dtype == np.int8
    assert {*roles.tolist()} <= {RAW, REWRITE, DROP}
    assert 0 < (roles != RAW).sum() < 64


def test_no_records_get_no_roles(data, world):
    assert data.apply(*(given[:0] for given in inputs(data, world))).shape == (0,)


def test_it_needs_exposure_or_texts(data, world):
    assert {*data.needs} <= {"exposure", "texts", "spoken"}


def test_a_recipe_becomes_another(training):
    recipe = Recipe(epochs=5)
    defended = training.apply(recipe)
    assert isinstance(defended, Recipe) and defended != recipe
    assert recipe == Recipe(epochs=5)


def test_twice_is_once(training):
    once = training.apply(Recipe())
    assert training.apply(once) == once


def test_every_option_reaches_the_recipe(training):
    values = {"exclude": ["q_proj"], "rank": 3, "delta": 1e-6}
    recipe = Recipe(method="lora")
    before = training.apply(recipe)
    for name in training.options:
        assert training.apply(recipe, **{name: values.get(name, 0.123)}) != before


@pytest.mark.parametrize("pair", [*itertools.permutations(STAGES["training"], 2)])
def test_defenses_of_training_compose(pair):
    first, second = pair
    if {first.name, second.name} == REFUSED:
        with pytest.raises(SpecError, match=r"^recipe: hold_back = 0\.1; give 0 with epsilon$"):
            second.apply(first.apply(Recipe()))
        return
    both = second.apply(first.apply(Recipe()))
    plain = Recipe()
    for alone in (first.apply(plain), second.apply(plain)):
        changed = [
            f.name for f in fields(Recipe) if getattr(alone, f.name) != getattr(plain, f.name)
        ]
        assert [getattr(both, name) for name in changed] == [getattr(alone, n) for n in changed]


def test_every_record_gets_one_finite_exposure(selector, world):
    exposure = selector.exposure(*inputs(selector, world))
    assert exposure.shape == (64,) and np.isfinite(exposure).all()


def test_it_needs_signals_that_attacks_ask_for(selector):
    known = {need for attack in ATTACKS.values() for need in attack.needs}
    assert {*selector.needs} <= known and (queried(selector.needs) or selector.needs == ("texts",))


def test_a_record_with_nothing_in_it_is_nan_and_no_other(selector, world):
    found = selector.exposure(*inputs(selector, worlds.cut(world, 0, np.array([5]))))
    whole = selector.exposure(*inputs(selector, world))
    assert np.isnan(found[5]) == (selector.needs != ("texts",))
    np.testing.assert_array_equal(np.delete(found, 5), np.delete(whole, 5))


@pytest.mark.parametrize("one", OF_RECORDS, ids=NAME)
def test_it_is_pure(one, world):
    given = inputs(one, copy.deepcopy(world))
    found = function(one)(*given)
    np.random.seed(3)  # noqa: NPY002  (what draws from the global state must fail here)
    np.testing.assert_array_equal(function(one)(*given), found)
    for left, right in zip(given, inputs(one, world), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("one", EVERY, ids=NAME)
def test_options_are_typed_keywords_whose_defaults_fit(one):
    for parameter in inspect.signature(function(one), eval_str=True).parameters.values():
        assert parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        assert parameter.annotation is not parameter.empty
        if parameter.kind is parameter.KEYWORD_ONLY:
            TypeAdapter(parameter.annotation).validate_python(parameter.default, strict=True)


@pytest.mark.parametrize("one", EVERY, ids=NAME)
def test_it_explains_every_parameter(one):
    head, _, arguments = inspect.getdoc(function(one)).partition("Args:")
    assert head.splitlines()[0].endswith((".", ";", ":")) and len(head.splitlines()[0]) > 20
    for name in (*one.needs, *one.options):
        assert re.search(rf"^\s+{name}: ", arguments, re.MULTILINE), f"{name} is not explained"


@pytest.mark.parametrize("one", [*DEFENSES.values()], ids=NAME)
def test_it_names_its_paper_and_stands_in_a_file_of_its_name(one):
    assert re.search(r"\w+ .*\d{4}, arXiv:\d{4}\.\d{5}", one.paper)
    assert one.apply.__module__ == f"nonmember.defenses.{one.family}.{one.name}"
