"""Models, adapters and tokenizers in folders, as transformers and peft save and read them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch

from nonmember.errors import ModelError
from nonmember.models.functions import first_line
from nonmember.models.source import Source

LOCAL = {"local_files_only": True, "trust_remote_code": False}


def read(
    source: Source, dtype: torch.dtype, head: Literal["CausalLM", "MaskedLM"] = "CausalLM"
) -> Any:
    """The whole model with this head, its weights in ``dtype``.

    Raises:
        ModelError: transformers cannot load it, or would have to invent some of its weights.
    """
    import transformers

    with _reading(source):
        network, report = getattr(transformers, f"AutoModelFor{head}").from_pretrained(
            source.path,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported here, instead of a sentence about this option
            **LOCAL,
        )
    amiss = sorted(report["missing_keys"]) + sorted(key for key, *_ in report["mismatched_keys"])
    if amiss:
        raise ModelError(
            f"{source.name}: its weights lack or do not fit {', '.join(amiss[:3])}; "
            "save the whole model there"
        )
    return network


def outline(source: Source) -> Any:
    """The whole model without its weights, on the meta device, where nothing is initialised.

    Raises:
        ModelError: transformers cannot make it.
    """
    from transformers import AutoModelForCausalLM

    config = read_config(source)
    with _reading(source), torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def read_adapter(source: Source, below: Any) -> Any:
    """The model ``below`` with the adapter on it.

    Raises:
        ModelError: peft cannot load it, or it would not leave the base as it is.
    """
    from peft import PeftModel

    before = {name: (weight, weight._version) for name, weight in below.named_parameters()}
    with _reading(source):
        network = PeftModel.from_pretrained(below, str(source.path))
    changed = [name for name, (weight, age) in before.items() if weight._version != age]
    if changed:
        raise ModelError(
            f"{source.name}: the adapter overwrites {changed[0]} of its base, so that switching it "
            "off would not restore the base; merge it into a folder, and name its base with --base"
        )
    return network


def read_tokenizer(source: Source) -> Any:
    """The tokenizer.

    Raises:
        ModelError: there is none, or it cannot tell which characters a token spells.
    """
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source.path, **LOCAL)
    except Exception as error:
        raise ModelError(
            f"{source.name}: no readable tokenizer in it ({first_line(error)}); save it there"
        ) from None
    if not tokenizer.is_fast:
        raise ModelError(
            f"{source.name}: its tokenizer does not tell which characters a token spells; "
            "save one with a tokenizer.json there"
        )
    return tokenizer


def read_context(source: Source) -> int | None:
    """The most positions the model can attend to, if its configuration says."""
    config = read_config(source)
    return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)


def read_vocabulary(source: Source) -> int | None:
    """How many tokens the model knows, if its configuration says."""
    return getattr(read_config(source), "vocab_size", None)


def read_config(source: Source) -> Any:
    """The configuration.

    Raises:
        ModelError: transformers cannot read it.
    """
    from transformers import AutoConfig

    with _reading(source):
        return AutoConfig.from_pretrained(source.path, **LOCAL)


def write(network: Any, tokenizer: Any, place: Path) -> None:
    """Write a model or adapter, and the tokenizer: safetensors and JSON."""
    # peft would ask the internet whether the base's embeddings have grown; they have not.
    adapter = {"save_embedding_layers": False} if hasattr(network, "peft_config") else {}
    with quiet():
        network.save_pretrained(place, **adapter)
        tokenizer.save_pretrained(place)


@contextmanager
def _reading(source: Source) -> Iterator[None]:
    """Turn whatever transformers and peft meet in foreign files into one sentence."""
    try:
        with quiet():
            yield
    except UnpicklingError:
        raise ModelError(
            f"{source.name}: its pickled weights hold more than tensors, so they are not opened; "
            "save the model as safetensors"
        ) from None
    except Exception as error:
        raise ModelError(
            f"{source.name}: cannot be loaded ({first_line(error)}); give a model that "
            "transformers loads without code of the model's own"
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Without what transformers and peft say on the way: what matters is raised instead."""
    from transformers.utils import logging

    shown, loudness = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", ".*missing adapter keys")
            yield
    finally:
        logging.set_verbosity(loudness)
        if shown:
            logging.enable_progress_bar()
