"""How each kind of job is done, by whichever process is given it."""

import pickle
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nonmember.audit.classifiers.defense_work import learn, regenerate
from nonmember.audit.classifiers.jobs import Gauge, Inquire, Learn, Regenerate, Teach
from nonmember.audit.classifiers.work import gauge, inquire, teach
from nonmember.audit.defended import protecting
from nonmember.audit.jobs import Compare, Job, Material, Protect, Query, Train, Tune, Write
from nonmember.audit.language.asking import weights
from nonmember.audit.language.sources import Served
from nonmember.audit.language.tuning import compare, tune
from nonmember.audit.provenance import circumstances_of
from nonmember.errors import ModelError, NonmemberError, RunError
from nonmember.models import causal, endpoint
from nonmember.models.causal import CausalModel
from nonmember.models.endpoint import Endpoint
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded
from nonmember.rewriting import chat
from nonmember.rewriting.cache import Cache
from nonmember.signals.store import REWRITES, Store, note
from nonmember.training import loop as training
from nonmember.training import self_prompted
from nonmember.training.finetune import fine_tune

Told = Callable[[int], None]
"""Told the tokens of a job that were done since it was told last."""

Loaded = CausalModel | Endpoint


@dataclass
class Desk:
    """Where one process does its jobs: the store, and the model that was asked last.

    One model is in memory at a time; jobs that ask the same one find it at hand.
    """

    store: Store
    loaded: Loaded | None = None


def do(job: Job, desk: Desk, told: Told) -> None:
    """Do a job whose needs are in the store; its output is then there too.

    Raises:
        NonmemberError: it cannot be done, as its model, data or settings have it.
    """
    if isinstance(job, Query | Write):
        _ask(job, _at_desk(job, desk), desk.store, told)
        return
    desk.loaded = None
    MAKING[type(job)](job, desk.store, told)


def attempt(job: Job, desk: Desk, told: Told) -> Exception | None:
    """Do a job; what went wrong is returned in a form that another process can raise."""
    try:
        do(job, desk, told)
    except Exception as error:
        if not isinstance(error, NonmemberError):
            error.add_note(f"In a worker:\n{traceback.format_exc()}")
        return _portable(error)
    return None


def _portable(error: Exception) -> Exception:
    """The error itself, unless it is one that cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    except Exception:  # whatever a foreign class makes of it
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def at_times(told: Told, pause: float) -> Told:
    """Tells ``told`` at most once in ``pause`` seconds, which is what a message is worth."""
    waiting, last = 0, time.monotonic()

    def tell(tokens: int) -> None:
        nonlocal waiting, last
        waiting += tokens
        if time.monotonic() - last >= pause:
            told(waiting)
            waiting, last = 0, time.monotonic()

    return tell


def _train(job: Train, store: Store, told: Told) -> None:
    start = time.perf_counter()
    material = training.Material(tuple(_material(one, store) for one in _epochs(job)))
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
            **circumstances_of(job.where, start),
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


def _material(material: Material, store: Store) -> Sequence[Encoded]:
    """What is trained on: records, protected or not, or what another job let a model write."""
    if isinstance(material, Write):
        found = {name: store.array(material.address, name) for name in ("ids", "first")}
        return self_prompted.read(found, material.prompts[0].form)
    if isinstance(material, Protect):
        return replace(material.encoded, records=protecting.trained(store.folder(material.address)))
    return material


def _protect(job: Protect, store: Store, told: Told) -> None:
    start = time.perf_counter()
    try:
        with store.writing(job.address) as folder:
            about = protecting.carry_out(job, store, folder, told)
            note(folder, {**circumstances_of(job.where, start), **about})
    finally:
        chat.release()  # a training may come next


def _ask(job: Query | Write, model: Loaded, store: Store, told: Told) -> None:
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
    about = circumstances_of(job.where, start)
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


def _at_desk(job: Query | Write, desk: Desk) -> Loaded:
    """The model that is asked, which is loaded if it is not at hand."""
    asked = _at_hand(desk.loaded, job)
    if asked is None:
        desk.loaded = None  # before the next one takes its memory
        asked = desk.loaded = _opened(job, desk.store)
    return asked


def _at_hand(loaded: Loaded | None, job: Query | Write) -> Loaded | None:
    """The model that is asked, if it is the loaded one or the base below its adapter."""
    if isinstance(job.model, Served):
        there = isinstance(loaded, Endpoint) and loaded.service == job.model.service
        return loaded if there else None
    if not isinstance(loaded, CausalModel):
        return None
    wanted = weights(job.model)
    if loaded.source.digest == wanted:
        return loaded
    below = loaded.source.base
    return causal.base_of(loaded) if below is not None and below.digest == wanted else None


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


def _source(model: Source | Train, store: Store) -> Source:
    """A model on disk; one made here is known by the address of the job that made it."""
    if isinstance(model, Source):
        return model
    found = locate(str(store.folder(model.address)), base=model.base.name)
    return replace(found, digest=model.address)


MAKING: Mapping[type, Callable[[Any, Store, Told], None]] = {
    Train: _train,
    Protect: _protect,
    Tune: tune,
    Compare: compare,
    Teach: teach,
    Inquire: inquire,
    Learn: learn,
    Regenerate: regenerate,
    Gauge: gauge,
}
"""Who does the jobs that ask no model at hand, by their kind."""
