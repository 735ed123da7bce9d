"""The array vocabulary: every shape in the library is spelled once, here.

Axes, in this order: ``m`` reference models, ``n`` candidates, ``v`` views, ``t`` tokens, ``c``
classes, ``s`` tokens of an altered copy, ``d`` features, ``e`` epochs; ``k`` known records,
``z`` known non-members, ``w`` views of those. Ragged token arrays are right-padded with NaN,
so that a forgotten mask shows up as NaN instead of passing for a confident zero.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Bool, Float, Int

LanguageAccess: TypeAlias = Literal["text", "label", "topk", "logprobs", "dist", "weights"]
"""What an attacker can see of a language model, from least to most."""

ClassifierAccess: TypeAlias = Literal["label", "topk", "scores", "weights"]
"""What an attacker can see of a classifier, from least to most; ``scores`` are of all classes."""

Access: TypeAlias = LanguageAccess | ClassifierAccess

ACCESS: tuple[Access, ...] = ("text", "label", "topk", "scores", "logprobs", "dist", "weights")
"""The two together, in an order that is right in either."""

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

RefMember = Bool[np.ndarray, "m n"]
"""Whom each reference model was trained on, among the candidates."""

ModelGroups = Int[np.ndarray, "m"]
"""The group of each model: a pair whose members saw complementary halves, as a rule."""

RefTokenLogprobs = Float[np.ndarray, "m n t"]
"""The same as ``TokenLogprobs`` of each of m reference models."""

Inputs: TypeAlias = np.ndarray | Sequence[str]
"""What a classifier is shown: an array whose first axis is the records, or a text for each."""

Logits = Float[np.ndarray, "n c"]
"""Of every class, before the softmax, finite; log-probabilities where only these are to be had."""

Hits = Float[np.ndarray, "n"]
"""1 where the predicted class is the true one, 0 where not."""

Labels = Int[np.ndarray, "n"]
"""True classes, 0 to c - 1."""

RefLogits = Float[np.ndarray, "m n c"]
PopLogits = Float[np.ndarray, "z c"]
PopLabels = Int[np.ndarray, "z"]
RefPopLogits = Float[np.ndarray, "m z c"]
KnownLogits = Float[np.ndarray, "k c"]
KnownLabels = Int[np.ndarray, "k"]

ViewLogits = Float[np.ndarray, "n v c"]
"""Logits of v altered copies of each input; the first copy is the input itself."""

RefViewLogits = Float[np.ndarray, "m n v c"]

ViewHits = Float[np.ndarray, "n v"]
"""1 where the predicted class of an altered copy is the true one, 0 where not."""

KnownViewHits = Float[np.ndarray, "k v"]

Votes = Float[np.ndarray, "n c"]
"""Share of the altered copies of each candidate for which each class is predicted."""

RefVotes = Float[np.ndarray, "m n c"]

DiffusionError = Float[np.ndarray, "n"]
"""How badly a diffusion model denoises an input: mean square, 0 or more."""

BoundaryDistance = Float[np.ndarray, "n"]
"""Norm of the smallest change found that the predicted class is lost by; 0 where it is wrong."""

Trajectory = Float[np.ndarray, "n e"]
"""Cross-entropy at each epoch of a student's distillation, then the model's own, nats."""

RefTrajectory = Float[np.ndarray, "m n e"]
