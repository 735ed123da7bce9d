"""What cannot be audited is refused in one sentence, before anything is trained or asked."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import torch
from digits import Side
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import nonmember as nm
from nonmember.audit.classifiers.candidates import Sides
from nonmember.audit.classifiers.spec import Target
from nonmember.audit.classifiers.subject import Given, inspect
from nonmember.data.examples import of
from nonmember.errors import NonmemberError
from nonmember.verbs.classifiers import classifier_spec

Change = dict[str, Any]


def refused(folder: Path, **change: Any) -> str:
    """The sentence of a refusal that leaves neither work nor a run behind."""
    (members, others) = digits.sides()
    plain = {"model": digits.leaky(), "members": members, "non_members": others}
    plain |= {"architecture": digits.network}
    given = {**plain, **{key: value for key, value in change.items() if key in plain}}
    keys = {key: value for key, value in change.items() if key not in plain}
    with pytest.raises(NonmemberError) as raised:
        nm.audit_classifier(
            **given,
            output=folder / "run",
            store=folder / "store",
            settings=digits.settings(**keys),
        )
    assert not (folder / "run").exists() and not (folder / "store").exists()
    said = str(raised.value)
    assert "\n" not in said and said[-1] not in ". " and not re.search(r"[a-z]\. [A-Z]", said)
    return said


@pytest.mark.parametrize(
    ("count", "said"),
    [(2, "2 cannot tell chance from membership; use at least 4"), (5, "multiple of 2 .got '5'.")],
)
def test_too_few_references_or_an_odd_number(tmp_path: Path, count: int, said: str) -> None:
    assert re.search(said, refused(tmp_path, references={**digits.REFERENCES, "count": count}))


def test_more_references_than_a_precision_may_take(tmp_path: Path) -> None:
    how = {**digits.REFERENCES, "precision": 0.05, "most": 4}
    assert "count is more than most; give fewer" in refused(tmp_path, references=how)


def relabelled(change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Side]:
    (rows, labels), (others, theirs) = digits.sides()
    return {"members": (rows, change(labels)), "non_members": (others, change(theirs))}


def test_a_class_that_no_reference_would_be_shown(tmp_path: Path) -> None:
    given = relabelled(lambda labels: np.where(labels == 3, 4, labels))
    assert "class 3 has 0 of 260 examples" in refused(tmp_path, **given)
    given = relabelled(lambda labels: np.where(labels == 9, 4, labels))  # the last one too
    assert "class 9 has 0 of 260 examples" in refused(tmp_path, **given)


def test_a_class_that_no_reference_would_be_shown_is_no_matter_without_them(
    tmp_path: Path,
) -> None:
    given = relabelled(lambda labels: np.where(labels == 3, 4, labels))
    keys = digits.settings(attacks={"run": ["loss"]})
    folder, model = tmp_path / "run", digits.leaky()
    nm.audit_classifier(
        model,
        given["members"],
        given["non_members"],
        folder,
        architecture=digits.network,
        store=tmp_path / "store",
        settings=keys,
    )


def test_labels_beyond_the_targets_classes(tmp_path: Path) -> None:
    said = refused(tmp_path, model=nn.Linear(64, 9))
    assert re.search(r"targets.model: (non-)?member \d+: its label is 9, and Linear knows", said)
    assert "the 9 classes 0 to 8" in said


def test_logits_that_are_infinite(tmp_path: Path) -> None:
    model = digits.network()
    with torch.no_grad():
        next(reversed([*model.parameters()]))[0] = torch.inf
    said = refused(tmp_path, model=model)
    assert "its logits for input 1 hold inf, which is not finite; mend the model" in said


def test_probabilities_that_do_not_sum_to_one(tmp_path: Path) -> None:
    rows = np.full((digits.MEMBERS + digits.OTHERS, 10), 0.1)
    rows[250] *= 1.1
    np.savez(tmp_path / "p.npz", probabilities=rows)
    said = refused(tmp_path, model=tmp_path / "p.npz")
    assert "its probabilities for input 251 sum to 1.1" in said and said.startswith("targets.")


def test_answers_for_another_number_of_examples(tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.full((299, 10), 0.1))
    said = refused(tmp_path, model=tmp_path / "p.npy")
    assert "has 299 rows for 300 records; give one row per record, members first" in said


def test_inputs_in_another_shape_than_the_target_takes(tmp_path: Path) -> None:
    cut = {
        name: (rows[:, :60], labels)
        for name, (rows, labels) in zip(("members", "non_members"), digits.sides(), strict=True)
    }
    said = refused(tmp_path, **cut, architecture="mlp")
    assert "targets.model: Sequential: refuses inputs of float32 in shape (60,)" in said
    assert "it takes shape (64,)" in said
    said = refused(tmp_path, members=cut["members"])
    assert "inputs of float32 (60,) and of float32 (64,); give both sides in one form" in said


def test_an_architecture_of_another_shape(tmp_path: Path) -> None:
    said = refused(tmp_path, architecture=lambda: nn.Linear(60, 10))
    assert "<lambda>: refuses inputs of float32 in shape (64,)" in said
    said = refused(tmp_path, architecture=lambda: nn.Linear(64, 11))
    assert "answers (1, 11) for one input; let it answer (1, 10)" in said
    said = refused(tmp_path, architecture="cnn")
    assert "cnn: inputs have the shape (64,); give images" in said


def test_an_input_on_both_sides(tmp_path: Path) -> None:
    (rows, labels), (others, theirs) = digits.sides()
    both = np.concatenate([others, rows[6:7]]), np.append(theirs, labels[6])
    said = refused(tmp_path, non_members=both)
    assert "member 7: the same input is among the members and the non-members (1 such)" in said


def test_inputs_and_labels_that_are_none(tmp_path: Path) -> None:
    rows, labels = digits.sides()[0]
    empty = np.where(np.arange(64) == 5, np.nan, rows).astype(np.float32)
    assert "member 1 holds a number that is not finite" in refused(
        tmp_path, members=(empty, labels)
    )
    assert "give one whole number each" in refused(tmp_path, members=(rows, labels + 0.5))
    for odd in ([[1.0], [1.0, 2.0]], [None, None], labels):
        said = refused(tmp_path, members=(odd, labels[: len(odd)]))
        assert "that makes no array of numbers; give a row or an image for each" in said
    assert "one side is a file and the other is not" in refused(tmp_path, members="in.npz")


def test_a_population_that_is_too_small(tmp_path: Path) -> None:
    rows, labels = digits.sides()[1]
    said = refused(tmp_path, non_members=(rows[:60], labels[:60]))
    assert "0.2 of 60 non-members are 12, and fewer than 20" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"references": {"recipe": {"epoch": 3}}},
            "no recipe setting 'epoch'; did you mean epochs",
        ),
        ({"references": {"recipe": {"epochs": 0}}}, "epochs = 0; give at least 1"),
        ({"references": {"counts": 4}}, "no key 'counts'; did you mean count"),
        ({"architecture": "mlpp"}, "targets.model: no network 'mlpp'; did you mean mlp"),
        ({"architecture": "no_such:make"}, "the module no_such cannot be imported"),
        ({"architecture": nn.Linear(64, 10)}, "each reference model is initialised anew"),
        ({"attacks": {"run": ["lirra"]}}, "no attack 'lirra'; did you mean lira"),
        ({"attacks": {"run": ["wbc"]}}, "no attack 'wbc'"),
        ({"attacks": {"run": ["input_statistics"]}}, "no attack on the model"),
        ({"attacks": {"options": {"lira": {"stdd": 1}}}}, "no option 'stdd'; did you mean std"),
        ({"signals": {"options": {"vew_logits": {}}}}, "did you mean view_logits"),
        ({"architecture": None}, "lira' cannot run: it compares with reference models; train"),
        ({"data": {"population": 0}}, "rmia' cannot run: it needs non-members that the attacker"),
        ({"attacks": {"run": ["loss"], "access": "label"}}, "it needs scores, and the attacker"),
        ({"model": "no.skops"}, "no.skops: no such file or folder; give a folder"),
        ({"model": "nets:plain"}, "makes a network without weights; give its file with --weights"),
        ({"model": {"a": 1}}, "neither a torch network nor a scikit-learn classifier"),
        ({"members": "no.npz", "non_members": "no.npz"}, "no.npz: no such file"),
    ],
)
def test_what_there_is_not(tmp_path: Path, change: Change, said: str) -> None:
    assert said in refused(tmp_path, **change)


def test_a_rare_class_is_refused_before_the_first_round_of_a_precision(tmp_path: Path) -> None:
    (rows, labels), (others, theirs) = digits.sides()
    labels, theirs = (np.where(part == 9, 8, part) for part in (labels, theirs))
    labels = labels.copy()
    labels[:6] = 9  # enough for eight halves, not for all of 256
    how = {**digits.REFERENCES, "precision": 0.01, "most": 256}
    given = {"members": (rows, labels), "non_members": (others, theirs)}
    assert "class 9 has 6 of 260 examples" in refused(tmp_path, references=how, **given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"compute": {"precision": "bfloat16"}}, "leave compute.precision out"),
        ({"target": {"recipe": {"epochs": 2}}}, "belong to references"),
    ],
)
def test_a_setting_that_would_do_nothing(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, **change)


def test_models_that_name_their_classes_differently(tmp_path: Path) -> None:
    (members, others), names = digits.sides(), np.array([f"digit {place}" for place in range(10)])
    both = [
        RandomForestClassifier(2).fit(members[0], names[labels])
        for labels in (members[1], 9 - members[1] % 9)
    ]
    given = {f"{name} in memory": model for name, model in zip("ab", both, strict=True)}
    spec = classifier_spec(
        "a in memory", data={"members": "a", "non_members": "b"}, settings=digits.settings()
    )
    targets = {name[0]: Target(model=name) for name in given}
    spec = spec.model_copy(update={"targets": targets})
    sides = Sides(*(of(*side) for side in (members, others)), of(members[0][:0], members[1][:0]))
    with pytest.raises(NonmemberError, match="a, b name their classes differently; audit each"):
        inspect(spec, Given(given, sides))
