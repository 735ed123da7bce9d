"""From a target to the jobs that make a model: fine-tuning, and all that comes before it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np

from nonmember.audit.defended.protection import Protection, Rewriting, Selecting
from nonmember.audit.jobs import Job, Material, Model, Protect, Query, Selection, Train, Write
from nonmember.audit.language.asking import (
    FORWARD,
    Setting,
    arithmetic_of,
    content,
    contents,
    parameters,
    queries,
    shards,
    weights,
)
from nonmember.audit.language.met import Met, met
from nonmember.audit.language.subject import Target
from nonmember.audit.provenance import arithmetic
from nonmember.data.records import Records
from nonmember.models import generate
from nonmember.models.source import Source, digest
from nonmember.models.text import Encodings
from nonmember.rewriting.gates import judges
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, passes
from nonmember.training.recipe import Recipe

TRAINING_VERSION = 3
WRITING_VERSION = 1
PROTECTION_VERSION = 2
FULL, LORA = 6, 4  # floating-point operations per parameter and token
REWRITING = 2e10  # operations that the rewriting and judging of a record stands for, by rules


@dataclass(frozen=True)
class Making:
    """The jobs that make a target's model here, from its base and its training records."""

    target: Target
    setting: Setting

    @property
    def base(self) -> Source:
        """What is fine-tuned."""
        assert self.target.base is not None
        return self.target.base

    @cached_property
    def _met(self) -> Met:
        """The training records as the model meets them; they are tokenised once."""
        if self.target.training is self.target.candidates:
            return self.target.met
        return met(self.target.training, [self.base])

    def model(self) -> Train:
        """The job that makes the target."""
        protection = self.target.protection
        if protection is None or protection.idle:
            return self.train((self.target.training,))
        return self.train(self.protected(protection))

    def protected(self, protection: Protection) -> tuple[Material, ...]:
        """The records protected: what is trained on, epoch by epoch or once for all."""
        if protection.selecting is None:
            return self._turns(self._views(protection, None))
        return self._mixture(protection, protection.selecting)

    def _views(self, protection: Protection, selection: Selection | None) -> tuple[Protect, ...]:
        """Once, or with another rewrite for each view."""
        views = protection.rewriting.views if protection.rewriting else 1
        return tuple(self._protect(protection, selection, view) for view in range(views))

    def _mixture(self, protection: Protection, how: Selecting) -> tuple[Material, ...]:
        """Protected by what a warm-up has shown."""
        raw: tuple[Material, ...] = (self.target.training,) * how.warmup_epochs
        seen = raw if how.after_warmup == "continue" else ()
        chosen = self._selection(how, self._state(raw))
        if how.reselect == "once":
            return self._turns(self._views(protection, chosen), seen)
        epochs = self.target.recipe.epochs
        while len(seen) < epochs:
            views = self._views(protection, chosen)
            seen = (*seen, views[len(seen) % len(views)])
            chosen = self._selection(how, self._state(seen)) if len(seen) < epochs else chosen
        return seen

    def _turns(
        self, views: tuple[Protect, ...], seen: tuple[Material, ...] = ()
    ) -> tuple[Material, ...]:
        """The views in turn, an epoch each, after what has been seen; a single one for all."""
        if not seen and len(views) == 1:
            return views
        left = self.target.recipe.epochs - len(seen)
        return (*seen, *(views[turn % len(views)] for turn in range(left)))

    def _state(self, seen: tuple[Material, ...]) -> Model:
        """The model after it has been trained on these, an epoch each."""
        return self.train(seen, stop=len(seen)) if seen else self.base

    def train(self, materials: tuple[Material, ...], *, stop: int | None = None) -> Train:
        """Fine-tune on these materials with the target's recipe."""
        name, recipe = self.target.name, self.target.recipe
        records = len(self.target.training)
        label = f"fine-tune {name} on {records} records"
        if stop is not None:
            label = f"warm {name} up for {stop} of {recipe.epochs} epochs"
        seed = derive(self.setting.seed, "training")
        tokens = int(self._met.tokens.sum())
        return self._train(label, materials, tokens, recipe, seed, stop)

    def _train(
        self,
        label: str,
        materials: tuple[Material, ...],
        tokens: int,
        recipe: Recipe,
        seed: int,
        stop: int | None = None,
    ) -> Train:
        where, base = self.setting.where, self.base
        if all(one is materials[0] for one in materials):
            materials = materials[:1]
        until = "" if stop is None else f" until {stop}"
        address = digest(
            f"train {TRAINING_VERSION} {base.digest} {asdict(recipe)} {seed} {arithmetic(where)}"
            f"{until}",
            *(digest(*self._decisive(one)) for one in materials),
        )
        seen = tokens * (stop or recipe.epochs)
        work = float((LORA if recipe.method == "lora" else FULL) * base.parameters * seen)
        return Train(address, label, base, materials, recipe, seed, where, seen, work, stop)

    def _decisive(self, material: Material) -> Iterator[str | bytes]:
        if isinstance(material, Encodings):
            yield from content(self.target, material)
        elif isinstance(material, Protect):
            yield material.address
            yield f"{self.target.training.form} {self.target.fingerprint}"
        else:
            yield material.address

    def _selection(self, how: Selecting, model: Model) -> Selection:
        """Ask the warm-up what the selector goes by, of every training record."""
        encoded = self.target.training
        target = replace(
            self.target,
            name=f"the warm-up of {self.target.name}",
            candidates=encoded,
            met=self._met,
            attacks=(how.selector,),
        )
        parts = shards(target, model)
        asked = {}
        for whose, name in sorted(passes(how.selector.needs)):
            of = model if whose == "target" else self.base
            asked[whose, name] = tuple(
                queries(whose, SIGNALS[name], target, of, self.setting, parts)
            )
        return Selection(target, parts, asked)

    def _protect(self, protection: Protection, selection: Selection | None, view: int) -> Protect:
        encoded, secret = self.target.training, self.setting.secret + (f"/{view}" if view else "")
        by = protection.rewriting
        selecting = protection.selecting
        by_whom = selecting and (selecting.selector.name, selecting.options)
        address = digest(
            f"protect {PROTECTION_VERSION} {self._rules(by)} {by_whom} {digest(secret)} "
            f"{[(step.defense.name, step.options) for step in protection.steps]}",
            *content(self.target, encoded),
            *(
                job.address
                for jobs in (selection.queries.values() if selection else ())
                for job in jobs
            ),
        )
        names = ", ".join(step.defense.name for step in protection.steps)
        records = len(encoded)
        return Protect(
            address,
            f"protect {self.target.name} by {names}",
            encoded,
            protection,
            selection,
            self.base,
            secret,
            self.setting.where,
            records,
            REWRITING * records if by else REWRITING,
        )

    def _rules(self, by: Rewriting | None) -> str:
        """Who rewrites, and what a rewrite must hold to; how fluent it is, the base tells."""
        if by is None:
            return ""
        judge = "" if by.limits.fluency is None else self.base.digest
        asked = f"{by.rewriter.identity} {by.limits} {by.attempts} {by.on_reject} {judges()}"
        return f"{asked} {judge} {arithmetic(self.setting.where)}"  # the encoder computes there

    def self_prompted(self, model: Model, recipe: Recipe, texts: int, prompt_tokens: int) -> Train:
        """The base, tuned on what the target writes when prompted with the known non-members."""
        write = self._writing(model, texts, prompt_tokens)
        seed = derive(self.setting.seed, "self-prompted")
        label = f"fine-tune the self-prompted reference of {self.target.name}"
        return self._train(label, (write,), write.tokens, recipe, seed)

    def _writing(self, model: Model, texts: int, prompt_tokens: int) -> Write:
        where, seed = self.setting.where, derive(self.setting.seed, "self-prompted")
        most = max(1, int(np.median(self.target.met.tokens)))
        shots = tuple(one for one in self.target.shots if one.scored.any())
        tokens = texts * most
        address = digest(
            f"write {WRITING_VERSION} {generate.VERSION} {weights(model)} {texts} "
            f"{prompt_tokens} {most} {seed} {arithmetic_of(model, where)}",
            *contents(shots),
        )
        return Write(
            address,
            f"let {self.target.name} write {texts} texts",
            model,
            shots,
            texts,
            prompt_tokens,
            most,
            seed,
            where,
            tokens,
            float(FORWARD * parameters(model) * tokens),
        )


def chain(model: Model) -> Iterator[Job]:
    """The jobs that make a model, first things first."""
    if isinstance(model, Train):
        for material in model.materials:
            yield from before(material)
        yield model


def before(material: Material) -> Iterator[Job]:
    """The jobs that make what is trained on."""
    if isinstance(material, Write):
        yield from chain(material.model)
        yield material
    if isinstance(material, Protect):
        for asked in material.selection.queries.values() if material.selection else ():
            yield from _asked(asked)
        yield material


def _asked(asked: Sequence[Query]) -> Iterator[Job]:
    for job in asked:
        yield from chain(job.model)
        yield job


def handed_on(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The jobs, each warm-up told which run goes on from it and done before that run."""
    runs = [job for job in jobs if isinstance(job, Train)]
    found: dict[str, Job] = {}
    for job in jobs:
        early = (run for run in runs if isinstance(job, Train) and _begins(run, job) and _free(run))
        for one in (*early, job):
            found.setdefault(one.address, _handing(one, runs))
    return tuple(found.values())


def _handing(job: Job, runs: Sequence[Train]) -> Job:
    """The job, told of the first run that goes on from it, if any does."""
    if not isinstance(job, Train):
        return job
    later = next((run for run in runs if _begins(job, run)), None)
    return job if later is None else replace(job, hand_to=later.address)


def _free(run: Train) -> bool:
    """Whether nothing has to be made before it."""
    return all(isinstance(one, Encodings) for one in run.materials)


def _begins(run: Train, longer: Train) -> bool:
    """Whether a run is the beginning of a longer one."""
    same = (run.base, run.recipe, run.seed) == (longer.base, longer.recipe, longer.seed)
    if not same or run.stop is None or (longer.stop or longer.recipe.epochs) <= run.stop:
        return False
    return all(_of(run, turn) == _of(longer, turn) for turn in range(run.stop))


def _of(run: Train, turn: int) -> object:
    """What is trained on in an epoch, by content."""
    one = run.materials[turn if len(run.materials) > 1 else 0]
    if not isinstance(one, Encodings):
        return one.address
    assert isinstance(one.records, Records)
    return one.form, one.records.digests.tobytes()
