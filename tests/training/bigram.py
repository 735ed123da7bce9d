"""A network small enough to train in a millisecond, and what is asked of trained ones."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nonmember.models.text import Encoded, collate
from nonmember.training.loop import Fitted, Material, Stretch, fit
from nonmember.training.recipe import Recipe
from nonmember.training.update import Loss

RECIPE = Recipe(epochs=2, batch_size=5, micro_batch=2, learning_rate=1e-2, schedule="constant")
WORDS, WIDTH = 300, 16


def net(seed: int = 0, dtype: torch.dtype = torch.float32, dropout: float = 0.0) -> nn.Module:
    """Guesses the next token from the last one."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = (nn.Embedding(WORDS, WIDTH), nn.Dropout(dropout), nn.Linear(WIDTH, WORDS))
    return nn.Sequential(*layers).to(dtype)


def loss_of(network: nn.Module) -> Loss:
    def loss(chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        ids, scored = (torch.from_numpy(part) for part in collate(chosen))
        logits = network(ids)[:, :-1][scored[:, 1:]].float()
        targets = ids[:, 1:][scored[:, 1:]]
        return cross_entropy(logits, targets, reduction="sum"), len(targets)

    return loss


def trained(
    encoded: Sequence[Encoded],
    recipe: Recipe = RECIPE,
    *,
    seed: int = 0,
    network: nn.Module | None = None,
    watch: Callable[[int], None] | None = None,
    **stretch: Any,
) -> tuple[nn.Module, tuple[float, ...]]:
    network, fitted = run(
        Material((encoded,)), recipe, seed=seed, network=network, watch=watch, **stretch
    )
    return network, fitted.losses


def run(
    material: Material,
    recipe: Recipe = RECIPE,
    *,
    seed: int = 0,
    network: nn.Module | None = None,
    watch: Callable[[int], None] | None = None,
    **stretch: Any,
) -> tuple[nn.Module, Fitted]:
    network, part = net() if network is None else network, Stretch(**stretch)
    loss = loss_of(network)
    return network, fit(network, loss, material, recipe, seed=seed, stretch=part, watch=watch)


def weights(network: nn.Module) -> list[Tensor]:
    return [weight.detach().clone() for weight in network.parameters()]


def equal(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.parameters(), right.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def farthest(left: nn.Module, right: nn.Module) -> float:
    pairs = zip(left.parameters(), right.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)
