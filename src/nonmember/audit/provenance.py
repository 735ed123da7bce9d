"""How the outputs of an audit's jobs came about: on what, with which versions, in what time."""

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol, runtime_checkable

import torch

from nonmember.models.causal import Placement
from nonmember.models.source import digest
from nonmember.signals.store import Store

TORCH, TRANSFORMERS = version("torch"), version("transformers")


@runtime_checkable
class Done(Protocol):
    """A finished job: what it is called, and where its output is."""

    @property
    def label(self) -> str:
        """What is done, in words."""

    @property
    def address(self) -> str:
        """Where the output is."""


def circumstances_of(where: Placement, start: float) -> dict[str, Any]:
    """How an output came about that was begun at ``start``, for its provenance."""
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "device": str(where.device),
        "precision": str(where.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def arithmetic(where: Placement) -> str:
    """Where and with which numbers is computed.

    The number of threads is left out: it moves only the last digits of a sum.
    """
    return f"{where.device.type} {where.dtype} torch {TORCH} transformers {TRANSFORMERS}"


def circumstances(where: Placement, packages: Sequence[str]) -> dict[str, Any]:
    """What the work was done on, and with which versions."""
    return {
        "device": str(where.device),
        "precision of weights": str(where.dtype).removeprefix("torch."),
        "python": sys.version.split()[0],
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {package: version(package) for package in packages},
    }


def shared(about: Mapping[str, Any], private: bool) -> dict[str, Any]:
    """What may be told of how a job's output came about: not who was held back, only how many.

    Nor any seed where a training of the audit is ``private``: trainings share theirs, and its
    noise could be drawn again from it.
    """
    told = dict(about)
    if "held back" in told:
        told["held back"] = len(told["held back"])
    if private:
        told.pop("seed", None)
    return told


def jobs(every: Sequence[Done], store: Store, *, private: bool) -> dict[str, dict[str, Any]]:
    """How the jobs of each kind came about: those on different candidates are one kind."""
    kinds: dict[str, list[Done]] = {}
    for job in every:
        kinds.setdefault(job.label.split(" of candidates ")[0], []).append(job)
    found = {}
    for label, alike in kinds.items():
        about = [shared(store.provenance(job.address), private) for job in alike]
        seconds = round(sum(one["seconds"] for one in about), 3)
        addresses = digest(*(job.address for job in alike)) if len(alike) > 1 else alike[0].address
        found[label] = {**about[0], "seconds": seconds, "jobs": len(alike), "address": addresses}
    return found
