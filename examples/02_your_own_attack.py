"""An attack of your own, judged beside the published ones.

    python examples/02_your_own_attack.py [BASE] [OUTPUT]

Its positional parameters name the signals it needs: that is its threat model, and all the
wiring there is. `nonmember list signals` shows what can be asked for.
"""

import sys
from pathlib import Path

import numpy as np

import nonmember as nm

base = sys.argv[1] if len(sys.argv) > 1 else "smollm2"
output = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/own-attack")


@nm.attack(family="language", paper="this example")
def largest_gains(token_logprobs, base_token_logprobs, *, share=0.25):
    """Mean of the largest gains over the base model, in nats per token."""
    gains = np.sort(token_logprobs - base_token_logprobs, axis=1)  # NaN sorts last
    lengths = (~np.isnan(gains)).sum(axis=1)
    place = np.arange(gains.shape[1])
    first = lengths - np.maximum(1, (share * lengths).astype(int))
    chosen = (place >= first[:, None]) & (place < lengths[:, None])
    total = np.where(chosen, gains, 0.0).sum(axis=1)
    return np.where(lengths > 0, total / np.maximum(1, chosen.sum(axis=1)), np.nan)


results = nm.audit_spec(
    {
        "title": "My attack beside the published ones",
        "data": {
            "pool": "python-functions",
            "take": {"members": 60, "non_members": 60},
            "max_tokens": 48,
        },
        "targets": {"mine": {"base": base, "trained_on": "members"}},
        "attacks": {"run": ["largest_gains", "loss", "wbc"]},
        "evaluation": {"fpr": [0.05], "redraws": 5},
    },
    output,
)

for attack in results.targets[0].attacks:
    low, high = attack.simultaneous.low, attack.simultaneous.high
    print(f"{attack.name:16} AUC {attack.auc.value:.3f} [{low:.3f}, {high:.3f}]")
