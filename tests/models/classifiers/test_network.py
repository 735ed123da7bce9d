"""Torch networks in memory and from factories: asked as they are, and left as they were."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from models.classifiers import nets
from safetensors.torch import save_file, save_model
from torch import nn

from nonmember.data.examples import of as examples_of
from nonmember.errors import DataError, ModelError
from nonmember.models.batches import ROWS
from nonmember.models.classifiers import find, identity, load, of
from nonmember.models.protocols import Classifier


def asked(network: nn.Module) -> np.ndarray:
    examples = nets.rows()
    return load(of(network), "cpu", examples).logits(examples.inputs)


def by_hand(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(inputs).float()).numpy()


def test_logits_are_the_networks_own_in_evaluation_mode() -> None:
    network = nets.seeded(nets.plain())
    examples = nets.rows(ROWS + 3)
    loaded = load(of(network), "cpu", examples)
    assert isinstance(loaded, Classifier)
    assert loaded.classes == 3
    found = loaded.logits(examples.inputs)
    np.testing.assert_allclose(found, by_hand(network, examples.inputs), atol=1e-5)
    assert found.dtype == np.float32
    assert loaded.logits(examples.inputs[:0]).shape == (0, 3)


def test_a_network_is_left_as_it_was() -> None:
    network = nets.seeded(nets.plain()).train()
    network[2].eval()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    asked(network)
    assert [one.training for one in network] == [True, True, False, True]
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.int64, np.float16, bool])
def test_inputs_are_given_as_they_are_whatever_their_type(dtype: type) -> None:
    network = nets.seeded(nn.Linear(6, 2))
    inputs = np.random.default_rng(0).integers(0, 2 if dtype is bool else 255, (5, 6)).astype(dtype)
    loaded = load(of(network), "cpu", examples_of(inputs, [0] * 5))
    np.testing.assert_allclose(
        loaded.logits(inputs), by_hand(network, inputs.astype(np.float32)), rtol=1e-5, atol=1e-4
    )


def test_a_network_of_another_precision_is_asked_in_its_own() -> None:
    network = nets.seeded(nn.Linear(6, 2).double())
    assert asked_shape(network) == (12, 2)


def asked_shape(network: nn.Module) -> tuple[int, ...]:
    examples = nets.rows(classes=2)
    return load(of(network), "cpu", examples).logits(examples.inputs).shape


def test_whole_numbers_are_looked_up_where_there_are_embeddings() -> None:
    network = nets.seeded(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2)))
    inputs = np.random.default_rng(0).integers(0, 9, (5, 3))
    loaded = load(of(network), "cpu", examples_of(inputs, [0] * 5))
    assert loaded.logits(inputs).shape == (5, 2)


def test_one_logit_is_the_second_of_two_classes() -> None:
    network = nets.seeded(nn.Sequential(nn.Linear(6, 1)))
    examples = nets.rows(classes=2)
    for shape in (network, nn.Sequential(*network, nn.Flatten(0))):
        found = load(of(shape), "cpu", examples).logits(examples.inputs)
        np.testing.assert_allclose(found[:, 0], 0)
        np.testing.assert_allclose(found[:, 1:], by_hand(network, examples.inputs), atol=1e-6)


def test_a_sigmoid_at_the_end_gives_probabilities() -> None:
    bare = nets.seeded(nn.Sequential(nn.Linear(6, 1)))
    examples = nets.rows(classes=2)
    found = load(of(nn.Sequential(*bare, nn.Sigmoid())), "cpu", examples).logits(examples.inputs)
    logit = by_hand(bare, examples.inputs)[:, 0]
    np.testing.assert_allclose(found[:, 1] - found[:, 0], logit, atol=1e-3)


class Softmaxed(nn.Module):
    """Ends in a function that no layer shows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layer(rows).softmax(1)


def test_answers_that_sum_to_one_are_probabilities_whoever_gave_them() -> None:
    network = nets.seeded(Softmaxed())
    logits = by_hand(network.layer, nets.rows().inputs)
    expected = logits - np.log(np.exp(logits.astype(float)).sum(1, keepdims=True))
    np.testing.assert_allclose(asked(network), expected, rtol=1e-4, atol=1e-5)


class Gives(nn.Module):
    """Answers what it is told to."""

    def __init__(self, answer: Callable[[int], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, rows: torch.Tensor) -> object:
        return self.answer(len(rows))


def holed(count: int) -> torch.Tensor:
    answer = torch.ones(count, 3)
    answer[min(4, count - 1), 1] = float("inf")
    return answer


REFUSED: dict[str, tuple[Callable[[int], object], str]] = {
    "three axes": (lambda n: torch.ones(n, 2, 2), r"float32 in shape \(12, 2, 2\) for 12 inputs"),
    "fewer rows": (lambda n: torch.ones(n - 1, 2), r"in shape \(11, 2\) for 12 inputs"),
    "no class": (lambda n: torch.ones(n, 0), "no class at all"),
    "infinity": (holed, "logits for input 5 hold inf"),
    "minus infinity": (lambda n: -holed(n), "logits for input 5 hold -inf"),
    "not a number": (lambda n: torch.full((n, 2), float("nan")), "input 1 hold nan"),
    "words": (lambda n: "cat", "gives str; let it give a tensor"),
    "hard labels": (lambda n: torch.ones(n, 3, dtype=torch.int64), "gives Tensor; let it give"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_answers_that_are_no_logits_are_refused(case: str) -> None:
    answer, message = REFUSED[case]
    with pytest.raises(ModelError, match=message):
        asked(Gives(answer))


def test_one_output_between_0_and_1_is_refused_as_it_may_be_either() -> None:
    examples = nets.rows(40, classes=2)
    with pytest.raises(ModelError, match="may be a logit or a probability"):
        load(of(Gives(lambda n: torch.full((n, 1), 0.25))), "cpu", examples)


def test_probabilities_that_miss_one_are_refused_with_the_row_and_the_sum() -> None:
    network = nn.Sequential(nets.seeded(nn.Linear(6, 3)), nn.Sigmoid())
    with pytest.raises(ModelError, match=r"probabilities for input 1 sum to \d"):
        asked(network)


def test_a_number_of_classes_that_changes_is_refused() -> None:
    loaded = load(of(Gives(lambda n: -torch.ones(n, 2 + (n < 12)))), "cpu", nets.rows(classes=2))
    with pytest.raises(ModelError, match="gives 3 classes now and gave 2 before"):
        loaded.logits(nets.rows(3).inputs)


def test_inputs_that_the_network_cannot_take_are_refused_with_both_shapes() -> None:
    wrong = nets.rows(features=5)
    with pytest.raises(ModelError, match=r"shape \(5,\); it takes shape \(6,\)"):
        load(of(nets.plain()), "cpu", wrong)
    with pytest.raises(ModelError, match=r"shape \(5,\); it takes shape \(3, size, size\)"):
        load(of(nn.Conv2d(3, 2, 3)), "cpu", wrong)
    with pytest.raises(ModelError, match="takes arrays and is given texts"):
        load(of(nets.plain()), "cpu", examples_of(["a"], [0]))


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"example 4: its label is 3, .* knows the 3 classes 0 to 2"
    ):
        load(of(nets.plain()), "cpu", nets.rows(classes=4))
    with pytest.raises(DataError, match="no examples"):
        load(of(nets.plain()), "cpu", nets.rows(0))


def test_the_digest_is_of_weights_layers_code_and_settings() -> None:
    def digest(network: nn.Module) -> str:
        return of(network).digest

    same = digest(nets.seeded(nets.Scaled(1.0)))
    assert same == digest(nets.seeded(nets.Scaled(1.0)))
    assert same == digest(nets.seeded(nets.Scaled(1.0)).eval().requires_grad_(False))
    others = {
        digest(nets.seeded(nets.Scaled(1.0), seed=1)),
        digest(nets.seeded(nets.Scaled(2.0))),
        digest(nets.seeded(nn.Linear(6, 3))),
    }
    assert len({same, *others}) == 4


def attending(**settings: Any) -> nn.Module:
    """Of one look and of the same weights, whatever its settings."""
    layer = nn.TransformerEncoderLayer(8, **{"nhead": 1} | settings, dim_feedforward=4)
    return nets.seeded(nn.Sequential(layer, nn.Linear(8, 3)))


@pytest.mark.parametrize(
    "settings", [{"nhead": 4}, {"norm_first": True}, {"activation": "gelu"}, {"batch_first": True}]
)
def test_settings_that_torchs_layers_do_not_show_are_in_the_digest(
    settings: dict[str, Any],
) -> None:
    plain, other = attending(), attending(**settings)
    assert identity.of_network(plain) == identity.of_network(attending().eval())
    assert identity.of_network(plain) != identity.of_network(other)
    assert identity.of_network(plain, weights=False) != identity.of_network(other, weights=False)


def hooked(scale: float) -> nn.Module:
    network = nets.seeded(nn.Linear(6, 3))
    network.register_forward_hook(lambda layer, given, answer: answer * scale)
    return network


def test_hooks_are_in_the_digest_and_not_the_numbers_that_torch_gives_them() -> None:
    digests = [identity.of_network(hooked(scale)) for scale in (2.0, 2.0, 3.0)]
    assert digests[0] == digests[1] != digests[2]
    assert identity.of_network(nets.seeded(nn.Linear(6, 3))) not in digests


def test_buffers_that_no_file_of_weights_holds_are_told_by_content() -> None:
    def digest(kept: float, left_out: float) -> str:
        network = nets.seeded(nn.Linear(6, 3))
        network.register_buffer("kept", torch.tensor([kept]))
        network.register_buffer("left_out", torch.tensor([left_out]), persistent=False)
        return identity.of_network(network, weights=False)

    assert digest(1.0, 1.0) == digest(2.0, 1.0) != digest(1.0, 2.0)


def test_what_torch_made_of_a_network_is_told_by_what_it_computes() -> None:
    def digest(last: nn.Module, make: Callable[[nn.Module], nn.Module]) -> str:
        return identity.of_network(make(nets.seeded(nn.Sequential(nn.Linear(6, 3), last))))

    def scripted(network: nn.Module) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.jit.trace(network, torch.ones(2, 6))

    for make in (torch.fx.symbolic_trace, scripted):
        one = [digest(nn.ReLU(), make), digest(nn.ReLU(), make)]
        assert one[0] == one[1] != digest(nn.Tanh(), make)


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in nets.py, importable as a user's module."""
    monkeypatch.setitem(sys.modules, "their_nets", nets)


@pytest.mark.usefixtures("factories")
def test_a_factory_with_weights_answers_as_the_network_that_was_saved(tmp_path: Path) -> None:
    examples, weights = nets.rows(), tmp_path / "w.safetensors"
    for name, network in (("plain", nets.plain()), ("Tied", nets.Tied())):
        save_model(nets.seeded(network), str(weights))
        state = torch.random.get_rng_state()
        found = find(f"their_nets:{name}", weights=str(weights))
        loaded = load(found, "cpu", examples)
        assert torch.equal(state, torch.random.get_rng_state())
        assert (found.kind, found.access, found.asks) == ("factory", "weights", True)
        expected = by_hand(network, examples.inputs)
        np.testing.assert_allclose(loaded.logits(examples.inputs), expected, atol=1e-5)


@pytest.mark.usefixtures("factories")
def test_a_factorys_digest_changes_with_its_weights(tmp_path: Path) -> None:
    def digest(seed: int) -> str:
        weights = tmp_path / "w.safetensors"
        save_model(nets.seeded(nets.plain(), seed), str(weights))
        return find("their_nets:plain", weights=str(weights)).digest

    assert digest(0) == digest(0) != digest(1)


WEIGHTS: dict[str, tuple[dict[str, torch.Tensor], str]] = {
    "lacking": ({"layer.weight": torch.ones(3, 6)}, "lacks layer.bias"),
    "foreign": (
        {"layer.weight": torch.ones(3, 6), "layer.bias": torch.ones(3), "head": torch.ones(1)},
        "has head, which the network has not",
    ),
    "of another size": (
        {"layer.weight": torch.ones(3, 7), "layer.bias": torch.ones(3)},
        "size mismatch for layer.weight",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_do_not_fit_are_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, message = WEIGHTS[case]
    monkeypatch.setitem(sys.modules, "their_nets", nets)
    monkeypatch.setattr(nets, "made", lambda: nets.Scaled(1.0), raising=False)
    save_file(held, tmp_path / "w.safetensors")
    found = find("their_nets:made", weights=str(tmp_path / "w.safetensors"))
    with pytest.raises(ModelError, match=message):
        load(found, "cpu", nets.rows())


@pytest.mark.usefixtures("factories")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.module:factory", "cannot be imported"),
        ("their_nets:missing", "there is no function 'missing'"),
        ("their_nets:NUMBER", "is int and cannot be called"),
        ("their_nets:breaks", r"breaks when it is called without arguments \(no such layer\)"),
        ("their_nets:rows", "returns Examples"),
    ],
)
def test_a_factory_that_gives_no_network_is_refused(
    name: str, message: str, tmp_path: Path
) -> None:
    weights = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(1)}, weights)
    with pytest.raises(ModelError, match=message):
        find(name, weights=str(weights))


@pytest.mark.usefixtures("factories")
def test_a_factory_wants_safetensors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give its file with --weights"):
        find("their_nets:plain")
    with pytest.raises(ModelError, match="is not there"):
        find("their_nets:plain", weights=str(tmp_path / "w.safetensors"))
    torch.save(nets.plain().state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="since no file is unpickled"):
        find("their_nets:plain", weights=str(tmp_path / "w.pt"))


@pytest.mark.parametrize("ending", ["pkl", "pickle", "joblib", "bin", "pt", "pth"])
def test_pickled_models_are_refused_unopened(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(ModelError, match="runs whatever code it holds"):
        find(str(path))


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or folder; give a folder"):
        find(str(tmp_path / "nothing.npz"))
    (tmp_path / "notes.txt").write_text("a")
    with pytest.raises(ModelError, match="no form of a classifier"):
        find(str(tmp_path / "notes.txt"))
    with pytest.raises(ModelError, match="takes no weights of its own"):
        find(str(tmp_path), weights="w.safetensors")
    with pytest.raises(ModelError, match="neither a torch network nor"):
        of(object())
