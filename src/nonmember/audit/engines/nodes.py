"""The nodes of a Ray cluster: what there is room for, and whether they see what this one sees."""

import os
import secrets
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nonmember.audit.engine import Crew
from nonmember.audit.engines import demands
from nonmember.audit.jobs import Job
from nonmember.errors import RunError
from nonmember.signals.store import Store

ANSWER = 300.0  # seconds in which a node imports this package and says what it sees
INSTALLED = ("nonmember", "torch", "transformers")  # in the same version on every node


def able(ray: Any) -> list[Mapping[str, Any]]:
    """The nodes that can do jobs."""
    found = [one for one in ray.nodes() if one["Alive"] and one["Resources"].get("CPU", 0) >= 1]
    if not found:
        raise RunError("engine ray: the cluster has no node with a CPU; add one with `ray start`")
    return found


def shared(nodes: Sequence[Mapping[str, Any]], workers: int | None) -> Crew:
    """So many workers, one a node if not given, with as many CPUs each as leave room for all."""
    cpus = [int(one["Resources"]["CPU"]) for one in nodes]
    wanted = workers or len(cpus)
    for each in range(max(cpus), 0, -1):
        room = sum(one // each for one in cpus)
        if room >= wanted:
            return Crew(wanted, each)
    return Crew(sum(cpus), 1)


def takes(job: Job, crew: Crew) -> dict[str, Any]:
    """What a job takes of a node."""
    gpus = int(job.where.device.type == "cuda")
    return {"num_cpus": crew.threads, "num_gpus": gpus, "memory": demands.memory(job)}


def check_sizes(nodes: Sequence[Mapping[str, Any]], jobs: Sequence[Job], crew: Crew) -> None:
    """Refuse a job that fits no node: Ray would wait for one for ever.

    Raises:
        RunError: naming the job, and what it takes.
    """
    names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
    for job in jobs:
        asked = {names[key]: amount for key, amount in takes(job, crew).items()}
        fits = (
            all(node["Resources"].get(key, 0) >= amount for key, amount in asked.items())
            for node in nodes
        )
        if not any(fits):
            raise RunError(
                f"{job.label}: takes {asked['CPU']} CPUs, {asked['GPU']} GPUs and "
                f"{asked['memory'] / 2**30:.1f} GiB, and no node of the cluster has so much; add "
                "a larger one"
            )


def check_sight(
    ray: Any, nodes: Sequence[Mapping[str, Any]], jobs: Sequence[Job], store: Store
) -> None:
    """Refuse a node that does not see what is here, or has other versions installed.

    Raises:
        RunError: naming the node, and what it lacks.
    """
    store.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    token = store.root / f".seen-{secrets.token_hex(8)}"
    paths = [
        str(token),
        *sorted({str(file.absolute()) for job in jobs for file in demands.files(job)}),
    ]
    token.touch()
    try:
        looks = [_look(ray, node, paths) for node in nodes]
        for node, look in zip(nodes, looks, strict=True):
            _refuse_blind(f"node {node['NodeManagerAddress']}", _seen(ray, node, look), str(token))
    finally:
        token.unlink()


def _look(ray: Any, node: Mapping[str, Any], paths: Sequence[str]) -> Any:
    """Have a node say which of these paths it sees."""
    there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        node["NodeID"], soft=False
    )
    task = ray.remote(_missing).options(num_cpus=0, scheduling_strategy=there)
    return task.remote(paths)


def _missing(paths: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """On a node: which paths are not there or cannot be used, and what is installed."""
    unseen = [path for path in paths if not os.access(path, os.R_OK)]
    return unseen, {name: version(name) for name in INSTALLED}


def _seen(ray: Any, node: Mapping[str, Any], look: Any) -> tuple[list[str], dict[str, str]]:
    """A node's answer.

    Raises:
        RunError: it has none.
    """
    try:
        return ray.get(look, timeout=ANSWER)
    except ray.exceptions.RayError as error:
        raise RunError(
            f"engine ray: node {node['NodeManagerAddress']} cannot run nonmember "
            f"({str(error).strip().splitlines()[-1]}); install there what is installed here"
        ) from None


def _refuse_blind(node: str, found: tuple[list[str], dict[str, str]], token: str) -> None:
    unseen, there = found
    here = {name: version(name) for name in INSTALLED}
    if token in unseen:
        raise RunError(
            f"engine ray: {node} does not see the store {Path(token).parent}; give --store a "
            "folder on a disk that all nodes share"
        )
    if unseen:
        raise RunError(f"engine ray: {node} does not see {unseen[0]}; put it on a shared disk")
    for name in INSTALLED:
        if there[name] != here[name]:
            raise RunError(
                f"engine ray: {node} has {name} {there[name]} and this machine {here[name]}, which "
                "compute other numbers; install the same there"
            )
