"""Local worker processes: the same numbers, whatever becomes of a worker."""

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from killing import compare, killing, writers

import nonmember as nm
from nonmember.audit import engine
from nonmember.audit.engines import workers
from nonmember.audit.engines.workers import Workers
from nonmember.audit.jobs import Query, Train
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.errors import RunError
from nonmember.models.causal import Placement
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def training(values: Values) -> Train:
    """One job, to be done before any other."""
    (job, *_) = plan(subject.inspect(spec.parse(values(), "test"))).jobs
    assert isinstance(job, Train)
    return job


def silent(_what: str, _share: float) -> None:
    """Watch and say nothing."""


@pytest.fixture
def alone() -> Callable[[Store], bool]:
    """Whether no process is left of those begun since, nor anything half written."""
    before = {one.pid for one in multiprocessing.active_children()}

    def told(store: Store) -> bool:
        left = {one.pid for one in multiprocessing.active_children()} - before
        return not left and not writers(store)

    return told


def scored(run: Path) -> Any:
    """Every attack's figures in a run."""
    return [
        target["attacks"] for target in json.loads((run / "results.json").read_text())["targets"]
    ]


def test_with_a_worker_killed_the_audit_ends_with_the_same_numbers(
    values: Values, tmp_path: Path, store: Store, alone: Callable[[Store], bool]
) -> None:
    given = values(attacks={"run": ["loss", "reference_difference"]})
    with killing(store) as killed:
        nm.audit_spec(given, tmp_path / "run", store=store.root, engine=Workers(2))
    assert len(killed) == 1 and alone(store)
    nm.audit_spec(given, tmp_path / "here", store=tmp_path / "alone")
    assert compare(store.root, tmp_path / "alone") >= 4
    assert scored(tmp_path / "run") == scored(tmp_path / "here")


def test_a_job_that_fails_ends_all_with_its_own_error(
    training: Train, store: Store, alone: Callable[[Store], bool]
) -> None:
    lost = replace(training.base, path=store.root / "lost")
    job = replace(training, base=lost)
    said: list[Exception] = []
    for doer in (engine.HERE, Workers(1)):
        with pytest.raises(Exception, match="lost") as raised:
            doer.run([job], store, silent)
        said.append(raised.value)
    assert type(said[0]) is type(said[1]) and str(said[0]) == str(said[1])
    assert alone(store)


def test_an_interruption_leaves_nothing_behind(
    training: Train, store: Store, alone: Callable[[Store], bool]
) -> None:
    def interrupt(_what: str, share: float) -> None:
        if share > 0:
            raise KeyboardInterrupt

    endless = replace(training, recipe=replace(training.recipe, epochs=5000))
    with pytest.raises(KeyboardInterrupt):
        Workers(1).run([endless], store, interrupt)
    assert alone(store) and not store.has(endless.address)


def test_a_job_whose_workers_die_is_named(
    training: Train, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RETRIES", 0)
    with (
        killing(store),
        pytest.raises(RunError, match=rf"^{training.label}: 1 workers died doing it"),
    ):
        Workers(1).run([training], store, silent)


def test_a_job_that_cannot_be_sent_is_refused_at_once(
    values: Values, store: Store, alone: Callable[[Store], bool]
) -> None:
    jobs = plan(subject.inspect(spec.parse(values(), "test"))).jobs
    job = next(one for one in jobs if isinstance(one, Query))
    strange = replace(job, options=MappingProxyType({"swap": lambda text: text}))
    with pytest.raises(RunError, match=r"cannot be sent to another process .*; define what"):
        Workers(2).run([strange], store, silent)
    assert alone(store)


def test_workers_take_devices_in_turn(training: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    any_of_them = replace(training, where=Placement(torch.device("cuda"), torch.float32))
    this_one = replace(training, where=Placement(torch.device("cuda:1"), torch.float32))
    assert [workers._device(number, [any_of_them]) for number in range(3)] == ["0", "1", "0"]
    assert workers._device(1, [this_one]) is None and workers._device(1, [training]) is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert workers._device(1, [any_of_them]) == "7"
