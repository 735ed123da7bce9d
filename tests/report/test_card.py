"""The model card: the section is in its place, the rest is as it was, and no more gets out."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from report import sample

from nonmember.audit.records import Results
from nonmember.errors import DataError
from nonmember.evaluation.checks import Finding
from nonmember.report import card

DIGEST = "0" * 64
PLAIN = "# A model\n\nIt does things.\n"
FRONT = "---\nlicense: mit\ntags:\n- tiny  # a comment\n---\n"
INDEX = "---\nlicense: mit\nmodel-index:\n- name: own\n  results: []\n---\n"
HOSTILE = f"{card.END}<script>alert(1)</script>[x](http://y)|\n---\n# nonmember:end\x07\u202e"


@cache
def parts() -> tuple[str, str]:
    results = sample.results()
    told = results.targets[0]
    return card.section(results, told, DIGEST), card.metadata(results, told)


def put(old: str) -> str:
    return card.inserted(old, *parts(), "README.md")


def without(text: str) -> str:
    """What is left of a card without what is marked."""
    for start, end in ((card.START, card.END), (card.YAML_START, card.YAML_END)):
        if start in text:
            head, _, rest = text.partition(start)
            text = head + rest.partition(end)[2].lstrip("\r\n")
    return text


@pytest.mark.parametrize("body", [PLAIN, "", "no line break", "---\nnot closed\n", "a\n\n\n"])
@pytest.mark.parametrize("front", [FRONT, INDEX, "---\n---\n", "\ufeff" + FRONT])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_all_else_in_the_card_stays_to_the_letter(front: str, body: str, newline: str) -> None:
    old = (front + body).replace("\n", newline)
    new = put(old)
    assert without(new).rstrip() == old.rstrip()
    assert put(new) == new
    assert new.count("\r\n") == (new.count("\n") if newline == "\r\n" else 0)


def test_a_section_that_is_there_is_replaced_where_it_is() -> None:
    old = f"{FRONT}{PLAIN}\n{card.START}\nold\n{card.END}\n\n## After\n"
    new = put(old)
    assert "old\n" not in new and new.endswith(f"{card.END}\n\n## After\n")
    assert new.index("It does things") < new.index(card.HEADING) < new.index("## After")


@pytest.mark.parametrize(
    "broken",
    [card.START, card.END, f"{card.END}{card.START}", f"{card.START}{card.END}{card.END}"],
)
def test_broken_marks_are_refused(broken: str) -> None:
    with pytest.raises(DataError, match=r"README.md: needs one .* mend the card"):
        put(PLAIN + broken)


@pytest.mark.parametrize("old", [FRONT + PLAIN, PLAIN, "", FRONT.replace("\n", "\r\n")])
def test_the_hub_reads_the_figures(old: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(put(old).encode())
    read = ModelCard.load(path)
    results = sample.results().targets[0]
    best = results.attacks[0]
    found = {one.metric_type: one.metric_value for one in read.data.eval_results or []}
    assert read.data.model_name == results.name
    assert found == {
        "auc": round(best.simultaneous.value, 4),
        **{f"tpr_at_fpr_{r.fpr:g}": round(r.simultaneous.value, 4) for r in best.tpr},
    }


def test_a_model_index_of_its_own_is_left_alone() -> None:
    new = put(INDEX + PLAIN)
    assert new.startswith(INDEX) and card.YAML_START not in new and card.HEADING in new


def test_figures_that_are_no_evidence_are_not_told_to_the_hub() -> None:
    results = sample.results()
    broken = replace(results.targets[0], findings=(Finding("E101", "error", "sides differ"),))
    assert card.metadata(results, broken) == ""
    told = card.section(results, broken, DIGEST)
    assert "Not valid as evidence, E101: sides differ" in told
    new = card.inserted(put(FRONT + PLAIN), told, "", "README.md")
    assert new.startswith(FRONT)


def unbounded(low: float, high: float) -> Results:
    """The sample, of which the first model's AUC has these ends."""
    results = sample.results()
    first, *others = results.targets
    best, *weaker = first.attacks
    ends = replace(best.simultaneous, low=low, high=high)
    first = replace(first, attacks=(replace(best, simultaneous=ends), *weaker))
    return replace(results, targets=(first, *others))


@pytest.mark.parametrize(
    "ends", [(float("nan"), float("nan")), (0.5, float("inf")), (float("-inf"), 0.9)]
)
def test_a_figure_without_an_interval_is_not_told_to_the_hub(ends: tuple[float, float]) -> None:
    results = unbounded(*ends)
    told = card.metadata(results, results.targets[0])
    metrics = yaml.safe_load(told)["model-index"][0]["results"][0]["metrics"]
    kinds = [one["type"] for one in metrics]
    assert "auc" not in kinds and kinds
    assert not re.search(r"\b(nan|inf)\b", told)


def test_a_refuted_claim_leaves_the_figures_what_they_are() -> None:
    shown = sample.claimed(refuted=True)
    results = sample.results(shown)
    assert "model-index" in card.metadata(results, shown)
    assert "Not valid as evidence" not in card.section(results, shown, DIGEST)


def test_every_figure_has_an_interval_and_what_was_not_covered_is_told() -> None:
    results = sample.results()
    told, best = parts()[0], results.targets[0].attacks[0]
    auc = best.simultaneous
    assert f"| {auc.value:.3f} | {auc.low:.3f} to {auc.high:.3f} (99" in told
    for said in (*results.not_covered, DIGEST, "reference\\_difference", "What was tried"):
        assert said.replace("_", "\\_").replace("\\\\_", "\\_") in told or said in told


def hostile() -> Results:
    base = sample.leaky()
    named = tuple(replace(one, name=HOSTILE) for one in base.attacks[:1])
    bad = replace(base, name=HOSTILE, verdict=HOSTILE * 1000, attacks=named, strongest=HOSTILE)
    return replace(sample.results(bad), title=HOSTILE, not_covered=(HOSTILE,))


def test_foreign_text_is_neither_markup_nor_a_mark() -> None:
    results = hostile()
    told = results.targets[0]
    new = card.inserted(
        FRONT + PLAIN, card.section(results, told, DIGEST), card.metadata(results, told), "x"
    )
    assert new.count(card.START) == new.count(card.END) == 1
    _, head, body = new.split("---\n", maxsplit=2)
    assert "<script" not in body and "http://" not in body and "\x07" not in new
    assert len(new) < 20_000
    front = yaml.safe_load(head)
    assert front["license"] == "mit" and front["model-index"][0]["name"].startswith("<!--")
    assert card.inserted(new, *parts(), "x").count(card.END) == 1


def test_no_path_record_or_title_is_on_the_card() -> None:
    results = sample.results()
    whole = "\n".join(parts())
    for private in (results.title, *(one.record for one in results.targets[0].exposed)):
        assert private not in whole
