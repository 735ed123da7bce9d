"""The document of benchmarks is what the results say, and every suite is there."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
FIGURE = re.compile(r"(?<![\d.])\d?\.\d{3}(?!\d)")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The scripts that run all suites, and that write their document."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bench
    import document

    yield bench, document
    for name in ("bench", "document", "machine", "tables"):
        sys.modules.pop(name, None)


def test_the_document_is_what_the_results_say(benchmarks: tuple[ModuleType, ModuleType]) -> None:
    _, document = benchmarks
    told = "docs/benchmarks.md is not what the results say; run benchmarks/document.py"
    assert document.PAGE.read_text(encoding="utf-8") == document.render(), told


def test_tables_of_other_pages_are_what_the_results_say(
    benchmarks: tuple[ModuleType, ModuleType],
) -> None:
    _, document = benchmarks
    pages = {one: one.read_text(encoding="utf-8") for one in document.PAGE.parent.glob("*.md")}
    held = [one.name for one, text in pages.items() if "<!-- table: " in text]
    assert {"statistics.md", "soft.md", "diffence-measured.md"} <= {*held}
    stale = [one.name for one, text in pages.items() if text != document.filled(text)]
    assert not stale, "run benchmarks/document.py"


def test_figures_in_prose_stand_in_the_tables_beside_it(
    benchmarks: tuple[ModuleType, ModuleType],
) -> None:
    _, document = benchmarks
    page = (document.PAGE.parent / "diffence-measured.md").read_text(encoding="utf-8")
    tables = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    prose = "\n".join(line for line in page.splitlines() if not line.startswith("|"))
    told = set(FIGURE.findall(prose))
    assert len(told) > 50 and told <= set(FIGURE.findall(tables))


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
