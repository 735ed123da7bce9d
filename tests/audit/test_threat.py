"""Exactly the attacks run that such an attacker can run, and each other one says why not."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from nonmember.attacks.registry import Attack
from nonmember.audit import options, threat
from nonmember.audit.language import spec
from nonmember.audit.language.means import ADAPTIVE, Means, lacks
from nonmember.audit.language.spec import parse
from nonmember.audit.threat import of_kind
from nonmember.errors import SpecError
from nonmember.signals.catalogue import SIGNALS, queries
from nonmember.types import ACCESS, Access, LanguageAccess

EVERY = list(of_kind("language").values())
ALL = Means("weights", base=True, non_members=True, members=True, rewritten=True, references=4)


def asked(**attacks: Any) -> spec.Spec:
    values = {
        "data": {"members": "a", "non_members": "b"},
        "targets": {"m": {"model": "x", "base": "y"}},
        "attacks": {"queries": 1000, **attacks},
    }
    return parse(values, "test")


def chosen(given: spec.Spec, means: Means) -> tuple[tuple[Attack, ...], dict[str, str]]:
    return threat.chosen(given, lacks(given, means))


def names(attacks: tuple[Attack, ...]) -> set[str]:
    return {one.name for one in attacks}


def test_with_all_means_every_attack_runs() -> None:
    attacks, left_out = chosen(asked(), ALL)
    assert names(attacks) == {one.name for one in EVERY} and not left_out


@pytest.mark.parametrize("level", get_args(LanguageAccess))
def test_an_attacker_runs_exactly_what_the_access_allows(level: Access) -> None:
    attacks, left_out = chosen(asked(access=level), ALL)
    allowed = {
        one.name
        for one in EVERY
        if "features" not in one.needs
        and ACCESS.index(threat.access_of(one, EVERY)) <= ACCESS.index(level)
    }
    assert names(attacks) - {"ensemble"} == allowed
    assert names(attacks) | left_out.keys() == {one.name for one in EVERY}
    for one in attacks:
        assert ACCESS.index(threat.access_of(one, attacks)) <= ACCESS.index(level)
    for name in left_out.keys() - {"ensemble"}:
        assert f"the attacker has {level}" in left_out[name]


def test_naming_the_rewriter_allows_that_records_are_sent_to_it() -> None:
    values = asked().model_dump()
    values["signals"]["options"] = {"rewrites": {"rewriter": "endpoint"}}
    attacks, _ = chosen(parse(values, "test"), replace(ALL, sends_to="https://host/v1"))
    assert {"rewritten", "mixture"} <= names(attacks)


def test_on_an_undefended_model_attacks_on_rewrites_run_only_where_named() -> None:
    plain = replace(ALL, rewritten=False)
    attacks, left_out = chosen(asked(), plain)
    assert left_out.keys() == ADAPTIVE and names(attacks).isdisjoint(ADAPTIVE)
    named, _ = chosen(asked(run=sorted(ADAPTIVE)), plain)
    assert names(named) == ADAPTIVE


def test_a_target_that_answers_little_bounds_the_attacker() -> None:
    means = replace(ALL, access="label")
    assert names(chosen(asked(), means)[0]) == names(chosen(asked(access="label"), ALL)[0])


def test_an_ensemble_needs_what_the_attacks_it_combines_need() -> None:
    (ensemble,) = (one for one in EVERY if one.name == "ensemble")
    few = [one for one in EVERY if one.name in ("loss", "hit_rate", "ensemble")]
    assert threat.access_of(ensemble, few) == "logprobs"
    assert threat.access_of(ensemble, EVERY) == "dist"
    assert threat.query_count(ensemble, few, asked()) == 1
    alone = asked(run=["loss", "ensemble"])
    with pytest.raises(SpecError, match="it combines others, and fewer than two run"):
        chosen(alone, ALL)


@pytest.mark.parametrize(
    ("means", "name", "why"),
    [
        (Means("weights", False, True, True), "wbc", "name it with --base"),
        (Means("weights", False, True, True), "spv_mia", "name it with --base"),
        (Means("weights", True, False, True), "recall", "non-members that the attacker knows"),
        (Means("weights", True, False, True), "spv_mia", "non-members that the attacker knows"),
        (Means("weights", True, True, False), "con_recall", "members that the attacker knows"),
        (replace(ALL, fitting=False), "recall", "and none fits"),
        (replace(ALL, tunable=False), "spv_mia", "which is an adapter"),
        (replace(ALL, gives=frozenset({"token_hit"})), "loss", "the endpoint does not answer"),
        (
            replace(ALL, sends_to="https://host/v1"),
            "rewritten",
            "send every record to https://host",
        ),
        (replace(ALL, sends_to="https://host/v1"), "mixture", "send every record to https://host"),
    ],
)
def test_what_an_attacker_lacks_is_said(means: Means, name: str, why: str) -> None:
    assert why in chosen(asked(), means)[1][name]
    with pytest.raises(SpecError, match=f"attack '{name}' cannot run: .*{why}"):
        chosen(asked(run=[name, "loss"]), means)


def test_an_ensemble_keeps_within_the_budget_whatever_else_runs() -> None:
    for budget in (1, 2, 6, 26):
        attacks, left_out = chosen(asked(queries=budget), ALL)
        assert "ensemble" not in left_out
        (ensemble,) = (one for one in attacks if one.name == "ensemble")
        assert 1 <= threat.query_count(ensemble, attacks, asked(queries=budget)) <= budget


def test_an_attack_named_twice_runs_once() -> None:
    attacks, _ = chosen(asked(run=["loss", "language.loss", "zlib"]), ALL)
    assert [one.name for one in attacks] == ["loss", "zlib"]


def test_where_no_attack_on_the_model_can_run_it_is_said_before_work() -> None:
    with pytest.raises(
        SpecError, match=r"none on the model can run .*samia: it asks the model 10 times"
    ):
        chosen(asked(access="text", queries=4), ALL)


def test_whatever_draws_follows_the_root_seed() -> None:
    def seeds(root: int) -> set[int]:
        spec_of = parse({**asked().model_dump(), "seed": root}, "test")
        options_of = [options.of_attack(one, spec_of) for one in EVERY]
        options_of += [options.of_signal(one, spec_of) for one in SIGNALS.values()]
        return {found["seed"] for found in options_of if "seed" in found}

    assert len(seeds(0)) > 5 and not seeds(0) & seeds(1)
    fixed = parse({**asked(options={"dates": {"seed": 7}}).model_dump(), "seed": 1}, "test")
    (dates,) = (one for one in EVERY if one.name == "dates")
    assert options.of_attack(dates, fixed)["seed"] == 7


def test_attacks_over_the_budget_are_left_out_unless_they_are_named() -> None:
    attacks, left_out = chosen(asked(queries=2), ALL)
    for one in attacks:
        assert threat.query_count(one, attacks, asked(queries=2)) <= 2
    assert (
        "it asks the model 26 times per record; allow it with --queries 26"
        in (left_out["neighbourhood"])
    )
    named, _ = chosen(asked(queries=2, run=["neighbourhood"]), ALL)
    assert names(named) == {"neighbourhood"}


def test_the_budget_follows_the_options() -> None:
    needs = ("token_logprobs", "aug_neighbours_token_logprobs")
    assert queries(needs, {}) == 26
    assert queries(needs, {"neighbours": {"copies": 3}}) == 4
    assert queries(("token_logprobs", "base_token_logprobs", "zlib_length"), {}) == 1
    assert queries(("texts", "known_texts"), {}) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"neighbors": {}}, "no extractor 'neighbors'; did you mean neighbours"),
        ({"swaps": {"copys": 3}}, "signals.options.swaps: no option 'copys'; did you mean copies"),
        ({"swaps": {"copies": 0}}, "signals.options.swaps.copies: "),
    ],
)
def test_wrong_options_of_extractors_are_refused(options: dict[str, Any], said: str) -> None:
    values = asked().model_dump() | {"signals": {"options": options}}
    with pytest.raises(SpecError, match=said):
        threat.check(parse(values, "test"))
