"""CAMIA's features, by hand and one text and one token at a time."""

from math import exp, isnan, log, nan, sqrt

import numpy as np
import pytest

from nonmember.signals.context import (
    FEATURES,
    approximate_entropy,
    context_features,
    phrase_rate,
)

VIEWS = 4


def average(values):
    return sum(values) / len(values) if values else nan


def column(found, name):
    return found[:, FEATURES.index(name)]


def phrases(symbols):
    """How many different phrases a sequence is cut into, each the shortest that is new."""
    met, begin = set(), 0
    for end in range(1, len(symbols) + 1):
        if tuple(symbols[begin:end]) not in met:
            met.add(tuple(symbols[begin:end]))
            begin = end
    return len(met)


def rate(values, bins):
    if not values:
        return nan
    low, width = min(values), (max(values) - min(values)) or 1.0
    return phrases([min(bins - 1, int((x - low) / width * bins)) for x in values]) / len(values)


def entropy(values, run=8, tolerance=0.8):
    if len(values) < run + 2:
        return nan
    centre = average(values)
    reach = tolerance * sqrt(average([(x - centre) ** 2 for x in values]))

    def level(size):
        runs = np.array([values[i : i + size] for i in range(len(values) - size + 1)])
        alike = [(np.abs(runs - one).max(axis=1) <= reach).sum() for one in runs]
        return average([log(count / len(runs)) for count in alike])

    return level(run) - level(run + 1)


def slope(values):
    middle, centre = (len(values) - 1) / 2, average(values)
    spread = sum((i - middle) ** 2 for i in range(len(values)))
    return (
        sum((i - middle) * (x - centre) for i, x in enumerate(values)) / spread if spread else nan
    )


def of_text(values, ids):
    found = {}
    for cut, most in (("all", None), ("200", 200), ("300", 300)):
        part = values[:most]
        distinct = len(set(ids[:most])) / len(ids[:most]) if ids else nan
        found[f"mean_{cut}"] = average(part)
        found[f"perplexity_{cut}"] = -exp(-average(part)) if part else nan
        found[f"above_own_mean_{cut}"] = average([x > average(part) for x in part])
        found[f"above_past_mean_{cut}"] = average(
            [part[i] > average(part[:i]) for i in range(1, len(part))]
        )
        found[f"distinct_{cut}"] = distinct
        found[f"mean_per_distinct_{cut}"] = average(part) / distinct
        found[f"perplexity_per_distinct_{cut}"] = found[f"perplexity_{cut}"] / distinct
    for nats in (1, 2, 3):
        found[f"above_{nats}"] = average([x >= -nats for x in values[:200]])
    for bins in (3, 4, 5):
        found[f"phrases_{bins}"] = -rate(values[:200], bins)
    return found


def naive(logprobs, ids, repeats):
    """All features of one text, by name."""
    given = [(x, i) for x, i in zip(logprobs, ids, strict=True) if not isnan(x)]
    own = [i for _, i in given]
    found = of_text([x for x, _ in given], own)
    copies = [[x for x in copy if not isnan(x)] for copy in repeats]
    first = of_text(copies[0], own)
    for copy in (1, 2):
        later = of_text(copies[copy], own)
        found |= {f"{name}_change_{copy}": first[name] - later[name] for name in later}
    row = [x for copy in copies for x in copy]
    for cut in (600, 800, 1000):
        found[f"slope_{cut}"] = -slope(row[:cut])
        found[f"irregularity_{cut}"] = -entropy(row[:cut])
    return [found[name] for name in FEATURES]


@pytest.fixture(scope="module")
def world():
    """Texts of 0, 1, 2 and up to 320 tokens with a few gaps, and their repetitions."""
    rng = np.random.default_rng(5)
    lengths = np.array([0, 1, 2, 9, 30, 150, 201, 260, 320])
    shape = len(lengths), 320
    gaps = (np.arange(320) >= lengths[:, None]) | (rng.random(shape) < 0.02)
    gaps[:3] = np.arange(320) >= lengths[:3, None]
    logprobs = -rng.gamma(1.0, 1.5, shape)
    repeats = -rng.gamma(1.0, 1.5, (len(lengths), VIEWS, 320))
    ids = rng.integers(0, 60, shape).astype(float)
    return (
        np.where(gaps, nan, logprobs),
        np.where(gaps, nan, ids),
        np.where(gaps[:, None], nan, repeats),
    )


def test_it_equals_the_loop(world):
    found = context_features(*world)
    assert found.shape == (len(world[0]), len(FEATURES)) == (9, 81)
    expected = [naive(*(one.tolist() for one in text)) for text in zip(*world, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[3:]).all()


def test_three_tokens_by_hand():
    logprobs, ids = np.array([[-1.0, -3.0, -2.0]]), np.array([[7.0, 5.0, 7.0]])
    repeats = np.array([[[-1.0, -3.0, -2.0], [-0.5, -0.5, -0.5], [0.0, 0.0, 0.0]]])
    found = context_features(logprobs, ids, repeats)
    told = {
        "mean_all": -2.0,
        "perplexity_all": -np.exp(2.0),
        "above_own_mean_all": 1 / 3,
        "above_past_mean_all": 0.0,
        "distinct_200": 2 / 3,
        "mean_per_distinct_200": -3.0,
        "above_1": 1 / 3,
        "above_2": 2 / 3,
        "above_3": 1.0,
        "phrases_3": -1.0,
        "mean_all_change_1": -1.5,
        "mean_all_change_2": -2.0,
        "above_2_change_1": -1 / 3,
        "slope_600": -slope([-1.0, -3.0, -2.0, -0.5, -0.5, -0.5, 0.0, 0.0, 0.0]),
    }
    for name, value in told.items():
        assert column(found, name)[0] == pytest.approx(value, abs=1e-12), name


def test_phrases_of_a_known_sequence():
    """1 | 0 | 01 | 11: four phrases of six symbols, as in the parsing of 1978."""
    assert phrase_rate(np.array([[1.0, 0, 0, 1, 1, 1]]), 2)[0] == 4 / 6
    assert phrase_rate(np.full((1, 6), 0.3), 3)[0] == 3 / 6  # 0 | 00 | 000


def test_a_periodic_sequence_is_regular_and_noise_is_not():
    noise = np.random.default_rng(0).normal(size=(1, 300))
    periodic = np.resize([0.0, 1.0, 2.0], (1, 300))
    even = np.full((1, 300), -0.7)
    assert abs(approximate_entropy(periodic)[0]) < 0.01
    assert approximate_entropy(even)[0] == 0
    assert approximate_entropy(noise)[0] > 0.05
    assert np.isnan(approximate_entropy(noise[:, :9])[0])


def test_equal_tokens_are_not_above_their_own_mean():
    even = np.full((1, 7), -0.1)
    found = context_features(even, np.arange(7.0)[None], np.repeat(even[:, None], 3, axis=1))
    assert column(found, "above_own_mean_all")[0] == 0
    assert column(found, "above_past_mean_all")[0] == 0


def test_counts_are_shares_so_that_length_alone_says_nothing():
    rng = np.random.default_rng(1)
    short = -rng.gamma(1.0, 1.0, (1, 40))
    long = np.tile(short, 4)
    longest = 160
    padded = np.pad(short, ((0, 0), (0, longest - 40)), constant_values=nan)
    both = np.concatenate([padded, long])
    ids = np.where(np.isnan(both), nan, 3.0)
    found = context_features(both, ids, np.repeat(both[:, None], 3, axis=1))
    for name in ("mean_all", "above_own_mean_all", "above_2"):
        assert column(found, name)[0] == pytest.approx(column(found, name)[1], abs=1e-12)


def test_what_is_memorised_is_larger_in_most_features():
    """Non-members are learnt from their first copy; members were known before."""
    rng = np.random.default_rng(2)
    member = np.arange(80) < 40
    shape = 80, 120
    first = -rng.gamma(1.0, np.where(member, 0.8, 2.0)[:, None], shape)
    repeats = np.stack([first, *(-rng.gamma(1.0, 0.5, (3, *shape)))], axis=1)
    found = context_features(first, rng.integers(0, 99, shape).astype(float), repeats)
    gap = found[member].mean(axis=0) - found[~member].mean(axis=0)
    for name in ("mean_all", "perplexity_all", "above_1", "mean_all_change_1", "slope_600"):
        assert gap[FEATURES.index(name)] > 0, name


def test_a_text_alone_is_as_among_others(world):
    whole = context_features(*world)
    for row in (1, 4, 8):
        alone = context_features(*(one[[row]] for one in world))
        np.testing.assert_allclose(alone, whole[[row]], rtol=1e-12)


def test_many_texts_are_taken_in_parts_that_change_nothing(world, monkeypatch):
    whole = context_features(*world)
    monkeypatch.setattr("nonmember.signals.context.ROWS_AT_ONCE", 2)
    np.testing.assert_allclose(context_features(*world), whole, rtol=1e-12)


@pytest.mark.parametrize("at", [0, 7, 320])
def test_unscored_positions_change_nothing(world, at):
    wide = [np.insert(one, [at] * 3, nan, axis=-1) for one in world]
    np.testing.assert_allclose(context_features(*wide), context_features(*world), rtol=1e-12)


def test_impossible_tokens_give_finite_features(world):
    lost = [one.copy() for one in world]
    lost[0][5, :20] = lost[2][5, 0, :20] = -np.inf
    lost[0][4, :] = lost[2][4, :] = -np.inf
    lost[1][4, :] = 2.0
    assert np.isfinite(context_features(*lost)[4:6]).all()


def test_copies_that_there_are_not_leave_their_changes_out(world):
    logprobs, ids, repeats = world
    found = context_features(logprobs, ids, repeats[:, :2])
    for name in FEATURES:
        missing = np.isnan(column(found, name)[5:]).all()
        assert missing == name.endswith("_change_2"), name


@pytest.mark.parametrize("width", [0, 1])
def test_texts_without_tokens_are_nan(width):
    nothing = np.full((2, width), nan)
    found = context_features(nothing, nothing, np.full((2, 3, width), nan))
    assert np.isnan(found).all()


def test_inputs_are_left_alone(world):
    for array in world:
        array.setflags(write=False)
    context_features(*world)
