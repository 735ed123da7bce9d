"""The array vocabulary: every shape in the library is spelled once, here.

Axes, in this order: ``m`` reference models, ``n`` candidates, ``v`` views, ``t`` tokens, ``s``
tokens of an altered copy, ``d`` features; ``k`` known records, ``z`` known non-members, ``w``
views of those. Ragged
token arrays are right-padded with NaN, so that a forgotten mask shows up as NaN instead of
passing for a confident zero.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Bool, Float, Int

Access: TypeAlias = Literal["text", "label", "topk", "logprobs", "dist", "weights"]
"""What an attacker can see of a language model, from least to most."""

ACCESS: tuple[Access, ...] = ("text", "label", "topk", "logprobs", "dist", "weights")

LOGPROB_FLOOR = -1e4
"""What the log-probability of an impossible token counts as, in nats."""

Share: TypeAlias = Annotated[float, Gt(0), Le(1)]
"""An option that is a share of something: above 0, at most 1."""

Positive: TypeAlias = Annotated[float, Gt(0)]
Count: TypeAlias = Annotated[int, Ge(1)]

Scores = Float[np.ndarray, "n"]
"""One membership score per candidate; larger means likelier member; NaN means not scorable."""

Member = Bool[np.ndarray, "n"]
"""The truth. Only ``data.Split`` and ``evaluation`` may hold it for the evaluated candidates."""

Groups = Int[np.ndarray, "n"]
"""The document or person each candidate belongs to."""

Texts: TypeAlias = Sequence[str]
"""One string per candidate."""

KnownMember = Bool[np.ndarray, "k"]
KnownTexts: TypeAlias = Sequence[str]

TokenLogprobs = Float[np.ndarray, "n t"]
"""log p(token | what precedes it), nats; NaN where a position is not scored."""

TokenIds = Float[np.ndarray, "n t"]
"""Vocabulary numbers of tokens, whole; NaN where a position is not scored."""

TokenFrequency = Float[np.ndarray, "n t"]
"""(count + 1) / (N + V) of each token in a reference corpus of N tokens; above 0."""

CopyLogprobs = Float[np.ndarray, "n v s"]
"""log p of the tokens of v altered copies, nats; a copy that could not be made is all NaN."""

RepeatLogprobs = Float[np.ndarray, "n v t"]
"""log p of the text's tokens in each of v repetitions of it, nats; positions as in the text."""

SampleRecall = Float[np.ndarray, "n v"]
"""Share of the true continuation found in each of v sampled ones, 0 to 1."""

SampleZlib = Float[np.ndarray, "n v"]
"""Bytes of the zlib-compressed UTF-8 form of each sampled continuation, whole."""

Similarity = Float[np.ndarray, "n t"]
"""Cosine of the true and the likeliest token's embeddings, -1 to 1; NaN where not scored."""

Features = Float[np.ndarray, "n d"]
"""Numbers that describe a candidate; NaN where one cannot be had."""

KnownFeatures = Float[np.ndarray, "k d"]
PopulationFeatures = Float[np.ndarray, "z d"]

Gain = Float[np.ndarray, "n"]
"""Mean log p gained over the base, nats per token; NaN where nothing is scored."""

PopulationGain = Float[np.ndarray, "z"]

CopyGain = Float[np.ndarray, "n v"]
"""The same of v altered copies; NaN for a copy that could not be made."""

PopulationCopyGain = Float[np.ndarray, "z w"]

TokenKept = Float[np.ndarray, "n t"]
"""1 where a paraphrase must keep the token, 0 where not, NaN past the last scored one."""

TokenHit = Float[np.ndarray, "n t"]
"""1 where the model's likeliest token is the true one, 0 where not, NaN where not scored."""

TokenMoments = Float[np.ndarray, "n t"]
"""A statistic of log p over the model's whole next-token distribution, nats."""

ZlibLength = Int[np.ndarray, "n"]
"""Bytes of the zlib-compressed UTF-8 text."""
