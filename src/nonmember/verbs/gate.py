"""Conditions on a finished run: an exit status for CI, and files that CI services read."""

from collections.abc import Sequence
from pathlib import Path

from nonmember.audit import records, whole
from nonmember.errors import SpecError
from nonmember.report.gate import conditions, outcomes
from nonmember.report.gate.outcomes import Outcome
from nonmember.report.junit import junit as as_junit
from nonmember.report.sarif import sarif as as_sarif


def gate(
    run: str | Path,
    fail_if: str | Sequence[str],
    *,
    junit: str | Path | None = None,
    sarif: str | Path | None = None,
) -> tuple[tuple[Outcome, ...], int]:
    """What became of each condition on each target, and the exit status.

    The status is 1 if a condition holds where the audit is valid, else 3 if a target has a
    finding of severity error, so that nothing is evidence, else 2 if a figure is missing, else 0.
    A figure that an audit does not have never passes.

    Args:
        run: the folder of a finished audit.
        fail_if: a condition, or several, such as ``tpr@fpr=0.01 ci_low > 0.05``, see
            ``nonmember.report.gate.conditions``.
        junit: where to write them as JUnit XML, outside the run.
        sarif: where to write them, and the run's findings, as SARIF 2.1.0, outside the run.

    Raises:
        SpecError: there is no condition, or one is none; raised before the run is read.
        RunError: the folder holds no finished run, or a damaged one; or a file cannot be written
            where it is to go, raised before the run is read.
    """
    if not fail_if:
        raise SpecError(f"gate: no condition; give --fail-if {conditions.EXAMPLE}")
    texts = [fail_if] if isinstance(fail_if, str) else fail_if
    asked = [conditions.parse(text) for text in texts]
    folder = Path(run)
    whole.check_outputs([Path(path) for path in (junit, sarif) if path is not None], folder)
    results = records.load(folder)
    found = outcomes.judge(asked, results)
    if junit is not None:
        whole.write(Path(junit), as_junit(found, results.title))
    if sarif is not None:
        place = "results.json" if folder.is_absolute() else (folder / "results.json").as_posix()
        whole.write(Path(sarif), as_sarif(results, found, place))
    return found, outcomes.status(found)
