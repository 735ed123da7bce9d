"""What canaries say of the privacy of a classifier, beside what its accountant claims.

    python benchmarks/canaries.py

In scanned digits 700 canaries are drawn, digits under a class that is not theirs, each put into
the training data by a coin of its own. A small network is trained on it, undefended and with
DP-SGD at three epsilons, and audited from one run by the loss. A bound above its claim, or none of
the undefended one, ends the script with an error. The canaries are those of a fixed secret, so
that the figures can be had again. Writes benchmarks/results/canaries.json; half a minute on one
core.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from machine import keep, rounded

import nonmember as nm
from nonmember.audit.canaries import making
from nonmember.audit.canaries.making import Order
from nonmember.audit.canaries.result import CanaryResult
from nonmember.data import labelled
from nonmember.data.canaries import form_named

COUNT, EPSILONS, SECRET = 700, (1.0, 4.0, 16.0), "42" * 32
RECIPE = {"epochs": 100, "batch_size": 50, "learning_rate": 0.003}
PRIVATE = {"epochs": 20, "batch_size": 200, "learning_rate": 0.01}


def spec(folder: Path) -> dict[str, Any]:
    """The audit: one target without a defense, and one at each epsilon."""
    how = {"trained_on": "members", "architecture": "mlp"}
    private = {
        f"epsilon {epsilon:g}": {
            **how,
            "recipe": PRIVATE,
            "defenses": [{"name": "dp_sgd", "options": {"epsilon": epsilon}}],
        }
        for epsilon in EPSILONS
    }
    return {
        "kind": "classifier",
        "title": "Canaries in scanned digits",
        "data": {"canaries": str(folder)},
        "targets": {"undefended": {**how, "recipe": RECIPE}, **private},
        "references": {"count": 0},
        "attacks": {"run": ["loss"]},
        "evaluation": {"redraws": 0, "resamples": 200},
    }


def row(shown: CanaryResult) -> dict[str, Any]:
    """The bounds of one target, and its claim."""
    first, curve, gaussian, pooled = (rounded(one.epsilon) for one in shown.bounds)
    counts = shown.bounds[0].counts
    return {
        "claimed": None if shown.claimed is None else rounded(shown.claimed.epsilon),
        "delta": rounded(shown.bounds[0].delta),
        "one run": first,
        "one run, f-DP": curve,
        "one run, f-DP, Gaussian": gaussian,
        "two-sided, exploratory": pooled,
        "correct guesses": f"{counts['correct']} of {counts['guesses']}",
    }


def main() -> None:
    """Make the canaries, train, audit, and hold bounds against claims."""
    with tempfile.TemporaryDirectory() as place:
        folder, pool = Path(place), labelled.read("digits")
        np.savez(folder / "digits.npz", x=pool.inputs, y=pool.labels)
        form = form_named("mislabelled", "classifier")
        out = folder / "OUT"
        making.make(Order(folder / "digits.npz", out, form, COUNT, SECRET, {}), None)
        found = nm.audit_spec(spec(out), folder / "run", store=folder / "store")
    rows, over = dict[str, Any](), []
    for target in found.targets:
        shown = target.canaries
        assert shown is not None
        rows[target.name] = row(shown)
        print(target.name, rows[target.name], flush=True)
        if shown.refuted or (shown.claimed is None and not shown.bounds[0].epsilon):
            over.append(target.name)
    keep("canaries", "digits", {"canaries": COUNT, "targets": rows})
    if over:
        sys.exit(f"a bound above its claim, or none where nothing is defended: {', '.join(over)}")


if __name__ == "__main__":
    main()
