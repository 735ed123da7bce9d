"""Does the jobs of an audit of classifiers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from nonmember.audit.classifiers.jobs import Inquire, Teach
from nonmember.audit.language.asking import circumstances_of
from nonmember.models import classifiers
from nonmember.models.architecture import Architecture
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
    """Ask each model, and put the answers together."""
    start = time.perf_counter()
    if isinstance(job.model, Teach):  # one that was damaged and deleted is trained again
        job.model.kind.train(job.model.models, store, str(job.where.device), lambda _: None)
    answers = [
        job.signal.extract(model, job.examples, **job.options, watch=told)
        for model in _opened(job, store)
    ]
    arrays = answers[0]
    if isinstance(job.model, Teach) and len(job.model.kind.models) > 1:
        arrays = {name: np.stack([one[name] for one in answers]) for name in arrays}
    store.put(job.address, arrays, circumstances_of(job.where, start))


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


def _opened(job: Inquire, store: Store) -> Iterator[Classifier]:
    """What is asked, one in memory at a time."""
    device = str(job.where.device)
    if isinstance(job.model, Teach):
        kind = job.model.kind.architecture
        for one in job.model.models:
            yield _Kept(kind, kept.load(kind, [one.address], store, device=device))
        return
    shown = job.examples if job.model.asks else job.every
    yield classifiers.load(job.model, device, shown)
