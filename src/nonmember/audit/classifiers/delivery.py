"""Writes a fenced classifier as it is to serve: with a secret that no audit has."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nonmember.audit import whole
from nonmember.audit.classifiers import defense_plan, defense_work
from nonmember.audit.classifiers.jobs import Guarded
from nonmember.audit.classifiers.subject import Subject
from nonmember.audit.engine import HERE, Engine, pending
from nonmember.audit.jobs import Job
from nonmember.audit.run import Observe, unobserved
from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import RunError, SpecError
from nonmember.models import classifiers
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.fence import carried, saved
from nonmember.models.fence.calibration import Calibration
from nonmember.signals.store import Store

SECRET_BYTES = 32
PRIVATE = "private"
"""The folder beside a fence that holds its secret until the fence is written."""


def check(folder: Path) -> None:
    """Refuse a folder that a fence is to be written to and that holds something else.

    Raises:
        RunError: it does.
    """
    if folder.exists() and not (folder / saved.ABOUT).is_file():
        raise RunError(f"{folder}: holds no fence; remove it, or choose another --output")


def check_model(subject: Subject, name: str) -> None:
    """Refuse a target whose model could not be written in the end, before any work.

    Raises:
        SpecError: it is not a model that is there behind Diffence alone.
        ModelError: it cannot be exported, or not be read again without running code.
    """
    source, guarded = _behind(subject, name)
    by, inputs = guarded.guard.regenerator, np.asarray(subject.candidates.examples.inputs)
    assert by is not None
    model = classifiers.load(source, str(subject.where.device), subject.candidates.every)
    carried.check(source, model, carried.shown(inputs.shape[1:], by.model.low, by.model.high))


def deliver(
    subject: Subject,
    name: str,
    store: Store,
    folder: Path,
    observe: Observe = unobserved,
    engine: Engine = HERE,
) -> None:
    """Set a target's fence anew under a secret of its own, and write it; once.

    The secret is drawn first and kept beside the folder, for its owner alone: after an
    interruption the copies that were made are there, and the same fence is written.

    Args:
        subject: what was audited.
        name: of the target.
        store: where copies are kept.
        folder: where the fence is written.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where they are done.

    Raises:
        SpecError: the target is not a model that is there behind Diffence alone.
        RunError: the secret is damaged.
        ModelError: the fence cannot be set, or not be written.
    """
    source, audited = _behind(subject, name)
    kept = folder.parent / PRIVATE / saved.SECRET
    if folder.exists():
        kept.unlink(missing_ok=True)  # of a run that ended just before it did so
        return
    by, secret = audited.guard.regenerator, _secret(kept)
    assert by is not None
    own = replace(audited.guard, regenerator=replace(by, secret=secret), secret=secret)
    guarded = replace(audited, guard=own)
    jobs = _jobs(guarded, subject)
    with observe(pending(jobs, store)) as watch:
        engine.run(jobs, store, watch)
    _write(source, guarded, subject, store, folder)
    kept.unlink()


def _behind(subject: Subject, name: str) -> tuple[ClassifierSource, Guarded]:
    """A target's model, and the same behind its defenses.

    Raises:
        SpecError: it is trained here, or something else stands before it than Diffence alone.
    """
    target = next(one for one in subject.targets if one.name == name)
    names = [one.defense.name for one in target.guard.steps] if target.guard else []
    if target.source is None or names != ["diffence"]:
        raise SpecError(f"targets.{name}: is no model that is there behind diffence alone")
    guarded = defense_plan.guarded(target, target.source, subject)
    assert isinstance(guarded, Guarded)
    return target.source, guarded


def _jobs(guarded: Guarded, subject: Subject) -> Sequence[Job]:
    """What is to be there before the fence can be set."""
    return *defense_plan.prepared(subject), *defense_plan.set_by(guarded, subject)


def _write(
    source: ClassifierSource, guarded: Guarded, subject: Subject, store: Store, folder: Path
) -> None:
    guard, (known,) = guarded.guard, guarded.known
    by, where = guard.regenerator, subject.where
    assert by is not None
    model = classifiers.load(source, str(where.device), subject.candidates.every)
    calibration = Calibration(known.members, known.non_members, guarded.public, guard.secret)
    copies = defense_work.copies_of(by, store, where)
    fenced = diffence(model, calibration, copies, **guard.steps[0].options)
    diffusion = defense_work.opened(by, store, where)
    saved.save(fenced, folder, source=source, diffusion=diffusion, how=by.how)


def _secret(path: Path) -> bytes:
    """A secret that was drawn before an interruption, or a new one, in a file of its owner's.

    Raises:
        RunError: the file holds none.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        whole.write(path, secrets.token_hex(SECRET_BYTES).encode(), 0o600)
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii"))
    except ValueError:
        found = b""
    if len(found) != SECRET_BYTES:
        raise RunError(f"{path}: holds no secret; remove it, and a new one is drawn")
    return found
