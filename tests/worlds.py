"""Synthetic worlds: every signal of candidates whose membership is planted, without a model."""

from collections.abc import Iterable
from inspect import signature
from typing import Any

import numpy as np
import planted
from planted import MOST, WORDS, World

from nonmember.signals.catalogue import queried
from nonmember.signals.derive import DERIVED

GAP = 3.0  # nats by which memorised tokens are likelier
SPANS_GAP, REWRITES_GAP = 0.02, 0.05  # of it, by which all tokens of such copies are likelier
OTHERS = ("known_", "pop_")  # signals of records that are not the candidates
MODELS = ("base_", "self_")
REFERENCES = 64  # models: enough on a side for a deviation of each candidate's own
PER_RECORD = ("features", "sample_recall", "sample_zlib")  # their columns are no tokens


def language(n: int = 256, *, gap: float = GAP, shifted: bool = False, seed: int = 0) -> World:
    """A target that memorised a fifth of its members' tokens, and the base it was tuned from.

    Members and non-members alternate. Texts say nothing of membership unless ``shifted``,
    when members are longer, older and less varied.
    """
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    lengths, ids = planted.lengths_of(rng, member & shifted), planted.words(rng, member & shifted)
    texts = [" ".join(WORDS[row[:length]]) for row, length in zip(ids, lengths, strict=True)]
    models = _models(rng, ids, gap * member)
    base, target = models["base_token_logprobs"], models["token_logprobs"]
    own = models | {
        **planted.conditioned(rng, target, gap * member),
        **planted.repeated(rng, target, base),
        "token_ids": ids.astype(float),
        "token_frequency": planted.frequency(ids),
    }
    copies = planted.copies(rng, base, lengths)
    apart = np.random.default_rng([seed, 1])  # leaves what is drawn after them as it is
    rewrites = planted.copies(apart, base, lengths, planted.REWRITES)
    own["token_kept"] = planted.kept(apart, ids.shape)
    told = planted.lifted(
        planted.jittered(apart, rewrites, 0.1), "rewrites", REWRITES_GAP * gap * member
    )
    others = {"member": member, "texts": texts, "token_embedding": planted.embedding}
    others["whole_texts"] = texts
    return {
        **others,
        **_padded(own, lengths),
        **planted.lifted(planted.jittered(rng, copies, 0.1), "spans", SPANS_GAP * gap * member),
        **told,
        **{f"base_{name}": array for name, array in (copies | rewrites).items()},
        **{f"self_{k}": a for k, a in planted.jittered(rng, copies, 0.1).items()},
        **planted.samples(rng, gap * member),
        **planted.features(rng, gap * member),
    }


def for_needs(needs: Iterable[str], *, gap: float = GAP, n: int = 256, seed: int = 0) -> World:
    """The world in which an attack with these needs has something to find, if ``gap``.

    What asks no model finds its ``gap`` in the texts. ``known_`` signals are of other records,
    ``pop_`` signals of the non-members among them.
    """
    needs = tuple(needs)
    shifted = gap > 0 and not queried(needs)
    found = {}
    for prefix, at in {"": seed, "known_": seed + 1, "pop_": seed + 2}.items():
        world = language(n, gap=gap, shifted=shifted, seed=at)
        if prefix == "pop_":
            world = reordered(world, np.flatnonzero(~world["member"]))
        found |= {prefix + name: signal for name, signal in world.items()}
    if "ref_token_logprobs" in needs:
        found |= references(found, gap=gap, seed=seed)
    return derived(found, needs)


def references(world: World, *, gap: float, seed: int) -> World:
    """Models tuned from the base as the target was, each on a random half of the candidates."""
    rng = np.random.default_rng([seed, 2])
    base = world["base_token_logprobs"]
    halves = np.tile(np.arange(len(base)) % 2 == 0, (REFERENCES // 2, 1))
    halves = rng.permuted(halves, axis=1)
    saw = np.stack([halves, ~halves], axis=1).reshape(REFERENCES, -1)
    unexpected = base < world["base_token_mean_logprob"]
    learnt = saw[..., None] & unexpected & (rng.random((REFERENCES, *base.shape)) < 0.4)
    moved = base + 0.3 * rng.normal(size=learnt.shape) + gap * learnt
    return {"ref_token_logprobs": np.minimum(moved, planted.CERTAIN), "ref_member": saw}


def derived(world: World, names: Iterable[str]) -> World:
    """The same world, with those of these signals that are derived from its others, anew."""
    found = {}
    for name in names:
        records = next((prefix for prefix in OTHERS if name.startswith(prefix)), "")
        rest = name.removeprefix(records)
        model = next((prefix for prefix in MODELS if rest.startswith(prefix)), "")
        if function := DERIVED.get(rest.removeprefix(model)):
            needs = signature(function).parameters
            own = (world.get(records + model + need, world.get(records + need)) for need in needs)
            found[name] = function(*own)
    return world | found


def cut(world: World, tokens: int, rows: np.ndarray) -> World:
    """The same world, its records in ``rows`` cut to their first ``tokens`` tokens."""
    found = dict(world)
    for name, signal in _of_candidates(world).items():
        if _per_token(name, signal) or (tokens == 0 and name in PER_RECORD):
            found[name] = signal.copy()
            places = (slice(None), rows) if name.startswith("ref_") else (rows,)
            found[name][*places, ..., tokens:] = np.nan
    found["texts"] = list(world["texts"])
    for row in rows:
        found["texts"][row] = " ".join(world["texts"][row].split()[:tokens])
    found["whole_texts"] = found["texts"]
    return derived(found, found)


def impossible(world: World) -> World:
    """The same world, where some tokens cannot be according to the target, others, or both."""
    found = dict(world)
    for name, signal in _of_candidates(world).items():
        if name.endswith("token_logprobs"):
            found[name] = signal.copy()
            found[name][..., [2, 3] if name == "token_logprobs" else [3, 4]] = -np.inf
    return derived(found, found)


def widened(world: World, *, at: int, by: int) -> World:
    """The same world, with ``by`` columns of NaN put into its token arrays before column ``at``."""
    found = world | {
        name: np.insert(signal, [at] * by, np.nan, axis=-1)
        for name, signal in world.items()
        if _per_token(name, signal)
    }
    return derived(found, found)


def with_missing_copies(world: World, *, by: int) -> World:
    """The same world, with ``by`` copies more of each text, none of which could be made."""
    found = world | {
        name: np.insert(signal, [0] * (by - 1) + [signal.shape[1]], np.nan, axis=1)
        for name, signal in world.items()
        if "aug_" in name or name.startswith("sample_")
    }
    return derived(found, found)


def reordered(world: World, order: np.ndarray) -> World:
    """The same world, its candidates in another order; what is known of others stays."""
    return world | {name: _taken(name, one, order) for name, one in _of_candidates(world).items()}


def as_type(world: World, dtype: type) -> World:
    """The same world, its arrays in another number format."""
    found = {
        name: signal.astype(dtype) if _is_array(signal) and signal.dtype != bool else signal
        for name, signal in world.items()
    }
    return derived(found, found)


def _of_candidates(world: World) -> World:
    return {
        name: signal
        for name, signal in world.items()
        if not name.removeprefix("ref_").startswith(OTHERS)
    }


def _per_token(name: str, signal: Any) -> bool:
    return _is_array(signal) and ("token" in name or name.endswith("label_similarity"))


def _is_array(signal: Any) -> bool:
    return isinstance(signal, np.ndarray) and signal.ndim > 1


def _taken(name: str, signal: Any, order: np.ndarray) -> Any:
    if callable(signal):
        return signal
    if name.startswith("ref_"):  # the models come first
        return signal[:, order]
    return signal[order] if isinstance(signal, np.ndarray) else [signal[i] for i in order]


def _models(rng: np.random.Generator, ids: np.ndarray, gap: np.ndarray) -> World:
    """What the base, the target and a reference that learnt nothing say of each token."""
    base = planted.base(rng, ids)
    target = planted.tuned(rng, base, ids, gap[:, None])
    reference = planted.tuned(rng, base, ids, np.zeros(1))
    return {
        prefix + name: array
        for prefix, model in {"": target, "base_": base, "self_": reference}.items()
        for name, array in model.items()
    }


def _padded(arrays: World, lengths: np.ndarray) -> World:
    """NaN past the end of each text, on the last axis."""
    past = np.arange(MOST) >= lengths[:, None]
    return {
        name: np.where(past[:, None] if array.ndim == 3 else past, np.nan, array)
        for name, array in arrays.items()
    }
