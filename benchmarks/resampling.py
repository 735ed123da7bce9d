"""The bootstrap of an AUC and of two rates, against a loop that computes each sample anew.

    python benchmarks/resampling.py

2,000 records, 1,000 samples; the loop draws the records of each side and asks scikit-learn for
the curve, as is common. Both take turns in one run. Writes benchmarks/results/resampling.json.
"""

from typing import Any

import numpy as np
from machine import interleaved, keep, ratios, spread
from sklearn.metrics import roc_auc_score, roc_curve

from nonmember.evaluation.roc import bootstrap
from nonmember.seeds import generator

RECORDS, SAMPLES, TIMES, FPRS = 2_000, 1_000, 5, (0.01, 0.1)
LIMIT = 0.25  # seconds


def looped(scores: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUC and rates of each sample, one sample after another."""
    rng = generator(0, "loop")
    sides = [np.flatnonzero(member), np.flatnonzero(~member)]
    aucs, rates = [], []
    for _ in range(SAMPLES):
        rows = np.concatenate([rng.choice(side, len(side)) for side in sides])
        aucs.append(roc_auc_score(member[rows], scores[rows]))
        false, true, _ = roc_curve(member[rows], scores[rows])
        rates.append([true[false <= fpr].max() for fpr in FPRS])
    return np.array(aucs), np.array(rates)


def measured() -> dict[str, Any]:
    """Both ways in turns, and how far their standard errors lie apart."""
    rng = generator(0, "resampling")
    member = np.arange(RECORDS) % 2 == 0
    scores, group = rng.normal(member * 0.5, 1.0), np.arange(RECORDS)

    def ours() -> Any:
        return bootstrap(scores, member, group, fprs=FPRS, times=SAMPLES, seed=0)

    ways = {"ours": ours, "looped": lambda: looped(scores, member)}
    interleaved({"ours": ours}, 1)  # warm up
    seconds = interleaved(ways, TIMES)
    found, (aucs, rates) = ours(), looped(scores, member)
    return {
        "records": RECORDS,
        "samples": SAMPLES,
        "seconds": {name: spread(one) for name, one in seconds.items()},
        "target seconds": LIMIT,
        "looped / ours": ratios(seconds["looped"], seconds["ours"]),
        "standard error of the AUC, ours and looped": [float(found.auc.std()), float(aucs.std())],
        "standard error of the rates, ours and looped": [
            [float(found.tpr[fpr].std()) for fpr in FPRS],
            rates.std(axis=0).tolist(),
        ],
    }


if __name__ == "__main__":
    keep("resampling", "bootstrap", measured())
