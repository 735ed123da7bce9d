"""Exported programs: asked as the network they came from, and never unpickled."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from models.classifiers import nets
from torch import Tensor, nn
from torch.export import Dim, export, save

from nonmember.data.examples import of as examples_of
from nonmember.errors import ModelError
from nonmember.models.classifiers import find, load

Change = Callable[[Any], None]


def exported(
    path: Path, network: nn.Module, shape: tuple[int, ...], *, fixed: bool = False
) -> Path:
    sizes = None if fixed else ({0: Dim("batch")},)
    save(export(network.eval(), (torch.zeros(4, *shape),), dynamic_shapes=sizes), path)
    return path


@pytest.fixture(scope="module")
def convolutional() -> nn.Module:
    layers = (nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GELU(approximate="tanh"), nn.MaxPool2d(2))
    return nets.seeded(nn.Sequential(*layers, nn.Flatten(), nn.Dropout(), nn.Linear(18, 3))).eval()


@pytest.fixture(scope="module")
def program(convolutional: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("pt2") / "m.pt2", convolutional, (1, 8, 8))


def images(count: int = 9) -> Any:
    inputs = np.random.default_rng(0).normal(size=(count, 1, 8, 8))
    return examples_of(inputs, [place % 3 for place in range(count)])


@pytest.mark.parametrize("fixed", [False, True])
def test_a_program_answers_as_its_network_did(
    convolutional: nn.Module, tmp_path: Path, fixed: bool
) -> None:
    path = exported(tmp_path / "m.pt2", convolutional, (1, 8, 8), fixed=fixed)
    found, examples = find(str(path)), images()
    answers = load(found, "cpu", examples).logits(examples.inputs)
    with torch.no_grad():
        expected = convolutional(torch.from_numpy(examples.inputs).float()).numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    assert (found.kind, found.access, found.asks) == ("exported", "weights", True)


class Attending(nn.Module):
    """Sizes that are computed from the input's, and a part without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.head = nn.Linear(6, 2)

    def forward(self, rows: Tensor) -> Tensor:
        with torch.no_grad():
            shown = rows.reshape(rows.shape[0], -1, 6)
        return self.head(torch.einsum("btd->bd", self.layer(shown))).softmax(1)


def test_a_transformer_is_read_too(tmp_path: Path) -> None:
    network = Attending().eval()
    path = exported(tmp_path / "m.pt2", network, (12,))
    examples = nets.rows(features=12, classes=2)
    answers = load(find(str(path)), "cpu", examples).logits(examples.inputs)
    with torch.no_grad():
        expected = network(torch.from_numpy(examples.inputs)).log().numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_inputs_of_another_shape_are_refused_with_both(program: Path) -> None:
    with pytest.raises(ModelError, match=r"in shape \(6,\) and takes shape \(1, 8, 8\)"):
        load(find(str(program)), "cpu", nets.rows())
    with pytest.raises(ModelError, match="is given inputs in texts"):
        load(find(str(program)), "cpu", examples_of(["a"], [0]))


class Two(nn.Module):
    """Takes two inputs."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


def test_a_program_of_two_inputs_is_refused(tmp_path: Path) -> None:
    save(export(Two(), (torch.zeros(2, 3), torch.zeros(2, 3))), tmp_path / "m.pt2")
    with pytest.raises(ModelError, match="takes 2 inputs"):
        load(find(str(tmp_path / "m.pt2")), "cpu", nets.rows())


class Mark:
    """Unpickled, it leaves a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.place,)


def altered(program: Path, place: Path, changes: dict[str, Change | bytes]) -> Path:
    """A copy with some members changed, as JSON or whole."""
    with ZipFile(program) as old, ZipFile(place, "w") as new:
        for name in old.namelist():
            content, change = old.read(name), changes.get(name.partition("/")[2])
            if isinstance(change, bytes):
                content = change
            elif change is not None:
                held = json.loads(content)
                change(held)
                content = json.dumps(held).encode()
            new.writestr(name, content)
    return place


def test_the_sample_inputs_are_never_unpickled(program: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    content = pickle.dumps(Mark(mark))
    path = altered(program, tmp_path / "m.pt2", {"data/sample_inputs/model.pt": content})
    assert load(find(str(path)), "cpu", images()).classes == 3
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists(), "it would have left its mark"


def node(held: Any) -> Any:
    return held["graph_module"]["graph"]["nodes"][0]


def size(held: Any) -> Any:
    return held["graph_module"]["graph"]["tensor_values"]["linear"]["sizes"][0]["as_expr"]


def spec(held: Any) -> Any:
    return held["graph_module"]["module_call_graph"][0]["signature"]


def pickles(held: Any) -> None:
    next(iter(held["config"].values()))["use_pickle"] = True


ENUM = '[1, {"type": null, "context": "{\\"__enum__\\": 1, \\"fqn\\": \\"this:A\\"}", '
FACTORY = '[1, {"type": "collections.defaultdict", "context": "{}", "children_spec": []}]'
HARMFUL: dict[str, Change] = {
    "an operator of Python's": lambda held: node(held).update(target="torch.os.system"),
    "an operator that reads files": lambda held: node(held).update(
        target="torch.ops.aten.from_file.default"
    ),
    "a size that is code": lambda held: size(held).update(expr_str="__import__('os').getpid()"),
    "a size with an attribute": lambda held: size(held).update(expr_str="Symbol.__class__"),
    "a size with another call": lambda held: size(held).update(expr_str="eval('1')"),
    "a name that is code": lambda held: node(held).update(name="x; import os"),
    "an argument that is code": lambda held: spec(held).update(forward_arg_names=["x=print(1)"]),
    "an enumeration": lambda held: spec(held).update(out_spec=ENUM + '"children_spec": []}]'),
    "a default": lambda held: spec(held).update(out_spec=FACTORY),
    "an object": lambda held: node(held)["inputs"][0].update(arg={"as_operator": "torch.load"}),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_what_could_run_code_is_refused(case: str, program: Path, tmp_path: Path) -> None:
    path = altered(program, tmp_path / "m.pt2", {"models/model.json": HARMFUL[case]})
    with pytest.raises(ModelError, match="could run code when it is read"):
        load(find(str(path)), "cpu", images())


def test_pickled_weights_are_refused(program: Path, tmp_path: Path) -> None:
    config = "data/weights/model_weights_config.json"
    path = altered(program, tmp_path / "m.pt2", {config: pickles})
    with pytest.raises(ModelError, match="holds pickled weights, which could run code"):
        load(find(str(path)), "cpu", images())


def test_guards_and_metadata_are_left_out(program: Path, tmp_path: Path) -> None:
    def change(held: Any) -> None:
        held["guards_code"] = ["__import__('os').abort()"]
        node(held)["metadata"] = {"stack_trace": "x\nimport os\nos.abort()"}

    path = altered(program, tmp_path / "m.pt2", {"models/model.json": change})
    assert load(find(str(path)), "cpu", images()).classes == 3


def test_damaged_and_foreign_archives_are_refused(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    path.write_bytes(program.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"no readable torch.export program"):
        load(find(str(path)), "cpu", images())
    torch.save({"a": 1}, path)
    with pytest.raises(ModelError, match=r"has no models/model.json"):
        load(find(str(path)), "cpu", images())
    with pytest.raises(ModelError, match="cannot be loaded by PyTorch"):
        load(find(str(altered(program, path, {"models/model.json": drop}))), "cpu", images())


def drop(held: Any) -> None:
    held["graph_module"]["graph"]["tensor_values"].clear()
