"""Children of networks: a new head, frozen what stays, and adapters merged before asking."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from nonmember.errors import ModelError, SpecError
from nonmember.models import transfer
from nonmember.models.architecture import architecture_of
from nonmember.models.nets import cnn, mlp, resnet
from nonmember.models.transfer import Transfer, child_of, headed, prepared
from nonmember.training.fleet import fresh

CLASSES = 3
MAKES: dict[str, Callable[[], nn.Module]] = {
    "mlp": partial(mlp, (1, 8, 8), 5, width=8),
    "cnn": partial(cnn, (1, 8, 8), 5, width=4),
    "resnet": partial(resnet, (1, 8, 8), 5, width=4),
    "linear": partial(nn.Linear, 8, 5),
}
LORA = Transfer("lora", rank=2)


def normalised() -> nn.Module:
    return nn.Sequential(
        *(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU()),
        *(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)),
    )


def child(name: str, how: Transfer) -> nn.Module:
    return fresh(partial(prepared, partial(headed, MAKES[name], CLASSES), how), 1)


def trained(network: nn.Module) -> set[str]:
    return {name for name, one in network.named_parameters() if one.requires_grad}


@pytest.mark.parametrize("name", MAKES)
def test_a_child_has_a_new_linear_head_and_its_parents_weights_below(name: str) -> None:
    parent, made = fresh(MAKES[name], 0), child(name, Transfer("full"))
    state, head = transfer.begun(made, parent.state_dict()), transfer.head_of(made)
    for key, value in parent.state_dict().items():
        if key.rpartition(".")[0] == head:
            assert len(state[key]) == CLASSES
        else:
            assert torch.equal(state[key], value)


def test_each_kind_trains_what_it_says() -> None:
    layers = ["1", "3", "5"]
    for how, count in ((Transfer(), 1), (Transfer("last_k", k=2), 2), (Transfer("full"), 3)):
        expected = {f"{layer}.{part}" for layer in layers[-count:] for part in ("weight", "bias")}
        assert trained(child("mlp", how)) == expected
    assert trained(child("mlp", Transfer("last_k", k=1))) == {"5.weight", "5.bias"}
    factors = {f"{layer}.{part}.weight" for layer in ("1", "3") for part in ("up", "down")}
    assert trained(child("mlp", LORA)) == factors | {"5.weight", "5.bias"}


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet"])
def test_adapters_change_nothing_at_first_and_are_merged_exactly(name: str) -> None:
    parent, inputs = fresh(MAKES[name], 0).eval(), torch.rand(4, 1, 8, 8)
    network = child(name, LORA)
    network.load_state_dict(transfer.begun(network, parent.state_dict()))
    plain = headed(MAKES[name], CLASSES).eval()
    plain.load_state_dict(transfer.merged(child(name, LORA), network.state_dict()))
    torch.testing.assert_close(network(inputs), plain(inputs))
    for one in network.modules():
        if isinstance(one, transfer.LowRank):
            assert one.down.weight.std() > 0 and not one.up.weight.any()
            nn.init.normal_(one.up.weight)
    state = transfer.merged(child(name, LORA), network.state_dict())
    plain.load_state_dict(state)
    assert state.keys() == parent.state_dict().keys()
    torch.testing.assert_close(network(inputs), plain(inputs), rtol=1e-4, atol=1e-4)


def test_grouped_convolutions_get_no_adapter() -> None:
    def make() -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")),
            *(nn.Flatten(), nn.Linear(16, 5)),
        )

    found = prepared(partial(headed, make, CLASSES), LORA)
    assert [type(one).__name__ for one in found] == ["Conv2d", "LowRank", "Flatten", "Linear"]
    assert found[1].down.padding_mode == "reflect"
    assert found(torch.rand(2, 4, 4, 4)).shape == (2, CLASSES)


def test_what_is_frozen_is_in_evaluation_mode() -> None:
    make = partial(headed, normalised, CLASSES)
    modes = [one.training for one in fresh(partial(prepared, make, Transfer()), 0)]
    assert modes == [False] * 8 + [True]
    modes = [one.training for one in fresh(partial(prepared, make, Transfer("last_k", k=3)), 0)]
    assert modes == [False] * 5 + [True] * 4
    full = partial(prepared, make, Transfer("full"))
    assert all(one.training for one in fresh(full, 0))
    private = fresh(partial(prepared, make, Transfer("full"), private=True), 0)
    assert [i for i, one in enumerate(private) if not one.training and [*one.parameters()]] == [
        3,
        6,
    ]
    assert all(one.training for one in fresh(normalised, 0))


class Tokens(nn.Module):
    """With a weight of its own beside those of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.body, self.head = (
            nn.TransformerEncoderLayer(8, 2, 8, batch_first=True),
            nn.Linear(8, 5),
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        shown = torch.cat([self.token.expand(len(inputs), 1, 8), inputs.flatten(1, -2)], 1)
        return self.head(self.body(shown)[:, 0])


def test_freezing_a_part_leaves_the_parts_within_it() -> None:
    make = partial(headed, Tokens, CLASSES)

    def of(how: Transfer) -> set[str]:
        return trained(fresh(partial(prepared, make, how), 0))

    assert of(Transfer()) == {"head.weight", "head.bias"}
    five, six, seven = (of(Transfer("last_k", k=k)) for k in (5, 6, 7))
    assert six - five == {f"body.self_attn.out_proj.{part}" for part in ("weight", "bias")}
    assert seven - six == {f"body.self_attn.in_proj_{part}" for part in ("weight", "bias")}
    assert of(Transfer("full")) - seven == {"token"}


@pytest.mark.parametrize("how", [Transfer(), Transfer("last_k", k=6), LORA])
def test_a_network_with_a_class_token_can_be_trained(how: Transfer) -> None:
    network = fresh(partial(prepared, partial(headed, Tokens, CLASSES), how), 0)
    network(torch.rand(4, 1, 8, 8)).square().sum().backward()
    moved = {name for name, one in network.named_parameters() if one.grad is not None}
    assert moved == trained(network) and network.head.weight.grad.any()


def test_what_would_train_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="every weight is frozen, and head would train nothing"):
        prepared(lambda: nn.Linear(8, 5).requires_grad_(False), Transfer())


def test_beside_adapters_everything_is_in_evaluation_mode_but_the_head() -> None:
    def make() -> nn.Module:
        still = nn.BatchNorm1d(8, affine=False)
        return nn.Sequential(
            *normalised()[:6], still, *normalised()[7:8], nn.Dropout(), nn.Linear(8, 5)
        )

    network = fresh(partial(prepared, partial(headed, make, CLASSES), LORA), 0)
    assert [i for i, one in enumerate(network) if one.training] == [2, 5, 9]
    network(torch.rand(4, 1, 8, 8))
    assert not network[6].running_mean.any() and network[6].num_batches_tracked == 0


def test_the_architecture_of_children_is_known_by_content() -> None:
    parent = architecture_of("mlp", (64,), 10)
    made = child_of(parent, 5)
    assert made.digest == child_of(parent, 5).digest and made.classes == 5
    others = [child_of(parent, 4), child_of(architecture_of("mlp", (64,), 10, {"depth": 1}), 5)]
    assert len({parent.digest, made.digest, *(one.digest for one in others)}) == 4
    assert made.size == sum(one.numel() for one in made.make().parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "last_k"},
        {"kind": "last_k", "k": 0},
        {"kind": "head", "k": 1},
        {"kind": "lora"},
        {"kind": "full", "rank": 4},
        {"kind": "lora", "rank": 4, "k": 2},
    ],
)
def test_settings_that_are_missing_or_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=r"transfer: .*(give|leave)"):
        Transfer(**wrong)  # type: ignore[arg-type]


def test_what_cannot_be_transferred_is_refused() -> None:
    with pytest.raises(SpecError, match=r"k = 4, and the network has 3 layers .* smaller k"):
        child("mlp", Transfer("last_k", k=4))
    with pytest.raises(ModelError, match="no linear layer and no convolution"):
        child("linear", LORA)
    with pytest.raises(ModelError, match="last layer with weights is BatchNorm1d"):
        headed(lambda: nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), 2)
    with pytest.raises(ModelError, match=r"the parent has no 1.weight of shape \(8, 64\)"):
        transfer.begun(child("mlp", LORA), {})
    with pytest.raises(SpecError, match="an estimator cannot be fine-tuned"):
        child_of(architecture_of(LogisticRegression(), (4,), 2), 2)
    with pytest.raises(SpecError, match="a task of 1 classes"):
        child_of(architecture_of("mlp", (4,), 2), 1)
