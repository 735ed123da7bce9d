"""The scikit-learn scorer: it finds what an audit finds, and refuses what it cannot know."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import nonmember as nm
from nonmember.errors import DataError, ModelError, SpecError, UnresolvableError
from nonmember.evaluation import roc
from nonmember.evaluation.attack_accuracy import attack_accuracy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4)).astype(np.float64)
Y = (X[:, 0] + RNG.normal(size=120) > 0).astype(np.int64)
FOREST = RandomForestClassifier(10, random_state=0)
HALF = np.arange(60), np.arange(60, 120)


def fitted() -> RandomForestClassifier:
    return clone(FOREST).fit(X[HALF[0]], Y[HALF[0]])


@pytest.mark.parametrize("attack", ["modified_entropy", "loss", "confidence"])
def test_it_finds_what_an_audit_of_the_same_rows_finds(attack: str, tmp_path: Path) -> None:
    model = fitted()
    (inside, outside) = ((X[half], Y[half]) for half in HALF)
    settings = {
        "data": {"population": 0.0},
        "attacks": {"run": [attack]},
        "evaluation": {"fpr": [0.1], "redraws": 0, "resamples": 200},
    }
    places = {"store": tmp_path / "store", "settings": settings}
    (target,) = nm.audit_classifier(model, inside, outside, tmp_path / "run", **places).targets
    (found,) = target.attacks
    for figure, wanted in (("auc", found.auc.value), ("tpr@fpr=0.1", found.tpr[0].tpr.value)):
        scorer = nm.membership_scorer(X, Y, attack=attack, figure=figure, greater_is_better=True)
        assert scorer(model, *outside) == pytest.approx(wanted, abs=1e-12)
        assert scorer.interval(model, *outside).value == pytest.approx(wanted, abs=1e-12)


def test_a_figure_lies_in_its_interval_and_is_worked_out_from_the_scores() -> None:
    model, held = fitted(), (X[HALF[1]], Y[HALF[1]])
    member = np.arange(120) < 60
    logp = np.log(np.maximum(model.predict_proba(X), np.finfo(np.float32).tiny))
    scores = logp[np.arange(120), Y].astype(np.float32).astype(float)
    for figure, wanted in (
        ("auc", roc.auc(scores, member).value),
        ("advantage", 2 * attack_accuracy(scores, member, np.arange(120)).balanced.value - 1),
    ):
        scorer = nm.membership_scorer(X, Y, attack="loss", figure=figure)
        found = scorer.interval(model, *held)
        assert found.value == pytest.approx(wanted, abs=1e-6)
        assert found.low <= found.value <= found.high
        assert scorer(model, *held) == -found.value


def test_cross_validation_scores_each_fold_in_several_jobs() -> None:
    scorer = nm.membership_scorer(X, Y, greater_is_better=True)
    scoring = {"accuracy": "accuracy", "auc": pickle.loads(pickle.dumps(scorer))}
    with parallel_config(backend="threading", n_jobs=2):  # processes take seconds to begin
        found = cross_validate(FOREST, X, Y, cv=KFold(3), scoring=scoring)
    alone = []
    for inside, outside in KFold(3).split(X):
        model = clone(FOREST).fit(X[inside], Y[inside])
        alone.append(scorer(model, X[outside], Y[outside]))
    assert found["test_auc"].tolist() == alone
    assert min(alone) > 0.6  # a forest remembers


def test_a_search_takes_the_model_that_gives_least_away() -> None:
    scorer = nm.membership_scorer(X, Y)
    name, tree = "neg_membership_auc", DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(tree, {"max_depth": [1, None]}, cv=3, scoring={name: scorer}, refit=name)
    search.fit(X, Y)
    assert search.best_params_ == {"max_depth": 1}
    assert (search.cv_results_["mean_test_neg_membership_auc"] < 0).all()


def test_it_is_the_same_of_frames_sparse_rows_texts_and_labels_with_names() -> None:
    pandas = pytest.importorskip("pandas")
    model, outside = fitted(), HALF[1]
    wanted = nm.membership_scorer(X, Y)(model, X[outside], Y[outside])
    frame, names = pandas.DataFrame(X, columns=list("abcd")), np.array(["no", "yes"])[Y]
    rows, named = frame.iloc[HALF[0]], clone(FOREST).fit(frame.iloc[HALF[0]], names[HALF[0]])
    scorer = nm.membership_scorer(frame, names)
    assert scorer(named, frame.iloc[outside], names[outside]) == wanted and len(rows) == 60
    sparse = csr_matrix(X)
    assert nm.membership_scorer(sparse, Y)(model, sparse[outside], Y[outside]) == wanted
    texts = [json.dumps(row.tolist()) for row in X]

    class Reads(GaussianNB):
        def predict_proba(self, rows):
            return model.predict_proba([json.loads(row) for row in rows])

    reader = Reads().fit(X, Y)
    held = [texts[place] for place in outside]
    assert nm.membership_scorer(texts, Y)(reader, held, Y[outside]) == wanted


def test_a_row_that_is_on_both_sides_is_on_neither() -> None:
    twice = np.concatenate([X, X[:5], X[60:65]])  # members held out, and held-out rows fitted
    labels = np.concatenate([Y, Y[:5], Y[60:65]])
    inside = np.r_[0:60, 125:130]
    outside = np.setdiff1d(np.arange(130), inside)
    model = clone(FOREST).fit(twice[inside], labels[inside])
    found = nm.membership_scorer(twice, labels)(model, twice[outside], labels[outside])
    kept = np.r_[5:60, 65:120]
    wanted = nm.membership_scorer(X[kept], Y[kept])(model, X[65:120], Y[65:120])
    assert found == wanted


def test_a_class_that_was_never_fitted_has_the_least_probability() -> None:
    labels = Y.copy()
    labels[60:70] = 2
    model = clone(FOREST).fit(X[:60], labels[:60])
    value = nm.membership_scorer(X, labels, attack="loss")(model, X[60:], labels[60:])
    assert -1 < value < nm.membership_scorer(X, Y, attack="loss")(model, X[60:], Y[60:])


def test_rows_that_were_fitted_are_refused_and_cost_no_other_score() -> None:
    scorer = nm.membership_scorer(X, Y)
    with pytest.raises(DataError, match="80 of 120 rows are no held-out fold"):
        scorer(FOREST, X[:80], Y[:80])
    with pytest.warns(UserWarning, match="Scoring failed"):
        found = cross_validate(FOREST, X, Y, cv=3, scoring={"auc": scorer}, return_train_score=True)
    assert np.isnan(found["train_auc"]).all() and np.isfinite(found["test_auc"]).all()


def test_rows_of_another_table_are_refused() -> None:
    with pytest.raises(DataError, match="20 of 20 rows are none of those"):
        nm.membership_scorer(X, Y)(fitted(), X[:20] + 1, Y[:20])
    with pytest.raises(DataError, match="none of those"):  # one row more often than there is
        nm.membership_scorer(X, Y)(fitted(), X[[70, 70]], Y[[70, 70]])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"attack": "lira"}, "lira needs ref_logits, ref_member; take confidence, entropy, gap"),
        ({"attack": "modified"}, "did you mean modified_entropy"),
        ({"figure": "tpr@fpr=2"}, "no figure 'tpr@fpr=2'; write auc, advantage"),
        ({"figure": "accuracy"}, "no figure 'accuracy'"),
    ],
)
def test_what_it_cannot_do_is_refused_when_it_is_made(given: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        nm.membership_scorer(X, Y, **given)


def test_what_it_cannot_use_is_one_sentence() -> None:
    with pytest.raises(DataError, match="120 rows and labels of shape"):
        nm.membership_scorer(X, Y[:5])
    ridge = RidgeClassifier().fit(X[:60], Y[:60])
    with pytest.raises(ModelError, match="RidgeClassifier has no predict_proba"):
        nm.membership_scorer(X, Y)(ridge, X[60:], Y[60:])
    with pytest.raises(UnresolvableError, match="cannot resolve"):
        nm.membership_scorer(X, Y, figure="tpr@fpr=0.001")(fitted(), X[60:], Y[60:])


def test_noise_is_told_from_nothing_half_the_time() -> None:
    constant = clone(FOREST).set_params(max_depth=1, n_estimators=1)
    scorer = nm.membership_scorer(X, RNG.integers(0, 2, 120), greater_is_better=True)
    found = cross_validate(
        constant,
        X,
        scorer.labels,
        cv=ShuffleSplit(8, test_size=0.5, random_state=0),
        scoring=scorer,
    )["test_score"]
    error = found.std() / np.sqrt(8)
    assert abs(found.mean() - 0.5) < 0.12 and error < 0.05
