"""The log-probabilities of rewrites of each record, made as a defense makes them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nonmember.data.records import Content, Record, respoken, spoken
from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, encode
from nonmember.rewriting import every as _registered  # noqa: F401  (fills the registry)
from nonmember.rewriting.attempts import Ask, replaced, rewritten, seed_of
from nonmember.rewriting.cache import Cache
from nonmember.rewriting.protocols import Rewrite
from nonmember.rewriting.registry import made
from nonmember.signals.catalogue import signal
from nonmember.signals.copies import logprobs, told_apart
from nonmember.signals.language import STATISTICS_VERSION
from nonmember.types import Count


@signal(
    provides={"aug_rewrites_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def rewrites(  # noqa: PLR0913 - what an audit hands it, and its options
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    contents: Sequence[Content],
    rewrites_cache: Cache | None,
    *,
    rewriter: str = "synonyms",
    how: Mapping[str, Any] | None = None,
    secret: str = "",
    copies: Count = 3,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of rewrites of what is trained on of each record.

    Seeds are drawn as a defense draws those of its attempts: whoever knows its rewriter and
    its secret has the very strings that were trained on among the copies, if there are as
    many of them as it made attempts. No gate judges them.

    Args:
        model: what is asked.
        encoded: n records.
        contents: all that they say, however much of it is used.
        rewrites_cache: of rewrites made before, for whichever model.
        rewriter: its name.
        how: its options; those left out are at their defaults.
        secret: of the seeds; the attacker's own, unless the defense's is known.
        copies: attempts at each record; one that gives nothing new is left out, and the same
            rewrite by two attempts counts twice.
        watch: told the tokens done after each pass.

    Raises:
        SpecError: no such rewriter or option.
        ModelError: the rewriter's model cannot be used.
    """
    parts = [
        spoken(content) if one.scored.any() else ()
        for one, content in zip(encoded, contents, strict=True)
    ]
    asked = [
        [[(text, seed_of(secret, text, attempt)) for text in some] for attempt in range(copies)]
        for some in parts
    ]
    every = (ask for record in asked for attempt in record for ask in attempt)
    answers = rewritten(every, made(rewriter, how or {}), rewrites_cache)
    rows = []
    for one, content, own in zip(encoded, contents, asked, strict=True):
        new = [Record("", content) for content in _changed(content, own, answers)]
        rows.append(told_apart(one, encode(model.tokenizer, new, one.form)))
    return {"aug_rewrites_token_logprobs": logprobs(model, rows, watch)}


def _changed(
    content: Content, asked: Sequence[Sequence[Ask]], answers: Mapping[Ask, Rewrite]
) -> Iterator[Content]:
    """The content after each attempt in which every passage that must change did."""
    for attempt in asked:
        new = replaced([text for text, _ in attempt], [answers[ask] for ask in attempt])
        if new:
            yield respoken(content, new)
