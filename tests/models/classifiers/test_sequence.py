"""Sequence classifiers in folders."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from nonmember.data.examples import of as examples_of
from nonmember.errors import ModelError
from nonmember.models.classifiers import find, load

LABELS = [0, 1, 2]
TEXTS = ["the cat sat", "an entry of the ledger: account 4071 was paid " * 9, "said the dog"]


def written(folder: Path, kind: str = "Bert", seed: int = 0, **settings: Any) -> Path:
    """A tiny classifier of three classes, saved as transformers saves it."""
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    plain = {**sizes, "num_attention_heads": 2, "max_position_embeddings": tiny.CONTEXT}
    config = getattr(hf, f"{kind}Config")(
        vocab_size=tiny.VOCABULARY, **{**plain, "num_labels": 3, "pad_token_id": 2, **settings}
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = hf.AutoModelForSequenceClassification.from_config(config)
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.2)
    network.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("bert"))


def changed(folder: Path, **entries: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


@pytest.mark.parametrize("pad", [2, None])
@pytest.mark.parametrize("kind", ["Bert", "Llama"])
def test_logits_are_the_models_own_one_text_at_a_time(
    kind: str, pad: int | None, tmp_path: Path
) -> None:
    folder = written(tmp_path, kind, pad_token_id=pad)
    loaded = load(find(str(folder)), "cpu", examples_of(TEXTS, LABELS))
    network = hf.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    network.config.pad_token_id = 2
    for text, found in zip(TEXTS, loaded.logits(TEXTS), strict=True):
        ids = tiny.tokenizer()(text, return_tensors="pt")["input_ids"][:, : tiny.CONTEXT]
        with torch.no_grad():
            np.testing.assert_allclose(found, network(input_ids=ids).logits[0], atol=1e-4)
    assert loaded.classes == 3


def test_a_folder_is_known_by_its_content(bert: Path, tmp_path: Path) -> None:
    found = find(str(bert))
    assert (found.kind, found.access, found.class_names) == ("folder", "weights", None)
    other = find(str(written(tmp_path, seed=1, id2label={0: "no", 1: "yes", 2: "perhaps"})))
    assert other.digest != found.digest
    assert other.class_names == ("no", "yes", "perhaps")


def test_arrays_are_refused(bert: Path) -> None:
    with pytest.raises(ModelError, match="takes texts and is given arrays"):
        load(find(str(bert)), "cpu", examples_of(np.zeros((2, 3)), [0, 1]))


def test_a_folder_without_a_trained_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="LlamaForCausalLM, which has no classification head"):
        find(str(tiny.llama(tmp_path / "causal")))
    folder = written(tmp_path / "headless")
    weights = load_file(folder / "model.safetensors")
    kept = {name: one for name, one in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lack or do not fit classifier.bias, classifier.weight"):
        load(find(str(folder)), "cpu", examples_of(TEXTS, LABELS))


def test_heads_of_other_problems_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    for problem in ("regression", "multi_label_classification"):
        changed(folder, problem_type=problem)
        with pytest.raises(ModelError, match=f"3 outputs for {problem} problem"):
            find(str(folder))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = written(tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="its weights are pickled"):
        find(str(folder))


def test_an_adapter_is_refused(tmp_path: Path) -> None:
    base = tiny.llama(tmp_path / "base")
    with pytest.raises(ModelError, match="merge it into its base"):
        find(str(tiny.adapter(tmp_path / "adapter", base)))
