"""Rewrites by an instruction-tuned model on this machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from annotated_types import Ge

from nonmember.models.source import Source, digest, locate
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.passages import Cut, cut, rejoined
from nonmember.rewriting.prompts import Kind, answer, beginning, fingerprint, question
from nonmember.rewriting.protocols import Rewrite, Rewriter, Watch
from nonmember.rewriting.registry import rewriter
from nonmember.seeds import derive
from nonmember.types import Count

TEXTS_AT_ONCE = 32  # between two reports of progress
LONGEST, MARGIN = 1.8, 32  # of a reply: tokens for each of the passage's, and besides

Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]

UNREAD, UNSAID = "too long for the model", "the model answers no numbers"

Asked: TypeAlias = tuple[str, int]
"""A passage, and the seed of its rewrite."""


class Turn(NamedTuple):
    """A question as the model meets it, and how many tokens the reply may have."""

    ids: np.ndarray
    most: int

    @property
    def length(self) -> int:
        """Tokens of question and reply together, at most."""
        return len(self.ids) + self.most


@dataclass(frozen=True)
class Chat:
    """A ``Rewriter``: a local model that is asked, passage by passage."""

    source: Source
    temperature: float
    top_k: int
    kind: Kind
    words: int
    device: str
    precision: Precision

    @property
    def name(self) -> str:
        """Under which it is registered."""
        return "chat"

    @property
    def identity(self) -> str:
        """Digest of the model, of how it is asked and of how it draws."""
        from nonmember.models import generate

        how = [generate.VERSION, LONGEST, MARGIN, fingerprint(self.kind)]
        options = [self.temperature, self.top_k, self.words, self.precision]
        return f"chat {digest(json.dumps([self.source.digest, how, options]))}"

    @property
    def sends_to(self) -> None:
        """Nowhere."""
        return None

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Watch | None = None
    ) -> list[Rewrite]:
        """One rewrite for each text, drawn by its seed: the same in any company, up to rounding.

        Args:
            texts: of any length; all passages of one must succeed.
            seeds: one for each text.
            watch: told how many more texts are done, after each batch of them.

        Raises:
            ModelError: the model cannot be loaded.
        """
        model = _loaded(self.source, self.device, self.precision) if texts else None
        found: list[Rewrite] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            block = slice(start, start + TEXTS_AT_ONCE)
            found += self._together(model, texts[block], seeds[block])
            if watch is not None:
                watch(len(texts[block]))
        return found

    def _together(self, model: Any, texts: Sequence[str], seeds: Sequence[int]) -> list[Rewrite]:
        cuts = [cut(text, self.words, self.kind) for text in texts]
        pairs = list(zip(cuts, seeds, strict=True))
        asked = {one: None for whole, seed in pairs for one in _asked(whole, seed)}
        answers = self._answers(model, list(asked))
        return [
            rejoined(whole, [answers[one] for one in _asked(whole, seed)]) for whole, seed in pairs
        ]

    def _answers(self, model: Any, asked: Sequence[Asked]) -> dict[Asked, Rewrite]:
        """What becomes of each passage under its seed; no two of these pairs are alike."""
        turns = {one: self._turn(model.tokenizer, one[0]) for one in asked}
        context = model.context
        fit = [one for one in asked if context is None or turns[one].length <= context]
        written = model.sample(
            [turns[one].ids for one in fit],
            most=[turns[one].most for one in fit],
            temperature=self.temperature,
            top_k=self.top_k,
            seed=[seed for _, seed in fit],
        )
        answers = dict.fromkeys(asked, Rewrite(None, UNREAD))
        for one, ids in zip(fit, written, strict=True):
            answers[one] = self._read(model.tokenizer, one[0], turns[one], ids)
        return answers

    def _turn(self, tokenizer: Any, passage: str) -> Turn:
        from nonmember.models import chats

        string = chats.opening(tokenizer, self.source.name, question(passage, self.kind))
        if string.rstrip().endswith("<think>"):  # a template may begin a train of thought
            string += "</think>\n\n"
        string += beginning(passage, self.kind)
        sizes = {"add_special_tokens": False, "verbose": False}
        ids, own = (tokenizer(one, **sizes)["input_ids"] for one in (string, passage))
        return Turn(np.asarray(ids, dtype=np.int64), int(LONGEST * len(own)) + MARGIN)

    def _read(self, tokenizer: Any, passage: str, turn: Turn, ids: np.ndarray | None) -> Rewrite:
        """What the model wrote, as a rewrite of the passage."""
        if ids is None:
            return Rewrite(None, UNSAID, len(turn.ids))
        how = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        reply = tokenizer.decode(ids, **how)
        found = answer(reply, passage, self.kind, whole=len(ids) < turn.most, begun=True)
        return found._replace(tokens_read=len(turn.ids), tokens_written=len(ids))


@rewriter(limits=Limits(containment=0.30))
def chat(
    *,
    model: str = "smollm2",
    temperature: Annotated[float, Ge(0)] = 0.8,
    top_k: Count = 50,
    kind: Kind = "prose",
    words: Count = 150,
    device: str = "auto",
    precision: Precision = "auto",
) -> Rewriter:
    """Ask an instruction-tuned model on this machine to say it in its own words.

    Small models often copy, leave out or change the meaning: the gates are there for that.

    Args:
        model: a folder, an adapter, a GGUF file, or a packaged model; with a chat template.
        temperature: divides the logits; at 0, whoever knows the model knows its rewrites.
        top_k: how many of the likeliest tokens are drawn from.
        kind: of the texts: prose, or code.
        words: most words of a passage; longer texts are rewritten passage by passage.
        device: auto, cpu or cuda.
        precision: of the weights; auto is bfloat16 where the hardware has it.

    Raises:
        ModelError: there is no such model, or it has no chat template.
        SpecError: there is no such device.
    """
    from nonmember.models import causal, chats

    source, where = locate(model), causal.placement(device, precision)
    chats.opening(causal.load_tokenizer(source), model, question("A text.", kind))
    number: Precision = "bfloat16" if "bfloat16" in str(where.dtype) else "float32"
    return Chat(source, temperature, top_k, kind, words, str(where.device), number)


def _asked(whole: Cut, seed: int) -> list[Asked]:
    """Passages that say something, each with a seed of its own."""
    return [(text, derive(seed, number)) for number, text in enumerate(whole.said)]


def release() -> None:
    """Forget the model that was asked last, for what needs its memory; it is read anew if asked."""
    _loaded.cache_clear()


@lru_cache(maxsize=1)  # asked for again for every block of records
def _loaded(source: Source, device: str, precision: Precision) -> Any:
    from nonmember.models import causal

    return causal.load(source, causal.placement(device, precision))
