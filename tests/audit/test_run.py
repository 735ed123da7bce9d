"""A whole audit, on models that train in a second."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny
from files import sentences

import nonmember as nm
from nonmember.audit import engine, records
from nonmember.audit.engines import work
from nonmember.audit.jobs import Job
from nonmember.audit.language import asking
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.threat import of_kind
from nonmember.errors import ModelError, RunError

Values = Callable[..., dict[str, Any]]


def by_name(results: Results) -> dict[str, TargetResult]:
    return {target.name: target for target in results.targets}


def attack(target: TargetResult, name: str) -> AttackResult:
    return next(one for one in target.attacks if one.name == name)


def figures(run: Path) -> dict[str, Any]:
    """All of a run's results but when and how long."""
    found = json.loads((run / "results.json").read_text())
    for part in (found, *found["targets"]):
        part.pop("created", None)
        part.pop("provenance")
    for target in found["targets"]:
        target["training"].pop("seconds")
    return found


@pytest.fixture
def finished(values: Values, tmp_path: Path) -> tuple[Results, Path]:
    """A finished audit, and the folder of its run and its store."""
    return nm.audit_spec(values(), tmp_path / "run", store=tmp_path / "store"), tmp_path


def test_the_leak_is_found_and_the_control_is_clean(finished: tuple[Results, Path]) -> None:
    targets = by_name(finished[0])
    assert targets["leaky"].leaks is True
    assert "reveals its training records" in targets["leaky"].verdict
    for name in ("reference_difference", "loss"):  # the rest saturate on a base so raw
        found = attack(targets["leaky"], name)
        assert found.simultaneous.low > 0.6
        assert (found.members, found.non_members) == (24, 40)
        assert found.auc.low >= found.simultaneous.low
    assert targets["control"].leaks is False
    asked = sum(not one.blind for one in targets["control"].attacks)
    assert f"No leak found by {asked} attacks" in targets["control"].verdict
    assert f"{targets['control'].detectable_auc:.2f}" in targets["control"].verdict


def test_every_attack_that_there_is_runs_and_says_what_it_asked(
    values: Values, tmp_path: Path
) -> None:
    leaky = values()["targets"]["leaky"]
    few = {"copies": 2}
    given = values(
        data={**values()["data"], "known": 4},
        targets={"leaky": leaky},
        attacks={
            "run": [*of_kind("language")],
            "queries": 100,
            "options": {"ez_mia": {"min_errors": 1}},
        },
        signals={
            "options": {
                name: few for name in ("neighbours", "spans", "swaps", "samples", "rewrites")
            },
            "self_prompted": {"texts": 8, "prompt_tokens": 4},
        },
        references={"count": 4},
    )
    (target,) = nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store").targets
    assert {one.name for one in target.attacks} == of_kind("language").keys()
    assert not [f for f in target.findings if f.code in ("E108", "E110")]
    asked = {one.name: one.queries for one in target.attacks}
    assert (asked["loss"], asked["neighbourhood"], asked["spv_mia"]) == (1, 3, 3)
    assert asked["length"] == 0 and asked["con_recall"] == 3
    assert asked["ensemble"] >= max(n for name, n in asked.items() if name != "ensemble")


def test_a_learned_attack_alone_gives_its_figure_and_no_set(values: Values, tmp_path: Path) -> None:
    targets = {"leaky": values()["targets"]["leaky"]}
    given = values(targets=targets, attacks={"run": ["camia"]})
    (target,) = nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store").targets
    assert [one.name for one in target.attacks] == ["camia"] and target.as_a_set is None
    assert any(f.code == "E114" for f in target.findings)


def test_persons_are_told_apart_where_records_have_groups(values: Values, tmp_path: Path) -> None:
    rows = [{"text": text, "who": f"p{i // 3}"} for i, text in enumerate(sentences(120, seed=6))]
    path = tmp_path / "grouped.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {**values()["data"], "pool": str(path), "group": "who"}
    data["take"] = {"members": 36, "non_members": 36}
    targets = {"leaky": values()["targets"]["leaky"]}
    given = values(data=data, targets=targets, attacks={"run": ["loss", "reference_difference"]})
    results = nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store")
    persons = results.targets[0].persons
    assert persons is not None and persons.attack == "reference_difference"
    assert persons.members == persons.non_members == 12 and persons.auc.low > 0.5
    assert not any(said.startswith("Persons") for said in results.not_covered)
    unable = {**given, "attacks": {"run": ["min_k"]}}
    (target,) = nm.audit_spec(unable, tmp_path / "other", store=tmp_path / "store").targets
    assert target.persons is None and any(f.code == "E115" for f in target.findings)


def test_a_base_without_a_chat_template_reads_altered_chats_as_the_target_does(
    values: Values, tmp_path: Path
) -> None:
    base = tiny.llama(tmp_path / "base")
    model = tiny.llama(tmp_path / "model", seed=4)
    for file in base.glob("chat_template*"):
        file.unlink()
    words = ["The", "big", "dog", "saw", "a", "small", "house", "near", "the", "old", "river"]
    rng = np.random.default_rng(0)
    files = {}
    for name in ("members", "non_members"):
        files[name] = tmp_path / f"{name}.jsonl"
        chats = [
            [
                {"role": "user", "content": f"say {i}"},
                {"role": "assistant", "content": " ".join(rng.permutation(words))},
            ]
            for i in range(12)
        ]
        files[name].write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    given = values(
        data={**{name: str(path) for name, path in files.items()}, "max_tokens": 60},
        targets={"m": {"model": str(model), "base": str(base)}},
        attacks={"run": ["spv_base"]},
        signals={"options": {"spans": {"copies": 2}}},
    )
    (target,) = nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store").targets
    (found,) = target.attacks
    assert found.members + found.non_members > 12


def test_shards_change_no_score(
    finished: tuple[Results, Path], values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SHARD", 8)
    folder = finished[1]
    nm.audit_spec(values(), folder / "cut", store=folder / "anew")
    whole, cut = (
        pq.read_table(folder / run / "private" / "records.parquet").to_pydict()
        for run in ("run", "cut")
    )
    for name, column in whole.items():
        if name.startswith("leaky."):
            np.testing.assert_allclose(cut[name], column, rtol=1e-4, atol=1e-5, err_msg=name)


def test_fine_tuning_shows_in_the_members_loss(finished: tuple[Results, Path]) -> None:
    leaky = by_name(finished[0])["leaky"]
    assert leaky.fit is not None and leaky.base_fit is not None and leaky.training is not None
    assert leaky.fit.members.high < leaky.base_fit.members.low
    losses = leaky.training["loss per epoch, nats per token"]
    assert len(losses) == 8 and losses[-1] < losses[0]


def test_results_read_back_as_they_were_written(finished: tuple[Results, Path]) -> None:
    results, folder = finished
    again = records.load(folder / "run")
    assert records.dump(again) == records.dump(results)


def test_private_texts_and_scores_are_for_their_owner_only(finished: tuple[Results, Path]) -> None:
    run = finished[1] / "run"
    table = pq.read_table(run / "private" / "records.parquet").to_pydict()
    assert sum(table["member"]) == 24 and len(table["leaky.wbc"]) == 64
    assert (run / "private").stat().st_mode & 0o077 == 0
    assert (run / "private" / "records.parquet").stat().st_mode & 0o077 == 0
    shared = (run / "results.json").read_text() + (run / "report.html").read_text()
    assert not [text for text in table["text"] if text in shared]


def test_texts_are_on_the_page_when_the_user_says_so(finished: tuple[Results, Path]) -> None:
    results, folder = finished
    table = pq.read_table(folder / "run" / "private" / "records.parquet").to_pydict()
    nm.write_report(folder / "run", show_text=True)
    page = (folder / "run" / "report.html").read_text()
    texts = dict(zip(table["record"], table["text"], strict=True))
    exposed = by_name(results)["leaky"].exposed
    assert len(exposed) == 10
    assert all(texts[one.record] in page for one in exposed)


def test_a_second_run_asks_and_trains_nothing(
    finished: tuple[Results, Path], values: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished job was done again")

    monkeypatch.setattr(work, "do", fail)
    folder = finished[1]
    nm.audit_spec(values(), folder / "run", store=folder / "store")
    nm.audit_spec(
        values(attacks={"run": ["loss", "wbc"]}), folder / "other", store=folder / "store"
    )
    loss = attack(by_name(records.load(folder / "other"))["leaky"], "loss")
    assert loss.auc == attack(by_name(finished[0])["leaky"], "loss").auc


def test_adding_an_attack_asks_only_what_is_new(values: Values, tmp_path: Path) -> None:
    alone = values(attacks={"run": ["loss"]})
    nm.audit_spec(alone, tmp_path / "first", store=tmp_path / "store")
    more = values(attacks={"run": ["loss", "wbc", "zlib"]})
    pending, done = nm.dry_run(more, store=tmp_path / "store")
    assert {job.label.split(" for ")[0] for job in pending} == {"ask the base of leaky"}
    assert len(done) == 4


def test_dry_run_does_nothing(values: Values, tmp_path: Path) -> None:
    pending, done = nm.dry_run(values(), store=tmp_path / "store")
    assert len(pending) == 7 and not done  # two trainings; each and the base asked
    assert not (tmp_path / "store").exists()
    assert engine.seconds(pending) > 0


def stopping(after: int) -> Callable[[Sequence[Job]], Any]:
    @contextmanager
    def observe(_pending: Sequence[Job]) -> Iterator[Callable[[str, float], None]]:
        told = 0

        def watch(_what: str, _share: float) -> None:
            nonlocal told
            told += 1
            if told > after:
                raise KeyboardInterrupt

        yield watch

    return observe


@pytest.mark.parametrize("after", [0, 3, 40, 70])
def test_an_interrupted_run_ends_with_the_same_figures(
    finished: tuple[Results, Path], values: Values, after: int
) -> None:
    folder = finished[1]
    with pytest.raises(KeyboardInterrupt):
        nm.audit_spec(values(), folder / "b", store=folder / "c", observe=stopping(after))
    assert not (folder / "b" / "results.json").exists()
    assert not [path for path in (folder / "c").rglob(".*") if path.is_dir()]
    nm.audit_spec(values(), folder / "b", store=folder / "c")
    assert figures(folder / "b") == figures(folder / "run")


def test_killed_at_any_moment_the_same_command_ends_with_the_same_figures(
    finished: tuple[Results, Path], values: Values
) -> None:
    folder = finished[1]
    (folder / "spec.json").write_text(json.dumps(values()))
    script = (
        "import json, sys, nonmember as nm; from pathlib import Path; f = Path(sys.argv[1]); "
        "nm.audit_spec(json.loads((f / 'spec.json').read_text()), f / 'k', store=f / 's')"
    )
    command = [sys.executable, "-c", script, str(folder)]
    calm = {**os.environ, "OMP_NUM_THREADS": "1"}
    for seconds in (0.3, 1.0):
        process = subprocess.Popen(command, env=calm)
        while not (folder / "s").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, env=calm)
    assert figures(folder / "k") == figures(folder / "run")


def test_a_folder_of_another_spec_is_refused(
    finished: tuple[Results, Path], values: Values
) -> None:
    run = finished[1] / "run"
    with pytest.raises(RunError, match=r"another spec \(they differ in seed\)"):
        nm.audit_spec(values(seed=1), run, store=finished[1] / "store")
    nm.audit_spec(values(report={"show_text": True}), run, store=finished[1] / "store")


def test_a_folder_that_is_no_run_is_refused(values: Values, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="holds something that is no run"):
        nm.audit_spec(values(), tmp_path, store=tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_mistake_in_the_spec_leaves_no_folder_behind(values: Values, tmp_path: Path) -> None:
    wrong = values(targets={"mine": {"model": str(tmp_path / "nothing")}})
    with pytest.raises(ModelError):
        nm.audit_spec(wrong, tmp_path / "run", store=tmp_path / "store")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "damaged"),
        (b'{"schema": 2}', "damaged at 'kind'"),
        (b"\xff", "damaged"),
    ],
)
def test_damaged_results_are_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "results.json").write_bytes(content)
    with pytest.raises(RunError, match=said):
        records.load(tmp_path)


def test_results_of_a_newer_schema_are_refused(finished: tuple[Results, Path]) -> None:
    path = finished[1] / "run" / "results.json"
    path.write_text(path.read_text().replace('"schema": 4', '"schema": 99', 1))
    with pytest.raises(RunError, match="schema 99 is newer"):
        records.load(path.parent)
