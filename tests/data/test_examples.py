"""Labelled examples: of one length, finite, told apart by content."""

import numpy as np
import pytest

from nonmember.data.examples import Examples, of
from nonmember.errors import DataError


def arrays(count: int = 4) -> Examples:
    return of(np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3), [0, 1] * (count // 2))


def test_examples_are_named_by_their_places_and_stand_alone() -> None:
    found = of(["a", "b"], np.array([1, 0], dtype=np.uint8), name="row")
    assert (found.ids, found.groups, len(found)) == (("row 1", "row 2"), (None, None), 2)
    assert found.labels.dtype == np.int64
    assert len(of(np.zeros((0, 3)), np.zeros(0, dtype=int))) == 0


def test_some_are_taken_and_two_are_joined_in_order() -> None:
    one = arrays()
    some = one.take(np.array([3, 0]))
    assert some.ids == ("example 4", "example 1")
    np.testing.assert_array_equal((some + one).labels, [1, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal((some + one).inputs[2:], one.inputs)
    texts = of(["a", "b"], [0, 1])
    assert list((texts.take(np.array([1])) + texts).inputs) == ["b", "a", "b"]


def test_digests_are_of_content_shape_and_type() -> None:
    one = arrays()
    assert one.digests.shape == (4, 16)
    np.testing.assert_array_equal(one.take(np.array([2])).digests[0], one.digests[2])
    assert len({row.tobytes() for row in one.digests}) == 4
    for inputs in (one.inputs.reshape(4, 6), one.inputs.astype(np.float64)):
        assert not (of(inputs, one.labels).digests == one.digests).all(axis=1).any()
    texts = of(["a", "b", "a"], [0, 1, 1]).digests
    np.testing.assert_array_equal(texts[0], texts[2])


def test_what_does_not_fit_together_is_refused() -> None:
    one = arrays()
    with pytest.raises(DataError, match="2 inputs, 3 labels, 3 ids and 3 groups"):
        of(["a", "b"], [0, 1, 2])
    with pytest.raises(DataError, match="a label is below 0"):
        of(["a"], [-1])
    with pytest.raises(DataError, match="texts and arrays"):
        one + of(["a"], [0])
    with pytest.raises(DataError, match=r"float32 \(2, 3\) and of float64 \(2, 3\)"):
        one + of(np.zeros((1, 2, 3)), [0])
    with pytest.raises(DataError, match=r"labels of float64 in shape \(1,\)"):
        of(["a"], np.array([0.5]))


def test_a_text_that_no_encoding_can_write_is_refused() -> None:
    with pytest.raises(DataError, match=r"example 2 holds half a character .* leave it out"):
        of(["a", "b \ud800"], [0, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    inputs = np.zeros((3, 2))
    inputs[1, 1] = value
    with pytest.raises(DataError, match="example 2 holds a number that is not finite"):
        of(inputs, [0, 1, 0])
