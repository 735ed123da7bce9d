"""The index of several studies: what each found, in few words, and where its page is."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from report import sample, sample_classifier
from report.reader import Reader, prose, shown
from report.test_page import HOSTILE

from nonmember.audit.records import InTurn
from nonmember.audit.worth import DownstreamUtility
from nonmember.report import words
from nonmember.report.index import render, write

STUDIES = {"language": sample.results(), "classifier": sample_classifier.results()}
SURE = sample.leaky().attacks[0].auc


@pytest.fixture(scope="module")
def page() -> str:
    return render(STUDIES)


def test_each_study_has_its_question_and_a_link_to_its_own_page(page: str) -> None:
    told = shown(page)
    for name, results in STUDIES.items():
        assert results.title in told
        assert f'<a href="{name}/report.html">' in page
    assert "2 studies" in told and "Not finished" not in told


def test_each_verdict_has_its_interval_and_its_counts(page: str) -> None:
    told = shown(page)
    for results in STUDIES.values():
        for target in results.targets:
            assert prose(target.verdict) in told and words.STATES[target.leaks] in told
            best = next(one for one in target.attacks if one.name == target.strongest)
            assert f"AUC of {best.name}" in told and words.auc(best.simultaneous) in told
            assert f"{best.members} members, {best.non_members} non-members" in told


def test_a_fine_tuned_model_is_told_with_its_like_and_its_worth() -> None:
    target = replace(
        sample.leaky(),
        in_turn=InTurn("tmi_lda", 64, SURE, 0.03, SURE, None),
        downstream=DownstreamUtility("the head", 259, SURE, SURE, SURE),
    )
    told = shown(render({"transfer": sample.results(target)}))
    assert f"Mean AUC of 64 models made alike, 95 % {words.auc(SURE)}" in prose(told)
    assert prose(f"{words.rate(SURE)}, 259 examples") in told
    assert "1 study" in told


def test_what_is_not_finished_is_named() -> None:
    assert "Not finished: transfer, classifier." in shown(render({}, ["transfer", "classifier"]))


def test_it_asks_the_network_for_nothing_and_runs_nothing(page: str) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "img"} & Reader(page).tags()
    for _, attributes in Reader(page).elements:
        assert "src" not in attributes and not any(name.startswith("on") for name in attributes)
    (css,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert "prefers-color-scheme: dark" in css and not re.search(r"@import|url\(|https?:", css)


def test_hostile_words_are_escaped() -> None:
    target = replace(sample.leaky(), name=HOSTILE, verdict=HOSTILE, strongest=HOSTILE)
    page = render({HOSTILE: replace(sample.results(target), title=HOSTILE)}, [HOSTILE])
    assert not {"script", "img"} & Reader(page).tags()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)


def test_it_is_written_whole(tmp_path: Path) -> None:
    write(STUDIES, [], tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == render(STUDIES)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
