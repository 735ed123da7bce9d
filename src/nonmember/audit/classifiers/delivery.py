"""Writes a fenced classifier as it is to serve: with a secret that no audit has."""

import secrets
from pathlib import Path

from nonmember.audit.classifiers.guarded import opened
from nonmember.audit.classifiers.subject import Subject
from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import RunError, SpecError
from nonmember.models import classifiers
from nonmember.models.diffusion import fresh
from nonmember.models.fence import saved
from nonmember.models.fence.calibration import Calibration
from nonmember.signals.store import Store

SECRET_BYTES = 32


def check(folder: Path) -> None:
    """Refuse a folder that a fence is to be written to and that holds something else.

    Raises:
        RunError: it does.
    """
    if folder.exists() and not (folder / saved.ABOUT).is_file():
        raise RunError(f"{folder}: holds no fence; remove it, or choose another --output")


def deliver(subject: Subject, name: str, store: Store, folder: Path) -> None:
    """Set a target's fence anew under a secret of its own, and write it; once.

    Raises:
        SpecError: the target is not a model that is there behind Diffence alone.
        ModelError: it cannot be written.
    """
    target = next(one for one in subject.targets if one.name == name)
    guard, source, known = target.guard, target.source, subject.candidates
    if source is None or guard is None or [one.defense.name for one in guard.steps] != ["diffence"]:
        raise SpecError(f"targets.{name}: is no model that is there behind diffence alone")
    assert guard.regenerator is not None
    if folder.exists():
        return
    by = guard.regenerator
    diffusion = opened(by, store, subject.where)
    secret = secrets.token_bytes(SECRET_BYTES)
    model = classifiers.load(source, str(subject.where.device), known.every)
    own = known.calibration
    calibration = Calibration(own.members, own.non_members, known.public, secret)
    copies = fresh(diffusion, by.how, secret)
    fenced = diffence(model, calibration, copies, **guard.steps[0].options)
    saved.save(fenced, folder, source=source, diffusion=diffusion, how=by.how)
