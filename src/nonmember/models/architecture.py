"""What reference models are made of: a network that is made anew each time, or an estimator."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, signature
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from nonmember.errors import ModelError, NonmemberError, SpecError, unknown
from nonmember.models.classifiers import network as networks
from nonmember.models.content import identity
from nonmember.models.functions import first_line, imported
from nonmember.models.nets import NETS, Shape
from nonmember.models.source import digest
from nonmember.options import checked
from nonmember.types import Inputs

Kind = Literal["network", "estimator"]


@dataclass(frozen=True)
class Architecture:
    """What ``make`` makes: a freshly initialised network, or an estimator that is not fitted.

    A network draws from torch's generator. ``digest`` names by content all that decides what is
    made: every layer and setting, the shapes, how weights are initialised, and the code of
    classes that are not installed packages. ``size`` is the number of its weights, 0 if unknown.
    """

    name: str
    make: Callable[[], Any]
    digest: str
    kind: Kind
    classes: int
    size: int = 0


def architecture_of(
    thing: object, shape: Shape, classes: int, options: Mapping[str, Any] | None = None
) -> Architecture:
    """The architecture that is meant by a name, a function or an estimator.

    Args:
        thing: the name of a packaged network; ``package.module:function``, looked for in the
            working folder too; a function or class; or a scikit-learn estimator, of which only
            the settings count. A function returns a network or an estimator that was not
            trained, and takes nothing or the shape of an input and the number of classes.
        shape: of one input; () for a text.
        classes: how many there are.
        options: keyword-only parameters of the function.

    Raises:
        ModelError: there is no such thing, it fails, or makes nothing that can be trained.
        SpecError: an option that it does not take, or fewer than two classes.
    """
    if classes < 2:
        raise SpecError(f"architecture: {classes} classes; give labels of at least 2")
    name, given = _named(thing)
    make = _maker(name, given, (shape, classes), options or {})
    made = _first(name, make)
    if options:
        name += f" ({', '.join(f'{key}={value}' for key, value in sorted(options.items()))})"
    if isinstance(made, nn.Module):
        size = sum(weight.numel() for weight in made.parameters())
        return Architecture(name, make, identity(made), "network", classes, size)
    _refuse_foreign(name, made)
    return Architecture(name, make, _of_estimator(made), "estimator", classes)


def try_out(architecture: Architecture, inputs: Inputs) -> None:
    """Show a fresh network one input as training does, before any is; an estimator takes any.

    Raises:
        ModelError: the network refuses it, or answers no logit for each of the classes.
    """
    if architecture.kind == "estimator":
        return
    name, classes = architecture.name, architecture.classes
    network = _first(name, architecture.make).cpu()
    if networks.gives(network) == "probabilities":
        raise ModelError(
            f"{name}: ends in a layer that gives probabilities, and training takes logits; leave "
            "that layer out"
        )
    answers = _answers(name, network, inputs)
    if not isinstance(answers, torch.Tensor) or answers.shape != (1, classes):
        given = tuple(getattr(answers, "shape", ())) or type(answers).__name__
        raise ModelError(
            f"{name}: answers {given} for one input; let it answer (1, {classes}), a logit "
            f"for each of the {classes} classes"
        )


def _answers(name: str, network: nn.Module, inputs: Inputs) -> object:
    """What it gives for the first input, which it is shown as float32, as training shows all."""
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "fiub":
        given = inputs.dtype if isinstance(inputs, np.ndarray) else "texts"
        raise ModelError(
            f"{name}: takes arrays of numbers and is given {given}; give the inputs as such, or "
            "take an estimator"
        )
    shown = torch.from_numpy(inputs[:1].astype(np.float32))
    try:
        with networks.evaluating(network), torch.no_grad():
            return network(shown)
    except Exception as error:  # whatever a network of the user's raises
        remedy = "give inputs of that form, or another architecture"
        if any(isinstance(one, nn.Embedding | nn.EmbeddingBag) for one in network.modules()):
            remedy = "let its forward begin with inputs.long(), since training gives float32"
        raise ModelError(
            f"{name}: refuses inputs of float32 in shape {inputs.shape[1:]}; it takes "
            f"{networks.wanted(network)} ({first_line(error)}); {remedy}"
        ) from None


def trusted(foreign: list[str]) -> bool:
    """Whether types that a skops file names are all classes of scikit-learn, whose code is known.

    A name that begins so may be a function of another package that is only imported there.
    """
    return all(_is_class_of_sklearn(name) for name in foreign)


def _is_class_of_sklearn(name: str) -> bool:
    module, _, last = name.rpartition(".")
    if not module.startswith("sklearn."):
        return False
    try:
        found = getattr(importlib.import_module(module), last, None)
    except ImportError:
        return False
    return isinstance(found, type) and found.__module__.startswith("sklearn.")


def _named(thing: object) -> tuple[str, Any]:
    """Its name, and the function or estimator that is meant."""
    if isinstance(thing, str):
        if thing not in NETS and ":" not in thing:
            raise ModelError(f"{unknown('network', thing, NETS)} Or give package.module:function")
        return thing, NETS[thing] if thing in NETS else imported(thing)
    if isinstance(thing, nn.Module):
        raise ModelError(
            f"{type(thing).__name__}: a network that exists already, and each reference model is "
            "initialised anew; give the function or class that makes it"
        )
    return getattr(thing, "__qualname__", type(thing).__name__), thing


def _maker(
    name: str, given: Any, of: tuple[Shape, int], options: Mapping[str, Any]
) -> Callable[[], Any]:
    """What makes it anew, its arguments and options checked."""
    if not isinstance(given, type) and hasattr(given, "fit"):
        if options:
            raise SpecError(f"{name}: an estimator has its own settings; set them there")
        return partial(_unfitted, given)
    if not callable(given):
        raise ModelError(f"{name}: is a {type(given).__name__}; give a function or an estimator")
    try:
        takes = signature(given).parameters.values()
    except ValueError:
        raise ModelError(f"{name}: does not say what it takes; wrap it in a function") from None
    at_place = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in takes if one.kind in at_place and one.default is Parameter.empty]
    if len(needed) not in (0, 2):
        raise ModelError(
            f"{name}: needs {', '.join(one.name for one in needed)}; let it take nothing, or the "
            "shape of an input and the number of classes"
        )
    known = {one.name: one.default for one in takes if one.kind is Parameter.KEYWORD_ONLY}
    return partial(given, *of[: len(needed)], **checked(given, known, options, name))


def _unfitted(estimator: Any) -> Any:
    from sklearn.base import clone

    return clone(estimator)


def _first(name: str, make: Callable[[], Any]) -> Any:
    """One of them, the same each time.

    Raises:
        ModelError: making it fails, or it is neither network nor classifier.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = make()
    except NonmemberError:
        raise
    except Exception as error:  # whatever a function of the user's raises
        raise ModelError(f"{name}: cannot be made ({first_line(error)}); mend it") from None
    if isinstance(made, torch.jit.ScriptModule):
        raise ModelError(f"{name}: makes a compiled program; let it make the network itself")
    if isinstance(made, nn.Module) or (hasattr(made, "fit") and hasattr(made, "predict_proba")):
        return made
    raise ModelError(
        f"{name}: makes a {type(made).__name__}; let it make a torch network, or a scikit-learn "
        "classifier with fit and predict_proba (for SVC: in CalibratedClassifierCV)"
    )


def _refuse_foreign(name: str, estimator: Any) -> None:
    from skops import io

    try:
        foreign = io.get_untrusted_types(data=io.dumps(estimator))
    except Exception as error:  # whatever skops meets in an object that it does not know
        raise ModelError(
            f"{name}: cannot be stored without pickling ({first_line(error)}); "
            "take scikit-learn's own estimators"
        ) from None
    if not trusted(foreign):
        raise ModelError(
            f"{name}: holds {', '.join(foreign[:3])}, which cannot be stored and read back safely; "
            "take scikit-learn's own estimators"
        )


def _of_estimator(estimator: Any) -> str:
    """By its settings, but for the random states: these are set from each model's seed."""
    import sklearn

    states = [key for key in estimator.get_params() if key.split("__")[-1] == "random_state"]
    plain = _unfitted(estimator).set_params(**dict.fromkeys(states))
    return digest(sklearn.__version__, identity(plain))
