"""The noise of MemGuard's first phase, for many answers at once.

``logits`` (n c) are float64; every row goes its own way, and leaves when it has arrived.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from nonmember.defenses.classifier.answers import softmax
from nonmember.defenses.classifier.membership_net import Net, Told, forward, slopes
from nonmember.types import Labels

WEIGHTS = tuple(10.0**power for power in range(-1, 6))
"""Of the change of the probabilities, one round after the other."""

STEP, STEPS = 0.1, 300
LABEL_WEIGHT = 10.0

Wide = Float64[np.ndarray, "n c"]


@dataclass(frozen=True)
class Start:
    """Where rows set out: their probabilities, what the network says of them, and their label."""

    odds: Wide
    side: Told
    label: Labels

    def at(self, rows: np.ndarray) -> "Start":
        """That of some of the rows."""
        return Start(self.odds[rows], self.side[rows], self.label[rows])


def noisy(net: Net, logits: Wide) -> Wide:
    """Logits at which the network says the other thing; as they were where it cannot be had."""
    found, odds = logits.copy(), softmax(logits)
    side, _ = forward(net, -np.sort(-odds, axis=1))
    start, rows = Start(odds, side, logits.argmax(axis=1)), np.arange(len(logits))
    for weight in WEIGHTS:
        moved, arrived = _round(net, logits[rows], start.at(rows), weight)
        rows = rows[arrived]
        found[rows] = moved[arrived]
    return found


def _round(
    net: Net, logits: Wide, start: Start, weight: float
) -> tuple[Wide, Bool[np.ndarray, "n"]]:
    """Where all rows are after their steps, and which have arrived."""
    found, arrived = logits.copy(), np.zeros(len(logits), dtype=bool)
    going = np.arange(len(logits))
    for step in range(STEPS + 1):
        there, slope = _seen(net, found[going], start.at(going), weight)
        arrived[going[there]] = True
        far = ~there & slope.any(axis=1)  # where nothing changes anything there is no way on
        going, slope = going[far], slope[far]
        if not len(going) or step == STEPS:
            break
        found[going] -= STEP * _normalised(slope)
    return found, arrived


def _seen(
    net: Net, logits: Wide, start: Start, weight: float
) -> tuple[Bool[np.ndarray, "n"], Wide]:
    """Which rows are where they should be, and the slopes of the loss of all."""
    odds, rows = softmax(logits), np.arange(len(logits))
    order = np.argsort(-odds, axis=1)
    said, given = forward(net, np.take_along_axis(odds, order, axis=1))
    # The label that counts is that of the answer as it will be given.
    kept = logits.astype(np.float32).argmax(axis=1) == start.label
    *_, ranked = slopes(net, given, np.sign(said))
    slope = np.empty_like(odds)
    np.put_along_axis(slope, order, ranked, axis=1)
    slope += weight * np.sign(odds - start.odds)
    slope = odds * (slope - (odds * slope).sum(axis=1, keepdims=True))
    wrong = logits.copy()
    wrong[rows, start.label] = -np.inf
    rival = wrong.argmax(axis=1)
    lacks = LABEL_WEIGHT * (wrong[rows, rival] > logits[rows, start.label])
    slope[rows, rival] += lacks
    slope[rows, start.label] -= lacks
    return kept & (said * start.side <= 0), slope


def _normalised(slope: Wide) -> Wide:
    """Of length 1, however small or large: squares of what is very small would be nothing."""
    scaled = slope / np.abs(slope).max(axis=1, keepdims=True)
    return scaled / np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
