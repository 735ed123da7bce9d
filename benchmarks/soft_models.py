"""Small models of two architectures and two sizes, pre-trained here, and SOFT on each.

The paper's first finding is measured too: the more the loss of training records drops, the
better attacks tell them apart.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soft_texts
import torch
from soft_audits import RECIPE, Study, adaptive, audited, soft, values
from soft_figures import data, figures
from soft_texts import ABSTRACTS, SEED
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from nonmember.audit.records import Results
from nonmember.data.records import Record, Records
from nonmember.models import causal, folder
from nonmember.models.source import locate
from nonmember.models.text import Encodings, Form
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material
from nonmember.training.recipe import Recipe

HELD_OUT = 1_000  # abstracts that neither a tokenizer nor a model is trained on
ENDING, ABOUT = "<|end|>", "pretraining.json"
EPOCHS = (1, 2, 3, 4, 6)
DEFENDED = 4  # epochs of the defended runs
RATIOS = (0.5, 1.0)
TUNING_RATE = 1e-4
READING = Recipe(epochs=1, batch_size=16, micro_batch=16, learning_rate=1e-3)


@dataclass(frozen=True)
class Shape:
    """A model's size: ``width`` of its hidden states, blocks and heads."""

    kind: str
    width: int
    blocks: int
    heads: int


SHAPES = {
    "llama-3M": Shape("llama", 192, 4, 4),
    "llama-12M": Shape("llama", 384, 5, 6),
    "gpt2-3M": Shape("gpt2", 192, 4, 4),
    "gpt2-12M": Shape("gpt2", 384, 5, 6),
}


@dataclass(frozen=True)
class Schooling:
    """How much a small model reads before it is fine-tuned, and in which numbers."""

    abstracts: int = 8_000
    tokens: int = 128  # of each
    vocabulary: int = 8_192
    precision: str = "bfloat16"  # of float32's time it takes half, where it is native


FULL, TINY = Schooling(), Schooling(64, 256, 2_048)


def measure(study: Study, name: str, schooling: Schooling) -> dict[str, Any]:
    """One model: what it learnt, and its audits undefended and defended."""
    made = pretrained(study, name, schooling)
    path = made.parent / "held-out.jsonl"
    tokenizer = causal.load_tokenizer(locate(str(made)))
    if not path.is_file():
        held_out = soft_texts.shuffled(study.data, ABSTRACTS)[:HELD_OUT]
        soft_texts.written(path, soft_texts.cut(held_out, tokenizer, study.size.tokens))
    asked = values(study, f"SOFT on {name}", path, study.size.tokens, _targets(made))
    found = audited(study, f"model {name}", adaptive(asked, study, "synonyms"))
    return {
        "parameters": locate(str(made)).parameters,
        "pre-training": json.loads((made / ABOUT).read_text()),
        "data": data(found),
        "curve": curve(found),
        "targets": {target.name: figures(target) for target in found.targets},
    }


def _targets(base: Path) -> dict[str, Any]:
    """Undefended for longer and longer, and defended for one of these times."""

    def target(epochs: int, *defenses: Mapping[str, Any]) -> dict[str, Any]:
        recipe = {**RECIPE, "epochs": epochs, "learning_rate": TUNING_RATE}
        made = {"base": str(base), "trained_on": "members", "recipe": recipe}
        return {**made, "defenses": list(defenses)}

    return {
        **{f"epochs {count}": target(count) for count in EPOCHS},
        **{f"soft {ratio}": target(DEFENDED, soft(ratio)) for ratio in RATIOS},
    }


def curve(found: Results) -> list[dict[str, Any]]:
    """By epochs: how far the losses fell, nats per token, and what attacks find."""
    rows = []
    for epochs in EPOCHS:
        target = next(one for one in found.targets if one.name == f"epochs {epochs}")
        assert target.fit and target.base_fit
        falls = {
            side: round(getattr(target.base_fit, side).value - getattr(target.fit, side).value, 4)
            for side in ("members", "non_members")
        }
        told = figures(target)
        auc = {name: told["auc"][name] for name in ("loss", "reference_difference", "wbc")}
        rows.append({"epochs": epochs, "loss drop": falls, "auc": auc})
    return rows


def pretrained(study: Study, name: str, schooling: Schooling) -> Path:
    """The folder of a small model that has read abstracts; made if it is not there."""
    place = study.store / "models" / name / "pretrained"
    if not place.is_dir():
        part = place.with_name("part")
        about = _schooled(study, name, schooling, part)
        (part / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
        part.rename(place)
    return place


def _schooled(study: Study, name: str, schooling: Schooling, made: Path) -> dict[str, Any]:
    """Draw a model and have it read the abstracts once; what is to be known of that."""
    reading = soft_texts.shuffled(study.data, ABSTRACTS)[HELD_OUT:][: schooling.abstracts]
    tokenizer = _tokenizer(study.store / "models" / "tokenizer.json", reading, schooling)
    blank, scratch = made.with_name("blank"), made.with_name("unfinished")
    folder.write(_network(SHAPES[name], schooling), tokenizer, blank)
    scratch.mkdir(exist_ok=True)
    records = Records.of(Record(f"abstract {at}", text) for at, text in enumerate(reading))
    read = Material((Encodings(tokenizer, records, Form(schooling.tokens)),))
    where = causal.placement(precision=schooling.precision)
    start = time.perf_counter()
    fitted = fine_tune(locate(str(blank)), read, READING, where, made, seed=SEED, scratch=scratch)
    return {
        "abstracts": len(reading),
        "tokens": sum(fitted.tokens),
        "loss per epoch, nats per token": fitted.losses,
        "seconds since the last start": round(time.perf_counter() - start, 1),
        "precision": schooling.precision,
    }


def _tokenizer(path: Path, reading: list[str], schooling: Schooling) -> Any:
    """A byte-level BPE tokenizer of the abstracts, the same for all models."""
    from transformers import PreTrainedTokenizerFast

    if not path.is_file():
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=schooling.vocabulary,
            special_tokens=[ENDING],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made.train_from_iterator(reading, trainer)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(str(path))
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(path)), eos_token=ENDING
    )


def _network(shape: Shape, schooling: Schooling) -> Any:
    """A model with weights as drawn."""
    from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

    ends = {"bos_token_id": None, "eos_token_id": 0, "vocab_size": schooling.vocabulary}
    if shape.kind == "gpt2":
        sizes = {"n_embd": shape.width, "n_layer": shape.blocks, "n_head": shape.heads}
        config = GPT2Config(**sizes, n_positions=schooling.tokens, **ends)
    else:
        config = LlamaConfig(
            hidden_size=shape.width,
            intermediate_size=shape.width * 8 // 3,
            num_hidden_layers=shape.blocks,
            num_attention_heads=shape.heads,
            max_position_embeddings=schooling.tokens,
            tie_word_embeddings=True,
            **ends,
        )
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return AutoModelForCausalLM.from_config(config)
