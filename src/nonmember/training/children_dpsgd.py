"""One child under DP-SGD (Abadi et al. 2016, arXiv:1607.00133), whatever of it is trained.

Per-record gradients are Opacus's (Yousefpour et al. 2021, arXiv:2109.12298).
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import ModelError
from nonmember.models.classifiers.network import evaluating
from nonmember.seeds import derive
from nonmember.training import feeding, fleet
from nonmember.training.accounting import opacus, sample_rate
from nonmember.training.children_privacy import Budget, noise, updates
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fitting import learning_rate
from nonmember.training.private_head import draw

TRIED = 8  # records that show whether a network keeps them apart
CLOSE = 1e-3  # most that company may change an answer, relative to the largest
BLOCK = 128  # records whose gradients are in memory at once


def fit_private(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    recipe: ClassifierRecipe,
    budget: Budget,
    *,
    seed: int,
    watch: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """The state of a prepared child after private training of what of it is not frozen.

    Args:
        network: as ``prepared`` makes it, on the device of the records, settled.
        inputs: its own records, (n ...).
        labels: their classes, (n,).
        recipe: how it is trained.
        budget: what it keeps.
        seed: of draws, noise and what changes the inputs; whoever knows it can take the noise off.
        watch: told the updates done.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: a trained layer mixes records or is unknown to Opacus, or a weight is no
            number any more.
    """
    _hold_statistics(network)
    _check_apart(network, inputs[:TRIED].float())
    records, expected = len(labels), sample_rate(len(labels), recipe.batch_size) * len(labels)
    models = fleet.begin([network], recipe, stacked=False)
    parameters = [one for one in network.parameters() if one.requires_grad]
    changes = [feeding.feed(np.arange(records), seed)]
    steps, sigma = updates(records, recipe), noise(records, recipe, budget) * budget.clip
    with _watched(network), fleet.forked():
        for step in range(steps):
            fleet.seed_all(derive(seed, "layers", step))
            places = torch.from_numpy(draw(seed, step, records, recipe)).to(inputs.device)
            shown = inputs[places].float()
            shown = feeding.changed(shown, changes, recipe) if len(shown) else shown
            sums = clipped(network, shown, labels[places], budget.clip)
            random = torch.Generator(inputs.device).manual_seed(derive(seed, "noise", step))
            for parameter, total in zip(parameters, sums, strict=True):
                drawn = torch.randn(total.shape, generator=random, device=total.device)
                found = total.add_(drawn, alpha=sigma).div_(expected)
                parameter.grad.copy_(found)  # type: ignore[union-attr]
            models.optimiser.param_groups[0]["lr"] = learning_rate(recipe, step, steps)
            models.optimiser.step()
            if watch is not None:
                watch(1)
    if not models.flat.isfinite().all():
        raise ModelError("training: a weight is no number any more; lower the learning rate")
    return fleet.states(models)[0]


def try_out(network: nn.Module, inputs: Tensor, labels: Tensor) -> None:
    """Take a fresh child through what precedes the noise, on a few records.

    Raises:
        ModelError: a trained layer mixes records or is unknown to Opacus.
    """
    _hold_statistics(network)
    shown = inputs[:TRIED].float()
    _check_apart(network, shown)
    with fleet.forked(), _watched(network):
        clipped(network, shown, labels[:TRIED], 1.0)


def clipped(network: nn.Module, inputs: Tensor, labels: Tensor, clip: float) -> list[Tensor]:
    """The sum over records of their gradients, each clipped, for every trained weight.

    The network is watched by Opacus.
    """
    parameters = [one for one in network.parameters() if one.requires_grad]
    sums = [torch.zeros_like(one) for one in parameters]
    for start in range(0, len(labels), BLOCK):
        part = slice(start, start + BLOCK)
        loss = nn.functional.cross_entropy(network(inputs[part]), labels[part], reduction="sum")
        torch.autograd.backward(loss)
        own = [_taken(one, len(labels[part])) for one in parameters]
        norms = vector_norm(torch.stack([vector_norm(g.flatten(1), dim=1) for g in own]), dim=0)
        scale = (clip / (norms + 1e-6)).clamp(max=1.0)
        for total, gradient in zip(sums, own, strict=True):
            total.add_(torch.tensordot(scale, gradient, dims=1))
    return sums


def _taken(parameter: Any, records: int) -> Tensor:
    """The gradients that Opacus has left, a row for each record; they are taken away."""
    found, parameter.grad_sample = parameter.grad_sample, None
    if not isinstance(found, Tensor) or len(found) != records:
        raise ModelError(
            f"training: a budget needs one gradient per record of each trained weight, and one of "
            f"shape {tuple(parameter.shape)} has none; train fewer layers"
        )
    return found


def _hold_statistics(network: nn.Module) -> None:
    """Those of layers without weights too, which nothing else freezes: no noise protects them."""
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()


def _check_apart(network: nn.Module, inputs: Tensor) -> None:
    with evaluating(network), torch.no_grad():
        alone = torch.cat([network(one[None]) for one in inputs])
        together = network(inputs)
    if not float((together - alone).abs().max()) <= CLOSE * float(alone.abs().max()):
        raise ModelError(
            "training: the network mixes the records of a batch, and a budget is kept record by "
            "record; give a network that keeps them apart"
        )


@contextmanager
def _watched(network: nn.Module) -> Iterator[None]:
    """Within this, a backward pass leaves a gradient for each record."""
    grad_sample = opacus("grad_sample")
    try:
        watched = grad_sample.GradSampleModule(network, loss_reduction="sum")
    except NotImplementedError as error:
        raise ModelError(
            f"training: a budget needs layers that keep records apart ({error}); give GroupNorm in "
            "the place of such a layer, or train fewer layers"
        ) from None
    try:
        with warnings.catch_warnings():
            # The first layer's input is no weight's output.
            warnings.filterwarnings("ignore", "Full backward hook is firing")
            yield
    finally:
        watched.to_standard_module()
