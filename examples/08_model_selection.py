"""Choose a classifier by what it gives away of its training rows, with scikit-learn's own tools.

    python examples/08_model_selection.py [OUTPUT]

A fold that is held out has the non-members, all other rows the members. The chosen model is then
audited as any other.
"""

import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, train_test_split

import nonmember as nm

output = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/selection")

inputs, labels = load_breast_cancer(return_X_y=True)
inside, outside, mine, others = train_test_split(inputs, labels, test_size=0.5, random_state=0)

# Scores are negative, as scikit-learn has them of what shall be small.
search = GridSearchCV(
    RandomForestClassifier(30, random_state=0),
    {"max_depth": [2, 4, None]},
    scoring={"accuracy": "accuracy", "neg_auc": nm.membership_scorer(inside, mine)},
    refit="neg_auc",
    cv=3,
)
search.fit(inside, mine)
for how, right, auc in zip(
    search.cv_results_["params"],
    search.cv_results_["mean_test_accuracy"],
    -search.cv_results_["mean_test_neg_auc"],
    strict=True,
):
    print(f"{how}  accuracy {right:.3f}  membership AUC {auc:.3f}")

results = nm.audit_classifier(
    search.best_estimator_,
    (inside, mine),
    (outside, others),
    output,
    settings={"attacks": {"queries": 1}, "evaluation": {"fpr": [0.05], "redraws": 5}},
)
print(f"chosen: {search.best_params_}")
print(results.targets[0].verdict)
print(f"The page: {output / 'report.html'}")
