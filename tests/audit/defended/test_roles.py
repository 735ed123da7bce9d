"""Figures per role: who was trained on, in what form, and what is seen of each kind."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shuffling
from files import sentences, written
from shuffling import Shuffler, audited, defended, made, soft

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit import placebo
from nonmember.audit.cases import Ground, within
from nonmember.audit.defended import roles
from nonmember.audit.defended.choosing import (
    by_exposure,
    looks_for_rewrites,
    reasons,
    referenced,
)
from nonmember.audit.defended.roles import Fates, by_role, fates, findings, ground_of
from nonmember.audit.jobs import Plan, Protect
from nonmember.audit.language import spec, subject
from nonmember.audit.language.answers import Answers
from nonmember.audit.language.facts import Facts
from nonmember.audit.language.plan import plan
from nonmember.audit.language.subject import Subject, Target
from nonmember.audit.parts import Evaluation
from nonmember.audit.placebo import redraws
from nonmember.audit.records import RoleResult
from nonmember.audit.scoring import cross_fitted, of_some, scores
from nonmember.data.records import Strings
from nonmember.errors import RunError
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


@pytest.fixture
def half(values: Values, base: Path) -> Subject:
    """Half of the members rewritten, judged by the loss alone; nothing is trained yet."""
    asked = {**defended(values, base, half=[soft()]), "attacks": {"run": ["loss"]}}
    return subject.inspect(spec.parse(asked, "test"))


def became(found: Subject, **share: int) -> np.ndarray:
    """So many members of each role, in turn."""
    member = found.candidates.split.member
    marks = np.full(len(member), "", dtype="<U9")
    marks[member] = np.repeat(list(share), list(share.values()))
    return marks


def of_role(results: tuple[RoleResult, ...]) -> dict[str, RoleResult]:
    return {one.role: one for one in results}


def auc(inside: np.ndarray, outside: np.ndarray) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in inside for b in outside]
    return float(np.mean(pairs))


# Leakage of one kind shows in the row of that kind


@pytest.mark.parametrize("leaky", ["raw", "rewritten", "kept", "dropped"])
def test_leakage_of_one_role_shows_there_in_full_and_nowhere_else(
    half: Subject, leaky: str
) -> None:
    marks = became(half, raw=6, rewritten=6, kept=6, dropped=6)
    scores = np.random.default_rng(0).normal(size=len(marks))
    scores[marks == leaky] += 100
    outside = scores[~half.candidates.split.member]
    for role, one in of_role(by_role(half.targets[0], half, {"loss": scores}, marks)).items():
        assert one.members == 6 and one.attack == "loss"
        assert one.auc.value == pytest.approx(auc(scores[marks == role], outside))
        assert (one.auc.value == 1.0) == (role == leaky)
        assert one.simultaneous.low <= one.auc.low and one.tpr[0].non_members == len(outside)


def test_every_role_has_the_threshold_of_the_same_non_members(half: Subject) -> None:
    marks = became(half, raw=12, rewritten=12)
    scores = np.random.default_rng(1).normal(size=len(marks))
    outside = np.sort(scores[~half.candidates.split.member])[::-1]
    threshold = outside[int(0.1 * len(outside))]  # four of forty above it
    for role, one in of_role(by_role(half.targets[0], half, {"loss": scores}, marks)).items():
        assert one.tpr[0].tpr.value == pytest.approx((scores[marks == role] > threshold).mean())


def test_a_role_that_nobody_has_or_nobody_can_score_has_no_row(half: Subject) -> None:
    marks = became(half, raw=12, dropped=12)
    scores = np.random.default_rng(1).normal(size=len(marks))
    scores[marks == "dropped"] = np.nan
    found = by_role(half.targets[0], half, {"loss": scores}, marks)
    assert [one.role for one in found] == ["raw"]
    none = np.full(len(marks), "", dtype="<U9")
    assert by_role(half.targets[0], half, {"loss": scores}, none) == ()


def told(found: Subject, scores: dict[str, Any], marks: np.ndarray, **how: bool) -> list[Any]:
    target = found.targets[0]
    return findings(target, by_role(target, found, scores, marks), marks, **how)


def test_what_stays_exposed_is_said_with_its_remedy(half: Subject) -> None:
    marks = became(half, raw=8, kept=8, dropped=8)
    scores = np.random.default_rng(0).normal(size=len(marks))
    scores[half.candidates.split.member] += 100
    said = told(half, {"loss": scores}, marks, chosen=False)
    assert [one.code for one in said] == ["E117", "E117", "E118"]
    assert "the 8 members that were trained on as they are stay exposed" in said[0].message
    assert not any("dropped" in one.message for one in said)
    quiet = {"loss": np.random.default_rng(0).normal(size=len(marks))}
    assert [one.code for one in told(half, quiet, marks, chosen=False)] == ["E118"]


def test_what_the_choice_alone_can_show_is_no_leak(values: Values, base: Path) -> None:
    run = {"attacks": {"run": ["loss", "reference_difference"]}}
    both = subject.inspect(spec.parse({**defended(values, base, half=[soft()]), **run}, "test"))
    marks = became(both, raw=12, rewritten=12)
    rng = np.random.default_rng(0)
    scores = {name: rng.normal(size=len(marks)) for name in ("loss", "reference_difference")}
    scores["loss"][marks == "rewritten"] += 100  # the low-loss half, by choice
    assert told(both, scores, marks, chosen=True) == []
    (said,) = told(both, scores, marks, chosen=False)
    assert said.code == "E117" and "loss tells them" in said.message
    scores["reference_difference"][marks == "raw"] += 100
    (said,) = told(both, scores, marks, chosen=True)
    assert said.code == "E117" and "reference_difference tells them" in said.message


def test_without_a_reference_nothing_is_said_of_roles_given_by_exposure(half: Subject) -> None:
    marks = became(half, raw=12, rewritten=12)
    scores = np.random.default_rng(0).normal(size=len(marks)) + 100 * (marks == "rewritten")
    (said,) = told(half, {"loss": scores}, marks, chosen=True)
    assert said.code == "E120" and "--base" in said.message


@pytest.mark.parametrize(
    ("defense", "chosen"),
    [
        (soft(0.5), True),
        (soft(1.0), False),
        (soft(0.0), False),
        (soft(0.5, selector="random"), False),
        ({"name": "drop_influential"}, True),
        ({"name": "deduplicate"}, False),
        ({"name": "weight_decay"}, False),
    ],
)
def test_who_chose_records_by_how_exposed_they_are(
    values: Values, base: Path, tmp_path: Path, defense: dict[str, Any], chosen: bool
) -> None:
    store = Store(tmp_path)
    found, todo = known(defended(values, base, one=[defense]), store)
    assert by_exposure(roles.defenses(found.targets[0], found, todo, store)) is chosen


def test_who_compares_with_a_reference_is_known_by_what_it_needs() -> None:
    found = {one.name for one in ATTACKS.values() if referenced(one.needs)}
    assert {"reference_difference", "wbc", "rewritten", "mixture", "spv_mia"} <= found
    assert not {"loss", "min_k", "neighbourhood", "camia", "ensemble", "bag_of_words"} & found
    assert not referenced(("nobody_knows_it",)) and not looks_for_rewrites(("nobody_knows_it",))


# Who has which role


def known(values: dict[str, Any], store: Store) -> tuple[Subject, Plan]:
    """Targets that were trained, and attacked by nobody."""
    found = subject.inspect(spec.parse(values, "test"))
    todo = plan(found)
    made(todo, store)
    return found, todo


def counted(target: Target, found: Subject, todo: Plan, store: Store) -> Counter[str]:
    marks = fates(target, found, todo, store).role
    assert not marks[~found.candidates.split.member].astype(bool).any()
    return Counter(marks[found.candidates.split.member].tolist())


def test_roles_are_those_of_the_ledger_and_of_members_only(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    given = defended(values, base, leaky=[], half=[soft()], on=[soft(after_warmup="continue")])
    found, todo = known(given, store)
    counts = {one.name: counted(one, found, todo, store) for one in found.targets}
    assert counts["leaky"] == {"": 24}
    assert counts["half"] == {"raw": 12, "rewritten": 12}
    assert counts["on"] == {"raw": 24}  # all were trained on as they are in the warm-up


def test_who_is_never_trained_on_is_dropped(values: Values, base: Path, tmp_path: Path) -> None:
    store, stop = Store(tmp_path), {"name": "early_stopping", "options": {"hold_back": 0.25}}
    given = defended(values, base, stopped=[stop], both=[soft(), stop])
    found, todo = known(given, store)
    stopped, both = (counted(one, found, todo, store) for one in found.targets)
    assert stopped == {"raw": 18, "dropped": 6}
    assert both["dropped"] == 6 and both["raw"] + both["rewritten"] == 18
    marks = fates(found.targets[1], found, todo, store).role
    out = store.provenance(todo.trained["both"].address)["held back"]
    trained = todo.trained["both"].materials[0].records
    held = {trained[place].id for place in out}
    pairs = zip(found.candidates.records, marks, strict=True)
    assert held == {record.id for record, mark in pairs if mark == "dropped"}


def test_held_back_are_counted_among_what_was_left(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store, stop = Store(tmp_path), {"name": "early_stopping", "options": {"hold_back": 0.25}}
    drop = {"name": "drop_influential", "options": {"ratio": 0.5}}
    found, todo = known(defended(values, base, both=[drop, stop]), store)
    assert counted(found.targets[0], found, todo, store) == {"raw": 9, "dropped": 15}


def test_of_copies_the_one_that_is_most_exposed_counts(
    values: Values, base: Path, tmp_path: Path
) -> None:
    texts = sentences(16, seed=3)
    data = {
        "members": str(written(tmp_path / "in.jsonl", [*texts, *texts[:8]])),
        "non_members": str(written(tmp_path / "out.jsonl", sentences(40, seed=77))),
        "max_tokens": 24,
    }
    store = Store(tmp_path / "store")
    given = {**defended(values, base, once=[{"name": "deduplicate"}]), "data": data}
    found, todo = known(given, store)
    assert counted(found.targets[0], found, todo, store) == {"raw": 24}  # copies are the same text
    (result,) = roles.defenses(found.targets[0], found, todo, store)
    assert result.roles == {"dropped": 8}


# Who counts


def test_members_that_were_dropped_count_on_neither_side(
    values: Values, base: Path, tmp_path: Path
) -> None:
    drop = {"name": "drop_influential", "options": {"ratio": 0.5}}
    given = defended(values, base, leaky=[], fewer=[drop])
    leaky, fewer = audited(given, tmp_path).targets
    assert {(one.members, one.non_members) for one in leaky.attacks} == {(24, 40)}
    assert {(one.members, one.non_members) for one in fewer.attacks} == {(12, 40)}
    rows = {(one.role, one.attack): one.members for one in fewer.roles}
    assert {rows["raw", "loss"], rows["dropped", "loss"]} == {12}
    assert fewer.fit is not None and fewer.fit.counts == (12, 40)
    assert fewer.base_fit is not None and fewer.base_fit.counts == (12, 40)
    assert fewer.detectable_auc > leaky.detectable_auc
    dropped = _dropped(tmp_path, given)
    assert len(dropped) == 12 and not set(dropped) & {one.record for one in fewer.exposed}
    assert not [name for one in fewer.findings for name in dropped if name in one.message]


def _dropped(folder: Path, values: dict[str, Any]) -> list[str]:
    found = subject.inspect(spec.parse(values, "test"))
    marks = fates(found.targets[1], found, plan(found), Store(folder / "store")).role
    return [one.id for one in found.candidates.records.take(np.flatnonzero(marks == "dropped"))]


def test_of_those_left_by_a_choice_only_attacks_with_a_reference_are_judged(
    values: Values, base: Path, tmp_path: Path
) -> None:
    drop = {"name": "drop_influential", "options": {"ratio": 0.5}}
    given = defended(values, base, fewer=[drop], whole=[{"name": "deduplicate"}])
    fewer, whole = audited(given, tmp_path).targets
    assert fewer.strongest == "reference_difference"
    (said,) = (one.message for one in fewer.findings if one.code == "E119")
    assert said.startswith("12 members were dropped for being exposed")
    assert not [one for one in whole.findings if one.code == "E119"]
    assert not [one for one in fewer.findings if one.code == "E106" and "loss" in one.message]
    alone = {**given, "attacks": {"run": ["loss"]}}
    fewer, _ = audited(alone, tmp_path / "alone").targets
    assert fewer.leaks is None and fewer.strongest == "" and not fewer.exposed
    assert "12 members were dropped for being exposed" in fewer.verdict
    assert {one.code for one in fewer.findings} >= {"E119", "E120"}


def spying(told: list[Any]) -> Attack:
    """A learned attack that notes the texts it is told of, their sides, and those it scores."""

    def spy(texts: Any, known_texts: Any, known_member: Any) -> Any:
        told.append((list(texts), list(known_texts), known_member.copy()))
        return np.array([float(text) for text in texts])

    return Attack("blind", "spy", spy, "arXiv:0", ("texts", "known_texts", "known_member"), {})


def test_who_was_dropped_is_on_neither_side_of_a_learned_attack(half: Subject) -> None:
    """Much of a copy may have been trained on in another record: it is no known non-member."""
    told: list[Any] = []
    split, count = half.candidates.split, len(half.candidates.records)
    there = became(half, raw=18, dropped=6) != "dropped"
    target = replace(half.targets[0], attacks=(spying(told),))
    texts = {"texts": Strings.of(str(i) for i in range(count))}
    nothing, store = Plan((), {target.name: ()}, {}, {}), Store(Path("nowhere"))
    known = Answers(target, Facts(target, None), nothing, store, texts)
    found = scores(known, split, there, half.spec)["spy"]
    assert (np.isnan(found) == ~there).all()
    left = set(np.flatnonzero(there).tolist())
    assert {int(text) for one in told for text in one[0]} == left
    for _, others, member in told:
        assert (member == split.member[[int(text) for text in others]]).all()
    alone = within(split, there)
    again = cross_fitted(spying([]), of_some(known.whole, there), alone, {}, seed=half.spec.seed)
    assert (found[there] == again).all()


def test_membership_is_drawn_anew_among_those_there_and_judged_alike(half: Subject) -> None:
    told: list[Any] = []
    count, oracle = len(half.candidates.records), half.targets[0].attacks[0]
    asked = half.spec.model_copy(update={"evaluation": Evaluation(redraws=4, fpr=(0.1,))})
    drawing = replace(half, spec=asked)
    target = replace(half.targets[0], attacks=(spying(told), oracle))
    texts, blind = Strings.of(str(i) for i in range(count)), dict[Any, Any]()
    given = {"spy": np.zeros(count), oracle.name: np.zeros(count)}
    there = became(half, raw=18, dropped=6) != "dropped"
    for mask in (there, np.ones(count, dtype=bool)):
        ground = Ground(mask, within(half.candidates.split, mask), 0, frozenset())
        told.clear()
        redraws(target, lambda _: texts, given, drawing, ground, blind)
        seen = {int(text) for one in told for text in one[0]}
        assert seen == set(np.flatnonzero(mask).tolist())  # nor shared with who lost others
    assert {len(one) for one in blind.values()} == {int(there.sum()), count} and len(blind) == 8


def test_an_alarm_is_raised_by_who_may_carry_a_verdict_only(
    half: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placebo, "_telling", lambda *_: True)
    asked = half.spec.model_copy(update={"evaluation": Evaluation(redraws=4)})
    drawing, split = replace(half, spec=asked), half.candidates.split
    given = {"loss": np.zeros(len(split.member))}
    for carrying, alarms in (({"loss"}, 4), (set[str](), 0)):
        ground = Ground(np.ones(len(split.member), bool), split, 0, frozenset(carrying))
        found = redraws(half.targets[0], lambda _: None, given, drawing, ground, {})
        assert (found.alarms, found.withheld) == (alarms, 0)


def test_who_was_dropped_is_not_unscored(values: Values, base: Path, tmp_path: Path) -> None:
    drop = {"name": "drop_influential", "options": {"ratio": 0.5}}
    (fewer,) = audited(defended(values, base, fewer=[drop]), tmp_path).targets
    assert [one.unscored for one in fewer.attacks] == [0, 0, 0]


def test_intervals_are_of_the_level_that_was_asked_for(
    values: Values, base: Path, tmp_path: Path
) -> None:
    given = defended(values, base, leaky=[], whole=[soft(1.0)])
    given["evaluation"] = {**given["evaluation"], "level": 0.8}
    for target in audited(given, tmp_path).targets:
        assert target.fit and target.base_fit and target.utility
        intervals = [target.fit.members, target.base_fit.non_members, target.utility.loss]
        intervals += [target.utility.accuracy, target.utility.loss_change or target.utility.loss]
        assert {one.level for one in intervals} == {0.8}


def test_who_left_nobody_to_train_on_is_told(half: Subject) -> None:
    marks = became(half, dropped=24)
    with pytest.raises(RunError, match=r"targets\.half: every member was dropped"):
        ground_of(half.targets[0], half, (), Fates(marks, np.full(len(marks), "")))


# What is told of defenses


def test_a_defense_that_leaves_all_as_it_is_says_so(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    found, todo = known(defended(values, base, none=[soft(0.0)]), store)
    (result,) = roles.defenses(found.targets[0], found, todo, store)
    assert (result.name, result.stage, result.roles) == ("soft", "data", {"raw": 24})
    assert result.options == {"ratio": 0.0} and result.attempts == 0
    assert counted(found.targets[0], found, todo, store) == {"": 24}


def test_each_defense_has_its_own_line(values: Values, base: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    asked = [{"name": "deduplicate"}, soft(), {"name": "weight_decay"}]
    found, todo = known(defended(values, base, x=asked), store)
    first, second, third = roles.defenses(found.targets[0], found, todo, store)
    assert (first.name, first.roles, first.rewriter) == ("deduplicate", {}, None)
    assert second.roles == {"raw": 12, "rewritten": 12} and second.rewriter == "shuffler"
    assert second.attempts >= 12 and second.sent_to is None
    assert third.stage == "training" and third.options["weight_decay"] > 0


def test_texts_that_left_this_machine_are_counted(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store, place = Store(tmp_path), {"options": {"sends_to": "https://rewriter.example"}}
    found, todo = known(defended(values, base, x=[soft(0.25, rewriter=place)]), store)
    (result,) = roles.defenses(found.targets[0], found, todo, store)
    assert result.sent_to == ("https://rewriter.example", result.attempts)


def test_all_protections_of_a_training_count(
    values: Values, base: Path, tmp_path: Path, shuffler: Shuffler
) -> None:
    store = Store(tmp_path)
    views, each = {"options": {}, "views": 2}, {"reselect": "each_epoch"}
    asked = {"views": [soft(rewriter=views)], "each": [soft(**each)]}
    on = [soft(after_warmup="continue")]
    found, todo = known(defended(values, base, **asked, on=on), store)
    results = {one.name: roles.defenses(one, found, todo, store)[0] for one in found.targets}
    for target in found.targets:
        jobs = {
            one.address: store.provenance(one.address)
            for one in todo.trained[target.name].materials
            if isinstance(one, Protect)
        }.values()
        told = results[target.name]
        assert told.attempts == sum(one["attempts"] for one in jobs)
        assert told.seconds == pytest.approx(sum(one["seconds"] for one in jobs))
        assert told.roles == counted(target, found, todo, store)  # as the table of roles
        assert len(jobs) == {"views": 2, "each": 3, "on": 1}[target.name]
    assert results["on"].roles == {"raw": 24}


def test_who_is_held_back_is_told_with_who_holds_them(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store, stop = Store(tmp_path), {"name": "early_stopping", "options": {"hold_back": 0.25}}
    found, todo = known(defended(values, base, both=[soft(), stop]), store)
    first, second = roles.defenses(found.targets[0], found, todo, store)
    assert second.roles == {"dropped": 6} and sum(first.roles.values()) == 18
    assert reasons((first, second)) == ("held back",)


def test_a_model_from_elsewhere_has_no_defenses_without_a_ledger(half: Subject) -> None:
    target = replace(half.targets[0], name="half")
    none = Plan((), {}, {}, {})
    assert roles.defenses(target, half, none, Store(Path("nowhere"))) == ()
