"""What a defended training is made of: warm-ups, what each epoch sees, and what is shared."""

import gc
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shuffling
import tiny
from shuffling import RECIPE, Shuffler, defended, made, planned, soft

from nonmember.audit import engine
from nonmember.audit.defended import protecting
from nonmember.audit.jobs import Plan, Protect, Query, Train
from nonmember.audit.language import asking, making
from nonmember.data.records import Records
from nonmember.models import causal
from nonmember.models.source import locate
from nonmember.models.text import Encodings
from nonmember.rewriting import attempts, chat
from nonmember.rewriting.gates import JUDGES
from nonmember.signals.language import token_statistics
from nonmember.signals.ragged import mean
from nonmember.signals.store import Store
from nonmember.training import loop

Values = Callable[..., dict[str, Any]]
TUNED = "model.safetensors"


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def weights(todo: Plan, store: Store, name: str) -> bytes:
    return (store.folder(todo.trained[name].address) / TUNED).read_bytes()


def warm_ups(todo: Plan) -> list[Train]:
    return [job for job in todo.jobs if isinstance(job, Train) and job.stop is not None]


def protections(todo: Plan) -> list[Protect]:
    return [job for job in todo.jobs if isinstance(job, Protect)]


def protect(values: dict[str, Any]) -> Protect:
    (found,) = protections(planned(values))
    return found


def left(store: Store, job: Protect) -> Records:
    return protecting.trained(store.folder(job.address))


# Identities


def test_a_ratio_of_0_is_the_undefended_run(values: Values, base: Path) -> None:
    todo = planned(defended(values, base, leaky=[], none=[soft(0.0)], also=[soft(0.0)]))
    assert len({job.address for job in todo.trained.values()}) == 1
    assert not protections(todo) and not warm_ups(todo)


def test_a_ratio_of_0_is_the_undefended_run_with_known_and_control_records(
    values: Values, base: Path
) -> None:
    given = defended(values, base, leaky=[], none=[soft(0.0)])
    targets = {
        f"{name}-{side}": {**target, "trained_on": side}
        for name, target in given["targets"].items()
        for side in ("members", "control")
    }
    data = {**given["data"], "known": 4}
    todo = planned({**given, "targets": targets, "data": data})
    for side in ("members", "control"):
        assert todo.trained[f"leaky-{side}"].address == todo.trained[f"none-{side}"].address


def test_beside_an_idle_defense_another_does_its_work_without_a_warm_up(
    values: Values, base: Path, store: Store
) -> None:
    todo = planned(defended(values, base, some=[soft(0.0), {"name": "deduplicate"}]))
    (job,) = protections(todo)
    assert not warm_ups(todo) and job.selection is None
    engine.run([job], store, lambda *_: None)
    assert store.provenance(job.address)["roles"] == {"raw": 24}
    assert tuple(left(store, job)) == tuple(job.records)


def test_a_ratio_of_1_rewrites_all_whatever_the_selector(
    values: Values, base: Path, store: Store
) -> None:
    selectors = ("lowest_loss", "highest_loss", "random")
    targets = {name: [soft(1.0, selector=name)] for name in selectors}
    todo = planned(defended(values, base, **targets))
    made(todo, store)
    first, *others = (left(store, job) for job in protections(todo))
    assert not {one.content for one in first} & {
        one.content for one in protections(todo)[0].records
    }
    for other in others:
        assert tuple(other) == tuple(first)
    assert len({weights(todo, store, name) for name in selectors}) == 1


# The warm-up


@pytest.mark.parametrize("names", [("leaky", "half"), ("half", "leaky")])
def test_the_warm_up_comes_before_the_undefended_run_and_hands_itself_on(
    values: Values, base: Path, names: tuple[str, str]
) -> None:
    defenses = {"leaky": [], "half": [soft()]}
    todo = planned(defended(values, base, **{name: defenses[name] for name in names}))
    (warm,) = warm_ups(todo)
    places = [job.address for job in todo.jobs]
    assert places.index(warm.address) < places.index(todo.trained["leaky"].address)
    assert warm.hand_to == todo.trained["leaky"].address
    assert warm.stop == 1 and isinstance(warm.materials[0], Encodings)


def test_alone_a_warm_up_is_handed_to_nobody(values: Values, base: Path) -> None:
    (warm,) = warm_ups(planned(defended(values, base, half=[soft()])))
    assert warm.hand_to is None


def test_targets_share_warm_ups_of_the_same_length(values: Values, base: Path) -> None:
    targets = {"a": [soft(0.2)], "b": [soft(0.8)], "c": [soft(0.5, warmup_epochs=2)]}
    todo = planned(defended(values, base, leaky=[], **targets))
    assert sorted(job.stop or 0 for job in warm_ups(todo)) == [1, 2]


def test_with_a_warm_up_before_it_or_not_the_undefended_run_is_the_same(
    values: Values, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates: list[int] = []
    once = loop._updated

    def counted(*given: Any) -> Any:
        updates.append(1)
        return once(*given)

    monkeypatch.setattr(loop, "_updated", counted)
    found = {}
    for way, defenses in {"with": {"half": [soft()]}, "without": {}}.items():
        todo, store = planned(defended(values, base, leaky=[], **defenses)), Store(tmp_path / way)
        updates.clear()
        made(todo, store, *todo.trained)
        found[way] = (weights(todo, store, "leaky"), len(updates))
        assert not store.root.joinpath("unfinished", todo.trained["leaky"].address).exists()
    assert found["with"][0] == found["without"][0]
    assert found["without"][1] == 18  # 24 records, 4 an update, 3 epochs
    assert found["with"][1] == 18 + 18  # the warm-up's 6 are the first of the undefended run's


def test_after_the_undefended_run_a_warm_up_hands_nothing_on(
    values: Values, base: Path, store: Store
) -> None:
    made(planned(defended(values, base, leaky=[])), store)
    todo = planned(defended(values, base, leaky=[], half=[soft()]))
    made(todo, store)
    assert not list((store.root / "unfinished").glob(f"{todo.trained['leaky'].address}/*"))


def test_without_a_warm_up_the_base_is_asked(values: Values, base: Path) -> None:
    todo = planned(defended(values, base, half=[soft(warmup_epochs=0)]))
    assert not warm_ups(todo)
    (job,) = protections(todo)
    assert job.selection is not None
    (asked,) = job.selection.queries.values()
    assert all(query.model == locate(str(base)) for query in asked)


def test_a_selector_that_asks_nothing_has_no_warm_up(values: Values, base: Path) -> None:
    todo = planned(defended(values, base, half=[soft(selector="random")]))
    assert not warm_ups(todo) and not [j for j in todo.jobs if "the warm-up" in j.label]


def test_the_drop_of_the_loss_asks_the_warm_up_and_the_base(values: Values, base: Path) -> None:
    (job,) = protections(planned(defended(values, base, half=[soft(selector="loss_drop")])))
    assert job.selection is not None
    assert {whose for whose, _ in job.selection.queries} == {"target", "base"}


# What each epoch sees


def seen(values: Values, base: Path, **change: Any) -> tuple[Train, list[str], dict[str, Protect]]:
    """The training, a letter per epoch (R: raw), and who the letters are."""
    recipe = {**RECIPE, "epochs": 4}
    job = planned(defended(values, base, recipe, x=[soft(**change)])).trained["x"]
    letters: dict[str, str] = {}
    told, who = [], {}
    for material in job.materials:
        if isinstance(material, Protect):
            letter = letters.setdefault(material.address, "abcd"[len(letters)])
            who[letter] = material
        told.append(letter if isinstance(material, Protect) else "R")
    return job, told, who


TWO = {"views": 2}


@pytest.mark.parametrize(
    ("change", "epochs"),
    [
        ({}, "a"),
        ({"rewriter": TWO}, "abab"),
        ({"rewriter": {"views": 8}}, "abcd"),
        ({"after_warmup": "continue"}, "Raaa"),
        ({"after_warmup": "continue", "warmup_epochs": 2}, "RRaa"),
        ({"after_warmup": "continue", "rewriter": TWO}, "Raba"),
        ({"reselect": "each_epoch"}, "abcd"),
        ({"reselect": "each_epoch", "after_warmup": "continue"}, "Rabc"),
    ],
)
def test_each_epoch_sees_what_it_should(
    values: Values, base: Path, change: dict[str, Any], epochs: str
) -> None:
    job, told, _ = seen(values, base, **change)
    assert "".join(told) == epochs
    assert job.stop is None and job.recipe.epochs == 4


def test_views_are_drawn_by_secrets_of_their_own(values: Values, base: Path) -> None:
    _, _, who = seen(values, base, rewriter=TWO)
    assert who["b"].secret == f"{who['a'].secret}/1"
    answers = [one.selection.answers for one in who.values() if one.selection is not None]
    assert len(answers) == 2 and answers[0] == answers[1]


@pytest.mark.parametrize("how", ["restart", "continue"])
def test_reselected_each_epoch_goes_by_the_state_before_it(
    values: Values, base: Path, how: str
) -> None:
    job, told, who = seen(values, base, reselect="each_epoch", after_warmup=how)
    epochs = [getattr(material, "address", "raw") for material in job.materials]
    for letter, one in who.items():
        assert one.selection is not None
        (asked,) = one.selection.queries.values()
        model = asked[0].model
        assert isinstance(model, Train)
        before = ["raw"] if letter == "a" else epochs[: told.index(letter)]
        assert model.stop == len(before)
        assert [getattr(seen, "address", "raw") for seen in model.materials] == before


def test_states_of_one_run_go_on_from_one_another(values: Values, base: Path, store: Store) -> None:
    given = defended(values, base, x=[soft(reselect="each_epoch")])
    todo = planned(given)
    first, *later = [job for job in warm_ups(todo) if isinstance(job.materials[0], Protect)]
    assert [job.stop for job in (first, *later)] == [1, 2]
    assert first.hand_to == later[0].address and later[0].hand_to == todo.trained["x"].address
    made(todo, store)
    alone = Store(store.root / "alone")
    jobs = [replace(job, hand_to=None) if isinstance(job, Train) else job for job in todo.jobs]
    engine.run(
        [job for job in jobs if not isinstance(job, Query) or "warm" in job.label],
        alone,
        lambda *_: None,
    )
    assert weights(todo, alone, "x") == weights(todo, store, "x")


def test_what_was_warmed_up_on_raw_records_still_knows_them(
    values: Values, base: Path, store: Store
) -> None:
    recipe = {**RECIPE, "epochs": 6}
    todo = planned(
        defended(
            values,
            base,
            recipe,
            leaky=[],
            restart=[soft(1.0)],
            goes_on=[soft(1.0, after_warmup="continue", warmup_epochs=5)],
        )
    )
    made(todo, store)
    raw = todo.trained["leaky"].materials[0]
    loss = {}
    for name, job in todo.trained.items():
        source = locate(str(store.folder(job.address)), base=str(base))
        model = causal.load(source, job.where)
        loss[name] = -mean(token_statistics(model, tuple(raw))["token_logprobs"]).mean()
    assert loss["leaky"] < loss["goes_on"] < loss["restart"]


# Addresses


def test_what_decides_a_protection_is_in_its_address(
    values: Values, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address(**change: Any) -> str:
        return protect(defended(values, base, x=[soft(**change)])).address

    plain = address()
    moved = {
        "ratio": address(ratio=0.25),
        "limits": address(rewriter={"limits": {"containment": 0.9}}),
        "identity": address(rewriter={"options": {"identity": "shuffler 2"}}),
        "attempts": address(rewriter={"attempts": 2}),
        "on_reject": address(rewriter={"on_reject": "keep_raw"}),
        "selector": address(selector="highest_loss"),
        "warm-up": address(warmup_epochs=2),
    }
    with monkeypatch.context() as patched:
        patched.setattr("nonmember.rewriting.gates.GATES_VERSION", 0)
        moved["gates"] = address()
    for package in JUDGES:
        with monkeypatch.context() as patched:
            patched.setattr(
                "nonmember.rewriting.gates.version",
                lambda name, other=package: "0" if name == other else version(name),
            )
            moved[package] = address()
    assert len({plain, *moved.values()}) == 1 + len(moved)
    assert address(rewriter={"options": {"sends_to": "somewhere"}}) == plain
    goes_on = planned(defended(values, base, x=[soft(after_warmup="continue")])).trained["x"]
    assert [one.address for one in goes_on.materials if isinstance(one, Protect)] == [plain] * 2


def test_where_is_computed_decides_though_no_fluency_is_asked_for(
    values: Values, base: Path
) -> None:
    defense = soft(selector="random")
    of = {
        protect(
            {**defended(values, base, x=[defense]), "compute": {"precision": precision}}
        ).address
        for precision in ("float32", "bfloat16")
    }
    assert len(of) == 2  # the sentence encoder judges there


def test_what_decides_nothing_of_a_protection_is_not(values: Values, base: Path) -> None:
    given = defended(values, base, x=[soft()])
    plain = protect(given).address
    assert protect({**given, "title": "Another"}).address == plain
    assert protect({**given, "evaluation": {"fpr": [0.2]}}).address == plain
    assert protect({**given, "attacks": {"run": ["min_k"]}}).address == plain
    assert protect({**given, "targets": {"y": given["targets"]["x"]}}).address == plain
    assert protect(defended(values, base, x=[soft()], leaky=[])).address == plain


def test_the_secret_is_in_the_address_and_not_to_be_seen_there(
    values: Values, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = defended(values, base, x=[soft(selector="random", options={"ratio": 1.0})])
    first = protect(given)
    monkeypatch.setattr("nonmember.audit.language.plan.secret_of", lambda _: "another")
    other = protect(given)
    assert first.address != other.address
    assert other.secret == "another" and "another" not in other.address


def test_the_base_decides_where_it_judges_rewrites(
    values: Values, base: Path, tmp_path: Path
) -> None:
    def addresses(**limits: Any) -> set[str]:
        defense = soft(selector="random", rewriter={"limits": limits})
        bases = (base, tiny.llama(tmp_path / "other", seed=5))
        return {protect(defended(values, one, x=[defense])).address for one in bases}

    assert len(addresses()) == 1  # nobody asks it
    assert len(addresses(fluency=2.0)) == 2


# What is shared


@pytest.mark.parametrize("fails", [False, True])
def test_who_rewrote_is_out_of_memory_before_the_training(
    values: Values, base: Path, store: Store, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    loaded: list[weakref.ref[Any]] = []
    shuffle = Shuffler.rewrite

    def asking(self: Shuffler, texts: Sequence[str], seeds: Sequence[int]) -> Any:
        model = chat._loaded(locate(str(base)), "cpu", "float32")
        loaded.append(weakref.ref(model.network))
        if fails:
            raise KeyboardInterrupt
        return shuffle(self, texts, seeds)

    monkeypatch.setattr(Shuffler, "rewrite", asking)
    todo = planned(defended(values, base, x=[soft(1.0)]))
    with suppress(KeyboardInterrupt):
        engine.run(protections(todo), store, lambda *_: None)
    gc.collect()
    assert loaded and {one() for one in loaded} == {None}


def test_two_ratios_share_their_rewrites(
    values: Values, base: Path, store: Store, shuffler: Shuffler
) -> None:
    todo = planned(defended(values, base, half=[soft(0.5)], most=[soft(0.75)]))
    half, most = protections(todo)
    made(todo, store)
    assert len(shuffler.asked) == len(set(shuffler.asked)) == 18  # not 12 + 18
    told = [store.provenance(job.address)["to rewrite"] for job in (half, most)]
    assert told == [12, 18]


def test_a_study_that_is_done_is_not_done_again(
    values: Values, base: Path, store: Store, shuffler: Shuffler
) -> None:
    todo = planned(defended(values, base, leaky=[], half=[soft()]))
    engine.run(todo.jobs, store, lambda *_: None)
    count = len(shuffler.asked)
    again = planned(defended(values, base, leaky=[], half=[soft()]))
    assert again.jobs and not engine.pending(again.jobs, store)
    engine.run(again.jobs, store, lambda *_: None)
    assert len(shuffler.asked) == count


def test_an_interrupted_protection_repeats_no_rewrite(
    values: Values, base: Path, store: Store, shuffler: Shuffler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BLOCK", 8)
    todo = planned(defended(values, base, whole=[soft(1.0, selector="random")]))
    (job,) = protections(todo)
    shuffle = Shuffler.rewrite

    def interrupted(self: Shuffler, texts: Sequence[str], seeds: Sequence[int]) -> Any:
        if len(shuffler.asked) >= 16:
            raise KeyboardInterrupt
        return shuffle(self, texts, seeds)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Shuffler, "rewrite", interrupted)
        engine.run([job], store, lambda *_: None)
    assert not store.has(job.address) and len(shuffler.asked) == 16
    engine.run([job], store, lambda *_: None)
    assert len(shuffler.asked) == len(set(shuffler.asked)) == 24
    assert (store.root / "rewrites.sqlite").stat().st_mode & 0o777 == 0o600


def test_random_draws_are_others_in_each_shard(
    values: Values, base: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SHARD", 4)
    job = protect(defended(values, base, half=[soft(selector="random")]))
    assert job.selection is not None and len(job.selection.shards) > 3
    found = protecting._exposure(job.selection, job.protection, store)
    assert len(np.unique(found)) == len(found) == 24


def test_a_run_begins_another_only_with_the_same_records(values: Values, base: Path) -> None:
    todo = planned(defended(values, base, leaky=[], half=[soft()]))
    (warm,), full = warm_ups(todo), todo.trained["leaky"]
    assert making._begins(warm, full) and not making._begins(full, warm)
    assert not making._begins(warm, todo.trained["half"])
    for other in (replace(full, seed=1), replace(full, recipe=replace(full.recipe, epochs=2))):
        assert not making._begins(warm, other)
    (raw,) = warm.materials
    assert isinstance(raw, Encodings)
    fewer = replace(raw, records=raw.records[1:])
    assert not making._begins(warm, replace(full, materials=(fewer,)))
