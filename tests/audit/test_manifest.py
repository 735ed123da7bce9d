"""The manifest: every change of a run is noticed, and nothing private can be guessed from it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nonmember.audit import manifest
from nonmember.errors import RunError
from nonmember.models.fence import saved

SECRET = b"patient 17 was a member"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "private").mkdir(parents=True, mode=0o700)
    for name, content in {
        "results.json": b"{}",
        "report.html": b"<p>",
        "spec.json": b"spec",
        "private/records.parquet": SECRET,
        "fenced/model.safetensors": b"weights",
        "fenced/SECRET-never-publish.key": b"a fence's secret",
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    for name in ("spec.json", "private/records.parquet", "fenced/SECRET-never-publish.key"):
        (folder / name).chmod(0o600)
    manifest.write(folder)
    return folder


def test_a_run_that_nobody_touched_is_whole(run: Path) -> None:
    found = manifest.verify(run)
    assert found.whole and len(found.same) == 6 and found.unchecked == ()
    assert found.digest == hashlib.sha256((run / "manifest.json").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "which", "name"),
    [
        (lambda run: (run / "results.json").write_bytes(b"{ }"), "changed", "results.json"),
        (
            lambda run: (run / "private/records.parquet").write_bytes(SECRET[::-1]),
            "changed",
            "private/records.parquet",
        ),
        (lambda run: (run / "report.html").unlink(), "missing", "report.html"),
        (lambda run: (run / "private/records.parquet").unlink(), "missing", "private/rec"),
        (lambda run: (run / "notes.txt").write_text("x"), "added", "notes.txt"),
        (lambda run: (run / "private/more.csv").write_text("x"), "added", "private/more.csv"),
    ],
)
def test_each_change_is_named(
    run: Path, change: Callable[[Path], object], which: str, name: str
) -> None:
    change(run)
    found = manifest.verify(run)
    assert not found.whole
    (told,) = getattr(found, which)
    assert told.startswith(name) and f"{which}: '{told}'" in found.told()
    others = {"changed", "missing", "added"} - {which}
    assert all(getattr(found, other) == () for other in others)


def test_what_is_shared_checks_without_the_private_folder(run: Path) -> None:
    shutil.rmtree(run / "private")
    found = manifest.verify(run)
    assert found.whole
    assert found.unchecked == ("fenced/SECRET-never-publish.key", "private/records.parquet")
    assert "not checked, as its key is not here: 'private/records.parquet'" in found.told()


@pytest.fixture
def strict_run(tmp_path: Path) -> Path:
    """A run whose owner's files are readable by nobody else, whatever they are."""
    before = os.umask(0o077)
    try:
        for name in ("results.json", "report.html", "private/records.parquet"):
            path = tmp_path / "run" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(name.encode())
        manifest.write(tmp_path / "run")
    finally:
        os.umask(before)
    return tmp_path / "run"


@pytest.mark.parametrize("name", ["results.json", "report.html"])
def test_a_strict_umask_makes_no_result_private(strict_run: Path, name: str) -> None:
    shutil.rmtree(strict_run / "private")
    found = manifest.verify(strict_run)
    assert found.whole and found.unchecked == ("private/records.parquet",)
    (strict_run / name).write_bytes(b"forged")
    found = manifest.verify(strict_run)
    assert not found.whole and found.changed == (name,)


@pytest.mark.parametrize("name", ["results.json", "report.html"])
def test_a_manifest_by_which_results_cannot_be_checked_does_not_vouch(run: Path, name: str) -> None:
    said = json.loads((run / "manifest.json").read_text())
    said["files"][name]["keyed"] = True
    (run / "manifest.json").write_text(json.dumps(said))
    shutil.rmtree(run / "private")
    found = manifest.verify(run)
    assert name in found.unchecked and not found.whole


def test_the_secret_of_a_fence_is_known_by_its_name() -> None:
    assert saved.SECRET.endswith(manifest.SECRET)


def test_a_guess_at_what_is_private_cannot_be_confirmed(run: Path) -> None:
    said = (run / "manifest.json").read_text()
    for secret in (SECRET, b"a fence's secret"):
        assert hashlib.sha256(secret).hexdigest() not in said
    files = json.loads(said)["files"]
    assert files["private/records.parquet"]["bytes"] is None
    assert files["results.json"]["digest"] == hashlib.sha256(b"{}").hexdigest()
    key = run / "private" / "manifest.key"
    assert key.stat().st_mode & 0o077 == 0 and key.read_bytes().hex() not in said


def test_equal_private_files_of_two_runs_look_different(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    shutil.copytree(run, again)
    (again / "private" / "manifest.key").unlink()
    manifest.write(again)
    one, other = (json.loads((at / "manifest.json").read_text())["files"] for at in (run, again))
    assert one["private/records.parquet"] != other["private/records.parquet"]
    assert one["results.json"] == other["results.json"]


def test_an_update_of_the_page_hides_no_other_change(run: Path) -> None:
    (run / "report.html").write_bytes(b"<p>anew")
    (run / "results.json").write_bytes(b"{ }")
    manifest.update(run, "report.html")
    found = manifest.verify(run)
    assert found.changed == ("results.json",) and "report.html" in found.same


def test_a_folder_is_updated_with_all_that_it_holds(run: Path) -> None:
    shutil.rmtree(run / "fenced")
    (run / "fenced").mkdir()
    (run / "fenced" / "new.safetensors").write_bytes(b"w")
    manifest.update(run, "fenced")
    assert manifest.verify(run).whole


def test_without_a_manifest_an_update_writes_it_whole(run: Path) -> None:
    manifest.withdraw(run)
    manifest.update(run, "report.html")
    assert len(manifest.verify(run).same) == 6


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"schema": 2, "nonmember": "9", "files": {}}', b"\xff"],
)
def test_a_damaged_manifest_vouches_for_nothing(run: Path, content: bytes) -> None:
    (run / "manifest.json").write_bytes(content)
    for use in (manifest.verify, lambda at: manifest.update(at, "report.html")):
        with pytest.raises(RunError, match="vouches for nothing"):
            use(run)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "", "a\\b", "a\0b"])
def test_names_outside_the_run_are_refused(run: Path, name: str) -> None:
    said = json.loads((run / "manifest.json").read_text())
    said["files"][name] = {"digest": "0" * 64, "bytes": 1, "keyed": False}
    (run / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(RunError, match="no file of a run"):
        manifest.verify(run)


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no manifest\.json here"):
        manifest.verify(tmp_path)


def test_half_written_files_are_not_counted(run: Path) -> None:
    (run / ".results.json-00ff.part").write_bytes(b"{")
    assert manifest.verify(run).whole


@pytest.mark.parametrize("digest", ["é" * 64, "0", "A" * 64, ""])
def test_a_digest_that_is_none_is_damage(run: Path, digest: str) -> None:
    said = json.loads((run / "manifest.json").read_text())
    said["files"]["results.json"]["digest"] = digest
    (run / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(RunError, match="vouches for nothing"):
        manifest.verify(run)


@pytest.mark.parametrize("name", [b"\xff.txt", b"a\\b"])
def test_a_strange_name_is_found_added_and_spoils_no_manifest(run: Path, name: bytes) -> None:
    strange = os.fsdecode(name)
    (run / strange).write_bytes(b"x")
    for write in (manifest.write, lambda at: manifest.update(at, strange)):
        write(run)
        found = manifest.verify(run)
        assert found.added == (strange,) and len(found.same) == 6
        found.told().encode()


def test_an_update_of_a_shared_copy_makes_no_key(run: Path) -> None:
    shutil.rmtree(run / "private")
    (run / "report.html").write_bytes(b"<p>anew")
    manifest.update(run, "report.html")
    assert not (run / "private").exists() and manifest.verify(run).whole
