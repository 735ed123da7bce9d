"""TMI on texts: a small language model of abstracts, fine-tuned to classify other texts.

    OMP_NUM_THREADS=1 python benchmarks/tmi_texts.py --data DIR --store DIR [--only PART ...]
        [--seeds 0 1 2] [--tiny]

``parents``: 64 transformers of two blocks in 32 complementary pairs, each trained to tell the next
token of half of 600 abstracts, and what whoever has them would find. ``heads``: children with a
new head, for three tasks of other documents: which of six sources a window comes from, which of
three, and whether a word begins behind it, which is nearest to what parents do; and the same
trained for longer. ``choices``: the first task, ways of fine-tuning. Candidates are documents: all
models are asked about the same eight windows of each. ``windows added up`` takes each window as a
candidate of its own and adds up the scores of a document's. Every model is once the victim, its
pair left out; intervals are over pairs of victims and documents. Models are kept in the store, so
that an interrupted part goes on where it stopped. Writes benchmarks/results/tmi_texts.json; with
``--tiny`` only prints.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import seeds
from tmi_corpus import FULL, SIX, TASKS, TINY, Corpus
from tmi_study import ATTACKS, COLUMNS, Attack, asked, choices, kept, measured, row, table, upper

from nonmember.attacks.transfer.all import tmi_lda_all
from nonmember.signals.store import Store
from nonmember.training.children import Tuning

NAME, ADDED = "tmi_texts", "windows added up"
LONGER = 80  # epochs: in 20 a new head has learnt little of the far tasks


def added(answers: np.ndarray, member: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """``tmi_lda`` of each window by itself, a document's scores added up."""
    m, n, v, classes = answers.shape
    alone = answers.reshape(m, n * v, 1, classes)
    scores = tmi_lda_all(alone, np.repeat(member, v, axis=1), groups)
    found: np.ndarray = scores.reshape(m, n, v).sum(axis=2)
    return found


TRIED: dict[str, Attack] = {**ATTACKS, ADDED: added}


def children_of(corpus: Corpus, name: str, tuning: Tuning) -> dict[str, Any]:
    """Children for one task, made in one way."""
    return row(corpus.family, corpus.task(name), tuning, TRIED)


def parents(corpus: Corpus) -> dict[str, Any]:
    """The language models themselves; of each document the windows that are asked about."""
    classes = corpus.family.architecture.classes
    often = np.bincount(corpus.windows[1].ravel()).max() / corpus.windows[1].size
    told = {"classes": classes, "accuracy by chance": round(float(often), 4)}
    return upper(corpus.family, corpus.labels) | told


def parts(corpus: Corpus) -> dict[str, Callable[[], dict[str, Any]]]:
    """What can be measured, by name."""
    ways = choices()
    found = {"parents": partial(parents, corpus)}
    found |= {f"heads: {name}": partial(children_of, corpus, name, ways["head"]) for name in TASKS}
    many = replace(ways["head"], recipe=replace(ways["head"].recipe, epochs=LONGER))
    for name in TASKS:
        found[f"heads, {LONGER} epochs: {name}"] = partial(children_of, corpus, name, many)
    for name, tuning in ways.items():
        found[f"choices: {name}"] = partial(children_of, corpus, SIX, tuning)
    return found


def main() -> None:
    """Measure what was asked for, then print all that is kept of the first seed."""
    line = asked(__doc__ or "")
    size, store = TINY if line.tiny else FULL, Store(line.store)
    measured(NAME, lambda seed: parts(Corpus(line.data, store, size, seed)), line, "table")
    if not line.tiny:
        rows = {name: one for name, one in seeds.first(kept(NAME)).items() if "tmi_lda" in one}
        print(table(rows, (*COLUMNS, ADDED)))


if __name__ == "__main__":
    main()
