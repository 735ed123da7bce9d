"""Audit a scikit-learn classifier with reference models.

    python examples/05_classifier.py [OUTPUT]

For your own model, replace the forest and the two halves by it, by what it was trained on, and
by examples like these that it was not trained on. For a torch network give `architecture` too:
the function that makes it anew.
"""

import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import nonmember as nm

output = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/classifier")

inputs, labels = load_breast_cancer(return_X_y=True)
inside, outside, mine, others = train_test_split(inputs, labels, test_size=0.5, random_state=0)
forest = RandomForestClassifier(50, random_state=0).fit(inside, mine)

# Each reference is such a forest, fitted to a random half of the candidates.
results = nm.audit_classifier(
    forest,
    (inside, mine),
    (outside, others),
    output,
    settings={"references": {"count": 16}, "evaluation": {"fpr": [0.05], "redraws": 5}},
)

(target,) = results.targets
print(target.verdict)
# Intervals that hold for all attacks at once; `boundary` runs with {"attacks": {"queries": 2500}}.
for attack in sorted(target.attacks, key=lambda one: -one.auc.value):
    low, high = attack.simultaneous.low, attack.simultaneous.high
    print(f"{attack.name:20} AUC {attack.auc.value:.3f} [{low:.3f}, {high:.3f}]")
print(f"The page: {output / 'report.html'}")
