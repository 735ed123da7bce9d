"""A saved fence answers as it did, to nobody without its secret, and is never half there."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from models.classifiers import nets
from safetensors.torch import save_model
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from nonmember.data.examples import of
from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import ModelError
from nonmember.models import diffusion as diffusions
from nonmember.models.classifiers import find, load
from nonmember.models.classifiers import of as source_of
from nonmember.models.diffusion import Diffusion, Regeneration
from nonmember.models.diffusion.schedule import linear
from nonmember.models.fence import saved
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.fenced import Fenced

SECRET = bytes(range(32))
HOW = Regeneration(t=80, n=4)
FACTORY = "models.classifiers.nets:plain"


class Made(NamedTuple):
    fenced: Fenced
    source: object
    diffusion: Diffusion


def inputs(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, size=(count, 6)).astype(np.float32)


def examples(count, seed=0):
    return of(inputs(count, seed), np.arange(count) % 3)


@pytest.fixture(scope="module")
def diffusion():
    network = nets.seeded(diffusions.mlp((6,), widths=(16,)))
    return diffusions.of(network, linear(), (6,), low=-1.0, high=1.0)


def network():
    return nets.seeded(nn.Sequential(nn.Linear(6, 8), nn.Dropout(), nn.Tanh(), nn.Linear(8, 3)))


def given(kind, folder):
    match kind:
        case "network":
            return source_of(network().train(), name="net")
        case "softmax":
            return source_of(nn.Sequential(network(), nn.Softmax(dim=1)), name="soft")
        case "estimator" | "skops":
            forest = RandomForestClassifier(5, random_state=0)
            names = np.array(["ash", "elm", "oak"])
            forest.fit(inputs(60), names[np.arange(60) % 3])
            if kind == "estimator":
                return source_of(forest)
            from skops import io

            io.dump(forest, folder / "m.skops")
            return find(str(folder / "m.skops"))
        case "factory":
            save_model(nets.seeded(nets.plain()), folder / "m.safetensors")
            return find(FACTORY, weights=str(folder / "m.safetensors"))
        case "exported":
            shown = (torch.zeros(4, 6),)
            sizes = ({0: torch.export.Dim("batch")},)
            program = torch.export.export(network().eval(), shown, dynamic_shapes=sizes)
            torch.export.save(program, folder / "m.pt2")
            return find(str(folder / "m.pt2"))


def fence(kind, folder, diffusion, **options):
    source = given(kind, folder)
    classifier = load(source, "cpu", examples(8))
    calibration = Calibration(examples(40, 1), examples(40, 2), examples(90, 3), SECRET)
    copies = diffusions.fresh(diffusion, HOW, SECRET)
    return Made(diffence(classifier, calibration, copies, **options), source, diffusion)


def write(made, folder):
    saved.save(made.fenced, folder, source=made.source, diffusion=made.diffusion, how=HOW)


@pytest.fixture(scope="module")
def forest(tmp_path_factory, diffusion):
    """A saved fence, to be copied and broken."""
    folder = tmp_path_factory.mktemp("forest")
    made = fence("estimator", folder, diffusion, selector="s1")
    write(made, folder / "fence")
    return folder / "fence"


@pytest.fixture
def broken(forest, tmp_path):
    return shutil.copytree(forest, tmp_path / "fence")


@pytest.mark.parametrize("selector", ["s3", "s1", "mean"])
@pytest.mark.parametrize(
    "kind", ["network", "softmax", "estimator", "skops", "factory", "exported"]
)
def test_it_answers_as_before(kind, selector, tmp_path, diffusion):
    made = fence(kind, tmp_path, diffusion, selector=selector)
    write(made, tmp_path / "fence")
    factory = FACTORY if kind == "factory" else None
    again = saved.load(tmp_path / "fence", factory=factory)
    rows = inputs(50, 9)
    for one, other in zip(again.answer(rows), made.fenced.answer(rows), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.copies.digest == made.fenced.copies.digest
    fresh, old = again.fence, made.fenced.fence
    assert (fresh.low, fresh.high, fresh.figures) == (old.low, old.high, old.figures)
    names = ("ash", "elm", "oak") if kind in ("estimator", "skops") else None
    assert saved.class_names(tmp_path / "fence") == names


def test_a_network_is_left_in_its_mode(tmp_path, diffusion):
    made = fence("network", tmp_path, diffusion)
    write(made, tmp_path / "fence")
    assert made.source.model.training


def test_the_secret_is_its_owners_alone_and_stands_in_no_other_file(forest):
    key = forest / saved.SECRET
    assert key.stat().st_mode & 0o777 == 0o600 and forest.stat().st_mode & 0o077 == 0
    assert key.read_text() == f"{SECRET.hex()}\n"
    assert saved.SECRET in (forest / ".gitignore").read_text()
    for path in forest.rglob("*"):
        if path.is_file() and path != key:
            assert (
                SECRET not in path.read_bytes() and SECRET.hex().encode() not in path.read_bytes()
            )


def test_without_its_secret_it_says_where_to_put_it(broken):
    (broken / saved.SECRET).unlink()
    with pytest.raises(ModelError, match=rf"put the file {saved.SECRET} that was saved with it"):
        saved.load(broken)
    rows = inputs(5)
    whole = saved.load(broken, secret=SECRET).logits(rows)
    (broken / saved.SECRET).write_text(SECRET.hex())
    np.testing.assert_array_equal(saved.load(broken).logits(rows), whole)


@pytest.mark.parametrize(
    ("content", "said"), [("00" * 32, "another secret"), ("never", "no hexadecimal digits")]
)
def test_another_secret_is_refused(broken, content, said):
    (broken / saved.SECRET).write_text(content)
    with pytest.raises(ModelError, match=said):
        saved.load(broken)


@pytest.mark.parametrize("name", ["donors.npy", "classifier.skops", "diffusion/nonmember.json"])
def test_what_has_changed_or_is_missing_is_named(broken, name):
    (broken / name).write_bytes(b"other")
    with pytest.raises(ModelError, match=f"{name}: has changed since it was saved"):
        saved.load(broken)
    (broken / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: is missing"):
        saved.load(broken)


def change(folder, **entries):
    path = folder / saved.ABOUT
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"format": 2}, r"fence.json: cannot be read"),
        ({"selector": "s9"}, r"fence.json: cannot be read"),
        ({"regeneration": {"t": 0}}, r"fence.json: cannot be read"),
        ({"copies": "others"}, "has changed since it was saved"),
    ],
)
def test_a_description_that_is_amiss_is_refused(broken, entries, said):
    change(broken, **entries)
    with pytest.raises(ModelError, match=said):
        saved.load(broken)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no fence\.json"):
        saved.load(tmp_path)


def test_code_is_not_run_because_a_file_names_it(tmp_path, diffusion):
    made = fence("factory", tmp_path, diffusion)
    write(made, tmp_path / "fence")
    with pytest.raises(ModelError, match=f"give factory='{FACTORY}' if you trust it"):
        saved.load(tmp_path / "fence")


def test_a_folder_that_is_there_is_left_alone(broken, tmp_path, diffusion):
    made = fence("estimator", tmp_path, diffusion)
    before = sorted(broken.rglob("*"))
    with pytest.raises(ModelError, match="is there already"):
        write(made, broken)
    assert sorted(broken.rglob("*")) == before


def test_a_fence_around_something_else_is_refused(tmp_path, diffusion):
    made = fence("estimator", tmp_path, diffusion)
    with pytest.raises(ModelError, match="the fence is not around net as it was loaded"):
        write(made._replace(source=given("network", tmp_path)), tmp_path / "fence")
    other = Regeneration(t=81, n=4)
    with pytest.raises(ModelError, match="other copies than this diffusion model"):
        saved.save(
            made.fenced, tmp_path / "fence", source=made.source, diffusion=diffusion, how=other
        )
    assert not (tmp_path / "fence").exists()


class Branching(nn.Module):
    """Cannot be traced: what it does depends on what it sees."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, rows):
        found = self.layer(rows)
        return found if float(found.sum()) > 0 else -found


def test_a_network_that_cannot_be_exported_is_refused_and_leaves_nothing(tmp_path, diffusion):
    source = source_of(nets.seeded(Branching()), name="net")
    classifier = load(source, "cpu", examples(8))
    calibration = Calibration(examples(9), examples(9), examples(90, 3), SECRET)
    made = diffence(classifier, calibration, diffusions.fresh(diffusion, HOW, SECRET))
    with pytest.raises(ModelError, match=r"^net: cannot be exported .* package.module:factory"):
        write(Made(made, source, diffusion), tmp_path / "fence")
    assert not [*tmp_path.iterdir()]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
from models.diffusion.small import gaussian
from nonmember.models.classifiers.answers import Target
from nonmember.models.classifiers.source import ClassifierSource
from nonmember.models.diffusion import Regeneration, fresh
from nonmember.models.fence import saved
from nonmember.models.fence.fenced import Fence, Fenced

folder, model, how, secret = Path({folder!r}), gaussian((6,)), Regeneration(), bytes(32)
(folder / "m.pt2").write_bytes(b"a program")
source = ClassifierSource("m", "exported", "0", "weights", path=folder / "m.pt2")
donors = np.eye(3, dtype=np.float32)
fence = Fence("s3", "donor", -np.inf, np.inf, donors, 1.0)
made = Fenced(Target("m", None, "logits", 3), fresh(model, how, secret), fence, secret)
saved.diffusions.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
saved.save(made, folder / "fence", source=source, diffusion=model, how=how)
"""


def test_killed_in_the_middle_it_leaves_nothing_half(tmp_path, diffusion):
    code = KILLED.format(tests=str(Path(__file__).parents[2]), folder=str(tmp_path))
    calm = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=calm, check=False)
    assert done.returncode == -signal.SIGKILL
    (tmp_path / "m.pt2").unlink()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".fence-") and (left / "classifier.pt2").exists()
    assert not (left / saved.SECRET).exists()
    write(fence("estimator", tmp_path, diffusion), tmp_path / "fence")
    assert [one.name for one in tmp_path.iterdir()] == ["fence"]
    assert saved.load(tmp_path / "fence").logits(inputs(3)).shape == (3, 3)
