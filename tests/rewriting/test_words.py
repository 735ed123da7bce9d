"""Words stand where they are said to stand, and nothing else of a text ever changes."""

import re
from collections import Counter
from math import floor

import numpy as np
import pytest

from nonmember.rewriting.words import (
    Swap,
    neighbours,
    refilled,
    shaped,
    spliced,
    split,
    swapped,
)

CODE = "def area(width, height):\n\treturn width * height  # the area\n"
EMOJI = "A fast 👩‍💻 dog 🐕‍🦺 ran — caf\u0065\u0301 in İstanbul…"
TEXTS = [
    "one two",
    "a  b\tc\n\nd ",
    "  lead and trail  ",
    CODE,
    EMOJI,
    "abcdefghijklm " + " ".join("nopqrstuvwxyz"),
]


class Capitals:
    """A filler that proposes XX and YY for every word of small letters, in order of the text."""

    def ranked(self, text, words, draw):
        return [Swap(i, new) for new in ("XX", "YY") for i in self.replaceable(words)]

    def replaceable(self, words):
        return [i for i, word in enumerate(words) if word.text.islower()]

    def filled(self, text, words, places, draw):
        return [Swap(place, "Z" * int(draw.integers(1, 4))) for place in places]


def said(text):
    return [word.text for word in split(text)]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        (" \n", []),
        ("... 🙂 --", []),
        ("dog", ["dog"]),
        ("The dog's tail, don't!", ["The", "dog", "tail", "don't"]),
        ("THE DOG'S", ["THE", "DOG"]),
        ("the dog’s", ["the", "dog"]),
        ("rock'n'roll 'quoted' well-known end-", ["rock'n'roll", "quoted", "well-known", "end"]),
        ("f(my_var1)=3.14;", ["f", "my_var1", "3", "14"]),
        ("d['key']['s']", ["d", "key", "s"]),
        ("cafe\u0301 nai\u0308ve's", ["cafe\u0301", "nai\u0308ve"]),
        ("İstanbul ıssız", ["İstanbul", "ıssız"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می‌خواهم", ["می‌خواهم"]),
        ("👩‍💻dog🐕‍🦺", ["dog"]),
        ("1️⃣ first", ["1️⃣", "first"]),
    ],
)
def test_words_by_hand(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_words_stand_at_their_offsets_in_order(text):
    end = 0
    for word in split(text):
        assert word.start >= end and text[word.start : word.end] == word.text != ""
        end = word.end


@pytest.mark.parametrize(
    "new, old, expected",
    [
        ("Paris", "dog", "paris"),
        ("cat", "DOG", "CAT"),
        ("cat", "Dog", "Cat"),
        ("McCoy", "Dog", "McCoy"),
        ("cat", "A", "Cat"),
        ("Cat", "iPod", "Cat"),
        ("cat", "1984", "cat"),
        ("straße", "DOG", "STRASSE"),
        ("cat", "İzmir", "Cat"),
    ],
)
def test_a_replacement_takes_the_shape_of_the_word(new, old, expected):
    assert shaped(new, old) == expected


def test_splicing_by_hand():
    text = "a  bb\tccc."
    words = split(text)
    assert spliced(text, words, []) == text
    assert spliced(text, words, [Swap(2, "Z"), Swap(0, "long")]) == "long  bb\tZ."


@pytest.mark.parametrize("text", TEXTS)
def test_splicing_leaves_all_else_as_it_is(text):
    words = split(text)
    for place, word in enumerate(words):
        copy = spliced(text, words, [Swap(place, "🙂new")])
        assert copy == text[: word.start] + "🙂new" + text[word.end :]


def test_two_words_can_only_change_places():
    assert swapped(" one\n two ", 3, 0.3, 0) == (" two\n one ",) * 3


@pytest.mark.parametrize("text", ["", "   ", "one", " one\n", "same same"])
def test_what_cannot_change_has_no_swapped_copy(text):
    assert swapped(text, 5, 0.5, 0) == ()


@pytest.mark.parametrize("text", TEXTS)
def test_swapped_copies_hold_the_same_words_and_white_space(text):
    for copy in swapped(text, 5, 0.3, 0):
        assert Counter(copy.split()) == Counter(text.split()) and copy != text
        assert re.findall(r"\s+", copy) == re.findall(r"\s+", text)


@pytest.mark.parametrize("share, pairs", [(0.01, 1), (0.1, 1), (0.3, 3), (0.7, 7)])
def test_swapped_copies_equal_the_loop(share, pairs):
    """As many swaps as told: found again by replaying the draws over a list."""
    from nonmember.seeds import generator

    words = list("abcdefghij")
    draw = generator(3, "swaps", " ".join(words))
    left, right = draw.integers(10, size=(4, pairs)), draw.integers(9, size=(4, pairs))
    expected = []
    for firsts, seconds in zip(left, right, strict=True):
        copy = words.copy()
        for i, j in zip(firsts, seconds, strict=True):
            k = j if j < i else j + 1
            copy[i], copy[k] = copy[k], copy[i]
        expected.append(" ".join(copy))
    found = swapped(" ".join(words), 4, share, 3)
    assert list(found) == [copy for copy in expected if copy != " ".join(words)]
    if pairs == 1:
        assert all(sum(a != b for a, b in zip(c.split(), words, strict=True)) == 2 for c in found)


def test_every_pair_of_words_can_be_swapped():
    found = set(swapped("a b c", 200, 0.1, 0))
    assert found == {"b a c", "c b a", "a c b"}


def test_neighbours_by_hand():
    text = "One two, three  four."
    assert neighbours(text, 2, 1, Capitals(), 0) == (
        "One XX, three  four.",
        "One two, XX  four.",
    )
    assert neighbours(text, 9, 1, Capitals(), 0)[3:] == (
        "One YY, three  four.",
        "One two, YY  four.",
        "One two, three  YY.",
    )


def test_a_neighbour_of_several_exchanges_takes_the_best_that_are_left_of_different_words():
    text = "one two three"
    assert neighbours(text, 3, 2, Capitals(), 0) == (
        "XX XX three",
        "YY two XX",
        "one YY YY",
    )
    assert neighbours("one", 3, 2, Capitals(), 0) == ("XX", "YY")
    assert neighbours(text, 9, 7, Capitals(), 0) == ("XX XX XX", "YY YY YY")


@pytest.mark.parametrize("text", ["", "...", "ALL LARGE"])
def test_without_a_word_to_replace_there_is_no_copy(text):
    assert neighbours(text, 5, 1, Capitals(), 0) == ()
    assert refilled(text, 5, 0.3, 2, Capitals(), 0) == ()


class Marking(Capitals):
    """It fills every place with a hash."""

    def filled(self, text, words, places, draw):
        return [Swap(place, "#") for place in places]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("span", [1, 2, 3, 40])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 31])
def test_spans_are_as_long_and_as_many_as_told_and_never_touch(share, span, count):
    text = " ".join(["word"] * count)
    size = min(span, count)
    most = (count + 1) // (size + 1)
    expected = min(max(1, floor(share * count / size + 1e-9)), most)
    for copy in refilled(text, 20, share, span, Marking(), 0):
        runs = [run.split() for run in re.findall(r"#(?: #)*", copy)]
        assert [len(run) for run in runs] == [size] * expected
        assert len(copy.split()) == count


def test_every_placement_of_spans_occurs():
    found = set(refilled("a b c d e f", 300, 0.7, 2, Marking(), 0))
    assert found == {"# # c # # f", "# # c d # #", "a # # d # #"}


def test_spans_run_over_the_words_that_can_be_replaced():
    found = refilled("one TWO three four five FIVE six", 50, 0.3, 2, Marking(), 0)
    assert set(found) == {
        "# TWO # four five FIVE six",
        "one TWO # # five FIVE six",
        "one TWO three # # FIVE six",
        "one TWO three four # FIVE #",
    }


@pytest.mark.parametrize("text", TEXTS)
def test_copies_depend_on_seed_and_text_alone(text):
    def all_of(seed, text=text):
        filler = Capitals()
        return swapped(text, 9, 0.3, seed), refilled(text, 9, 0.3, 2, filler, seed)

    first = all_of(0)
    np.random.default_rng(0).random(3)
    for other in TEXTS:
        all_of(0, other)
    assert all_of(0) == first
    assert len(split(text)) < 4 or all(a != b for a, b in zip(all_of(1), first, strict=True))
