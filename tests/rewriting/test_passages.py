"""A long text comes apart where a reader pauses, and comes together byte for byte."""

import random
from pathlib import Path

import pytest

from nonmember.rewriting.passages import NOTHING, cut, length, rejoined
from nonmember.rewriting.prompts import Kind
from nonmember.rewriting.protocols import Rewrite

SENTENCE = "One two three four five."


def said(text: str, words: int, kind: Kind = "prose") -> list[str]:
    return [passage.text for passage in cut(text, words, kind).passages]


def test_passages_end_with_sentences_and_are_of_like_length() -> None:
    text = " ".join([SENTENCE] * 4)
    assert said(text, 20) == [text]
    assert said(text, 19) == said(text, 10) == [f"{SENTENCE} {SENTENCE}"] * 2
    assert said(text, 9) == [SENTENCE] * 4
    assert said('He said "No." Then he left.', 4) == ['He said "No."', "Then he left."]
    assert said("By e.g. three. Then four.", 3) == ["By e.g. three.", "Then four."]


def test_passages_end_with_paragraphs_where_that_is_fair() -> None:
    two = f"{SENTENCE} {SENTENCE}"
    assert said(f"{two}\n\n{two} {SENTENCE}", 15) == [two, f"{two} {SENTENCE}"]
    assert said(f"A title\n\n{two}", 12) == [f"A title\n\n{two}"]


def test_a_sentence_that_is_too_long_is_cut_at_lines_then_at_words() -> None:
    assert said("a b c\nd e f", 3) == ["a b c", "d e f"]
    assert said("a b c d e f g", 3) == ["a b c", "d e f", "g"]
    assert said("深い海。青い空。", 4) == ["深い海。", "青い空。"]


def test_code_is_cut_where_something_new_begins() -> None:
    text = '"""One.\n\nTwo."""\n\n\ndef f():\n    a = 1\n\n    return a\n\n\nclass C:\n    b = 2\n'
    parts = ['"""One.\n\nTwo."""', "def f():\n    a = 1\n\n    return a", "class C:\n    b = 2"]
    assert said(text, 1, "code") == parts
    assert said("  x = 1\n\n  y = 2", 1, "code") == ["  x = 1\n\n  y = 2"]
    assert said("f() {\n\n}\n\ng() {\n}", 1, "code") == ["f() {\n\n}", "g() {\n}"]


@pytest.mark.parametrize("kind", ["prose", "code"])
def test_whatever_is_cut_is_joined_again(kind: Kind) -> None:
    draw = random.Random(0)
    parts = ["a", "B", " ", "\n", ". ", "。", '"', "\t", "}", '"""', " \n\n", "1", "\u2003"]
    for _ in range(3000):
        text = "".join(draw.choices(parts, k=draw.randint(0, 40)))
        words = draw.randint(1, 6)
        whole = cut(text, words, kind)
        assert whole.joined(whole.said) == text
        for passage in whole.passages:
            assert passage.text.strip()
            assert not passage.after.strip()
            assert kind == "code" or length(passage.text) <= words
            assert kind == "code" or passage.text == passage.text.strip()


def test_the_longest_texts_take_no_time_to_speak_of() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for kind in ("prose", "code"):
        whole = cut(text * 50 + "x" * 100_000 + "\n" * 20_000, 50, kind)
        assert len(whole.passages) > 50


def test_passages_without_letters_stay_and_all_others_are_needed() -> None:
    whole = cut("First one. 1 2 3. Then two.", 2, "prose")
    assert whole.said == ["First one.", "Then two."]
    news = [Rewrite("Eins.", "", 7, 2), Rewrite("Zwei.", "", 8, 3)]
    assert rejoined(whole, news) == ("Eins. 1 2 3. Zwei.", "", 15, 5)
    assert rejoined(whole, [news[0], Rewrite(None, "a refusal", 8, 1)]) == (
        None, "a refusal", 15, 3,
    )  # fmt: skip
    for text in ("", " \n", "1 + 1 = 2"):
        assert rejoined(cut(text, 2, "prose"), []) == (None, NOTHING, 0, 0)
