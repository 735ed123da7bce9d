"""What a rewrite has in common with its original, one measure a function.

Words are those of ``texts.WORD`` without case: what one tokenizer makes of a text is no
matter, and in scripts without spaces each character is a word.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from math import ceil, inf
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from nonmember.data.texts import WORD, normalised
from nonmember.rewriting.prompts import BEFORE, refuses

GRAM = 4
PIECE, PIECES = 128, 32  # words that a sentence encoder surely reads; how often it is asked
SURE = 0.9  # of a text's language; short texts and tables rarely reach it
LANGUAGE_FROM = 10_000  # characters tell enough

Embed: TypeAlias = Callable[[Sequence[str]], Float[np.ndarray, "k d"]]
"""Texts to vectors whose cosine says how alike they are in meaning."""

Nats: TypeAlias = Callable[[Sequence[str]], Float[np.ndarray, "k"]]
"""Mean nats per token of texts under the base model; NaN of a text without scored tokens."""

TAG = re.compile(r"</?(?:text|code)>", re.IGNORECASE)
"""Of our questions to models: one that is left over shows that the answer was not understood."""


def words(text: str) -> list[str]:
    """The words of a text in their order, without case."""
    return WORD.findall(normalised(text).casefold())


def answered(old: str, new: str) -> bool:
    """Whether the rewrite has words, and speaks no more of the task than the original does."""
    talks = BEFORE.match(new) is not None and not BEFORE.match(old)
    tagged = len(TAG.findall(new)) > len(TAG.findall(old))
    return WORD.search(new) is not None and not (talks or tagged or refuses(new, old))


def length(old: Sequence[str], new: Sequence[str]) -> float:
    """Words of the rewrite over those of the original; 1 if neither has any."""
    if not old:
        return inf if new else 1.0
    return len(new) / len(old)


def containment(old: Sequence[str], new: Sequence[str]) -> float:
    """Share, 0 to 1, of the original's places of four words in a row that the rewrite has too.

    Where the original has fewer words, all of them in a row stand for the four.
    """
    size = min(GRAM, len(old))
    if not size:
        return float(not new)
    theirs = {tuple(new[at : at + size]) for at in range(len(new) - size + 1)}
    ours = [tuple(old[at : at + size]) for at in range(len(old) - size + 1)]
    return sum(gram in theirs for gram in ours) / len(ours)


def longest_run(old: Sequence[str], new: Sequence[str]) -> int:
    """The most words in a row that stand in both, in O((n + m) log² (n + m))."""
    numbers = {word: number for number, word in enumerate(dict.fromkeys([*old, *new]))}
    numbered = [np.array([numbers[w] for w in some], dtype=np.int64) for some in (old, new)]
    powers = [(numbered[0], numbered[1])]  # numbers of the runs of 1, 2, 4, ... words
    if not _shared(powers[0]):
        return 0
    while _shared(longer := _joined(powers[-1], powers[-1], 1 << (len(powers) - 1))):
        powers.append(longer)
    most, longest = 1 << (len(powers) - 1), powers[-1]
    for power in reversed(range(len(powers) - 1)):
        longer = _joined(longest, powers[power], most)
        if _shared(longer):
            most, longest = most + (1 << power), longer
    return most


Runs: TypeAlias = tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]]
"""A number for the run that begins at each word of two texts; equal numbers, equal runs."""


def _shared(runs: Runs) -> bool:
    return bool(np.isin(runs[0], runs[1]).any())


def _joined(first: Runs, then: Runs, gap: int) -> Runs:
    """The numbers of what is made of a run of ``gap`` words and the run after it."""
    sizes = [max(0, len(one) - gap) for one in then]
    heads = np.concatenate([one[:size] for one, size in zip(first, sizes, strict=True)])
    tails = np.concatenate([one[gap:] for one in then])
    width = int(tails.max(initial=0)) + 1
    numbers = np.unique(heads * width + tails, return_inverse=True)[1]
    return numbers[: sizes[0]], numbers[sizes[0] :]


def similarity(olds: Sequence[str], news: Sequence[str], embed: Embed) -> Float[np.ndarray, "k"]:
    """Cosine of each rewrite's embedding with its original's, -1 to 1.

    Encoders read a few hundred tokens. So both texts are cut into the same number of pieces,
    of at most 128 words, and the mean of a text's pieces stands for it; of texts of more than
    4,096 words the encoder reads the beginnings of 32 pieces.
    """
    pairs = []
    for pair in zip(olds, news, strict=True):
        starts = [[found.start() for found in WORD.finditer(text)] for text in pair]
        count = min(PIECES, max(1, *(ceil(len(one) / PIECE) for one in starts)))
        pairs.append([_pieces(text, at, count) for text, at in zip(pair, starts, strict=True)])
    every = list(dict.fromkeys(piece for pair in pairs for side in pair for piece in side))
    vectors = dict(zip(every, embed(every), strict=True)) if every else {}
    found = [[np.mean([vectors[p] for p in side], axis=0) for side in pair] for pair in pairs]
    return np.array([_cosine(*pair) for pair in found], dtype=np.float64)


def _pieces(text: str, starts: Sequence[int], count: int) -> list[str]:
    """The text cut before words into ``count`` pieces; fewer if it has fewer words."""
    count = max(1, min(count, len(starts)))
    cuts = [0, *(starts[number * len(starts) // count] for number in range(1, count)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _cosine(left: np.ndarray, right: np.ndarray) -> float:
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / size if size else 0.0


def fluency(olds: Sequence[str], news: Sequence[str], nats: Nats) -> Float[np.ndarray, "k"]:
    """Nats per token of each rewrite over those of its original; NaN if either has none."""
    every = list(dict.fromkeys([*olds, *news]))
    known = dict(zip(every, nats(every).tolist(), strict=True))
    pairs = [(known[old], known[new]) for old, new in zip(olds, news, strict=True)]
    return np.array([new / max(old, 1e-6) for old, new in pairs], dtype=np.float64)


def same_language(old: str, new: str) -> bool:
    """Whether both are in one script and, as far as that can be told, in one language.

    The language is py3langid's (Lui and Baldwin 2012) and counts only where it is sure of
    both; of a few words it is not, and then the script decides.
    """
    if script(old) != script(new):
        return False
    said = [_language(text[:LANGUAGE_FROM]) for text in (old, new)]
    return min(sure for _, sure in said) < SURE or said[0][0] == said[1][0]


def script(text: str) -> str:
    """The script of most of its letters, by the first word of their Unicode names; else ''."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            name = unicodedata.name(letter, "").split(" ")[0]
            counts["CJK" if name in ("HIRAGANA", "KATAKANA") else name] += count
    return max(sorted(counts), key=lambda name: counts[name], default="")


@lru_cache(maxsize=1)  # of 4 MB, which take half a second to unpack
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _language(text: str) -> tuple[str, float]:
    language, sure = _identifier().classify(text)
    return str(language), float(sure)
