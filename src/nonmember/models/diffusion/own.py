"""What the form of diffusers has no place for: a file beside it, checked when it is read."""

import json
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from annotated_types import Ge, Le, Len
from pydantic import ConfigDict, FiniteFloat, TypeAdapter, ValidationError

from nonmember.errors import ModelError
from nonmember.models.diffusion.networks import check_halving
from nonmember.models.diffusion.schedule import fall
from nonmember.types import Count

NAME = "nonmember.json"
AXES = 30  # of an input: with those of inputs and copies, all that NumPy has before version 2

Alpha: TypeAlias = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Own:
    """What inputs a model takes, what names those it was trained on, and abar of each step.

    The form of diffusers rounds the last; () for what it makes of it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    low: FiniteFloat
    high: FiniteFloat
    shape: Annotated[tuple[Count, ...], Len(1, AXES)]
    trained_on: str = ""
    alphas: tuple[Alpha, ...] = ()


def of_file(path: Path, config: Any) -> Own:
    """What a file says of a network with this configuration.

    Raises:
        ModelError: it is damaged, or of another network.
    """
    try:
        found = TypeAdapter(Own).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{path}: is damaged ({_why(error)}); save the model anew") from None
    why = ""
    if not (found.low < found.high and isfinite(found.high - found.low)):
        why = f"low = {found.low:g} and high = {found.high:g}"
    elif not fall(found.alphas):
        why = "alphas do not fall from step to step"
    elif not fits(found.shape, config):
        why = f"inputs in shape {found.shape} do not fit its network"
    if why:
        raise ModelError(f"{path}: is damaged ({why}); save the model anew")
    return found


def of_others(folder: Path, config: Any) -> Own:
    """What the configuration of a network says by itself: images from 0 to 1.

    Raises:
        ModelError: it does not say their size, or one that the network does not take.
    """
    size, channels = config.get("sample_size"), config.get("in_channels", 3)
    if size is None:
        raise ModelError(f"{folder}: does not say the size of its images; set sample_size")
    sides = size if isinstance(size, list | tuple) else (size, size)
    told = {"low": 0, "high": 1, "shape": [channels, *sides]}
    try:
        found = TypeAdapter(Own).validate_json(json.dumps(told))
    except ValidationError:
        found = None
    if found is None or len(sides) != 2:
        raise ModelError(f"{folder}: sample_size = {size!r}; set it to the side of its images")
    check_halving(found.shape, len(config.block_out_channels))
    return found


def fits(shape: tuple[int, ...], config: Any) -> bool:
    """Whether a network with this configuration takes inputs of a shape."""
    if "size" in config:
        return prod(shape) == config["size"]
    channels, part = config.get("in_channels", 3), 2 ** (len(config["block_out_channels"]) - 1)
    image = len(shape) == 3 or (len(shape) == 2 and channels == 1)
    return image and shape[-3:-2] in {(), (channels,)} and not any(s % part for s in shape[-2:])


def _why(error: ValidationError | OSError) -> str:
    if isinstance(error, OSError):
        return type(error).__name__
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
