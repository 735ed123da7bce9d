"""The document of benchmarks is what the results say, and every suite is there."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The scripts that run all suites, and that write their document."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bench
    import document

    yield bench, document
    for name in ("bench", "document", "machine"):
        sys.modules.pop(name, None)


def test_the_document_is_what_the_results_say(benchmarks: tuple[ModuleType, ModuleType]) -> None:
    _, document = benchmarks
    told = "docs/benchmarks.md is not what the results say; run benchmarks/document.py"
    assert document.PAGE.read_text(encoding="utf-8") == document.render(), told


def test_every_suite_is_a_script(benchmarks: tuple[ModuleType, ModuleType]) -> None:
    bench, _ = benchmarks
    for suite in bench.SUITES:
        told = (BENCHMARKS / f"{suite.name}.py").read_text(encoding="utf-8")
        assert f"results/{suite.name}.json" in told, suite.name
        assert all(f"--{folder}" in told for folder in (*suite.takes, *suite.needs)), suite.name


def test_figures_that_miss_their_aim_are_said_to(benchmarks: tuple[ModuleType, ModuleType]) -> None:
    _, document = benchmarks
    row = {"what": "x", "at": ["ensemble", "mlp", "target"]}
    assert document._row(row | {"least": 3.0}).endswith("| 3 | at least 3 | met |")
    assert document._row(row | {"most": 2.9}).endswith("| 3 | at most 2.9 | **missed** |")
    with pytest.raises(KeyError, match="nothing at mlp > no such"):
        document.figure(["ensemble", "mlp", "no such"])
