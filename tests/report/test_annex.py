"""The annex: evidence under headings, what is not covered under each, and no judgement of law."""

import html
import re
from dataclasses import replace
from functools import cache
from importlib.resources import files

import pytest
from report import sample, sample_classifier

from nonmember.audit.records import Results
from nonmember.evaluation.checks import Finding
from nonmember.report import card
from nonmember.report.annex import annex
from nonmember.report.markdown import annexed, escaped
from nonmember.report.page import render

STYLE = files("nonmember") / "report/templates/page.css"
CLAIMS = re.compile(
    r"complian|complies|comply|conform|certif|satisf|fulfil|lawful|guaranteed|adequate"
    r"|meets? (the|all|every)|is (anonymous|safe|secure|private)|in accordance",
    re.IGNORECASE,
)
RUNS = {
    "language": sample.results(),
    "study": sample.study(),
    "classifier": sample_classifier.study(),
}


@cache
def shown() -> str:
    """The annex of the page, from its heading to its end."""
    page = render(sample.results())
    return page[page.index('<section id="annex">') :].partition("</section>")[0]


def plain(text: str) -> str:
    return " ".join(html.unescape(text).split())


@pytest.mark.parametrize("results", RUNS.values(), ids=RUNS)
def test_nothing_says_that_a_model_is_within_the_law(results: Results) -> None:
    texts = [annexed(results)]
    texts += [card.section(results, target, "0") for target in results.targets]
    for text in texts:
        assert CLAIMS.search(text) is None


def test_the_page_does_not_say_so_either() -> None:
    assert CLAIMS.search(shown()) is None


@pytest.mark.parametrize("results", RUNS.values(), ids=RUNS)
def test_every_heading_says_what_is_not_covered(results: Results) -> None:
    documents = annex(results)
    names = " ".join(document.name for document in documents)
    for name in ("EDPB Opinion 28/2024", "GDPR Article 35", "NIST AI 100-2", "NIST SP 800-226"):
        assert name in names
    assert "OWASP AISVS" in names
    for document in documents:
        assert all(heading.not_covered for heading in document.headings)
        assert any(heading.evidence for heading in document.headings)


def test_every_target_is_evidence_of_membership_with_its_interval() -> None:
    results = sample.results()
    told = annexed(results)
    for target in results.targets:
        best = next(one for one in target.attacks if one.name == target.strongest)
        auc = best.simultaneous
        assert f"- {target.name}: " in told
        assert f"AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})" in told


def test_a_broken_split_is_no_evidence() -> None:
    broken = replace(sample.results(), findings=(Finding("E101", "error", "sides differ"),))
    assert "not valid as evidence of membership, see E101" in annexed(broken)
    assert "not valid as evidence" not in annexed(sample.results())


def test_a_refuted_claim_is_evidence_and_its_bound_is_the_one_of_canaries() -> None:
    told = said_of(refuted=True)
    assert "claimed: epsilon >= 2.345 at 95 %" in told and "not valid as evidence" not in told
    assert "the claim of epsilon 1 at delta 1e-05 (by the accountant of dp_sgd) is refuted" in told
    held = said_of(refuted=False)
    assert "claimed: epsilon >= 0.25 at 95 %" in held and "is refuted" not in held


def said_of(*, refuted: bool) -> str:
    documents = annex(sample.results(sample.claimed(refuted=refuted)))
    return "\n".join(said for one in documents for part in one.headings for said in part.evidence)


def test_the_page_and_the_document_say_the_same() -> None:
    said_there = plain(shown())
    for document in annex(sample.results()):
        assert document.name in said_there
        for heading in document.headings:
            assert heading.name in said_there
            for said in (*heading.evidence, *heading.not_covered):
                assert plain(said) in said_there


def test_what_is_folded_away_on_a_screen_is_printed() -> None:
    assert "<details>" in shown()
    printed = STYLE.read_text().partition("@media print {")[2]
    assert "#annex details::details-content { content-visibility: visible" in printed


@pytest.mark.parametrize("text", ["<b>x</b>", "[a](b)", "`c`", "# h", "1. x", "- x", "a\n\nb", "|"])
def test_foreign_text_makes_no_markup(text: str) -> None:
    said = escaped(text)
    assert "<" not in said and "\n" not in said
    assert re.search(r"(?<!\\)[`|\[\]]|^[#-]|^1\.", said) is None
