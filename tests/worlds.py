"""Synthetic worlds: every signal of candidates whose membership is planted, without a model."""

from collections.abc import Iterable
from inspect import signature
from typing import Any

import numpy as np

from nonmember.signals.catalogue import queried
from nonmember.signals.derive import DERIVED

World = dict[str, Any]

GAP = 2.0  # nats by which memorised tokens are likelier
WORDS = np.array([f"word{i}" for i in range(40)])
FEWEST, MOST = 30, 48  # tokens of a text


def language(n: int = 256, *, gap: float = GAP, shifted: bool = False, seed: int = 0) -> World:
    """A target that memorised a fifth of its members' tokens, and the base it was tuned from.

    Members and non-members alternate. Texts say nothing of membership unless ``shifted``,
    when members prefer the first half of the words.
    """
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    lengths = rng.integers(FEWEST, MOST + 1, n)
    base = _base(rng, (n, MOST))
    world = {
        "member": member,
        "texts": _texts(rng, lengths, member & shifted),
        **_padded(_tuned(rng, base, gap * member[:, None]), lengths),
        **{f"base_{name}": array for name, array in _padded(base, lengths).items()},
    }
    for name, function in DERIVED.items():
        world[name] = function(*(world[need] for need in signature(function).parameters))
    return world


def for_needs(needs: Iterable[str], *, gap: float = GAP, n: int = 256, seed: int = 0) -> World:
    """The world in which an attack with these needs has something to find, if ``gap``.

    What asks no model finds its ``gap`` in the texts. ``known_`` signals are of other records.
    """
    shifted = gap > 0 and not queried(needs)
    world = language(n, gap=gap, shifted=shifted, seed=seed)
    others = language(n, gap=gap, shifted=shifted, seed=seed + 1)
    return world | {f"known_{name}": signal for name, signal in others.items()}


def cut(world: World, tokens: int, rows: np.ndarray) -> World:
    """The same world, its records in ``rows`` cut to their first ``tokens`` tokens."""
    gone = np.zeros((len(world["texts"]), MOST), dtype=bool)
    gone[rows, tokens:] = True
    texts = [
        " ".join(text.split()[: tokens if lost.any() else None])
        for text, lost in zip(world["texts"], gone, strict=True)
    ]
    arrays = {
        name: np.where(gone, np.nan, signal)
        for name, signal in world.items()
        if _per_token(signal) and not name.startswith("known_")
    }
    return world | arrays | {"texts": texts, "zlib_length": DERIVED["zlib_length"](texts)}


def impossible(world: World) -> World:
    """The same world, where some tokens cannot be according to the target, the base, or both."""
    lost = {"token_logprobs": [2, 3], "base_token_logprobs": [3, 4]}
    never = {name: world[name].copy() for name in lost}
    for name, columns in lost.items():
        never[name][:, columns] = -np.inf
    return world | never


def widened(world: World, *, at: int, by: int) -> World:
    """The same world, with ``by`` columns of NaN put into its token arrays before column ``at``."""
    return {
        name: np.insert(signal, [at] * by, np.nan, axis=1) if _per_token(signal) else signal
        for name, signal in world.items()
    }


def reordered(world: World, order: np.ndarray) -> World:
    """The same world, its candidates in another order; what is known of others stays."""
    return {
        name: signal if name.startswith("known_") else _taken(signal, order)
        for name, signal in world.items()
    }


def as_type(world: World, dtype: type) -> World:
    """The same world, its token arrays in another number format."""
    return {
        name: signal.astype(dtype) if _per_token(signal) else signal
        for name, signal in world.items()
    }


def _per_token(signal: Any) -> bool:
    return isinstance(signal, np.ndarray) and signal.ndim == 2


def _taken(signal: Any, order: np.ndarray) -> Any:
    return signal[order] if isinstance(signal, np.ndarray) else [signal[i] for i in order]


def _base(rng: np.random.Generator, shape: tuple[int, int]) -> World:
    """Tokens of a model as likely as its moments say; the likeliest ones are hits."""
    mean = -rng.gamma(4.0, 0.8, shape)
    std = rng.uniform(0.5, 2.0, shape)
    return _statistics(mean + std * rng.normal(size=shape), mean, std, mean * rng.uniform(0.1, 0.5))


def _tuned(rng: np.random.Generator, base: World, gain: np.ndarray) -> World:
    """The base after fine-tuning: every token moved a little, a fifth of them by ``gain`` more."""
    shape = base["token_logprobs"].shape
    moved = base["token_logprobs"] + 0.3 * rng.normal(size=shape)
    moved += gain * (rng.random(shape) < 0.2)
    others = ("token_mean_logprob", "token_std_logprob", "token_top_logprob")
    return _statistics(moved, *(base[name] for name in others))


def _statistics(logprobs: np.ndarray, mean: np.ndarray, std: np.ndarray, top: np.ndarray) -> World:
    """The five statistics, agreeing with each other; the first two tokens are always misses."""
    hit = logprobs >= top
    hit[:, :2] = False
    return {
        "token_logprobs": np.where(hit, top, np.minimum(logprobs, top - 0.01)),
        "token_hit": hit.astype(float),
        "token_top_logprob": top,
        "token_mean_logprob": mean,
        "token_std_logprob": std,
    }


def _padded(arrays: World, lengths: np.ndarray) -> World:
    past = np.arange(MOST) >= lengths[:, None]
    return {name: np.where(past, np.nan, array) for name, array in arrays.items()}


def _texts(rng: np.random.Generator, lengths: np.ndarray, shifted: np.ndarray) -> list[str]:
    """One word a token; in ``shifted`` texts nearly all are of the first half of the words."""
    half = len(WORDS) // 2
    odds = {False: np.ones(len(WORDS)), True: np.repeat([9.0, 1.0], half)}
    return [
        " ".join(rng.choice(WORDS, length, p=odds[bool(own)] / odds[bool(own)].sum()))
        for length, own in zip(lengths, shifted, strict=True)
    ]
