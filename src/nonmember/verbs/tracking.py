"""What an audit found, handed to an experiment tracker: figures, verdicts, and what may be shared.

The page is written anew without any record's text; nothing of ``private`` is read or sent.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

from nonmember.audit import records
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import RunError, UnresolvableError
from nonmember.report import page
from nonmember.report.gate.figures import FIGURES, OfAttack, OfTarget, Reading

STRANGE = re.compile(r"[^\w .-]")
"""What some tracker refuses in a name."""
STRONGEST = "strongest"
"""Whose figures have the same name in every run, so that runs can be held against each other."""


def log_mlflow(run: str | Path) -> str:
    """Log a finished audit to MLflow: to the run that is active, or to one of its own.

    Figures and the ends of their intervals are metrics, verdicts tags, and the page and
    ``results.json`` artifacts under ``nonmember`` and the folder's name.

    Args:
        run: the folder of the audit.

    Returns:
        MLflow's id of its run.

    Raises:
        RunError: the folder holds no finished run, or MLflow is not installed.
    """
    folder = Path(run)
    results, mlflow = records.load(folder), _module("mlflow")
    active = mlflow.active_run()
    with nullcontext(active) if active else mlflow.start_run(run_name=folder.name) as logged:
        mlflow.log_metrics(figures(results))
        mlflow.set_tags({f"nonmember.{name}": said for name, said in described(results).items()})
        with shared(results, folder) as paths:
            for path in paths:
                mlflow.log_artifact(str(path), artifact_path=f"nonmember/{folder.name}")
        return str(logged.info.run_id)


def log_wandb(run: str | Path, *, project: str = "nonmember") -> str:
    """Log a finished audit to Weights & Biases: to the run that is active, or to one of its own.

    Figures and the ends of their intervals are in its summary, verdicts in its configuration
    under ``nonmember``, and the page and ``results.json`` in an artifact of type ``audit``.

    Args:
        run: the folder of the audit.
        project: where a run of its own goes.

    Returns:
        The id of the Weights & Biases run.

    Raises:
        RunError: the folder holds no finished run, or wandb is not installed.
    """
    folder = Path(run)
    results, wandb = records.load(folder), _module("wandb")
    own = {"project": project, "name": folder.name, "job_type": "audit"}
    with nullcontext(wandb.run) if wandb.run else wandb.init(**own) as logged:
        logged.config.update({"nonmember": described(results)}, allow_val_change=True)
        logged.summary.update(figures(results))
        artifact = wandb.Artifact(f"nonmember-{logged.id}", type="audit")
        with shared(results, folder) as paths:
            for path in paths:
                artifact.add_file(str(path))
            logged.log_artifact(artifact)
        return str(logged.id)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise RunError(f"log_{name}: {name} is not installed; pip install {name}") from None


def described(results: Results) -> dict[str, str]:
    """What was audited, on what, and each target's verdict, in words."""
    found = {"title": results.title, "kind": results.kind, "created": results.created}
    found |= {f"data.{_plain(name)}": str(said) for name, said in results.data.items()}
    return found | {f"verdict.{_plain(one.name)}": one.verdict for one in results.targets}


def figures(results: Results) -> dict[str, float]:
    """Every figure, as ``target/attack/auc``, and the ends of its interval, where it has any.

    The ends, ``..._ci_low`` and ``..._ci_high``, are those that ``nonmember gate`` goes by: of
    attacks, they hold for all on the target at once. ``target/strongest/auc`` has the same name
    in every run. What never sees the target is called ``blind.`` or ``parent.`` and its name.
    """
    found: dict[str, float] = {}
    for target in results.targets:
        for name, reading in _readings(target, results):
            parts = {"": reading.value, "_ci_low": reading.low, "_ci_high": reading.high}
            path = f"{_plain(target.name)}/{name}"
            found |= {path + part: value for part, value in parts.items() if isfinite(value)}
    return found


def _readings(target: TargetResult, results: Results) -> Iterator[tuple[str, Reading]]:
    """Each figure that this audit has, by its name."""
    asked: list[tuple[str, OfTarget | OfAttack, tuple[Any, Any]]] = []
    for name, figure in FIGURES.items():
        if not figure.of_attack:
            asked.append((name, figure.read, (target, results)))
            continue
        for attack in target.attacks:
            for rate in [one.fpr for one in attack.tpr] if name == "tpr" else [0.0]:
                said = f"tpr_at_fpr_{rate:g}" if name == "tpr" else name
                asked += [
                    (f"{who}/{said}", figure.read, (attack, rate)) for who in _named(attack, target)
                ]
    for name, read, given in asked:
        with suppress(UnresolvableError):  # which figures there are depends on the audit
            yield name, read(*given)


def _named(attack: AttackResult, target: TargetResult) -> list[str]:
    if attack.blind or attack.of_parent:
        return [f"{'blind' if attack.blind else 'parent'}.{_plain(attack.name)}"]
    return [_plain(attack.name)] + [STRONGEST] * (attack.name == target.strongest)


@contextmanager
def shared(results: Results, run: Path) -> Iterator[tuple[Path, Path]]:
    """The page, without texts, and ``results.json``."""
    with tempfile.TemporaryDirectory(prefix="nonmember-") as room:
        shown = Path(room, "report.html")
        page.write(results, shown, None)
        yield shown, run / "results.json"


def _plain(name: str) -> str:
    return STRANGE.sub("_", name)
