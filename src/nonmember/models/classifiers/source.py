"""Where a classifier comes from: found, identified by content, and refused early."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_model
from torch import nn

from nonmember.data.arrays import PICKLED
from nonmember.errors import ModelError
from nonmember.models import source
from nonmember.models.classifiers import estimator, identity, sequence, skops_file
from nonmember.models.functions import first_line, imported
from nonmember.types import ClassifierAccess

Kind = Literal["network", "estimator", "folder", "factory", "exported", "skops", "answers"]

FILES: dict[str, Kind] = {
    ".pt2": "exported",
    ".skops": "skops",
    **dict.fromkeys((".npz", ".npy", ".csv", ".parquet"), "answers"),
}
FACTORY = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)")
FORMS = (
    "a folder of a Hugging Face sequence classifier, package.module:factory with safetensors "
    "weights, a .pt2 or .skops file, or a file of probabilities (.npz, .npy, .csv, .parquet)"
)


@dataclass(frozen=True)
class ClassifierSource:
    """A classifier that can be loaded. ``digest`` names all that decides its answers, by content.

    ``asks`` is False for a file of answers, which says nothing of other inputs. ``model`` is
    what was given in Python; ``class_names`` what the model itself calls its classes.
    """

    name: str
    kind: Kind
    digest: str
    access: ClassifierAccess
    asks: bool = True
    path: Path | None = None
    weights: Path | None = None
    class_names: tuple[str, ...] | None = None
    model: Any = field(default=None, compare=False, repr=False)


def find(name: str, *, weights: str | None = None) -> ClassifierSource:
    """Find the classifier called ``name``, on this machine and without unpickling anything.

    Args:
        name: a folder, a file, or package.module:factory, which is called without arguments
            and returns a torch network.
        weights: of a factory's network, a safetensors file.

    Raises:
        ModelError: nothing is there, or it is no classifier that can be read.
    """
    path, called = Path(name).expanduser().absolute(), FACTORY.fullmatch(name)
    if called and not path.exists():
        return _factory(name, weights)
    if weights is not None:
        raise ModelError(
            f"{name}: takes no weights of its own; give --weights with package.module:factory only"
        )
    if path.suffix.lower() in PICKLED:
        raise ModelError(
            f"{name}: a pickled file runs whatever code it holds, so it is not opened; save the "
            "model as safetensors, .skops or .pt2, or pass it to nonmember in Python"
        )
    if path.is_dir():
        return _folder(name)
    kind = FILES.get(path.suffix.lower())
    if kind is None or not path.is_file():
        what = "no such file or folder" if not path.exists() else "no form of a classifier"
        raise ModelError(f"{name}: {what}; give {FORMS}")
    return _file(name, path, kind)


def of(model: Any, *, name: str | None = None) -> ClassifierSource:
    """The source of a classifier in memory: a torch network or a fitted scikit-learn one.

    Raises:
        ModelError: it is neither, or cannot be asked for probabilities.
    """
    called = name or type(model).__name__
    if isinstance(model, nn.Module):
        return ClassifierSource(
            called, "network", identity.of_network(model), "weights", model=model
        )
    if not hasattr(model, "predict_proba") and not hasattr(model, "get_params"):
        raise ModelError(
            f"{called}: neither a torch network nor a scikit-learn classifier; give one of them"
        )
    estimator.check(called, model)
    digest = identity.of_estimator(called, model)
    names = estimator.class_names(model)
    return ClassifierSource(called, "estimator", digest, "scores", class_names=names, model=model)


def network(found: ClassifierSource) -> nn.Module:
    """The network of a factory with its weights.

    Raises:
        ModelError: the factory cannot be had or breaks, or the weights do not fit.
    """
    made = _made(found.name)
    assert found.weights is not None
    try:
        missing, unexpected = load_model(made, found.weights, strict=False)
    except Exception as error:  # sizes that differ, and damaged files
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = (lines[1] if len(lines) > 1 else (lines or ["unreadable"])[0])[:200]
        raise ModelError(
            f"{found.weights}: no weights of {found.name} ({why}); give those that were saved "
            "from this network"
        ) from None
    amiss = [f"lacks {key}" for key in sorted(missing)]
    amiss += [f"has {key}, which the network has not" for key in sorted(unexpected)]
    if amiss:
        raise ModelError(
            f"{found.weights}: {'; '.join(amiss[:3])}; give the weights that were saved from "
            f"{found.name}"
        )
    return made


def _factory(name: str, weights: str | None) -> ClassifierSource:
    if weights is None:
        raise ModelError(f"{name}: makes a network without weights; give its file with --weights")
    path = Path(weights).expanduser().absolute()
    if path.suffix.lower() != ".safetensors" or not path.is_file():
        what = "is no .safetensors file" if path.is_file() else "is not there"
        raise ModelError(
            f"{weights}: {what}; save the weights with safetensors.torch.save_model, since no "
            "file is unpickled"
        )
    made = identity.of_network(_made(name), weights=False)
    digest = source.digest("factory", made, identity.of_file(path))
    return ClassifierSource(name, "factory", digest, "weights", weights=path)


def _made(name: str) -> nn.Module:
    make = imported(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of what is drawn and in no file of weights
        try:
            made = make()
        except Exception as error:  # whatever the user's own code meets
            raise ModelError(
                f"{name}: breaks when it is called without arguments ({first_line(error)}); mend it"
            ) from None
    if not isinstance(made, nn.Module):
        raise ModelError(f"{name}: returns {type(made).__name__}; let it return a torch.nn.Module")
    return made


def _folder(name: str) -> ClassifierSource:
    if (Path(name).expanduser() / "adapter_config.json").is_file():
        raise ModelError(
            f"{name}: an adapter; merge it into its base (merge_and_unload) and save that"
        )
    found = source.locate(name)
    sequence.check(found)
    names = sequence.class_names(found)
    return ClassifierSource(
        name, "folder", found.digest, "weights", path=found.path.absolute(), class_names=names
    )


def _file(name: str, path: Path, kind: Kind) -> ClassifierSource:
    digest = source.digest(kind, identity.of_file(path))
    names = None
    if kind == "skops":
        held = skops_file.read(path)
        estimator.check(name, held)
        names = estimator.class_names(held)
    access: ClassifierAccess = "weights" if kind == "exported" else "scores"
    asks = kind != "answers"
    return ClassifierSource(name, kind, digest, access, asks, path, class_names=names)
