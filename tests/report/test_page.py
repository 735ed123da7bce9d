"""The page: says what the results say, asks the network for nothing, and runs nothing."""

import base64
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from report import sample
from report.reader import Reader, prose, section, shown

from nonmember.audit.records import AttackResult, TargetResult, dump, load
from nonmember.evaluation.checks import Finding
from nonmember.report import scripts, words
from nonmember.report.page import render, write

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)> \x07\x1b[31m\u202e"


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample.results())


def test_verdict_of_every_target_stands_before_any_table(page: str) -> None:
    first_table = page.index("<table")
    for target in sample.results().targets:
        assert 0 < page.index(target.verdict) < first_table
    assert re.findall(r'<p class="state">(.+?)</p>', page) == ["Leaks", "No leak found"]


def test_serious_findings_stand_beside_the_verdict_and_notes_at_the_end(page: str) -> None:
    first_table = page.index("<table")
    assert page.index("2 records repeat the text") < first_table
    assert page.index("smollm2 was quantised") > first_table
    assert shown(page).count("smollm2 was quantised") == 1


@pytest.mark.parametrize("target", sample.results().targets, ids=lambda target: target.name)
def test_every_attack_has_its_interval_and_its_counts(page: str, target: TargetResult) -> None:
    rows = Reader(section(page, target.name)).rows
    names = [row.split()[0] for row in rows]
    for attack in target.attacks:
        row = prose(rows[names.index(attack.name)])
        interval = attack.simultaneous
        assert f"{interval.value:.3f} {interval.low:.3f}–{interval.high:.3f}" in row
        assert f"{attack.members} + {attack.non_members}" in row
        assert f"{attack.unscored} unscored" in row
        for point in attack.tpr:
            assert prose(f"{words.percent(point.tpr.value)} {words.rate_range(point.tpr)}") in row


def test_attacks_are_sorted_by_auc_and_blind_ones_say_so(page: str) -> None:
    rows = Reader(section(page, "leaky")).rows
    figures = [re.search(r"\d\.\d{3}", row) for row in rows[1:9]]
    values = [float(figure[0]) for figure in figures if figure]
    assert len(values) == 8
    assert values == sorted(values, reverse=True)
    blind = [row for row in rows if "never sees the model" in row]
    assert [row.split()[0] for row in blind] == ["bag_of_words"]


def test_texts_are_withheld_unless_given(page: str) -> None:
    text = "def secret(): return 42"
    record = "asyncio/base_events.py:412"
    assert record in page
    assert text not in page
    assert "nonmember report RUN --show-text" in page
    told = render(sample.results(), {record: text})
    assert text in told
    assert "--show-text" not in told
    assert "text not kept" in told  # the other exposed records have none


def test_hostile_text_is_escaped_and_its_control_characters_are_visible() -> None:
    page = render(sample.results(), {"asyncio/base_events.py:412": HOSTILE})
    assert not {"script", "img"} & Reader(page).tags()
    assert r"alert(1)&gt; \x07\x1b[31m\u202e" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)


def test_hostile_names_and_findings_are_escaped() -> None:
    hostile = replace(
        sample.leaky(),
        name=HOSTILE,
        description=HOSTILE,
        verdict=HOSTILE,
        strongest=HOSTILE,
        attacks=tuple(
            replace(
                attack, name=HOSTILE, paper=HOSTILE, needs=(HOSTILE,), options={HOSTILE: HOSTILE}
            )
            for attack in sample.leaky().attacks[:1]
        ),
        findings=tuple(
            Finding(code, severity, HOSTILE, (HOSTILE,))
            for code, severity in (("E101", "error"), ("E107", "note"), ("E108", "note"))
        ),
        training={HOSTILE: [HOSTILE]},
        provenance={HOSTILE: HOSTILE},
    )
    run = replace(sample.results(hostile), title=HOSTILE, created=HOSTILE, not_covered=(HOSTILE,))
    page = render(run)
    assert not {"script", "img"} & Reader(page).tags()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)


def test_lone_surrogates_can_be_written(tmp_path: Path) -> None:
    write(sample.results(), tmp_path / "page.html", {"asyncio/base_events.py:88": "a\ud800b"})
    assert r"a\ud800b" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_megabyte_of_text_is_cut(page: str) -> None:
    long = render(sample.results(), {"asyncio/base_events.py:412": "x" * 1_000_000})
    assert "x" * 600 + "... (1,000,000 characters)" in long
    assert len(long) < len(page) + 5_000


def test_no_request_and_no_script_but_the_page_s_own(page: str) -> None:
    elements = Reader(page).elements
    ran = [text for attributes, text in Reader(page).scripts if not attributes]
    assert ran == [scripts.library(), scripts.own()]
    assert not {"script", "link", "iframe", "object", "embed", "image", "use"} & Reader(page).tags()
    for _, attributes in elements:
        assert not {"src", "srcset", "data", "xlink:href", "background"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert "url(" not in (attributes.get("style") or "")
    css = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert len(css) == 1
    assert not re.search(r"@import|url\(|https?:", css[0])
    policy = [a["content"] for _, a in elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1
    directives = dict(part.strip().split(" ", 1) for part in str(policy[0]).split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"]
    assert directives["default-src"] == "'none'"
    hashes = [hashlib.sha256(text.encode()).digest() for text in ran]
    allowed = [f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes]
    assert directives["script-src"].split() == allowed


def test_every_drawing_has_a_text_alternative_with_its_numbers(page: str) -> None:
    drawings = [attributes for tag, attributes in Reader(page).elements if tag == "svg"]
    assert len(drawings) == 6
    assert all(drawing["role"] == "img" for drawing in drawings)
    leaky, control = sample.results().targets
    for target, labels in ((leaky, drawings[:3]), (control, drawings[3:])):
        forest, roc, histogram = (str(drawing["aria-label"]) for drawing in labels)
        assert all(words.auc(attack.simultaneous) in forest for attack in target.attacks)
        assert all(words.rate(attack.tpr[0].tpr) in roc for attack in target.attacks)
        assert target.strongest in histogram


def test_tags_match_and_links_have_targets(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in reader.elements if tag == "a"]
    cards, sections, beside = links[1:3], links[3:-2], links[-2:]
    assert cards == beside == ["#target-1", "#target-2"]
    assert sections[0] == "#study" and "#not-tested" in sections
    assert {str(link)[1:] for link in links} <= set(ids)


def test_fit_is_told_with_intervals_and_counts(page: str) -> None:
    reader = Reader(page)
    assert any(row.split()[:3] == ["leaky", "0.912", "0.812–1.012"] for row in reader.rows)
    assert any(row.split()[:4] == ["its", "base", "2.437", "2.337–2.537"] for row in reader.rows)
    assert "200 non-members" in shown(page)


def test_a_target_without_base_has_one_row_of_fit() -> None:
    reader = Reader(render(sample.results(replace(sample.leaky(), base_fit=None))))
    assert any(row.split()[:2] == ["leaky", "0.912"] for row in reader.rows)
    assert not any("its base" in row for row in reader.rows)


def test_a_target_without_fit_says_nothing_of_it() -> None:
    told = "".join(Reader(render(sample.results(replace(sample.leaky(), fit=None)))).text)
    assert "Mean loss" not in told


def test_redraws_are_counted_with_their_interval(page: str) -> None:
    told = shown(page)
    assert "Membership drawn anew 20 times: 1 false alarm, or 5.0 % (0.1 % to 24.9 %)" in told
    assert "In 2 of them an attack that never sees the model would have withheld" in told
    assert "Membership drawn anew 20 times: 0 false alarms, or 0.0 % (0.0 % to 16.8 %)" in told


def unresolved(attack: AttackResult) -> AttackResult:
    return replace(attack, tpr=())


def test_what_records_show_together_is_said(page: str) -> None:
    text = shown(page)
    assert "with the scores of 2 attacks: p < 0.001, against a threshold of 0.010" in text
    assert "The set was trained on." in text
    assert "p = 0.31" in text and "150 documents a side would show it" in text
    assert "AUC 0.520 (0.420 to 0.620) over 40 persons" in text
    leaky = sample.leaky()
    assert leaky.as_a_set is not None
    biased = replace(leaky, as_a_set=replace(leaky.as_a_set, trained_on=None))
    assert "The two sides differ by themselves" in shown(render(sample.results(biased)))


def test_every_attack_says_how_many_texts_it_asks(page: str) -> None:
    assert "1 text per record" in page and "2 texts per record" not in page


def test_a_rate_that_the_sample_cannot_carry_is_said_to_be_so() -> None:
    leaky = sample.leaky()
    none = replace(leaky, attacks=tuple(unresolved(attack) for attack in leaky.attacks))
    one = replace(leaky, attacks=(*leaky.attacks[1:], unresolved(leaky.attacks[0])))
    assert shown(render(sample.results(none))).count("cannot be resolved with 200") == 8
    assert shown(render(sample.results(one))).count("cannot be resolved with 200") == 2


def test_a_verdict_that_is_withheld_says_why_and_not_that_the_split_is_to_blame() -> None:
    why = "No verdict. No leak was found, but the sample is too small to see one."
    page = render(sample.results(replace(sample.leaky(), leaks=None, verdict=why)))
    told = shown(page)
    assert len(re.findall(r'class="state[^"]*">Verdict withheld<', page)) == 2
    assert f"{why} No figure of this section is evidence" in told
    assert "differ by themselves" not in told and "Not comparable" not in told


def test_a_target_without_attacks_still_has_a_page() -> None:
    idle = replace(sample.leaky(), attacks=(), strongest="", exposed=(), training=None)
    page = render(sample.results(idle))
    assert "No attack ran on this model." in page
    assert "Nothing: no attack ran." in page
    assert "svg" not in Reader(page).tags()


def test_a_run_without_targets_still_has_a_page() -> None:
    page = render(replace(sample.results(), targets=()))
    assert "0 models" in shown(page)
    assert Reader(page).open == []


def test_what_was_not_tested_is_listed(page: str) -> None:
    told = page.split(">What was not tested</h2>")[1].split("</ul>", maxsplit=1)[0]
    for threat in sample.results().not_covered:
        assert threat in told
    assert "lira did not run: it needs reference models" in told


def test_provenance_and_training_are_shown(page: str) -> None:
    told = shown(page)
    for expected in ("sha256:5f1c0e7a9b", "torch 2.13.0", "groups 173", "learning_rate 5e-05"):
        assert expected in told
    assert "train_loss [2.38012, 1.6123, 1.0456]" in told


def test_the_same_results_give_the_same_page(page: str) -> None:
    assert render(sample.results()) == page


def test_results_that_were_stored_give_the_same_page(tmp_path: Path, page: str) -> None:
    (tmp_path / "results.json").write_bytes(dump(sample.results()))
    assert render(load(tmp_path)) == page


def test_write_leaves_the_page_and_nothing_else(tmp_path: Path, page: str) -> None:
    write(sample.results(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_write_that_fails_keeps_the_old_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old", encoding="utf-8")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(f"no space for {source} at {target}")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        write(sample.results(), path)
    assert path.read_text(encoding="utf-8") == "old"
    assert [left.name for left in tmp_path.iterdir()] == ["report.html"]
