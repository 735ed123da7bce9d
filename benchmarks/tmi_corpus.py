"""Texts for transfer attacks: whose documents a language model learns, and other tasks."""

import json
import lzma
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from classifiers_data import MissingError
from tmi_language import reader
from tmi_study import Family, Task
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.trainers import BpeTrainer

from nonmember.data import examples
from nonmember.models.architecture import architecture_of
from nonmember.seeds import generator
from nonmember.signals.store import Store
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.membership import balanced

ARXIV = "arxiv_abstracts/arxiv_abstracts"
PILE = ("pubmed_abstracts", "wikipedia_en", "hackernews", "pile_cc", "github")
SOURCES = (ARXIV, *(f"pile/{name}" for name in PILE))
SIX, THREE, WORDS = "six sources", "arXiv, PubMed or Wikipedia", "does a word begin"
TASKS = (SIX, THREE, WORDS)
IDS, UNKNOWN, BEGIN = 256, "<unk>", "▁"
SEEN = 20  # documents that a token must follow in, to be told from the rare ones


@dataclass(frozen=True)
class Size:
    """How much of everything; ``windows`` of each candidate, of ``length`` tokens."""

    documents: int = 600
    length: int = 16
    windows: int = 32
    asked: int = 8
    downstream: int = 200
    test: int = 200
    each: int = 1
    models: int = 64
    epochs: int = 10
    width: int = 48


FULL = Size()
TINY = Size(120, 8, 8, 4, 30, 20, 1, 8, 2, 16)


@dataclass(frozen=True)
class Corpus:
    """Abstracts that are candidates, and other documents of six kinds, as tokens of a small BPE.

    A candidate is what a language model is given of it: each of so many windows one behind the
    other, and the token that follows.
    """

    data: Path | None
    store: Store
    size: Size = FULL
    seed: int = 0

    @cached_property
    def texts(self) -> dict[str, list[str]]:
        """Documents of each kind in random order, of equal ones the first, in plain characters."""
        found = {}
        for source in SOURCES:
            path = None if self.data is None else self.data / f"{source}.jsonl.xz"
            if path is None or not path.is_file():
                name = f"{source}.jsonl.xz"
                raise MissingError(f"{name} is not in {self.data}; give its folder with --data DIR")
            with lzma.open(path, "rt", encoding="utf-8") as lines:
                plain = dict.fromkeys(_plain(json.loads(line)["text"]) for line in lines)
            long = [text for text in plain if len(text) >= 400]
            order = generator(self.seed, "documents", source).permutation(len(long))
            found[source] = [long[i] for i in order]
        return found

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Learnt from abstracts that are used for nothing else."""
        made = Tokenizer(BPE(unk_token=UNKNOWN))
        made.pre_tokenizer = Metaspace()
        teach = BpeTrainer(
            vocab_size=IDS, special_tokens=[UNKNOWN], limit_alphabet=80, show_progress=False
        )
        made.train_from_iterator(self.texts[ARXIV][-1_000:], teach)
        return made

    def tokens(self, texts: Sequence[str], count: int) -> np.ndarray:
        """The first tokens of each, (n count)."""
        found = self.tokenizer.encode_batch([text[: 8 * count] for text in texts])
        return np.array([one.ids[:count] for one in found], dtype=np.uint8)

    @cached_property
    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each candidate, (n w l), and what follows, (n w): rare tokens as one class, 0."""
        size = self.size
        ids = self.tokens(self.texts[ARXIV][: size.documents], size.windows + size.length)
        shown, after = _windows(ids, size.length)
        documents = [(after == token).any(axis=1).sum() for token in range(IDS)]
        known = np.flatnonzero(np.array(documents) >= min(SEEN, size.documents // 8))
        number = np.zeros(IDS, dtype=np.int64)
        number[known] = np.arange(1, len(known) + 1)
        return shown, number[after]

    @cached_property
    def family(self) -> Family:
        """Language models, each of half of the documents."""
        size, (shown, after) = self.size, self.windows
        asked = np.linspace(0, size.windows - 1, size.asked).astype(int)
        truth = balanced(np.arange(size.documents), size.models, seed=self.seed)
        flat = shown.reshape(-1, size.length)
        options = {"ids": IDS, "width": size.width}
        return Family(
            architecture_of(reader, flat.shape[1:], int(after.max()) + 1, options),
            examples.of(flat, after.ravel()),
            ClassifierRecipe(epochs=size.epochs, learning_rate=3e-3),
            np.repeat(truth, size.windows, axis=1),
            truth,
            shown[:, asked],
            self.store,
            self.seed,
        )

    @property
    def labels(self) -> np.ndarray:
        """What follows the windows that are asked about, (n v)."""
        asked = np.linspace(0, self.size.windows - 1, self.size.asked).astype(int)
        return self.windows[1][:, asked]

    def task(self, name: str) -> Task:
        """Windows of documents that are no candidates; others to judge children by."""
        sources = (ARXIV,) if name == WORDS else SOURCES[: 3 if name == THREE else 6]
        many = 6 // len(sources)  # documents of a kind, so that all tasks have as many in all
        shown, labels = [], []
        for number, source in enumerate(sources):
            first = self.size.documents if source == ARXIV else 0
            count = many * (self.size.test + self.size.downstream)
            one, after = self._drawn(self.texts[source][first : first + count], source)
            shown.append(one)
            own = self._begins(after) if name == WORDS else np.full(after.shape, number)
            labels.append(own)
        ends = slice(many * self.size.test), slice(many * self.size.test, None)
        test, given = (
            self._examples([one[end] for one in shown], [one[end] for one in labels])
            for end in ends
        )
        return Task(name, given, test)

    def _examples(self, shown: list[np.ndarray], labels: list[np.ndarray]) -> examples.Examples:
        flat = np.concatenate(shown).reshape(-1, self.size.length)
        return examples.of(flat, np.concatenate(labels).ravel().astype(np.int64))

    def _drawn(self, texts: Sequence[str], source: str) -> tuple[np.ndarray, np.ndarray]:
        """A few windows of each document, at random places, and what follows."""
        size = self.size
        ids = self.tokens(texts, size.windows + size.length)
        shown, after = _windows(ids, size.length)
        rng = generator(self.seed, "windows", source)
        places = rng.permuted(np.tile(np.arange(size.windows), (len(ids), 1)), axis=1)
        places = places[:, : size.each]
        return np.take_along_axis(shown, places[:, :, None], 1), np.take_along_axis(
            after, places, 1
        )

    def _begins(self, after: np.ndarray) -> np.ndarray:
        words: Mapping[str, int] = self.tokenizer.get_vocab()
        begins = np.zeros(IDS, dtype=np.int64)
        begins[[place for word, place in words.items() if word.startswith(BEGIN)]] = 1
        return begins[after]


def _plain(text: str) -> str:
    """Lower case, of few characters, and one space between words."""
    return " ".join(re.sub(r"[^a-z0-9 .,;:()'\"=+*/-]", " ", text.lower()).split())


def _windows(ids: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """All windows but the last, (n w l), and the token behind each, (n w)."""
    shown = np.lib.stride_tricks.sliding_window_view(ids, length, axis=1)[:, :-1]
    return np.ascontiguousarray(shown), ids[:, length:]
