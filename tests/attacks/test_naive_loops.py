"""Each attack against its paper's formula, one text and one token at a time."""

from math import floor, isnan, log, nan, sqrt

import numpy as np
import pytest

import nonmember.attacks  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import get, of_families

WINDOWS = (2, 3, 4, 6, 9, 13, 18, 25, 32, 40)


def valid(*rows):
    """Tokens of a text that every array has, impossible ones at -10,000 nats."""
    return [
        tuple(max(x, -1e4) for x in token)
        for token in zip(*rows, strict=True)
        if not any(map(isnan, token))
    ]


def average(values):
    return sum(values) / len(values) if values else nan


def lowest(values, k):
    kept = max(1, floor(k * len(values) + 1e-9))
    return average(sorted(values)[:kept])


def windows(values, width):
    """Every whole window of a list, or the one window of a list that is too short."""
    if len(values) < width:
        return [values] if values else []
    return [values[i : i + width] for i in range(len(values) - width + 1)]


def loss(lp, *, reduction="mean"):
    values = [x for (x,) in valid(lp)]
    return sum(values) if reduction == "sum" and values else average(values)


def zlib(lp, length, *, numerator="mean"):
    return loss(lp, reduction=numerator) / length


def reference_difference(lp, base):
    return average([x - b for x, b in valid(lp, base)])


def min_k(lp, *, k=0.2, window=1, stride=1):
    means = [average(part) for part in windows([x for (x,) in valid(lp)], window)]
    return lowest(means[::stride], k)


def min_k_plus_plus(lp, mean, std, *, k=0.2, clip=1e9):
    scaled = [(x - mu) / sqrt(max(sd * sd, 1e-8)) for x, mu, sd in valid(lp, mean, std)]
    return lowest([min(max(z, -clip), clip) for z in scaled], k)


def ez_mia(lp, base, hit, *, c=1e-6, min_errors=2, few_errors="nan"):
    won = lost = errors = 0
    for x, b, correct in valid(lp, base, hit):
        if not correct:
            errors += 1
            won += max(x - b, 0)
            lost += max(b - x, 0)
    if errors < min_errors:
        return 0.0 if few_errors == "neutral" and valid(lp) else nan
    return log((won + c) / (lost + c))


def wbc(lp, base, *, windows=WINDOWS, ties=0.0):
    gains = [x - b for x, b in valid(lp, base)]
    return average([average(votes(gains, width, ties)) for width in windows])


def votes(gains, width, ties):
    totals = [sum(part) for part in windows(gains, width)]
    return [1.0 if total > 0 else ties * (total == 0) for total in totals]


CASES = [
    (loss, {}),
    (loss, {"reduction": "sum"}),
    (zlib, {}),
    (zlib, {"numerator": "sum"}),
    (reference_difference, {}),
    *[(min_k, {"k": k}) for k in (0.05, 0.2, 0.5, 1.0)],
    (min_k, {"window": 4}),
    (min_k, {"window": 3, "stride": 2, "k": 0.6}),
    (min_k, {"stride": 3, "k": 0.4}),
    (min_k_plus_plus, {}),
    (min_k_plus_plus, {"k": 0.5, "clip": 1.5}),
    (ez_mia, {}),
    (ez_mia, {"c": 0.1, "min_errors": 5, "few_errors": "neutral"}),
    (wbc, {}),
    (wbc, {"windows": (1, 5, 50), "ties": 0.5}),
]


@pytest.fixture(scope="module")
def signals():
    """Ragged texts of 0 to 60 tokens, some impossible, some unscored in their midst."""
    rng = np.random.default_rng(11)
    shape = 80, 60
    lengths = rng.permutation(np.r_[0, 0, 1, 1, 2, 2, rng.integers(3, 61, 74)])
    unscored = (np.arange(60) >= lengths[:, None]) | (rng.random(shape) < 0.05)
    logprobs = -rng.gamma(2.0, 1.0, shape)
    base = np.minimum(logprobs + rng.normal(0, 1, shape) * (rng.random(shape) < 0.6), 0)
    logprobs[rng.random(shape) < 0.01] = -np.inf
    arrays = {
        "token_logprobs": logprobs,
        "base_token_logprobs": base,
        "token_mean_logprob": -rng.gamma(3.0, 0.7, shape),
        "token_std_logprob": rng.gamma(2.0, 0.5, shape) * (rng.random(shape) < 0.9),
        "token_hit": (rng.random(shape) < 0.4).astype(float),
    }
    padded = {name: np.where(unscored, nan, array) for name, array in arrays.items()}
    return padded | {"zlib_length": rng.integers(8, 300, 80)}


@pytest.mark.parametrize("naive, options", CASES, ids=lambda case: getattr(case, "__name__", None))
def test_it_equals_the_loop(naive, options, signals):
    attack = get(naive.__name__, ["language"])
    given = [signals[need] for need in attack.needs]
    expected = [naive(*row, **options) for row in zip(*given, strict=True)]
    assert 0 < np.isnan(expected).sum() < 20
    np.testing.assert_allclose(attack.score(*given, **options), expected, rtol=1e-9, atol=1e-9)


def test_every_attack_has_a_loop():
    assert {naive.__name__ for naive, _ in CASES} == of_families(["language"]).keys()
