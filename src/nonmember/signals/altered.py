"""The log-probabilities of altered copies of each record: of a chat, its answers are altered."""

from collections.abc import Sequence

import numpy as np

from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded
from nonmember.rewriting import masked, words
from nonmember.rewriting.wordnet import Synonyms
from nonmember.signals.catalogue import signal
from nonmember.signals.copies import copied, logprobs, varied
from nonmember.signals.language import STATISTICS_VERSION
from nonmember.types import Count, Share


@signal(provides={"aug_lowercase_token_logprobs": "logprobs"}, version=2 + STATISTICS_VERSION)
def lowercase(
    model: LanguageModel | Remote, encoded: Sequence[Encoded], *, watch: Watch | None = None
) -> dict[str, np.ndarray]:
    """Log-probabilities (n 1 s), in nats, of each record in small letters, tokenised anew.

    A record without capitals has no copy: it was asked about already.
    """
    capital = ((one, one.text != one.text.lower()) for one in encoded)
    copies = [[copied(model.tokenizer, one, str.lower)] if has else [] for one, has in capital]
    return {"aug_lowercase_token_logprobs": logprobs(model, copies, watch)}


@signal(
    provides={"aug_swaps_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def swaps(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 5,
    share: Share = 0.3,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with random pairs of words swapped.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most; one that differs in nothing is left out.
        share: pairs swapped in each copy, as a share of the words; at least one.
        seed: of the drawing.
        watch: told the tokens done after each pass.
    """

    def vary(text: str) -> Sequence[str]:
        return words.swapped(text, copies, share, seed)

    found = varied(model.tokenizer, encoded, copies, vary)
    return {"aug_swaps_token_logprobs": logprobs(model, found, watch)}


@signal(
    provides={"aug_neighbours_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def neighbours(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 25,
    swaps: Count = 1,
    candidates: Count = 10,
    filler: str = "wordnet",
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with a few words replaced by likely ones.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most.
        swaps: words replaced in each copy.
        candidates: replacements considered for each word; "wordnet" considers every synonym.
        filler: "wordnet", or the folder of a masked language model, as in the paper.
        seed: of the drawing, and of the masked model's dropout.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: the filler is no masked language model.
    """
    fill = _filler(filler, model, candidates)

    def vary(text: str) -> Sequence[str]:
        return words.neighbours(text, copies, swaps, fill, seed)

    found = varied(model.tokenizer, encoded, copies, vary)
    return {"aug_neighbours_token_logprobs": logprobs(model, found, watch)}


@signal(
    provides={"aug_spans_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def spans(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 10,
    share: Share = 0.3,
    span: Count = 2,
    filler: str = "wordnet",
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with spans of words replaced.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most.
        share: about this share of the words is replaced in each copy.
        span: words replaced side by side.
        filler: "wordnet", or the folder of a masked language model.
        seed: of the drawing.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: the filler is no masked language model.
    """
    fill = _filler(filler, model)

    def vary(text: str) -> Sequence[str]:
        return words.refilled(text, copies, share, span, fill, seed)

    found = varied(model.tokenizer, encoded, copies, vary)
    return {"aug_spans_token_logprobs": logprobs(model, found, watch)}


def _filler(name: str, model: LanguageModel | Remote, candidates: int = 10) -> words.Filler:
    if name == "wordnet":
        return Synonyms()
    return masked.read(name, candidates=candidates, device=getattr(model, "device", "cpu"))
