"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses.

A job's address is computed from everything that can change its output: weights, token
ids, options, number format and the versions of the code that makes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from nonmember.audit.subject import Subject, Target
from nonmember.models.causal import Placement
from nonmember.models.source import Source, digest
from nonmember.models.text import Encoded
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, Signal, Whose, extractor, queried
from nonmember.training.recipe import Recipe

TORCH, TRANSFORMERS = version("torch"), version("transformers")
TRAINING_VERSION = 1
SHARD = 256  # candidates asked in one job: what an interruption can cost
FORWARD, FULL, LORA = 2, 6, 4  # floating-point operations per parameter and token


@dataclass(frozen=True)
class Train:
    """Fine-tune ``base``; the output is a model folder or an adapter folder."""

    address: str
    label: str
    base: Source
    encoded: tuple[Encoded, ...]
    recipe: Recipe
    seed: int
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Query:
    """Ask a model for one signal of some candidates; the output is a folder of arrays.

    ``model`` is a model on disk, or the job that makes it.
    """

    address: str
    label: str
    signal: Signal
    model: Source | Train
    encoded: tuple[Encoded, ...]
    where: Placement
    tokens: int
    work: float


Job = Train | Query


@dataclass(frozen=True)
class Plan:
    """Every job, in an order in which each finds what it needs, and where the answers will be.

    ``answers`` lists, per target, whose answer it is and the signal's name, the addresses of
    the shards in the candidates' order.
    """

    jobs: tuple[Job, ...]
    answers: dict[tuple[str, Whose, str], tuple[str, ...]]
    trained: dict[str, Train]


def plan(subject: Subject) -> Plan:
    """The jobs of an audit: train what is to be trained, then ask every model once."""
    jobs: dict[str, Job] = {}
    answers: dict[tuple[str, Whose, str], tuple[str, ...]] = {}
    trained: dict[str, Train] = {}
    for target in subject.targets:
        model = target.source or _training(target, subject)
        if isinstance(model, Train):
            jobs.setdefault(model.address, model)
            trained[target.name] = model
        questions = [q for attack in target.attacks for q in queried(attack.needs)]
        passes = {(q.whose, extractor(q.name).name) for q in questions}
        for whose, name in sorted(passes, key=lambda one: (one[0] != "target", one)):
            shards = tuple(_queries(whose, SIGNALS[name], target, model, subject.where))
            jobs.update({job.address: jobs.get(job.address, job) for job in shards})
            answers[target.name, whose, name] = tuple(job.address for job in shards)
    return Plan(tuple(jobs.values()), answers, trained)


def _training(target: Target, subject: Subject) -> Train:
    assert target.base is not None
    seed = derive(subject.spec.seed, "training")
    tokens = sum(len(one.ids) for one in target.training) * target.recipe.epochs
    address = digest(
        f"train {TRAINING_VERSION} {target.base.digest} {asdict(target.recipe)} {seed} "
        f"{_arithmetic(subject.where)}",
        *_content(target.training),
    )
    per_token = LORA if target.recipe.method == "lora" else FULL
    work = float(per_token * target.base.parameters * tokens)
    label = f"fine-tune {target.name} on {len(target.training)} records"
    return Train(
        address,
        label,
        target.base,
        target.training,
        target.recipe,
        seed,
        subject.where,
        tokens,
        work,
    )


def _queries(
    whose: Whose, signal: Signal, target: Target, model: Source | Train, where: Placement
) -> Iterator[Query]:
    """One job per shard of candidates."""
    asked = model if whose == "target" else target.base
    assert asked is not None
    weights = asked.address if isinstance(asked, Train) else asked.digest
    whom = target.name if whose == "target" else f"the base of {target.name}"
    parameters = asked.base.parameters if isinstance(asked, Train) else asked.parameters
    for start in range(0, len(target.candidates), SHARD):
        shard = target.candidates[start : start + SHARD]
        tokens = sum(len(one.ids) for one in shard)
        address = digest(
            f"query {signal.name} {signal.version} {weights} {_arithmetic(where)}",
            *_content(shard),
        )
        label = f"ask {whom} about candidates {start + 1}-{start + len(shard)}"
        work = float(FORWARD * parameters * tokens)
        yield Query(address, label, signal, asked, shard, where, tokens, work)


def _content(encoded: Sequence[Encoded]) -> Iterator[bytes]:
    for one in encoded:
        yield one.ids.astype(np.int64).tobytes() + one.scored.tobytes()


def _arithmetic(where: Placement) -> str:
    """Where and with which numbers is computed.

    The number of threads is left out: it moves only the last digits of a sum.
    """
    return f"{where.device.type} {where.dtype} torch {TORCH} transformers {TRANSFORMERS}"
