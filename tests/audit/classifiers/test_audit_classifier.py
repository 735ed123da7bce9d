"""Whole audits of classifiers, on networks that train in a moment."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import nonmember as nm
from nonmember.audit import records
from nonmember.audit.classifiers.jobs import Teach
from nonmember.audit.jobs import Job
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import RunError
from nonmember.training import reference
from nonmember.verbs.audits import invalid

OTHERS_OF_THEM = digits.OTHERS * 4 // 5  # a fifth of the non-members is the population


def attack(target: TargetResult, name: str) -> AttackResult:
    return next(one for one in target.attacks if one.name == name)


def audited(run: Path, store: Path, **change: Any) -> Results:
    """The audit of the leaky network."""
    return nm.audit_classifier(
        digits.leaky(),
        *digits.sides(),
        run,
        architecture=digits.network,
        store=store,
        settings=digits.settings(**change),
    )


def scores(run: Path) -> dict[str, np.ndarray]:
    """What every attack gave each record, by column; records by name."""
    table = pq.read_table(run / "private" / "records.parquet").sort_by("record")
    names = [name for name in table.column_names if "." in name]
    return {name: table[name].to_numpy() for name in names}


def figures(run: Path) -> Any:
    """A run's figures: all but when, how long and where."""
    targets = json.loads((run / "results.json").read_text())["targets"]
    for target in targets:
        target.pop("training")
    return targets


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished job was done again")

    for kind in digits.KINDS:
        monkeypatch.setitem(digits.work.MAKING, kind, fail)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("finished")
    return audited(folder / "run", folder / "store"), folder


def test_a_planted_leak_is_found(finished: tuple[Results, Path]) -> None:
    (target,) = finished[0].targets
    assert target.leaks is True
    assert "8 reference models of network" in target.description
    assert finished[0].data["non-members that the attacker knows"] == digits.OTHERS // 5
    for name in digits.RUN:
        found = attack(target, name)
        assert (found.members, found.non_members) == (digits.MEMBERS, OTHERS_OF_THEM)
        assert found.unscored == 0 and found.simultaneous.low > 0.55
        assert found.simultaneous.low <= found.auc.low < found.auc.value < found.auc.high
        (rate,) = found.tpr
        assert rate.fpr == 0.1 and rate.tpr.low < rate.tpr.value < rate.tpr.high
        assert (rate.members, rate.non_members) == (digits.MEMBERS, OTHERS_OF_THEM)
    assert target.classifier is not None and target.fit is not None
    assert target.classifier.accuracy_on_members.low > target.classifier.accuracy.high
    assert target.fit.counts == (digits.MEMBERS, OTHERS_OF_THEM)
    assert len(target.exposed) == 10


def test_tensors_and_lists_are_taken_as_the_arrays_they_are(
    finished: tuple[Results, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (inside, (rows, labels)) = finished[1], digits.sides()
    forbid(monkeypatch)
    tensors = tuple(digits.torch.from_numpy(part) for part in inside)
    nm.audit_classifier(
        digits.leaky(),
        tensors,
        (list(rows), labels.tolist()),
        folder / "tensors",
        architecture=digits.network,
        store=folder / "store",
        settings=digits.settings(),
    )
    assert figures(folder / "tensors") == figures(folder / "run")


def test_a_forest_is_compared_with_forests(tmp_path: Path) -> None:
    (rows, labels), others = digits.sides()
    forest = RandomForestClassifier(10, random_state=0).fit(rows, labels)
    kept = nm.audit_classifier(
        forest,
        (rows, labels),
        others,
        tmp_path / "run",
        store=tmp_path / "store",
        settings=digits.settings(references={"count": 8}),
    )
    (target,) = kept.targets
    assert target.leaks is True and "RandomForestClassifier" in target.description
    assert {one.name for one in target.attacks} == set(digits.RUN)
    assert all(one.access == "scores" for one in target.attacks)


def test_results_survive_a_round_trip(finished: tuple[Results, Path]) -> None:
    results, folder = finished
    again = records.load(folder / "run")
    assert again.kind == "classifier" and records.dump(again) == records.dump(results)


def test_private_labels_and_scores_are_for_their_owner_only(
    finished: tuple[Results, Path],
) -> None:
    run = finished[1] / "run"
    file = run / "private" / "records.parquet"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (run / "private").stat().st_mode & 0o077 == 0
    table = pq.read_table(file)
    columns = ["record", "digest", "group", "member", "label"]
    assert table.column_names == [*columns, *(f"model.{name}" for name in digits.RUN)]
    (_, inside), (_, outside) = digits.sides()
    place = {f"member {i}": label for i, label in enumerate(inside.tolist(), 1)}
    place |= {f"non-member {i}": label for i, label in enumerate(outside.tolist(), 1)}
    names, labels = table["record"].to_pylist(), table["label"].to_pylist()
    assert all(place[name] == label for name, label in zip(names, labels, strict=True))
    assert sum(table["member"].to_pylist()) == digits.MEMBERS


def test_no_input_is_on_the_page(tmp_path: Path) -> None:
    (rows, labels), (others, their_labels) = digits.sides()
    noise = np.random.default_rng(1).uniform(0.1, 0.2, (len(labels) + len(their_labels), 64))
    told = noise.astype(np.float32) + np.concatenate([rows, others])
    run = tmp_path / "run"
    nm.audit_classifier(
        digits.leaky(),
        (told[: len(labels)], labels),
        (told[len(labels) :], their_labels),
        run,
        store=tmp_path / "store",
        settings=digits.settings(attacks={"run": ["loss", "input_statistics"]}),
    )
    shared = "".join(path.read_text() for path in run.iterdir() if path.is_file())
    assert not [value for value in told[:, 7].tolist() if str(value)[:11] in shared]


def test_the_same_again_does_nothing(
    finished: tuple[Results, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = finished[1], []

    @contextmanager
    def observe(pending: Sequence[Job]) -> Iterator[Callable[[str, float], None]]:
        seen.append(len(pending))
        yield lambda _what, _share: None

    forbid(monkeypatch)
    nm.audit_classifier(
        digits.leaky(),
        *digits.sides(),
        folder / "again",
        architecture=digits.network,
        store=folder / "store",
        settings=digits.settings(),
        observe=observe,
    )
    assert seen == [0]
    assert figures(folder / "again") == figures(folder / "run")


def test_other_attacks_train_no_model_and_ask_nothing_again(
    finished: tuple[Results, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished[1]
    forbid(monkeypatch)
    others = ["lira_offline", "entropy", "modified_entropy", "class_thresholds", "attack_p", "gap"]
    found = audited(folder / "other", folder / "store", attacks={"run": others})
    assert [one.name for one in found.targets[0].attacks] == others
    options = {"run": ["rmia"], "options": {"rmia": {"mode": "online", "returns": "share"}}}
    audited(folder / "online", folder / "store", attacks=options)


def test_a_new_signal_is_asked_of_models_that_are_there(
    finished: tuple[Results, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, done = finished[1], digits.counting(monkeypatch.setitem)
    audited(folder / "views", folder / "store", attacks={"run": ["lira_views"]})
    assert {(type(job).__name__, job.signal.name) for job in done} == {("Inquire", "view_logits")}
    assert len(done) == 2  # the target, and its references


@pytest.mark.parametrize("after", [1, 25])
def test_interrupted_while_references_are_trained_it_ends_with_the_same_figures(
    finished: tuple[Results, Path], tmp_path: Path, after: int
) -> None:
    told = 0

    @contextmanager
    def observe(_pending: Sequence[Job]) -> Iterator[Callable[[str, float], None]]:
        def watch(what: str, _share: float) -> None:
            nonlocal told
            told += what.startswith("train references")
            if told > after:
                raise KeyboardInterrupt

        yield watch

    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        nm.audit_classifier(
            digits.leaky(),
            *digits.sides(),
            tmp_path / "run",
            architecture=digits.network,
            store=store,
            settings=digits.settings(),
            observe=observe,
        )
    assert told == after + 1 and not (tmp_path / "run" / "results.json").exists()
    audited(tmp_path / "run", store)
    assert figures(tmp_path / "run") == figures(finished[1] / "run")
    for name, values in scores(finished[1] / "run").items():
        np.testing.assert_array_equal(scores(tmp_path / "run")[name], values)


SPEC = """
kind = "classifier"
title = "Digits, with a control"

[data]
pool = "digits"
take = { members = 100, non_members = 200, control = 100 }

[targets.leaky]
trained_on = "members"
architecture = "mlp"
recipe = { epochs = 40, batch_size = 25, learning_rate = 0.01 }

[targets.control]
trained_on = "control"
architecture = "mlp"
recipe = { epochs = 40, batch_size = 25, learning_rate = 0.01 }

[references]
count = 8

[attacks]
run = ["loss", "lira", "rmia"]

[evaluation]
fpr = [0.1]
resamples = 200
redraws = 2
"""


def test_a_target_trained_here_leaks_and_a_control_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, done = tmp_path / "audit.toml", digits.counting(monkeypatch.setitem)
    file.write_text(SPEC)
    pending, _ = nm.dry_run(file, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()
    found = nm.audit_spec(file, tmp_path / "run", store=tmp_path / "store")
    assert [job.address for job in done] == [job.address for job in pending]
    leaky, control = found.targets
    assert (leaky.leaks, control.leaks) == (True, False)
    assert "100 examples: the members" in leaky.description
    assert "not among the candidates" in control.description
    assert leaky.training is not None and leaky.training["examples"] == 100
    taught = [job.label for job in done if isinstance(job, Teach)]  # references serve both
    assert taught == ["train leaky", "train references of leaky 1-8", "train control"]
    assert "Digits, with a control" in (tmp_path / "run" / "report.html").read_text()


def test_precision_adds_references_to_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = reference.fit_ensemble

    def counted(*given: Any, seeds: Sequence[int], **options: Any) -> Any:
        fitted.extend(seeds)
        return fit(*given, seeds=seeds, **options)

    monkeypatch.setattr(reference, "fit_ensemble", counted)
    done = digits.counting(monkeypatch.setitem, [Teach])
    more = {**digits.REFERENCES, "count": 4, "precision": 0.001, "most": 16}
    found = audited(tmp_path / "run", tmp_path / "store", references=more)
    few, many = (job.kind for job in done)
    assert (len(few.models), len(many.models)) == (4, 8)
    np.testing.assert_array_equal(many.member[:4], few.member)
    assert [one.address for one in many.models[:4]] == [one.address for one in few.models]
    assert len(fitted) == len(set(fitted)) == 8  # none of them twice
    (target,) = found.targets
    assert "8 reference models" in target.description
    known = [f.message for f in target.findings if f.code == "E121"]
    assert [message.split(":")[0] for message in known] == ["lira", "rmia"]
    assert all("with 8 reference models" in message for message in known)


def test_a_precision_that_is_reached_adds_none(tmp_path: Path) -> None:
    how = {**digits.REFERENCES, "precision": 0.3, "most": 16}
    found = audited(tmp_path / "run", tmp_path / "store", references=how)
    assert "8 reference models" in found.targets[0].description
    codes = [finding.code for finding in found.targets[0].findings]
    assert codes.count("E121") == 2


def test_a_file_of_answers_gives_the_scores_of_the_model_itself(
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    folder, file = finished[1], tmp_path / "answers.npz"
    rows = np.concatenate([side for side, _ in digits.sides()])
    with digits.torch.no_grad():
        logits = digits.leaky()(digits.torch.from_numpy(rows))
    np.savez(file, probabilities=logits.double().softmax(dim=1).numpy())
    found = nm.audit_classifier(
        file,
        *digits.sides(),
        tmp_path / "run",
        architecture=digits.network,
        store=folder / "store",
        settings=digits.settings(),
    )
    own, theirs = scores(tmp_path / "run"), scores(folder / "run")
    assert own.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(own[name], values, rtol=1e-4, atol=1e-3)
    assert found.targets[0].leaks is True


def test_attacks_that_alter_inputs_are_left_out_of_a_file_of_answers(tmp_path: Path) -> None:
    file = tmp_path / "answers.npy"
    np.save(file, np.full((digits.MEMBERS + digits.OTHERS, 10), 0.1))
    found = nm.audit_classifier(
        file,
        *digits.sides(),
        tmp_path / "run",
        store=tmp_path / "store",
        settings={"evaluation": {**digits.EVALUATION, "redraws": 0}},
    )
    told = {f.message for f in found.targets[0].findings if f.code == "E108"}
    assert any(m.startswith("augmentation did not run: it asks about altered") for m in told)
    assert any("lira did not run: it compares with reference models" in m for m in told)
    # One answer to all shows no leak, and is no evidence of none.
    assert found.targets[0].leaks is None and invalid(found)
    (mute,) = (f for f in found.targets[0].findings if f.code == "E135")
    assert "the same answer about every candidate" in mute.message


@pytest.mark.parametrize("made", [RandomForestClassifier(5), LogisticRegression, digits.Net])
def test_references_are_made_of_an_estimator_or_a_class(made: Any, tmp_path: Path) -> None:
    found = nm.audit_classifier(
        digits.leaky(),
        *digits.sides(),
        tmp_path / "run",
        architecture=made,
        store=tmp_path / "store",
        settings=digits.settings(references={"count": 4, "recipe": {"epochs": 2}}),
    )
    assert attack(found.targets[0], "rmia").members == digits.MEMBERS


def test_a_reference_that_was_damaged_and_deleted_is_trained_again(tmp_path: Path) -> None:
    before = audited(tmp_path / "run", tmp_path / "store")
    weights = sorted((tmp_path / "store").glob("??/*/weights.safetensors"))
    weights[0].write_bytes(b"damaged")
    asking = {"run": ["lira_views"]}
    with pytest.raises(RunError, match="delete the folder"):
        audited(tmp_path / "views", tmp_path / "store", attacks=asking)
    shutil.rmtree(weights[0].parent)
    audited(tmp_path / "views", tmp_path / "store", attacks=asking)
    again = audited(tmp_path / "again", tmp_path / "store")
    assert again.targets[0].attacks == before.targets[0].attacks


def test_every_look_that_could_end_an_audit_widens_its_intervals(
    finished: tuple[Results, Path],
) -> None:
    how = {**digits.REFERENCES, "precision": 0.49, "most": 32}
    folder = finished[1]
    looked = audited(folder / "looks", folder / "store", references=how)
    (once, often) = (attack(one.targets[0], "loss") for one in (finished[0], looked))
    assert often.simultaneous.low < once.simultaneous.low < once.auc.low == often.auc.low
