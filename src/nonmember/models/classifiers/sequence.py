"""Sequence classifiers in folders, as transformers saves them: texts to classes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.models import folder, source
from nonmember.models.classifiers.answers import Ask
from nonmember.models.classifiers.network import evaluating, gathered, outputs
from nonmember.models.functions import first_line
from nonmember.types import Inputs

ROWS = 32
LONGEST = 1 << 20  # beyond it a tokenizer's limit says that it has none


def check(found: source.Source) -> None:
    """Refuse, before any weights are read, a folder without a trained classification head.

    Raises:
        ModelError: it has none, predicts a number or several classes at once, or has no
            safetensors weights.
    """
    config = folder.read_config(found)
    heads = getattr(config, "architectures", None) or ["none recorded"]
    if not any(str(head).endswith("ForSequenceClassification") for head in heads):
        raise ModelError(
            f"{found.name}: holds {heads[0]}, which has no classification head, so one would be "
            "freshly initialised; save the fine-tuned sequence classifier there"
        )
    if config.num_labels < 2 or config.problem_type in ("regression", "multi_label_classification"):
        raise ModelError(
            f"{found.name}: has {config.num_labels} outputs for {config.problem_type or 'one'} "
            "problem; give a model that tells one of at least 2 classes"
        )
    if not any(found.path.glob("*.safetensors")):
        raise ModelError(
            f"{found.name}: its weights are pickled, and no file is unpickled; save the model with "
            "save_pretrained, which writes safetensors"
        )


def class_names(found: source.Source) -> tuple[str, ...] | None:
    """The names of its classes in their order; None where it was never given any."""
    given = folder.read_config(found).id2label
    names = tuple(str(given[place]) for place in range(len(given)))
    return None if names == tuple(f"LABEL_{place}" for place in range(len(names))) else names


def asker(found: source.Source, device: torch.device) -> Ask:
    """Asks the classifier about texts, each cut to the most tokens that it can attend to."""
    network, tokenizer = _read(found).to(device).eval(), folder.read_tokenizer(found)
    rows = ROWS if _pads(network, tokenizer) else 1
    limit = _limit(found, tokenizer)

    def batch(texts: Any) -> Tensor:
        marks = {"padding": rows > 1, "truncation": limit is not None, "max_length": limit}
        tokens = tokenizer(list(texts), return_tensors="pt", **marks).to(device)
        return outputs(found.name, network(**tokens))

    def ask(inputs: Inputs) -> np.ndarray:
        if isinstance(inputs, np.ndarray):
            raise ModelError(f"{found.name}: takes texts and is given arrays; give texts")
        with evaluating(network):
            return gathered(batch, inputs, rows)

    return ask


def _read(found: source.Source) -> Any:
    from transformers import AutoModelForSequenceClassification

    try:
        with folder.quiet():
            network, report = AutoModelForSequenceClassification.from_pretrained(
                found.path,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below
                use_safetensors=True,
                **folder.LOCAL,
            )
    except Exception as error:  # whatever transformers meets in foreign files
        raise ModelError(
            f"{found.name}: cannot be loaded ({first_line(error)}); save it again"
        ) from None
    amiss = sorted(report["missing_keys"]) + sorted(key for key, *_ in report["mismatched_keys"])
    if amiss:
        raise ModelError(
            f"{found.name}: its weights lack or do not fit {', '.join(amiss[:3])}, which would be "
            "freshly initialised; save the whole fine-tuned classifier there"
        )
    return network


def _pads(network: Any, tokenizer: Any) -> bool:
    """Whether texts can share a batch: some models look for the padding to find a text's end."""
    return tokenizer.pad_token_id is not None and (
        network.config.pad_token_id == tokenizer.pad_token_id
    )


def _limit(found: source.Source, tokenizer: Any) -> int | None:
    told = (folder.read_context(found), tokenizer.model_max_length)
    limits = [int(limit) for limit in told if limit is not None and limit < LONGEST]
    return min(limits, default=None)
