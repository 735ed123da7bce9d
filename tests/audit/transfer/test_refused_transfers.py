"""What an audit of fine-tuned classifiers cannot do is refused before any work, with a remedy."""

from pathlib import Path
from typing import Any

import digits_transfer as small
import numpy as np
import pytest
import torch
from safetensors.torch import save_model

import nonmember as nm
from nonmember.audit import kinds, run, ways
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.audit.transfer.subject import Given, inspect
from nonmember.data.examples import of
from nonmember.errors import DataError, ModelError, SpecError


def refused(error: type[Exception], said: str, **change: Any) -> None:
    with pytest.raises(error, match=said):
        nm.dry_run(small.values(**change), store="no such store")


def task(width: int, classes: int) -> Given:
    rng = np.random.default_rng(0)
    return Given(downstream=of(rng.random((300, 8, width)), rng.integers(0, classes, 300)))


def test_a_spec_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    spec = kinds.parse(small.values(), "test")
    assert isinstance(spec, TransferSpec) and ways.of(spec) is ways.WAYS["transfer"]
    run.claim(tmp_path / "run", spec)
    assert run.asked(tmp_path / "run") == spec
    assert spec.targets["head"].recipe.epochs == 3  # as it is said
    assert spec.targets["head"].recipe.batch_size == 64  # as all are


def test_six_references_are_enough() -> None:
    values = small.values(parents={**small.PARENTS, "count": 6})
    assert nm.dry_run(values, store="no such store")


@pytest.mark.parametrize(("outside", "said"), [(80, False), (66, False), (65, True), (98, True)])
def test_sides_so_unequal_that_parents_are_is_told_beforehand(outside: int, said: bool) -> None:
    take = {"members": 80, "non_members": outside}
    data = {**small.values()["data"], "take": take}
    spec = kinds.parse(small.values(data=data), "test")
    assert ("E126" in {one.code for one in inspect(spec).findings}) is said


def test_what_a_recipe_leaves_open_follows_from_the_way() -> None:
    ways_of = {
        "head": {},
        "low rank": {"kind": "lora", "rank": 4},
        "private": {"kind": "full", "epsilon": 6.7, "recipe": {"epochs": 2}},
    }
    spec = kinds.parse(small.values(targets=ways_of), "test")
    assert isinstance(spec, TransferSpec)
    found = {name: one.recipe for name, one in spec.targets.items()}
    assert (found["head"].learning_rate, found["low rank"].learning_rate) == (3e-3, 3e-3)
    assert (found["private"].optimizer, found["private"].epochs) == ("sgd", 2)
    budget = spec.targets["private"].tuning.budget
    assert budget is not None and (budget.epsilon, budget.delta) == (6.7, 1e-5)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"kind": "last_k"}, "k belongs to kind 'last_k'"),
        ({"k": 2}, "k belongs to kind 'last_k'"),
        ({"kind": "lora"}, "rank belongs to kind 'lora'"),
        ({"weights": "w.safetensors"}, "weights are of a model that is there"),
        ({"recipe": {"epoch": 1}}, "no recipe setting 'epoch'; did you mean epochs"),
        ({"epsilon": 1e-4}, "budget: epsilon = 0.0001 cannot be met"),
        ({"kind": "last_k", "k": 9}, "last_k with k = 9, and the network has 3 layers"),
    ],
)
def test_a_way_of_fine_tuning_that_cannot_be(target: dict[str, Any], said: str) -> None:
    refused(SpecError, f"targets.m.*{said}", targets={"m": target})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parents": {**small.PARENTS, "count": 7}}, "parents.count: .* multiple of 2"),
        ({"parents": {**small.PARENTS, "count": 4}}, "parents.count: .* than or equal to 6"),
        ({"attacks": {"run": ["lira"]}}, "no attack 'lira'; did you mean"),
        ({"attacks": {"run": ["parent_lira"]}}, "no attack that runs asks the fine-tuned model"),
        ({"attacks": {"run": ["tmi"], "access": "label"}}, "it needs scores, and the attacker"),
        ({"attacks": {"run": ["tmi"], "access": "topk"}}, "sees; give both or neither"),
        ({"attacks": {"run": ["tmi"], "k": 2}}, "sees; give both or neither"),
        (
            {"attacks": {"run": ["tmi"], "k": 2, "access": "topk", "options": {"tmi": {"k": 3}}}},
            "attacks.options.tmi: k = 3, and the attacker sees 2; give no more",
        ),
        ({"downstream": {"pool": "digits", "merg": 2}}, "no key 'merg'; did you mean merge"),
    ],
)
def test_a_spec_that_cannot_be(change: dict[str, Any], said: str) -> None:
    refused(SpecError, said, **change)


def test_downstream_examples_that_are_candidates(tmp_path: Path) -> None:
    inside, outside, _ = small.written(tmp_path)
    data = {"members": inside, "non_members": outside}
    refused(DataError, "is a candidate too .80 such.", data=data, downstream={"pool": inside})
    refused(SpecError, "mislabelled plants wrong", data={**data, "mislabelled": 0.1})


@pytest.mark.parametrize(
    ("width", "classes", "said"),
    [
        (8, 1, "examples have 1 class, and nothing can be learnt from it; give a task"),
        (7, 5, r"inputs of shape \(8, 7\), and candidates of \(8, 8\)"),
    ],
)
def test_a_task_that_nothing_can_be_learnt_of(width: int, classes: int, said: str) -> None:
    spec = kinds.parse(small.values(), "test")
    with pytest.raises(DataError, match=said):
        inspect(spec, task(width, classes))


def test_a_model_of_another_task_a_file_of_answers_and_an_adapter(tmp_path: Path) -> None:
    save_model(small.narrow((8, 8), 10), str(tmp_path / "w.safetensors"))
    answers = tmp_path / "answers.npy"
    np.save(answers, np.full((400, 5), 0.2))
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    spec = kinds.parse(small.values(targets={"m": {"model": "mine"}}), "test")
    with pytest.raises(ModelError, match=r"targets.m: .*knows 10 classes, and the downstream"):
        inspect(spec, Given({"mine": network}))
    for path, said in ((answers, "says nothing of altered inputs"), (folder, "merge it into its")):
        with pytest.raises(ModelError, match=f"targets.m: .*{said}"):
            inspect(kinds.parse(small.values(targets={"m": {"model": str(path)}}), "test"))


def test_an_attack_on_the_ancestor_needs_it(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 5))
    targets, attacks = {"m": {"model": "mine"}}, {"run": ["tmi_lda"]}
    spec = kinds.parse(small.values(targets=targets, attacks=attacks), "test")
    assert inspect(spec, Given({"mine": network})).targets[0].parent is None
    spec = kinds.parse(small.values(targets=targets), "test")
    with pytest.raises(SpecError, match=r"parent_lira.*asks the model that this one was fine-tun"):
        inspect(spec, Given({"mine": network}))
