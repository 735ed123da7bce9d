"""The cache of rewrites: private, shared, and whole after a kill."""

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from nonmember.errors import RunError
from nonmember.rewriting.cache import Cache, key
from nonmember.rewriting.protocols import Rewrite

REWRITE = Rewrite("Zwei\x00 \U0001f600\n\t'quoted'", "", 12, 34)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "private" / "rewrites.sqlite")


def test_what_was_put_is_there(cache):
    assert cache.get([b"a"]) == {} == cache.get([])
    cache.put({b"a": REWRITE, b"b": Rewrite(None, "no answer", 5, 6)})
    assert cache.get([b"b", b"c", b"a", b"a"]) == {
        b"a": REWRITE,
        b"b": Rewrite(None, "no answer", 5, 6),
    }
    assert isinstance(cache.get([b"a"])[b"a"], Rewrite)


def test_many_keys_are_found_at_once(cache):
    many = {str(number).encode(): Rewrite(str(number)) for number in range(1201)}
    cache.put(many)
    assert cache.get(many) == many


def test_the_first_that_was_put_stays(cache):
    cache.put({b"a": REWRITE})
    cache.put({b"a": Rewrite("another")})
    assert cache.get([b"a"]) == {b"a": REWRITE}


def test_only_its_owner_can_read_it(cache):
    before = os.umask(0)
    try:
        cache.put({b"a": REWRITE})
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.path.parent.stat().st_mode) == 0o700
    assert [one.name for one in cache.path.parent.iterdir()] == [cache.path.name]


def test_its_journal_is_as_private(cache):
    before = os.umask(0)
    try:
        cache.put({b"a": REWRITE})
        with cache._opened() as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("DELETE FROM rewrites")
            (journal,) = set(cache.path.parent.iterdir()) - {cache.path}
            assert stat.S_IMODE(journal.stat().st_mode) == 0o600
            file.execute("ROLLBACK")
    finally:
        os.umask(before)


@pytest.mark.parametrize("damage", ["header", "middle", "cut", "text"])
def test_a_damaged_file_says_what_to_do(cache, damage):
    cache.put({str(number).encode(): Rewrite("word " * 99) for number in range(99)})
    whole = cache.path.read_bytes()
    broken = {
        "header": b"x" * 100 + whole[100:],
        "middle": whole[:4096] + b"\xff" * (len(whole) - 4096),
        "cut": whole[:5000],
        "text": b"this is no database " * 500,
    }
    cache.path.write_bytes(broken[damage])
    with pytest.raises(RunError, match=r"rewrites.sqlite: .* damaged .*; delete it"):
        cache.get([b"5"])


def test_a_file_that_cannot_be_used_says_so(tmp_path):
    with pytest.raises(RunError, match=r"cannot be used .*; make sure"):
        Cache(tmp_path).get([b"a"])
    other = tmp_path / "other.sqlite"
    file = sqlite3.connect(other)
    file.execute("CREATE TABLE rewrites (something TEXT)")
    file.close()
    with pytest.raises(RunError, match="cannot be used"):
        Cache(other).put({b"a": REWRITE})


def test_keys_differ_where_anything_does():
    asks = [("a", "b", 1), ("a", "b", 2), ("a", "bb", 1), ("ab", "b", 1), ("b a", "", 1)]
    asks += [("", "b a", 1), ("a", "b", 11), ("1 a", "b", 1), ("", "", 1)]
    assert len({key(*ask) for ask in asks}) == len(asks)
    assert key("a", "b", 1) == key("a", "b", 1) and len(key("a", "b", 1)) == 32


def _write(path, who):
    for number in range(60):
        Cache(path).put({f"{who} {number}".encode(): Rewrite(who), b"shared": Rewrite(who)})


def test_two_processes_may_write_at_once(cache):
    start = multiprocessing.get_context("spawn").Process
    writers = [start(target=_write, args=(cache.path, who)) for who in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    keys = [f"{who} {number}".encode() for who in ("one", "two") for number in range(60)]
    assert len(cache.get([*keys, b"shared"])) == 121


ENDLESS = """
import sys
from pathlib import Path
from nonmember.rewriting.cache import Cache
from nonmember.rewriting.protocols import Rewrite
for block in range(10**9):
    Cache(Path(sys.argv[1])).put(
        {f"{block} {one}".encode(): Rewrite("word " * 2000) for one in range(32)}
    )
    print(block, flush=True)
"""


def test_a_kill_costs_no_more_than_a_block(cache):
    command = [sys.executable, "-c", ENDLESS, str(cache.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(5):
            said = writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        said = (writer.stdout.read().split() or [said])[-1]
    done = int(said)
    for block in range(done + 2):
        found = cache.get(f"{block} {one}".encode() for one in range(32))
        assert len(found) == 32 if block <= done else len(found) in (0, 32)
        assert {one.text for one in found.values()} <= {"word " * 2000}
    cache.put({b"a": REWRITE})
    assert cache.get([b"a"]) == {b"a": REWRITE}
