"""Dataset inference: its null, its power, and what public versions do that ours does not."""

import numpy as np
import pytest
from scipy.stats import binom, mannwhitneyu, norm, ttest_ind
from scipy.stats import t as student

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation import sets
from nonmember.evaluation.sets import DatasetInference, dataset_inference

TESTS = ["welch", "permutation", "mann_whitney"]


def world(seed, *, gap=0.0, documents=40, each=3, d=6):
    """Records of documents that differ by more than their records; half of them suspects."""
    rng = np.random.default_rng(seed)
    document = np.repeat(np.arange(2 * documents), each)
    suspect = document < documents
    common = rng.normal(size=(2 * documents, d))[document]
    features = common + rng.normal(size=common.shape) + gap * suspect[:, None]
    order = rng.permutation(len(document))
    return features[order], suspect[order], document[order]


@pytest.fixture(autouse=True)
def _few_shuffles(monkeypatch):
    monkeypatch.setattr(sets, "SHUFFLES", 199)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("repeats", [1, 5])
def test_two_halves_of_one_pool_are_told_apart_no_more_often_than_said(test, repeats):
    runs = 150
    p = np.array(
        [
            dataset_inference(*world(s, documents=24), test=test, repeats=repeats, seed=s).p
            for s in range(runs)
        ]
    )
    for level in (0.05, 0.2):
        assert (p <= level).sum() <= binom.ppf(0.9999, runs, level)
    if repeats == 1:  # then p is uniform, and not only conservative
        assert (p <= 0.5).sum() >= binom.ppf(0.0001, runs, 0.5)


@pytest.mark.parametrize("test", TESTS)
def test_a_set_that_was_trained_on_is_found(test, monkeypatch):
    monkeypatch.setattr(sets, "SHUFFLES", 999)
    found = dataset_inference(*world(0, gap=0.8), test=test)
    assert found.p < 0.01
    assert found.effect.low > 0
    assert (found.documents, found.records, found.left_out) == ((40, 40), (120, 120), (0, 0))


def test_the_direction_is_learnt_so_that_any_difference_counts():
    """Which is why it takes sets that were drawn alike, and an attack that saw no model first."""
    features, suspect, document = world(0, gap=0.8)
    above, below = (dataset_inference(sign * features, suspect, document) for sign in (1, -1))
    assert below.p == pytest.approx(above.p, rel=1e-6)


def naive(features, suspect, document, test, rng):
    """One halving, from the description."""
    learning = np.zeros(len(suspect), dtype=bool)
    for side in (suspect, ~suspect):
        ids = rng.permutation(sorted(set(document[side].tolist())))
        learning |= np.array([one in ids[: len(ids) // 2] for one in document])
    known, rest = features[learning], features[~learning]
    columns, asked = [], []
    for j in range(features.shape[1]):
        there = known[~np.isnan(known[:, j]), j]
        low, middle, high = np.quantile(there, [0.025, 0.5, 0.975])
        for part, out in ((known, columns), (rest, asked)):
            out.append([min(max(middle if np.isnan(x) else x, low), high) for x in part[:, j]])
        centre, spread = np.mean(columns[-1]), np.std(columns[-1])
        columns[-1] = (np.array(columns[-1]) - centre) / spread
        asked[-1] = (np.array(asked[-1]) - centre) / spread
    inputs, labels = np.array(columns).T, suspect[learning].astype(float)
    n, d = inputs.shape
    stacked = np.concatenate([inputs, np.sqrt(0.01 * n) * np.eye(d)])
    target = np.concatenate([labels - labels.mean(), np.zeros(d)])
    weights = np.linalg.lstsq(stacked, target)[0]
    scores = np.array(asked).T @ weights
    means = []
    for side in (True, False):
        own = suspect[~learning] == side
        ids = document[~learning][own]
        means.append([scores[own][ids == one].mean() for one in sorted(set(ids.tolist()))])
    if test == "welch":
        return ttest_ind(*means, equal_var=False, alternative="greater").pvalue, means
    return mannwhitneyu(*means, alternative="greater").pvalue, means


@pytest.mark.parametrize("test", ["welch", "mann_whitney"])
def test_it_equals_the_loop(test):
    features, suspect, document = world(5, gap=0.3, documents=21)
    features[np.random.default_rng(0).random(features.shape) < 0.1] = np.nan
    kept = ~np.isnan(features).all(axis=1)
    given = features[kept], suspect[kept], document[kept]
    told = [naive(*given, test, sets.generator(4, "sets", i)) for i in range(3)]
    effects = [
        (np.mean(a) - np.mean(b)) / np.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
        for _, (a, b) in told
    ]
    found = dataset_inference(features, suspect, document, test=test, repeats=3, seed=4)
    assert found.p == pytest.approx(min(1, 2 * np.median([p for p, _ in told])), rel=1e-9)
    assert found.effect.value == pytest.approx(np.median(effects), rel=1e-9)


def test_the_permutation_p_value_by_hand(monkeypatch):
    """Of the 20 ways to take three of six, one has as large a sum."""
    monkeypatch.setattr(sets, "SHUFFLES", 20_000)
    rng = np.random.default_rng(0)
    p = sets.TESTS["permutation"](np.array([4.0, 5, 6]), np.array([1.0, 2, 3]), rng)
    assert p == pytest.approx(1 / 20, abs=4 * np.sqrt(0.05 * 0.95 / 20_000))


def test_power_and_enough_documents_agree():
    found = dataset_inference(*world(0, gap=0.5))
    d, n = found.effect.value, found.enough
    need = norm.isf(found.significance)
    assert norm.sf(need - d * np.sqrt(n / 2 / 2)) >= 0.8 > norm.sf(need - d * np.sqrt((n - 4) / 4))
    sizes, chances = zip(*found.power, strict=True)
    assert sizes == (10, 20, 40, 80, 160, 320)
    assert list(chances) == sorted(chances)
    assert chances[2] == pytest.approx(norm.sf(need - d * np.sqrt(20 / 2)))


def test_no_number_of_documents_is_enough_without_an_effect():
    found = next(
        one
        for one in (dataset_inference(*world(s), seed=s, repeats=1) for s in range(50))
        if one.effect.value <= 0
    )
    assert found.enough is None


def sorted_columns(features, suspect):
    """What mia-scaling does to trim outliers: rows lose their pairing."""
    wrong = features.copy()
    for side in (suspect, ~suspect):
        wrong[side] = np.sort(features[side], axis=0)
    return wrong


def test_columns_are_not_sorted_apart():
    """Sorting each column per set leaves every mean and hides how records vary: noise separates."""
    ours, wrong = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        features, suspect = rng.normal(size=(120, 6)), np.arange(120) < 60
        document, own = np.arange(120), np.arange(120)
        ours.append(dataset_inference(features, suspect, document, repeats=1, seed=seed).p)
        mixed = sorted_columns(features, suspect)
        wrong.append(dataset_inference(mixed, suspect, own, repeats=1, seed=seed).p)
    assert np.corrcoef(mixed[suspect].T).min() > 0.9
    assert np.corrcoef(features[suspect].T)[0, 1] < 0.3
    assert (np.array(ours) <= 0.05).sum() <= binom.ppf(0.9999, 30, 0.05)
    assert (np.array(wrong) <= 0.05).mean() > 0.4


def test_sides_are_not_scaled_apart():
    """Each side less its own mean: what there was to find is gone."""
    features, suspect, document = world(0, gap=0.8)
    wrong = features.copy()
    for side in (suspect, ~suspect):
        wrong[side] = (features[side] - features[side].mean(axis=0)) / features[side].std(axis=0)
    assert dataset_inference(features, suspect, document).p < 0.01
    assert dataset_inference(wrong, suspect, document).p > 0.05


def test_documents_and_not_records_are_the_units():
    """A hundred copies of each record add nothing to the evidence."""
    features, suspect, document = world(7, gap=0.2, each=1)
    many = [np.repeat(one, 100, axis=0) for one in (features, suspect, document)]
    once, often = (dataset_inference(*given).p for given in ((features, suspect, document), many))
    assert often == pytest.approx(once, rel=1e-6)


def test_records_without_a_feature_are_left_out_on_both_sides():
    features, suspect, document = world(0)
    features[:10] = np.nan
    found = dataset_inference(features, suspect, document)
    assert sum(found.left_out) == 10
    assert found.left_out[0] == suspect[:10].sum()
    rest = dataset_inference(features[10:], suspect[10:], document[10:])
    assert (found.p, found.effect) == (rest.p, rest.effect)


@pytest.mark.parametrize("test", TESTS)
def test_features_that_say_nothing_give_no_evidence(test):
    features, suspect, document = world(0)
    features[:] = 3.0
    found = dataset_inference(features, suspect, document, test=test)
    assert (found.p, found.effect.value) == (1.0, 0.0)
    features[:, 0] = np.nan
    assert dataset_inference(features, suspect, document, test=test).p == 1.0


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("value", [1.0, 0.1, 1e-100])
def test_two_constants_that_differ_are_told_apart(test, value, monkeypatch):
    """Nothing varies within a side, and yet the sides could not differ more."""
    monkeypatch.setattr(sets, "SHUFFLES", 999)
    features, suspect, document = world(0)
    document = np.where(np.arange(240) < 60, document, document + 80 * (np.arange(240) % 3))
    features[:] = np.where(suspect, value, -value / 3)[:, None]
    found = dataset_inference(features, suspect, document, test=test)
    assert found.p < 0.01
    assert found.effect.value == sets.LARGEST == max(found.effect.value, found.effect.low)
    assert found.enough == 2


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e6])
@pytest.mark.parametrize("flat", ["above", "below"])
def test_a_side_that_does_not_vary_is_compared_by_the_others_variance(value, flat):
    """As of ``gap`` alone, which knows two values; with one on a side scipy's own test warns."""
    rng = np.random.default_rng(0)
    varied, constant = value + (rng.random(40) < 0.3), np.full(30, value)
    sides = (constant, varied) if flat == "above" else (varied, constant)
    t = (sides[0].mean() - sides[1].mean()) / (varied.std(ddof=1) / np.sqrt(40))
    assert sets._welch(*sides, rng) == pytest.approx(student.sf(t, 39), rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_effect_is_cut_off_where_it_stands_for_all_beyond(sign):
    rng = np.random.default_rng(0)
    ways = [rng.normal(size=20) + sign * 50, rng.normal(size=20)]
    assert sets._standardised(*ways) == sign * sets.LARGEST
    assert sets._standardised(np.full(9, 0.1 * sign), np.full(5, 0.0)) == sign * sets.LARGEST
    assert sets._standardised(np.full(9, 0.1), np.array([0.1, 0.1, 0.1 + 1e-16])) == 0


@pytest.mark.parametrize("short", [True, False])
def test_too_few_documents_are_refused(short):
    features, suspect, document = world(0)
    kept = (suspect != short) | (document % 40 < 19)
    with pytest.raises(UnresolvableError, match=r"dataset_inference: .*19.*give at least 20"):
        dataset_inference(features[kept], suspect[kept], document[kept])


def test_a_document_in_both_sets_is_refused():
    features, suspect, document = world(0)
    with pytest.raises(DataError, match=r"dataset_inference: document \d+ is in both sets"):
        dataset_inference(features, suspect, document % 40)


def test_the_seed_decides_and_inputs_are_left_alone():
    given = world(0)
    for array in given:
        array.setflags(write=False)
    one, same, other = (dataset_inference(*given, seed=s) for s in (0, 0, 1))
    assert isinstance(one, DatasetInference)
    assert one == same != other
