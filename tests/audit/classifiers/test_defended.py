"""Audits of defended classifiers: what is planned, shared, set aside, and seen."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nonmember as nm
from nonmember.audit.classifiers import defenses, judge
from nonmember.audit.classifiers.jobs import (
    Gauge,
    Guarded,
    Inquire,
    Learn,
    Plan,
    Regenerate,
    Teach,
    before,
)
from nonmember.audit.classifiers.plan import plan
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Subject, inspect
from nonmember.audit.engines import work
from nonmember.audit.parts import checked
from nonmember.audit.records import Results, TargetResult
from nonmember.data.examples import Examples
from nonmember.data.split import Split
from nonmember.errors import DataError, SpecError
from nonmember.signals.store import Store

MEMBERS, CALIBRATION, PUBLIC = 80, 20, 120
TRAINED = {
    "trained_on": "members",
    "architecture": "mlp",
    "options": {"width": 32, "depth": 1},
    "recipe": {"epochs": 30, "learning_rate": 0.01},
}
DIFFENCE = {"name": "diffence"}
BY_INTERVAL = {"name": "diffence", "options": {"selector": "s1"}}
SELENA = {"name": "selena", "options": {"k": 3, "l": 1}}
SMALL = {"recipe": {"updates": 40, "widths": [32]}, "t": 40, "n": 4}


def spec(targets: Mapping[str, Any], **change: Any) -> ClassifierSpec:
    values = {
        "kind": "classifier",
        "data": {
            "pool": "noisy-digits",
            "take": {"members": MEMBERS, "non_members": MEMBERS, "public": PUBLIC},
            "calibration": CALIBRATION / MEMBERS,
            "population": 0,
        },
        "targets": {name: {**TRAINED, "defenses": own} for name, own in targets.items()},
        "references": {"count": 4},
        "diffusion": SMALL,
        "attacks": {"run": ["loss", "gap", "self_diffused", "lira_offline"], "queries": 130},
        "evaluation": {"fpr": [0.1], "resamples": 200, "redraws": 0},
        **change,
    }
    return checked(ClassifierSpec, values, "test")


def subject(*defenses: Any, **change: Any) -> Subject:
    return inspect(spec({"model": defenses}, **change))


def codes(examples: Examples) -> set[bytes]:
    return {row.tobytes() for row in examples.digests}


def of(kind: type, found: Plan) -> list[Any]:
    return [job for job in found.jobs if isinstance(job, kind)]


def test_what_defenses_are_set_by_is_trained_on_and_never_evaluated() -> None:
    found = subject(DIFFENCE)
    candidates, (target,) = found.candidates, found.targets
    known, evaluated = candidates.calibration, codes(candidates.examples)
    aside = codes(known.members) | codes(known.non_members) | codes(candidates.public)
    assert len(aside) == 2 * CALIBRATION + PUBLIC and not aside & evaluated
    assert target.made is not None and target.references is not None
    mine = codes(target.made.examples)
    assert codes(known.members) < mine and not mine & codes(known.non_members)
    assert not mine & codes(candidates.public)
    set_by = codes(known.members) | codes(known.non_members)
    assert codes(target.references.examples) == evaluated | set_by  # as much as the target saw


def test_a_reference_is_defended_as_the_target_is_by_examples_it_saw_and_did_not_see() -> None:
    found = subject(DIFFENCE)
    known = found.candidates.calibration
    set_by = codes(known.members) | codes(known.non_members)
    (asked,) = [
        job
        for job in of(Inquire, plan(found))
        if isinstance(job.model, Guarded)
        and job.signal.name == "class_logits"
        and isinstance(job.model.inner, Teach)
        and len(job.model.inner.models) == 4
    ]
    for own, model in zip(asked.model.known, asked.model.inner.models, strict=True):
        rows = asked.model.inner.kind.examples
        saw, not_saw = (rows.take(np.flatnonzero(side)) for side in (model.rows, ~model.rows))
        assert codes(own.members) | codes(own.non_members) == set_by
        assert len(own.members) + len(own.non_members) == 2 * CALIBRATION
        assert codes(own.members) < codes(saw) and codes(own.non_members) < codes(not_saw)


def test_one_set_of_copies_serves_every_target_and_reference() -> None:
    many = inspect(spec({"bare": (), "fenced": (DIFFENCE,), "both": (SELENA, DIFFENCE)}))
    found = plan(many)
    assert len(of(Learn, found)) == 1
    assert many.regenerator is not None
    own = [job for job in of(Regenerate, found) if job.by.secret == many.regenerator.secret]
    asked = [codes(many.candidates.public), codes(many.candidates.examples)]
    assert [codes(job.examples) for job in own] == asked
    attackers = [job for job in of(Regenerate, found) if job not in own]
    assert len(attackers) == 4 and len({job.by.secret for job in attackers}) == 1


@pytest.mark.parametrize(
    ("defenses", "who"),
    [
        ((BY_INTERVAL,), {"members", "non_members", "public"}),
        (({"name": "diffence", "options": {"selector": "s2"}},), {"members", "public"}),
        (({"name": "diffence", "options": {"selector": "mean"}},), set()),
        ((DIFFENCE, {"name": "memguard"}), {"members", "non_members", "public"}),
    ],
)
def test_what_a_fence_is_set_by_is_copied_in_a_job_before_it_is_asked(
    defenses: tuple[Any, ...], who: set[str]
) -> None:
    found = subject(*defenses, attacks={"run": ["loss"]}, references={"count": 0})
    candidates = found.candidates
    known = candidates.calibration
    sides = {"members": known.members, "non_members": known.non_members}
    copied, jobs = set[bytes](), plan(found).jobs
    for job in jobs[: 1 + max(i for i, job in enumerate(jobs) if isinstance(job, Regenerate))]:
        copied |= codes(job.examples) if isinstance(job, Regenerate) else set()
    assert codes(candidates.examples) < copied or not who
    for side, examples in {**sides, "public": candidates.public}.items():
        assert (codes(examples) <= copied) == (side in who)


def test_references_are_set_by_copies_of_one_job() -> None:
    found = plan(inspect(spec({"fenced": (BY_INTERVAL,), "both": (SELENA, BY_INTERVAL)})))
    own = [job for job in of(Regenerate, found) if "set by" in job.label]
    assert [len(job.examples) for job in own] == [2 * CALIBRATION]


def test_every_job_finds_what_it_needs_before_it() -> None:
    found = plan(inspect(spec({"bare": (), "fenced": (DIFFENCE,), "both": (SELENA, DIFFENCE)})))
    done: set[str] = set()
    for job in found.jobs:
        assert before(job) <= done, job.label
        done.add(job.address)
    assert set(found.gauged) == {"fenced", "both"} and len(of(Gauge, found)) == 2


@pytest.mark.parametrize(
    ("defenses", "change", "kind", "said"),
    [
        (({"name": "difence"},), {}, SpecError, "no defense 'difence'; did you mean diffence"),
        (
            ({"name": "diffence", "options": {"selector": "s4"}},),
            {},
            SpecError,
            r"targets.model.defenses.diffence",
        ),
        (
            ({"name": "relaxloss"}, SELENA),
            {},
            SpecError,
            "targets.model: recipe: it has the objective RelaxLoss already",
        ),
        (
            (DIFFENCE,),
            {
                "data": {
                    "pool": "noisy-digits",
                    "take": {"members": 80, "public": 120},
                    "population": 0,
                }
            },
            SpecError,
            "set data.calibration to a share",
        ),
        (
            (DIFFENCE,),
            {
                "data": {
                    "pool": "noisy-digits",
                    "take": {"members": 80, "public": 20},
                    "calibration": 0.25,
                    "population": 0,
                }
            },
            DataError,
            "20 public examples to train a diffusion model on, and it needs 100",
        ),
        (
            ({"name": "adv_reg"},),
            {"data": {"pool": "digits", "take": {"members": 80}, "population": 0}},
            DataError,
            "adv_reg trains with examples on neither side, and there are none",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_work(
    defenses: tuple[Any, ...], change: dict[str, Any], kind: type[Exception], said: str
) -> None:
    change = {"diffusion": None, **change} if kind is DataError and "adv" in said else change
    with pytest.raises(kind, match=said):
        subject(*defenses, **change)


def test_the_range_of_inputs_is_seen_or_asked_for() -> None:
    by = subject(DIFFENCE).regenerator
    assert by is not None and isinstance(by.model, defenses.Learned)
    assert (by.model.low, by.model.high) == (-1.0, 1.0)
    wide = subject(DIFFENCE, diffusion={**SMALL, "low": -2, "high": 2}).regenerator
    assert wide is not None and isinstance(wide.model, defenses.Learned)
    assert (wide.model.low, wide.model.high) == (-2.0, 2.0)
    assert wide.digest != by.digest


def test_a_diffusion_model_that_knows_members_is_no_leak_of_the_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attack asks it alone and knows them all; the one on the classifier guesses."""

    def scored(_known: Any, split: Split, *_rest: Any) -> dict[str, np.ndarray]:
        chance = np.random.default_rng(0).random(len(split.member))
        return {"loss": chance, "diffusion_error": split.member + 0.1 * chance}

    monkeypatch.setattr(judge, "all_scores", scored)
    run = {"attacks": {"run": ["loss", "diffusion_error"]}, "references": {"count": 0}}
    (found,) = nm.audit_spec(
        spec({"bare": ()}, **run), tmp_path / "run", store=tmp_path / "s"
    ).targets
    known = {one.name: one.auc.value for one in found.attacks}
    assert known["diffusion_error"] == 1 and known["loss"] < 0.65
    assert found.strongest == "loss" and found.leaks is not True
    assert "reveals" not in found.verdict and not found.exposed


def test_the_diffusion_model_alone_is_no_attack_on_the_classifier() -> None:
    with pytest.raises(SpecError, match="no attack on the model"):
        inspect(spec({"bare": ()}, attacks={"run": ["diffusion_error"]}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("defended")
    asked = spec({"bare": (), "fenced": (BY_INTERVAL,)})
    return nm.audit_spec(asked, folder / "run", store=folder / "store"), folder


def named(results: Results, name: str) -> TargetResult:
    return next(one for one in results.targets if one.name == name)


def auc(target: TargetResult, attack: str) -> float:
    return next(one.auc.value for one in target.attacks if one.name == attack)


def test_labels_stay_and_what_reads_them_alone_finds_what_it_found(
    finished: tuple[Results, Path],
) -> None:
    bare, fenced = (named(finished[0], name) for name in ("bare", "fenced"))
    for attack in ("gap", "self_diffused"):
        assert auc(fenced, attack) == auc(bare, attack)
    assert bare.classifier is not None and fenced.classifier is not None
    assert fenced.classifier.accuracy == bare.classifier.accuracy
    assert auc(fenced, "loss") != auc(bare, "loss")


def test_what_stands_before_a_model_is_said_with_its_costs(finished: tuple[Results, Path]) -> None:
    bare, fenced = (named(finished[0], name) for name in ("bare", "fenced"))
    assert bare.guard is None and bare.defenses == ()
    assert [(one.name, one.stage) for one in fenced.defenses] == [("diffence", "inference")]
    guard = fenced.guard
    assert guard is not None and guard.kept and guard.fell_back
    assert guard.inside and all(one.value <= 1 for one in guard.inside)
    assert guard.counts == (MEMBERS - CALIBRATION, MEMBERS - CALIBRATION)
    assert [one.value for one in guard.changed] == [0.0, 0.0]
    assert all(0 < one.value <= 1 for one in guard.kept)
    assert set(guard.milliseconds) == {"undefended", "defended"}
    assert all(took > 0 for one in guard.milliseconds.values() for took in one.values())
    assert "behind diffence" in fenced.description


def test_what_the_interval_leaves_is_told_of_whom_it_was_not_set_by(
    finished: tuple[Results, Path],
) -> None:
    guard = named(finished[0], "fenced").guard
    assert guard is not None and guard.apart is not None
    apart = guard.apart
    assert apart.measure == "Jensen-Shannon divergence, nats"
    assert apart.fitted_by == (CALIBRATION, CALIBRATION)
    assert 0 <= apart.untouched.low < apart.untouched.value < apart.untouched.high
    page = (finished[1] / "run" / "report.html").read_text()
    assert f"{apart.untouched.value:.3f}"[1:] in page
    assert "of these 60 and 60. It was chosen by 20 and 20 others" in " ".join(page.split())


def test_the_undefended_answer_is_released_for_no_candidate(finished: tuple[Results, Path]) -> None:
    found = plan(inspect(spec({"bare": (), "fenced": (BY_INTERVAL,)})))
    store = Store(finished[1] / "store")
    bare, fenced = (
        store.array(found.answers[name, "target", "class_logits", "candidates"][0], "logits")
        for name in ("bare", "fenced")
    )
    assert (bare.argmax(axis=1) == fenced.argmax(axis=1)).all()
    assert (np.abs(bare - fenced).max(axis=1) > 0).all()


def test_the_same_audit_again_does_nothing(
    finished: tuple[Results, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished job was done again")

    for kind in (Teach, Learn, Regenerate, Inquire, Gauge):
        monkeypatch.setitem(work.MAKING, kind, fail)
    asked = spec({"bare": (), "fenced": (BY_INTERVAL,)})
    again = nm.audit_spec(asked, tmp_path / "run", store=finished[1] / "store")
    assert again.targets == finished[0].targets


def test_a_fence_is_written_once_and_answers_as_it_should(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = rng.uniform(0.2, 0.8, (3, 16))
    labels = np.arange(360) % 3
    inputs = np.clip(centres[labels] + rng.normal(0, 0.1, (360, 16)), 0, 1).astype(np.float32)
    sides = [(inputs[part], labels[part]) for part in np.split(np.arange(360), [100, 200])]
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(*sides[0])
    settings = {
        "diffusion": SMALL,
        "evaluation": {"fpr": [0.1], "resamples": 200, "redraws": 0},
        "attacks": {"run": ["loss", "gap"]},
    }
    run, store = tmp_path / "run", tmp_path / "store"
    call: Callable[[], Results] = lambda: nm.fence(  # noqa: E731
        model, *sides, run, settings=settings, store=store
    )
    assert [one.name for one in call().targets] == ["as it is", "label alone", "fenced"]
    from nonmember.models.fence.saved import SECRET, load

    secret = (run / "fenced" / SECRET).read_text()
    fenced = load(run / "fenced")
    answers = fenced.logits(sides[1][0])
    assert (answers.argmax(axis=1) == model.predict(sides[1][0])).all()
    call()
    assert (run / "fenced" / SECRET).read_text() == secret
