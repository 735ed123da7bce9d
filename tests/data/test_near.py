"""Near-duplicates across the split: planted, against all pairs, and what is none."""

import numpy as np
import pytest

from nonmember.data.images import digits
from nonmember.data.near import Near, near_arrays, near_texts
from nonmember.errors import DataError, SpecError

WORDS = [f"word{number}" for number in range(400)]


def texts(seed: int, count: int, length: int = 40) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, length)) for _ in range(count)]


def altered(text: str, place: int) -> str:
    words = text.split()
    words[place] = "altered"
    return " ".join(words)


def test_texts_by_hand():
    members = ["One two three four five six", "nothing in common with it at all"]
    others = ["zero one two, THREE four  five", "One two three four five six!"]
    found = near_texts(members, others, least=0.3)
    # Pieces of five words: two of the member, of which the first text shares one of three.
    assert found == (Near(0, 0, 1 / 3), Near(0, 1, 1.0))
    assert near_texts(members, others[:1]) == ()


def test_planted_texts_are_found_and_equal_the_loop():
    members, others = texts(0, 150), texts(1, 150)
    for place in range(60):
        others[149 - place] = altered(members[place], place % 40)
    found = near_texts(members, others, least=0.75)

    def pieces(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}

    expected = []
    for place, one in enumerate(members):
        for other, two in enumerate(others):
            a, b = pieces(one), pieces(two)
            if len(a & b) / len(a | b) >= 0.75:
                expected.append(Near(place, other, len(a & b) / len(a | b)))
    assert len(expected) > 40
    assert list(found) == expected


def test_pairs_just_as_similar_as_asked_for_are_hardly_missed():
    """Of 104 words 100 pieces each, 12 of them replaced: 88 of 112 are shared."""
    members = texts(2, 400, 104)
    others = [" ".join(["new"] * 12 + text.split()[12:]) for text in members]
    similarity = near_texts(members[:1], others[:1], least=0.5)[0].similarity
    assert len(near_texts(members, others, least=similarity - 1e-9)) >= 390


def test_copies_are_told_once_each_and_short_texts_are_whole():
    members, others = ["hello there", "hello there", ""], ["Hello, there!", "hello there", ""]
    assert near_texts(members, others) == (Near(0, 0, 1.0), Near(0, 1, 1.0), Near(1, 0, 1.0))
    assert near_texts(["hello there"], ["hello"]) == ()
    assert near_texts([], others) == near_texts(members, []) == ()


def test_the_seed_decides_and_global_state_does_not():
    members, others = texts(3, 100), [altered(one, 20) for one in texts(3, 100)]
    one = near_texts(members, others, least=0.7, seed=4)
    np.random.seed(0)  # noqa: NPY002
    assert near_texts(members, others, least=0.7, seed=4) == one


def test_noisy_copies_of_images_are_found_and_other_digits_are_none():
    images, _ = digits()
    members, others = images[:900], images[900:]
    assert near_arrays(members, others) == ()
    noisy = np.clip(members + np.random.default_rng(0).normal(0, 0.01, members.shape), 0, 1)
    found = near_arrays(members, noisy)
    assert len(found) > 800
    assert all(pair.member == pair.non_member for pair in found)


def test_large_images_are_averaged_before_they_are_compared():
    rng = np.random.default_rng(1)
    smooth = rng.normal(size=(200, 3, 40, 50)).cumsum(axis=2).cumsum(axis=3)
    members, others = smooth[:100], smooth[100:]
    others[:20] = members[:20] + rng.normal(0, 0.01 * np.ptp(smooth), members[:20].shape)
    found = near_arrays(members, others)
    assert len(found) >= 18
    assert all(pair.member == pair.non_member for pair in found)


def test_rows_with_one_other_value_are_found():
    rng = np.random.default_rng(2)
    members, others = rng.normal(size=(300, 20)), rng.normal(size=(300, 20))
    others[:30] = members[:30]
    others[np.arange(30), np.arange(30) % 20] += 2
    found = near_arrays(members, others)
    assert [(pair.member, pair.non_member) for pair in found] == [(i, i) for i in range(30)]
    assert {pair.similarity for pair in found} == {19 / 21}


def test_what_most_records_share_makes_none_alike():
    """A white margin of 90 %: only what is inside counts, and a blank record is near nothing."""
    rng = np.random.default_rng(3)
    pictures = np.zeros((40, 100))
    pictures[:39, :10] = rng.integers(1, 16, size=(39, 10))
    assert near_arrays(pictures[:20], pictures[20:]) == ()


@pytest.mark.parametrize("least", [0.0, -0.1, 1.1, float("nan")])
def test_a_similarity_that_is_none_is_refused(least):
    with pytest.raises(SpecError, match="similarity above 0"):
        near_texts(["a"], ["b"], least=least)


def test_arrays_that_cannot_be_compared_are_refused():
    with pytest.raises(SpecError, match="two levels"):
        near_arrays(np.zeros((2, 3)), np.zeros((2, 3)), levels=1)
    with pytest.raises(DataError, match="records of one shape"):
        near_arrays(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(DataError, match="not finite"):
        near_arrays(np.zeros((2, 3)), np.full((2, 3), np.nan))
    assert near_arrays(np.zeros((0, 3)), np.zeros((0, 3))) == ()
