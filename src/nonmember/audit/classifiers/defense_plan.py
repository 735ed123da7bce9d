"""The jobs of defenses that stand before a classifier: what they learn, regenerate, and cost."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from nonmember.audit.classifiers.candidates import Candidates, Known, codes
from nonmember.audit.classifiers.defenses import Guard, Learned, Regenerator, secret
from nonmember.audit.classifiers.jobs import Gauge, Guarded, Inquire, Learn, Regenerate, Teach, Work
from nonmember.audit.classifiers.made import Trained
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.provenance import arithmetic
from nonmember.data.examples import Examples
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.fence.fitting import NEEDS, SIDES, Side
from nonmember.models.source import digest
from nonmember.signals.catalogue import Signal
from nonmember.signals.diffused import LEVELS
from nonmember.training.reference import Model

UPDATE, COPY = 2e8, 2e6  # operations that an update of a denoiser, or a copy, stands for
DIFFUSED, DIFFUSION = "diffused", "diffusion"
"""What a signal calls copies of the attacker's own, and the diffusion model itself."""


def regenerating(by: Regenerator, examples: Examples, of: str, subject: Subject) -> Regenerate:
    """The job that makes the copies of some examples."""
    count = len(examples) * by.how.n * by.how.nfe
    address = digest("regenerate", by.digest, examples.digests.tobytes())
    label = f"regenerate {of} at t = {by.how.t}"
    return Regenerate(address, label, by, examples, subject.where, count, COPY * count)


def guarded(
    target: Target, model: ClassifierSource | Teach, subject: Subject
) -> ClassifierSource | Teach | Guarded:
    """A model of a target behind its defenses, if there are any."""
    guard, candidates = target.guard, subject.candidates
    if guard is None:
        return model
    if isinstance(model, Teach) and model.kind is target.references:
        known = tuple(_known_of(model.kind, one, candidates) for one in model.models)
    else:
        known = (candidates.calibration,)
    whose = model.address if isinstance(model, Teach) else model.digest
    parts = [part for one in known for part in (one.members, one.non_members)]
    held = [content for part in (*parts, candidates.public) for content in _content(part)]
    address = digest("guarded", whose, guard.digest, *held)
    return Guarded(address, model, guard, known, candidates.public)


def _content(examples: Examples) -> tuple[bytes, bytes]:
    return examples.digests.tobytes(), examples.labels.astype(np.int64).tobytes()


def _known_of(kind: Trained, model: Model, candidates: Candidates) -> Known:
    """By which a reference's defenses are set: of those that the target's are, whom it saw."""
    first = len(candidates.examples)
    saw = model.rows[first:]
    seen, unseen = (first + np.flatnonzero(side) for side in (saw, ~saw))
    group = candidates.calibration.group[np.concatenate([seen, unseen]) - first]
    return Known(kind.examples.take(seen), kind.examples.take(unseen), group)


def range_of(by: Regenerator | None) -> dict[str, Any]:
    """What signals that alter inputs are told, so that they stay in a diffusion model's range."""
    if by is None:
        return {}
    return {"low": by.model.low, "high": by.model.high}


def attackers(by: Regenerator, subject: Subject) -> tuple[Regenerator, ...]:
    """The same diffusion model in the hands of an attacker, who has noise of his own."""
    own = secret(subject.spec.seed, "attacker")
    return tuple(Regenerator(by.model, how, own) for how in LEVELS)


def beside(
    signal: Signal, examples: Examples, of: str, subject: Subject
) -> tuple[tuple[Regenerator, ...], tuple[Regenerate, ...]]:
    """Whoever regenerates inputs for a signal, and the jobs in which they do so before."""
    by = subject.regenerator
    if by is None or not {DIFFUSED, DIFFUSION}.intersection(signal.inputs):
        return (), ()
    if DIFFUSED not in signal.inputs:
        return (by,), ()
    found = attackers(by, subject)
    return found, tuple(regenerating(one, examples, of, subject) for one in found)


def prepared(subject: Subject) -> Iterator[Work]:
    """What defenders and attackers share: the diffusion model, where it is trained here."""
    by = subject.regenerator
    if by is not None and isinstance(by.model, Learned):
        updates = by.model.recipe.updates
        label = f"train a diffusion model on {len(by.model.examples)} examples"
        yield Learn(by.model.digest, label, by.model, subject.where, updates, UPDATE * updates)


def copied(
    model: ClassifierSource | Teach | Guarded, examples: Examples, of: str, subject: Subject
) -> tuple[Regenerate, ...]:
    """The jobs that make what a guarded model answers from: copies that all such share."""
    if not isinstance(model, Guarded) or model.guard.regenerator is None:
        return ()
    own = regenerating(model.guard.regenerator, examples, of, subject)
    return *set_by(model, subject), own


def set_by(model: Guarded, subject: Subject) -> tuple[Regenerate, ...]:
    """The jobs that make the copies by which a model's fence, and what stands after it, is set."""
    by, sides = model.guard.regenerator, _sides(model.guard)
    assert by is not None
    parts = [getattr(one, side) for one in model.known for side in sides if side != "public"]
    asked = [("public examples", model.public)] if "public" in sides else []
    if parts:
        every = sum(parts[1:], parts[0])
        _, first = np.unique(codes(every), return_index=True)  # models may be set by the same
        asked.append(("the examples that defenses are set by", every.take(first)))
    return tuple(regenerating(by, them, named, subject) for named, them in asked)


def _sides(guard: Guard) -> frozenset[Side]:
    """Whose copies are asked about when defenses are set."""
    names = [step.defense.name for step in guard.steps]
    place = names.index("diffence")
    if names[place + 1 :]:  # what stands after a fence is set by what the fence answers
        return frozenset(SIDES)
    return frozenset(NEEDS[guard.steps[place].options["selector"]])


def with_copies(
    job: Inquire, by: tuple[Regenerator, ...], after: tuple[str, ...], *, labels: bool
) -> Inquire:
    """The job as it is done: under an address that says whether labels only, and whose copies.

    Of a model with nothing before it labels are no less than the rest of its answers.
    """
    labels = labels and isinstance(job.model, Guarded)
    said = [one.digest for one in by] + ["labels"] * labels
    address = digest(job.address, *said) if said else job.address
    return replace(job, address=address, labels=labels, diffused=by, after=after)


def gauge(target: Target, model: Guarded, subject: Subject) -> Gauge:
    """The job that sees what a target's defenses do to the candidates' answers."""
    examples = subject.candidates.examples
    after = tuple(one.address for one in copied(model, examples, "candidates", subject))
    how = f"gauge 3 {arithmetic(subject.where)}"
    address = digest(how, model.address, examples.digests.tobytes())
    label = f"see what the defenses of {target.name} do"
    return Gauge(address, label, model, examples, subject.where, len(examples), COPY, after)
