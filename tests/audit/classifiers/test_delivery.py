"""A fence as it is to serve: written once, under a secret of its own, around what is there."""

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

import nonmember as nm
from nonmember.audit.classifiers.candidates import Sides
from nonmember.audit.classifiers.delivery import check_model, deliver
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Given, Subject, inspect
from nonmember.audit.parts import checked
from nonmember.data.examples import Examples, of
from nonmember.errors import ModelError, RunError, SpecError
from nonmember.models import diffusion
from nonmember.models.diffusion.schedule import linear
from nonmember.models.fence.saved import SECRET, load
from nonmember.signals.store import Store

NUMBERS, CLASSES, COUNT = 6, 3, 360
DIFFENCE: list[dict[str, Any]] = [{"name": "diffence"}]
FLAT: list[dict[str, Any]] = [{"name": "constant_confidence"}]
TRAINED = {"trained_on": "members", "architecture": "mlp", "recipe": {"epochs": 1}}


@cache
def world() -> tuple[Sides, LogisticRegression]:
    """Rows around three centres, and what was fitted to the members among them."""
    rng, labels = np.random.default_rng(0), np.arange(COUNT) % CLASSES
    rows = rng.uniform(0.2, 0.8, (CLASSES, NUMBERS))[labels] + rng.normal(0, 0.05, (COUNT, NUMBERS))
    every = of(np.clip(rows, 0, 1).astype(np.float32), labels, name="row")
    sides: list[Examples] = [every.take(part) for part in np.split(np.arange(COUNT), [100, 200])]
    model = LogisticRegression().fit(sides[0].inputs, sides[0].labels)
    return Sides(sides[0], sides[1], sides[0].take(np.array([], dtype=np.int64)), sides[2]), model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a diffusion model that has learnt nothing, which adds little at few steps of noise."""
    made = diffusion.of(
        diffusion.mlp((NUMBERS,), widths=(8,)), linear(), (NUMBERS,), low=0.0, high=1.0
    )
    path = tmp_path_factory.mktemp("diffusion") / "model"
    diffusion.save(made, path)
    return path


def subject(folder: Path, defenses: Sequence[Any], **change: Any) -> Subject:
    sides, model = world()
    own = {"model": "model", "defenses": defenses}
    values = {
        "kind": "classifier",
        "data": {"members": "in", "non_members": "out", "public": "p", "calibration": 0.3},
        "targets": {"bare": {"model": "model"}, "fenced": {**own, **change}},
        "references": {"count": 0},
        "diffusion": {"model": str(folder), "t": 10, "n": 4},
    }
    return inspect(checked(ClassifierSpec, values, "test"), Given({"model": model}, sides))


def test_it_is_written_once_under_a_secret_that_no_audit_has(folder: Path, tmp_path: Path) -> None:
    found, store = subject(folder, DIFFENCE), Store(tmp_path / "store")
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, one, other):  # the second time there is nothing to do
        deliver(found, "fenced", store, place)
    secrets = [bytes.fromhex((place / SECRET).read_text()) for place in (one, other)]
    guard = found.targets[1].guard
    assert guard is not None and guard.regenerator is not None
    assert len({*secrets, guard.secret, guard.regenerator.secret}) >= 3
    assert [len(secret) for secret in secrets] == [32, 32]
    rows = np.asarray(world()[0].non_members.inputs)
    answers = [load(place).logits(rows) for place in (one, other)]
    for given in answers:
        assert (given.argmax(axis=1) == world()[1].predict(rows)).all()
    assert not np.array_equal(*answers)


def test_what_was_written_before_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    found, store = subject(folder, DIFFENCE), Store(tmp_path / "store")
    deliver(found, "fenced", store, tmp_path / "one")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")}
    deliver(found, "fenced", store, tmp_path / "one")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("*")} == before


def test_a_secret_that_an_interruption_left_beside_a_fence_goes(
    folder: Path, tmp_path: Path
) -> None:
    found, store, kept = subject(folder, DIFFENCE), Store(tmp_path / "store"), tmp_path / "private"
    deliver(found, "fenced", store, tmp_path / "one")
    (kept / SECRET).write_text((tmp_path / "one" / SECRET).read_text())
    deliver(found, "fenced", store, tmp_path / "one")
    assert not (kept / SECRET).exists()


def test_its_options_are_those_of_the_target(folder: Path, tmp_path: Path) -> None:
    options = {"selector": "s1", "fallback": "flat"}
    found = subject(folder, [{"name": "diffence", "options": options}])
    deliver(found, "fenced", Store(tmp_path / "store"), tmp_path / "one")
    fence = load(tmp_path / "one").fence
    assert (fence.selector, fence.fallback) == ("s1", "flat")
    assert {"kept_members", "kept_non_members", "kept_public", "apart"} <= set(fence.figures)


@pytest.mark.parametrize(
    ("defenses", "change"),
    [
        ((), {}),
        (FLAT, {}),
        ([*FLAT, *DIFFENCE], {}),
        (DIFFENCE, {"model": None, **TRAINED}),
    ],
)
def test_a_target_that_is_something_else_is_refused(
    folder: Path, tmp_path: Path, defenses: Sequence[Any], change: dict[str, Any]
) -> None:
    found = subject(folder, defenses, **change)
    with pytest.raises(SpecError, match=r"targets.fenced: is no model that is there behind diff"):
        deliver(found, "fenced", Store(tmp_path / "store"), tmp_path / "one")
    assert not any(tmp_path.iterdir())


@contextmanager
def noted(told: list[Any], pending: Sequence[Any]) -> Iterator[Any]:
    """An observer that notes the labels of the jobs still to do, and what is told of them."""
    told.append([job.label for job in pending])
    yield lambda what, share: told.append((what, share))


def test_what_it_is_set_by_is_copied_in_jobs_that_are_told_of(folder: Path, tmp_path: Path) -> None:
    found = subject(folder, [{"name": "diffence", "options": {"selector": "s1"}}])
    store, told = Store(tmp_path / "store"), list[Any]()
    deliver(found, "fenced", store, tmp_path / "one", partial(noted, told))
    assert told[0] == [
        "regenerate public examples at t = 10",
        "regenerate the examples that defenses are set by at t = 10",
    ]
    assert told[-1][1] == pytest.approx(1.0)
    assert {what for what, _ in told[1:]} == set(told[0])


def test_an_interrupted_delivery_goes_on_under_the_same_secret(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, store, kept = subject(folder, DIFFENCE), Store(tmp_path / "store"), tmp_path / "private"

    def fail(*_: object, **__: object) -> None:
        raise ModelError("no copy keeps a label")

    with monkeypatch.context() as broken:
        broken.setattr("nonmember.audit.classifiers.delivery.diffence", fail)
        with pytest.raises(ModelError, match="no copy keeps"):
            deliver(found, "fenced", store, tmp_path / "one")
    assert not (tmp_path / "one").exists()
    secret = (kept / SECRET).read_text()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, kept / SECRET)] == [0o700, 0o600]
    told: list[Any] = []
    deliver(found, "fenced", store, tmp_path / "one", partial(noted, told))
    assert told[0] == [] and (tmp_path / "one" / SECRET).read_text().strip() == secret
    assert not (kept / SECRET).exists()


def test_a_damaged_secret_is_not_served_under(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / SECRET).write_text("ab")
    with pytest.raises(RunError, match=r"SECRET-never-publish.key: holds no secret; remove it"):
        deliver(subject(folder, DIFFENCE), "fenced", Store(tmp_path / "store"), tmp_path / "one")


class Unruly(nn.Module):
    """Classifies, by a path that depends on the numbers it is given, which no export follows."""

    def forward(self, rows: Tensor) -> Tensor:
        shown = rows if float(rows.sum()) > 0 else -rows
        return shown[:, :CLASSES]


def test_a_network_that_cannot_be_exported_is_refused_before_work(
    folder: Path, tmp_path: Path
) -> None:
    found = subject(folder, DIFFENCE)
    check_model(found, "fenced")
    given = Given({"model": Unruly()}, world()[0])
    with pytest.raises(ModelError, match=r"cannot be exported .*; give it as package.module:fact"):
        check_model(inspect(found.spec, given), "fenced")
    members, others, public = (
        (np.asarray(side.inputs), side.labels)
        for side in (world()[0].members, world()[0].non_members, world()[0].public)
        if side is not None
    )
    store = tmp_path / "store"
    settings = {"diffusion": {"model": str(folder), "t": 10, "n": 4}}
    with pytest.raises(ModelError, match="cannot be exported"):
        nm.fence(
            Unruly(), members, others, public, tmp_path / "run", settings=settings, store=store
        )
    assert not any(tmp_path.iterdir())
