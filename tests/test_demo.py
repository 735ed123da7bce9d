"""The demo for real, where no network is: known answers on real models."""

import json
import subprocess
import sys
from pathlib import Path

import offline
import pytest

pytestmark = pytest.mark.slow
STRONG = ("reference_difference", "ez_mia", "wbc")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "nonmember", "demo", "--output", str(folder / "run")]
    alone = offline.environment(folder)
    subprocess.run([*command, "--store", str(folder / "store")], env=alone, check=True)
    return folder / "run"


def targets_of(folder: Path) -> dict:
    results = json.loads((folder / "results.json").read_text())
    return {target["name"]: target for target in results["targets"]}


@pytest.fixture(scope="module")
def targets(run: Path) -> dict:
    return targets_of(run / "language")


@pytest.mark.parametrize("name", STRONG)
def test_the_strong_attacks_find_the_leak(targets: dict, name: str) -> None:
    (attack,) = (one for one in targets["leaky"]["attacks"] if one["name"] == name)
    assert attack["auc"]["value"] >= 0.95
    assert attack["simultaneous"]["low"] > 0.9
    assert (attack["members"], attack["non_members"], attack["unscored"]) == (200, 500, 0)


def test_the_leaky_model_is_said_to_leak_and_the_control_is_not(targets: dict) -> None:
    assert targets["leaky"]["leaks"] is True
    assert targets["control"]["leaks"] is False
    assert "would have been seen" in targets["control"]["verdict"]


def test_chance_alone_raises_few_alarms_on_the_control(targets: dict) -> None:
    assert targets["control"]["redraws"]["times"] == 20
    assert targets["control"]["redraws"]["alarms"] <= 3


def test_the_page_says_that_the_model_was_quantised(run: Path) -> None:
    page = (run / "language" / "report.html").read_text()
    assert "quantised to Q4_1 (4-bit) and dequantised" in page
    assert "This model reveals its training records" in page


def test_soft_leaves_the_raw_half_exposed_and_says_so(targets: dict) -> None:
    half = targets["soft_half"]
    raw = next(one for one in half["roles"] if (one["role"], one["attack"]) == ("raw", "wbc"))
    assert raw["members"] == 100 and raw["simultaneous"]["low"] > 0.9
    assert any(f["code"] == "E117" and "100 members" in f["message"] for f in half["findings"])


def test_soft_takes_something_off_and_says_what_it_costs(targets: dict) -> None:
    strongest = {
        name: max(one["auc"]["value"] for one in targets[name]["attacks"])
        for name in ("leaky", "soft_all")
    }
    assert strongest["soft_all"] < strongest["leaky"]
    (soft,) = targets["soft_all"]["defenses"]
    assert soft["roles"]["rewritten"] > 150 and set(soft["roles"]) <= {"rewritten", "dropped"}
    utility = targets["soft_all"]["utility"]
    assert utility["against"] == "leaky" and 0 < utility["loss_change"]["value"] < 0.2


def test_a_new_head_tells_more_of_the_ancestor_than_training_all_layers(run: Path) -> None:
    found = targets_of(run / "transfer")
    head, full = (found[name]["in_turn"]["auc"] for name in ("head", "all layers"))
    assert head["low"] > 0.6 > full["high"]
    for target in found.values():
        assert abs(target["in_turn"]["placebo"]["value"] - 0.5) < 0.03
    private = found["private head, epsilon 6.7"]
    assert private["in_turn"]["auc"]["low"] > 0.6 and private["training"]["privacy"]


def known(target: dict, attack: str) -> dict:
    return next(one["auc"] for one in target["attacks"] if one["name"] == attack)


@pytest.fixture(scope="module")
def classifiers(run: Path) -> dict:
    return targets_of(run / "classifier")


def test_what_reads_labels_alone_finds_behind_diffence_what_it_found_before(
    classifiers: dict,
) -> None:
    for one, other in (("undefended", "diffence"), ("selena", "selena and diffence")):
        for attack in ("gap", "self_diffused"):
            assert known(classifiers[other], attack) == known(classifiers[one], attack)
    assert classifiers["undefended"]["leaks"] is True and classifiers["diffence"]["leaks"] is True


def test_diffence_takes_from_scores_and_beats_labels_alone_at_nothing(classifiers: dict) -> None:
    undefended, alone, diffence = (
        known(classifiers[name], "nn_attack")["value"]
        for name in ("undefended", "label alone", "diffence")
    )
    assert undefended > 0.75 and diffence < 0.7 and abs(diffence - alone) < 0.05
    guard = classifiers["diffence"]["guard"]
    assert [one["value"] for one in guard["changed"]] == [0.0, 0.0]
    assert all(one["value"] > 0.5 for one in guard["kept"])
    assert guard["milliseconds"]["defended"]["one"] > guard["milliseconds"]["undefended"]["one"]


def test_the_index_tells_every_verdict_and_links_to_every_page(run: Path) -> None:
    page = (run / "index.html").read_text()
    assert "Not finished" not in page
    for name in ("language", "transfer", "classifier"):
        assert f'href="{name}/report.html"' in page
        for target in targets_of(run / name).values():
            assert target["name"] in page
