"""Fine-tuning a causal language model: from a base on disk to a folder on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

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
    """
    model = causal.load(base, where)
    network = model.network.requires_grad_(True)
    if recipe.method == "lora":
        network = add_adapter(network.requires_grad_(False), base, recipe, seed=seed)

    def loss(chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        ids, scored = (torch.from_numpy(part).to(where.device) for part in collate(chosen))
        marks, targets = scored[:, 1:], ids[:, 1:][scored[:, 1:]]
        logits = causal.output_logits(network, causal.hidden_states(network, ids)[:, :-1][marks])
        return cross_entropy(logits, targets, reduction="sum"), len(targets)

    losses = fit(network, loss, encoded, recipe, seed=seed, scratch=scratch, watch=watch)
    causal.save(network, model.tokenizer, folder)
    return losses
