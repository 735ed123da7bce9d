"""What a model writes when it is prompted, as records to tune a reference on.

Fu et al. 2024, arXiv:2311.06062: an attacker without data of the domain lets the target
write some, each text begun by the first tokens of a record that the attacker knows.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nonmember.errors import ModelError
from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, Form

TOP_K = 50


def write(
    model: LanguageModel | Remote,
    shots: Sequence[Encoded],
    *,
    texts: int,
    prompt_tokens: int,
    most: int,
    seed: int,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Texts that the model writes, in the form of the records that began them.

    Args:
        model: what writes.
        shots: records with something to score, used in turn; of each, all that precedes what
            is scored and the first ``prompt_tokens`` of that are the prompt.
        texts: how many.
        prompt_tokens: how much of a record the model is given.
        most: tokens it may add.
        seed: of the sampling.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: it answers no numbers, whatever begins the text.

    Returns:
        ``ids`` (k t), padded with -1, of each prompt and what was written after it; ``first``
        (k,), where what is scored begins.
    """
    chosen = [shots[i % len(shots)] for i in range(texts)]
    firsts = [int(np.flatnonzero(one.scored)[0]) for one in chosen]
    prompts = [
        one.ids[: first - 1 + prompt_tokens] for one, first in zip(chosen, firsts, strict=True)
    ]
    written = model.sample(
        prompts, most=[most] * texts, temperature=1.0, top_k=TOP_K, seed=seed, watch=watch
    )
    end = model.tokenizer.eos_token_id
    closed = [
        np.concatenate([prompt, own, _closing(one, end) if len(own) < most else own[:0]])
        for one, prompt, own in zip(chosen, prompts, written, strict=True)
        if own is not None
    ]
    if not closed:
        raise ModelError(
            "self-prompted reference: the model answers no numbers; its weights are damaged, or "
            "need --precision float32"
        )
    kept = [own is not None for own in written]
    ids = np.full((len(closed), max([1, *map(len, closed)])), -1, dtype=np.int64)
    for row, own in zip(ids, closed, strict=True):
        row[: len(own)] = own
    return {"ids": ids, "first": np.array(firsts, dtype=np.int64)[kept]}


def read(found: Mapping[str, np.ndarray], form: Form) -> list[Encoded]:
    """The records that ``write`` left, as they are trained on."""
    records = []
    for row, first in zip(found["ids"], found["first"], strict=True):
        ids = np.array(row[row >= 0])
        records.append(Encoded(ids, np.arange(len(ids)) >= first, "", False, "", form))
    return records


def _closing(shot: Encoded, end: int | None) -> np.ndarray:
    """The end token, if records of this form are scored on one."""
    ends = shot.scored[-1] and shot.ids[-1] == end
    return shot.ids[-1:] if ends else shot.ids[:0]
