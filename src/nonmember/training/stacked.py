"""m networks of one architecture as a single one: each layer with weights works for all of them.

A batch of m models is laid out one model after the other, (m b) in its first axis. Whatever has no
weights and keeps records apart runs on it as it stands; ``Linear``, ``Conv2d``, ``GroupNorm`` and
``LayerNorm`` get a forward that gives each model its own weights. What cannot be done so is
found out before training, by comparing with two networks one at a time, and told in words.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Weights = Mapping[str, Tensor]
Forward = Callable[[Tensor], Tensor]
_How = tuple[int, tuple[Any, ...]]

SMALL = 64  # pixels of an image up to which grouped convolutions beat one after the other
TOGETHER = 4  # models of a grouped convolution
CLOSE = 1e-3  # most that stacking may change an output, relative to the largest


def why_not(networks: Sequence[nn.Module], inputs: Tensor) -> str:
    """Why networks of this architecture cannot be stacked; "" if they can.

    Args:
        networks: two of them, differently initialised.
        inputs: some records of the one and as many others of the other, (2 b) ....
    """
    reason = _unsuited(networks[0])
    if reason:
        return reason
    weights = {
        name: torch.stack([dict(one.named_parameters())[name].detach() for one in networks])
        for name, _ in networks[0].named_parameters()
    }
    with torch.no_grad():
        parts = inputs.chunk(2)
        alone = torch.cat([one(part) for one, part in zip(networks, parts, strict=True)])
        together = stack(networks[0], weights)(inputs)
    worst = float((together - alone).abs().max())
    if not worst <= CLOSE * float(alone.abs().max()):
        return "it mixes the records of a batch, draws at random or uses weights outside layers"
    return ""


def stack(network: nn.Module, weights: Weights) -> Forward:
    """What maps (m b) ... inputs to (m b) c logits, each model's by its weights (m ...)."""
    copy = deepcopy(network)
    for parameter in copy.parameters():
        parameter.data = torch.full_like(parameter, float("nan"))  # found out if it is used
    for name, layer in copy.named_modules():
        own = {part: weights[f"{name}.{part}" if name else part] for part, _ in _own(layer)}
        if own:
            layer.forward = partial(LAYERS[type(layer)], layer, own["weight"], own.get("bias"))
    return copy


def _unsuited(network: nn.Module) -> str:
    for name, layer in network.named_modules():
        kind = type(layer)
        if isinstance(layer, nn.modules.batchnorm._NormBase):
            return f"{name} ({kind.__name__}) mixes the records of a batch"
        if _own(layer) and (kind not in LAYERS or getattr(layer, "weight", None) is None):
            return f"{name} ({kind.__name__}) is a layer that cannot be stacked"
        if isinstance(layer, nn.Conv2d) and (
            layer.padding_mode != "zeros" or isinstance(layer.padding, str)
        ):
            return f"{name} (Conv2d) pads otherwise than with a number of zeros"
    if len([*network.named_parameters()]) < sum(len(_own(layer)) for layer in network.modules()):
        return "two of its layers share a weight"
    if [*network.buffers()]:
        return "it keeps tensors that are no weights"
    return ""


def _own(layer: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(layer.named_parameters(recurse=False))


class _Linear(torch.autograd.Function):
    """Adds the gradient of its weights to their ``grad`` where it stands: no copy is made."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        if bias is None:
            return torch.bmm(x, weight.mT)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,), (x, weight, bias) = gradients, ctx.saved_tensors
        gradient = gradient.contiguous()
        if weight.grad is not None:
            weight.grad.baddbmm_(gradient.mT, x)
        if bias is not None and bias.grad is not None:
            bias.grad.add_(gradient.sum(1))
        return torch.bmm(gradient, weight) if ctx.needs_input_grad[0] else None, None, None


def _linear(layer: nn.Linear, weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    rows = x.reshape(len(weight), -1, layer.in_features)
    out: Tensor = _Linear.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], layer.out_features)


class _Convolution(torch.autograd.Function):
    """Of the models from ``first`` on, ``size`` of them or fewer; adds to ``grad`` as ``_Linear``.

    Written out to keep the channels of images innermost, forward and backward: pooling is an
    order of magnitude faster so.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, first: int, how: _How
    ) -> Tensor:
        own, (size, rest) = weight[first : first + how[0]], how
        ctx.own, ctx.first, ctx.how, ctx.b = len(own), first, how, len(x) // len(own)
        images = _folded(_filled(x, size * ctx.b), size)
        kernels = _filled(own, size).flatten(0, 1)
        ctx.save_for_backward(images, kernels, weight, bias)
        out = _unfolded(torch.convolution(images, kernels, None, *rest), size)[: len(x)]
        if bias is not None:
            apart = out.view(len(own), ctx.b, *out.shape[1:])
            apart += bias[first : first + size, None, :, None, None]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        (images, kernels, weight, bias), (size, rest) = ctx.saved_tensors, ctx.how
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        own = slice(ctx.first, ctx.first + ctx.own)
        if bias is not None and bias.grad is not None:
            pixels = gradient.permute(0, 2, 3, 1).reshape(ctx.own, -1, gradient.shape[1])
            bias.grad[own].add_(pixels.sum(1))
        wide = _folded(_filled(gradient, size * ctx.b), size)
        needs = [ctx.needs_input_grad[0], weight.grad is not None, False]
        to_images, to_kernels, _ = torch.ops.aten.convolution_backward(
            wide, images, kernels, None, *rest, needs
        )
        if needs[1]:
            weight.grad[own].add_(to_kernels.view(size, *weight.shape[1:])[: ctx.own])
        to_x = _unfolded(to_images, size)[: len(gradient)] if needs[0] else None
        return to_x, None, None, None, None


def _conv2d(layer: nn.Conv2d, weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """Of small images always so many models at a time: kernels round by how many there are."""
    size = TOGETHER if x.shape[2] * x.shape[3] <= SMALL else 1
    fixed = (layer.stride, layer.padding, layer.dilation, False, (0, 0), size * layer.groups)
    parts = torch.split(x, len(x) // len(weight) * size)
    found = [
        _Convolution.apply(part, weight, bias, place * size, (size, fixed))  # type: ignore[no-untyped-call]
        for place, part in enumerate(parts)
    ]
    return torch.cat(found) if len(found) > 1 else found[0]


def _folded(x: Tensor, m: int) -> Tensor:
    """The models of a batch (m b) c ... side by side, in its channels: b (m c) ...."""
    if m == 1:
        return x
    return x.view(m, -1, *x.shape[1:]).transpose(0, 1).flatten(1, 2)


def _unfolded(x: Tensor, m: int) -> Tensor:
    """One after the other again, (m b) c ..., channels innermost."""
    apart = x.view(len(x), m, -1, *x.shape[2:]).permute(1, 0, 3, 4, 2).contiguous()
    return apart.flatten(0, 1).permute(0, 3, 1, 2)


def _filled(tensor: Tensor, rows: int) -> Tensor:
    """With zeros up to so many rows."""
    if len(tensor) == rows:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), *tensor.shape[1:])])


def _group_norm(layer: nn.GroupNorm, weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    out = functional.group_norm(x, layer.num_groups, eps=layer.eps)
    return _scaled(out, weight, bias, [layer.num_channels, *[1] * (x.dim() - 2)])


def _layer_norm(layer: nn.LayerNorm, weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    shape = list(layer.normalized_shape)
    out = functional.layer_norm(x, shape, eps=layer.eps)
    return _scaled(out, weight, bias, [*[1] * (x.dim() - 1 - len(shape)), *shape])


def _scaled(x: Tensor, weight: Tensor, bias: Tensor | None, shape: list[int]) -> Tensor:
    apart = x.view(len(weight), -1, *x.shape[1:])
    scale = weight.view(len(weight), 1, *shape)
    if bias is None:
        return (apart * scale).flatten(0, 1)
    return torch.addcmul(bias.view(len(weight), 1, *shape), apart, scale).flatten(0, 1)


LAYERS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
}
