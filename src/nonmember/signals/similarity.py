"""How near the token that a model prefers is in meaning to the true one."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from nonmember.types import Similarity, TokenIds

PAIRS_AT_ONCE = 16_384


def label_similarity(
    token_ids: TokenIds,
    token_top_id: TokenIds,
    token_embedding: Callable[[Int[np.ndarray, "k"]], Float[np.ndarray, "k d"]],
) -> Similarity:
    """Cosine between the texts of the true and of the model's likeliest token, -1 to 1.

    A hit is exactly 1, and a text without an embedding (all zeros) like no other, 0.

    Args:
        token_ids: vocabulary numbers of the true tokens, (n t).
        token_top_id: those of the model's likeliest ones, (n t).
        token_embedding: gives the embedding (k d) of each token's text; asked once, and of
            each token once.
    """
    found = np.full(token_ids.shape, np.nan)
    scored = ~(np.isnan(token_ids) | np.isnan(token_top_id))
    pairs = np.stack([token_ids[scored], token_top_id[scored]], axis=1).astype(np.int64)
    distinct, place = np.unique(pairs, axis=0, return_inverse=True)
    found[scored] = _cosines(distinct, token_embedding)[place.ravel()]
    return found


def _cosines(
    pairs: Int[np.ndarray, "p 2"],
    token_embedding: Callable[[Int[np.ndarray, "k"]], Float[np.ndarray, "k d"]],
) -> Float[np.ndarray, "p"]:
    """The cosine of each pair of ids."""
    cosine = np.ones(len(pairs))
    missed = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    if len(missed) == 0:
        return cosine
    ids, place = np.unique(pairs[missed], return_inverse=True)
    vectors = np.asarray(token_embedding(ids), dtype=float)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    sides = place.reshape(len(missed), 2)
    for start in range(0, len(missed), PAIRS_AT_ONCE):  # a pair takes two rows of the embeddings
        true, top = sides[start : start + PAIRS_AT_ONCE].T
        dot = np.einsum("pd,pd->p", unit[true], unit[top])
        cosine[missed[start : start + PAIRS_AT_ONCE]] = np.clip(dot, -1.0, 1.0)
    return cosine
