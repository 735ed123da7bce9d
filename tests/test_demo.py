"""The demo for real: known answers on a real model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
STRONG = ("reference_difference", "ez_mia", "wbc")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "nonmember", "demo", "--output", str(folder / "run")]
    subprocess.run([*command, "--store", str(folder / "store")], check=True)
    return folder / "run"


@pytest.fixture(scope="module")
def targets(run: Path) -> dict:
    results = json.loads((run / "results.json").read_text())
    return {target["name"]: target for target in results["targets"]}


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
    page = (run / "report.html").read_text()
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
