"""What a job asks of whoever does it: memory, and models that it can see."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nonmember.audit.classifiers.jobs import Gauge, Guarded, Inquire, Learn, Regenerate, Teach, Work
from nonmember.audit.jobs import Compare, Job, Model, Protect, Query, Train, Tune, Write
from nonmember.audit.language.asking import parameters, weights
from nonmember.audit.language.sources import Served
from nonmember.data.examples import Examples
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.source import Source

ROOM = 1 << 30  # bytes that a process takes besides weights: the libraries, a batch
TRAINED = 16  # bytes per trained parameter: itself, gradient, AdamW's two moments, in float32


def asks(job: Job) -> str | None:
    """Which model a job finds at hand where another has just asked it; None for none."""
    return weights(job.model) if isinstance(job, Query | Write) else None


def memory(job: Job) -> int:
    """The bytes that doing a job takes, roughly: weights, and what training keeps beside them."""
    if isinstance(job, Teach | Inquire | Gauge | Learn | Regenerate):
        inputs = _examples(job).inputs
        return ROOM + _network(job) + (inputs.nbytes if isinstance(inputs, np.ndarray) else 0)
    if isinstance(job, Train) and job.recipe.method == "full":
        return ROOM + TRAINED * job.base.parameters
    model = _loaded(job)
    if isinstance(model, Served):
        return ROOM
    return ROOM + (job.where.dtype.itemsize + 1) * parameters(model)  # the head is in float32 too


def _examples(job: Work) -> Examples:
    """What a job of classifiers is about."""
    if isinstance(job, Teach):
        return job.kind.examples
    return job.model.examples if isinstance(job, Learn) else job.examples


def _network(job: Work) -> int:
    """The bytes of what is trained at once, or of what is read to be asked."""
    if isinstance(job, Teach):
        return TRAINED * job.kind.architecture.size * len(job.models)
    held = (path for path in files(job) if path.exists())
    every = (file for path in held for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in every if file.is_file())


def _loaded(job: Train | Protect | Query | Write | Tune | Compare) -> Model:
    """The model that a job has in memory."""
    if isinstance(job, Compare):
        return job.model.base
    return job.model if isinstance(job, Query | Write) else job.base


def files(job: Job) -> Iterator[Path]:
    """The models, not made here, that a job reads."""
    if isinstance(job, Inquire | Gauge):
        inner = job.model.inner if isinstance(job.model, Guarded) else job.model
        paths = (inner.path, inner.weights) if isinstance(inner, ClassifierSource) else ()
        yield from (one for one in paths if one is not None)
    if isinstance(job, Teach | Inquire | Gauge | Learn | Regenerate):
        return
    model = _loaded(job)
    below: Model | None = model.base if isinstance(model, Train) else model
    while isinstance(below, Source):
        yield below.path
        below = below.base
