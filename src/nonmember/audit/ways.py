"""How an audit of each kind goes: the steps that differ between kinds of models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from nonmember.audit.classifiers import describe as classifier_describe
from nonmember.audit.classifiers import judge as classifier_judge
from nonmember.audit.classifiers import plan as classifier_plan
from nonmember.audit.classifiers import subject as classifier_subject
from nonmember.audit.classifiers import widening
from nonmember.audit.kinds import AnySpec
from nonmember.audit.language import describe, judge, plan, subject
from nonmember.audit.transfer import describe as transfer_describe
from nonmember.audit.transfer import judge as transfer_judge
from nonmember.audit.transfer import plan as transfer_plan
from nonmember.audit.transfer import subject as transfer_subject

ATTRIBUTES = "What else a model tells of a record: its attributes, or a reconstruction of it."
EXTRACTION = "Extraction: whether the model can be made to recite a record."
FINE_TUNING = "Data that the model was fine-tuned on: that is an ordinary audit of a classifier."
PRE_TRAINING = "Data the base model was pre-trained on, unless it is the model under audit."


@dataclass(frozen=True)
class Way:
    """From a spec to a subject, its plan, and the judgement of each target.

    ``private`` gives the columns that are written of some records, by name, beside the digest of
    their content; ``columns`` says of what type they are. ``not_covered`` is what the kind of
    audit does not look at. ``wider`` gives a subject with more reference models, where those
    that answered do not tell enough.
    """

    inspect: Callable[..., Any]
    plan: Callable[[Any], Any]
    judged: Callable[..., Any]
    data: Callable[[Any], dict[str, Any]]
    provenance: Callable[..., dict[str, Any]]
    private: Callable[[Any, slice], dict[str, Any]]
    columns: dict[str, Any]
    not_covered: tuple[str, ...]
    wider: Callable[..., Any] = lambda _subject, _plan, _store: None


def _texts(of: subject.Subject, rows: slice) -> dict[str, Any]:
    chosen = of.candidates.records[rows]
    return {"digest": _hex(chosen.digests), "text": [record.plain() for record in chosen]}


def _labels(
    of: classifier_subject.Subject | transfer_subject.Subject, rows: slice
) -> dict[str, Any]:
    examples = of.candidates.examples
    return {"digest": _hex(examples.digests[rows]), "label": examples.labels[rows]}


def _hex(digests: UInt8[np.ndarray, "n bytes"]) -> list[str]:
    return [row.tobytes().hex() for row in digests]


WAYS = {
    "language": Way(
        subject.inspect,
        plan.plan,
        judge.judged,
        describe.data,
        describe.provenance,
        _texts,
        {"text": pa.string()},
        (EXTRACTION, PRE_TRAINING),
    ),
    "classifier": Way(
        classifier_subject.inspect,
        classifier_plan.plan,
        classifier_judge.judged,
        classifier_describe.data,
        classifier_describe.provenance,
        _labels,
        {"label": pa.int64()},
        (ATTRIBUTES,),
        widening.wider,
    ),
    "transfer": Way(
        transfer_subject.inspect,
        transfer_plan.plan,
        transfer_judge.judged,
        transfer_describe.data,
        transfer_describe.provenance,
        _labels,
        {"label": pa.int64()},
        (ATTRIBUTES, FINE_TUNING),
    ),
}


def of(spec: AnySpec) -> Way:
    """How an audit of the spec's kind goes."""
    return WAYS[spec.kind]
