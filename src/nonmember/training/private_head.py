"""Linear heads under DP-SGD, all of them together: logistic regressions on fixed features.

The gradient of a record's cross-entropy is the outer product of p - y and (f, 1), so its norm is
the product of their norms, and no record's gradient is ever formed: the sum of a clipped batch
is one matrix product.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import ModelError
from nonmember.seeds import derive, generator
from nonmember.training import fleet
from nonmember.training.accounting import sample_rate
from nonmember.training.children_privacy import Budget, noise, updates
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fitting import learning_rate
from nonmember.training.fleet import Fleet

BLOCK = 64  # records in one product; a fixed number, as how it rounds hangs on it


def fit_heads(
    features: Tensor,
    labels: Tensor,
    classes: int,
    recipe: ClassifierRecipe,
    budget: Budget,
    *,
    seeds: Sequence[int],
    watch: Callable[[int], None] | None = None,
) -> tuple[dict[str, Tensor], ...]:
    """One head per seed, from zeros: ``weight`` (classes, features) and ``bias`` (classes,).

    In each update every record is drawn with the same probability, on its own; gradients are
    clipped, noise is added to their sum, and that is divided by the expected number of records.
    A head depends on its own records and seed, not on those beside it.

    Args:
        features: of each head's own records, (heads, records, features).
        labels: their classes, (heads, records).
        classes: how many there are.
        recipe: how they are trained.
        budget: what each of them keeps.
        seeds: of draws and noise; whoever knows one can take that noise off.
        watch: told the updates done, each head's counted.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: a weight is no number any more.
    """
    records, width = features.shape[1:]
    heads = fleet.begin([_zeros(width, classes) for _ in seeds], recipe, stacked=True)
    sigma, steps = noise(records, recipe, budget) * budget.clip, updates(records, recipe)
    expected = sample_rate(records, recipe.batch_size) * records
    for step in range(steps):
        drawn = [draw(seed, step, records, recipe) for seed in seeds]
        sums = clipped(heads, features, labels, drawn, budget.clip)
        for name, part in zip(("weight", "bias"), sums, strict=True):
            found = part + sigma * _noise(seeds, step, name, part)
            heads.weights[name].grad.copy_(found / expected)  # type: ignore[union-attr]
        heads.optimiser.param_groups[0]["lr"] = learning_rate(recipe, step, steps)
        heads.optimiser.step()
        if watch is not None:
            watch(len(seeds))
    if not heads.flat.isfinite().all():
        raise ModelError("training: a private head is no number any more; lower the learning rate")
    return fleet.states(heads)


def draw(seed: int, step: int, records: int, recipe: ClassifierRecipe) -> np.ndarray:
    """The places of the records of an update: each is drawn on its own."""
    chances = generator(seed, "draw", step).random(records)
    return np.flatnonzero(chances < sample_rate(records, recipe.batch_size))


def norms(features: Tensor, residual: Tensor) -> Tensor:
    """Of the gradient of each record, from its features (... d) and p - y (... c)."""
    return (features.square().sum(-1) + 1).sqrt() * vector_norm(residual, dim=-1)


@torch.no_grad()
def clipped(
    heads: Fleet, features: Tensor, labels: Tensor, drawn: Sequence[np.ndarray], clip: float
) -> tuple[Tensor, Tensor]:
    """The sums of the drawn records' clipped gradients: of weights (m c d) and biases (m c)."""
    weight, bias = heads.weights["weight"], heads.weights["bias"]
    sums = torch.zeros_like(weight), torch.zeros_like(bias)
    first = torch.arange(len(drawn))[:, None] * features.shape[1]
    flat = features.flatten(0, 1)
    for start in range(0, max(map(len, drawn)), BLOCK):
        places, there = _block([one[start : start + BLOCK] for one in drawn])
        rows = (places + first).flatten()
        shown = flat.index_select(0, rows).view(*places.shape, -1)
        truth = labels.take_along_dim(places, 1)
        residual = torch.baddbmm(bias.unsqueeze(1), shown, weight.mT).softmax(-1)
        residual -= nn.functional.one_hot(truth, bias.shape[1])
        scale = (clip / (norms(shown, residual) + 1e-6)).clamp(max=1.0) * there
        residual *= scale[:, :, None]
        sums[0].baddbmm_(residual.mT, shown)
        sums[1].add_(residual.sum(1))
    return sums


def _block(drawn: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Places (m b), filled up with the first record, and 1 where there is one of the drawn."""
    places = torch.zeros((len(drawn), BLOCK), dtype=torch.int64)
    there = torch.zeros((len(drawn), BLOCK))
    for row, one in enumerate(drawn):
        places[row, : len(one)], there[row, : len(one)] = torch.from_numpy(one), 1.0
    return places, there


def _noise(seeds: Sequence[int], step: int, name: str, like: Tensor) -> Tensor:
    """Standard normal numbers, each head's from its own seed."""
    drawn = []
    for seed in seeds:
        own = torch.Generator().manual_seed(derive(seed, "noise", step, name))
        drawn.append(torch.randn(like.shape[1:], generator=own))
    return torch.stack(drawn)


def _zeros(width: int, classes: int) -> nn.Module:
    # A layer made as usual would draw from torch's generator.
    head: nn.Linear = nn.utils.skip_init(nn.Linear, width, classes)  # type: ignore[no-untyped-call]
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head
