"""Formulas found in public code that are not the papers'; each reverses two records of ours.

In every case ours ranks record 0 above record 1, and the wrong version does the opposite.
"""

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer

from nonmember.attacks import language
from nonmember.attacks.blind import bag_of_words
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
    return language.zlib(logprobs, lengths), logprobs[:, 0] / rate


def loss_with_padding_as_zero():
    logprobs = padded([-1.0] * 4, [-2.0])
    return language.loss(logprobs), np.nan_to_num(logprobs).mean(axis=1)


def loss_with_certain_tokens_as_padding():
    logprobs = padded([0.0, 0.0, -1.0], [-0.4])
    dropped = np.where(logprobs == 0, NAN, logprobs)
    return language.loss(logprobs), np.nanmean(dropped, axis=1)


def reference_added():
    logprobs, base = padded([-1.0], [-2.0]), padded([-3.0], [-0.5])
    return language.reference_difference(logprobs, base), (logprobs + base)[:, 0]


def reference_as_a_probability():
    logprobs, base = padded([-2.0], [-1.0]), padded([-4.0], [-1.5])
    return language.reference_difference(logprobs, base), (logprobs - np.exp(base))[:, 0]


def min_k_of_twenty_tokens():
    logprobs = padded([-1.0] * 80 + [-4.0] * 20, [-5.0] * 2 + [-0.1] * 8)
    wrong = np.nanmean(np.sort(logprobs, axis=1)[:, :20], axis=1)
    return language.min_k(logprobs), wrong


def min_k_of_the_lowest_losses():
    logprobs = padded([-1.0] * 5, [-9.0] * 4 + [-0.1])
    return language.min_k(logprobs), np.nanmax(logprobs, axis=1)


def min_k_of_probabilities_with_padding():
    logprobs = padded([-1.0, -2.0], [-3.0] * 10)
    wrong = np.sort(np.nan_to_num(np.exp(logprobs)), axis=1)[:, :2].mean(axis=1)
    return language.min_k(logprobs), wrong


def moments_of(probabilities, weighted):
    logs = np.log(probabilities)
    weight = probabilities if weighted else np.full_like(logs, 1 / logs.shape[1])
    mean = (weight * logs).sum(axis=1, keepdims=True)
    return mean, np.sqrt((weight * (logs - mean) ** 2).sum(axis=1, keepdims=True))


def min_k_plus_plus_with_unweighted_moments():
    probabilities = np.array([[0.4, 0.3, 0.2, 0.1], [0.9, 0.05, 0.04, 0.01]])
    logprobs = np.log(probabilities[[0, 1], [3, 1]])[:, None]
    ours, wrong = (
        language.min_k_plus_plus(logprobs, *moments_of(probabilities, weighted))
        for weighted in (True, False)
    )
    return ours, wrong


def min_k_plus_plus_without_moments():
    logprobs, mean, std = padded([-3.0], [-2.5]), padded([-3.0], [-0.5]), padded([1.0], [1.0])
    return language.min_k_plus_plus(logprobs, mean, std), language.min_k(logprobs)


def ez_mia_zero_where_nothing_was_lost():
    logprobs, base = padded([-1.0, -1.0], [-1.0, -3.0]), padded([-4.0, -4.0], [-2.0, -2.0])
    gain = logprobs - base
    won, lost = np.maximum(gain, 0).sum(axis=1), np.maximum(-gain, 0).sum(axis=1)
    wrong = np.divide(won, lost, out=np.zeros(2), where=lost > 0)
    return language.ez_mia(logprobs, base, np.zeros((2, 2))), wrong


def wbc_of_single_tokens():
    logprobs, base = padded([-2.0] * 4, [-2.0] * 4), padded([-1.9] * 3 + [-9.0], [-2.1] * 3 + [0.0])
    wrong = (logprobs > base).mean(axis=1)
    return language.wbc(logprobs, base), wrong


WRONG = [
    zlib_by_rate,
    loss_with_padding_as_zero,
    loss_with_certain_tokens_as_padding,
    reference_added,
    reference_as_a_probability,
    min_k_of_twenty_tokens,
    min_k_of_the_lowest_losses,
    min_k_of_probabilities_with_padding,
    min_k_plus_plus_with_unweighted_moments,
    min_k_plus_plus_without_moments,
    ez_mia_zero_where_nothing_was_lost,
    wbc_of_single_tokens,
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
