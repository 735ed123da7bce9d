"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) through peft."""

import warnings
from pathlib import Path
from typing import Any

import torch

from nonmember.models.source import Source
from nonmember.seeds import derive
from nonmember.training.exclude import excluded, linear_layers
from nonmember.training.recipe import Recipe


def add_adapter(network: Any, base: Source, recipe: Recipe, *, seed: int) -> Any:
    """The network with fresh adapters on every linear layer but the head; the rest frozen.

    Adapters are float32 whatever the network's number format. What is below a module that
    ``recipe.exclude`` names gets none.

    Raises:
        ModelError: no layer has such a name, or none is left.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules="all-linear",
        exclude_modules=excluded(linear_layers(network), recipe.exclude) or None,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft's calls of what transformers is about to rename
        torch.manual_seed(derive(seed, "adapter"))
        adapted = get_peft_model(network, config)
    # Absolute, so that the adapter is understood from any folder; a packaged model by its name.
    on_disk = Path(base.name).expanduser().exists()
    recorded = str(base.path.absolute()) if on_disk else base.name
    adapted.peft_config["default"].base_model_name_or_path = recorded
    return adapted
