"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) through peft."""

from typing import Any

import torch

from nonmember.models.source import Source
from nonmember.seeds import derive
from nonmember.training.recipe import Recipe


def add_adapter(network: Any, base: Source, recipe: Recipe, *, seed: int) -> Any:
    """The network with fresh adapters on every linear layer but the head; the rest frozen.

    Adapters are float32 whatever the network's number format.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "adapter"))
        adapted = get_peft_model(network, config)
    adapted.peft_config["default"].base_model_name_or_path = base.name
    return adapted
