"""The table of synonyms, and the filler that reads it."""

import re
from importlib.resources import files

import numpy as np
import pytest

from nonmember.rewriting.wordnet import FUNCTION_WORDS, Synonyms, synonyms, table
from nonmember.rewriting.words import neighbours, refilled, split

TEXT = "The big dog ran; its bark — LOUD, happy — woke Paris.\n\tx = run(dog_1)  # quick\n"


def exchanged(text, copy):
    """The words of a copy that are not those of the text, by number; all else must be equal."""
    words = split(text)
    pattern = re.escape(text[: words[0].start]) if words else ""
    ends = [word.start for word in words[1:]] + [len(text)]
    for word, end in zip(words, ends, strict=True):
        pattern += rf"([\w'’./-]+?){re.escape(text[word.end : end])}"
    found = re.fullmatch(pattern, copy)
    assert found
    pairs = enumerate(zip(words, found.groups(), strict=True))
    return {place: new for place, (word, new) in pairs if word.text != new}


def test_the_licence_lies_beside_the_table():
    licence = files("nonmember.rewriting").joinpath("LICENSE-WordNet").read_text(encoding="utf-8")
    assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence


def test_the_table_has_senses_by_part_of_speech():
    assert len(table()) == 48_503
    assert table()["dog"]["v"] == [["chase", "trail", "tail", "tag", "track"]]
    assert all(lemma == lemma.lower() for lemma in table())
    assert {part for senses in table().values() for part in senses} == set("nvar")


def test_synonyms_are_of_any_sense_and_keep_the_shape():
    assert synonyms("dog") == ("frump", "chase", "trail", "tail", "tag", "track")
    assert synonyms("Dog")[:2] == ("Frump", "Chase")
    assert synonyms("DOG")[:2] == ("FRUMP", "CHASE")
    assert synonyms("aachen") == ("aken", "aix-la-chapelle")
    assert synonyms("Aachen") == ("Aken", "Aix-la-Chapelle")


@pytest.mark.parametrize("word", ["dogs", "zyzzyva1", "1984", "dog_1", "", "in", "He", "İ", "🙂"])
def test_what_is_no_lemma_has_no_synonym(word):
    assert synonyms(word) == ()


def test_function_words_are_namesakes_of_what_wordnet_has():
    assert table()["in"]["n"][0][0] == "inch" and "in" in FUNCTION_WORDS


def test_no_word_is_its_own_synonym_or_has_one_twice():
    for lemma in table():
        found = [new.casefold() for new in synonyms(lemma)]
        assert lemma.casefold() not in found and len(set(found)) == len(found)


def test_each_neighbour_differs_in_one_word_by_a_synonym():
    found = neighbours(TEXT, 25, 1, Synonyms(), 0)
    words = split(TEXT)
    changes = [exchanged(TEXT, copy) for copy in found]
    assert len(set(found)) == 25 and all(len(change) == 1 for change in changes)
    for (place, new), *_ in (change.items() for change in changes):
        assert new in synonyms(words[place].text)


def test_all_neighbours_come_out_if_enough_are_asked_for():
    text = "The dog ran."
    expected = {f"The {new} ran." for new in synonyms("dog")}
    assert set(neighbours(text, 100, 1, Synonyms(), 0)) == expected
    assert len(neighbours(text, 4, 1, Synonyms(), 0)) == 4


def test_pairs_of_word_and_synonym_have_equal_chances():
    found = [neighbours(f"dog aachen {i}x", 1, 1, Synonyms(), 0)[0] for i in range(2000)]
    share = np.mean(["dog" in copy for copy in found])  # aachen's two of eight pairs
    assert abs(share - 2 / 8) < 4 * np.sqrt(2 / 8 * 6 / 8 / 2000)


def test_spans_are_filled_with_synonyms_up_to_the_share():
    text = " ".join(["big dog run happy paris bark quick woke house"] * 4)
    words = split(text)
    for copy in refilled(text, 10, 0.3, 2, Synonyms(), 0):
        change = exchanged(text, copy)
        assert len(change) == 10  # five spans of two: 0.3 of 36 words
        assert all(new in synonyms(words[place].text) for place, new in change.items())


def test_several_exchanges_are_of_different_words():
    for copy in neighbours(TEXT, 5, 3, Synonyms(), 0):
        assert len(exchanged(TEXT, copy)) == 3


@pytest.mark.parametrize("text", ["", "dogs", "İ 🙂 cafe\u0301s", "x1 = y_2"])
def test_a_text_without_a_lemma_has_no_copy(text):
    assert neighbours(text, 5, 1, Synonyms(), 0) == ()
    assert refilled(text, 5, 0.3, 2, Synonyms(), 0) == ()


def test_a_lemma_with_a_combining_mark_is_another_word():
    assert neighbours("dog\u0301", 5, 1, Synonyms(), 0) == ()
    assert all(
        copy.endswith(" 👩‍💻e\u0301") for copy in neighbours("dog 👩‍💻e\u0301", 5, 1, Synonyms(), 0)
    )


def test_copies_depend_on_seed_and_text_alone():
    def both(seed):
        return neighbours(TEXT, 9, 1, Synonyms(), seed), refilled(TEXT, 9, 0.3, 2, Synonyms(), seed)

    first = both(0)
    neighbours("another dog", 9, 1, Synonyms(), 0)
    assert both(0) == first
    assert all(a != b for a, b in zip(both(1), first, strict=True))
