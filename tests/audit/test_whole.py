"""Files that are there whole or not at all, whoever else writes them."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nonmember.audit import whole
from nonmember.errors import RunError

WRITERS, SIZE = 8, 200_000


def test_writers_at_once_leave_the_whole_of_one(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([one]) * SIZE for one in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as several:
        for _ in range(20):
            assert [*several.map(lambda content: whole.write(path, content), contents)]
            assert path.read_bytes() in contents
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_what_is_private_is_so_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, replace = list[int](), os.replace

    def look(part: Path, path: Path) -> None:
        seen.append(stat.S_IMODE(part.stat().st_mode))
        replace(part, path)

    monkeypatch.setattr(os, "replace", look)
    for mode in (0o600, 0o644):
        whole.write(tmp_path / "file", b"content", mode)
    assert seen == [0o600, 0o644]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    whole.write(path, b"old")

    def refuse(*_: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        whole.write(path, b"new")
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]


def test_a_pipe_or_a_device_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunError, match="pipe: is no ordinary file"):
        whole.check(tmp_path / "pipe")
