"""Packaged networks: shapes, initialisation, and what they refuse."""

import pytest
import torch
from torch import nn

from nonmember.errors import ModelError
from nonmember.models.nets import NETS, cnn, mlp, resnet


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_every_net_maps_images_to_a_finite_logit_of_every_class(
    name: str, shape: tuple[int, ...]
) -> None:
    logits = NETS[name](shape, 7)(torch.rand(5, *shape))
    assert logits.shape == (5, 7)
    assert logits.isfinite().all()


@pytest.mark.parametrize("name", NETS)
def test_no_net_has_batch_norm_or_buffers(name: str) -> None:
    net = NETS[name]((1, 8, 8), 3)
    assert not [*net.buffers()]
    assert not any(isinstance(one, nn.modules.batchnorm._NormBase) for one in net.modules())


def test_the_mlp_is_that_of_the_specification() -> None:
    torch.manual_seed(0)
    layers = [layer for layer in mlp((64,), 10).modules() if isinstance(layer, nn.Linear)]
    assert [layer.weight.shape for layer in layers] == [(128, 64), (128, 128), (10, 128)]
    assert all(not layer.bias.any() for layer in layers)
    for layer in layers[:2]:
        assert float(layer.weight.detach().var()) == pytest.approx(2 / layer.in_features, rel=0.1)


def test_options_change_the_size() -> None:
    def size(net: nn.Module) -> int:
        return sum(weight.numel() for weight in net.parameters())

    assert size(mlp((64,), 10, width=32)) < size(mlp((64,), 10)) < size(mlp((64,), 10, depth=3))
    assert size(cnn((1, 8, 8), 10, width=8)) < size(cnn((1, 8, 8), 10))
    assert size(resnet((3, 8, 8), 10)) < size(resnet((3, 8, 8), 10, blocks=2))


@pytest.mark.parametrize("make", [cnn, resnet])
@pytest.mark.parametrize("shape", [(64,), (1, 3, 8), (8, 8)])
def test_what_is_no_image_is_refused(make, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"give images .* or take mlp"):
        make(shape, 10)
