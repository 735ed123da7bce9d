"""The records of the study of SOFT: public documents, each cut to what a model reads of it.

A cut ends at a word's end within the limit of tokens: what is trained on is then all of the
record, so that an attacker who knows the defender's secret can make the very same rewrites.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nonmember.data import texts
from nonmember.data.corpora import python_functions
from nonmember.data.records import Records
from nonmember.seeds import generator

PILE = ("wikipedia_en", "pubmed_abstracts", "github", "hackernews", "pile_cc")
ABSTRACTS, FUNCTIONS = "arxiv_abstracts", "python-functions"
DOMAINS = (*PILE, ABSTRACTS, FUNCTIONS)
SOURCES = {name: f"pile/{name}.jsonl.xz" for name in PILE} | {
    ABSTRACTS: f"{ABSTRACTS}/{ABSTRACTS}.jsonl.xz"
}
MOST = 1_000  # documents of a domain that are looked at
CHARACTERS = 12  # per token: more than enough of a document's beginning
FULL = 0.75  # of the limit: what a cut document must have at least
SEED = 0


def documents(data: Path | None, name: str) -> Records:
    """The documents of a domain, as they are.

    Raises:
        SystemExit: its file is not there.
    """
    if name == FUNCTIONS:
        return python_functions()
    path = data / SOURCES[name] if data else None
    if path is None or not path.is_file():
        raise SystemExit(
            f"{path or SOURCES[name]}: not there; give with --data, or in NONMEMBER_DATA, a folder "
            f"that holds {SOURCES[name]} with a document a line, under the key `text` (documents "
            "of the Pile's test split, abstracts of arXiv's metadata)"
        )
    return texts.read(path, field="text")


def shuffled(data: Path | None, name: str) -> list[str]:
    """The documents' texts in an order of their own."""
    found = [str(record.content) for record in documents(data, name)]
    return [found[place] for place in generator(SEED, name).permutation(len(found)).tolist()]


def pool(data: Path | None, name: str, tokenizer: Any, limit: int, folder: Path) -> Path:
    """A file of a domain's documents, cut to ``limit`` tokens; functions are whole or left out."""
    path = folder / f"{name}-{limit}.jsonl"
    if not path.is_file():
        every = shuffled(data, name)
        fit = whole(every, tokenizer, limit) if name == FUNCTIONS else None
        written(path, fit or cut(every[:MOST], tokenizer, limit))
    return path


def written(path: Path, chosen: Iterable[str]) -> None:
    """Write texts as records, each once."""
    once = {texts.normalised(text): text for text in chosen}
    lines = (json.dumps({"text": text}) + "\n" for text in once.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def whole(every: Iterable[str], tokenizer: Any, limit: int) -> Iterator[str]:
    """The texts that have no more tokens than the limit."""
    for text in every:
        if len(_ends(tokenizer, text[: CHARACTERS * limit])) <= limit:
            yield text


def cut(every: Iterable[str], tokenizer: Any, limit: int) -> Iterator[str]:
    """The texts up to the last word that ends within the limit; too short ones are left out."""
    for text in every:
        ends = _ends(tokenizer, text[: CHARACTERS * limit])
        kept = _words(text, ends[limit - 1]) if len(ends) > limit else text
        if FULL * limit <= len(_ends(tokenizer, kept)) <= limit:
            yield kept


def first_words(text: str, count: int) -> str:
    """The text up to the end of so many words."""
    return text[: len(text) - len((text.split(None, count) + [""] * count)[count])].rstrip()


def _ends(tokenizer: Any, text: str) -> list[int]:
    """Where each token ends in the text."""
    found = tokenizer(text, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    return [end for _, end in found]


def _words(text: str, end: int) -> str:
    """What stands up to ``end``, without a word that goes on beyond it."""
    if text[end : end + 1].strip():
        end = next((at for at in range(end, 0, -1) if text[at - 1].isspace()), end)
    return text[:end].rstrip()
