"""Diffence on the command line: from files to a page and a model that serves, and refusals."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import torch
from killing import compare
from models.classifiers.test_exported import exported
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from nonmember.audit import records
from nonmember.models import diffusion
from nonmember.models.diffusion.schedule import linear
from nonmember.models.fence.saved import SECRET, load

Say = Callable[..., tuple[int, str, str]]
Fenced = Callable[..., tuple[int, str, str]]
SIZES = {"members": 100, "non-members": 100, "public": 160}
NUMBERS, CLASSES = 16, 3
SMALL = ["--recipe", "updates=40", "--recipe", "widths=[32]", "--regenerate", "n=4"]
AT_40 = ["--regenerate", "t=40"]
ATTACKS = ["--attack", "loss", "--attack", "gap", "--fpr", 0.1]
PLAIN = [*SMALL, *AT_40, *ATTACKS]
TARGETS = ["as it is", "label alone", "fenced"]

Arrays = tuple[np.ndarray, np.ndarray]


@cache
def sides() -> Mapping[str, Arrays]:
    """Rows around three centres, some labelled at random: members, others, and public ones."""
    rng, count = np.random.default_rng(0), sum(SIZES.values())
    labels = np.arange(count) % CLASSES
    rows = rng.uniform(0.2, 0.8, (CLASSES, NUMBERS))[labels]
    rows = np.clip(rows + rng.normal(0, 0.15, rows.shape), 0, 1).astype(np.float32)
    labels = np.where(rng.random(count) < 0.2, rng.integers(0, CLASSES, count), labels)
    ends = np.cumsum([*SIZES.values()])[:-1]
    parts = zip(np.split(rows, ends), np.split(labels, ends), strict=True)
    return dict(zip(SIZES, parts, strict=True))


@cache
def forest() -> RandomForestClassifier:
    return RandomForestClassifier(10, random_state=0).fit(*sides()["members"])


@cache
def network() -> nn.Module:
    """One that has learnt the members by heart."""
    rows, labels = (torch.from_numpy(part) for part in sides()["members"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = nn.Sequential(nn.Linear(NUMBERS, 32), nn.ReLU(), nn.Linear(32, CLASSES))
    optimizer = torch.optim.Adam(made.parameters(), lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(rows), labels).backward()
        optimizer.step()
    return made.eval()


def skops_file(folder: Path) -> Path:
    skops = pytest.importorskip("skops.io")
    skops.dump(forest(), folder / "forest.skops")
    return folder / "forest.skops"


def program(folder: Path) -> Path:
    return exported(folder / "network.pt2", network(), (NUMBERS,))


def put(path: Path, arrays: Arrays) -> Path:
    np.savez(path, x=arrays[0], y=arrays[1])
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    named = {name: put(folder / f"{name}.npz", arrays) for name, arrays in sides().items()}
    return {**named, "model": skops_file(folder)}


def words_of(files: Mapping[str, Path], folder: Path) -> list[str]:
    """The command on these files; its folders are "run" and "store" below this one."""
    given = {**files, "output": folder / "run", "store": folder / "store"}
    return ["fence", *(str(word) for name, path in given.items() for word in (f"--{name}", path))]


@pytest.fixture
def fence(say: Say, files: dict[str, Path], tmp_path: Path) -> Fenced:
    """The command on all files, or on others in their place."""

    def run(*words: object, **other: Path) -> tuple[int, str, str]:
        changed = {name.replace("_", "-"): path for name, path in other.items()}
        return say(*words_of({**files, **changed}, tmp_path), *words)

    return run


def refused(answer: tuple[int, str, str], folder: Path) -> str:
    """The sentence of a refusal: status 2, one line, nothing on standard output, nothing done."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err), err
    assert not {"run", "store"} & {path.name for path in folder.iterdir()}
    return err


def figures(folder: Path) -> list[dict[str, Any]]:
    """All that a run found out about its targets but how long they take to answer."""
    found = json.loads((folder / "run" / "results.json").read_text())["targets"]
    for target in found:
        (target["guard"] or {}).pop("milliseconds", None)
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("made", "truth"),
    [
        (skops_file, lambda rows: forest().predict(rows)),
        (program, lambda rows: network()(torch.from_numpy(rows)).argmax(dim=1).numpy()),
    ],
)
def test_files_to_a_page_and_a_fenced_model(
    fence: Fenced,
    tmp_path: Path,
    made: Callable[[Path], Path],
    truth: Callable[[np.ndarray], np.ndarray],
) -> None:
    model, run = made(tmp_path), tmp_path / "run"
    status, out, _ = fence(*PLAIN, "--dry-run", model=model)
    assert status == 0 and not run.exists() and not (tmp_path / "store").exists()
    for job in ("train a diffusion model on 160 examples", "regenerate candidates at t = 40"):
        assert job in " ".join(out.split())
    assert "Not among them: the copies by which the fence is set once more" in out
    status, out, err = fence(*PLAIN, model=model)
    assert status == 0 and "jobs to do" in err and str(run / "fenced") in out
    assert [one.name for one in records.load(run).targets] == TARGETS
    page = (run / "report.html").read_text()
    assert all(name in page for name in TARGETS)
    key = (run / "fenced" / SECRET).read_text()
    assert (mode(run / "fenced"), mode(run / "fenced" / SECRET)) == (0o700, 0o600)
    others = [one for one in run.rglob("*") if one.is_file() and one.name != SECRET]
    assert not [one for one in others if key.strip().encode() in one.read_bytes()]
    with torch.no_grad():
        for rows, _ in sides().values():
            answers = load(run / "fenced").logits(rows)
            assert (answers.argmax(axis=1) == truth(rows)).all()
    before = figures(tmp_path)
    status, out, err = fence(*PLAIN, model=model)
    assert status == 0 and "jobs to do" not in err and figures(tmp_path) == before
    assert (run / "fenced" / SECRET).read_text() == key


def killed_at(words: Sequence[object], store: Path, outputs: int) -> None:
    """Run the command in a process of its own, and kill it when so many outputs are there.

    It has one thread, as the tests have: what it trains must be theirs to the last digit.
    """
    command = [sys.executable, "-m", "nonmember", *map(str, words)]
    alike = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=alike
    ) as process:
        while process.poll() is None:
            if len(finished(store)) >= outputs:
                process.kill()
                break
            time.sleep(0.002)
        told, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL, told


def finished(store: Path) -> list[str]:
    """The outputs that are whole."""
    return sorted(one.name for one in digits.work_in(store) if not one.name.startswith("."))


def drop_what_a_secret_draws(one: Path, other: Path) -> None:
    """Remove what only one of the stores has: copies, which the fence's own secret draws."""
    mine, theirs = set(finished(one)), set(finished(other))
    assert len(mine - theirs) == len(theirs - mine) > 0
    for store, own in ((one, mine - theirs), (other, theirs - mine)):
        for name in own:
            folder = store / name[:2] / name
            assert {file.name for file in folder.glob("*.npy")} <= {"codes.npy", "inputs.npy"}
            shutil.rmtree(folder)


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_figures(
    fence: Fenced, say: Say, files: dict[str, Path], tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    assert say(*words_of(files, alone), *PLAIN)[0] == 0
    words, store = [*words_of(files, tmp_path), *PLAIN], tmp_path / "store"
    killed_at(words, store, 3)
    first = finished(store)
    assert 3 <= len(first) < len(finished(alone / "store"))
    assert not (tmp_path / "run" / "results.json").exists()
    kept = {name: (store / name[:2] / name).stat().st_mtime_ns for name in first}
    status, _, err = fence(*PLAIN)
    assert status == 0 and "jobs to do" in err
    assert kept == {name: (store / name[:2] / name).stat().st_mtime_ns for name in first}
    assert figures(tmp_path) == figures(alone)
    drop_what_a_secret_draws(store, alone / "store")
    assert compare(store, alone / "store") >= 4
    answers = [
        load(one / "run" / "fenced").logits(sides()["public"][0]) for one in (tmp_path, alone)
    ]
    assert (answers[0].argmax(axis=1) == answers[1].argmax(axis=1)).all()
    assert not np.array_equal(*answers)  # each has a secret of its own


def test_references_are_of_an_architecture(fence: Fenced) -> None:
    words = [*PLAIN, "--references", 4, "--architecture", "mlp", "--attack", "lira"]
    status, out, _ = fence(*words, "--dry-run")
    assert status == 0 and "train references of as it is 1-4" in " ".join(out.split())
    assert "ask the references of fenced for class_logits" in " ".join(out.split())


def test_without_public_examples(say: Say, files: dict[str, Path], tmp_path: Path) -> None:
    fewer = {name: path for name, path in files.items() if name != "public"}
    status, out, err = say(*words_of(fewer, tmp_path), *PLAIN)
    assert (status, out) == (2, "") and "--public" in err and not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--selector", "s4"], "diffence.selector: Input should be 's3', 's1', 's2', 'mean'"),
        (["--regenerate", "t"], "--regenerate 't': not of the form NAME=VALUE"),
        (["--regenerate", "tt=3"], "--regenerate: no setting 'tt'; did you mean t"),
        (["--regenerate", "t=1001"], "t = 1001 lies beyond the schedule, which has 1000 steps"),
        (["--regenerate", "nfe=2"], "x0 takes one call and nfe = 2"),
        (["--regenerate", "low=0"], "low and high belong together"),
        (["--recipe", "update=3"], "no recipe setting 'update'; did you mean updates"),
        (["--recipe", "network=unet", "--recipe", "widths=[8]"], "unet: takes images"),
        (["--diffusion", "no"], "of a diffusion model that is trained here"),
        (["--model", "no.skops"], "no.skops: no such file or folder"),
        (["--model", "m.pkl"], "a pickled file runs whatever code it holds"),
        (["--public", "no.npz"], "no.npz: no such file"),
        (["--references", 8], "--architecture"),
        (["--references", 8, "--attack", "lira"], "--architecture"),
        (["--references", 7, "--architecture", "mlp"], "references.count"),
        (["--attack", "lirra"], "no attack 'lirra'; did you mean lira"),
        (["--population", 0.1], "data.population: 0.1 of 100 non-members are 10, and fewer"),
        (["--calibration", 0.1], "data.calibration: 0.1 of 100 members are 10, and fewer"),
    ],
)
def test_what_there_is_not_is_one_sentence(
    fence: Fenced, tmp_path: Path, words: list[object], said: str
) -> None:
    assert said in refused(fence(*PLAIN, *words), tmp_path)


def test_without_a_recipe_the_folder_of_a_diffusion_model_is_looked_for(
    fence: Fenced, tmp_path: Path
) -> None:
    said = refused(fence(*AT_40, *ATTACKS, "--diffusion", tmp_path / "gone"), tmp_path)
    assert "missing or damaged; give a folder that a diffusers pipeline was saved to" in said


@pytest.mark.parametrize(
    ("numbers", "steps", "said"),
    [(9, 1000, "(9,)"), (NUMBERS, 30, "t = 40 lies beyond the")],
)
def test_the_folder_of_a_diffusion_model_that_does_not_fit(
    fence: Fenced, tmp_path: Path, numbers: int, steps: int, said: str
) -> None:
    alphas = linear()[:steps]
    made = diffusion.mlp((numbers,), widths=(8,))
    folder = tmp_path / "diffusion"
    diffusion.save(diffusion.of(made, alphas, (numbers,), low=0.0, high=1.0), folder)
    assert said in refused(fence(*AT_40, *ATTACKS, "--diffusion", folder), tmp_path)


def texts(arrays: Arrays) -> Arrays:
    return np.array([f"text {place}" for place in range(len(arrays[0]))]), arrays[1]


PUBLIC: list[tuple[Callable[[Arrays], Arrays], str]] = [
    (lambda _given: sides()["members"], "the same input is among the members and the public"),
    (lambda _given: sides()["non-members"], "is among the non-members and the public"),
    (lambda given: (3 * given[0], given[1]), "say what their range is with diffusion.low"),
    (lambda given: (given[0][:60], given[1][:60]), "60 public examples to train a diffusion model"),
    (
        lambda given: (given[0][:, :9], given[1]),
        "inputs of float32 (9,), and the candidates are float32 (16,)",
    ),
    (lambda given: (given[0], 0 * given[1] + CLASSES), "a label is 3, and there are the 3 classes"),
    (texts, "inputs are texts; diffusion models regenerate arrays"),
]


@pytest.mark.parametrize(("change", "said"), PUBLIC)
def test_public_examples_that_cannot_be_are_one_sentence(
    fence: Fenced, tmp_path: Path, change: Callable[[Arrays], Arrays], said: str
) -> None:
    public = put(tmp_path / "p.npz", change(sides()["public"]))
    assert said in refused(fence(*PLAIN, public=public), tmp_path)


def test_members_outside_the_range_are_one_sentence(fence: Fenced, tmp_path: Path) -> None:
    rows, labels = sides()["members"]
    members = put(tmp_path / "m.npz", (np.vstack([3 * rows[:1], rows[1:]]), labels))
    said = refused(fence(*PLAIN, members=members), tmp_path)
    assert "1 of 200 inputs hold values outside 0 to 1" in said


def test_members_of_classes_that_the_model_has_not_are_one_sentence(
    fence: Fenced, tmp_path: Path
) -> None:
    rows, labels = sides()["members"]
    members = put(tmp_path / "m.npz", (rows, labels + 1))
    assert "knows the 3 classes 0 to 2" in refused(fence(*PLAIN, members=members), tmp_path)


def test_texts_on_all_sides_are_one_sentence(fence: Fenced, tmp_path: Path) -> None:
    paths = {
        name.replace("-", "_"): put(tmp_path / f"{name}.npz", texts(arrays))
        for name, arrays in sides().items()
    }
    for name in ("non_members", "public"):  # other texts than the members'
        rows = np.load(paths[name])
        put(paths[name], (np.char.add(rows["x"], name), rows["y"]))
    assert "inputs are texts" in refused(fence(*PLAIN, **paths), tmp_path)


def test_answers_alone_are_no_model_to_stand_before(fence: Fenced, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, CLASSES)).astype(np.float32)
    np.savez(tmp_path / "answers.npz", logits=rows)
    said = refused(fence(*PLAIN, model=tmp_path / "answers.npz"), tmp_path)
    assert "a file of answers, and what stands before a model asks it anew" in said


def test_a_folder_of_something_else_stays_as_it_is(fence: Fenced, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("")
    status, out, err = fence(*PLAIN)
    assert (status, out) == (2, "") and "holds something that is no run" in err
    assert [one.name for one in (tmp_path / "run").iterdir()] == ["mine"]
