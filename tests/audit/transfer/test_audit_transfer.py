"""Whole audits of fine-tuned classifiers, on networks that train in a moment."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import digits
import digits_transfer as small
import numpy as np
import pyarrow.parquet as pq
import pytest

import nonmember as nm
from nonmember.audit import kinds, records
from nonmember.audit.classifiers.jobs import Inquire, Teach
from nonmember.audit.engine import pending
from nonmember.audit.jobs import Job, needs
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.transfer import describe
from nonmember.audit.transfer.plan import plan
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.audit.transfer.subject import inspect
from nonmember.models.architecture import architecture_of
from nonmember.models.transfer import child_of
from nonmember.signals.store import Store
from nonmember.training import kept, reference

PARENT = architecture_of(small.narrow, (8, 8), 10)


def asked(**change: Any) -> TransferSpec:
    found = kinds.parse(small.values(**change), "test")
    assert isinstance(found, TransferSpec)
    return found


def attack(target: TargetResult, name: str) -> AttackResult:
    return next(one for one in target.attacks if one.name == name)


def figures(run: Path) -> Any:
    """A run's figures: all but when, how long and where."""
    targets = json.loads((run / "results.json").read_text())["targets"]
    for target in targets:
        target.pop("training")
    return targets


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("finished")
    return nm.audit_spec(small.values(), folder / "run", store=folder / "store"), folder


def test_what_the_ancestor_gives_away_is_found_and_carries_no_verdict(
    finished: tuple[Results, Path],
) -> None:
    for target in finished[0].targets:
        upper = attack(target, "parent_lira")
        assert upper.of_parent and upper.queries == 0 and upper.simultaneous.low > 0.6
        assert target.strongest != "parent_lira" and "3 attacks" in target.verdict
        assert not any(one.of_parent for one in target.attacks if one is not upper)
        assert (upper.members, upper.non_members) == (small.SIDE, small.SIDE)


def test_utility_is_of_the_downstream_task(finished: tuple[Results, Path]) -> None:
    head, full = finished[0].targets
    for target, setting in ((head, "the head"), (full, "all layers")):
        known = target.downstream
        assert known is not None and target.classifier is None and target.fit is None
        shown = round(0.85 * (1797 - 160 - known.examples))
        assert known.setting == f"{setting}, 3 epochs, {shown} examples"
        assert known.examples == round((1797 - 160) * 0.2)
        assert known.accuracy.low > 1 / small.CLASSES


def test_each_reference_in_turn_has_a_mean_a_placebo_and_an_upper_reference(
    finished: tuple[Results, Path],
) -> None:
    for target in finished[0].targets:
        found = target.in_turn
        assert found is not None and found.parents is not None
        assert (found.attack, found.models) == ("tmi_lda", small.REFERENCES)
        assert not found.placebo.excludes(0.5) and found.parents.low > 0.6
        ((fpr, rate),) = found.tpr
        assert fpr == 0.1 and 0 <= rate.low <= rate.value <= rate.high < 1
        assert found.auc.low < found.auc.value < found.auc.high
        assert "E125" in {finding.code for finding in target.findings}


def test_a_plan_is_pure_and_both_ways_share_parents(finished: tuple[Results, Path]) -> None:
    folder, spec = finished[1], asked()
    todo = plan(inspect(spec))
    assert [job.address for job in todo.jobs] == [job.address for job in plan(inspect(spec)).jobs]
    assert not pending(todo.jobs, Store(folder / "store"))
    taught = [job for job in todo.jobs if isinstance(job, Teach)]
    assert [job.label for job in taught] == [
        "pre-train the ancestor",
        "fine-tune head",
        "pre-train references 1-8",
        "fine-tune references of head 1-8",
        "fine-tune all",
        "fine-tune references of all 1-8",
    ]
    known = {job.label: job for job in taught}
    for name in ("head", "all"):
        child, kin = known[f"fine-tune {name}"], known[f"fine-tune references of {name} 1-8"]
        assert needs(child) == {known["pre-train the ancestor"].address}
        assert needs(kin) == {known["pre-train references 1-8"].address}
        assert [one.parent for one in kin.models] == [
            one.address for one in known["pre-train references 1-8"].models
        ]
    asking = [job for job in todo.jobs if isinstance(job, Inquire)]
    parents = [job for job in asking if "pre-trained references" in job.label]
    assert len(parents) == 1 and needs(parents[0]) == {known["pre-train references 1-8"].address}


def test_a_further_way_trains_no_parent(
    finished: tuple[Results, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = digits.counting(monkeypatch.setitem)
    monkeypatch.setattr(reference, "fit_ensemble", None)
    ways = {"low rank": {"kind": "lora", "rank": 2, "recipe": small.CHILD}}
    nm.audit_spec(small.values(targets=ways), tmp_path / "run", store=finished[1] / "store")
    taught = [job.label for job in done if isinstance(job, Teach)]
    assert taught == ["fine-tune low rank", "fine-tune references of low rank 1-8"]
    assert not [job for job in done if "pre-trained" in job.label]


def test_children_are_their_parents_and_name_both_memberships(
    finished: tuple[Results, Path],
) -> None:
    store, subject = Store(finished[1] / "store"), inspect(asked())
    head = subject.targets[0]
    assert head.child is not None and head.parent is not None
    for child, parent in zip(head.kin.models, head.references.models, strict=True):
        told = store.provenance(child.address)
        own = store.provenance(parent.address)
        assert told["parent's rows sha256"] == own["rows sha256"] != told["rows sha256"]
        new = kept.state(child_of(PARENT, small.CLASSES), child.address, store)
        old = kept.state(PARENT, parent.address, store)
        alike = [name for name, one in new.items() if one.equal(old[name])]
        assert len(alike) == len(new) - 2
    assert int(head.parent.member.sum()) == small.SIDE
    assert int(head.child.member.sum()) == round(0.85 * len(subject.task.examples))
    np.testing.assert_array_equal(head.references.member[1::2], ~head.references.member[::2])


def test_the_page_says_whose_access_it_is(finished: tuple[Results, Path]) -> None:
    page = (finished[1] / "run" / "report.html").read_text()
    for said in (
        "asks the pre-trained model, not this one",
        "Utility in its own task",
        "Every reference in turn",
        "the scores of all 8 models in one",
        "an upper reference, though no theorem",
        "Mean AUC of references in turn against held-out downstream accuracy of 2 models",
        "Then each was fine-tuned as the audited models were",
        '<th scope="col">Fine-tuned</th>',
    ):
        assert said in page
    said = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    assert "None" not in said.replace("None listed.", "")


def test_results_survive_a_round_trip_and_scores_are_private(
    finished: tuple[Results, Path],
) -> None:
    results, folder = finished
    again = records.load(folder / "run")
    assert again.kind == "transfer" and records.dump(again) == records.dump(results)
    table = pq.read_table(folder / "run" / "private" / "records.parquet")
    assert {"label", "head.tmi_lda", "all.parent_lira"} <= {*table.column_names}
    exposure = table["head.tmi_lda in turn"].to_numpy()
    in_turn = results.targets[0].in_turn
    assert in_turn is not None and abs(exposure.mean() - in_turn.auc.value) < 0.1


@pytest.mark.parametrize("where", ["pre-train references", "fine-tune references of all"])
def test_interrupted_it_ends_with_the_same_figures(
    finished: tuple[Results, Path], tmp_path: Path, where: str
) -> None:
    @contextmanager
    def observe(_pending: Sequence[Job]) -> Iterator[Callable[[str, float], None]]:
        told = 0

        def watch(what: str, _share: float) -> None:
            nonlocal told
            told += what.startswith(where)
            if told > 3:
                raise KeyboardInterrupt

        yield watch

    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        nm.audit_spec(small.values(), tmp_path / "run", store=store, observe=observe)
    assert not (tmp_path / "run" / "results.json").exists()
    nm.audit_spec(small.values(), tmp_path / "run", store=store)
    assert figures(tmp_path / "run") == figures(finished[1] / "run")


def test_a_child_that_is_there_is_held_against_references_made_alike(
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    store, subject = Store(finished[1] / "store"), inspect(asked())
    child = subject.targets[0].child
    assert child is not None
    network = child.architecture.make()
    network.load_state_dict(kept.state(child.architecture, child.models[0].address, store))
    inside, outside, task = small.sides()
    found = nm.audit_transfer(
        inside,
        outside,
        task,
        tmp_path / "run",
        architecture=small.narrow,
        how=["head:epochs=3,learning_rate=0.01"],
        model=network,
        settings={
            "parents": {"count": 8, "recipe": small.PARENT},
            "attacks": {"run": ["tmi_lda", "max_confidence"]},
            "evaluation": small.EVALUATION,
        },
        store=tmp_path / "store",
    )
    (target,) = found.targets
    assert "said to be fine-tuned by the head" in target.description
    assert target.in_turn is not None and target.in_turn.parents is None
    assert target.training is None and target.downstream is not None


def test_a_private_child_says_what_it_spent_and_no_seed(
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    ways = {"private": {"epsilon": 4.0, "recipe": {"epochs": 2}}}
    found = nm.audit_spec(small.values(targets=ways), tmp_path / "run", store=finished[1] / "store")
    (target,) = found.targets
    assert target.downstream is not None
    assert target.downstream.setting == "the head, epsilon 4, 2 epochs, 1114 examples"
    assert target.training is not None and target.training["privacy"]["epsilon"] <= 4.0
    assert "seed" not in found.provenance and "seed" not in target.training
    assert "trees" in attack(target, "input_statistics").options
    assert not any("seed" in one.options for one in target.attacks)
    public = attack(finished[0].targets[0], "input_statistics")
    assert "seed" in public.options


@pytest.mark.parametrize("beside", [[], ["parent_lira"]])
def test_an_attack_that_needs_no_reference_is_given_means_over_them(
    finished: tuple[Results, Path], tmp_path: Path, beside: list[str]
) -> None:
    values = small.values(
        attacks={"run": ["max_confidence", *beside]},
        targets={"head": {"recipe": small.CHILD}},
    )
    (target,) = nm.audit_spec(values, tmp_path / "run", store=finished[1] / "store").targets
    found = target.in_turn
    assert found is not None and found.attack == "max_confidence"
    assert found.models == small.REFERENCES and (found.parents is None) == (not beside)
    assert found.auc.low < found.auc.value < found.auc.high


def test_even_the_fewest_references_give_figures(
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    values = small.values(
        parents={**small.PARENTS, "count": 6},
        attacks={"run": ["tmi_lda"]},
        targets={"head": {"recipe": small.CHILD}},
    )
    (target,) = nm.audit_spec(values, tmp_path / "run", store=finished[1] / "store").targets
    assert target.in_turn is not None and target.in_turn.models == 6


def test_the_data_says_how_models_are_asked_and_what_they_share(
    finished: tuple[Results, Path],
) -> None:
    told = finished[0].data
    assert told["copies of a candidate that models are shown, itself one of them"] == 2
    assert told["references"] == small.REFERENCES
    assert told["of an answer the attacker sees"] == "all probabilities"
    assert told["downstream overlap"].startswith("shared")


def test_an_attacker_who_sees_the_largest_probabilities_looks_at_no_more(
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    names = ["tmi", "tmi_lda", "adapted_lira", "max_confidence", "tmi_label", "parent_lira"]
    ways = {"head": {"recipe": small.CHILD}}
    asked = {"run": names, "access": "topk", "k": 2, "options": {"tmi": {"k": 1}}}
    values = small.values(attacks=asked, targets=ways)
    found = nm.audit_spec(values, tmp_path / "run", store=finished[1] / "store")
    (target,) = found.targets
    looked = {name: attack(target, name) for name in names}
    assert {name: one.options.get("k") for name, one in looked.items() if "k" in one.options} == {
        "tmi": 1,
        "tmi_lda": 2,
        "adapted_lira": 2,
    }
    for name in ("tmi", "tmi_lda", "adapted_lira", "max_confidence"):
        assert looked[name].access == "topk"
    assert looked["tmi_label"].access == "label" and looked["parent_lira"].of_parent
    assert looked["tmi_lda"].auc != attack(finished[0].targets[0], "tmi_lda").auc
    assert found.data["of an answer the attacker sees"].startswith("the 2 largest")
    assert "top-k probabilities" in (tmp_path / "run" / "report.html").read_text()


def test_halves_of_the_task_are_for_the_target_and_for_references() -> None:
    subject = inspect(asked(downstream={"pool": "digits", "merge": 2, "overlap": "disjoint"}))
    target, count = subject.targets[0], len(subject.task.examples)
    assert target.child is not None
    assert not (target.child.member & target.kin.member).any()
    for member in (target.child.member, target.kin.member):
        assert set(member.sum(axis=1)) <= {round(0.85 * (count // 2)), round(0.85 * -(-count // 2))}
    assert describe.overlap(subject).startswith("disjoint")


def test_a_target_has_a_share_of_its_own() -> None:
    few = {"few": {"recipe": small.CHILD, "share": 0.1}, "all": {"recipe": small.CHILD}}
    subject = inspect(asked(targets=few))
    count = len(subject.task.examples)
    for target, share in zip(subject.targets, (0.1, 0.85), strict=True):
        assert target.child is not None
        for member in (target.child.member, target.kin.member):
            assert set(member.sum(axis=1)) == {round(share * count)}
    assert f"{round(0.1 * count)} examples" in describe.setting(subject.targets[0])
