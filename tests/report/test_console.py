"""What the terminal shows of a study."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from report import sample

from nonmember.attacks.registry import ATTACKS
from nonmember.audit.jobs import Protect
from nonmember.console import jobs, lists, results, safer
from nonmember.console.streams import PIPE_WIDTH
from nonmember.defenses.registry import DEFENSES
from nonmember.report import roles
from nonmember.rewriting.registry import REWRITERS

MANIFEST = {
    "records": 200,
    "copies": 0,
    "by": {"soft": {"rewritten": 92, "kept": 8}},
    "roles": {"raw": 100, "rewritten": 92, "kept": 8},
    "rewriter": "code",
    "attempts": 143,
    "accepted": 92,
    "rejected": {"facts": 3},
    "sent to": None,
    "to rewrite": 100,
    "seconds in all": 44.2,
}


def test_targets_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(sample.study())
    told = capsys.readouterr().out.split("Side by side")
    assert len(told) == 2
    assert all(len(line) <= PIPE_WIDTH for line in told[1].splitlines())
    for target in sample.study().targets:
        best = next(one for one in target.attacks if one.name == target.strongest).simultaneous
        assert f"{best.value:.3f} [{best.low:.3f}, {best.high:.3f}]" in told[1]
    for expected in ("soft, ratio 0.5", "9.31 [8.42, 10.3]", "-0.023 [-0.043, -0.003]"):
        assert expected in told[1]


def test_one_target_has_nothing_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(sample.results(sample.soft()))
    assert "Side by side" not in capsys.readouterr().out


def test_each_role_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(sample.results(sample.soft()))
    told = capsys.readouterr().out.splitlines()
    for role, found in roles.bests(sample.soft()).items():
        (line,) = (line for line in told if line.startswith(f"{role} {found.members}: "))
        assert line.startswith(f"{role} {found.members}: {found.attack} AUC ")


def test_utility_is_told_with_its_count(capsys: pytest.CaptureFixture[str]) -> None:
    soft = sample.soft()
    assert soft.utility
    results.shown(sample.results(replace(soft, utility=replace(soft.utility, against="[red]x"))))
    told = " ".join(capsys.readouterr().out.split())
    assert "On 200 texts never seen: perplexity 9.31 [8.42, 10.3], accuracy 57.7%" in told
    assert "nats per token against [red]x." in told


def test_lists_name_everything_registered(capsys: pytest.CaptureFixture[str]) -> None:
    for listed, registry in (
        ("attacks", {attack.name: attack for attack in ATTACKS.values()}),
        ("defenses", {one.name for one in DEFENSES.values()}),
        ("rewriters", REWRITERS),
    ):
        lists.listed(listed)
        told = capsys.readouterr().out
        assert registry and all(name in told for name in registry)


def test_a_list_of_rewriters_says_what_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    lists.listed("rewriters")
    told = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.split()}
    assert "nothing" in told["synonyms"] and "nothing" in told["code"]
    assert "what it rewrites" in told["endpoint"]


def test_what_will_be_sent_is_told_before_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.engine, "seconds", lambda *_: 1.0)
    here, there = (
        SimpleNamespace(rewriter=SimpleNamespace(sends_to=place), attempts=4)
        for place in (None, "https://a.example/[v1]")
    )
    waiting = [object.__new__(Protect) for _ in range(4)]
    for job, by in zip(waiting, (here, there, None, there), strict=True):
        vars(job).update(encoded=range(300), protection=SimpleNamespace(rewriting=by))
    with jobs.progress(waiting):
        told = capsys.readouterr().err
        assert "Up to 2,400 texts (records times attempts) go to https://a.example/[v1]." in told
    assert told.count("Up to") == 1
    with jobs.progress(waiting[:1]):
        assert "Up to" not in capsys.readouterr().err


def test_a_protection_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    safer.protected(MANIFEST, Path("safer.jsonl"))
    told = " ".join(capsys.readouterr().out.split())
    assert "100 raw, 92 rewritten, 8 kept" in told
    assert "code, 143 attempts rejected 3 facts" in told
    assert "nothing left this machine" in told
    for place in ("safer.jsonl.manifest.json", "safer.jsonl.private/ledger.parquet"):
        assert place in told
    safer.protected({**MANIFEST, "sent to": "https://a.example"}, Path("safer.jsonl"))
    assert "143 texts to https://a.example" in capsys.readouterr().out
    safer.protected({**MANIFEST, "rewriter": None, "rejected": {}}, Path("safer.jsonl"))
    told = capsys.readouterr().out
    assert "\nrewriter " not in told and "texts sent" not in told
