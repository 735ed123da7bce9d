"""How the signals of a synthetic world are made, and where in them membership is planted.

As the papers assume: a target that memorised a text finds some of its tokens likelier, but
hardly those of altered copies; it may have learnt a rewrite as well; other texts before it
distract the target from it, while texts of the same kind remind it; and it gains less from
being told it twice.
"""

from typing import Any

import numpy as np

World = dict[str, Any]

WORDS = np.array([*(f"Word{i}" for i in range(40)), *(str(year) for year in range(2005, 2025))])
YEARS = 20  # the last words: each text begins with one of them
FEWEST, MOST = 30, 48  # tokens of a text
COPIES = {"lowercase": 1, "swaps": 5, "neighbours": 4, "spans": 4}
REWRITES = {"rewrites": 3}
LONGER = 2  # tokens by which a copy may exceed the longest text
CERTAIN = -1e-3  # no token is likelier, in nats


def lengths_of(rng: np.random.Generator, shifted: np.ndarray) -> np.ndarray:
    """Tokens of each text; ``shifted`` texts are longer."""
    return np.maximum(rng.integers(FEWEST, MOST + 1, len(shifted)), FEWEST + 8 * shifted)


def words(rng: np.random.Generator, shifted: np.ndarray) -> np.ndarray:
    """Numbers of words (n t), a year first; ``shifted`` texts are older and less varied."""
    kinds = len(WORDS) - YEARS
    plain = rng.integers(0, kinds, (len(shifted), MOST))
    rare = rng.random(plain.shape) < 0.1
    ids = np.where(shifted[:, None] & ~rare, plain % (kinds // 2), plain)
    ids[:, 0] = kinds + rng.integers(0, YEARS, len(shifted)) // (1 + shifted)
    return ids


def frequency(ids: np.ndarray) -> np.ndarray:
    """How often each word occurs elsewhere: from one in three to one in three hundred."""
    table = 1 / (3 + 5 * np.arange(len(WORDS), dtype=float))
    return table[ids]


def embedding(ids: np.ndarray) -> np.ndarray:
    """Directions (k 2) of k words, in a circle: neighbours have nearly the same."""
    angles = 2 * np.pi * np.asarray(ids, dtype=float) / len(WORDS)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def base(rng: np.random.Generator, ids: np.ndarray) -> World:
    """Tokens of a model as likely as its moments say; the likeliest ones are hits."""
    mean = -rng.gamma(2.0, 1.2, ids.shape)
    std = rng.uniform(1.5, 2.5, ids.shape)
    logprobs = mean + std * rng.normal(size=ids.shape)
    return _statistics(ids, logprobs, mean, std, mean * rng.uniform(0.1, 0.5, ids.shape))


def tuned(rng: np.random.Generator, base: World, ids: np.ndarray, gain: np.ndarray) -> World:
    """The base after fine-tuning: every token moved a little, a fifth of them by ``gain`` more.

    Those are tokens that the base did not expect: there was something to learn.
    """
    moved = base["token_logprobs"] + 0.3 * rng.normal(size=ids.shape)
    unexpected = base["token_logprobs"] < base["token_mean_logprob"]
    moved += gain * (unexpected & (rng.random(ids.shape) < 0.4))
    others = ("token_mean_logprob", "token_std_logprob", "token_top_logprob")
    return _statistics(ids, moved, *(base[name] for name in others))


def copies(
    rng: np.random.Generator,
    logprobs: np.ndarray,
    lengths: np.ndarray,
    kinds: dict[str, int] = COPIES,
) -> World:
    """The base's log-probabilities of altered copies, a few of them missing; never the first."""
    found = {}
    for kind, views in kinds.items():
        shape = len(lengths), views, MOST + LONGER
        fresh = np.minimum(-rng.gamma(4.0, 0.8, shape), CERTAIN)
        kept = (rng.random(shape) < 0.8)[..., :MOST]
        fresh[..., :MOST] = np.where(kept, logprobs[:, None], fresh[..., :MOST])
        missing = (rng.random(shape[:2]) < 0.1) & (np.arange(views) > 0)
        ends = lengths[:, None] + rng.integers(-LONGER, LONGER + 1, shape[:2])
        ends[missing] = 0
        past = np.arange(MOST + LONGER) >= ends[..., None]
        found[f"aug_{kind}_token_logprobs"] = np.where(past, np.nan, fresh)
    return found


def jittered(rng: np.random.Generator, arrays: World, scale: float) -> World:
    """The same log-probabilities from a model that differs a little."""
    return {
        name: np.minimum(array + scale * rng.normal(size=array.shape), CERTAIN)
        for name, array in arrays.items()
    }


def lifted(arrays: World, kind: str, gain: np.ndarray) -> World:
    """The same log-probabilities, those of copies of this kind larger by their record's gain."""
    name = f"aug_{kind}_token_logprobs"
    return arrays | {name: np.minimum(arrays[name] + gain[:, None, None], CERTAIN)}


def kept(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Tokens that a paraphrase must keep: the year, and three in ten of the others."""
    marks = rng.random(shape) < 0.3
    marks[:, 0] = True
    return marks.astype(float)


def conditioned(rng: np.random.Generator, logprobs: np.ndarray, planted: np.ndarray) -> World:
    """The target's log-probabilities after non-members and after members."""
    told = 0.03 * (planted - planted.mean())[:, None]
    after = {"prefix_": logprobs - told, "prefix_member_": logprobs + told}
    return jittered(rng, {f"{kind}token_logprobs": a for kind, a in after.items()}, 0.3)


def repeated(
    rng: np.random.Generator, target: np.ndarray, base: np.ndarray, times: int = 3
) -> World:
    """The target's of the text told over and over: what was memorised has less left to gain."""
    later = [base * 0.5**told for told in range(1, times)]
    again = jittered(rng, {"": np.stack(later, axis=1)}, 0.1)[""]
    return {"repeat_token_logprobs": np.concatenate([target[:, None], again], axis=1)}


def samples(rng: np.random.Generator, planted: np.ndarray, times: int = 4) -> World:
    """How much of the text the target writes by itself; a few samples missing."""
    recall = np.clip(
        0.3 + 0.05 * planted[:, None] + 0.1 * rng.normal(size=(len(planted), times)), 0, 1
    )
    recall[(rng.random(recall.shape) < 0.1) & (np.arange(times) > 0)] = np.nan
    lengths = np.where(np.isnan(recall), np.nan, rng.integers(40, 90, recall.shape))
    return {"sample_recall": recall, "sample_zlib": lengths}


def features(rng: np.random.Generator, planted: np.ndarray) -> World:
    """Scores of other attacks: three that see something, one of noise, one that says nothing."""
    seen = [0.5 * planted + rng.normal(size=len(planted)) for _ in range(3)]
    noise, nothing = rng.normal(size=len(planted)), np.ones(len(planted))
    return {"features": np.stack([*seen, noise, nothing], axis=1)}


def _statistics(
    ids: np.ndarray, logprobs: np.ndarray, mean: np.ndarray, std: np.ndarray, top: np.ndarray
) -> World:
    """The six statistics, agreeing with each other; the first two tokens are always misses.

    The likeliest token is the nearer in meaning to the true one, the less that falls behind.
    """
    hit = logprobs >= top
    hit[:, :2] = False
    logprobs = np.where(hit, top, np.minimum(logprobs, top - 0.01))
    steps = np.clip(np.round(3 * (top - logprobs)), ~hit, len(WORDS) // 2).astype(int)
    return {
        "token_logprobs": logprobs,
        "token_hit": hit.astype(float),
        "token_top_id": ((ids + steps) % len(WORDS)).astype(float),
        "token_top_logprob": top,
        "token_mean_logprob": mean,
        "token_std_logprob": std,
    }
