"""The gates: each measure against a naive one, and what passes."""

import math
from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from nonmember.rewriting import measures as m
from nonmember.rewriting.gates import Limits, Measures, failed, measure

OLD = "The committee met in Geneva on 3 May 2021 and agreed to raise the fee by 12 percent."
NEW = "On 3 May 2021 the panel gathered in Geneva, where a fee rise of 12 percent was settled."
LIMITS = Limits(fluency=None)
GOOD = Measures(True, True, 1.0, 0.2, 3, 0.9, 1.2, True, True, None)


def bag(texts):
    """An embedding with no model: counts of letters."""
    found = np.array([[text.count(letter) for letter in "abcdefghij "] for text in texts], float)
    return found.reshape(len(texts), 11)


def naive_containment(old, new):
    size = min(4, len(old))
    grams = [old[i : i + size] for i in range(len(old) - size + 1)]
    theirs = [new[i : i + size] for i in range(len(new) - size + 1)]
    return sum(gram in theirs for gram in grams) / len(grams)


def naive_run(old, new):
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, left in enumerate(old):
        for j, right in enumerate(new):
            lengths[i + 1][j + 1] = lengths[i][j] + 1 if left == right else 0
    return max(max(row) for row in lengths)


def drawn():
    """Pairs of texts of a few words, so that they have runs in common."""
    draw = np.random.default_rng(0)
    for _ in range(300):
        sizes, kinds = draw.integers(1, 40, size=2), int(draw.integers(1, 6))
        yield tuple([str(word) for word in draw.integers(kinds, size=size)] for size in sizes)


def test_words_are_without_case_and_punctuation():
    assert m.words("It’s 3 p.m., STRASSE\nnow") == ["it", "s", "3", "p", "m", "strasse", "now"]
    assert m.words("東京 is") == ["東", "京", "is"]
    assert m.words(" 👍 …\n") == []


def test_length_is_new_over_old():
    assert m.length(["a", "b"], ["a", "b", "c"]) == 1.5
    assert m.length([], []) == 1 and m.length([], ["a"]) == math.inf


def test_containment_by_hand():
    assert m.containment([*"abcdef"], [*"xabcdyf"]) == 1 / 3
    assert m.containment(["a", "b"], ["x", "a", "b"]) == 1
    assert m.containment(["a", "b"], ["a", "x", "b"]) == 0
    assert m.containment([], ["a"]) == 0


def test_the_longest_run_by_hand():
    assert m.longest_run([*"abcdefg"], [*"xbcdeyfg"]) == 4
    assert m.longest_run([*"abc"], [*"xyz"]) == 0
    assert m.longest_run([], ["a"]) == 0 == m.longest_run(["a"], [])


def test_overlaps_are_what_naive_loops_find():
    for old, new in drawn():
        assert m.containment(old, new) == pytest.approx(naive_containment(old, new), abs=1e-12)
        assert m.longest_run(old, new) == naive_run(old, new)


def test_the_longest_run_of_long_texts_is_found_soon():
    start = process_time()
    same = ["a"] * 100_000
    assert m.longest_run(same, same[:-1]) == 99_999
    assert process_time() - start < 10


@pytest.mark.parametrize("fill", [" ", "\n", "👍", "I'm sorry ", "as an "])
def test_a_long_text_of_nothing_is_read_soon(fill):
    start = process_time()
    m.answered("a", fill * 200_000)
    assert process_time() - start < 5


def test_similarity_is_the_cosine_of_the_embeddings():
    found = m.similarity(["abc", "jj"], ["aab", "jjj"], bag)
    np.testing.assert_allclose(found, [3 / math.sqrt(15), 1.0])


def test_each_distinct_text_is_embedded_once():
    asked = []
    m.similarity(["a b", "c", "a b"], ["c", "d", "e"], lambda some: asked.extend(some) or bag(some))
    assert sorted(asked) == ["a b", "c", "d", "e"]
    assert m.similarity([], [], bag).shape == (0,)


def test_of_a_long_text_the_mean_over_pieces_is_compared():
    old = " ".join(f"a{number}" for number in range(300))
    new = " ".join(f"b{number}" for number in range(200))
    asked = []
    found = m.similarity([old], [new], lambda some: asked.extend(some) or bag(some))
    assert [len(m.words(piece)) for piece in asked] == [100] * 3 + [66, 67, 67]
    assert "".join(asked) == old + new
    left, right = bag(asked[:3]).mean(axis=0), bag(asked[3:]).mean(axis=0)
    cosine = left @ right / np.linalg.norm(left) / np.linalg.norm(right)
    np.testing.assert_allclose(found, [cosine])


def test_a_very_long_text_is_asked_about_in_a_few_pieces():
    asked = []
    old = " ".join(map(str, range(9000)))
    m.similarity([old], ["b"], lambda some: asked.extend(some) or bag(some))
    assert len(asked) == m.PIECES + 1 and "".join(asked[:-1]) == old


def test_a_vector_of_nothing_is_like_no_other():
    assert m.similarity(["xyz"], ["abc"], bag)[0] == 0


def test_fluency_is_new_over_old():
    nats = {"a": 2.0, "b": 3.0, "c": math.nan, "d": 0.0}
    found = m.fluency([*"aacd"], [*"bacb"], lambda some: np.array([nats[one] for one in some]))
    np.testing.assert_allclose(found, [1.5, 1.0, math.nan, 3e6])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "👍",
        "…",
        "I'm sorry, but I can't do that.",
        "I’m sorry, I cannot do that",
        "I am unable to rewrite this passage.",
        "As an AI language model, I must say no.",
        "Sure! Here is the rewritten passage:\nWords.",
        "Here's a paraphrased version: words",
        "**Rewritten text:** words",
        "Words. </text>",
        "<text>Words",
        "<code>words",
    ],
)
def test_what_is_no_answer(text):
    assert not m.answered(OLD, text)


@pytest.mark.parametrize(
    "text", [NEW, "I can see. Sorry was what she felt.", "Here is the house.", "A <b>text</b>."]
)
def test_what_is_an_answer(text):
    assert m.answered(OLD, text)


def test_a_record_that_refuses_may_be_rewritten_as_a_refusal():
    old = "I'm sorry, but I can't help with that. The tag <text> opens it."
    assert m.answered(old, "I am sorry, but I cannot assist with this. It opens with <text>.")
    assert not m.answered(old, f"Here is the rewritten text:\n{old}")


def test_the_script_is_that_of_most_letters():
    assert m.script("Привет, world of мир и дом") == "CYRILLIC"
    assert m.script("東京タワーはきれい") == m.script("漢字") == "CJK"
    assert m.script("1984 👍") == "" == m.script("")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (OLD, NEW, True),
        (OLD, "Der Ausschuss tagte am 3. Mai 2021 und beschloss, die Gebühr zu erhöhen.", False),
        ("Der Ausschuss tagte in Genf und hob die Gebühr an.", OLD, False),
        ("the cat", "die Katze", True),  # too short to tell
        ("the cat", "кошка", False),
        ("1984", "1984", True),
        ("患者的血压正常", "The patient's blood pressure is normal.", False),
    ],
)
def test_languages_are_told_apart_where_that_is_sure(old, new, same):
    assert m.same_language(old, new) is same


def test_a_good_rewrite_passes():
    (found,) = measure([OLD], [NEW], LIMITS, embed=bag)
    assert failed(found, LIMITS) == ()
    assert found.facts and found.language and found.code is None
    assert 0.9 < found.similarity <= 1 and math.isnan(found.fluency)


def test_the_text_itself_does_not_pass():
    (found,) = measure([OLD], [OLD.replace(" met", "  met")], LIMITS)
    assert failed(found, LIMITS) == ("changed", "containment", "run")
    assert found.length == found.containment == 1 and found.run == len(m.words(OLD))


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("answered", {"answered": False}),
        ("changed", {"changed": False}),
        ("length", {"length": 0.59}),
        ("length", {"length": 1.61}),
        ("containment", {"containment": 0.51}),
        ("run", {"run": 13}),
        ("similarity", {"similarity": 0.69}),
        ("fluency", {"fluency": 3.01}),
        ("facts", {"facts": False}),
        ("language", {"language": False}),
        ("code", {"code": False}),
    ],
)
def test_each_gate_fails_alone(gate, change):
    assert failed(GOOD, Limits()) == ()
    assert failed(replace(GOOD, **change), Limits()) == (gate,)


def test_limits_are_inclusive_and_what_is_not_measured_passes():
    edge = replace(GOOD, length=0.6, containment=0.5, run=12, similarity=0.7, fluency=3.0)
    assert failed(edge, Limits()) == ()
    bare = replace(GOOD, similarity=math.nan, fluency=math.nan, facts=None, language=None)
    assert failed(bare, Limits()) == ()
    assert failed(replace(GOOD, fluency=99.0), Limits(fluency=None)) == ()


def test_facts_are_compared_as_multisets():
    (found,) = measure([OLD], [NEW.replace("12 percent", "13 percent")], LIMITS)
    assert failed(found, LIMITS) == ("facts",)
    assert measure([OLD], ["Nothing."], replace(LIMITS, facts=False))[0].facts is None


def test_models_are_asked_only_about_what_passes_all_else():
    asked = []

    def nats(texts):
        asked.extend(texts)
        return np.full(len(texts), 2.0)

    olds, news = [OLD, OLD], [OLD, NEW]
    same, good = measure(olds, news, Limits(), embed=bag, nats=nats)
    assert asked == [OLD, NEW] and good.fluency == 1
    assert math.isnan(same.similarity) and math.isnan(same.fluency)
    assert measure([], [], Limits(), embed=bag, nats=nats) == []


def test_programs_are_held_to_what_they_do():
    limits = Limits(code=True, containment=1.0, run=99)
    old = "def area(width, height):\n    total = width * height  # of 2 sides\n    return total\n"
    new = old.replace("total", "product").replace("  # of 2 sides", "")
    other = new.replace("*", "+")
    found = measure([old, old], [new, other], limits)
    assert [one.code for one in found] == [True, False]
    assert {one.facts for one in found} == {one.language for one in found} == {None}
    assert [failed(one, limits) for one in found] == [(), ("code",)]
