"""Each attack against its paper's formula, one text and one token at a time."""

from math import nan

import numpy as np
import pytest
from attacks import loops

import nonmember.attacks  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import get, of_families

ELSEWHERE = {"camia", "ensemble", "lira", "lira_offline", "mixture", "petal", "rmia"}
"""Their loops are in their own tests."""

CASES = {
    "loss": [{}, {"reduction": "sum"}],
    "zlib": [{}, {"numerator": "sum"}],
    "lowercase": [{}, {"form": "difference"}],
    "min_k": [
        *({"k": k} for k in (0.05, 0.2, 0.5, 1.0)),
        {"window": 4},
        {"window": 3, "stride": 2, "k": 0.6},
        {"stride": 3, "k": 0.4},
    ],
    "min_k_plus_plus": [{}, {"k": 0.5, "clip": 1.5}],
    "surp": [{}, {"k": 0.1}, {"k": 0.9, "e": 0.7, "unsurprised": "nan"}],
    "gap_k": [{}, {"w": 1}, {"w": 7, "k": 0.5, "scale": "none"}],
    "dc_pdd": [{}, {"first_only": False}, {"a": 0.5}],
    "reference_difference": [{}],
    "reference_ratio": [{}],
    "ez_mia": [{}, {"c": 0.1, "min_errors": 5, "few_errors": "neutral"}],
    "wbc": [{}, {"windows": (1, 5, 50), "ties": 0.5}],
    "ht_mia": [
        {},
        {"hard_by": "target", "k": 0.05},
        {"gain": "logprob", "k": 0.6},
        {"aggregate": "share"},
    ],
    "neighbourhood": [{}, {"standardise": True}],
    "pac": [{}, {"most": 0.5, "least": 0.05}],
    "spv_mia": [{}, {"log": True}],
    "spv_base": [{}, {"log": True}],
    "recall": [{}, {"form": "difference"}],
    "con_recall": [{}, {"g": 0.9}],
    "samia": [{}, {"weigh_by_zlib": True}],
    "hit_rate": [{}],
    "rewritten": [{}, {"combine": "mean"}],
    "semantic_neighbours": [{}],
    "kept_tokens": [{}],
}


def ragged(rng, shape):
    """Log-probabilities of texts or copies of 0 to 60 tokens, some of them impossible."""
    logprobs = -rng.gamma(2.0, 1.0, shape)
    logprobs[rng.random(shape) < 0.01] = -np.inf
    return logprobs


def copies(rng, texts=80, views=4, width=62):
    """Copies of 1 to 62 tokens; some are missing, of a few texts all."""
    logprobs = ragged(rng, (texts, views, width))
    ends = rng.integers(1, width + 1, (texts, views))
    ends[rng.random(ends.shape) < 0.2] = 0
    ends[:4] = 0
    logprobs[np.arange(width) >= ends[..., None]] = nan
    return logprobs


@pytest.fixture(scope="module")
def signals():
    """Ragged texts of 0 to 60 tokens, some impossible, some unscored in their midst."""
    rng = np.random.default_rng(11)
    shape = 80, 60
    lengths = rng.permutation(np.r_[0, 0, 1, 1, 2, 2, rng.integers(3, 61, 74)])
    unscored = (np.arange(60) >= lengths[:, None]) | (rng.random(shape) < 0.05)
    logprobs = ragged(rng, shape)
    moved = rng.normal(0, 1, shape) * (rng.random(shape) < 0.6)
    tokens = {
        "token_logprobs": logprobs,
        "token_top_logprob": np.maximum(logprobs, -rng.gamma(2.0, 0.4, shape)),
        "token_mean_logprob": -rng.gamma(3.0, 0.7, shape),
        "token_entropy": rng.gamma(3.0, 0.7, shape),
        "token_std_logprob": rng.gamma(2.0, 0.5, shape) * (rng.random(shape) < 0.9),
        "token_hit": (rng.random(shape) < 0.4).astype(float),
        "token_ids": rng.integers(0, 30, shape).astype(float),
        "token_frequency": rng.uniform(1e-6, 0.3, shape),
        "base_token_logprobs": np.minimum(np.maximum(logprobs, -50) + moved, 0),
        "self_token_logprobs": ragged(rng, shape),
        "prefix_token_logprobs": ragged(rng, shape),
        "prefix_member_token_logprobs": ragged(rng, shape),
    }
    found = {name: np.where(unscored, nan, array) for name, array in tokens.items()}
    for kind in ("neighbours", "swaps", "spans"):
        for whose in ("", "base_", "self_"):
            found[f"{whose}aug_{kind}_token_logprobs"] = copies(rng)
    recall = np.where(rng.random((80, 5)) < 0.2, nan, rng.random((80, 5)))
    recall[:2] = nan
    gains = np.where(rng.random((80, 4)) < 0.2, nan, rng.normal(0, 2, (80, 4)))
    gains[:3] = nan
    kept = np.where(unscored, nan, rng.random(shape) < 0.4)
    return found | {
        "aug_lowercase_token_logprobs": copies(rng, views=1),
        "texts": [("A text", "a text", "ÉTÉ", "1 2")[number % 4] for number in range(80)],
        "zlib_length": rng.integers(8, 300, 80),
        "rewrite_gain": gains,
        "token_kept": kept,
        "sample_recall": recall,
        "sample_zlib": rng.integers(20, 90, (80, 5)).astype(float),
    }


@pytest.mark.parametrize(
    "name, options", [(name, options) for name, every in CASES.items() for options in every]
)
def test_it_equals_the_loop(name, options, signals):
    attack = get(name, ["language"])
    given = [signals[need] for need in attack.needs]
    naive = getattr(loops, name)
    expected = [naive(*row, **options) for row in zip(*given, strict=True)]
    assert 0 < np.isnan(expected).sum() < 40
    np.testing.assert_allclose(attack.score(*given, **options), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rows, width", [(2, 0), (0, 3), (0, 0)])
@pytest.mark.parametrize("name", CASES)
def test_nothing_to_score_scores_nothing(name, rows, width, signals):
    attack = get(name, ["language"])
    given = [
        signals[need][:rows, ..., :width] if np.ndim(signals[need]) > 1 else signals[need][:rows]
        for need in attack.needs
    ]
    for options in CASES[name]:
        np.testing.assert_array_equal(attack.score(*given, **options), np.full(rows, nan))


def test_every_attack_has_a_loop():
    assert CASES.keys() | ELSEWHERE == of_families(["language"]).keys()
