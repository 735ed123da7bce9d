"""How time grows with references, tokens and copies, and what that says of sizes not tried.

    python benchmarks/growth.py [--only references|tokens|copies|projection]

Each size in turn, several times over, so that what slows the machine for a while meets them all.
An exponent is the slope of log time over log size. The projection takes the milliseconds per
record of `scale.py` and the speed per token measured here; its assumptions stand beside it.
Writes benchmarks/results/growth.json.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from ensemble import material
from machine import RESULTS, interleaved, keep, rounded, spread

from nonmember.models import causal, diffusion
from nonmember.models.causal import CausalModel
from nonmember.models.diffusion import Regeneration
from nonmember.models.diffusion.regeneration import regenerate
from nonmember.models.diffusion.schedule import linear
from nonmember.models.nets import mlp
from nonmember.models.source import locate
from nonmember.models.text import Encoded, Form
from nonmember.seeds import generator
from nonmember.signals.language import token_statistics
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import fit_ensemble

TIMES = 5
REFERENCES, EPOCHS = (16, 64, 256), 10
TOKENS, TEXTS = (64, 128, 256, 512), 8
COPIES, IMAGES = (1, 3, 10, 30), 64
MODEL, PARAMETERS = "smollm2", 134_515_008
SECRET = b"of the benchmark"
LARGE, MANY, LENGTH = 7_000_000_000, 1_000_000, 256  # of the projection


def references() -> dict[str, Any]:
    """Training of so many stacked reference models of digits, 250 records each."""

    def trained(models: int) -> None:
        inputs, labels, member = material((64,), models)
        recipe = ClassifierRecipe(epochs=EPOCHS, noise=0.15)
        make = partial(mlp, (64,), 10, width=32)
        fit_ensemble(make, inputs, labels, member, recipe, seeds=range(models))

    return {"epochs": EPOCHS, **grown({size: partial(trained, size) for size in REFERENCES})}


def tokens() -> dict[str, Any]:
    """Token statistics of texts of so many tokens, under the packaged language model."""
    model = causal.load(locate(MODEL), causal.placement())
    ways = {size: partial(_asked, model, size) for size in TOKENS}
    found = grown(ways, times=3)
    each = {
        str(size): rounded(found["seconds"][str(size)]["median"] / (TEXTS * size))
        for size in TOKENS
    }
    return {"model": MODEL, "texts": TEXTS, **found, "seconds per token": each}


def _asked(model: CausalModel, size: int) -> None:
    rng = generator(0, "growth", size)
    texts = [_text(rng.integers(1_000, 40_000, size)) for _ in range(TEXTS)]
    token_statistics(model, texts)


def _text(ids: np.ndarray) -> Encoded:
    return Encoded(ids, np.arange(len(ids)) > 0, "", False, "", Form(len(ids)))


def copies() -> dict[str, Any]:
    """Regeneration of images of 8 x 8 with so many copies of each, one evaluation a copy."""
    network = diffusion.mlp((8, 8))
    made = diffusion.of(network, linear(), (8, 8), low=-1, high=1)
    images = generator(0, "images").uniform(-1, 1, (IMAGES, 8, 8)).astype(np.float32)

    def asked(n: int) -> None:
        regenerate(made, images, Regeneration(n=n), SECRET)

    return {"images": IMAGES, **grown({n: partial(asked, n) for n in COPIES})}


def grown(ways: Mapping[int, Callable[[], None]], times: int = TIMES) -> dict[str, Any]:
    """Seconds at each size, and the exponent with which they grow."""
    named = {str(size): way for size, way in ways.items()}
    interleaved(named, 1)  # warm up
    seconds = interleaved(named, times)
    sizes = np.log([*ways])
    turns = zip(*seconds.values(), strict=True)
    slopes = [float(np.polyfit(sizes, np.log(turn), 1)[0]) for turn in turns]
    return {
        "seconds": {name: spread(found) for name, found in seconds.items()},
        "exponent": spread(slopes),
    }


def projection() -> dict[str, Any]:
    """What a million records cost, and asking a model of 7 billion parameters about them.

    On paper: time per record stays as it was at the largest size measured, and time per token
    grows as parameters do. Neither memory nor reading such a model from disk is counted.
    """
    scale = json.loads((RESULTS / "scale.json").read_text())
    largest = scale[max(scale, key=int)]
    own = largest["seconds"] - largest["seconds asking models"]
    token = json.loads((RESULTS / "growth.json").read_text())["tokens"]["seconds per token"]
    asking = token[str(LENGTH)] * LENGTH * MANY * LARGE / PARAMETERS
    return {
        "records": MANY,
        "hours but for asking models": rounded(own / largest["records"] * MANY / 3600),
        "tokens per record": LENGTH,
        "parameters": LARGE,
        "days of this machine asking the model once": rounded(asking / 86_400),
        "floating-point operations, exa": rounded(2 * LARGE * LENGTH * MANY / 1e18),
        "assumed": "time per record as at the largest size measured; per token as parameters",
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "references": references,
    "tokens": tokens,
    "copies": copies,
    "projection": projection,
}


def main(words: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", choices=sorted(PARTS))
    only = parser.parse_args(words).only
    for part in [only] if only else PARTS:
        start = time.perf_counter()
        found = PARTS[part]()
        keep("growth", part, {**found, "took seconds": round(time.perf_counter() - start, 1)})


if __name__ == "__main__":
    main()
