"""Audits of classifiers: what the page and the terminal say of them."""

import re
from dataclasses import replace
from math import sqrt

import pytest
from report import sample
from report import sample_classifier as classifier
from report.reader import Reader, prose, section, shown
from report.test_page import HOSTILE

from nonmember.audit.classifiers.jobs import Inquire
from nonmember.audit.records import Exposed
from nonmember.console import jobs, lists, results
from nonmember.console.streams import PIPE_WIDTH
from nonmember.report import classifiers, words
from nonmember.report.page import render
from nonmember.types import Access


@pytest.fixture(scope="module")
def page() -> str:
    return render(classifier.results())


@pytest.fixture(scope="module")
def told(page: str) -> str:
    annex = re.compile(r'<section id="annex">.*?</section>', re.DOTALL)  # it names documents
    return shown(annex.sub("", page))


def rows(part: str) -> dict[str, str]:
    """The rows of all tables by their first word."""
    return {row.split()[0]: prose(row) for row in Reader(part).rows}


def test_nothing_is_said_of_texts_tokens_or_perplexity(told: str) -> None:
    said = set(re.findall(r"[a-z]+", told.lower()))
    assert not said & {"text", "texts", "token", "tokens", "perplexity", "documents", "base"}
    assert "--show-text" not in told and "None" not in told


def test_an_attack_says_what_it_sees_and_how_often_it_asks(page: str) -> None:
    found = rows(section(page, "leaky"))
    assert "probabilities of all classes 1 query per record" in found["lira"]
    assert "top-k probabilities 1 query per record" in found["confidence"]
    assert "predicted class 9 queries per record" in found["augmentation_learned"]
    assert "never sees the model" in found["input_statistics"]
    assert "quer" not in found["input_statistics"]


@pytest.mark.parametrize(("kind", "wording"), words.WORDING.items())
def test_a_kind_of_audit_has_words_for_what_it_puts_to_a_model(
    kind: str, wording: words.Wording
) -> None:
    one, several = wording.query
    assert (wording.asked(1), wording.asked(0)) == (f"1 {one}", f"0 {several}")
    accesses: tuple[Access, ...] = ("label", "topk", "weights")
    assert all(wording.seen(access) for access in accesses)
    assert wording.texts == (kind == "language")


def test_utility_stands_once_and_has_its_intervals(page: str) -> None:
    part = section(page, "leaky")
    found = rows(part)
    assert prose("Accuracy 90.0 % 85.0–93.8 % 99.0 % 96.4–99.9 %") in found["Accuracy"]
    assert "nats 0.464 0.430–0.498 0.140 0.130–0.150" in found["Cross-entropy"]
    assert "0.091 0.070–0.112" in found["Calibration"]
    assert "200 non-members 200 members" in found["95"]
    assert part.count("0.430–0.498") == 1 and "<h3>Fit</h3>" not in part


def test_the_gap_in_accuracy_by_hand(page: str) -> None:
    target = classifier.leaky()
    gap, known = classifiers.gap(target), target.classifier
    assert gap is not None and known is not None
    inside, outside = known.accuracy_on_members, known.accuracy
    assert gap.value == pytest.approx(0.09)
    low = sqrt((0.99 - inside.low) ** 2 + (outside.high - 0.9) ** 2)
    high = sqrt((inside.high - 0.99) ** 2 + (0.9 - outside.low) ** 2)
    assert (gap.low, gap.high) == pytest.approx((0.09 - low, 0.09 + high))
    said = f"by {words.points(gap.value)} ({words.points_range(gap)}) percentage points"
    assert said in shown(section(page, "leaky"))
    assert classifiers.gap(sample.leaky()) is None


def test_exposed_records_have_no_tokens_and_no_text(page: str) -> None:
    part = section(page, "leaky")
    assert "Record Non-members above" in (prose(row) for row in Reader(part).rows)
    assert rows(part)["member"] in {"member 17 0 of 200", "member 4 1 of 200"}


def test_reference_models_are_told_together(page: str) -> None:
    (found,) = classifiers.references(classifier.results())
    assert (found.models, found.seconds, found.architecture) == (24, 80.0, "mlp32")
    assert found.trained_on == (0.96, 0.99) and found.left_out == (0.88, 0.92)
    row = rows(page)["mlp32"]
    assert "mlp32 24 96.0 % to 99.0 % 88.0 % to 92.0 % epochs 30, optimizer adam 80 s" in row


def test_reference_models_that_are_made_otherwise_have_a_row_of_their_own() -> None:
    one, other = classifier.block(2), {**classifier.block(4), "recipe": None}
    jobs = {"train references of a 1-2": one, "train references of b 1-4": other}
    run = classifier.results(jobs=jobs)
    assert [found.models for found in classifiers.references(run)] == [2, 4]
    assert "4 not recorded not recorded its own 40 s" in shown(render(run))


def test_without_reference_models_the_page_does_not_explain_them() -> None:
    bare = shown(render(classifier.results(jobs={})))
    assert "Reference model" not in bare and "Calibration error" in bare


def test_terms_of_classifiers_are_explained_where_they_stand(told: str) -> None:
    terms = told.rsplit("Terms", maxsplit=1)[-1]
    assert all(term in terms for term in ("Cross-entropy", "Calibration error", "Reference model"))
    language = shown(render(sample.results()))
    assert not any(term in language for term in ("Cross-entropy", "Reference model"))


def test_how_well_an_auc_is_known_is_among_the_notes(told: str) -> None:
    assert "E121 lira: with 24 reference models" in told.split("Notes")[1]


def test_classifiers_stand_side_by_side(page: str) -> None:
    found = re.search(r'<section id="study">.*?</section>', page, re.DOTALL)
    assert found and "<svg" not in found[0]
    line = rows(found[0])["control"]
    assert prose("90.0 % 85.0–93.8 % 90.5 % 85.6–94.2 % 0.091 0.070–0.112") in line


def test_a_target_without_utility_still_has_a_chapter() -> None:
    idle = replace(classifier.clean(), classifier=None, fit=None)
    told = shown(render(classifier.results(idle, classifier.leaky())))
    assert told.count("Utility of ") == 1
    unknown = replace(classifier.leaky(), fit=None)
    assert Reader(render(classifier.results(unknown))).open == []


def test_tags_match(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_names_and_records_are_escaped() -> None:
    hostile = replace(classifier.leaky(), name=HOSTILE, exposed=(Exposed(HOSTILE, None, 0),))
    made = {**classifier.block(2), "architecture": HOSTILE, "recipe": {HOSTILE: HOSTILE}}
    page = render(classifier.results(hostile, jobs={f"train references of {HOSTILE} 1-2": made}))
    assert page.count("<h2>Reference models</h2>") == 1
    assert not {"script", "img"} & Reader(page).tags()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)


def test_the_terminal_tells_utility_and_access(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(classifier.results(replace(classifier.leaky(), name="[red]x")))
    lines = capsys.readouterr().out.splitlines()
    told = prose(" ".join(lines))
    assert all(len(line) <= PIPE_WIDTH for line in lines)
    assert "[red]x" in told and "perplexity" not in told
    assert "On 200 inputs never seen: accuracy 90.0% [85.0%, 93.8%], on the members 99.0%" in told
    assert "cross-entropy 0.464 [0.430, 0.498] nats, calibration error 0.091 [0.070, 0.112]" in told
    access = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 2}
    assert (access["lira"], access["gap"], access["input_statistics"]) == (
        "scores",
        "label",
        "none",
    )


def test_the_terminal_puts_classifiers_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(classifier.results())
    told = capsys.readouterr().out.split("Side by side")[1]
    assert all(len(line) <= PIPE_WIDTH for line in told.splitlines())
    assert "on the members" in told and "90.5% [85.6%, 94.2%]" in told


def test_a_plan_counts_what_its_jobs_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.engine, "seconds", lambda *_: 1.0)
    job = object.__new__(Inquire)
    vars(job).update(label="ask [x]", tokens=8000, address="ab12")
    jobs.plan([job], [])
    told = capsys.readouterr().out
    assert "updates or answers" in told and "ask [x]" in told and "8,000" in told
    jobs.plan([], [])
    assert "tokens" in capsys.readouterr().out


def test_the_list_of_attacks_says_what_access_means(capsys: pytest.CaptureFixture[str]) -> None:
    lists.listed("attacks")
    told = prose(capsys.readouterr().out)
    for wording in words.WORDING.values():
        assert all(f"{name} = {what}" in told for name, what in wording.access.items())
    blind = [line for line in lists.attacks_markdown().splitlines() if "`blind." in line]
    assert blind and all("| none |" in line for line in blind)
