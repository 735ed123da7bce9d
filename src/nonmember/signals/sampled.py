"""What a model writes after a text's beginning, held against how the text goes on."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from nonmember.data.records import Completion
from nonmember.models import chats, generate
from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, reworded
from nonmember.signals.catalogue import signal
from nonmember.types import Count, Positive, Share


@signal(
    provides={"sample_recall": "text", "sample_zlib": "text"},
    queries="copies",
    version=2 + generate.VERSION,
)
def samples(  # noqa: PLR0913  (one parameter per option)
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 10,
    temperature: Positive = 1.0,
    top_k: Count = 50,
    prefix_ratio: Share = 0.5,
    ngram: Count = 1,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """How much of a text's true continuation the model writes (Kaneko et al. 2024, SaMIA).

    The model is given the first ``prefix_ratio`` of a text's words (of a completion's, after
    its prompt; of a chat, of the first answer, after what leads to it) and writes ``copies``
    continuations, none with more tokens than the true one. ``sample_recall`` is ROUGE-n
    recall: the share of the true continuation's n-grams of words found in a sample, each as
    often as it occurs there. ``sample_zlib`` is the bytes of the compressed sample. Arrays
    (n v), NaN of a text without beginning or continuation, and of a sample that the model
    could not write, since it answered no numbers. A text over its form's limit goes
    on for at most half a limit, after the tokens before that fit.

    Args:
        model: what is asked.
        encoded: n records.
        copies: v.
        temperature: of sampling.
        top_k: a token is drawn from so many likeliest ones.
        prefix_ratio: share of the words that is given.
        ngram: words that count as one.
        seed: of the draws.
        watch: told the tokens done after each pass.
    """
    held = list(encoded)
    begun = {}
    for place, one in enumerate(held):
        found = _halves(model.tokenizer, one, prefix_ratio)
        if found is not None and _ngrams(found.suffix, ngram):
            begun[place] = found
    written = model.sample(
        [half.prompt for half in begun.values() for _ in range(copies)],
        most=[half.most for half in begun.values() for _ in range(copies)],
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        watch=watch,
    )
    recall, size = np.full((2, len(held), copies), np.nan, dtype=np.float32)
    for number, (place, half) in enumerate(begun.items()):
        said = enumerate(written[number * copies : (number + 1) * copies])
        for copy, ids in ((copy, ids) for copy, ids in said if ids is not None):
            text = _spelled(model.tokenizer, ids)
            recall[place, copy] = _recall(text, half.suffix, ngram)
            size[place, copy] = len(zlib.compress(text.encode()))
    return {"sample_recall": recall, "sample_zlib": size}


@dataclass(frozen=True)
class _Halves:
    """A record's beginning as the model is given it, and how it truly goes on."""

    prompt: Int[np.ndarray, "t"]
    suffix: str
    most: int


def _halves(tokenizer: Any, one: Encoded, ratio: float) -> _Halves | None:
    """The record in two, if both have something in them."""
    text = _said(one)
    ends = [word.end() for word in re.finditer(r"\S+", text)]
    count = int(ratio * len(ends))
    if not 0 < count < len(ends):
        return None
    cut = ends[count - 1]
    prompt, suffix = _prompt(tokenizer, one, text[:cut]), text[cut:]
    found = tokenizer(suffix, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    limit = one.form.limit
    most = min(len(found["input_ids"]), max(limit - len(prompt), limit // 2))
    suffix = suffix[: found["offset_mapping"][most - 1][1]]
    return _Halves(prompt[max(0, len(prompt) + most - limit) :], suffix, most)


def _said(one: Encoded) -> str:
    """The text that goes on: as far as it was used, of a chat the first answer."""
    if isinstance(one.content, tuple):
        answers = (turn.content for turn in one.content if turn.role == "assistant")
        return next(answers, "")[: len(one.text)]
    return one.content.completion if isinstance(one.content, Completion) else one.content


def _prompt(tokenizer: Any, one: Encoded, start: str) -> Int[np.ndarray, "t"]:
    """All up to and with ``start``, as it would stand in the record."""
    if isinstance(one.content, tuple):
        whole = chats.render(tokenizer, "a chat", one.content)
        string = whole.string[: whole.spans[0][0]] + start
        ids = tokenizer(string, add_special_tokens=False, verbose=False)["input_ids"]
        return np.asarray(ids, dtype=np.int64)
    # A text that was cut does not end: no EOS follows the prompt.
    ids = reworded(tokenizer, replace(one, truncated=True), lambda _: start).ids
    ended = len(ids) > 1 and ids[-1] == tokenizer.eos_token_id
    return ids[:-1] if ended else ids


def _spelled(tokenizer: Any, ids: np.ndarray) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _ngrams(text: str, length: int) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(zip(*(words[start:] for start in range(length)), strict=False))


def _recall(sample: str, truth: str, length: int) -> float:
    """ROUGE-n recall of ``truth``."""
    wanted = _ngrams(truth, length)
    return (wanted & _ngrams(sample, length)).total() / wanted.total()
