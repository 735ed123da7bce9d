"""Diffusion models in folders of diffusers' own form, which is read without unpickling anything."""

import json
import shutil
import tempfile
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, get_args

import numpy as np

from nonmember.errors import ModelError
from nonmember.models.diffusion.form import Diffusion, Gives
from nonmember.models.diffusion.networks import Denoiser, check_halving, of
from nonmember.models.diffusion.schedule import Alphas

OURS = "nonmember.json"
"""What the form of diffusers has no place for."""

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class _Own:
    """What inputs a model takes, what names those it was trained on, and abar of each step.

    The form of diffusers rounds the last; () for what it makes of it.
    """

    low: float
    high: float
    shape: tuple[int, ...]
    trained_on: str = ""
    alphas: tuple[float, ...] = ()


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
        (part / OURS).write_text(json.dumps(asdict(_own_of(diffusion))), encoding="utf-8")
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
    saved = _own(folder, network.config)
    chosen = saved.shape if shape is None else shape
    if np.prod(chosen) != np.prod(saved.shape) or chosen[-2:] != saved.shape[-2:]:
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


def _own_of(diffusion: Diffusion) -> _Own:
    return _Own(
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old names of settings
            return made.from_pretrained(
                where,
                use_safetensors=True,
                local_files_only=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
            )
    except Exception as error:  # whatever damaged files make diffusers raise
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
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
    return alphas.double().numpy(), gives


def _own(folder: Path, config: Any) -> _Own:
    if (folder / OURS).is_file():
        held = _json(folder / OURS)
        try:
            return _Own(**held | {name: tuple(held[name]) for name in ("shape", "alphas")})
        except (TypeError, KeyError):
            raise ModelError(f"{folder / OURS}: is damaged; save the model anew") from None
    size, channels = config.get("sample_size"), config.get("in_channels", 3)
    if size is None:
        raise ModelError(f"{folder}: does not say the size of its images; set sample_size")
    shape = (channels, *(size if isinstance(size, list | tuple) else (size, size)))
    check_halving(shape, len(config.block_out_channels))
    return _Own(0.0, 1.0, shape)


def _json(path: Path) -> Json:
    found = None
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ModelError(
            f"{path}: missing or damaged; give a folder that a diffusers pipeline was saved to"
        )
    return found
