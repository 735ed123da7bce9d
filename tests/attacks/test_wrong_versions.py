"""Formulas found in public code that are not the papers'; each reverses two records of ours.

In every case ours ranks record 0 above record 1, and the wrong version does the opposite.
"""

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer

from nonmember.attacks.blind import bag_of_words
from nonmember.attacks.language import compared, conditioned, likelihood, perturbed
from nonmember.evaluation.roc import auc
from nonmember.signals.derive import zlib_length

NAN = np.nan


def padded(*rows):
    out = np.full((len(rows), max(map(len, rows))), NAN)
    for values, row in zip(rows, out, strict=True):
        row[: len(values)] = values
    return out


def zlib_by_rate():
    logprobs, texts = padded([-1.0], [-2.0]), ["a" * 200, "qwerty"]
    lengths = zlib_length(texts)
    rate = lengths / [len(text) for text in texts]
    return likelihood.zlib(logprobs, lengths), logprobs[:, 0] / rate


def loss_with_padding_as_zero():
    logprobs = padded([-1.0] * 4, [-2.0])
    return likelihood.loss(logprobs), np.nan_to_num(logprobs).mean(axis=1)


def loss_with_certain_tokens_as_padding():
    logprobs = padded([0.0, 0.0, -1.0], [-0.4])
    dropped = np.where(logprobs == 0, NAN, logprobs)
    return likelihood.loss(logprobs), np.nanmean(dropped, axis=1)


def loss_with_a_pad_target():
    logprobs, pad = padded([-1.0], [-2.0] * 4), -12.0
    wrong = np.array([(-1.0 + pad) / 2, -2.0])
    return likelihood.loss(logprobs), wrong


def loss_as_a_negated_probability():
    logprobs = padded([-1.0], [-2.0])
    return likelihood.loss(logprobs), -np.exp(logprobs[:, 0])


def lowercase_averaged_over_padding():
    logprobs, lowered = padded([-1.0], [-1.0] * 4), padded([-2.0], [-1.5] * 4)
    wrong = np.nan_to_num(lowered).mean(axis=1) / likelihood.loss(logprobs)
    return likelihood.lowercase(logprobs, lowered[:, None], ["A", "A b c d"]), wrong


def reference_added():
    logprobs, base = padded([-1.0], [-2.0]), padded([-3.0], [-0.5])
    return compared.reference_difference(logprobs, base), (logprobs + base)[:, 0]


def reference_as_a_probability():
    logprobs, base = padded([-2.0], [-1.0]), padded([-4.0], [-1.5])
    return compared.reference_difference(logprobs, base), (logprobs - np.exp(base))[:, 0]


def min_k_of_twenty_tokens():
    logprobs = padded([-1.0] * 80 + [-4.0] * 20, [-5.0] * 2 + [-0.1] * 8)
    wrong = np.nanmean(np.sort(logprobs, axis=1)[:, :20], axis=1)
    return likelihood.min_k(logprobs), wrong


def min_k_of_the_lowest_losses():
    logprobs = padded([-1.0] * 5, [-9.0] * 4 + [-0.1])
    return likelihood.min_k(logprobs), np.nanmax(logprobs, axis=1)


def min_k_of_probabilities_with_padding():
    logprobs = padded([-1.0, -2.0], [-3.0] * 10)
    wrong = np.sort(np.nan_to_num(np.exp(logprobs)), axis=1)[:, :2].mean(axis=1)
    return likelihood.min_k(logprobs), wrong


def moments_of(probabilities, weighted):
    logs = np.log(probabilities)
    weight = probabilities if weighted else np.full_like(logs, 1 / logs.shape[1])
    mean = (weight * logs).sum(axis=1, keepdims=True)
    return mean, np.sqrt((weight * (logs - mean) ** 2).sum(axis=1, keepdims=True))


def min_k_plus_plus_with_unweighted_moments():
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1], [0.9, 0.05, 0.04, 0.01]])
    logprobs = np.log(probabilities[[0, 1], [3, 1]])[:, None]
    ours, wrong = (
        likelihood.min_k_plus_plus(logprobs, *moments_of(probabilities, weighted))
        for weighted in (True, False)
    )
    return ours, wrong


def min_k_plus_plus_without_moments():
    logprobs, mean, std = padded([-3.0], [-2.5]), padded([-3.0], [-0.5]), padded([1.0], [1.0])
    return likelihood.min_k_plus_plus(logprobs, mean, std), likelihood.min_k(logprobs)


def ez_mia_zero_where_nothing_was_lost():
    logprobs, base = padded([-1.0, -1.0], [-1.0, -3.0]), padded([-4.0, -4.0], [-2.0, -2.0])
    gain = logprobs - base
    won, lost = np.maximum(gain, 0).sum(axis=1), np.maximum(-gain, 0).sum(axis=1)
    wrong = np.divide(won, lost, out=np.zeros(2), where=lost > 0)
    return compared.ez_mia(logprobs, base, np.zeros((2, 2))), wrong


def wbc_of_single_tokens():
    logprobs, base = padded([-2.0] * 4, [-2.0] * 4), padded([-1.9] * 3 + [-9.0], [-2.1] * 3 + [0.0])
    wrong = (logprobs > base).mean(axis=1)
    return compared.wbc(logprobs, base), wrong


def surp_with_the_surest_score_for_surprise():
    logprobs, entropy = padded([-1.0], [-5.0]), padded([9.0], [0.5])
    return likelihood.surp(logprobs, entropy), np.array([-100.0, -5.0])


def surp_by_entropy_in_bits():
    logprobs, entropy = padded([-0.5, -3.0], [-2.0]), padded([1.5, 0.1], [0.1])
    ours, wrong = (likelihood.surp(logprobs, h, k=1.0) for h in (entropy, entropy / np.log(2)))
    return ours, wrong


def gap_k_smoothed_across_padding():
    gaps = padded([-3.0] * 6, [-4.0, -4.0, -4.0])
    wrong = [np.convolve(row, np.full(3, 1 / 3), "same").mean() for row in np.nan_to_num(gaps)]
    ours = likelihood.gap_k(gaps, np.zeros((2, 6)), np.ones((2, 6)), k=1.0)
    return ours, np.array(wrong)


def dc_pdd_by_raw_counts():
    logprobs, ids, counts = np.log(padded([0.002], [0.001])), np.ones((2, 1)), np.full((2, 1), 99.0)
    wrong = np.minimum(np.exp(logprobs) * np.log(1 / counts), 0.01)[:, 0]
    return likelihood.dc_pdd(logprobs, ids, (counts + 1) / 1e6), wrong


def recall_averaged_over_prefix_and_text():
    alone, after = padded([-4.0] * 2, [-2.0] * 2), padded([-5.0] * 2, [-2.2] * 2)
    prefix = np.full((2, 20), -3.0)
    wrong = np.concatenate([prefix, after], axis=1).mean(axis=1) / likelihood.loss(alone)
    return conditioned.recall(alone, after), wrong


def recall_with_the_beginning_scored_after_the_prefix_only():
    alone, after = padded([-2.0] * 20, [-2.0]), padded([-2.4] * 20, [-2.2])
    beginning = np.full((2, 1), -12.0)
    wrong = np.nanmean(np.concatenate([beginning, after], axis=1), axis=1) / likelihood.loss(alone)
    return conditioned.recall(alone, after), wrong


def neighbourhood_against_the_furthest_only():
    logprobs, losses = padded([-1.0], [-1.0]), np.array([[3.0, 3.0], [1.0, 4.0]])
    wrong = -(1.0 - losses.max(axis=1))
    return perturbed.neighbourhood(logprobs, -losses[..., None]), wrong


def pac_with_padding_as_the_likeliest():
    logprobs = padded([-1.0] * 10, [-3.0] * 10)
    copies = padded([-2.0, *[-4.0] * 9], [-2.9, *[-4.0] * 8])[:, None]
    ours = perturbed.pac(logprobs, copies)
    flat = np.sort(np.nan_to_num(copies[:, 0]), axis=1)
    wrong = flat[:, -1] - flat[:, :3].mean(axis=1)
    return ours, wrong


def pac_with_an_empty_slice_for_all():
    logprobs = padded([-1.0] * 4, [-1.0] * 4)
    copies = padded([-1.0, -9.0, -9.0, -9.0], [-3.0, -3.0, -3.0, -9.0])
    ranked = np.sort(copies, axis=1)
    wrong = ranked[:, -int(0.05 * 4) :].mean(axis=1) - ranked[:, :1].mean(axis=1)
    return perturbed.pac(logprobs, copies[:, None]), wrong


def spv_averaged_over_padding():
    logprobs, base = padded([-1.0], [-1.0] * 4), padded([-2.0], [-1.8] * 4)
    copies = np.full((2, 1, 4), -3.0)
    ours = perturbed.spv_base(logprobs, copies, base, copies)
    wrong = np.exp(np.nan_to_num(logprobs).mean(axis=1)) - np.exp(np.nan_to_num(base).mean(axis=1))
    return ours, wrong


def spv_with_the_sign_of_the_perturbation():
    logprobs, base = padded([-1.0], [-2.0]), padded([-2.0], [-2.0])
    copies = np.full((2, 1, 1), -3.0)
    ours = perturbed.spv_base(logprobs, copies, base, copies)
    return ours, (np.exp(copies[:, 0]) - np.exp(logprobs))[:, 0]


WRONG = [
    zlib_by_rate,
    loss_with_padding_as_zero,
    loss_with_certain_tokens_as_padding,
    loss_with_a_pad_target,
    loss_as_a_negated_probability,
    lowercase_averaged_over_padding,
    reference_added,
    reference_as_a_probability,
    min_k_of_twenty_tokens,
    min_k_of_the_lowest_losses,
    min_k_of_probabilities_with_padding,
    min_k_plus_plus_with_unweighted_moments,
    min_k_plus_plus_without_moments,
    ez_mia_zero_where_nothing_was_lost,
    wbc_of_single_tokens,
    surp_with_the_surest_score_for_surprise,
    surp_by_entropy_in_bits,
    gap_k_smoothed_across_padding,
    dc_pdd_by_raw_counts,
    recall_averaged_over_prefix_and_text,
    recall_with_the_beginning_scored_after_the_prefix_only,
    neighbourhood_against_the_furthest_only,
    pac_with_padding_as_the_likeliest,
    pac_with_an_empty_slice_for_all,
    spv_averaged_over_padding,
    spv_with_the_sign_of_the_perturbation,
]


@pytest.mark.parametrize("version", WRONG, ids=lambda version: version.__name__)
def test_ours_ranks_otherwise(version):
    ours, wrong = version()
    assert ours[0] > ours[1]
    assert wrong[0] < wrong[1]


def test_bag_of_words_is_not_fitted_to_the_texts_it_scores():
    world = worlds.for_needs(["texts"], gap=0.0)
    words = CountVectorizer(min_df=0.05).fit_transform(world["texts"])
    forest = RandomForestClassifier(100, max_depth=2, min_samples_leaf=5, random_state=0)
    wrong = forest.fit(words, world["member"]).predict_proba(words)[:, 1]
    ours = bag_of_words(world["texts"], world["known_texts"], world["known_member"])
    assert auc(wrong, world["member"]).value > 0.7
    assert auc(ours, world["member"]).value == pytest.approx(0.5, abs=0.1)
