"""What a paraphrase must keep, and in which spelling it counts."""

import time

import pytest

from nonmember.rewriting.kept import facts, kept

CASES = {
    "It weighs 5.2 kg, about 20% more than 1,000 others.": ["5.2 kg", "20%", "1,000"],
    "She paid $4.5 million on 12 May 2010.": ["$4.5 million", "12 May 2010"],
    "Since May 12, 2010 and 2010-05-12 it ran.": ["May 12, 2010", "2010-05-12"],
    "See https://a.org/b?c=1. Or mail jo.x@a-b.co.uk now.": [
        "https://a.org/b?c=1",
        "jo.x@a-b.co.uk",
    ],
    "The dog met Paul Smith in New York.": ["Paul", "Smith", "New", "York"],
    "Dogs ran. Paris was cold.": ["Paris"],
    "NASA and the U.S. army used DNA.": ["NASA", "U.S.", "DNA"],
    r"Let $x_1 \in A$ be small, \emph{not} large.": [r"$x_1 \in A$", r"\emph{not}"],
    "It costs $5 and then $10 more.": ["$5", "$10"],
    "As shown [3, 4] before (Smith et al., 2010).": ["[3, 4]", "(Smith et al., 2010)"],
    'He said "big dogs run" and “small cats” too.': ['"big dogs run"', "“small cats”"],
    "Call `run it` or get_name or getName or a.b.c() here.": [
        "`run it`",
        "get_name",
        "getName",
        "a.b.c()",
    ],
    "I think that I'm late, and Don't is none.": [],
    "": [],
    "the big dog": [],
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_kept_is_found_where_it_stands(text):
    assert [text[start:end] for start, end in kept(text)] == CASES[text]


@pytest.mark.parametrize("text", ["İ 🙂 Ünal ﷽ e\u0301 $", '"' * 50, "$" * 50, "\\" * 9 + "A" * 99])
def test_spans_are_in_order_within_the_text_and_do_not_overlap(text):
    spans = kept(text)
    ends = [0, *(end for _, end in spans)]
    assert all(before <= start < end for before, (start, end) in zip(ends, spans, strict=False))
    assert ends[-1] <= len(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It took 5 years.", "It took a 5-year wait."),
        ("There are 1,000 dogs.", "There are 1000 dogs."),
        ('He said "no way".', "He said “no way.”"),
        ("from 3–4 kg", "from 3-4 kg"),
        ("Dogs saw Paul.", "Paul saw dogs."),
    ],
)
def test_facts_are_the_same_in_other_spelling_and_order(one, other):
    assert facts(one) == facts(other) and facts(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It took 5 hours.", "It took 5 minutes."),
        ("Paul ran.", "He ran."),
        ("Paul saw Paul.", "Paul saw him."),
        ("in 1997", "in 1998"),
        ("see $x$", "see $y$"),
    ],
)
def test_another_fact_or_another_count_is_a_difference(one, other):
    assert facts(one) != facts(other)


@pytest.mark.parametrize(
    "unit",
    [
        "$a ",
        "$$a",
        "(A ",
        '"a ',
        "a.b",
        r"\a{",
        r"\begin{a}",
        r"\( ",
        "``` ",
        "<a ",
        "A-",
        "1,",
        "a@b.",
    ],
)
def test_long_texts_are_read_in_time(unit):
    start = time.process_time()
    kept(unit * 3_000)
    assert time.process_time() - start < 5
