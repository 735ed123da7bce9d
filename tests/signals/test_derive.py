"""What is computed from other signals, by hand."""

import numpy as np

from nonmember.signals.derive import token_entropy, zlib_length

NAN = np.nan


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_zlib_length_is_of_the_utf8_text():
    texts = ["", "a" * 1000, "naïve 🙂"]
    assert zlib_length(texts).tolist() == [8, 17, 19]
    assert zlib_length([]).tolist() == []


def test_token_entropy_is_of_the_distribution_whose_mean_is_given():
    p = np.array([0.5, 0.25, 0.25])
    expected_log = (p * np.log(p)).sum()
    same(token_entropy(np.array([[expected_log, NAN]])), [[1.5 * np.log(2), NAN]])
