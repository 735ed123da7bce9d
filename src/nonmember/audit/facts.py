"""What is known of candidates without asking the model under audit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from nonmember.audit.subject import Subject, Target
from nonmember.models import embedding
from nonmember.types import TokenIds


@dataclass(frozen=True)
class Facts:
    """The facts about the candidates of one target, by the names under which attacks ask."""

    target: Target
    subject: Subject

    def texts(self, rows: slice) -> list[str]:
        """The candidates as far as they were scored."""
        return [one.text for one in self.target.candidates[rows]]

    def token_ids(self, rows: slice) -> TokenIds:
        """Ids of the scored tokens, NaN past the last one."""
        scored = [one.ids[one.scored] for one in self.target.candidates[rows]]
        ids = np.full((len(scored), max([1, *map(len, scored)])), np.nan)
        for row, own in zip(ids, scored, strict=True):
            row[: len(own)] = own
        return ids

    def token_frequency(self, rows: slice) -> Float[np.ndarray, "n t"]:
        """How common each scored token is in the corpus, or among the candidates without one.

        (count + 1) / (N + V), with N tokens in all and a vocabulary of V.
        """
        ids = self.token_ids(rows)
        common = self._common[np.nan_to_num(ids).astype(np.int64)]
        return np.where(np.isnan(ids), np.nan, common)

    def token_embedding(self, _rows: slice) -> Callable[[np.ndarray], np.ndarray]:
        """Embeds the texts of tokens, given their ids."""
        return self._embedded

    @cached_property
    def _embedded(self) -> Callable[[np.ndarray], np.ndarray]:
        return embedding.token_embedding(
            self.target.candidates.tokenizer, embedding.load_embedder()
        )

    @cached_property
    def _common(self) -> Float[np.ndarray, "_"]:
        counted, corpus = self.target.candidates, self.subject.corpus
        if corpus is not None:
            counted = replace(counted, records=corpus)
        size = len(counted.tokenizer)
        counts = np.zeros(size, dtype=np.int64)
        for one in counted:
            counts += np.bincount(one.ids, minlength=size)
        return (counts + 1) / (counts.sum() + size)
