"""What is wrong with a defense is said before any work, in one sentence that names the target."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shuffling
from shuffling import Shuffler, defended, soft

from nonmember.audit.defended import protection
from nonmember.audit.defended.protection import Protection
from nonmember.audit.language import spec, subject
from nonmember.errors import ModelError, NonmemberError, SpecError
from nonmember.models import embedding
from nonmember.training.recipe import Recipe

Values = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


def refusal(values: dict[str, Any], kind: type[NonmemberError] = SpecError) -> str:
    with pytest.raises(kind) as caught:
        subject.inspect(spec.parse(values, "audit.toml"))
    said = str(caught.value)
    assert "\n" not in said and "targets.x" in said
    return said


def deduplicate(**change: Any) -> dict[str, Any]:
    return {"name": "deduplicate", **change}


def private(**options: Any) -> dict[str, Any]:
    return {"name": "dp_lora", "options": options}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "sofft"}, "no defense 'sofft'; did you mean soft"),
        (soft(rewriter={"name": "shufler"}), "no rewriter 'shufler'; did you mean shuffler"),
        (soft(selector="lowest_los"), "no selector 'lowest_los'; did you mean lowest_loss"),
        (soft(options={"ration": 0.5}), "no option 'ration'; did you mean ratio"),
        (soft(rewriter={"options": {"rate": 1}}), "no option 'rate'; did you mean identity"),
        (soft(rewriter={"limits": {"runs": 3}}), "no option 'runs'; did you mean run"),
        (soft(rewriter={"limits": {"run": "x"}}), "rewriter.limits.run: "),
        (soft(1.01), "defenses.soft.options.ratio: Input should be less than or equal to 1"),
        (soft(-0.5), "defenses.soft.options.ratio: Input should be greater than or equal to 0"),
        (soft(options={"ratio": "half"}), "defenses.soft.options.ratio: "),
        (deduplicate(options={"share": 2.0}), "defenses.deduplicate.options.share: "),
        (soft(selector="bag_of_words"), "no selector 'bag_of_words'"),
        (soft(selector="camia"), "selector 'camia': compares records"),
        (soft(selector="spv_mia"), "or needs known ones or a reference; give one of lowest_loss"),
    ],
)
def test_what_there_is_not_is_refused_naming_the_closest(
    values: Values, base: Path, asked: dict[str, Any], said: str
) -> None:
    assert said in refusal(defended(values, base, x=[asked]))


@pytest.mark.parametrize(
    ("asked", "setting"),
    [
        (deduplicate(warmup_epochs=1), "warmup_epochs"),
        (deduplicate(selector="lowest_loss"), "selector"),
        (deduplicate(rewriter={"name": "shuffler"}), "rewriter"),
        ({"name": "drop_influential", "rewriter": {}}, "rewriter"),
        ({"name": "dp_lora", "warmup_epochs": 1}, "warmup_epochs"),
        ({"name": "weight_decay", "rewriter": {}, "selector": "random"}, "rewriter, selector"),
    ],
)
def test_a_setting_that_changes_nothing_is_refused(
    values: Values, base: Path, asked: dict[str, Any], setting: str
) -> None:
    said = refusal(defended(values, base, x=[asked]))
    assert f"defenses.{asked['name']}: {setting} changes nothing here; leave it out" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (soft(warmup_epochs=3), "warmup_epochs = 3 is the whole training of 3; warm up for fewer"),
        (soft(warmup_epochs=4), "warmup_epochs = 4 is the whole training of 3"),
        (
            soft(selector="loss_drop", warmup_epochs=0),
            "loss_drop compares the warm-up with the base",
        ),
        (
            soft(selector="reference_difference", warmup_epochs=0),
            "reference_difference compares the warm-up with the base",
        ),
        (soft(after_warmup="continue", warmup_epochs=0), "there is no warm-up to continue"),
    ],
)
def test_a_warm_up_that_cannot_serve_is_refused(
    values: Values, base: Path, asked: dict[str, Any], said: str
) -> None:
    assert f"targets.x: defenses.soft: {said}" in refusal(defended(values, base, x=[asked]))


def test_two_that_choose_by_exposure_are_refused(values: Values, base: Path) -> None:
    said = refusal(defended(values, base, x=[soft(), {"name": "drop_influential"}]))
    assert "defenses: soft and drop_influential both go by how exposed records are" in said
    assert "keep one of them" in said


@pytest.mark.parametrize("one", [soft(), deduplicate(), {"name": "weight_decay"}])
def test_a_defense_that_is_named_twice_is_refused(
    values: Values, base: Path, one: dict[str, Any]
) -> None:
    said = refusal(defended(values, base, x=[one, {"name": "lora_dropout"}, one]))
    assert f"targets.x: defenses: {one['name']} is named twice; keep one of them" in said


def test_two_that_rewrite_are_refused(
    values: Values, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = protection.registry.DEFENSES["language.deduplicate"]
    rewriting = replace(registered, name="deduplicate", rewrites=True)
    monkeypatch.setitem(protection.registry.DEFENSES, "language.deduplicate", rewriting)
    said = refusal(defended(values, base, x=[soft(), deduplicate()]))
    assert "defenses: soft and deduplicate both rewrite; keep one of them" in said


def test_a_model_that_is_there_cannot_be_defended(values: Values, base: Path) -> None:
    given = values(targets={"x": {"model": str(base), "defenses": [soft()]}})
    assert "give trained_on, not model" in refusal(given)


def test_a_model_that_is_trained_here_has_no_ledger(values: Values, base: Path) -> None:
    given = defended(values, base, x=[])
    given["targets"]["x"]["ledger"] = "out.private"
    assert "ledger is of a model trained elsewhere" in refusal(given)


def test_without_the_sentence_encoder_nothing_is_rewritten(
    values: Values, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "installed", lambda: False)
    said = refusal(defended(values, base, x=[soft()]), ModelError)
    assert "rewriter shuffler" in said and embedding.INSTALL in said
    shuffling.planned(defended(values, base, x=[deduplicate()]))  # compares no meanings


def test_a_budget_that_no_noise_meets_is_refused(values: Values, base: Path) -> None:
    said = refusal(defended(values, base, x=[private(epsilon=1e-4, delta=1e-9)]))
    assert "epsilon = 0.0001 cannot be met" in said and "give a larger epsilon" in said


def test_a_module_to_exclude_that_the_base_has_not_is_refused(values: Values, base: Path) -> None:
    given = defended(values, base, x=[{"name": "exclude_layers", "options": {"exclude": ["mpl"]}}])
    said = refusal(given)
    assert said.startswith("targets.x: recipe: exclude: ") and "did you mean mlp" in said


def test_a_misspelt_key_of_a_defense_names_the_closest(values: Values, base: Path) -> None:
    said = refusal(defended(values, base, x=[soft(warm_epochs=1)]))
    assert "targets.x.defenses.0.warm_epochs" in said and "did you mean warmup_epochs" in said
    said = refusal(defended(values, base, x=[soft(rewriter={"attempt": 1})]))
    assert "targets.x.defenses.0.rewriter.attempt" in said and "did you mean attempts" in said


def of(*asked: dict[str, Any]) -> Protection | None:
    return protection.protection([spec.Defense(**one) for one in asked], Recipe(), 0)


def test_an_attack_on_single_records_may_select() -> None:
    found = of(soft(selector="min_k"))
    assert found is not None and found.selecting is not None
    assert (found.selecting.selector.name, found.selecting.warmup_epochs) == ("min_k", 1)


def test_limits_are_the_rewriters_but_for_those_that_are_given() -> None:
    found = of(soft(rewriter={"limits": {"run": 7}}))
    assert found is not None and found.rewriting is not None
    limits = found.rewriting.limits
    assert (limits.run, limits.facts, limits.fluency) == (7, False, None)


@pytest.mark.parametrize(
    ("asked", "selects"),
    [
        (soft(1.0), False),
        (soft(1.0, after_warmup="continue"), True),
        (soft(1.0, reselect="each_epoch"), True),
        (soft(0.0, after_warmup="continue"), False),
    ],
)
def test_who_rewrites_all_selects_only_where_the_training_begins_with_raw_records(
    asked: dict[str, Any], selects: bool
) -> None:
    found = of(deduplicate(), asked)
    assert found is not None and (found.selecting is not None) == found.moving == selects


def test_a_ratio_of_nothing_is_idle_but_checked_all_the_same() -> None:
    idle, partly = of(soft(0.0)), of(deduplicate(), soft(0.0))
    assert idle is not None and idle.idle and idle.selecting is None
    assert partly is not None and not partly.idle and partly.selecting is None
    with pytest.raises(SpecError, match="no selector"):
        of(soft(0.0, selector="none"))


def test_defenses_of_training_change_the_recipe_in_turn() -> None:
    asked = [
        spec.Defense(name="dp_lora", options={"epsilon": 4.0}),
        spec.Defense(name="lora_dropout", options={"dropout": 0.2}),
        spec.Defense(**soft()),
    ]
    found = protection.defended(Recipe(), asked)
    assert (found.method, found.epsilon, found.dropout) == ("lora", 4.0, 0.2)
    assert protection.protection(asked[:2], found, 0) is None


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ([private(), soft(0.5)], "epsilon does not cover that"),
        ([{"name": "early_stopping"}, soft(0.5, after_warmup="continue")], "the same records"),
        ([{"name": "early_stopping"}, soft(0.5, reselect="each_epoch")], "the same records"),
    ],
)
def test_what_a_recipe_cannot_bear_is_refused(
    values: Values, base: Path, others: list[dict[str, Any]], said: str
) -> None:
    assert said in refusal(defended(values, base, x=others))
