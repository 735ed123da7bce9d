"""What trackers are told of an audit: every figure with its interval, and nothing private."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from report import sample

import nonmember as nm
from nonmember.audit import records
from nonmember.errors import RunError
from nonmember.verbs import tracking

SECRET = "a record's own text"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run whose page shows a text, and whose private folder has one."""
    folder = tmp_path / "my run"
    (folder / "private").mkdir(parents=True)
    (folder / "private" / "records.parquet").write_text(SECRET)
    (folder / "report.html").write_text(SECRET)
    (folder / "results.json").write_bytes(records.dump(sample.results()))
    return folder


class Mlflow:
    """The part of MLflow's fluent interface that is used, with its signatures."""

    def __init__(self, active: Any = None) -> None:
        self.active, self.started, self.ended = active, [], []
        self.metrics: dict[str, float] = {}
        self.tags: dict[str, Any] = {}
        self.artifacts: dict[str, str] = {}

    def active_run(self) -> Any:
        return self.active

    @contextmanager
    def start_run(self, run_id: str | None = None, run_name: str | None = None) -> Iterator[Any]:
        self.started.append(run_name)
        yield SimpleNamespace(info=SimpleNamespace(run_id="new"))
        self.ended.append(run_name)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.metrics |= metrics

    def set_tags(self, tags: dict[str, Any]) -> None:
        self.tags |= tags

    def log_artifact(self, local_path: str, artifact_path: str | None = None) -> None:
        self.artifacts[f"{artifact_path}/{Path(local_path).name}"] = Path(local_path).read_text()


class Artifact:
    def __init__(self, name: str, type: str) -> None:
        self.name, self.type = name, type
        self.files: dict[str, str] = {}

    def add_file(self, local_path: str, name: str | None = None) -> None:
        self.files[Path(local_path).name] = Path(local_path).read_text()


class Config(dict[str, Any]):
    def update(self, d: Mapping[str, Any], allow_val_change: bool | None = None) -> None:
        super().update(d)


class Run:
    """A run of Weights & Biases."""

    def __init__(self, id: str) -> None:
        self.id, self.config = id, Config()
        self.summary: dict[str, float] = {}
        self.logged: list[Artifact] = []

    def log_artifact(self, artifact_or_path: Artifact) -> None:
        self.logged.append(artifact_or_path)


class Wandb:
    Artifact = Artifact

    def __init__(self, run: Run | None = None) -> None:
        self.run, self.inits = run, []
        self.made = Run("new")

    @contextmanager
    def init(
        self, project: str | None = None, name: str | None = None, job_type: str | None = None
    ) -> Iterator[Run]:
        self.inits.append((project, name, job_type))
        yield self.made


def test_figures_have_the_ends_of_the_intervals_that_hold_at_once() -> None:
    results = sample.results()
    found = tracking.figures(results)
    target = results.targets[0]
    attack = next(one for one in target.attacks if one.name == target.strongest)
    name, ends = target.name, attack.simultaneous
    for who in (attack.name, "strongest"):
        values = tuple(found[f"{name}/{who}/auc{part}"] for part in ("_ci_low", "", "_ci_high"))
        assert values == (ends.low, ends.value, ends.high)
    rate = attack.tpr[0]
    assert found[f"{name}/strongest/tpr_at_fpr_{rate.fpr:g}"] == rate.simultaneous.value
    assert found[f"{name}/leaks"] == 1.0
    assert found[f"{name}/detectable_auc"] == target.detectable_auc
    assert f"{name}/detectable_auc_ci_low" not in found  # it has no interval
    blind = [one.name for one in target.attacks if one.blind]
    assert all(f"{name}/blind.{one}/auc" in found for one in blind) and blind


def test_strange_names_are_made_plain_and_unknown_ends_left_out() -> None:
    results = sample.results()
    target = replace(results.targets[0], name="head, 5 epochs/ε=1", leaks=None)
    found = tracking.figures(replace(results, targets=(target,)))
    assert {name.partition("/")[0] for name in found} == {"head_ 5 epochs_ε_1"}
    assert "head_ 5 epochs_ε_1/leaks" not in found


def test_mlflow_has_the_figures_the_verdict_and_what_may_be_shared(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", mlflow := Mlflow())
    assert nm.log_mlflow(run) == "new"
    results = records.load(run)
    assert mlflow.metrics == tracking.figures(results)
    assert mlflow.started == mlflow.ended == ["my run"]
    assert mlflow.tags[f"nonmember.verdict.{results.targets[0].name}"] == results.targets[0].verdict
    place = "nonmember/my run"
    assert sorted(mlflow.artifacts) == [f"{place}/report.html", f"{place}/results.json"]
    assert not any(SECRET in text for text in mlflow.artifacts.values())
    assert "<html" in mlflow.artifacts["nonmember/my run/report.html"]


def test_a_run_that_is_active_is_logged_to_and_left_active(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = Mlflow(active=SimpleNamespace(info=SimpleNamespace(run_id="theirs")))
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    assert nm.log_mlflow(run) == "theirs" and not mlflow.started and mlflow.metrics
    monkeypatch.setitem(sys.modules, "wandb", wandb := Wandb(Run("theirs")))
    assert nm.log_wandb(run) == "theirs" and not wandb.inits and wandb.run.summary


def test_weights_and_biases_has_the_same(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", wandb := Wandb())
    assert nm.log_wandb(run, project="mine") == "new"
    results, made = records.load(run), wandb.made
    assert wandb.inits == [("mine", "my run", "audit")]
    assert made.summary == tracking.figures(results)
    assert made.config["nonmember"]["title"] == results.title
    (artifact,) = made.logged
    assert (artifact.name, artifact.type) == ("nonmember-new", "audit")
    assert sorted(artifact.files) == ["report.html", "results.json"]
    assert not any(SECRET in text for text in artifact.files.values())


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_tracker_that_is_not_there_is_one_sentence(
    name: str, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    log = getattr(nm, f"log_{name}")
    with pytest.raises(RunError, match=f"{name} is not installed; pip install {name}"):
        log(run)
    with pytest.raises(RunError, match=r"no results.json here"):
        log(run / "private")
