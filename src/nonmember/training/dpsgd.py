"""DP-SGD (Abadi et al. 2016, arXiv:1607.00133): per-record gradients, clipped, and noise.

Per-record gradients are Opacus's (Yousefpour et al. 2021, arXiv:2109.12298).
A record's gradient is that of its mean loss per token, so that ``record_clip`` means the same
for long and short ones; one over the limit is one record, its windows' gradients added before
it is clipped. Two data sets are neighbours if one has a record more.

The guarantee is of the weights, towards whoever does not know the seed; what else is told of
the private records, such as losses or which of them were rewritten, it does not cover.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import ModelError
from nonmember.models.text import Encoded
from nonmember.seeds import derive
from nonmember.training import accounting, order
from nonmember.training.recipe import Recipe
from nonmember.training.seen import mark
from nonmember.training.update import Backward, Loss, Made, scored_windows


@contextmanager
def private(
    network: nn.Module, loss: Loss, recipe: Recipe, records: int, *, seed: int
) -> Iterator[Backward]:
    """What leaves private gradients in the trainable weights, for as long as this lasts.

    Args:
        network: to be trained, in training mode; all that is trained are linear layers that
            keep the records of a batch apart.
        loss: its loss on some records.
        recipe: with an ``epsilon``.
        records: of the material.
        seed: of the noise, which must stay secret.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: the network's layers mix records, or a weight gets no gradient.
    """
    grad_sample = accounting.opacus("grad_sample")
    noise = noise_multiplier(records, recipe) * recipe.record_clip
    drawn_on_average = min(recipe.batch_size, records)
    parameters = [p for p in network.parameters() if p.requires_grad]
    watched = grad_sample.GradSampleModule(network, loss_reduction="sum")

    def backward(chosen: Sequence[Encoded], step: int) -> Made:
        made, gradients = clipped(parameters, loss, chosen, recipe)
        drawn = _noises(parameters, derive(seed, "noise", step))
        for parameter, gradient, random in zip(parameters, gradients, drawn, strict=True):
            parameter.grad = gradient.add_(random, alpha=noise).div_(drawn_on_average)
        return made

    try:
        yield backward
    finally:
        watched.to_standard_module()


def clipped(
    parameters: Sequence[nn.Parameter], loss: Loss, chosen: Sequence[Encoded], recipe: Recipe
) -> tuple[Made, list[Tensor]]:
    """The sum over records of their gradients, each clipped to ``record_clip``.

    No more than ``micro_batch`` records' gradients are in memory at a time.
    """
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    made = Made(0.0, 0, 0)
    for group in _groups(chosen, recipe.micro_batch):
        part, gradients = _of_records(parameters, loss, group, recipe.micro_batch)
        norms = vector_norm(
            torch.stack([vector_norm(g.flatten(1), dim=1) for g in gradients]), dim=0
        )
        scale = (recipe.record_clip / (norms + 1e-6)).clamp(max=1.0)
        for total, gradient in zip(sums, gradients, strict=True):
            total.add_(torch.tensordot(scale, gradient, dims=1))
        made = Made(made.loss + part.loss, made.tokens + part.tokens, made.marks + part.marks)
    return made, sums


def noise_multiplier(records: int, recipe: Recipe) -> float:
    """Standard deviations of the noise, per clip, with which the whole run keeps its budget.

    By the Renyi accountant, whose bound holds for every budget and is some tenth above the
    least noise.

    Raises:
        SpecError: no noise meets the budget.
    """
    assert recipe.epsilon is not None
    budget, steps = (recipe.epsilon, _delta(records, recipe)), order.updates(records, recipe)
    return accounting.least_noise(
        budget, records, recipe.batch_size, recipe.epochs * steps, where="recipe"
    )


def spent(records: int, recipe: Recipe, steps: int) -> dict[str, float]:
    """The guarantee after so many updates of the run."""
    noise, delta = noise_multiplier(records, recipe), _delta(records, recipe)
    rate = accounting.sample_rate(records, recipe.batch_size)
    return {
        "epsilon": accounting.epsilon(noise, rate, steps, delta),
        "delta": delta,
        "noise_multiplier": noise,
        "sample_rate": rate,
        "steps": steps,
        "clip": recipe.record_clip,
    }


Pieces = list[Encoded]


def _groups(chosen: Sequence[Encoded], size: int) -> Iterator[list[Pieces]]:
    """Records in their pieces, together ``size`` of them at most; more only of one record."""
    group: list[Pieces] = []
    for one in chosen:
        pieces = scored_windows(one)
        if group and sum(map(len, group)) + len(pieces) > size:
            yield group
            group = []
        if pieces:
            group.append(pieces)
    if group:
        yield group


def _of_records(
    parameters: Sequence[nn.Parameter], loss: Loss, group: Sequence[Pieces], size: int
) -> tuple[Made, list[Tensor]]:
    """The gradients of each record's mean loss per token, a row for each record."""
    tokens = [sum(int(piece.scored.sum()) for piece in pieces) for pieces in group]
    flat = [(row, piece) for row, pieces in enumerate(group) for piece in pieces]
    gradients = [p.new_zeros((len(group), *p.shape)) for p in parameters]
    total = 0.0
    for start in range(0, len(flat), size):
        rows, given = zip(*flat[start : start + size], strict=True)
        part, _ = loss(given)
        with _quiet():
            torch.autograd.backward(part)
        total += float(part.detach())
        places = torch.tensor(rows, device=part.device)
        share = torch.tensor([1 / tokens[row] for row in rows], device=part.device)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            own = _taken(parameter, len(given))
            gradient.index_add_(0, places, own * share.view(-1, *[1] * parameter.dim()))
    return Made(total, sum(tokens), sum(mark(piece) for _, piece in flat)), gradients


def _taken(parameter: Any, pieces: int) -> Tensor:
    """The gradients that Opacus has left, a row for each piece; they are taken away."""
    found, parameter.grad_sample, parameter.grad = parameter.grad_sample, None, None
    if not isinstance(found, Tensor) or len(found) != pieces:
        raise ModelError(
            f"training: epsilon needs one gradient per record of each trained weight, and one of "
            f"shape {tuple(parameter.shape)} has none; put its module into the recipe's exclude"
        )
    return found


def _noises(parameters: Sequence[nn.Parameter], seed: int) -> Iterator[Tensor]:
    """Standard normal noise of each weight's shape."""
    random = torch.Generator(parameters[0].device).manual_seed(seed)
    for parameter in parameters:
        yield torch.randn(parameter.shape, generator=random, device=parameter.device)


def _delta(records: int, recipe: Recipe) -> float:
    return 1 / records if recipe.delta is None else recipe.delta


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # The first layer's input is no weight's output.
        warnings.filterwarnings("ignore", "Full backward hook is firing")
        yield
