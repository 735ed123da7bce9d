"""Diffusion models in folders of diffusers' own form, which is read without unpickling anything."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np

from nonmember.errors import ModelError
from nonmember.models.diffusion import own
from nonmember.models.diffusion.form import Diffusion, Gives
from nonmember.models.diffusion.networks import Denoiser, of
from nonmember.models.diffusion.own import Own
from nonmember.models.diffusion.schedule import Alphas, fall
from nonmember.models.functions import first_line

Json: TypeAlias = dict[str, Any]


def save(diffusion: Diffusion, folder: Path) -> None:
    """Write a model into a new folder; it is there when it is whole.

    Raises:
        ModelError: there is such a folder, or the denoiser is a function.
    """
    held = diffusion.denoiser
    if not isinstance(held, Denoiser):
        raise ModelError(
            f"{folder}: a denoiser that is a function cannot be saved; give a network by "
            "models.diffusion.of"
        )
    if folder.exists():
        raise ModelError(f"{folder}: is there already; give another folder, or delete it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _pipeline(held).save_pretrained(part, safe_serialization=True)
        (part / own.NAME).write_text(json.dumps(asdict(_own_of(diffusion))), encoding="utf-8")
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def find(
    name: str,
    *,
    low: float | None = None,
    high: float | None = None,
    shape: tuple[int, ...] | None = None,
    device: str = "cpu",
) -> Diffusion:
    """The model in a folder: one that was saved here, or an unconditional pipeline of images.

    Args:
        name: the folder, as ``DDPMPipeline.save_pretrained`` writes it.
        low: least value of an input; by default as saved, 0 for a folder of others.
        high: largest value of an input; by default as saved, 1 for a folder of others.
        shape: of one input; by default as saved, (channels, height, width) for one of others.
        device: where to compute.

    Raises:
        ModelError: no such folder, or one of something else, of pickled weights, or damaged.
    """
    folder = Path(name).expanduser().absolute()
    network = _network(folder)
    alphas, gives = _schedule(folder)
    config, ours = network.config, folder / own.NAME
    saved = own.of_file(ours, config) if ours.is_file() else own.of_others(folder, config)
    chosen = saved.shape if shape is None else shape
    if chosen[-2:] != saved.shape[-2:] or not own.fits(chosen, config):
        raise ModelError(f"{name}: is of inputs in shape {saved.shape}, not {chosen}; leave it out")
    return of(
        network,
        np.array(saved.alphas) if saved.alphas else alphas,
        chosen,
        low=saved.low if low is None else low,
        high=saved.high if high is None else high,
        gives=gives,
        device=device,
        trained_on=saved.trained_on,
    )


def _own_of(diffusion: Diffusion) -> Own:
    return Own(
        float(diffusion.low),
        float(diffusion.high),
        diffusion.shape,
        diffusion.trained_on,
        tuple(diffusion.alphas.tolist()),
    )


def _pipeline(held: Denoiser) -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler

    betas = 1 - held.alphas / np.concatenate([[1.0], held.alphas[:-1]])
    scheduler = DDPMScheduler(
        num_train_timesteps=len(betas), trained_betas=betas.tolist(), prediction_type=held.gives
    )
    return DDPMPipeline(unet=held.network, scheduler=scheduler)


def _network(folder: Path) -> Any:
    where = folder / "unet"
    kinds = _json(folder / "model_index.json")
    config = _json(where / "config.json")
    made = _kind(folder, kinds, config)
    if not list(where.glob("diffusion_pytorch_model*.safetensors")):
        pickled = [one.name for one in where.glob("*.bin")]
        what = f"holds {pickled[0]}, which is pickled" if pickled else "holds no weights"
        raise ModelError(
            f"{where}: {what}; save the pipeline anew with safe_serialization=True, since no file "
            "is unpickled"
        )
    network, told = _read(where, made)
    amiss = [*told["missing_keys"], *told["unexpected_keys"], *told["mismatched_keys"]]
    if amiss:
        raise ModelError(f"{where}: its weights and config.json differ ({amiss[0]}); save it anew")
    return network


def _read(where: Path, made: Any) -> tuple[Any, Json]:
    try:
        with _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old names of settings
            return made.from_pretrained(
                where,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
            )
    except Exception as error:  # whatever damaged files make diffusers raise
        why = first_line(error)
        raise ModelError(f"{where}: no readable network ({why}); save it anew") from None


def _kind(folder: Path, kinds: Json, config: Json) -> Any:
    """The class of the network, if it is one that takes nothing but an image and a step."""
    others = set(kinds) - {"unet", "scheduler"}
    extra = sorted(
        key for key in others if not key.startswith("_") and isinstance(kinds[key], list)
    )
    name = config.get("_class_name")
    if name == "ResidualMLP" and not extra:
        from nonmember.models.diffusion.residual import ResidualMLP

        return ResidualMLP
    if name != "UNet2DModel" or extra:
        what = f"has a part {extra[0]}" if extra else f"is of a {name}"
        raise ModelError(
            f"{folder}: {what}; give an unconditional pipeline of a UNet2DModel and a scheduler"
        )
    asked = [key for key in ("num_class_embeds", "class_embed_type") if config.get(key)]
    asked += ["center_input_sample"] if config.get("center_input_sample") else []
    channels = [config.get(key, 3) for key in ("in_channels", "out_channels")]
    if asked or channels[0] != channels[1]:
        what = asked[0] if asked else f"{channels[1]} channels for {channels[0]}"
        raise ModelError(f"{folder}: its network has {what}; give an unconditional model of noise")
    from diffusers import UNet2DModel

    return UNet2DModel


def _schedule(folder: Path) -> tuple[Alphas, Gives]:
    config = _json(folder / "scheduler" / "scheduler_config.json")
    name = str(config.get("_class_name"))
    import diffusers

    kind: Any = getattr(diffusers, name, None)
    known = isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)
    try:
        with _quiet():
            alphas = getattr(kind.from_config(config), "alphas_cumprod", None) if known else None
    except Exception:  # whatever settings that are none make diffusers raise
        alphas = None
    if alphas is None:
        raise ModelError(
            f"{folder}: its scheduler {name} has no alphas_cumprod; give one of noise that keeps "
            "the variance, such as DDPMScheduler"
        )
    gives = config.get("prediction_type", "epsilon")
    if gives not in get_args(Gives):
        raise ModelError(
            f"{folder}: its network predicts {gives}; give one of {', '.join(get_args(Gives))}"
        )
    found = alphas.double().numpy()
    if not fall(found.tolist()):
        raise ModelError(
            f"{folder}: alphas_cumprod of its scheduler {name} do not fall between 1 and 0; set "
            "betas above 0 and at most 1"
        )
    return found, gives


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what diffusers logs of settings and weights that do not fit, all of them at once."""
    from diffusers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _json(path: Path) -> Json:
    found = None
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ModelError(
            f"{path}: missing or damaged; give a folder that a diffusers pipeline was saved to"
        )
    return found
