"""Attacks that put other texts before the text, worked by hand, and their edges."""

import numpy as np
import pytest

from nonmember.attacks.language.conditioned import con_recall, recall

NAN = np.nan


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_recall_is_the_loss_after_non_members_over_the_loss_alone():
    logprobs = np.array([[-1.0, -3.0], [-4.0, NAN], [NAN, NAN]])
    after = np.array([[-2.0, -4.0], [-1.0, NAN], [NAN, NAN]])
    np.testing.assert_allclose(recall(logprobs, after), [1.5, 0.25, NAN], rtol=1e-9)
    close(recall(logprobs, after, form="difference"), [1, -3, NAN])


def test_recall_of_certain_tokens_is_finite():
    certain = np.zeros((1, 2))
    close(recall(certain, certain), [1])
    np.testing.assert_allclose(recall(certain, certain - 1), [1e10], rtol=1e-9)


@pytest.mark.parametrize("form, expected", [("ratio", 2), ("difference", 1)])
def test_recall_scores_the_same_tokens_in_both_terms(form, expected):
    found = recall(np.array([[-9.0, -1.0]]), np.array([[NAN, -2.0]]), form=form)
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


def test_con_recall_takes_off_what_members_before_the_text_do():
    logprobs = np.array([[-1.0, -3.0], [-4.0, NAN], [NAN, NAN]])
    others = np.array([[-2.0, -4.0], [-1.0, NAN], [NAN, NAN]])
    members = np.array([[-1.0, -1.0], [-6.0, NAN], [NAN, NAN]])
    given = logprobs, others, members
    np.testing.assert_allclose(con_recall(*given), [2.5 / 2, -2 / 4, NAN], rtol=1e-9)
    np.testing.assert_allclose(con_recall(*given, g=1.0), [2 / 2, -5 / 4, NAN], rtol=1e-9)


def test_con_recall_of_certain_tokens_is_finite_and_of_the_same_tokens():
    certain = np.zeros((1, 2))
    np.testing.assert_allclose(con_recall(certain, certain - 1, certain - 4), [-1e10], rtol=1e-9)
    missing = np.array([[NAN, -2.0]])
    found = con_recall(np.array([[-7.0, -2.0]]), np.array([[-9.0, -3.0]]), missing)
    np.testing.assert_allclose(found, [1], rtol=1e-9)
