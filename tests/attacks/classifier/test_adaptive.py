"""Attacks on fences by who knows of them: by hand, against loops, and on fences made by hand."""

from math import exp, log, nan

import numpy as np
import pytest
from scipy.special import expit
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.classifier import adaptive, learners
from nonmember.attacks.classifier.adaptive import (
    diffusion_error,
    interval_edge,
    repeated_queries,
    self_diffused,
    self_diffused_learned,
    shared_answer,
)
from nonmember.errors import DataError
from nonmember.evaluation.roc import auc
from nonmember.seeds import derive

ZEROS = np.zeros(2, dtype=int)


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(learners, "TREES", 30)


def of_two(margins):
    """Answers of two classes, of which class 0 has these log-odds."""
    return np.stack([np.asarray(margins, dtype=float), np.zeros(np.shape(margins))], axis=-1)


def answers(seed, shape=(9, 5), classes=4):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, (*shape, classes)), rng.integers(0, classes, shape[0])


def hits(seed, *, n=400, each=6, gap=0.3):
    """Of two levels, on the second of which members keep their class and others do not."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    share = np.full((n, 2 * each), 0.5)
    share[:, each:] += gap * np.where(member, 1, -1)[:, None]
    share[:, :each] -= gap * np.where(member, 1, -1)[:, None]
    return (rng.random(share.shape) < share).astype(np.float32), member


def test_repeated_queries_by_hand():
    views = of_two([[log(3), log(1), log(3)], [log(9), log(9), log(9)]])
    mean = [(log(0.75) + log(0.5) + log(0.75)) / 3, log(0.9)]
    np.testing.assert_allclose(repeated_queries(views, ZEROS), mean, rtol=1e-8)
    of = {one: repeated_queries(views, ZEROS, statistic=one) for one in ("least", "largest")}
    np.testing.assert_allclose(of["least"], [0, log(9)], rtol=1e-8)
    np.testing.assert_allclose(of["largest"], [log(3), log(9)], rtol=1e-8)
    third = log(3) ** 2 * 2 / 9  # of log 3, 0, log 3
    found = repeated_queries(views, ZEROS, statistic="variance")
    np.testing.assert_allclose(found, [-third, 0], rtol=1e-8)


@pytest.mark.parametrize("queries", [None, 1, 3])
def test_repeated_queries_equal_the_loop(queries):
    views, labels = answers(0)
    found = repeated_queries(views, labels, queries=queries)
    for row, label, score in zip(views, labels, found, strict=True):
        used = row[:queries]
        each = [log(exp(one[label]) / sum(map(exp, one))) for one in used]
        assert score == pytest.approx(sum(each) / len(used), rel=1e-9)


def test_what_a_fence_draws_anew_averages_out():
    rng = np.random.default_rng(1)
    member = np.arange(600) % 2 == 0
    drawn = of_two(0.5 * member[:, None] + rng.normal(0, 1, (600, 16)))
    labels = np.zeros(600, dtype=int)
    one, all_ = (auc(repeated_queries(drawn, labels, queries=k), member).value for k in (1, 16))
    assert one < 0.7 and all_ > 0.9


@pytest.mark.parametrize(("queries", "statistic"), [(6, "mean"), (1, "variance")])
def test_too_few_answers_are_refused(queries, statistic):
    with pytest.raises(DataError, match=f"repeated_queries: {queries} of 5 answers"):
        repeated_queries(*answers(0), queries=queries, statistic=statistic)


def test_the_share_of_hits_by_hand():
    found = self_diffused(np.array([[1.0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]))
    np.testing.assert_array_equal(found, [0.75, 0.0, 1.0])


def test_shares_of_levels_by_hand():
    given = np.array([[1.0, 0, 0, 0], [1, 1, 0, 1], [nan, 1, nan, nan]])
    expected = [[0.5, 0], [1, 0.5], [1, nan]]
    np.testing.assert_array_equal(adaptive._rates(given, 2), expected)


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_which_levels_are_hit_is_learnt(model):
    (own, member), (known, truth) = hits(0), hits(1)
    chosen = {"levels": 2, "model": model}
    assert auc(self_diffused_learned(own, known, truth, **chosen), member).value > 0.9
    assert auc(self_diffused_learned(own, known, ~truth, **chosen), member).value < 0.1
    assert auc(self_diffused(own), member).value < 0.6


def test_learnt_log_odds_equal_those_by_hand():
    (own, _), (known, truth) = hits(0), hits(1)
    rates = [one.reshape(len(one), 2, 6).mean(axis=2, dtype=float) for one in (own, known)]
    centre, spread = rates[1].mean(axis=0), rates[1].std(axis=0)
    fitted = LogisticRegression(tol=1e-10, max_iter=1000).fit((rates[1] - centre) / spread, truth)
    expected = (rates[0] - centre) / spread @ fitted.coef_[0] + fitted.intercept_[0]
    np.testing.assert_allclose(
        self_diffused_learned(own, known, truth, levels=2), expected, rtol=1e-3, atol=1e-3
    )


def test_leaves_of_the_forest_are_as_large_as_asked_for():
    (own, _), (known, truth) = hits(0), hits(1)
    rates = [one.reshape(len(one), 2, 6).mean(axis=2, dtype=float) for one in (own, known)]
    order = np.lexsort((truth, *rates[1].T))
    given, member = rates[1][order], truth[order]
    forest = RandomForestClassifier(
        30, min_samples_leaf=40, random_state=derive(0, "forest") % 2**32
    ).fit((given - given.mean(axis=0)) / given.std(axis=0), member)
    share = forest.predict_proba((rates[0] - given.mean(axis=0)) / given.std(axis=0))[:, 1]
    found = self_diffused_learned(own, known, truth, levels=2, model="forest", leaf=40)
    np.testing.assert_allclose(expit(found), (30 * share + 0.5) / 31, rtol=1e-6)
    small = self_diffused_learned(own, known, truth, levels=2, model="forest", leaf=2)
    assert np.abs(small).max() > np.abs(found).max()


def test_copies_that_do_not_part_into_levels_are_refused():
    (own, _), (known, truth) = hits(0), hits(1)
    with pytest.raises(DataError, match="12 copies do not part into 5 levels"):
        self_diffused_learned(own, known, truth, levels=5)


def test_too_few_known_records_score_nobody():
    (own, _), (known, truth) = hits(0), hits(1)
    assert np.isnan(self_diffused_learned(own, known[:18], truth[:18])).all()


def test_the_smaller_error_is_the_likelier_member():
    found = diffusion_error(np.array([0.25, 0.0, 3.0], dtype=np.float32))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [-0.25, 0.0, -3.0])


def test_the_interval_by_hand():
    """Of 1, 2, 2.5, 3 and 9 the shortest interval that holds four fifths is from 1 to 3."""
    population, own = of_two([9, 2.5, -1, 3, 2]), of_two([0.25, 1, 2, 3, 7, -7])
    found = interval_edge(own, population, inside=0.8)  # the likeliest class, whichever it is
    np.testing.assert_allclose(found, [-0.75, 0, 0, 0, 4, 4], rtol=1e-8)


@pytest.mark.parametrize("inside", [0.01, 0.5, 0.9, 1.0])
def test_the_distance_to_the_interval_equals_the_loop(inside):
    (own, _), (population, _) = answers(3, (9, 1)), answers(4, (30, 1))
    found = interval_edge(own[:, 0], population[:, 0], inside=inside)

    def surest(answer):
        odds = sorted(map(exp, answer))
        return log(odds[-1] / sum(odds[:-1]))

    phis = sorted(surest(one) for one in population[:, 0])
    spans = [
        (high - low, low, high)
        for low in phis
        for high in phis
        if sum(low <= phi <= high for phi in phis) >= inside * len(phis)
    ]
    _, low, high = min(spans)
    for answer, score in zip(own[:, 0], found, strict=True):
        phi = surest(answer)
        expected = phi - high if phi > high else phi - low if phi < low else 0.0
        assert score == pytest.approx(expected, rel=1e-9, abs=1e-9)


def fenced(rng, centre, low=0.0, high=1.0):
    """Log-odds of the first of ten draws inside the interval, else of the nearest."""
    drawn = centre[:, None] + rng.normal(0, 1, (len(centre), 10))
    apart = np.maximum(low - drawn, 0) + np.maximum(drawn - high, 0)
    return drawn[np.arange(len(centre)), apart.argmin(axis=1)]


def test_outliers_of_an_interval_are_told_by_their_side():
    """Their own answers are inside the interval or just beyond it: what is beyond betrays."""
    rng = np.random.default_rng(0)
    member = np.arange(1000) % 2 == 0
    own = fenced(rng, rng.normal(np.where(member, 2.5, 0.5), 1))
    population = fenced(rng, rng.normal(0.5, 1, 500))
    found = interval_edge(of_two(own + 2), of_two(population + 2))
    assert auc(found, member).value > 0.6
    assert member[found > 0].mean() > 0.8


def test_shared_answers_by_hand():
    population = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 2], [5, 5, 5]])
    own = np.array([[1.0, 0, 0], [0, 1, 2.5], [5, 5, 5], [0, 1, 2]])
    np.testing.assert_array_equal(shared_answer(own, population), [-2, 0, -1, -1])


def test_shared_answers_equal_the_loop():
    rng = np.random.default_rng(0)
    own, population = (rng.integers(0, 2, (40, 3)).astype(np.float32) for _ in range(2))
    found = shared_answer(own, population)
    for answer, score in zip(own, found, strict=True):
        less = answer - answer.max()
        assert score == -sum((less == one - one.max()).all() for one in population)


@pytest.mark.parametrize("attack", [interval_edge, shared_answer])
def test_an_empty_population_scores_nobody(attack):
    assert np.isnan(attack(of_two([1.0, 2.0]), np.zeros((0, 2)))).all()


@pytest.mark.parametrize("attack", [interval_edge, shared_answer])
def test_an_answer_that_is_not_finite_is_refused(attack):
    with pytest.raises(DataError, match=r"pop_logits\[1\]: a logit is not finite"):
        attack(of_two([1.0]), of_two([1.0, nan]))
