"""Attacks on targets that were trained on rewrites: by hand, against loops, planted leaks."""

from math import exp, isnan, log, nan
from statistics import fmean, stdev

import numpy as np
import pytest
import worlds

import nonmember.signals.language
import nonmember.signals.rewritten  # noqa: F401  (these fill the catalogue)
from nonmember.attacks.language.compared import reference_difference
from nonmember.attacks.language.rewritten import (
    kept_tokens,
    mixture,
    rewritten,
    semantic_neighbours,
)
from nonmember.evaluation.roc import auc

NAN = np.nan


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_record_is_as_exposed_as_its_likeliest_rewrite():
    gains = np.array([[0.1, 0.5, NAN], [NAN, -0.2, -0.4], [NAN, NAN, NAN]])
    close(rewritten(gains), [0.5, -0.2, NAN])
    means = [log((exp(0.1) + exp(0.5)) / 2), log((exp(-0.2) + exp(-0.4)) / 2), NAN]
    close(rewritten(gains, combine="mean"), means)


def test_the_mean_of_hopeless_rewrites_is_finite():
    gains = np.array([[-9000.0, -8000.0], [9000.0, 9000.0]])
    close(rewritten(gains, combine="mean"), [-8000 - log(2), 9000])


def test_semantic_neighbours_are_what_copies_gained_over_the_base():
    target = np.array([[[-1.0, -2.0, NAN], [-3.0, NAN, NAN]], [[-1.0, -1.0, -1.0], [NAN] * 3]])
    base = np.array([[[-2.0, -2.0, NAN], [-2.0, NAN, NAN]], [[-3.0, -3.0, -3.0], [NAN] * 3]])
    close(semantic_neighbours(target, base), [log((exp(0.5) + exp(-1)) / 2), 2])


def test_kept_tokens_alone_count():
    target = np.array([[-1.0, -2.0, -3.0], [-1.0, -2.0, NAN], [-1.0, NAN, NAN]])
    base = np.array([[-4.0, -2.5, -3.0], [-9.0, -2.0, NAN], [-3.0, NAN, NAN]])
    kept = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, NAN], [1.0, NAN, NAN]])
    close(kept_tokens(target, base, kept), [1.5, NAN, 2])


def test_a_mixture_is_the_larger_of_both_in_deviations_of_known_non_members():
    """Their own gains are 0 and 2 (mean 1, deviation sqrt 2), their rewrites' 1, 2 and 3."""
    known = np.array([0.0, 2.0, NAN]), np.array([[1.0, NAN], [-5.0, 2.0], [3.0, 3.0]])
    gain = np.array([1.0, 3.0, 0.0, NAN])
    copies = np.array([[2.0, 4.0], [0.0, 1.0], [NAN, NAN], [NAN, NAN]])
    close(mixture(gain, copies, *known), [2, np.sqrt(2), -1 / np.sqrt(2), NAN])


def test_a_mixture_needs_two_known_non_members():
    gain, copies = np.array([1.0]), np.array([[2.0]])
    close(mixture(gain, copies, np.array([1.0]), np.array([[1.0]])), [NAN])
    close(mixture(gain, copies, np.array([1.0, 1.0]), np.array([[NAN], [NAN]])), [0])


def test_gains_that_all_agree_are_a_ten_thousandth_of_a_nat_apart():
    known = np.array([1.0, 1.0]), np.array([[NAN], [NAN]])
    close(mixture(np.array([1.5]), np.array([[NAN]]), *known), [0.5 / 1e-4])


def naive_mixture(gain, copies, known, known_copies, combine):
    """One record and the known non-members, from lists of numbers."""

    def combined(row):
        row = [x for x in row if not isnan(x)]
        if not row:
            return nan
        return max(row) if combine == "max" else log(fmean(map(exp, row)))

    def deviations(score, others):
        others = [x for x in others if not isnan(x)]
        return (score - fmean(others)) / max(stdev(others), 1e-4)

    both = deviations(gain, known), deviations(combined(copies), map(combined, known_copies))
    return max((x for x in both if not isnan(x)), default=nan)


@pytest.mark.parametrize("combine", ["max", "mean"])
def test_a_mixture_equals_the_loop(combine):
    rng = np.random.default_rng(0)
    gain, known = rng.normal(0, 1, 60), rng.normal(0, 2, 40)
    copies, theirs = rng.normal(1, 2, (60, 4)), rng.normal(0, 3, (40, 5))
    for array in (gain, known, copies, theirs):
        array[rng.random(array.shape) < 0.2] = NAN
    gain[:3], copies[:5] = NAN, NAN
    others = known.tolist(), theirs.tolist()
    pairs = zip(gain.tolist(), copies.tolist(), strict=True)
    expected = [naive_mixture(*pair, *others, combine) for pair in pairs]
    found = mixture(gain, copies, known, theirs, combine=combine)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(found).sum() == 3


def only_rewritten(needs, share=1.0, seed=0):
    """A world in which rewrites of a ``share`` of the members were trained on, nothing else."""
    world = worlds.for_needs(needs, gap=0.0, n=600, seed=seed)
    told = world["member"] & (np.random.default_rng(seed).random(600) < share)
    name = "aug_rewrites_token_logprobs"
    lifted = np.minimum(world[name] + 0.3 * told[:, None, None], -1e-3)
    return worlds.derived(world | {name: lifted}, needs), told


def test_what_only_rewrites_leak_shows_up_in_them_and_not_in_the_records():
    needs = ("gain", "rewrite_gain", "pop_gain", "pop_rewrite_gain")
    world, _ = only_rewritten(needs)
    raw = reference_difference(world["token_logprobs"], world["base_token_logprobs"])
    found = {
        "raw": raw,
        "max": rewritten(world["rewrite_gain"]),
        "mean": rewritten(world["rewrite_gain"], combine="mean"),
        "mixture": mixture(*(world[need] for need in needs)),
    }
    areas = {name: auc(scores, world["member"]).value for name, scores in found.items()}
    assert areas.pop("raw") == pytest.approx(0.5, abs=4 * np.sqrt(601 / (12 * 300 * 300)))
    assert min(areas.values()) > 0.95


def test_a_mixture_finds_members_of_both_kinds():
    """Half of the members were rewritten; each attack alone is blind to one half."""
    needs = ("gain", "rewrite_gain", "pop_gain", "pop_rewrite_gain")
    world, told = only_rewritten(needs, share=0.5)
    world["gain"] = world["gain"] + 0.3 * (world["member"] & ~told)
    both = auc(mixture(*(world[need] for need in needs)), world["member"]).value
    alone = [
        auc(one, world["member"]).value for one in (world["gain"], rewritten(world["rewrite_gain"]))
    ]
    assert both > 0.95 and max(alone) < 0.85
