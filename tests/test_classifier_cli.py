"""Classifiers on the command line, in every form that takes no code: to leaks and refusals."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
import torch
from files import sentences
from models.classifiers.test_exported import exported
from models.classifiers.test_sequence import written as bert
from safetensors.torch import save_model
from sklearn.ensemble import RandomForestClassifier

from nonmember.audit import records
from nonmember.audit.records import TargetResult

Say = Callable[..., tuple[int, str, str]]
ATTACKS = ["--attack", "loss", "--attack", "lira", "--attack", "rmia", "--fpr", 0.1]
RECIPE = [word for pair in digits.RECIPE.items() for word in ("--recipe", "{}={}".format(*pair))]
LIKE_IT = ["--references", 8, *RECIPE]
NETWORK = "digits:network"
OF_TEXTS = ["loss", "attack_p", "class_thresholds", "label_frequency"]
SPEC = """
kind = "classifier"
[data]
{sides}
[targets.model]
model = "{model}"
[references]
count = 8
[attacks]
queries = 1
options = {{ input_statistics = {{ trees = 5 }} }}
[evaluation]
fpr = [0.1]
resamples = 200
redraws = 0
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return digits.written(tmp_path_factory.mktemp("sides"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_model(digits.leaky(), str(path))
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all targets, whose references are the same."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def audit(say: Say, files: Sequence[str], tmp_path: Path) -> Say:
    """The command on both files; its folder is "run" below the test's own."""

    def run(*words: object, sides: Sequence[object] = files) -> tuple[int, str, str]:
        both = ["--members", sides[0], "--non-members", sides[1]]
        return say("audit", "classifier", *both, "--output", tmp_path / "run", *words)

    return run


def refused(answer: tuple[int, str, str]) -> str:
    """The sentence of a refusal: status 2, one line, nothing on standard output."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    return err


def target(folder: Path) -> TargetResult:
    (found,) = records.load(folder / "run").targets
    return found


def test_a_factory_with_safetensors_is_its_own_architecture(
    audit: Say, weights: Path, store: Path, tmp_path: Path
) -> None:
    words = ["--model", NETWORK, "--weights", weights, *LIKE_IT, *ATTACKS, "--store", store]
    status, out, _ = audit(*words, "--dry-run")
    assert status == 0 and "train references of model 1-8" in out
    assert not (tmp_path / "run").exists()
    status, out, err = audit(*words)
    assert status == 0 and "jobs to do" in err
    for said in ("lira", "rmia", "100+160", str(tmp_path / "run" / "report.html")):
        assert said in out
    found = target(tmp_path)
    assert found.leaks is True and "8 reference models of digits:network" in found.description
    status, out, _ = audit(*words, "--dry-run")
    assert status == 0 and out.count("in the store") == 5 and " to do " not in out
    status, again, err = audit(*words)
    assert status == 0 and "jobs to do" not in err and "lira" in again


def program(folder: Path) -> Path:
    return exported(folder / "m.pt2", digits.leaky(), (64,))


def forest(folder: Path) -> Path:
    skops = pytest.importorskip("skops.io")
    rows, labels = digits.sides()[0]
    skops.dump(
        RandomForestClassifier(10, random_state=0).fit(rows, labels), folder / "forest.skops"
    )
    return folder / "forest.skops"


def answers(folder: Path) -> Path:
    rows = np.concatenate([rows for rows, _ in digits.sides()])
    with torch.no_grad():
        np.savez(folder / "p.npz", logits=digits.leaky()(torch.from_numpy(rows)).numpy())
    return folder / "p.npz"


@pytest.mark.parametrize("made", [program, forest, answers])
def test_a_file_is_audited_with_references_of_a_named_architecture(
    audit: Say, store: Path, tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    model = made(tmp_path)
    words = ["--architecture", NETWORK, *LIKE_IT, *ATTACKS, "--store", store]
    status, out, _ = audit("--model", model, *words)
    assert status == 0 and "100+160" in out
    found = target(tmp_path)
    assert found.leaks is True and [one.name for one in found.attacks] == ["loss", "lira", "rmia"]
    assert found.attacks[1].auc.low > 0.55


def test_without_an_architecture_attacks_by_reference_are_left_out_with_the_reason(
    say: Say, files: Sequence[str], tmp_path: Path
) -> None:
    sides = 'members = "{}"\nnon_members = "{}"'.format(*files)
    spec = SPEC.format(sides=sides, model=program(tmp_path))
    (tmp_path / "audit.toml").write_text(spec)
    places = ["--output", tmp_path / "run", "--store", tmp_path / "store"]
    status, _, _ = say("audit", "spec", tmp_path / "audit.toml", *places)
    assert status == 0
    told = [one.message for one in target(tmp_path).findings if one.code == "E108"]
    (lira,) = [message for message in told if message.startswith("lira did not run")]
    assert "train some with --references and --architecture" in lira
    assert "it asks the model 9 times per record; allow it with --queries 9" in "".join(told)
    ran = {one.name for one in target(tmp_path).attacks}
    assert {"loss", "gap", "entropy", "attack_p", "quantile"} <= ran and "lira" not in ran


def test_an_attack_that_is_named_and_cannot_run_is_one_sentence(audit: Say, tmp_path: Path) -> None:
    words = ["--model", program(tmp_path), "--attack", "lira", "--store", tmp_path / "store"]
    said = refused(audit(*words, "--references", 8))
    assert "'lira' cannot run: it compares with reference models; train some with" in said
    assert not (tmp_path / "store").exists() and not (tmp_path / "run").exists()


def lines(path: Path, texts: Sequence[str]) -> Path:
    rows = ({"text": text, "label": place % 3} for place, text in enumerate(texts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_folder_of_a_sequence_classifier_is_audited_on_texts(
    audit: Say, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model, texts = bert(tmp_path / "bert"), sentences(150, seed=4)
    capfd.readouterr()  # how far saving it was
    sides = [lines(tmp_path / "in.jsonl", texts[:40]), lines(tmp_path / "out.jsonl", texts[40:])]
    words = ["--model", model, "--store", tmp_path / "store", "--fpr", 0.1]
    words += [word for name in OF_TEXTS for word in ("--attack", name)]
    said = refused(audit(*words, "--attack", "augmentation", sides=sides))
    assert "it alters inputs, and texts are not altered, or leave the attack out" in said
    status, out, err = audit(*words, sides=sides)
    assert status == 0 and "40+88" in out
    found = target(tmp_path)
    assert found.leaks is False and [one.name for one in found.attacks] == OF_TEXTS
    shared = "".join(path.read_text() for path in (tmp_path / "run").glob("*.*")) + out + err
    assert not [text for text in texts if text in shared]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "no.skops"], "targets.model: no.skops: no such file or folder; give a folder"),
        (["--model", "model.pt"], "a pickled file runs whatever code it holds"),
        (["--model", NETWORK], "makes a network without weights; give its file with --weights"),
        (["--model", NETWORK, "--weights", "no.safetensors"], "no.safetensors: is not there"),
        (["--model", "digits:netwrk", "--weights", "no.safetensors"], "is not there"),
        (["--model", "x.npz", "--weights", "w.safetensors"], "takes no weights of its own"),
        (["--model", "no", "--attack", "lirra"], "no attack 'lirra'; did you mean lira"),
        (["--model", "no", "--attack", "input_statistics"], "no attack on the model"),
        (["--model", "no", "--references", 5], "references.count: Input should be a multiple of 2"),
        (
            ["--model", "no", "--recipe", "epoch=3"],
            "no recipe setting 'epoch'; did you mean epochs",
        ),
        (["--model", "no", "--recipe", "epochs"], "'epochs': not of the form NAME=VALUE"),
        (["--model", "no", "--access", "logits"], "attacks.access: Input should be 'label'"),
        (["--model", "no", "--population", 1], "data.population: Input should be less than 1"),
        (["--model", "no", "--address", "here:1"], "choose the engine ray"),
    ],
)
def test_what_there_is_not_is_one_sentence(
    audit: Say, tmp_path: Path, words: list[object], said: str
) -> None:
    assert said in refused(audit(*words, "--store", tmp_path / "store"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--references", 2], "2 cannot tell chance from membership; use at least 4"),
        (["--architecture", "mlpp"], "targets.model: no network 'mlpp'; did you mean mlp"),
        (["--architecture", "digits:netwerk"], "did you mean network"),
        (["--architecture", "cnn"], "cnn: inputs have the shape (64,); give images"),
        (["--population", 0.05], "fewer than 20 tell nothing"),
        (["--label", "class"], "holds x, y and no labels"),
        (["--group", "person"], "holds x, y and no groups"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    audit: Say, weights: Path, tmp_path: Path, words: list[object], said: str
) -> None:
    plain = ["--model", NETWORK, "--weights", weights, "--store", tmp_path / "store"]
    assert said in refused(audit(*plain, *words))
    assert not any(tmp_path.iterdir())


def test_missing_files_are_one_sentence(audit: Say, weights: Path, tmp_path: Path) -> None:
    plain = ["--model", NETWORK, "--weights", weights, "--store", tmp_path / "store"]
    gone = tmp_path / "gone.npz"
    assert f"{gone}: no such file" in refused(audit(*plain, sides=[gone, gone]))
    assert not any(tmp_path.iterdir())


def test_weights_of_another_network_are_one_sentence(audit: Say, tmp_path: Path) -> None:
    other: Any = torch.nn.Sequential(torch.nn.Linear(64, 9), torch.nn.ReLU())
    save_model(other, str(tmp_path / "w.safetensors"))
    words = ["--model", NETWORK, "--weights", tmp_path / "w.safetensors"]
    said = refused(audit(*words, "--store", tmp_path / "store"))
    assert "w.safetensors: no weights of digits:network" in said
    assert [path.name for path in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_spec_of_an_unknown_kind_is_one_sentence(say: Say, tmp_path: Path) -> None:
    file = tmp_path / "audit.toml"
    file.write_text('kind = "clasifier"\n')
    said = refused(say("audit", "spec", file, "--output", tmp_path / "run"))
    assert "kind: no kind of audit 'clasifier'; did you mean classifier" in said
