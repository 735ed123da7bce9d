"""Which parts of a network are left out of training, by the names of its modules."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from nonmember.errors import ModelError, unknown
from nonmember.models import causal
from nonmember.models.source import Source
from nonmember.models.transfer import weighted
from nonmember.training.recipe import Recipe


def excluded(modules: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of the ``modules``, given in full, that one of the ``names`` is a part of.

    "mlp" and "layers.0" are parts of "model.layers.0.mlp.up_proj"; "layers.0.up_proj" is not.

    Raises:
        ModelError: a name is part of none, or all are left out.
    """
    for name in names:
        if not any(_part(name, module) for module in modules):
            known = {
                part for module in modules for part in module.split(".") if part.isidentifier()
            }
            raise ModelError(f"recipe: exclude: {unknown('trainable module', name, known)}")
    found = [module for module in modules if any(_part(name, module) for name in names)]
    if len(found) == len(modules):
        raise ModelError("recipe: exclude leaves nothing to train; name fewer modules")
    return found


def check(base: Source, recipe: Recipe) -> None:
    """Refuse to leave out what the base has not, or all of it, before any weights are read.

    Raises:
        ModelError: as for ``excluded``.
    """
    if recipe.exclude:
        network = causal.outline(base)
        modules = linear_layers(network) if recipe.method == "lora" else weighted(network)
        excluded(modules, recipe.exclude)


def freeze(network: nn.Module, names: Sequence[str]) -> None:
    """Take what is below modules of these names out of full fine-tuning.

    Raises:
        ModelError: no module with weights has such a name, or none is left.
    """
    for name in excluded(weighted(network), names):
        network.get_submodule(name).requires_grad_(False)


def linear_layers(network: Any) -> list[str]:
    """The layers that get adapters: every linear one but the head."""
    from transformers.pytorch_utils import Conv1D

    head = network.get_output_embeddings()
    return [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    ]


def _part(name: str, module: str) -> bool:
    return f".{name}." in f".{module}."
