"""Diffence beside other defenses of classifiers: what each hides, what it costs.

    python benchmarks/diffence.py --store DIR [--data DIR] [--fashion DIR] [--only PART ...]
                                  [--seeds 0 1 2] [--tiny]

A part is a name, or the beginning of several: `digits`, `digits.references`, `fashion`, `cifar10`,
`resnet` (CIFAR-10 again, by a residual network: a night), `speed`, `checks`. Every figure is of the
product's own audits, one for each way of training, whose work is kept in the store: an interrupted
part goes on where it stopped, and keeps what there is.
Writes benchmarks/results/diffence.json and a picture beside it; with `--tiny`, which tries
everything on very little, it only prints.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import diffence_checks
import diffence_data
import diffence_kept as kept
import diffence_parts
import diffence_plot
import diffence_speed
from diffence_parts import Study

Part = Callable[[Study], None]
PARTS: Mapping[str, Part] = {
    "digits": diffence_parts.digits,
    "digits.references": diffence_parts.references,
    "fashion": diffence_parts.fashion,
    "cifar10": diffence_parts.cifar10,
    "resnet": diffence_parts.resnet,
    "speed": diffence_speed.speed,
    "checks": diffence_checks.checks,
}


def main() -> None:
    """Measure what was asked for, a part after another."""
    line = asked()
    chosen = [name for name in PARTS if name.startswith(tuple(line.only))]
    if not chosen:
        raise SystemExit(f"--only {' '.join(line.only)}: give the beginning of {', '.join(PARTS)}")
    study = Study(line.store, tuple(line.seeds), line.data, line.fashion, tiny=line.tiny)
    for name in chosen:
        try:
            PARTS[name](study)
        except diffence_data.MissingError as missing:
            print(f"{name} is left out: {missing}", flush=True)
    if not line.tiny:
        diffence_plot.draw(kept.everything())


def asked() -> Any:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="holds cifar10/cifar10_jpeg.npz")
    parser.add_argument("--fashion", type=Path, default=diffence_data.FASHION)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
