"""The AUC of each record over models."""

import numpy as np

from nonmember.evaluation import roc
from nonmember.evaluation.exposure import auc_of_records


def test_it_is_the_auc_of_each_column() -> None:
    rng = np.random.default_rng(0)
    scores, member = rng.integers(0, 4, (12, 9)).astype(float), rng.random((12, 9)) < 0.5
    found = auc_of_records(scores, member)
    for one, own, saw in zip(found, scores.T, member.T, strict=True):
        np.testing.assert_allclose(one, roc.auc(own, saw).value)


def test_of_a_record_that_all_saw_or_none_nothing_is_known() -> None:
    member = np.array([[True, False, True], [True, False, False]])
    found = auc_of_records(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), member)
    np.testing.assert_array_equal(found, [np.nan, np.nan, 0.0])
