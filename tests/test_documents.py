"""What the documents name is there, and what is there is named."""

import re
from pathlib import Path

import pytest

from nonmember import defenses as _defenses  # noqa: F401  (fills the registry)
from nonmember.defenses.registry import DEFENSES
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.registry import REWRITERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOFT = (ROOT / "docs" / "soft.md").read_text(encoding="utf-8")
OURS = {"synonyms": 2, "code": 3, "chat": 4, "endpoint": 4}
"""The column of the table of gates that holds a rewriter's limits."""


def rows(document: str, column: int, heading: str) -> dict[str, list[str]]:
    """The rows of the table below a row that begins so, by one of their cells."""
    lines = document[document.index(heading) :].split("\n\n", 1)[0].splitlines()[2:]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {cells[column].strip("`"): cells for cells in found}


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", SOFT)
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test


def test_the_readme_has_every_defense_with_its_stage_and_paper() -> None:
    shown = rows(README, 0, "| defense | stage")
    assert {(name, cells[1], cells[3]) for name, cells in shown.items()} == {
        (one.name, one.stage, one.paper) for one in DEFENSES.values()
    }


def test_the_readme_has_every_rewriter() -> None:
    assert rows(README, 0, "| `--rewriter`").keys() == REWRITERS.keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_table_of_gates_has_the_limits_that_there_are(name: str) -> None:
    table, limits = rows(SOFT, 0, "| gate | passes"), REWRITERS[name].limits
    said = {gate: cells[OURS[name]] for gate, cells in table.items()}
    assert said["length"] == f"{limits.shortest:g} to {limits.longest:g}"
    for gate in ("containment", "run", "similarity", "fluency"):
        assert said[gate] == f"{getattr(limits, gate):g}"
    code = REWRITERS["code"].limits is limits
    assert (said["facts"] == "yes") == (limits.facts and not code)
    assert (said["language"] == "yes") == (not code)
    assert isinstance(limits, Limits) and limits.code == (said["code"] == "yes")
