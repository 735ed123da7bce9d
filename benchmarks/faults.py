"""What an audit survives: being killed, a full disk, damage, company, another clock, lost workers.

    python benchmarks/faults.py [--only killed|full|damaged|together|elsewhere|ray] [--times 20]

A small audit of digits, with reference models and Diffence, is run undisturbed first. Each fault
is then done to the same audit in a fresh folder, which is run again until it ends. What is counted:
finished outputs that were lost, or made a second time, and runs whose figures are not those of the
undisturbed one. All three are to be 0. Writes benchmarks/results/faults.json. Workers are lost on
a Ray cluster, which nonmember[ray] brings; they train more reference models, so that it takes them
seconds.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from faults_audit import (
    Undisturbed,
    command,
    compare,
    ended,
    figures,
    finish,
    outputs,
    refused,
    undisturbed,
)
from faults_workers import workers_lost
from machine import keep

KILLS_A_RUN = 4
SEED = 0
SMALL_FILE = 40_000  # bytes that a file may have on the full disk
ELSEWHERE = {"LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "12345"}


def killed(peace: Undisturbed, folder: Path, times: int) -> dict[str, int]:
    """Killed at random moments of its whole length, some times a run, and run to its end."""
    rng, counts = random.Random(SEED), {"kills": 0, "lost": 0, "made again": 0, "differ": 0}
    for number in range(-(-times // KILLS_A_RUN)):
        own = folder / str(number)
        own.mkdir()
        for _ in range(min(KILLS_A_RUN, times - counts["kills"])):
            before = outputs(own)
            _kill_after(own, rng.uniform(0.3, peace.seconds))
            counts["kills"] += 1
            compare(before, outputs(own), counts)
        finish(own, peace, counts)
    return counts


def _kill_after(folder: Path, seconds: float) -> None:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command(folder), **quiet) as process:  # type: ignore[call-overload]
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()


def full(peace: Undisturbed, folder: Path) -> dict[str, int]:
    """Files may not grow beyond a size, as on a full disk; then there is room again."""
    counts = {"lost": 0, "made again": 0, "differ": 0}
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (SMALL_FILE, SMALL_FILE))
    told = ended(folder, preexec_fn=limit)
    counts["not refused in a sentence"] = int(not refused(told))
    counts["a page all the same"] = int((folder / "run" / "report.html").exists())
    finish(folder, peace, counts)
    return counts


def damaged(peace: Undisturbed, folder: Path) -> dict[str, int]:
    """Every stored array in turn is cut short: each is refused by name, or not read again."""
    shutil.copytree(folder.parent / "peace", folder, dirs_exist_ok=True)
    counts = {"arrays": 0, "named": 0, "not read again": 0, "tracebacks": 0, "differ": 0}
    for array in sorted((folder / "store").glob("??/*/*.npy")):
        whole = array.read_bytes()
        array.write_bytes(whole[: len(whole) // 2])
        told = ended(folder)
        counts["arrays"] += 1
        counts["named"] += told.returncode == 2 and array.name in told.stderr
        counts["not read again"] += told.returncode == 0
        counts["tracebacks"] += "Traceback" in told.stderr
        counts["differ"] += told.returncode == 0 and figures(folder) != peace.figures
        array.write_bytes(whole)
    return counts


def together(peace: Undisturbed, folder: Path) -> dict[str, int]:
    """Two audits at once into one store."""
    counts = {"lost": 0, "made again": 0, "differ": 0}
    (folder / "other").mkdir()
    (folder / "other" / "store").symlink_to(folder / "store")
    (folder / "store").mkdir(mode=0o700)
    both = [subprocess.Popen(command(one)) for one in (folder, folder / "other")]
    counts["failed"] = sum(one.wait() != 0 for one in both)
    for one in (folder, folder / "other"):
        finish(one, peace, counts)
    return counts


def elsewhere(peace: Undisturbed, folder: Path) -> dict[str, int]:
    """Begun here, ended under another language, time zone and hash seed, in a store of 1970."""
    counts = {"lost": 0, "made again": 0, "differ": 0}
    _kill_after(folder, peace.seconds / 2)
    for one in (folder / "store").rglob("*"):
        os.utime(one, (0, 0), follow_symlinks=False)
    before = outputs(folder)
    told = ended(folder, env={**os.environ, **ELSEWHERE})
    compare(before, outputs(folder), counts)
    counts["differ"] += told.returncode != 0 or figures(folder) != peace.figures
    return counts


def main() -> None:
    """Do to the audit what was asked for."""
    faults: dict[str, Callable[[Undisturbed, Path], dict[str, int]]] = {
        "full": full,
        "damaged": damaged,
        "together": together,
        "elsewhere": elsewhere,
        "ray": workers_lost,
    }
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", choices=["killed", *faults])
    parser.add_argument("--times", type=int, default=20)
    given = parser.parse_args()
    faults["killed"] = partial(killed, times=given.times)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "peace").mkdir()
        peace = undisturbed(Path(place) / "peace")
        for name in [given.only] if given.only else faults:
            folder = Path(place) / name
            folder.mkdir()
            found = faults[name](peace, folder)
            about = {"outputs": len(peace.outputs), "seconds undisturbed": round(peace.seconds, 1)}
            keep("faults", name, {**about, **found})


if __name__ == "__main__":
    main()
