"""Attacks that see what the target writes, worked by hand."""

import numpy as np

from nonmember.attacks.language.written import hit_rate, samia

NAN = np.nan


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_samia_is_the_mean_recall_of_the_samples_there_are():
    recall = np.array([[0.2, 0.6, NAN], [0.0, 0.0, 0.0], [NAN, NAN, NAN]])
    size = np.array([[10.0, 30.0, NAN], [10.0, 20.0, 30.0], [NAN, NAN, NAN]])
    close(samia(recall, size), [0.4, 0, NAN])
    close(samia(recall, size, weigh_by_zlib=True), [10, 0, NAN])


def test_hit_rate_is_the_share_of_tokens_that_are_the_likeliest():
    hit = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, NAN, NAN, NAN], [0.0, 0.0, NAN, NAN], [NAN] * 4])
    close(hit_rate(hit), [0.5, 1, 0, NAN])
