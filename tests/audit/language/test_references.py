"""Reference models of language models, from the spec to LiRA and RMIA, on tiny models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tiny
from files import sentences, written

import nonmember as nm
from nonmember.attacks.language.reference import lira, rmia
from nonmember.audit.engines import work
from nonmember.audit.jobs import Compare, Job, Plan, Query, Train, Tune
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.audit.records import Results
from nonmember.errors import ModelError, SpecError
from nonmember.signals.catalogue import REFERENCES, extractor
from nonmember.signals.ragged import mean
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]
RECIPE = {
    "method": "lora",
    "epochs": 4,
    "batch_size": 8,
    "learning_rate": 0.02,
    "rank": 4,
}
COUNT = 4
RUN = ["loss", "lira", "lira_offline", "rmia"]


@pytest.fixture
def asked(values: Values) -> Values:
    """The small world's spec with references; a target fine-tuned on members, and a control."""

    def build(**change: Any) -> dict[str, Any]:
        references = {"count": COUNT, "recipe": RECIPE}
        given: dict[str, Any] = {"references": references, "attacks": {"run": RUN}}
        return values(**{**given, **change})

    return build


def planned(values: dict[str, Any]) -> Plan:
    return plan(subject.inspect(spec.parse(values, "test")))


def of_kind(jobs: Any, *kinds: type) -> list[Any]:
    return [job for job in jobs if isinstance(job, kinds)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("language references")


@pytest.fixture
def finished(asked: Values, folder: Path) -> Results:
    """An audit of which the folder of the module holds run and store, done once."""
    return nm.audit_spec(asked(), folder / "run", store=folder / "store")


def test_lira_and_rmia_run_with_counts_and_intervals(finished: Results) -> None:
    leaky, control = finished.targets
    for target in (leaky, control):
        assert [one.name for one in target.attacks] == RUN and not target.findings[1:]
        for one in target.attacks:
            assert (one.members, one.non_members, one.unscored) == (24, 40, 0)
            assert one.simultaneous.low <= one.auc.low < one.auc.value <= one.auc.high
            assert one.tpr[0].members == 24 and one.tpr[0].tpr.low < one.tpr[0].tpr.high
    assert leaky.leaks is True and control.leaks is False
    assert not [said for said in finished.not_covered if "Attackers who train their own" in said]


def test_stored_answers_give_the_scores_of_the_private_file(
    finished: Results, asked: Values, folder: Path
) -> None:
    store, given = Store(folder / "store"), subject.inspect(spec.parse(asked(), "test"))
    todo = plan(given)
    target = given.targets[0]
    assert target.name == "leaky" and target.references is not None
    member = target.references.member
    (shard,) = todo.compared["leaky"]
    answers = np.concatenate([store.array(one, "token_logprobs") for one in shard])
    (own,) = todo.answers["leaky", "target", extractor("token_logprobs").name]
    observed = np.asarray(store.array(own, "token_logprobs"))
    assert answers.shape == (COUNT, *observed.shape)
    table = pq.read_table(folder / "run" / "private" / "records.parquet")
    for attack in (lira, rmia):
        kept = table[f"leaky.{attack.__name__}"].to_numpy()
        np.testing.assert_allclose(attack(observed, answers, member), kept, atol=1e-9)
    losses = np.stack([mean(one) for one in answers])
    saw = np.where(member, losses, np.nan), np.where(~member, losses, np.nan)
    assert np.nanmean(saw[0]) > np.nanmean(saw[1]) + 0.05  # they have learnt their own


def test_a_plan_is_pure_and_the_targets_share_their_references(asked: Values) -> None:
    first, again = planned(asked()), planned(asked())
    assert [job.address for job in first.jobs] == [job.address for job in again.jobs]
    (tune,) = of_kind(first.jobs, Tune)
    assert tune.label == f"tune references 1-{COUNT} of leaky"
    assert first.compared["leaky"] == first.compared["control"]
    assert first.trained["leaky"].address != first.trained["control"].address
    assert (tune.member.sum(axis=0) == COUNT // 2).all()


def test_no_reference_is_tuned_on_records_that_are_on_neither_side(asked: Values) -> None:
    given = asked(data={**asked()["data"], "known": 4})
    found = subject.inspect(spec.parse(given, "test"))
    (tune,) = of_kind(plan(found).jobs, Tune)
    tuned = {record.id for record in tune.encoded.records}
    known = found.candidates
    sides = (known.known_members, known.known_non_members, known.control)
    assert len(tuned) == 56 == tune.member.shape[1]
    assert not tuned & {record.id for side in sides for record in side}


def test_a_second_audit_tunes_nothing_and_asks_nothing_again(
    finished: Results, asked: Values, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: Job, *_: object) -> None:
        raise AssertionError(f"{job.label} was done again")

    for kind in work.MAKING:
        monkeypatch.setitem(work.MAKING, kind, fail)  # type: ignore[index]
    monkeypatch.setattr(work, "_ask", fail)
    by_token = {name: {"unit": "token"} for name in ("lira", "rmia")}
    others = {"run": ["lira", "rmia"], "options": by_token}
    again = nm.audit_spec(asked(attacks=others), folder / "by token", store=folder / "store")
    assert [one.options["unit"] for one in again.targets[0].attacks] == ["token", "token"]
    nm.audit_spec(asked(), folder / "again", store=folder / "store")
    runs = [json.loads((folder / name / "results.json").read_text()) for name in ("run", "again")]
    for run in runs:
        for target in run["targets"]:
            target["training"].pop("seconds")
    assert runs[0]["targets"] == runs[1]["targets"]


def test_the_first_audit_does_each_job_once(
    asked: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, do = list[Job](), work.do

    def noted(job: Job, *given: Any) -> None:
        done.append(job)
        do(job, *given)

    monkeypatch.setattr(work, "do", noted)
    nm.audit_spec(asked(), tmp_path / "run", store=tmp_path / "store")
    assert len({job.address for job in done}) == len(done)
    counts = [len(of_kind(done, kind)) for kind in (Train, Tune, Compare, Query)]
    assert counts == [2, 1, 1, 2]  # two targets, their references, and each asked once


@pytest.mark.parametrize("change", ["recipe", "seed", "count", "base"])
def test_other_circumstances_are_other_references(
    asked: Values, change: str, tmp_path: Path
) -> None:
    other = asked()
    if change == "recipe":
        other["references"] = {"count": COUNT, "recipe": {**RECIPE, "epochs": 5}}
    elif change == "seed":
        other["seed"] = 1
    elif change == "count":
        other["references"] = {"count": 6, "recipe": RECIPE}
    else:
        there = str(tiny.llama(tmp_path / "base", seed=5))
        targets = {name: {**one, "base": there} for name, one in other["targets"].items()}
        other["targets"] = targets
    own, theirs = (
        {job.address for job in of_kind(planned(one).jobs, Tune)} for one in (asked(), other)
    )
    assert own and own.isdisjoint(theirs)


def test_without_a_base_or_references_the_attacks_are_left_out_with_the_reason(
    values: Values, base: Path, tmp_path: Path
) -> None:
    tuned = str(tiny.adapter(tmp_path / "tuned", base))
    given = values(targets={"m": {"model": str(base)}}, attacks={})
    found = subject.inspect(spec.parse({**given, "references": {"count": 4}}, "test")).targets[0]
    assert "name it with --base" in found.left_out["lira"] and found.references is None
    given = values(targets={"m": {"model": tuned, "base": str(base)}}, attacks={})
    found = subject.inspect(spec.parse(given, "test")).targets[0]
    assert "train some with --references" in found.left_out["rmia"]
    asking = [need for one in found.attacks for need in one.needs if need.startswith(REFERENCES)]
    assert not asking and not of_kind(planned(given).jobs, Tune)


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ({"count": 2}, "references.count: 2 cannot tell chance from membership; use at least 4"),
        ({"count": 3}, "references.count: Input should be a multiple of 2"),
        ({"count": 4, "recipe": {"ranks": 3}}, "no recipe setting 'ranks'; did you mean rank"),
        ({"count": 4, "recipe": {"method": "full"}}, 'references are adapters; give "lora"'),
        ({"counts": 4}, "no key 'counts'; did you mean count"),
    ],
)
def test_references_that_cannot_be_are_refused(
    asked: Values, tmp_path: Path, references: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError, match=said):
        nm.audit_spec(asked(references=references), tmp_path / "run", store=tmp_path / "store")
    assert not any(tmp_path.iterdir())


def test_references_over_an_adapter_are_refused(values: Values, base: Path, tmp_path: Path) -> None:
    tuned = tiny.adapter(tmp_path / "tuned", base)
    target = {"model": str(tiny.llama(tmp_path / "merged", seed=3)), "base": str(tuned)}
    given = values(targets={"m": target}, references={"count": 4, "recipe": RECIPE})
    with pytest.raises(ModelError, match=r"targets.m: .* is an adapter, which references"):
        nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store")
    assert not (tmp_path / "run").exists()


def test_references_of_a_model_and_its_base_from_the_command_line(
    say: Any, base: Path, tmp_path: Path
) -> None:
    tuned = tiny.adapter(tmp_path / "tuned", base)
    texts = sentences(40, seed=3)
    files = [written(tmp_path / f"{n}.jsonl", texts[n::2]) for n in range(2)]
    words = ["--members", files[0], "--non-members", files[1], "--max-tokens", 16, "--fpr", 0.1]
    words += ["--base", base, "--references", 4, "--attack", "lira", "--attack", "rmia"]
    places = ["--output", tmp_path / "run", "--store", tmp_path / "store"]
    status, out, _ = say("audit", "llm", "--model", tuned, *words, *places)
    assert status == 0 and "lira" in out and "20+20" in out
