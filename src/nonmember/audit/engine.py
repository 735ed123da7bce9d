"""Carries jobs out in this process. Nothing else knows where a job runs."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from nonmember.audit import protecting
from nonmember.audit.jobs import Job, Material, Protect, Query, Train, Write
from nonmember.audit.sources import Served
from nonmember.errors import ModelError, RunError
from nonmember.models import causal, endpoint
from nonmember.models.causal import CausalModel, Placement
from nonmember.models.endpoint import Endpoint
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded
from nonmember.rewriting import chat
from nonmember.rewriting.cache import Cache
from nonmember.signals.store import REWRITES, Store, note
from nonmember.training import loop as training
from nonmember.training import self_prompted
from nonmember.training.finetune import fine_tune

Watch = Callable[[str, float], None]
"""Told what is being done and the share of all pending work that is done, from 0 to 1."""

Loaded = CausalModel | Endpoint
EFFICIENCY = 0.55  # of a matrix product's speed that a whole model reaches, seen on small CPUs


def pending(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs whose output is not in the store yet."""
    return [job for job in jobs if not store.has(job.address)]


def run(jobs: Iterable[Job], store: Store, watch: Watch) -> None:
    """Do every job that is pending."""
    waiting = pending(jobs, store)
    total, done = sum(job.work for job in waiting) or 1.0, 0.0
    loaded: Loaded | None = None
    for job in waiting:
        watch(job.label, done / total)
        told = _telling(watch, job, done, total)
        if isinstance(job, Train | Protect):
            loaded = None  # one model in memory at a time
        if isinstance(job, Train):
            _train(job, store, told)
        elif isinstance(job, Protect):
            _protect(job, store, told)
        else:
            asked = _at_hand(loaded, job)
            if asked is None:
                loaded = None
                asked = loaded = _opened(job, store)
            _ask(job, asked, store, told)
        done += job.work


def _telling(watch: Watch, job: Job, before: float, total: float) -> Callable[[int], None]:
    """Turns tokens of one job into the share of all work."""
    reached = 0

    def told(tokens: int) -> None:
        nonlocal reached
        reached += tokens
        watch(job.label, (before + job.work * reached / max(1, job.tokens)) / total)

    return told


def seconds(jobs: Sequence[Job]) -> float:
    """What the jobs will roughly take, from the speed of one matrix product where they run."""
    speeds = {where: _speed(where) for where in {job.where for job in jobs}}
    return sum(job.work / speeds[job.where] for job in jobs)


def _speed(where: Placement) -> float:
    """Floating-point operations a second that a model reaches there, roughly."""
    rows, inner, columns = 512, 1024, 4096
    left, right = (
        torch.ones(shape, dtype=where.dtype, device=where.device)
        for shape in ((rows, inner), (inner, columns))
    )
    times = []
    for _ in range(4):
        start = time.perf_counter()
        float((left @ right)[0, 0])
        times.append(time.perf_counter() - start)
    return 2 * rows * inner * columns / min(times) * EFFICIENCY


def _train(job: Train, store: Store, told: Callable[[int], None]) -> None:
    start = time.perf_counter()
    material = training.Material(tuple(_material(one, job, store) for one in _epochs(job)))
    goes_on = job.hand_to is not None and not store.has(job.hand_to)
    with store.writing(job.address) as folder:
        fitted = fine_tune(
            job.base,
            material,
            job.recipe,
            job.where,
            folder,
            seed=job.seed,
            scratch=store.scratch(job.address),
            stop=job.stop,
            hand_to=store.scratch(str(job.hand_to)) if goes_on else None,
            watch=told,
        )
        _compare(job, material, fitted)
        about = {
            **_circumstances(job.where, start),
            "loss per epoch, nats per token": fitted.losses,
            "tokens per epoch": fitted.tokens,
            "recipe": asdict(job.recipe),
            "seed": job.seed,
            "records": len(material.of(0)),
            "held back": fitted.held_back,
            "base": job.base.digest,
        }
        note(folder, about | ({"privacy": fitted.privacy} if fitted.privacy else {}))


def _epochs(job: Train) -> tuple[Material, ...]:
    """What each epoch is trained on, or one for all; what is not reached repeats the last."""
    missing = job.recipe.epochs - len(job.materials) if len(job.materials) > 1 else 0
    return (*job.materials, *job.materials[-1:] * missing)


def _compare(job: Train, material: training.Material, fitted: training.Fitted) -> None:
    """Hold what the updates were made of against what was to be trained on.

    Raises:
        RunError: they are not the same.
    """
    planned = training.expected(material, job.recipe, seed=job.seed, epochs=len(fitted.seen))
    if planned != fitted.seen:
        raise RunError(
            f"{job.label}: was not trained on what was planned; this is a defect, please report it"
        )


def _protect(job: Protect, store: Store, told: Callable[[int], None]) -> None:
    start = time.perf_counter()
    try:
        with store.writing(job.address) as folder:
            about = protecting.carry_out(job, store, folder, told)
            note(folder, {**_circumstances(job.where, start), **about})
    finally:
        chat.release()  # a training may come next


def _opened(job: Query | Write, store: Store) -> Loaded:
    if isinstance(job.model, Served):
        found = endpoint.connect(job.model.service)
        if found.digest != job.model.digest:
            found.close()
            raise ModelError(
                f"{job.model.name}: the model behind this address has changed since the audit "
                "began; run it again"
            )
        return found
    return causal.load(_source(job.model, store), job.where)


def _ask(job: Query | Write, model: Loaded, store: Store, told: Callable[[int], None]) -> None:
    start = time.perf_counter()
    if isinstance(job, Query):
        given = [_given(name, job, model, store) for name in job.signal.inputs]
        arrays = job.signal.extract(*given, **job.options, watch=told)
    else:
        arrays = self_prompted.write(
            model,
            job.prompts,
            texts=job.texts,
            prompt_tokens=job.prompt_tokens,
            most=job.most,
            seed=job.seed,
            watch=told,
        )
    about = _circumstances(job.where, start)
    if isinstance(job.model, Served):
        about = {"seconds": about["seconds"], "endpoint": job.model.name}
    store.put(job.address, arrays, about)


def _given(name: str, job: Query, model: Loaded, store: Store) -> Any:
    """What an extractor asks for by this name; records are encoded here, once.

    Whoever is asked, texts are altered and encoded as the target meets them.
    """
    if name == "model":
        own = isinstance(model, Endpoint)
        return model if own else replace(model, tokenizer=job.encoded.tokenizer)
    if name == "encoded":
        return tuple(job.encoded)
    if name == "contents":
        return [record.content for record in job.encoded.records]
    return Cache(store.root / REWRITES) if name == "rewrites_cache" else job.inputs[name]


def _circumstances(where: Placement, start: float) -> dict[str, Any]:
    return {
        "seconds": round(time.perf_counter() - start, 3),
        "device": str(where.device),
        "precision": str(where.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _material(material: Material, job: Train, store: Store) -> Sequence[Encoded]:
    """What is trained on: records, protected or not, or what another job let a model write."""
    if isinstance(material, Write):
        found = {name: store.array(material.address, name) for name in ("ids", "first")}
        return self_prompted.read(found, material.prompts[0].form)
    if isinstance(material, Protect):
        return replace(material.encoded, records=protecting.trained(store.folder(material.address)))
    return material


def _at_hand(loaded: Loaded | None, job: Query | Write) -> Loaded | None:
    """The model that is asked, if it is the loaded one or the base below its adapter."""
    if isinstance(job.model, Served):
        there = isinstance(loaded, Endpoint) and loaded.service == job.model.service
        return loaded if there else None
    if not isinstance(loaded, CausalModel):
        return None
    wanted = job.model.address if isinstance(job.model, Train) else job.model.digest
    if loaded.source.digest == wanted:
        return loaded
    below = loaded.source.base
    return causal.base_of(loaded) if below is not None and below.digest == wanted else None


def _source(model: Source | Train, store: Store) -> Source:
    """A model on disk; one made here is known by the address of the job that made it."""
    if isinstance(model, Source):
        return model
    found = locate(str(store.folder(model.address)), base=model.base.name)
    return replace(found, digest=model.address)
