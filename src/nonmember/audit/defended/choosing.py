"""What a defense's choice of records shows by itself, and which attacks look past it.

Where a defense goes by how exposed records are, the members of each role, and those that are
left where some were dropped, differ from the non-members by that choice: records of low loss
have a low loss under any model. Only attacks that compare with a reference look past it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from nonmember.audit.records import DefenseResult
from nonmember.defenses import language as _language  # noqa: F401  (fills the registry)
from nonmember.defenses import registry
from nonmember.signals.catalogue import Question, named

registry.load_plugins()

Reason = Literal["exposed", "rejected", "copies", "held back", "other"]
"""Why a defense leaves records out."""


def referenced(needs: Iterable[str]) -> bool:
    """Whether an attack with these needs compares with a model that saw no candidate.

    Not one that combines other attacks' scores: some of those may have no reference.
    """
    below = _below(needs)
    combines = any(one.name == "features" for one in below)
    return not combines and any(one.whose in ("base", "self") for one in below)


def looks_for_rewrites(needs: Iterable[str]) -> bool:
    """Whether an attack with these needs looks for what may stand in the place of a record.

    At rewrites of it; or at copies with spans replaced and not at the record itself, which
    copies are otherwise held against.
    """
    asked = {one.name for one in _below(needs) if one.whose == "target"}
    if "aug_rewrites_token_logprobs" in asked:
        return True
    return "aug_spans_token_logprobs" in asked and "token_logprobs" not in asked


def _below(needs: Iterable[str]) -> set[Question]:
    """What the needs come down to, by their names alone: results may have others' signals."""
    found = set[Question]()
    for question in map(named, needs):
        found |= _below(question.needs) if question.needs else {question}
    return found


def by_exposure(defenses: Sequence[DefenseResult]) -> bool:
    """Whether any of the defenses chose records by how exposed they are, and not all or none.

    One of the data stage that is not known here may have.
    """
    return any(_chose(name, one) for one in defenses for name in one.name.split(", "))


def _chose(name: str, told: DefenseResult) -> bool:
    found = registry.of_family("language").get(name)
    if told.stage != "data" or told.options.get("selector") == "random":
        return False
    if found is None:
        return True
    return "exposure" in found.needs and told.options.get("ratio") not in (0, 1)


def reasons(defenses: Sequence[DefenseResult]) -> tuple[Reason, ...]:
    """Why records were dropped, each once."""
    return tuple(
        dict.fromkeys(
            _reason(name, one)
            for one in defenses
            if one.roles.get("dropped")
            for name in one.name.split(", ")
        )
    )


def _reason(name: str, told: DefenseResult) -> Reason:
    found = registry.of_family("language").get(name)
    if told.stage == "training":
        return "held back"
    if found is not None and found.rewrites:
        return "rejected"
    if _chose(name, told):
        return "exposed"
    return "copies" if name == "deduplicate" else "other"
