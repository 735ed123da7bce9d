"""Fine-tuning a causal language model: from a base on disk to a folder on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nonmember.errors import ModelError
from nonmember.models import causal
from nonmember.models.source import Source
from nonmember.models.text import Encoded, collate
from nonmember.training.exclude import check, freeze
from nonmember.training.loop import Fitted, Material, Stretch, fit
from nonmember.training.lora import add_adapter
from nonmember.training.recipe import Recipe
from nonmember.training.update import Loss


def fine_tune(  # noqa: PLR0913 - a run's settings, and where its state goes
    base: Source,
    material: Material,
    recipe: Recipe,
    where: causal.Placement,
    folder: Path,
    *,
    seed: int,
    scratch: Path | None = None,
    stop: int | None = None,
    hand_to: Path | None = None,
    watch: Callable[[int], None] | None = None,
) -> Fitted:
    """Train on the scored tokens of ``material`` and save the model, or adapter, in ``folder``.

    ``seed``, ``scratch``, ``stop``, ``hand_to`` and ``watch`` as ``fit`` and ``Stretch`` have it.

    Raises:
        DataError: no record has a token to train on.
        ModelError: ``base`` cannot be loaded, is itself an adapter, has no module that the
            recipe excludes, or does not learn.
        SpecError: the recipe's privacy budget cannot be met.
    """
    if base.base is not None:
        raise ModelError(
            f"{base.name}: an adapter cannot be trained further; merge it into a folder first"
        )
    check(base, recipe)
    network, tokenizer = _loaded(base, where)
    if recipe.method == "lora":
        network = add_adapter(network, base, recipe, seed=seed)
    else:
        freeze(network, recipe.exclude)
    loss = token_loss(network, where.device)
    stretch = Stretch(stop, scratch, hand_to)
    fitted = fit(network, loss, material, recipe, seed=seed, stretch=stretch, watch=watch)
    causal.save(network, tokenizer, folder)
    return fitted


def token_loss(network: Any, device: torch.device) -> Loss:
    """The summed loss of the scored tokens of some records, in nats."""

    def loss(chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        ids, scored = (torch.from_numpy(part).to(device) for part in collate(chosen))
        marks, targets = scored[:, 1:], ids[:, 1:][scored[:, 1:]]
        logits = causal.output_logits(network, causal.hidden_states(network, ids)[:, :-1][marks])
        return cross_entropy(logits, targets, reduction="sum"), len(targets)

    return loss


def _loaded(base: Source, where: causal.Placement) -> tuple[Any, Any]:
    """Network and tokenizer, without the float32 copy of the head that scoring keeps."""
    model = causal.load(base, where)
    return model.network.requires_grad_(True), model.tokenizer
