"""Put Diffence around a classifier: attack it before and after, and keep the fenced model.

    python examples/06_fence.py [OUTPUT]

For your own model, replace the forest and the three parts by it, by what it was trained on, by
examples like these that it was not trained on, and by others on neither side. To serve what is
written: python examples/serve_fenced.py OUTPUT/fenced
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import nonmember as nm
from nonmember.models.fence.saved import load

output = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/fence")

inputs, labels = load_digits(return_X_y=True)
inputs = (inputs / 16).astype(np.float32)
order = np.random.default_rng(0).permutation(len(inputs))
inside, outside, public = ((inputs[rows], labels[rows]) for rows in np.split(order, [300, 600]))
forest = RandomForestClassifier(30, random_state=0).fit(*inside)

# A diffusion model learns what digits look like from the public ones, 1,500 updates by default.
results = nm.fence(
    forest,
    inside,
    outside,
    public,
    output,
    settings={
        "diffusion": {"recipe": {"updates": 500}, "n": 10},
        "attacks": {"run": ["gap", "loss", "nn_attack", "self_diffused"]},
        "references": {"count": 0},
        "evaluation": {"fpr": [0.05], "redraws": 2},
    },
)

for target in results.targets:
    print(f"{target.name}: {target.verdict}")
    for attack in target.attacks:
        low, high = attack.simultaneous.low, attack.simultaneous.high
        print(f"  {attack.name:15} AUC {attack.auc.value:.3f} [{low:.3f}, {high:.3f}]")

fenced = load(output / "fenced")
answer = fenced.answer(outside[0][:100])
print(f"{answer.kept.mean():.0%} of the copies keep their label, {answer.fell_back.sum()} of 100")
print(f"inputs have none that does. The page: {output / 'report.html'}")
