"""Workers of a Ray cluster, killed while they train reference models; needs nonmember[ray]."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from faults_audit import SPEC, Undisturbed, command, compare, finish, outputs, refused, undisturbed

MORE = ("count = 8, recipe = { epochs = 20 }", "count = 48, recipe = { epochs = 100 }")
NODE = {"num_cpus": 1, "memory": 2 << 30, "object_store_memory": 80 << 20}
SEED = 0
ROUNDS = 5  # of which each loses one worker
TOO_MANY = 4  # workers lost to one job
MOMENT = 0.005  # seconds between two looks for somebody who trains


def workers_lost(_peace: Undisturbed, folder: Path) -> dict[str, int]:
    """One worker a round is killed while it trains reference models, and once too many are."""
    whole = undisturbed(_asking(folder / "whole", SPEC.replace(*MORE)))
    start = _asking(folder / "start", SPEC.replace(*MORE).replace(', "lira", "rmia"', ""))
    undisturbed(start)  # all but training reference models, and what waits for them
    rng, names = random.Random(SEED), ("lost", "made again", "differ", "not ended")
    seconds = round(whole.seconds)
    counts = {"outputs": len(whole.outputs), "seconds undisturbed": seconds, "kills": 0}
    counts |= dict.fromkeys(names, 0)
    with _cluster() as address:
        for number in range(ROUNDS):
            own = _beginning(folder / str(number), start)
            told = _losing(own, ["--address", address], [rng.uniform(0, 1)], counts)
            counts["not ended"] += told.returncode != 0
            finish(own, whole, counts)
        own = _beginning(folder / "too many", start)
        told = _losing(own, ["--address", address, "--workers", "1"], [0.0] * TOO_MANY, counts)
        counts["too many, not refused in a sentence"] = int(not refused(told))
        finish(own, whole, counts)
    return counts


def _asking(folder: Path, spec: str) -> Path:
    folder.mkdir()
    (folder / "spec.toml").write_text(spec, encoding="utf-8")
    return folder


def _beginning(folder: Path, start: Path) -> Path:
    """A folder of the audit with more references, in whose store all the rest is made."""
    shutil.copytree(start / "store", _asking(folder, SPEC.replace(*MORE)) / "store")
    return folder


@contextmanager
def _cluster() -> Iterator[str]:
    """Where a cluster of two nodes on this machine answers."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    made.add_node(**NODE)
    made.wait_for_nodes()
    try:
        yield made.address
    finally:
        made.shutdown()


def _losing(
    folder: Path, words: Sequence[str], pauses: Sequence[float], counts: dict[str, int]
) -> subprocess.CompletedProcess[str]:
    """The audit on Ray, a worker of which is killed so many seconds after one trains, each time."""
    before, asked = outputs(folder), [*command(folder), "--engine", "ray", *words]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(asked, text=True, **quiet) as process:  # type: ignore[call-overload]
        for pause in pauses:
            while process.poll() is None and not _training(folder):
                time.sleep(MOMENT)
            time.sleep(pause)
            before |= outputs(folder)
            counts["kills"] += _killed_one(folder)
        told = process.communicate()[1]
    compare(before, outputs(folder), counts)
    return subprocess.CompletedProcess(asked, process.returncode, None, told)


def _killed_one(folder: Path) -> bool:
    """Whether there was a worker that trains; it is dead now."""
    workers = _training(folder)
    if workers:
        os.kill(workers[0], signal.SIGKILL)
        while workers[0] in _training(folder):
            time.sleep(MOMENT)
    return bool(workers)


def _training(folder: Path) -> list[int]:
    """The workers that do a job of the audit begun in a folder, once one of them trains."""
    found = []
    begun = any((folder / "store" / "unfinished").glob("*"))
    for one in Path("/proc").glob("[0-9]*") if begun else ():
        with suppress(OSError):  # it has ended
            doing = (one / "cmdline").read_bytes().startswith(b"ray::_errand")
            if doing and (one / "cwd").readlink() == folder:
                found.append(int(one.name))
    return found
