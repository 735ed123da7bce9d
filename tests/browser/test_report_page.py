"""The report page in a browser: with scripts and without, on a screen, a phone and paper."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from browser.conftest import Open, Visit, chromium
from playwright.sync_api import Locator
from report import sample
from report import sample_classifier as classifier

from nonmember.audit.records import AttackResult, Exposed, Results
from nonmember.evaluation.checks import Finding
from nonmember.report import words
from nonmember.report.page import render

PHONE = (390, 844)
HOSTILE = (
    "</script><script>window.ran = 1; alert(1)</script><img src=x onerror='alert(2)'>"
    "\" onmouseover=alert(3) x=\"'); alert(4); ('<!--<script>{{7*7}}${alert(5)} \u2028\x07\u202e"
)
MEGABYTE = "x\x00\x1b[2J" * 200_000


@pytest.fixture(scope="session")
def study() -> str:
    """Three language models, with a picture of what they are worth."""
    return render(sample.study())


@pytest.fixture(scope="session")
def fenced() -> str:
    """Four classifiers, some behind a fence."""
    return render(classifier.study())


def draw_all(seen: Visit) -> int:
    """Bring each picture on the screen and wait until it answers; how many there are."""
    plots = seen.page.locator(".plot:visible").all()
    for plot in plots:
        plot.scroll_into_view_if_needed()
        plot.locator(".live").wait_for()
    return len(plots)


def tooltip(seen: Visit, mark: Locator) -> str:
    """What the pointer is told over ``mark``."""
    mark.scroll_into_view_if_needed()
    box = mark.bounding_box()
    assert box
    seen.page.mouse.move(box["x"] + box["width"] / 2 - 1, box["y"] + box["height"] / 2)
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.locator(".vg-tooltip.visible").wait_for()
    return seen.page.locator(".vg-tooltip").inner_text()


def of(seen: Visit, what: str) -> Locator:
    """The live picture ``what`` of the model that is open."""
    found = seen.page.locator(f".{what}:visible .plot")
    found.scroll_into_view_if_needed()
    found.locator(".live").wait_for()
    return found.locator(".live")


def overflow(seen: Visit) -> int:
    """By how many pixels the page is wider than the window."""
    return int(seen.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), PHONE], ids=["screen", "phone"])
def test_it_loads_without_a_complaint_or_a_request(
    visit: Open, study: str, scheme: str, size: tuple[int, int]
) -> None:
    seen = visit(study, scheme=scheme, size=size)
    assert draw_all(seen) == 4  # the study's, and three of the model that is open
    assert seen.complaints == []
    assert seen.requests == [seen.page.url]
    assert overflow(seen) <= 0
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == (scheme == "dark")
    ink = seen.page.locator(".live text").first.evaluate("e => getComputedStyle(e).fill")
    assert ink == seen.page.evaluate("getComputedStyle(document.body).color")


def test_without_chromium_the_tests_fail_and_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        chromium()


@pytest.mark.parametrize("models", [1, 2, 4])
def test_the_first_screen_has_the_verdict_and_what_to_do(visit: Open, models: int) -> None:
    targets = [classifier.undefended(), classifier.fenced(), classifier.private()]
    page = render(classifier.study(*[*targets, classifier.label_alone()][:models]))
    for size in ((1280, 800), PHONE):
        seen = visit(page, size=size, scripts=False)
        for what in (".verdict", ".next h2", ".next li"):
            box = seen.page.locator(what).first.bounding_box()
            assert box
            assert box["y"] + min(box["height"], 60) <= size[1]


def test_tabs_answer_to_pointer_and_keyboard(visit: Open, study: str) -> None:
    seen = visit(study)
    tabs = seen.page.get_by_role("tab")
    names = [target.name for target in sample.study().targets]
    assert tabs.count() == len(names)

    def opened() -> list[str]:
        headings = seen.page.locator('[role="tabpanel"]:visible > h2').all()
        return [heading.inner_text().split(" ")[0] for heading in headings]

    assert opened() == names[:1]
    for number, name in enumerate(names):
        tabs.nth(number).click()
        assert opened() == [name]
        assert tabs.nth(number).get_attribute("aria-selected") == "true"
    for key, name in (("ArrowRight", 0), ("End", 2), ("ArrowLeft", 1), ("Home", 0)):
        seen.page.keyboard.press(key)
        assert opened() == [names[name]]
        assert seen.page.evaluate("document.activeElement.id") == f"tab-{name + 1}"


def test_links_and_addresses_open_what_a_tab_hides(visit: Open, study: str) -> None:
    seen = visit(study, anchor="#target-3")
    assert seen.page.locator("#target-3").is_visible()
    assert not seen.page.locator("#target-1").is_visible()
    seen.page.locator(".card a").nth(1).click()
    assert seen.page.locator("#target-2").is_visible()
    seen.page.go_back()
    seen.page.locator("#target-3 > h2").wait_for()
    found = "document.getElementById('target-1').dispatchEvent(new Event('beforematch'))"
    seen.page.evaluate(found)  # as where a reader searches for what stands there
    assert seen.page.locator("#target-1").is_visible()


def test_the_keyboard_reaches_the_verdicts_first_and_every_section(visit: Open, study: str) -> None:
    seen = visit(study)
    seen.page.keyboard.press("Tab")
    focused = seen.page.locator(":focus")
    assert focused.inner_text() == "Skip to the verdicts"
    assert focused.evaluate("e => e.getBoundingClientRect().top") >= 0
    for link in seen.page.locator(".contents a").all():
        seen.page.keyboard.press("Tab")
        while seen.page.evaluate("!document.activeElement.closest('.contents')"):
            seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        assert seen.page.url.endswith(str(link.get_attribute("href")))
        link.focus()


def test_every_picture_tells_its_figures_to_the_pointer(visit: Open, study: str) -> None:
    seen = visit(study)
    best = sample.undefended().attacks[0]
    point = of(seen, "forest").locator(".mark-symbol path").first
    assert f"{best.simultaneous.value:.3f} ({best.simultaneous.low:.3f} to" in tooltip(seen, point)
    curve = tooltip(seen, of(seen, "roc").locator(".hover_marks path").nth(300))
    assert "True-positive rate" in curve and "False-positive rate" in curve
    bar = of(seen, "histogram").locator(".mark-rect path").nth(20)
    assert re.search(r"\d+ of 200 (non-)?members", tooltip(seen, bar))
    model = of(seen, "tradeoff").locator(".mark-symbol path").first
    assert "perplexity 9.53" in tooltip(seen, model)


def test_rates_tell_their_intervals_to_the_pointer(visit: Open, study: str) -> None:
    seen = visit(study)
    rate = sample.undefended().attacks[0].tpr[0].tpr
    dot = of(seen, "roc").locator(".rates_marks path").first
    assert words.rate(rate) in tooltip(seen, dot)


def test_a_reader_chooses_whose_curve_and_whose_scores(visit: Open, study: str) -> None:
    seen = visit(study)
    roc = of(seen, "roc")

    def faint() -> int:
        lines = roc.locator(".mark-line path").all()
        return sum(line.get_attribute("opacity") == "0.08" for line in lines)

    assert faint() == 0
    roc.get_by_label("Show").select_option("zlib")
    seen.page.wait_for_timeout(100)
    assert faint() == len(sample.ATTACKS) - 1
    scores = of(seen, "histogram")
    before = scores.locator(".mark-rect path").first.get_attribute("d")
    scores.get_by_label("Scores of").select_option("loss")
    seen.page.wait_for_timeout(100)
    assert scores.locator(".mark-rect path").first.get_attribute("d") != before
    assert seen.complaints == []


@pytest.mark.parametrize("page", ["study", "fenced"])
def test_without_scripts_the_page_reads_the_same(
    visit: Open, page: str, request: pytest.FixtureRequest
) -> None:
    html: str = request.getfixturevalue(page)
    seen = visit(html, scripts=False)
    assert seen.page.locator(".plot .still svg").count() == len(re.findall('class="plot"', html))
    assert all(still.is_visible() for still in seen.page.locator(".plot .still").all())
    assert all(target.is_visible() for target in seen.page.locator(".target").all())
    assert not seen.page.locator(".tabs").is_visible()
    assert not any(note.is_visible() for note in seen.page.locator(".live-only").all())


def test_on_paper_every_model_and_the_still_pictures_are_printed(visit: Open, study: str) -> None:
    seen = visit(study, scheme="dark")
    draw_all(seen)
    pages = re.findall(rb"/Type\s*/Page\b", seen.page.pdf())
    assert 5 <= len(pages) <= 30
    seen.page.emulate_media(media="print")
    assert all(target.is_visible() for target in seen.page.locator(".target").all())
    assert all(still.is_visible() for still in seen.page.locator(".still").all())
    assert not any(live.is_visible() for live in seen.page.locator(".live").all())
    assert not seen.page.locator(".tabs").is_visible()
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def hostile(attack: AttackResult) -> AttackResult:
    return replace(attack, name=HOSTILE + attack.name, paper=HOSTILE, options={HOSTILE: HOSTILE})


def hostile_run() -> Results:
    """Two models of which every name, text and option is an attack on the reader."""
    about: dict[str, Any] = {
        "description": HOSTILE,
        "verdict": HOSTILE,
        "findings": (Finding("E101", "error", HOSTILE, (HOSTILE,)),),
        "provenance": {HOSTILE: {HOSTILE: [HOSTILE]}},
        "strongest": HOSTILE + "reference_difference",
        "exposed": (Exposed(HOSTILE, 64, 0), Exposed("long", 64, 0)),
    }
    targets = [
        replace(target, name=HOSTILE + target.name, **about, attacks=tuple(map(hostile, attacks)))
        for target in (sample.undefended(), sample.dp())
        for attacks in [target.attacks]
    ]
    return replace(sample.results(*targets), title=HOSTILE, data={HOSTILE: HOSTILE})


def test_nothing_hostile_runs_and_a_long_record_is_cut(visit: Open) -> None:
    page = render(hostile_run(), {HOSTILE: HOSTILE, "long": MEGABYTE})
    assert len(page) < 2_500_000
    seen = visit(page)
    for tab in seen.page.get_by_role("tab").all():
        tab.click()
        draw_all(seen)
    roc = of(seen, "roc")
    roc.get_by_label("Show").select_option(index=2)
    assert "alert(1)" in tooltip(seen, of(seen, "forest").locator(".mark-symbol path").first)
    assert "characters)" in seen.page.locator("#target-2 pre").last.inner_text()
    assert seen.page.evaluate("window.ran") is None
    assert (seen.dialogs, seen.complaints) == ([], [])
    assert seen.requests == [seen.page.url]
    assert seen.page.locator("img").count() == 0


def test_the_policy_stops_a_script_that_is_not_the_page_s(visit: Open, study: str) -> None:
    seen = visit(study)
    seen.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = 1'}))"
    )
    assert seen.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in seen.complaints)


def test_headings_are_in_order_and_tables_have_captions(visit: Open, study: str) -> None:
    seen = visit(study, scripts=False)
    headings = seen.page.locator("h1, h2, h3, h4")
    levels = headings.evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert seen.page.locator("table:not(:has(> caption))").count() == 0
    assert seen.page.locator("th:not([scope])").count() == 0
