"""Targets whose training is defended, from the attack to the page; shared is only what may be."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import shuffling
from shuffling import RECIPE, Shuffler, audited, defended, soft

import nonmember as nm
from nonmember.audit.defended import ledger, protecting
from nonmember.audit.jobs import Protect
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan, secret_of
from nonmember.audit.records import Results, TargetResult
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]
LONG = {**RECIPE, "epochs": 8}


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


def aucs(found: TargetResult, attack: str) -> dict[str, float]:
    return {one.role: one.auc.value for one in found.roles if one.attack == attack}


def test_a_study_attacks_defends_and_attacks_again(
    values: Values, base: Path, tmp_path: Path
) -> None:
    given = defended(values, base, LONG, leaky=[], half=[soft(0.5)], whole=[soft(1.0)])
    leaky, half, whole = audited(given, tmp_path).targets
    assert leaky.leaks and not leaky.roles and not leaky.defenses
    counts = {one.role: one.members for one in half.roles if one.attack == "loss"}
    assert counts == {"raw": 12, "rewritten": 12}
    assert {one.role for one in whole.roles} == {"rewritten"}
    seen = aucs(half, "reference_difference")
    assert seen["raw"] > 0.9 and seen["raw"] > seen["rewritten"]
    assert any(one.code == "E117" and "12 members" in one.message for one in half.findings)
    assert half.utility is not None and half.utility.against == "leaky"
    assert leaky.utility is not None and leaky.utility.against is None


def test_a_ratio_of_0_is_judged_as_the_undefended_run(
    values: Values, base: Path, tmp_path: Path
) -> None:
    leaky, none = audited(defended(values, base, leaky=[], none=[soft(0.0)]), tmp_path).targets
    assert none.attacks == leaky.attacks and none.verdict == leaky.verdict
    assert none.roles == () and none.defenses[0].roles == {"raw": 24}


def test_who_knows_the_secret_sees_through_the_rewrites(
    values: Values, base: Path, tmp_path: Path
) -> None:
    """The harness attacks as well as it can: with the secret it has the strings trained on."""
    found = {}
    for way, known in (("guessed", {}), ("known", {"secret": secret_of(0)})):
        given = defended(values, base, LONG, whole=[soft(1.0)])
        given["attacks"] = {"run": ["rewritten", "loss"]}
        given["signals"] = {"options": {"rewrites": {"copies": 1, **known}}}
        (target,) = audited(given, tmp_path / way).targets
        found[way] = aucs(target, "rewritten")["rewritten"]
    assert found["known"] > 0.9 and found["known"] > found["guessed"]


# What may be shared


@pytest.fixture
def studied(values: Values, base: Path, tmp_path: Path) -> tuple[Results, dict[str, Any]]:
    """A finished study with records of every role, and its spec."""
    keep = {"on_reject": "keep_raw", "limits": {"shortest": 0.1, "longest": 0.9}}
    targets = {"leaky": [], "half": [soft(0.5)], "some": [soft(0.75, rewriter=keep)]}
    given = defended(values, base, **targets, few=[{"name": "drop_influential"}])
    return nm_audit(given, tmp_path), given


def nm_audit(given: dict[str, Any], folder: Path) -> Results:
    return nm.audit_spec(given, folder / "run", store=folder / "store")


def test_no_text_no_list_and_no_secret_is_in_what_may_be_shared(
    studied: tuple[Results, dict[str, Any]], tmp_path: Path
) -> None:
    results, given = studied
    todo = plan(subject.inspect(spec.parse(given, "test")))
    run, store = tmp_path / "run", Store(tmp_path / "store")
    said = "".join((run / name).read_text() for name in ("results.json", "report.html"))
    shown = {one.record for target in results.targets for one in target.exposed}
    for job in (job for job in todo.jobs if isinstance(job, Protect)):
        assert job.secret not in said
        folder = store.folder(job.address)
        rows = ledger.table(folder / ledger.LEDGER).to_pylist()
        assert not [row["raw"] for row in rows if row["raw"] in said]
        chosen = {row["record"] for row in rows if row["role"] != "raw"}
        assert not [one for one in chosen - shown if re.search(rf"{re.escape(one)}\b", said)]
        left = [one.plain() for one in protecting.trained(folder)]
        assert not [text for text in left if text in said]
    texts = pq.read_table(run / "private" / "records.parquet")["text"].to_pylist()
    assert not [text for text in texts if text in said]


def test_each_defense_is_in_the_results_and_on_the_page(
    studied: tuple[Results, dict[str, Any]], tmp_path: Path
) -> None:
    results, _ = studied
    found = {target.name: target.defenses for target in results.targets}
    assert not found["leaky"]
    assert dict(found["half"][0].roles) == {"raw": 12, "rewritten": 12}
    assert dict(found["some"][0].roles) == {"raw": 6, "kept": 18}
    assert dict(found["some"][0].rejected) == {"length": 18}
    assert dict(found["few"][0].roles) == {"dropped": 12}
    told = {target.name: {one.code for one in target.findings} for target in results.targets}
    assert "E118" in told["some"] and "E118" not in told["half"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "soft" in page and "drop_influential" in page
    assert nm.write_report(tmp_path / "run").read_text() == page


def test_an_interrupted_study_ends_with_the_same_figures(
    studied: tuple[Results, dict[str, Any]], tmp_path: Path, shuffler: Shuffler
) -> None:
    results, given = studied
    count = len(shuffler.asked)
    again = nm_audit(given, tmp_path)
    assert [one.attacks for one in again.targets] == [one.attacks for one in results.targets]
    assert len(shuffler.asked) == count
