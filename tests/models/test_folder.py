"""Folders and adapters are read quietly, exactly or not at all, and written to be read again."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
import torch
from torch import Tensor
from transformers.utils import logging

from nonmember.errors import ModelError
from nonmember.models import causal
from nonmember.models.causal import CausalModel, Placement
from nonmember.models.source import locate

Copy = Callable[..., Path]
F32 = Placement(torch.device("cpu"), torch.float32)


def loaded(path: Path) -> CausalModel:
    return causal.load(locate(str(path)), F32)


@torch.inference_mode()
def logits(model: CausalModel) -> Tensor:
    return model.logits(model.hidden(torch.arange(24)[None])[0])


def test_an_adapter_that_overwrites_its_base_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    grown = tiny.adapter(tmp_path / "grown", folders["llama"], embeddings=True)
    biased = tiny.adapter(tmp_path / "biased", folders["phi"], bias="all")
    for made, told in ((grown, "embed_tokens"), (biased, "bias")):
        with pytest.raises(ModelError, match=f"overwrites .*{told}.*--base"):
            loaded(made)


def test_an_adapter_that_prefixes_tokens_is_refused(llama: Path, tmp_path: Path) -> None:
    made = tiny.prompt(tmp_path / "prompt", llama)
    with pytest.raises(ModelError, match="cannot be audited yet"):
        loaded(made)


def test_loading_and_saving_say_nothing(
    llama: Path, adapter: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert logging.is_progress_bar_enabled()
    loudness = logging.get_verbosity()
    logging.set_verbosity_warning()
    for number, path in enumerate((llama, adapter)):
        model = loaded(path)
        causal.save(model.network, model.tokenizer, tmp_path / str(number))
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled(), "put back"
    assert logging.get_verbosity() == logging.WARNING
    logging.set_verbosity(loudness)


@pytest.mark.parametrize("kind", ["llama", "adapter"])
def test_what_is_saved_is_loaded_again(
    llama: Path, adapter: Path, tmp_path: Path, kind: str
) -> None:
    model = loaded(llama if kind == "llama" else adapter)
    causal.save(model.network, model.tokenizer, tmp_path)
    again = loaded(tmp_path)
    assert again.source.kind == model.source.kind
    assert torch.equal(logits(again), logits(model))
    assert not list(tmp_path.glob("*.bin"))


def test_a_tokenizer_is_the_adapters_own_or_its_bases(
    adapter: Path, llama: Path, copy: Copy
) -> None:
    ids = tiny.tokenizer()("the cat")["input_ids"]
    assert causal.load_tokenizer(locate(str(adapter)))("the cat")["input_ids"] == ids
    own = copy(adapter)
    tiny.tokenizer(bos=True).save_pretrained(own)
    assert causal.load_tokenizer(locate(str(own)))("the cat")["input_ids"] == [0, *ids]


def test_a_folder_without_tokenizer_is_refused(llama: Path, copy: Copy) -> None:
    bare = copy(llama)
    for file in bare.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match=f"^{bare}: no readable tokenizer"):
        causal.load_tokenizer(locate(str(bare)))


def test_the_context_is_known_without_loading(folders: dict[str, Path], adapter: Path) -> None:
    for path in (*folders.values(), adapter):
        assert causal.context_length(locate(str(path))) == tiny.CONTEXT
