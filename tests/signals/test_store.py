"""The store: whole or absent, private, and never a pickle."""

import os
import pickle
import stat
import subprocess
import sys

import numpy as np
import pytest

from nonmember.errors import RunError
from nonmember.signals.store import HOST, Store, note

ADDRESS = "ab12cd"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "shelf" / "store")


def everything(store):
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*"))


def test_what_was_put_is_found_again(store):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
    assert not store.has(ADDRESS)
    store.put(ADDRESS, arrays, {"seconds": 1.5})
    assert store.has(ADDRESS)
    for name, array in arrays.items():
        np.testing.assert_array_equal(store.array(ADDRESS, name), array)
    assert store.provenance(ADDRESS) == {"seconds": 1.5}
    inside = [f"ab/{ADDRESS}/{file}" for file in ("a.npy", "b.npy", "provenance.json")]
    assert everything(store) == ["ab", f"ab/{ADDRESS}", *inside]


def test_a_stored_array_cannot_be_written_to(store):
    store.put(ADDRESS, {"a": np.zeros(3)}, {})
    with pytest.raises(ValueError, match="read-only"):
        store.array(ADDRESS, "a")[0] = 1


@pytest.mark.parametrize("shape", [(3, 0), (0, 0)])
def test_an_array_of_nothing_is_an_array(store, shape):
    store.put(ADDRESS, {"a": np.zeros(shape, dtype=np.float32)}, {})
    assert store.array(ADDRESS, "a").shape == shape


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_nothing_but_work_in_progress(store, error):
    (store.scratch(ADDRESS) / "step").write_text("7")
    with pytest.raises(error), store.writing(ADDRESS) as folder:
        (folder / "half").write_text("done")
        raise error
    assert not store.has(ADDRESS)
    assert everything(store) == [
        "ab",
        "unfinished",
        f"unfinished/{ADDRESS}",
        f"unfinished/{ADDRESS}/step",
    ]
    assert (store.scratch(ADDRESS) / "step").read_text() == "7"


def test_an_array_of_objects_is_refused_and_leaves_nothing(store):
    with pytest.raises(ValueError, match="allow_pickle"):
        store.put(ADDRESS, {"a": np.zeros(2), "b": np.array([{}, "x"], dtype=object)}, {})
    assert everything(store) == ["ab"]


def test_nothing_is_there_until_all_is_written(store):
    with store.writing(ADDRESS) as folder:
        note(folder, {})
        assert not store.has(ADDRESS)
    assert store.has(ADDRESS)


def test_success_removes_its_own_work_in_progress_only(store):
    for address in (ADDRESS, "ab99"):
        (store.scratch(address) / "step").write_text("7")
    store.put(ADDRESS, {}, {})
    assert not (store.root / "unfinished" / ADDRESS).exists()
    assert (store.scratch("ab99") / "step").read_text() == "7"


def test_the_second_writer_of_an_address_loses_quietly(store):
    with store.writing(ADDRESS) as slow:
        (slow / "who").write_text("slow")
        with store.writing(ADDRESS) as fast:
            assert fast != slow
            (fast / "who").write_text("fast")
        assert (store.folder(ADDRESS) / "who").read_text() == "fast"
    assert (store.folder(ADDRESS) / "who").read_text() == "fast"
    assert everything(store) == ["ab", f"ab/{ADDRESS}", f"ab/{ADDRESS}/who"]


def test_an_address_that_is_no_folder_is_no_quiet_loss(store):
    with pytest.raises(OSError), store.writing(ADDRESS) as folder:
        store.folder(ADDRESS).write_text("in the way")
        note(folder, {})
    assert everything(store) == ["ab", f"ab/{ADDRESS}"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-8])


def beheaded(path):
    path.write_bytes(path.read_bytes()[:20])


def emptied(path):
    path.write_bytes(b"")


def scrambled(path):
    """A header whose brackets no longer match, which numpy reports in a way of its own."""
    path.write_bytes(path.read_bytes().replace(b"'shape': (", b"'shape': ((", 1))


def of_objects(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def pickled(path):
    path.write_bytes(pickle.dumps([1.0]))


@pytest.mark.parametrize(
    "damage",
    [truncated, beheaded, emptied, scrambled, of_objects, pickled, os.remove],
    ids=lambda f: f.__name__,
)
def test_a_damaged_array_is_named_with_its_remedy(store, damage):
    store.put(ADDRESS, {"a": np.arange(40.0)}, {})
    folder = store.folder(ADDRESS)
    damage(folder / "a.npy")
    with pytest.raises(RunError) as caught:
        store.array(ADDRESS, "a")
    assert str(caught.value).startswith(f"{folder / 'a.npy'}: damaged or missing (")
    assert str(caught.value).endswith(f"; delete the folder {folder} and run again")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_damaged_provenance_is_named_with_its_remedy(store, content):
    store.put(ADDRESS, {}, {})
    path = store.folder(ADDRESS) / "provenance.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=f"{path}: damaged or missing .* delete the folder"):
        store.provenance(ADDRESS)


def test_only_the_owner_can_look_in(store):
    before = os.umask(0)
    try:
        store.put(ADDRESS, {"a": np.zeros(2)}, {})
        store.scratch("cd34")
    finally:
        os.umask(before)
    folders = [store.root, *(path for path in store.root.rglob("*") if path.is_dir())]
    modes = {
        str(path.relative_to(store.root)): stat.S_IMODE(path.stat().st_mode) for path in folders
    }
    assert modes == dict.fromkeys(
        [".", "ab", f"ab/{ADDRESS}", "unfinished", "unfinished/cd34"], 0o700
    )


def test_what_a_killed_process_left_half_written_is_swept(store):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, alive = (
        store.root / "ab" / f".{ADDRESS}-{HOST}-{process}-x" for process in (child.pid, os.getpid())
    )
    for folder in (dead, alive):
        folder.mkdir(parents=True)
    store.put(ADDRESS, {}, {})
    assert not dead.exists()
    assert alive.exists()
