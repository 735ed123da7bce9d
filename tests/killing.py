"""Kills a worker in the middle of its job, and holds two stores against each other."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import numpy as np

from nonmember.signals.store import Store

MOMENT = 0.005  # seconds between two looks for somebody who writes


def writers(store: Store) -> list[int]:
    """The processes that have begun to write an output and have not ended it."""
    parts = store.root.glob("??/.*") if store.root.is_dir() else ()
    return [int(part.name.split("-")[-2]) for part in parts]


@contextmanager
def killing(store: Store) -> Iterator[list[int]]:
    """Kill the first other process that writes into a store, once; the list names it then."""
    killed: list[int] = []
    over = Event()

    def look() -> None:
        while not killed and not over.wait(MOMENT):
            with suppress(OSError):  # a folder that has just been renamed
                for process in set(writers(store)) - {os.getpid()}:
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)
                    break

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def compare(one: Path, other: Path) -> int:
    """Hold every array of one store against the other's, bit by bit; returns how many."""
    files = sorted(file.relative_to(one) for file in one.glob("??/*/*.npy"))
    assert files == sorted(file.relative_to(other) for file in other.glob("??/*/*.npy"))
    for file in files:
        np.testing.assert_array_equal(np.load(one / file), np.load(other / file))
    return len(files)
