"""The rewriter by rules: what it exchanges, in which form, and what it leaves alone."""

import re

import pytest

from nonmember.rewriting.exchanges import exchanges, frequency, options
from nonmember.rewriting.grammar import TAG_OF, read
from nonmember.rewriting.kept import facts, kept
from nonmember.rewriting.protocols import Rewriter
from nonmember.rewriting.registry import REWRITERS
from nonmember.rewriting.synonyms import synonyms
from nonmember.rewriting.thesaurus import thesaurus
from nonmember.rewriting.wording import PHRASES, RULES

TEXT = (
    "The big company started a new project in 1997 because it wanted to improve methods.\n\n"
    "However, Paul Smith (Paris) said that 5 kg of “big data” is too much; see https://a.org/big.\n"
    "\tWe show large results — an important finding, $x_{big}$ and get_big() — for children.\n"
)


def every(text, seeds=30, rate=1.0):
    """All that some seeds make of a text."""
    found = synonyms(rate=rate).rewrite([text] * seeds, list(range(seeds)))
    return {one.text for one in found}


def tags(text):
    return [one.tag if one else None for one in read(text.lower().split())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("they saw the left hand", ["SU", "VBD", "DT", "JJ", "NN"]),
        ("we study the use of drugs", ["SU", "VB", "DT", "NN", "IN", "NNS"]),
        ("this study shows results", ["DS", "NN", "VBZ", "NNS"]),
        ("he has shown a large effect", ["SU", "HV", "VBN", "DS", "JJ", "NN"]),
        ("to increase the increase", ["TO", "VB", "DT", "NN"]),
        ("it was found in houses", ["SU", "BE", "VBN", "IN", "NNS"]),
    ],
)
def test_part_of_speech_is_read_from_the_place(text, expected):
    assert tags(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He purchased it.", {"He bought it."}),
        ("They are purchasing cars.", {"They are buying automobiles."}),
        ("the firms", {"the companies"}),
        ("the bigger dogs", {"the larger dogs"}),
        ("He was the biggest.", {"He was the largest."}),
        ("Analyses of the diseases", {"Examinations of the illnesses"}),
        (
            "He has shown it.",
            {"He has demonstrated it.", "He has revealed it.", "He has indicated it."},
        ),
    ],
)
def test_the_form_and_the_capital_stay(text, expected):
    assert every(text) == expected


@pytest.mark.parametrize("text", ["THE NATION", "He saw The Nation.", "In a Nation"])
def test_a_capital_inside_a_sentence_is_a_name_and_stays(text):
    assert every(text) == {None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was a car.", {"It was an automobile."}),
        ("A car is red.", {"An automobile is red."}),
        ("It is an illness.", {"It is a disease."}),
        ("An idea is red.", {"A concept is red.", "A notion is red."}),
    ],
)
def test_the_article_agrees(text, expected):
    assert every(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "Paris",
        "$a+b=c$",
        "42",
        "the of and",
        "🙂 e\u0301",
        "| 1 | 2 |\n|---|---|",
        "İstanbul",
    ],
)
def test_where_nothing_may_change_there_is_no_rewrite(text):
    (found,) = synonyms().rewrite([text], [0])
    assert found.text is None and found.why == "nothing in it may change"


def test_what_is_kept_and_all_white_space_stay():
    spans = [TEXT[start:end] for start, end in kept(TEXT)]
    assert "1997" in spans and "$x_{big}$" in spans and "get_big()" in spans
    for new in every(TEXT):
        assert [new[start:end] for start, end in kept(new)] == spans
        assert facts(new) == facts(TEXT)
        assert re.sub(r"[^\n\t]", "", new) == re.sub(r"[^\n\t]", "", TEXT)


def test_a_rewrite_is_the_text_outside_of_what_was_exchanged():
    places, _ = exchanges(TEXT)
    pattern, end = "", 0
    for start, past, _, news in places:
        among = "|".join(re.escape(one) for one in [TEXT[start:past], *(new for new, _ in news)])
        before = re.sub(r"\b([Aa])n?(\\ )$", r"\1n?\2", re.escape(TEXT[end:start]))
        pattern, end = f"{pattern}{before}(?:{among})", past
    pattern += re.escape(TEXT[end:])
    assert len(places) > 10
    assert all(re.fullmatch(pattern, new, re.IGNORECASE) for new in every(TEXT))


def test_seed_and_text_alone_decide():
    rewriter = synonyms()
    first, other, again = rewriter.rewrite([TEXT, TEXT, TEXT], [1, 2, 1])
    assert first == again and first != other
    assert rewriter.rewrite(["The big dog barked.", TEXT], [9, 1])[1] == first
    assert len(every(TEXT)) > 20


def test_alike_words_of_a_text_get_the_same_word():
    for new in every("The method works. Another method fails, and a third method is slow."):
        found = set(re.findall(r"\b(?:methods?|approach|technique|procedure)\b", new))
        assert len(found) == 1


def test_a_smaller_rate_exchanges_fewer_words():
    few, many = (
        sum(sum(a != b for a, b in zip(TEXT.split(), new.split(), strict=False)) for new in some)
        for some in (every(TEXT, rate=0.1), every(TEXT, rate=1.0))
    )
    assert 0 < few < many


@pytest.mark.parametrize(
    "text", ["He used to run.", "According to him.", "In vitro!", "Don't you?", "Prime minister"]
)
def test_idioms_and_questions_stay(text):
    assert every(text) <= {None, text}


def test_a_verb_with_a_particle_stays():
    assert every("They start up.") == {None}


def test_a_namesake_of_a_name_stays():
    found = every("We saw Nation. They like the nation and the car.")
    assert all("the nation" in new and "automobile" in new for new in found)


def test_contractions_and_clauses_are_said_otherwise():
    assert every("I don't know him.") == {"I do not know him."}
    assert every("As a result, dogs ran.") == {"Consequently, dogs ran."}


def test_joined_clauses_and_owners_stay_as_they_are():
    (new,) = every("We buy houses and houses are bought.")
    assert " and " in new and "as well as" not in new
    assert all(" own " not in one for one in every("The company likes its methods and his idea."))


@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_any_apostrophe_is_read(apostrophe):
    assert every(f"We don{apostrophe}t.") == {"We do not."}


def test_the_tables_hold_together():
    assert len(frequency()) == 10_145
    assert all(old == old.lower() and old not in new for old, new in PHRASES.items())
    assert all(word in TAG_OF for word in RULES)
    assert all(old.split("/")[0] not in new for old, new in thesaurus().items())
    for word in ("result", "found", "bigger"):
        for reading in (one for one in read(["the", word]) if one and one.part):
            assert word not in dict(options(word, reading))


def test_it_is_a_registered_rewriter_that_stays_on_the_machine():
    made = synonyms(rate=0.5)
    assert REWRITERS["synonyms"].limits.containment == 0.5 and isinstance(made, Rewriter)
    assert made.name == "synonyms" and made.sends_to is None
    assert made.identity != synonyms().identity


def test_the_watcher_hears_of_each_text():
    heard = []
    synonyms().rewrite([TEXT, ""], [0, 0], watch=heard.append)
    assert heard == [1, 1]
