"""Does the jobs of defenses that stand before a classifier."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nonmember.audit.classifiers.defenses import Learned, Regenerator
from nonmember.audit.classifiers.jobs import Gauge, Guarded, Inquire, Learn, Regenerate
from nonmember.audit.provenance import circumstances_of
from nonmember.errors import ModelError
from nonmember.models import diffusion
from nonmember.models.causal import Placement
from nonmember.models.diffusion import Copies, Diffusion, fresh
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.fence.fenced import Fenced
from nonmember.models.protocols import Classifier
from nonmember.models.source import digest
from nonmember.signals.copies_kept import BLOCK, remembered
from nonmember.signals.diffused import Joined
from nonmember.signals.store import Store, note
from nonmember.training.diffusion import train_diffusion

HUNDRED = 100  # inputs of a question whose time is taken
TIMES = 20  # questions of one input that are timed, after a first that is not
Told = Callable[[int], None]


def learn(job: Learn, store: Store, told: Told) -> None:
    """Train a diffusion model."""
    start, asked = time.perf_counter(), job.model
    scratch, device = store.scratch(job.address), str(job.where.device)
    made = train_diffusion(
        np.asarray(asked.examples.inputs),
        asked.recipe,
        low=asked.low,
        high=asked.high,
        seed=asked.seed,
        device=device,
        scratch=scratch,
        watch=told,
    )
    with store.writing(job.address) as folder:
        diffusion.save(made, folder / "model")
        told_of = {"trained on": made.trained_on, "examples": len(asked.examples)}
        note(folder, {**circumstances_of(job.where, start), **told_of})


def regenerate(job: Regenerate, store: Store, told: Told) -> None:
    """Make what the store lacks of the copies of some examples."""
    start, inputs = time.perf_counter(), np.asarray(job.examples.inputs)
    copies = copies_of(job.by, store, job.where, told)
    for first in range(0, len(inputs), BLOCK):  # each is in the store, and need not be here
        copies(inputs[first : first + BLOCK])
    store.put(job.address, {}, circumstances_of(job.where, start))


def copies_of(
    by: Regenerator,
    store: Store,
    where: Placement,
    told: Told | None = None,
    *,
    live: bool = False,
) -> Copies:
    """What gives the copies, of which each is made once; ``live``: whenever it is asked for."""
    model = opened(by, store, where)
    made = fresh(model, by.how, by.secret, watch=told)
    return made if live else remembered(made, store, low=model.low, high=model.high)


def opened(by: Regenerator, store: Store, where: Placement) -> Diffusion:
    """The diffusion model itself."""
    device, model = str(where.device), by.model
    if isinstance(model, Learned):
        return diffusion.find(str(store.folder(model.digest) / "model"), device=device)
    found = diffusion.find(str(model.path), low=model.low, high=model.high, device=device)
    if found.digest != model.digest:
        raise ModelError(
            f"{model.path}: the diffusion model has changed since the audit began; run it again"
        )
    return found


def beside(job: Inquire, store: Store) -> dict[str, Any]:
    """What a signal is given besides a classifier and examples."""
    if "diffusion" in job.signal.inputs:
        return {"diffusion": opened(job.diffused[0], store, job.where)}
    if job.diffused:
        return {"diffused": Joined(tuple(copies_of(one, store, job.where) for one in job.diffused))}
    return {}


def answering(
    asked: Guarded,
    number: int,
    model: Classifier,
    store: Store,
    where: Placement,
    *,
    labels: bool,
    altered: bool,
) -> Classifier:
    """A model behind its defenses, set by its own known examples.

    Where ``labels`` alone are looked at, and no defense changes any, the model itself: a
    boundary that is searched for with thousands of questions lies where it did. Copies of
    ``altered`` examples are made as they are asked for: nobody else asks about these.
    """
    found = chain(asked, number, model, store, where, live=altered)
    keeps = all(getattr(one, "label_preserving", False) for one in found[1:])
    return found[0] if labels and keeps else found[-1]


def chain(
    asked: Guarded,
    number: int,
    model: Classifier,
    store: Store,
    where: Placement,
    *,
    live: bool = False,
) -> list[Classifier]:
    """The model, and then what it is behind each of its defenses.

    ``live``: as it serves, with copies that are made when they are asked for, and not kept.
    """
    guard, found = asked.guard, [model]
    by = guard.regenerator
    copies = None if by is None else copies_of(by, store, where, live=live)
    for place, step in enumerate(guard.steps):
        once = partial(_once, store, f"{asked.address} {number} {place}", where)
        own = asked.known[number]
        calibration = Calibration(own.members, own.non_members, asked.public, guard.secret, once)
        given = {"classifier": found[-1], "calibration": calibration, "copies": copies}
        named = (given[name] for name in step.defense.needs)
        found.append(step.defense.apply(*named, **step.options))
    return found


def _once(store: Store, of: str, where: Placement, name: str, make: Callable[[], Arrays]) -> Arrays:
    """What a defense is set to, fitted the first time that it is asked for."""
    address = digest("fitted", of, name)
    if not store.has(address):
        start = time.perf_counter()
        made = make()
        store.put(address, made, {**circumstances_of(where, start), "arrays": sorted(made)})
    names = store.provenance(address)["arrays"]
    return {one: np.array(store.array(address, one)) for one in names}


def gauge(job: Gauge, store: Store, model: Classifier, told: Told) -> None:
    """What the defenses do to the answers, and what a question costs with them and without."""
    start = time.perf_counter()
    found = chain(job.model, 0, model, store, job.where)
    inputs = np.asarray(job.examples.inputs)
    fences = [one for one in found if isinstance(one, Fenced)]
    labels, arrays = _behind(fences[0], inputs) if fences else (None, {})
    if labels is None or found[-1] is not fences[0]:
        labels = _labels(found[-1], inputs)
    arrays["changed"] = labels != _labels(model, inputs)
    serving = chain(job.model, 0, model, store, job.where, live=True)[-1]
    timed = {"undefended": _timed(model, inputs), "defended": _timed(serving, inputs)}
    about = {"milliseconds": timed, "arrays": sorted(arrays), "interval": _interval(fences)}
    store.put(job.address, arrays, {**circumstances_of(job.where, start), **about})
    told(len(inputs))


def _behind(fenced: Fenced, inputs: np.ndarray) -> tuple[np.ndarray, Arrays]:
    """The labels (n,) of a fence's answers, and how it came to them; all copies asked once."""
    told = fenced.asked(inputs)
    answer, selector = fenced.given(inputs, told), fenced.fence.selector
    arrays: Arrays = {"kept": answer.kept.mean(axis=1, dtype=np.float64)}
    arrays |= {"fell_back": answer.fell_back} if fenced.label_preserving else {}
    arrays |= {"inside": answer.inside} if selector in ("s1", "s2") else {}
    arrays |= {"odds": told.odds} if selector == "s1" else {}
    return answer.logits.argmax(axis=1), arrays


def _interval(fences: Sequence[Fenced]) -> dict[str, float]:
    """Of s1: its ends, and the divergence that it left among those that chose it."""
    found = [one.fence for one in fences if one.fence.selector == "s1"]
    return {
        name: value
        for one in found
        for name, value in (("low", one.low), ("high", one.high), *one.figures.items())
    }


def _labels(model: Classifier, inputs: np.ndarray) -> np.ndarray:
    return model.logits(inputs).argmax(axis=1)


def _timed(model: Classifier, inputs: np.ndarray) -> dict[str, float]:
    """Milliseconds of a question about one input, and per input about a hundred at once."""
    alone = [_milliseconds(model, inputs[[place % len(inputs)]]) for place in range(TIMES + 1)]
    many = inputs[:HUNDRED]  # once: a large denoiser takes minutes for some hundreds of inputs
    return {
        "one": float(np.median(alone[1:])),
        "one p95": float(np.quantile(alone[1:], 0.95)),
        "of a hundred": _milliseconds(model, many) / len(many),
    }


def _milliseconds(model: Classifier, inputs: np.ndarray) -> float:
    start = time.perf_counter()
    model.logits(inputs)
    return 1000 * (time.perf_counter() - start)
