"""The contract: what must hold for every registered defense of classifiers."""

import dataclasses
import inspect
import operator
import re
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from digits import CLASSES
from pydantic import TypeAdapter

from nonmember.data.examples import Examples
from nonmember.data.images import digits
from nonmember.defenses import classifier  # fills the registry
from nonmember.defenses.registry import of_family
from nonmember.errors import SpecError
from nonmember.models.nets import mlp
from nonmember.options import checked
from nonmember.training import defended
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import Ensemble, ensemble_logits, fit_ensemble
from nonmember.training.objectives import needs_reserve, stackable

EVERY = [*of_family("classifier").values()]
TRAINING = [one for one in EVERY if one.stage == "training"]
NAME = operator.attrgetter("name")
RECIPE = ClassifierRecipe(epochs=12, batch_size=25, learning_rate=0.01)
MAKE = partial(mlp, (1, 8, 8), CLASSES, width=24)
ROWS, OTHERS = 200, 400  # digits to train on, as many again for the defender, and for accuracy
OPTIONS: dict[str, dict[str, Any]] = {"relaxloss": {"level": 0.3}, "selena": {"k": 4, "l": 1}}
"""Where the defaults would take long here, or never step in."""

EPOCHS = {"adv_reg": 3}  # of each of which its attacker sees 26 batches for two
LOSES = {"dp_sgd": 0.6, "mixup": 0.15, "adv_reg": 0.4, "distillation": 0.2}
"""Most accuracy that a defense may cost on these few digits; 0.1 where it is not said."""


@cache
def sides() -> tuple[Examples, Examples, Examples]:
    """Digits to train on, the reserve, and those that accuracy is measured on."""
    images, labels = digits()
    order = np.random.default_rng(0).permutation(len(labels))[: 2 * ROWS + OTHERS]
    inputs = (images[order].reshape(-1, 1, 8, 8) / images.max()).astype(np.float32)
    ids = tuple(map(str, order.tolist()))
    whole = Examples(inputs, labels[order], ids, (None,) * len(ids))
    ends = [(0, ROWS), (ROWS, 2 * ROWS), (2 * ROWS, len(order))]
    return tuple(whole.take(np.arange(*one)) for one in ends)


def trained(recipe: ClassifierRecipe, seeds: tuple[int, ...]) -> Ensemble:
    own, reserve, _ = sides()
    member = np.ones((len(seeds), len(own)), dtype=bool)
    if stackable(recipe):
        return fit_ensemble(MAKE, np.asarray(own.inputs), own.labels, member, recipe, seeds=seeds)
    beside = reserve if needs_reserve(recipe) else None
    return defended.fit(MAKE, own, member, recipe, seeds=seeds, reserve=beside)


@cache
def of(name: str) -> Ensemble:
    """Two models under a defense, "" for none."""
    return trained(under(name), (0, 1))


def under(name: str) -> ClassifierRecipe:
    if not name:
        return RECIPE
    plain = dataclasses.replace(RECIPE, epochs=EPOCHS.get(name, RECIPE.epochs))
    return of_family("classifier")[name].apply(plain, **OPTIONS.get(name, {}))


def accuracy(found: Ensemble) -> float:
    _, _, others = sides()
    logits = ensemble_logits(MAKE, found.states, np.asarray(others.inputs))
    return float((logits.argmax(-1) == others.labels).mean())


@pytest.fixture(params=TRAINING, ids=NAME)
def one(request):
    return request.param


@pytest.fixture(params=EVERY, ids=NAME)
def every(request):
    return request.param


def test_a_recipe_becomes_another(one) -> None:
    made = one.apply(RECIPE)
    assert isinstance(made, ClassifierRecipe) and made != RECIPE
    assert ClassifierRecipe(epochs=12, batch_size=25, learning_rate=0.01) == RECIPE
    changed = {
        f.name for f in dataclasses.fields(made) if getattr(made, f.name) != getattr(RECIPE, f.name)
    }
    assert len(changed) == 1, "a defense is one change"


def test_twice_is_once(one) -> None:
    once = one.apply(RECIPE)
    assert one.apply(once) == once


def test_every_option_reaches_the_recipe(one) -> None:
    before = one.apply(RECIPE)
    for name, value in one.options.items():
        others = {bool: not value, str: "log", float: 0.123, type(None): 0.0123}
        other = value + 1 if type(value) is int else others[type(value)]
        assert one.apply(RECIPE, **{name: other}) != before, name


def test_its_model_still_tells_digits(one) -> None:
    found = of(one.name)
    assert all(np.isfinite(t.numpy()).all() for state in found.states for t in state.values())
    assert np.isfinite(found.losses).all() and len(found.losses) == 2
    assert accuracy(of("")) > 0.85
    assert accuracy(found) > accuracy(of("")) - LOSES.get(one.name, 0.1)


def test_seeds_alone_decide_the_weights(one) -> None:
    found = of(one.name)
    again = trained(under(one.name), (0,))
    first, second = found.states
    assert all((again.states[0][name] == first[name]).all() for name in first)
    assert any((first[name] != second[name]).any() for name in first)


def test_it_changes_what_is_trained(one) -> None:
    plain, found = of("").states[0], of(one.name).states[0]
    assert plain.keys() == found.keys(), "the network stays what it is"
    assert any((plain[name] != found[name]).any() for name in plain)


def test_options_are_typed_keywords_whose_defaults_fit(every) -> None:
    for parameter in inspect.signature(every.apply, eval_str=True).parameters.values():
        assert parameter.annotation is not parameter.empty
        if parameter.kind is parameter.KEYWORD_ONLY:
            TypeAdapter(parameter.annotation).validate_python(parameter.default, strict=True)


def test_numbers_are_bounded(every) -> None:
    for name, value in every.options.items():
        if isinstance(value, int | float) and not (isinstance(value, bool) or name == "seed"):
            with pytest.raises(SpecError, match=rf"^here\.{name}: "):
                checked(every.apply, every.options, {name: type(value)(-1)}, "here")


def test_it_explains_every_parameter(every) -> None:
    head, _, arguments = inspect.getdoc(every.apply).partition("Args:")
    assert head.splitlines()[0].endswith((".", ";", ":")) and len(head.splitlines()[0]) > 20
    for name in (*every.needs, *every.options):
        assert re.search(rf"^\s+{name}: ", arguments, re.MULTILINE), f"{name} is not explained"


def test_it_names_its_paper_and_stands_in_a_file_of_its_name(every) -> None:
    assert re.search(r"\w+ .*\d{4}, arXiv:\d{4}\.\d{5}$", every.paper)
    assert every.apply.__module__ == f"nonmember.defenses.classifier.{every.name}"


def test_those_that_there_are() -> None:
    """Each file of the room that registers one is imported by it."""
    room = Path(classifier.__file__).parent.glob("*.py")
    written = {path.stem for path in room if "@defense(" in path.read_text(encoding="utf-8")}
    assert {one.name for one in EVERY} == written
