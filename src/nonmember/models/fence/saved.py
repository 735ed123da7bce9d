"""A fence in a folder: written whole or not at all, and read without unpickling anything."""

import hmac
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from hmac import compare_digest
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from pydantic import TypeAdapter, ValidationError

from nonmember.errors import ModelError, SpecError
from nonmember.models import diffusion as diffusions
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.classifiers.answers import Target
from nonmember.models.classifiers.identity import of_file
from nonmember.models.diffusion import Diffusion, Regeneration, fresh
from nonmember.models.fence import carried, keyed
from nonmember.models.fence.carried import Carried
from nonmember.models.fence.fenced import Fallback, Fence, Fenced
from nonmember.models.fence.select import Selector

Sums: TypeAlias = dict[str, str]

ABOUT, DONORS, DIFFUSION = "fence.json", "donors.npy", "diffusion"
SECRET = "SECRET-never-publish.key"
"""32 bytes in hexadecimal digits: who has them and the folder can make all copies."""
PACKAGES = ("nonmember", "torch", "numpy")


@dataclass(frozen=True)
class _About:
    """What ``fence.json`` holds; ``secret`` names the right one, and does not tell it.

    ``seal`` is made of all the rest with the secret, so that nobody changes a number unseen.
    """

    selector: Selector
    fallback: Fallback
    low: float | None
    high: float | None
    confidence: float | None
    figures: dict[str, float]
    classifier: Carried
    regeneration: Regeneration
    copies: str
    secret: str
    versions: dict[str, str]
    files: Sums
    seal: str = ""
    format: Literal[1] = 1


def save(
    fenced: Fenced,
    folder: Path,
    *,
    source: ClassifierSource,
    diffusion: Diffusion,
    how: Regeneration,
) -> None:
    """Write a fence into a new folder that only its owner can read; it is there when it is whole.

    Everything is copied there but the code of a factory, and the secret is in a file of its own.

    Args:
        fenced: what is written.
        folder: where; there must be none yet.
        source: where its classifier came from.
        diffusion: what regenerates.
        how: the settings.

    Raises:
        ModelError: there is such a folder, the fence was made around something else, or the
            classifier cannot be written so that it can be read without running code.
    """
    if folder.exists():
        raise ModelError(f"{folder}: is there already; give another folder, or delete it")
    target = fenced.classifier
    if not isinstance(target, Target) or target.name != source.name:
        raise ModelError(
            f"{folder}: the fence is not around {source.name} as it was loaded; fence that, and "
            "save it"
        )
    if fresh(diffusion, how, fenced.secret).digest != fenced.copies.digest:
        raise ModelError(
            f"{folder}: the fence has other copies than this diffusion model, these settings and "
            "its own secret give; save it with those that it was calibrated on"
        )
    carried.form(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-{os.getpid()}-", dir=folder.parent))
    try:
        _write(part, fenced, carried.put(source, target, diffusion, part), diffusion, how)
        _rename(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left half written: a secret may be in it."""
    for left in folder.parent.glob(f".{folder.name}-*-*"):
        try:
            os.kill(int(left.name.split("-")[-2]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (PermissionError, ValueError):  # it lives and is somebody else's, or is no part
            continue


def _rename(part: Path, folder: Path) -> None:
    try:
        part.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        raise ModelError(f"{folder}: is there already; give another folder, or delete it") from None


def load(
    folder: Path,
    *,
    secret: bytes | None = None,
    factory: str | None = None,
    device: str = "cpu",
) -> Fenced:
    """The fence in a folder, which answers as it did.

    Args:
        folder: as ``save`` wrote it.
        secret: of the fence, where it is kept elsewhere; by default in the folder.
        factory: the package.module:factory that makes the classifier's network, if one does:
            it is code, and is not run because a file says so.
        device: where networks compute.

    Raises:
        ModelError: no such folder, a file in it is missing or has changed, the secret is missing
            or another, or a factory is needed that was not given.
    """
    about = _about(folder)
    for name, expected in about.files.items():
        path = folder / name
        if not path.is_file() or of_file(path) != expected:
            what = "has changed since it was saved" if path.is_file() else "is missing"
            raise ModelError(f"{path}: {what}; save the fence again, or restore the file")
    needed = about.classifier.name
    if about.classifier.form == "factory" and factory != needed:
        raise ModelError(
            f"{folder}: its classifier is made by {needed}, which is code and is run only if you "
            f"say so; give factory={needed!r} if you trust it"
        )
    key = _secret(folder, about.secret) if secret is None else _right(folder, secret, about.secret)
    if not compare_digest(about.seal, _seal(about, key)):
        raise ModelError(f"{folder / ABOUT}: has changed since it was saved; save the fence again")
    model = diffusions.find(str(folder / DIFFUSION), device=device)
    copies = fresh(model, about.regeneration, key)
    if copies.digest != about.copies:
        raise ModelError(
            f"{folder}: this version draws or makes other copies than nonmember "
            f"{about.versions.get('nonmember')} did; calibrate the fence again"
        )
    return Fenced(
        carried.take(folder, about.classifier, device), copies, _fence(folder, about), key
    )


def class_names(folder: Path) -> tuple[str, ...] | None:
    """What the classifier in a fence's folder calls its classes; None where they are numbers."""
    return _about(folder).classifier.class_names


def _write(
    folder: Path, fenced: Fenced, classifier: Carried, diffusion: Diffusion, how: Regeneration
) -> None:
    fence = fenced.fence
    np.save(folder / DONORS, fence.donors, allow_pickle=False)
    diffusions.save(diffusion, folder / DIFFUSION)
    about = _About(
        selector=fence.selector,
        fallback=fence.fallback,
        low=_number(fence.low),
        high=_number(fence.high),
        confidence=_number(fence.confidence),
        figures=dict(fence.figures),
        classifier=classifier,
        regeneration=how,
        copies=fenced.copies.digest,
        secret=keyed.name(fenced.secret),
        versions={name: version(name) for name in PACKAGES},
        files=dict(_sums(folder)),
    )
    about = replace(about, seal=_seal(about, fenced.secret))
    (folder / ABOUT).write_text(json.dumps(asdict(about), indent=1), encoding="utf-8")
    (folder / ".gitignore").write_text(f"{SECRET}\n", encoding="utf-8")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(folder / SECRET, flags, mode=0o600), "w", encoding="ascii") as stream:
        stream.write(f"{fenced.secret.hex()}\n")


def _seal(about: _About, secret: bytes) -> str:
    told = json.dumps(asdict(replace(about, seal="")), sort_keys=True)
    return hmac.digest(secret, f"fence {told}".encode(), "sha256").hex()


def _sums(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), of_file(path)


def _about(folder: Path) -> _About:
    path = folder / ABOUT
    if not path.is_file():
        raise ModelError(f"{folder}: holds no {ABOUT}; give a folder that a fence was saved to")
    try:
        return TypeAdapter(_About).validate_json(path.read_bytes())
    except (ValidationError, SpecError, OSError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelError(f"{path}: cannot be read ({why}); save the fence again") from None


def _fence(folder: Path, about: _About) -> Fence:
    try:
        donors = np.load(folder / DONORS, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{folder / DONORS}: cannot be read ({error}); save it again") from None
    low = -np.inf if about.low is None else about.low
    high = np.inf if about.high is None else about.high
    confidence = np.nan if about.confidence is None else about.confidence
    return Fence(about.selector, about.fallback, low, high, donors, confidence, about.figures)


def _secret(folder: Path, expected: str) -> bytes:
    path = folder / SECRET
    if not path.is_file():
        raise ModelError(
            f"{folder}: its secret is not there; put the file {SECRET} that was saved with it "
            "into the folder, or give the secret itself"
        )
    try:
        return _right(folder, bytes.fromhex(path.read_text(encoding="ascii")), expected)
    except ValueError:
        raise ModelError(
            f"{path}: holds no hexadecimal digits; restore the file that was saved with the fence"
        ) from None


def _right(folder: Path, secret: bytes, expected: str) -> bytes:
    if keyed.name(secret) != expected:
        raise ModelError(f"{folder}: is given another secret than it was saved with; give that one")
    return secret


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
