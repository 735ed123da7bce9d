"""What the attack suite costs: forward passes, scores, against the straightforward way, memory.

    python benchmarks/suite.py [--only forward|scores|toolkit|memory]

Writes benchmarks/results/suite.json: the design's targets beside what was measured. Ways that
are compared take turns; a ratio is of one turn, and its median stands between the extremes.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import forward
import naive
import numpy as np
import torch
from forward import MODEL, SEED
from machine import inside, interleaved, keep, memory, ratios, rounded, spread

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import Attack, of_families
from nonmember.models import causal
from nonmember.models.causal import CausalModel, Placement
from nonmember.models.source import locate
from nonmember.models.text import Encoded, Form
from nonmember.seeds import generator
from nonmember.signals.derive import DERIVED
from nonmember.signals.language import token_statistics

TOKENS, VOCABULARY = 256, 49_152
RECORDS, SHARD, SCORING_REPETITIONS, SCORING_SECONDS = 10_000, 256, 3, 10
LOADS = ((64, 64), (16, 256))  # texts, and tokens of each
CHECKED_TEXTS, REPETITIONS, TIMES_FASTER = 4, 5, 10
MOVED = 0.02  # of a weight's size: how far the base's weights are from the target's
ALIKE = 0.02  # of a score's spread over texts: how far two ways may differ in float32
LONG_TEXTS, LONG_TOKENS, EXTRA_GIGABYTES = 16, 512, 1.0
DERIVED_HERE = ("zlib_length", "token_entropy")

Signals = Mapping[str, Any]
Fetch = Callable[[str], Any]
Scores = dict[str, np.ndarray]


def scores() -> dict[str, Any]:
    """Seconds of every attack on signals of one text that are there already."""
    starts = range(0, RECORDS, SHARD)
    shards = [synthetic(min(SHARD, RECORDS - start), start) for start in starts]
    attacks = single_text(shards[0])
    runs = [_timed(shards, attacks) for _ in range(SCORING_REPETITIONS)]
    return {
        "records": RECORDS,
        "tokens per record": TOKENS,
        "records at a time": SHARD,
        "seed": SEED,
        "repetitions": SCORING_REPETITIONS,
        "seconds": spread([sum(run.values()) for run in runs]),
        "target seconds": SCORING_SECONDS,
        "seconds by attack": {name: spread([run[name] for run in runs]) for name in runs[0]},
    }


def _timed(shards: Sequence[Signals], attacks: Sequence[Attack]) -> dict[str, float]:
    """Seconds of each attack and of each derived signal, a shard after another."""
    seconds = dict.fromkeys([*DERIVED_HERE, *(one.name for one in attacks)], 0.0)
    for shard in shards:
        fetch = fetching(shard)
        for name in DERIVED_HERE:
            start = time.perf_counter()
            fetch(name)
            seconds[name] += time.perf_counter() - start
        for one in attacks:
            start = time.perf_counter()
            one.score(*map(fetch, one.needs))
            seconds[one.name] += time.perf_counter() - start
    return seconds


def synthetic(records: int, start: int) -> dict[str, Any]:
    """Signals of a shard as an audit has them: float32 from models, float64 from counting."""
    rng = generator(SEED, "signals", start)
    shape = (records, TOKENS)
    base = -rng.exponential(2.5, shape)
    target = np.minimum(base + rng.normal(0.1, 0.3, shape), 0)
    ids = np.minimum(rng.pareto(0.6, shape) * 10, VOCABULARY - 1).astype(int)
    top = np.maximum(target, -rng.exponential(0.8, shape))
    arrays = {
        "token_logprobs": target,
        "token_hit": target == top,
        "token_top_logprob": top,
        "token_mean_logprob": -rng.gamma(2.0, 1.2, shape),
        "token_std_logprob": rng.gamma(4.0, 0.4, shape),
        "base_token_logprobs": base,
    }
    return {
        **{name: array.astype(np.float32) for name, array in arrays.items()},
        "token_ids": ids.astype(float),
        "token_frequency": 1e-2 / (1.0 + ids),
        "texts": [" ".join(map(str, row)) for row in ids],
    }


def fetching(known: Signals) -> Fetch:
    """Looks signals up, and derives the others, each once."""
    held = dict(known)

    def fetch(name: str) -> Any:
        if name not in held:
            needs = signature(DERIVED[name]).parameters
            held[name] = DERIVED[name](*map(fetch, needs))
        return held[name]

    return fetch


def single_text(known: Signals) -> list[Attack]:
    """Every attack on language models for which these signals, and what derives from them, do."""
    enough = {*known, *DERIVED_HERE}
    every = of_families(["language"]).values()
    return [one for one in every if one.rowwise and enough.issuperset(one.needs)]


def toolkit() -> dict[str, Any]:
    """Every attack on one text's signals: the straightforward way, and ours."""
    where = causal.placement()
    alike = _compared(*_pair(Placement(where.device, torch.float32)), CHECKED_TEXTS)
    model, base = _pair(where)
    return {
        **forward.circumstances(model),
        "attacks": [one.__name__ for one in naive.ATTACKS],
        "repetitions": REPETITIONS,
        "target": TIMES_FASTER,
        **{f"{n} texts of {t} tokens": _raced(model, base, n, t) for n, t in LOADS},
        "largest difference in float32, in spreads of the score": alike,
    }


def _raced(model: CausalModel, base: CausalModel, count: int, tokens: int) -> dict[str, Any]:
    """Seconds of each way, in turns, and how much longer than ours the others take."""
    texts = forward.functions(model.tokenizer, count, tokens)
    ways = {
        "an attack at a time": lambda: straightforward(model, base, texts),
        "a text at a time": lambda: straightforward(model, base, texts, shared=True),
        "ours": lambda: ours(model, base, texts),
    }
    ours(model, base, texts[:1])  # the first pass of a process is slower
    seconds = interleaved(ways, REPETITIONS)
    return {
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "an attack at a time / ours": ratios(seconds["an attack at a time"], seconds["ours"]),
        "a text at a time / ours": ratios(seconds["a text at a time"], seconds["ours"]),
    }


def _pair(where: Placement) -> tuple[CausalModel, CausalModel]:
    """The model, and the same with its layers' weights moved at random, to be its base."""
    model, base = (causal.load(locate(MODEL), where) for _ in range(2))
    draw = torch.Generator(where.device).manual_seed(SEED)
    with torch.no_grad():
        for name, weight in base.network.named_parameters():
            if ".layers." in name:
                noise = torch.randn(weight.shape, generator=draw, device=where.device)
                weight.mul_(1 + MOVED * noise.to(weight.dtype))
    return model, base


def straightforward(
    model: CausalModel, base: CausalModel, texts: Sequence[Encoded], *, shared: bool = False
) -> Scores:
    """A forward pass per attack, text and model; per text and model, if ``shared``."""
    networks = {"target": model.network, "base": base.network}
    frequency = torch.from_numpy(_frequency(texts, model.vocabulary)).float().to(model.device)
    found: dict[str, list[float]] = {one.__name__: [] for one in naive.ATTACKS}
    for text in texts:
        ids = torch.from_numpy(text.ids).to(model.device)
        case = naive.case(text.text, ids, networks, frequency, shared=shared)
        for attack in naive.ATTACKS:
            found[attack.__name__].append(float(attack(case)))
    return {name: np.array(values) for name, values in found.items()}


def ours(model: CausalModel, base: CausalModel, texts: Sequence[Encoded]) -> Scores:
    """One pass of each model over all texts, and every attack on what it yields."""
    ids = np.stack([one.ids[one.scored] for one in texts])  # all have as many
    known = {
        **token_statistics(model, texts),
        **{f"base_{name}": array for name, array in token_statistics(base, texts).items()},
        "texts": [one.text for one in texts],
        "token_ids": ids.astype(float),
        "token_frequency": _frequency(texts, model.vocabulary)[ids],
    }
    fetch, every = fetching(known), of_families(["language"])
    wanted = [every[one.__name__] for one in naive.ATTACKS]
    return {one.name: one.score(*map(fetch, one.needs)) for one in wanted}


def _frequency(texts: Sequence[Encoded], vocabulary: int) -> np.ndarray:
    """(count + 1) / (N + V) of every word of the vocabulary in the texts themselves, (v,)."""
    counts = np.bincount(np.concatenate([one.ids for one in texts]), minlength=vocabulary)
    return (counts + 1) / (counts.sum() + vocabulary)


def _compared(model: CausalModel, base: CausalModel, count: int) -> dict[str, float]:
    """The largest difference of each attack's scores, in standard deviations over the texts."""
    texts = forward.functions(model.tokenizer, count, TOKENS)
    mine, theirs = ours(model, base, texts), straightforward(model, base, texts)
    off = {name: float(np.abs(mine[name] - theirs[name]).max()) for name in mine}
    found = {name: rounded(off[name] / theirs[name].std()) for name in off}
    for name, share in found.items():
        assert share <= ALIKE, f"{name}: the two ways differ by {share} of the score's spread"
    return found


def held() -> dict[str, Any]:
    """Memory of a process that has loaded the model, and of one that has also asked it."""
    alone, asked = (inside(__file__, "--hold", way) for way in ("model", "statistics"))
    return {
        "model": MODEL,
        "texts": LONG_TEXTS,
        "tokens per text": LONG_TOKENS,
        "gigabytes, model alone": alone,
        "gigabytes, with statistics": asked,
        "more gigabytes, peak to peak": rounded(asked["peak"] - alone["peak"]),
        "more gigabytes, peak to the loaded model at rest": rounded(
            asked["peak"] - alone["resident"]
        ),
        "target gigabytes": EXTRA_GIGABYTES,
    }


def hold(way: str) -> None:
    """Load the model, have it read a few tokens, ask it if that is the way, and print memory."""
    model = causal.load(locate(MODEL), causal.placement())
    with torch.inference_mode():
        model.logits(model.hidden(torch.arange(8, device=model.device)[None])[0])
    if way == "statistics":
        rng = generator(SEED, "ids")
        token_statistics(model, [_made_up(rng) for _ in range(LONG_TEXTS)])
    print(json.dumps(memory()))


def _made_up(rng: np.random.Generator) -> Encoded:
    """A text of random tokens: what it says takes no memory."""
    ids = rng.integers(0, VOCABULARY, LONG_TOKENS)
    return Encoded(ids, np.arange(LONG_TOKENS) > 0, "", False, "", Form(LONG_TOKENS))


PARTS = {"forward": forward.measure, "scores": scores, "toolkit": toolkit, "memory": held}


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    if sys.argv[1:2] == ["--hold"]:
        hold(sys.argv[2])
        return
    for part in [sys.argv[2]] if sys.argv[1:2] == ["--only"] else PARTS:
        keep("suite", part, PARTS[part]())


if __name__ == "__main__":
    main()
