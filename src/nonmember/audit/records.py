"""What an audit leaves behind: ``results.json``, plain values with counts and intervals.

Nothing here holds a record's text or its score; those are in the run's ``private`` folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from nonmember.audit.canaries.result import CanaryResult
from nonmember.audit.records_sound import check_provenance, faults
from nonmember.audit.worth import (
    ClassifierUtility,
    DifferenceResult,
    DownstreamUtility,
    GuardResult,
    RiskResult,
    Utility,
)
from nonmember.errors import RunError
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import Curve, TprAtFpr
from nonmember.evaluation.sets import DatasetInference
from nonmember.types import Access

SCHEMA = 4
PLACE = 200  # characters of where a file is damaged
Role = Literal["raw", "rewritten", "kept", "dropped"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class Histogram:
    """Counts of scores per bin; ``edges`` has one number more than each side."""

    edges: tuple[float, ...]
    members: tuple[int, ...]
    non_members: tuple[int, ...]


@dataclass(frozen=True)
class AttackResult:
    """One attack on one target. ``simultaneous`` covers all attacks of the target at once.

    ``auc`` is this attack's alone; if ``blind``, it covers all blind attacks at once.

    ``queries`` is how many texts it puts to the target per record. ``of_parent``: it asks the
    model that the target was fine-tuned from instead, and carries no verdict. ``accuracy`` is the
    share of records told right, both sides alike, by a threshold that others set; None of what
    is blind.
    """

    name: str
    paper: str
    access: Access
    queries: int
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    members: int
    non_members: int
    unscored: int
    auc: Interval
    simultaneous: Interval
    tpr: tuple[TprAtFpr, ...]
    curve: Curve
    histogram: Histogram
    blind: bool
    of_parent: bool = False
    accuracy: Interval | None = None


@dataclass(frozen=True)
class Exposed:
    """A member that the strongest attack ranks high. ``above`` counts likelier non-members.

    ``tokens`` is None of what is no text.
    """

    record: str
    tokens: int | None
    above: int


@dataclass(frozen=True)
class Redraws:
    """The same scores against membership drawn anew: how often chance alone raised an alarm.

    ``withheld`` counts the draws in which an attack that never sees the model would have taken
    the verdict away.
    """

    times: int
    alarms: int
    withheld: int


@dataclass(frozen=True)
class Fit:
    """Mean loss of the scored records of each side, nats per token, under one model."""

    members: Interval
    non_members: Interval
    counts: tuple[int, int]


@dataclass(frozen=True)
class SetResult:
    """Dataset inference on all candidates: the members as the suspect set.

    ``trained_on`` is None where the sides differ by themselves, so that nothing follows.
    """

    found: DatasetInference
    trained_on: bool | None
    features: tuple[str, ...]


@dataclass(frozen=True)
class PersonsResult:
    """How well persons, of whom some have several records, are told apart by one attack."""

    attack: str
    aggregate: str
    auc: Interval
    members: int
    non_members: int
    records: int


@dataclass(frozen=True)
class DefenseResult:
    """What a defense did to the training of a target, or that it stands before it.

    ``roles`` counts the training records by what became of them, see ``RoleResult``.
    ``rejected`` counts, by gate, the records whose last rewrite failed it; a record can fail
    several. ``sent_to`` is where texts went and how many, None if they stayed here.
    ``spent`` is what a privacy accountant says, where the training was differentially private.
    """

    name: str
    stage: str
    options: Mapping[str, Any]
    roles: Mapping[str, int]
    rewriter: str | None = None
    attempts: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    sent_to: tuple[str, int] | None = None
    tokens_read: int = 0
    tokens_written: int = 0
    seconds: float = 0.0
    spent: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RoleResult:
    """One attack on the members of one role, against all non-members.

    The role says what of a record was trained on: ``raw``, the record itself; ``rewritten``,
    only a rewrite of it; ``kept``, the record itself because no rewrite of it was good enough;
    ``dropped``, nothing. ``simultaneous`` covers all attacks of the target at once.
    """

    role: Role
    attack: str
    members: int
    auc: Interval
    simultaneous: Interval
    tpr: tuple[TprAtFpr, ...]


@dataclass(frozen=True)
class InTurn:
    """What an attack finds where each reference in turn is the target, its pair left out.

    Means over ``models`` of the AUC, whose standard deviation is ``spread``: ``parents`` of LiRA
    on what they were fine-tuned from, ``placebo`` with a membership that is not theirs. ``tpr``
    are true-positive rates of all models' scores in one, each after its false-positive rate.
    """

    attack: str
    models: int
    auc: Interval
    spread: float
    placebo: Interval
    parents: Interval | None
    tpr: tuple[tuple[float, Interval], ...] = ()


@dataclass(frozen=True)
class TargetResult:
    """One audited model."""

    name: str
    description: str
    leaks: bool | None  # None: the verdict is withheld, and says why
    verdict: str
    strongest: str
    detectable_auc: float
    fit: Fit | None
    base_fit: Fit | None
    attacks: tuple[AttackResult, ...]
    as_a_set: SetResult | None
    persons: PersonsResult | None
    provenance: Mapping[str, Any]
    redraws: Redraws = Redraws(0, 0, 0)
    exposed: tuple[Exposed, ...] = ()
    findings: tuple[Finding, ...] = ()
    training: Mapping[str, Any] | None = None
    defenses: tuple[DefenseResult, ...] = ()
    roles: tuple[RoleResult, ...] = ()
    utility: Utility | None = None
    classifier: ClassifierUtility | None = None
    downstream: DownstreamUtility | None = None
    in_turn: InTurn | None = None
    guard: GuardResult | None = None
    risk: RiskResult | None = None
    canaries: CanaryResult | None = None


@dataclass(frozen=True)
class Results:
    """A run. ``schema`` grows when a reader of the old form would go wrong.

    ``kind`` is that of all its targets.
    """

    __pydantic_config__: ClassVar = ConfigDict(ser_json_inf_nan="strings")  # null would not load

    schema: Annotated[int, Field(ge=1)]
    kind: Literal["language", "classifier", "transfer"]
    title: str
    created: str
    level: Annotated[float, Field(gt=0, lt=1)]
    data: Mapping[str, Any]
    targets: tuple[TargetResult, ...]
    not_covered: tuple[str, ...]
    findings: tuple[Finding, ...]
    provenance: Mapping[str, Any]
    differences: tuple[DifferenceResult, ...] = ()


ADAPTER = TypeAdapter(Results)


def dump(results: Results) -> bytes:
    """The JSON form of ``results``."""
    return ADAPTER.dump_json(results, indent=1) + b"\n"


def load(run: Path) -> Results:
    """Read the results of a finished run.

    Raises:
        RunError: there are none, they are damaged, or a newer version wrote them.
    """
    path = run / "results.json"
    if not path.is_file():
        raise RunError(f"{run}: no results.json here; give the folder of a finished audit")
    content = path.read_bytes()
    _refuse_newer(path, content)  # first: to an older reader a newer form looks damaged
    try:
        found = ADAPTER.validate_json(content)
        check_provenance(found.provenance)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])[:PLACE]
        raise RunError(
            f"{path}: damaged at {place!r} ({first['msg']}); run the audit again"
        ) from None
    names = [target.name for target in found.targets]
    if len({*names}) < len(names):
        raise RunError(f"{path}: damaged: two targets have one name; run the audit again")
    wrong = next(faults(found), None)
    if wrong is not None:
        raise RunError(f"{path}: damaged: {wrong[0]} {wrong[1]}; run the audit again")
    return found


def _refuse_newer(path: Path, content: bytes) -> None:
    """Refuse what is no JSON object, and one of a later schema."""
    try:
        values = from_json(content)
    except ValueError as error:
        raise RunError(
            f"{path}: damaged or cut short at {len(content):,} bytes ({error}); run the audit again"
        ) from None
    found = values.get("schema") if isinstance(values, dict) else None
    if isinstance(found, int) and found > SCHEMA:
        raise RunError(
            f"{path}: schema {found} is newer than {SCHEMA}; upgrade nonmember to read it"
        )
