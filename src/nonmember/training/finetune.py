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
from nonmember.training.loop import fit
from nonmember.training.lora import add_adapter
from nonmember.training.recipe import Recipe


def fine_tune(
    base: Source,
    encoded: Sequence[Encoded],
    recipe: Recipe,
    where: causal.Placement,
    folder: Path,
    *,
    seed: int,
    scratch: Path | None = None,
    watch: Callable[[int], None] | None = None,
) -> tuple[float, ...]:
    """Train on the scored tokens of ``encoded`` and save the model, or adapter, in ``folder``.

    Returns:
        The mean training loss of each epoch, nats per token.

    Raises:
        DataError: no record has a token to train on.
        ModelError: ``base`` cannot be loaded, or is itself an adapter.
    """
    if base.base is not None:
        raise ModelError(
            f"{base.name}: an adapter cannot be trained further; merge it into a folder first"
        )
    network, tokenizer = _loaded(base, where)
    if recipe.method == "lora":
        network = add_adapter(network, base, recipe, seed=seed)

    def loss(chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        ids, scored = (torch.from_numpy(part).to(where.device) for part in collate(chosen))
        marks, targets = scored[:, 1:], ids[:, 1:][scored[:, 1:]]
        logits = causal.output_logits(network, causal.hidden_states(network, ids)[:, :-1][marks])
        return cross_entropy(logits, targets, reduction="sum"), len(targets)

    losses = fit(network, loss, encoded, recipe, seed=seed, scratch=scratch, watch=watch)
    causal.save(network, tokenizer, folder)
    return losses


def _loaded(base: Source, where: causal.Placement) -> tuple[Any, Any]:
    """Network and tokenizer, without the float32 copy of the head that scoring keeps."""
    model = causal.load(base, where)
    return model.network.requires_grad_(True), model.tokenizer
