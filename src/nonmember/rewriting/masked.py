"""Replacements that a masked language model proposes, after Mattern et al. 2023, 2305.18462."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.models import folder
from nonmember.models.source import Source, locate
from nonmember.rewriting.words import Swap, Word, shaped, split

DROPOUT = 0.7
LOGITS_AT_ONCE = 1 << 25  # of one pass: 128 MB in float32
SPELLINGS = 3  # of one word in a vocabulary: small, capital, initial capital

Range = tuple[int, int]
Stamps = frozenset[tuple[str, int, int]]
"""Names, sizes and times of the files in a folder: they tell one version of it from the next."""


@dataclass(frozen=True)
class Masked:
    """A masked language model as a filler.

    ``room`` is how many tokens of a text it reads at once, between ``opening`` and
    ``closing``. Each word that is one token stands in ``vocabulary`` under that token; these
    tokens are also ``words`` (w,), and ``candidates`` of them are considered for a place.
    """

    network: Any
    tokenizer: Any
    room: int
    opening: tuple[int, ...]
    closing: tuple[int, ...]
    vocabulary: dict[int, str]
    words: Tensor
    candidates: int = 10

    def ranked(self, text: str, words: Sequence[Word], draw: np.random.Generator) -> list[Swap]:
        """Exchanges by falling p(new) / (1 - p(old)), where the old word is seen through dropout.

        Of each word's place the likeliest ``candidates`` are proposed. A word that is no
        single token of the model has no p(old) and is left alone.
        """
        ids, ranges = self._tokens(text, words)
        known = [
            (place, first)
            for place, (first, end) in enumerate(ranges)
            if end - first == 1 and self._spells(int(ids[first]), words[place])
        ]
        scored = []
        centres = np.array([first for _, first in known], dtype=np.int64)
        answers = self._seen_dimly(ids, centres, draw)
        for (place, first), probabilities in zip(known, answers, strict=True):
            unlikely = max(1e-12, 1 - float(probabilities[ids[first]]))
            for new, p in self._likeliest(probabilities, words[place].text):
                scored.append((-p / unlikely, Swap(place, new)))
        return [swap for _, swap in sorted(scored)]

    def replaceable(self, words: Sequence[Word]) -> list[int]:
        """All of them: a mask can stand for any."""
        return list(range(len(words)))

    def filled(
        self, text: str, words: Sequence[Word], places: Sequence[int], draw: np.random.Generator
    ) -> list[Swap]:
        """For each word one of the likeliest at its mask, drawn by their probabilities.

        All are masked at once, and each is drawn without regard to the others.
        """
        ids, ranges = self._tokens(text, words)
        whole, masks = self._with_masks(ids, ranges, places)
        found = []
        for start in range(0, len(whole), self.room):
            here = [(p, at - start) for p, at in masks if 0 <= at - start < self.room]
            piece = whole[start : start + self.room]
            at = np.array([column for _, column in here], dtype=np.int64)
            answers = self._asked(piece[None], np.zeros_like(at), at) if here else ()
            for (place, _), probabilities in zip(here, answers, strict=True):
                options = self._likeliest(probabilities, words[place].text)
                weights = np.cumsum([p for _, p in options])
                number = int(np.searchsorted(weights, draw.random() * weights[-1], side="right"))
                found.append(Swap(place, options[number][0]))
        return found

    def _tokens(self, text: str, words: Sequence[Word]) -> tuple[np.ndarray, list[Range]]:
        """Token ids (t,) of the text, and the first and past-the-last token of each word."""
        found = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        offsets = np.array(found["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        firsts = np.searchsorted(offsets[:, 1], [word.start for word in words], side="right")
        ends = np.searchsorted(offsets[:, 0], [word.end for word in words], side="left")
        ranges = list(zip(firsts.tolist(), ends.tolist(), strict=True))
        return np.array(found["input_ids"], dtype=np.int64), ranges

    def _spells(self, token: int, word: Word) -> bool:
        return self.vocabulary.get(token, "").casefold() == word.text.casefold()

    def _with_masks(
        self, ids: np.ndarray, ranges: Sequence[Range], places: Sequence[int]
    ) -> tuple[np.ndarray, list[tuple[int, int]]]:
        """The ids with one mask for each word at ``places``, and where each word's mask stands."""
        parts: list[int] = []
        masks, done = [], 0
        for place in places:
            first, end = ranges[place]
            if first < done or first >= end:
                continue  # the tokenizer drops the word, or has it in one token with the last
            parts += ids[done:first].tolist()
            masks.append((place, len(parts)))
            parts.append(self.tokenizer.mask_token_id)
            done = end
        return np.array(parts + ids[done:].tolist(), dtype=np.int64), masks

    def _seen_dimly(
        self, ids: np.ndarray, centres: np.ndarray, draw: np.random.Generator
    ) -> Iterator[Tensor]:
        """Probabilities (v,) at each centre in turn, whose own embedding alone meets dropout."""
        size = min(self.room, len(ids))
        starts = np.clip(centres - size // 2, 0, len(ids) - size)
        windows = ids[starts[:, None] + np.arange(size)]
        width = self.network.get_input_embeddings().embedding_dim
        kept = (draw.random((len(centres), width)) >= DROPOUT) / (1 - DROPOUT)
        rows = max(1, LOGITS_AT_ONCE // (max(1, size) * self.network.config.vocab_size))
        for start in range(0, len(centres), rows):
            some = slice(start, start + rows)
            at = (centres - starts)[some]
            yield from self._asked(windows[some], np.arange(len(at)), at, kept[some])

    @torch.inference_mode()
    def _asked(
        self, ids: np.ndarray, rows: np.ndarray, columns: np.ndarray, kept: np.ndarray | None = None
    ) -> Tensor:
        """Float64 probabilities (k v) at k places of ids (b t), embeddings there times ``kept``."""
        framed = np.pad(ids, ((0, 0), (len(self.opening), len(self.closing))))
        framed[:, : len(self.opening)] = self.opening
        framed[:, framed.shape[1] - len(self.closing) :] = self.closing
        tokens = torch.from_numpy(framed).to(self.network.device)
        embedded = self.network.get_input_embeddings()(tokens)
        at = torch.from_numpy(rows), torch.from_numpy(columns + len(self.opening))
        if kept is not None:
            embedded[at] *= torch.from_numpy(kept).to(embedded)
        seen = torch.ones_like(tokens)
        logits = self.network(inputs_embeds=embedded, attention_mask=seen).logits[at]
        return torch.softmax(logits.double(), dim=1).cpu()

    def _likeliest(self, probabilities: Tensor, old: str) -> list[tuple[str, float]]:
        """The likeliest words other than the old one, shaped as it is, and their p."""
        count = min(len(self.words), SPELLINGS * (self.candidates + 1))
        top = torch.topk(probabilities[self.words], count)
        found: dict[str, tuple[str, float]] = {}
        for p, number in zip(top.values.tolist(), self.words[top.indices].tolist(), strict=True):
            word = shaped(self.vocabulary[number], old)
            if word.casefold() != old.casefold():
                found.setdefault(word.casefold(), (word, p))
        return list(found.values())[: self.candidates]


def check(name: str) -> None:
    """Refuse what ``read`` refuses, as far as that shows without the weights.

    Raises:
        ModelError: no masked language model is in the folder, or its tokenizer has no mask.
    """
    _found(name)


def read(name: str, *, candidates: int = 10, device: torch.device | str = "cpu") -> Masked:
    """The masked language model in a folder; the last one read is kept at hand.

    Raises:
        ModelError: there is none, or its tokenizer has no mask.
    """
    return replace(_loaded(name, _stamps(name), str(device)), candidates=candidates)


def _stamps(place: str) -> Stamps:
    files = [(path.name, path.stat()) for path in Path(place).expanduser().glob("*")]
    return frozenset((name, facts.st_size, facts.st_mtime_ns) for name, facts in files)


@lru_cache(maxsize=1)  # every shard of an audit asks for the same, and hashing takes long
def _loaded(name: str, _version: Stamps, device: str) -> Masked:
    source, tokenizer = _found(name)
    network = folder.read(source, torch.float32, "MaskedLM").to(device).eval()
    opening, closing = (
        () if token is None else (token,)
        for token in (tokenizer.cls_token_id, tokenizer.sep_token_id)
    )
    # Two more than the special tokens: the positions of RoBERTa's kind begin at two.
    room = min(folder.read_context(source) or 512, tokenizer.model_max_length) - 4
    spelled = _whole_words(tokenizer, network.config.vocab_size)
    words = torch.tensor(list(spelled), dtype=torch.int64)
    return Masked(network, tokenizer, room, opening, closing, spelled, words)


def _found(name: str) -> tuple[Source, Any]:
    """Where the model is, and its tokenizer."""
    source = locate(name)
    if source.kind != "folder":
        raise _unfit(name, f"it is of another kind ({source.kind})")
    config = folder.read_config(source)
    if not _fills(config):
        said = config.architectures or [f"model of type {config.model_type}"]
        raise _unfit(name, f"it is a {said[0]}")
    tokenizer = folder.read_tokenizer(source)
    if tokenizer.mask_token_id is None:
        raise _unfit(name, "its tokenizer has no mask")
    return source, tokenizer


def _fills(config: Any) -> bool:
    """Whether the configuration is of a model with the head that fills masks."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as HEADED

    own = HEADED.get(config.model_type)
    said = config.architectures or [own]
    return own is not None and any(one == own or one.endswith("ForPreTraining") for one in said)


def _unfit(name: str, why: str) -> ModelError:
    return ModelError(
        f"filler {name}: no masked language model ({why}); give a folder that one was saved to "
        'with its tokenizer, or "wordnet"'
    )


def _whole_words(tokenizer: Any, size: int) -> dict[int, str]:
    """The words that stand as one token where white space precedes them, by their tokens."""
    numbers = range(min(size, len(tokenizer)))
    said = [one.strip() for one in tokenizer.batch_decode([[number] for number in numbers])]
    again = tokenizer([f" {one}" for one in said], add_special_tokens=False)["input_ids"]
    special = set(tokenizer.all_special_ids)
    return {
        number: text
        for number, text, ids in zip(numbers, said, again, strict=True)
        if ids == [number] and number not in special and [w.text for w in split(text)] == [text]
    }
