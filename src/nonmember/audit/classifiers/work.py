"""Does the jobs of an audit of classifiers."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from nonmember.audit.classifiers import defense_work
from nonmember.audit.classifiers.jobs import CLASSIFIER, Asked, Gauge, Guarded, Inquire, Teach
from nonmember.audit.provenance import circumstances_of
from nonmember.data.examples import Examples
from nonmember.models import classifiers
from nonmember.models.architecture import Architecture
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.protocols import Classifier
from nonmember.signals.store import Store
from nonmember.training import kept
from nonmember.training.kept import References
from nonmember.types import Inputs


def teach(job: Teach, store: Store, told: Callable[[int], None]) -> None:
    """Train what is not there yet of the job's models."""
    start = time.perf_counter()
    job.kind.train(job.models, store, str(job.where.device), told)
    about = [store.provenance(one.address) for one in job.models]
    store.put(job.address, {}, {**circumstances_of(job.where, start), **_told(about)})


def _told(about: list[dict[str, Any]]) -> dict[str, Any]:
    """What is to be known of the models, the first standing for all that is alike."""
    own = ("accuracy", "accuracy on those left out")
    spread = {
        name: [round(min(values), 4), round(max(values), 4)]
        for name in own
        if (values := [one[name] for one in about if one.get(name) is not None])
    }
    alike = ("architecture", "transfer", "recipe", "privacy", "stacked", "why not stacked")
    return {"models": len(about), **spread, **{k: about[0][k] for k in alike if k in about[0]}}


def inquire(job: Inquire, store: Store, told: Callable[[int], None]) -> None:
    """Ask each model, and put the answers together; or the diffusion model, where that is asked."""
    start, beside = time.perf_counter(), defense_work.beside(job, store)
    if CLASSIFIER in job.signal.inputs:
        arrays = _answers(job, store, beside, told)
    else:
        given = {"examples": job.examples, **beside}
        named = (given[name] for name in job.signal.inputs)
        arrays = dict(job.signal.extract(*named, **job.options, watch=told))
    if job.labels:
        arrays = {name: arrays[name] for name in arrays if job.signal.provides[name] == "label"}
    store.put(job.address, arrays, circumstances_of(job.where, start))


def _answers(
    job: Inquire, store: Store, beside: Mapping[str, Any], told: Callable[[int], None]
) -> dict[str, np.ndarray]:
    inner, answers = beneath(job.model), []
    if isinstance(inner, Teach):  # one that was damaged and deleted is trained again
        inner.kind.train(inner.models, store, str(job.where.device), lambda _: None)
    for model in asked_of(job, store):
        given = {CLASSIFIER: model, "examples": job.examples, **beside}
        named = (given[name] for name in job.signal.inputs)
        answers.append(job.signal.extract(*named, **job.options, watch=told))
    if isinstance(inner, Teach) and len(inner.kind.models) > 1:
        return {name: np.stack([one[name] for one in answers]) for name in answers[0]}
    return dict(answers[0])


@dataclass(frozen=True)
class _Kept:
    """A model that was trained here, read when it is asked."""

    architecture: Architecture
    asked: References

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.architecture.classes

    def logits(self, inputs: Inputs) -> Float[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs."""
        return self.asked.logits(inputs)[0]


def gauge(job: Gauge, store: Store, told: Callable[[int], None]) -> None:
    """See what a target's defenses do."""
    (model,) = _opened(beneath(job.model), job.examples, job.examples, str(job.where.device), store)
    defense_work.gauge(job, store, model, told)


def beneath(model: Asked) -> ClassifierSource | Teach:
    """The model itself, without what stands before it."""
    return model.inner if isinstance(model, Guarded) else model


def asked_of(job: Inquire, store: Store) -> Iterator[Classifier]:
    """What is asked, one in memory at a time; behind its defenses, where they decide anything."""
    inner, device = beneath(job.model), str(job.where.device)
    for number, model in enumerate(_opened(inner, job.examples, job.every, device, store)):
        if isinstance(job.model, Guarded):
            how = {"labels": job.labels, "altered": job.signal.queries != 1}
            yield defense_work.answering(job.model, number, model, store, job.where, **how)
        else:
            yield model


def _opened(
    model: ClassifierSource | Teach,
    examples: Examples,
    every: Examples,
    device: str,
    store: Store,
) -> Iterator[Classifier]:
    if isinstance(model, Teach):
        kind = model.kind.architecture
        for one in model.models:
            yield _Kept(kind, kept.load(kind, [one.address], store, device=device))
        return
    shown = examples if model.asks else every
    yield classifiers.load(model, device, shown)
