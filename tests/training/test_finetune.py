"""From a base on disk to a fine-tuned model on disk, whole or as an adapter."""

import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file

from nonmember.data.texts import Message, Record
from nonmember.errors import DataError, ModelError
from nonmember.models import causal
from nonmember.models.causal import CausalModel, Placement, base_of
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Form, encode
from nonmember.signals.language import token_statistics
from nonmember.training import finetune
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Fitted, Material, Stretch, fit
from nonmember.training.recipe import Recipe

CPU = torch.device("cpu")
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
FULL = Recipe(epochs=4, batch_size=4, learning_rate=5e-3)
LORA = replace(FULL, method="lora", rank=4, alpha=8.0, learning_rate=2e-2)
IDS = torch.arange(24)[None]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever asks the network fails the test, however quietly it does."""
    asked: list[Any] = []

    def refuse(*given: Any, **more: Any) -> None:
        asked.append((given, more))
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not asked


def tuned(
    base: Source,
    encoded: Sequence[Encoded],
    recipe: Recipe,
    folder: Path,
    where: Placement = F32,
    **more: Any,
) -> tuple[CausalModel, tuple[float, ...]]:
    fitted = fine_tune(base, Material((encoded,)), recipe, where, folder, **{"seed": 0, **more})
    return causal.load(locate(str(folder)), where), fitted.losses


def loss_of(model: CausalModel, encoded: Sequence[Encoded]) -> float:
    """Mean over the scored tokens, nats."""
    return float(-np.nanmean(token_statistics(model, encoded)["token_logprobs"]))


@torch.inference_mode()
def logits(model: CausalModel) -> torch.Tensor:
    return model.logits(model.hidden(IDS)[0]).clone()


@pytest.mark.parametrize("recipe", [FULL, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_members_gain_more_than_others(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    recipe: Recipe,
    where: Placement,
) -> None:
    members, others = encoded[::2], encoded[1::2]
    before = causal.load(llama, where)
    after, losses = tuned(llama, members, replace(recipe, epochs=8), tmp_path, where)
    gain = [loss_of(before, some) - loss_of(after, some) for some in (members, others)]
    assert gain[0] > 1.0
    assert gain[0] > gain[1] + 0.5
    assert losses[-1] < losses[0] - 1.0
    assert len(losses) == 8


@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_a_fully_tuned_model_is_a_folder_in_float32(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, where: Placement
) -> None:
    after, _ = tuned(llama, encoded, FULL, tmp_path, where)
    assert after.source.kind == "folder"
    assert after.source.parameters == llama.parameters
    stored = load_file(tmp_path / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float32}
    assert after.tokenizer("the cat")["input_ids"] == tiny.tokenizer()("the cat")["input_ids"]
    assert after.tokenizer.chat_template == tiny.TEMPLATE


@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_an_adapter_is_small_in_float32_and_leaves_its_base_alone(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, where: Placement
) -> None:
    digest = llama.digest
    after, _ = tuned(llama, encoded, LORA, tmp_path, where)
    assert after.source.kind == "adapter"
    assert after.source.base is not None
    assert after.source.base.digest == digest == locate(llama.name).digest
    stored = load_file(tmp_path / "adapter_model.safetensors")
    assert all("lora_" in name for name in stored), "no weight of the base"
    assert {weight.dtype for weight in stored.values()} == {torch.float32}
    own = sum(weight.numel() for weight in stored.values())
    assert after.source.parameters == llama.parameters + own
    assert torch.equal(logits(base_of(after)), logits(causal.load(llama, where)))
    assert not torch.equal(logits(after), logits(base_of(after)))


def test_a_large_models_adapter_is_a_small_file(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    tuned(llama, encoded, replace(LORA, rank=1, epochs=1), tmp_path)
    whole = (llama.path / "model.safetensors").stat().st_size
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < whole / 4


def test_an_adapter_names_its_base_wherever_it_is_read(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(llama.path.parent)
    fine_tune(locate("llama"), Material((encoded,)), LORA, F32, tmp_path / "adapter", seed=0)
    monkeypatch.chdir(tmp_path)
    found = locate("adapter")
    assert found.base is not None
    assert found.base.digest == llama.digest
    settings = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(llama.path)


def test_an_adapter_of_a_packaged_model_names_it(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    fine_tune(replace(llama, name="smollm2"), Material((encoded,)), LORA, F32, tmp_path, seed=0)
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "smollm2"


def test_the_model_of_a_gguf_file_is_tuned_into_a_folder(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    base = locate(str(tiny.to_gguf(tmp_path / "llama.gguf", llama.path)))
    after, losses = tuned(base, encoded, FULL, tmp_path / "folder")
    _, same = tuned(llama, encoded, FULL, tmp_path / "other")
    assert after.source.kind == "folder"
    assert losses == pytest.approx(same, rel=1e-4)


def test_gpt2s_fused_layers_take_adapters(encoded: tuple[Encoded, ...], tmp_path: Path) -> None:
    base = locate(str(tiny.gpt2(tmp_path / "gpt2")))
    after, losses = tuned(base, encoded, replace(LORA, dropout=0.1), tmp_path / "adapter")
    assert losses[-1] < losses[0]
    assert not torch.equal(logits(after), logits(base_of(after)))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("recipe", [FULL, LORA], ids=["full", "lora"])
def test_one_seed_gives_one_model(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, kind: str, recipe: Recipe
) -> None:
    """GPT-2's config drops a tenth of everything, the adapters here a third."""
    base = llama if kind == "llama" else locate(str(tiny.gpt2(tmp_path / "gpt2")))
    short = replace(recipe, epochs=1, dropout=0.3)
    runs = [
        tuned(base, encoded, short, tmp_path / name, seed=seed)
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    ]
    (first, losses), (again, same), (other, _) = runs
    assert losses == same
    assert torch.equal(logits(first), logits(again))
    assert not torch.equal(logits(first), logits(other))


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.mark.parametrize("recipe", [FULL, LORA], ids=["full", "lora"])
def test_an_interrupted_run_ends_in_the_same_model(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finetune, "fit", checkpointing_always)
    whole, losses = tuned(llama, encoded, recipe, tmp_path / "whole")
    seen: list[int] = []

    def watch(tokens: int) -> None:
        seen.append(tokens)
        if len(seen) == 6:
            raise StoppedError

    more = {"scratch": tmp_path / "scratch"}
    with pytest.raises(StoppedError):
        tuned(llama, encoded, recipe, tmp_path / "resumed", watch=watch, **more)
    assert not (tmp_path / "resumed").exists()
    resumed, same = tuned(llama, encoded, recipe, tmp_path / "resumed", watch=seen.append, **more)
    assert seen[6] == sum(seen[:5]), "five updates were kept"
    assert same == losses
    assert torch.equal(logits(resumed), logits(whole))


def checkpointing_always(*given: Any, stretch: Stretch, **more: Any) -> Fitted:
    return fit(*given, stretch=replace(stretch, checkpoint_seconds=0.0), **more)


def test_the_scored_tokens_are_the_trained_tokens(llama: Source, tmp_path: Path) -> None:
    """The loss of one batch, before its update, is the mean that scoring finds."""
    chat = (Message("user", "the dog?"), Message("assistant", "on the log 12"))
    records = [Record("0", tiny.LINES[0]), Record("1", chat), Record("2", chat[:1])]
    encoded = encode(causal.load_tokenizer(llama), records, Form(48))
    expected = loss_of(causal.load(llama, F32), encoded)
    recipe = replace(FULL, epochs=1, batch_size=3, micro_batch=1)
    fitted = fine_tune(llama, Material((encoded,)), recipe, F32, tmp_path, seed=0)
    assert fitted.losses == pytest.approx((expected,), abs=1e-5)


@pytest.mark.parametrize("recipe", [FULL, LORA], ids=["full", "lora"])
def test_an_adapter_is_not_trained_further(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, recipe: Recipe
) -> None:
    base = locate(str(tiny.adapter(tmp_path / "adapter", llama.path)))
    with pytest.raises(ModelError, match="cannot be trained further; merge it"):
        fine_tune(base, Material((encoded,)), recipe, F32, tmp_path / "folder", seed=0)
    assert not (tmp_path / "folder").exists()


def test_nothing_to_train_on_leaves_nothing_behind(llama: Source, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no record has a token to train on"):
        fine_tune(llama, Material(((),)), FULL, F32, tmp_path / "folder", seed=0)
    assert not (tmp_path / "folder").exists()


def test_training_says_nothing(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for recipe in (FULL, LORA):
        short, folder = replace(recipe, epochs=1), tmp_path / recipe.method
        fine_tune(llama, Material((encoded,)), short, BF16, folder, seed=0)
    assert capfd.readouterr() == ("", "")
