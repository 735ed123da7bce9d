"""Many LoRA adapters over one base in one pass: each row of a batch has its own."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import dropout

from nonmember.errors import ModelError
from nonmember.models.source import Source

Adapter: TypeAlias = Mapping[str, tuple[Tensor, Tensor]]
"""Of each layer with an update, by its name: the factors (r in) and (out r) of its weights."""

PREFIX, DOWN, UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"  # peft's spelling
PLAIN = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save")


@contextmanager
def beside(
    network: Any, adapters: Sequence[Adapter], scale: float, *, dropped: float = 0.0
) -> Iterator[list[int]]:
    """Add its adapter's update to every row of each pass over the network.

    Yields the places of the adapters of the rows of the next pass, which whoever makes it
    sets first. The layers compute all rows together, in their own number format; an update
    is made in the adapters', as peft makes it.

    Args:
        network: the base, which stays as it is.
        adapters: with the same layers and shapes.
        scale: what updates are multiplied by: alpha over the rank.
        dropped: share of what an update is made from that is dropped in each pass.

    Raises:
        ModelError: a layer with an update does not see the rows of the batch as such.
    """
    rows: list[int] = []
    with ExitStack() as stack:
        for name in adapters[0]:
            factors = [adapter[name] for adapter in adapters]
            layer = network.get_submodule(name)
            hook = _adding(name, factors, rows, scale, dropped)
            stack.callback(layer.register_forward_hook(hook).remove)
        yield rows


@contextmanager
def in_turn(network: Any, adapters: Sequence[Adapter], scale: float) -> Iterator[None]:
    """As ``beside``, the adapters taking turns: row k of all that is read is of k modulo m."""
    read = 0

    def choose(_: Any, __: Any, given: Mapping[str, Any]) -> None:
        nonlocal read
        count = len(given["input_ids"])
        rows[:] = [place % len(adapters) for place in range(read, read + count)]
        read += count

    with beside(network, adapters, scale) as rows:
        handle = network.base_model.register_forward_pre_hook(choose, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def named(weights: Mapping[str, Tensor]) -> Adapter:
    """An adapter from weights under peft's names.

    Raises:
        ModelError: there are others among them than the two factors of each layer.
    """
    layers = [name[: -len(DOWN)] for name in weights if name.endswith(DOWN)]
    if {*weights} != {layer + part for layer in layers for part in (DOWN, UP)}:
        raise ModelError("adapter: it changes more than LoRA's factors; train one of these alone")
    return {
        layer.removeprefix(PREFIX): (weights[layer + DOWN], weights[layer + UP]) for layer in layers
    }


def weights_of(adapter: Adapter) -> dict[str, Tensor]:
    """The weights under peft's names."""
    return {
        PREFIX + layer + part: weight
        for layer, factors in adapter.items()
        for part, weight in zip((DOWN, UP), factors, strict=True)
    }


def read_all(
    base: Source, folders: Sequence[Path], device: torch.device
) -> tuple[tuple[Adapter, ...], float]:
    """Adapters of one shape that were trained on ``base``, and the scale of their updates.

    Raises:
        ModelError: there is none, or one cannot be read, is of another base, or of another
            shape than the first.
    """
    if not folders:
        raise ModelError("adapters: none is given; give the folder of at least one")
    found, scales = [], []
    for folder in folders:
        weights, settings = _stored(folder)
        if settings["base_model_name_or_path"] not in (base.name, str(base.path.absolute())):
            raise ModelError(
                f"{folder}: trained on {settings['base_model_name_or_path']}, not on {base.name}; "
                "ask adapters of one base together"
            )
        found.append(named({name: weight.to(device) for name, weight in weights.items()}))
        scales.append(settings["lora_alpha"] / settings["r"])
    shapes = [{name: weight.shape for name, weight in weights_of(one).items()} for one in found]
    for folder, shape, scale in zip(folders, shapes, scales, strict=True):
        if (shape, scale) != (shapes[0], scales[0]):
            raise ModelError(
                f"{folder}: of another shape than {folders[0]}; ask adapters of one recipe together"
            )
    return tuple(found), scales[0]


def _stored(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights and settings of a LoRA adapter without further tricks."""
    try:
        settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"{folder}: no readable adapter ({error}); train it again") from None
    if settings.get("peft_type") != "LORA" or any(settings.get(name) for name in PLAIN):
        raise ModelError(f"{folder}: not a plain LoRA adapter; ask it alone")
    return weights, settings


def _adding(
    name: str,
    factors: Sequence[tuple[Tensor, Tensor]],
    rows: Sequence[int],
    scale: float,
    dropped: float,
) -> Callable[[Any, tuple[Tensor, ...], Tensor], Tensor]:
    """What adds to a layer's output (b t out) the update by the adapter of each row."""

    def add(_: Any, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        seen = given[0]
        if seen.dim() != 3 or len(seen) != len(rows):
            raise ModelError(
                f"adapters: {name} sees {tuple(seen.shape)} of a batch of {len(rows)}; put it "
                "into the recipe's exclude"
            )
        down, up = (torch.stack([factors[place][side] for place in rows]) for side in (0, 1))
        low = torch.bmm(dropout(seen.to(down.dtype), dropped), down.mT)
        return torch.baddbmm(out.to(up.dtype), low, up.mT, alpha=scale).to(out.dtype)

    return add
