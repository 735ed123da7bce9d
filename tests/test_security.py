"""Nothing is unpickled, nothing is asked of a network, and no private text is told."""

import ast
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import offline
import pytest

SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
FORBIDDEN = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "cloudpickle.load", "cloudpickle.loads",
    "dill.load", "dill.loads", "joblib.load", "marshal.load", "marshal.loads", "shelve.open",
    "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "eval", "exec",
}  # fmt: skip
MESSAGES = {
    "audit/engines/cluster.py": {"pickle.loads"},
    "audit/engines/work.py": {"pickle.loads"},
}
"""Of the engine's own processes, which are no files."""


def called(node: ast.expr) -> str:
    """A function's name as it is written, dots and all."""
    if isinstance(node, ast.Attribute):
        return f"{called(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    return ((called(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def given(call: ast.Call, name: str) -> object:
    """What a call gives for a keyword, if that is written out."""
    for keyword in call.keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return keyword.value.value
    return None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_file_is_unpickled_and_no_text_is_run(path: Path) -> None:
    place = path.relative_to(SOURCES[0].parents[0]).as_posix()
    allowed = MESSAGES.get(place, set())
    for name, call in calls(ast.parse(path.read_text(encoding="utf-8"))):
        assert name not in FORBIDDEN - allowed, f"{place}:{call.lineno}"
        if name in ("np.load", "numpy.load", "np.save"):
            assert given(call, "allow_pickle") is False, f"{place}:{call.lineno}"
        if name == "torch.load":
            assert given(call, "weights_only") is True, f"{place}:{call.lineno}"


def test_the_search_would_find_it() -> None:
    found = dict(calls(ast.parse("import pickle\npickle.load(open('x', 'rb'))\nnp.load('y')")))
    assert "pickle.load" in FORBIDDEN & found.keys()
    assert given(found["np.load"], "allow_pickle") is None


class Hostile:
    """Unpickled, it makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def sides(tmp_path: Path) -> list[str]:
    """The flags of an audit but for the model."""
    rng = np.random.default_rng(0)
    for name in ("members", "non-members"):
        x, y = rng.uniform(size=(100, 4)).astype(np.float32), rng.integers(0, 3, 100)
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    files = ((name, tmp_path / f"{name}.npz") for name in ("members", "non-members"))
    folders = [("output", tmp_path / "run"), ("store", tmp_path / "store")]
    return [str(word) for name, path in (*files, *folders) for word in (f"--{name}", path)]


@pytest.mark.parametrize("name", ["m.pkl", "m.pt", "m.skops", "m.pt2", "m.npz", "m.npy", "m.bin"])
def test_a_hostile_file_does_nothing(
    name: str, sides: list[str], say: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    (tmp_path / name).write_bytes(pickle.dumps(Hostile(mark)))
    status, _, told = say("audit", "classifier", "--model", tmp_path / name, *sides)
    assert status == 2 and told.startswith("error: ") and name in told
    assert not mark.exists() and not (tmp_path / "run").exists()


def test_an_array_of_hostile_objects_does_nothing(
    sides: list[str], say: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    held = np.empty(1, dtype=object)
    held[0] = Hostile(tmp_path / "mark")
    np.savez(tmp_path / "members.npz", x=held, y=np.zeros(1, dtype=int))
    status, _, told = say("audit", "classifier", "--model", tmp_path / "m.skops", *sides)
    assert status == 2 and told.startswith("error: ")
    assert not (tmp_path / "mark").exists()


def test_what_is_hostile_would_do_something(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Hostile(tmp_path / "mark")))
    assert (tmp_path / "mark").is_dir()


@pytest.fixture(scope="module")
def offline_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An audit of probabilities in a process without a network, and all that it said."""
    folder = tmp_path_factory.mktemp("offline")
    rng, run = np.random.default_rng(0), folder / "run"
    for side in ("members", "others"):
        labels = rng.integers(0, 3, 120)
        sure = rng.dirichlet(np.ones(3), 120)
        np.savez(folder / f"{side}.npz", x=sure.astype(np.float32), y=labels)
    command = [sys.executable, "-c", AUDIT, str(folder), str(run)]
    done = subprocess.run(
        command, env=offline.environment(folder), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return run, done.stdout + done.stderr


AUDIT = """
import sys
from pathlib import Path
import numpy as np
from sklearn.ensemble import RandomForestClassifier
import nonmember as nm
folder = Path(sys.argv[1])
sides = [np.load(folder / f"{name}.npz", allow_pickle=False) for name in ("members", "others")]
(x, y), (u, v) = ((side["x"], side["y"]) for side in sides)
model = RandomForestClassifier(10, random_state=0).fit(x, y)
settings = {"evaluation": {"fpr": [0.1], "resamples": 200}}
nm.audit_classifier(model, (x, y), (u, v), sys.argv[2], settings=settings, store=folder / "store")
"""


def test_an_audit_asks_nothing_of_a_network(offline_run: tuple[Path, str]) -> None:
    found = json.loads((offline_run[0] / "results.json").read_text(encoding="utf-8"))
    assert found["targets"][0]["leaks"] is True


def test_the_network_is_refused_there(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import socket; socket.create_connection(('192.0.2.1', 9), 1)"],
        env=offline.environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1 and "a connection was asked for" in told.stderr


def test_what_is_private_is_its_owners_alone(offline_run: tuple[Path, str]) -> None:
    private = offline_run[0] / "private"
    assert private.stat().st_mode & 0o077 == 0
    assert all(one.stat().st_mode & 0o077 == 0 for one in private.rglob("*"))
    assert [*private.iterdir()]
