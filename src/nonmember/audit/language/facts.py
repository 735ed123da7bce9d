"""What is known of candidates without asking the model under audit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from nonmember.audit.language.subject import Target
from nonmember.data.records import Record, Records
from nonmember.models import embedding
from nonmember.models.text import Encoded
from nonmember.signals.kept import token_kept
from nonmember.types import TokenIds, TokenKept


@dataclass(frozen=True)
class Facts:
    """The facts about the candidates of one target, by the names under which attacks ask.

    Token frequencies are counted in ``corpus``, or in the candidates themselves.
    """

    target: Target
    corpus: Records | None

    def texts(self, encoded: Sequence[Encoded]) -> list[str]:
        """What is scored of the candidates."""
        return [one.text for one in encoded]

    def whole_texts(self, encoded: Sequence[Encoded]) -> list[str]:
        """All that the model is given: prompts, and the other turns of a chat, too."""
        return [Record("", one.content).plain() for one in encoded]

    def token_ids(self, encoded: Sequence[Encoded]) -> TokenIds:
        """Ids of the scored tokens, NaN past the last one."""
        scored = [one.ids[one.scored] for one in encoded]
        ids = np.full((len(scored), max([1, *map(len, scored)])), np.nan)
        for row, own in zip(ids, scored, strict=True):
            row[: len(own)] = own
        return ids

    def token_frequency(self, encoded: Sequence[Encoded]) -> Float[np.ndarray, "n t"]:
        """How common each scored token is in the corpus, or among the candidates without one.

        (count + 1) / (N + V), with N tokens in all and a vocabulary of V.
        """
        ids = self.token_ids(encoded)
        common = self._common[np.nan_to_num(ids).astype(np.int64)]
        return np.where(np.isnan(ids), np.nan, common)

    def token_embedding(self, _encoded: Sequence[Encoded]) -> Callable[[np.ndarray], np.ndarray]:
        """Embeds the texts of tokens, given their ids."""
        return self._embedded

    def token_kept(self, encoded: Sequence[Encoded]) -> TokenKept:
        """1 where a paraphrase must keep the scored token, 0 where not, NaN past the last one."""
        return token_kept(self.target.candidates.tokenizer, encoded)

    @cached_property
    def _embedded(self) -> Callable[[np.ndarray], np.ndarray]:
        return embedding.token_embedding(
            self.target.candidates.tokenizer, embedding.load_embedder()
        )

    @cached_property
    def _common(self) -> Float[np.ndarray, "_"]:
        counted, corpus = self.target.candidates, self.corpus
        if corpus is not None:
            counted = replace(counted, records=corpus)
        size = 1 + max(counted.tokenizer.get_vocab().values())
        counts = np.zeros(size, dtype=np.int64)
        for one in counted:
            counts += np.bincount(one.ids, minlength=size)
        return (counts + 1) / (counts.sum() + size)
