"""An audit on a full disk, beside another one, and begun and ended in different surroundings."""

import json
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nonmember import cli
from nonmember.errors import NonmemberError

SPEC = """
kind = "classifier"
title = "What survives"
references = { count = 4, recipe = { epochs = 5 } }
attacks = { run = ["loss", "gap", "lira"] }
evaluation = { fpr = [0.1], resamples = 200, redraws = 2 }

[data]
pool = "noisy-digits"
take = { members = 150, non_members = 150 }

[targets.leaky]
trained_on = "members"
architecture = "mlp"
recipe = { epochs = 40 }
"""
SMALL_FILE = 5_000  # bytes: less than a network has
OTHERWISE = {"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "7"}


def command(folder: Path) -> list[str]:
    spec = folder / "spec.toml"
    spec.write_text(SPEC, encoding="utf-8")
    run, store = str(folder / "run"), str(folder / "store")
    words = ["audit", "spec", str(spec), "--output", run, "--store", store]
    return [sys.executable, "-m", "nonmember", *words]


def ended(folder: Path, **other: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **other.pop("env", {})}
    return subprocess.run(
        command(folder), env=environment, capture_output=True, text=True, check=False, **other
    )


def outputs(folder: Path) -> dict[str, int]:
    """When each finished output was written."""
    found = (folder / "store").glob("??/*")
    return {one.name: one.stat().st_mtime_ns for one in found if not one.name.startswith(".")}


def attacks(folder: Path) -> Any:
    found = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))
    return found["targets"][0]["attacks"]


@pytest.fixture(scope="module")
def peace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an audit that nothing disturbed."""
    folder = tmp_path_factory.mktemp("peace")
    told = ended(folder)
    assert told.returncode == 0, told.stderr
    return folder


def test_a_full_disk_is_said_and_what_was_done_is_kept(peace: Path, tmp_path: Path) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (SMALL_FILE, SMALL_FILE))
    told = ended(tmp_path, preexec_fn=limit)
    assert told.returncode == 2 and "Traceback" not in told.stderr
    assert told.stderr.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "run" / "report.html").exists()
    before = outputs(tmp_path)
    assert len(before) < len(outputs(peace))
    assert ended(tmp_path).returncode == 0
    assert {name: outputs(tmp_path)[name] for name in before} == before
    assert attacks(tmp_path) == attacks(peace)


def test_two_audits_share_a_store(peace: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    (tmp_path / "shared").mkdir(mode=0o700)
    for folder in folders:
        folder.mkdir()
        (folder / "store").symlink_to(tmp_path / "shared")
    alike = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(command(folder), env=alike, stdout=subprocess.DEVNULL)
        for folder in folders
    ]
    assert [one.wait() for one in both] == [0, 0]
    assert attacks(folders[0]) == attacks(folders[1]) == attacks(peace)
    assert outputs(folders[0]).keys() == outputs(peace).keys()
    assert not [*(tmp_path / "shared").glob("??/.*")]


def test_clock_language_and_hash_seed_change_nothing(peace: Path, tmp_path: Path) -> None:
    assert ended(tmp_path, env=OTHERWISE).returncode == 0
    assert attacks(tmp_path) == attacks(peace)
    for one in (tmp_path / "store").rglob("*"):
        os.utime(one, (0, 0), follow_symlinks=False)
    before = outputs(tmp_path)
    told = ended(tmp_path)
    assert told.returncode == 0 and "jobs to do" not in told.stderr
    assert outputs(tmp_path) == before


def test_a_store_that_cannot_be_one_is_told_before_work(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    done = ended(tmp_path)
    assert done.returncode == 2 and not (tmp_path / "run" / "results.json").exists()
    assert done.stderr.startswith(f"error: store {tmp_path / 'store'}: ")
    assert done.stderr.strip().endswith("is no folder that may be written to; give another")


@pytest.mark.parametrize("wrapped", [ImportError, NonmemberError, KeyboardInterrupt])
def test_an_interrupt_that_comes_out_as_another_error_is_one(
    wrapped: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise wrapped("initialization failed") from None

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(cli, "app", broken)
    try:
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert left.value.code == cli.INTERRUPTED
    assert capsys.readouterr().err.startswith("interrupted; ")
