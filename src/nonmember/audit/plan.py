"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses.

A job's address is computed from everything that can change its output: weights, records,
tokenizer, options, number format and the versions of the code that makes it. Candidates
stand in the order of their content's digest and are cut into shards by its first bits, so
that one record more changes one shard.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise

import numpy as np

from nonmember.audit import options
from nonmember.audit.jobs import Job, Model, Query, Train, Write
from nonmember.audit.sources import Served
from nonmember.audit.spec import SelfPrompted
from nonmember.audit.subject import Subject, Target
from nonmember.audit.threat import needs_of
from nonmember.data.records import Records
from nonmember.models import generate
from nonmember.models.causal import Placement
from nonmember.models.source import digest
from nonmember.models.text import Encoded, Encodings
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, Signal, Whose, passes
from nonmember.training.recipe import Recipe

TORCH, TRANSFORMERS = version("torch"), version("transformers")
TRAINING_VERSION = 2
WRITING_VERSION = 1
SHARD = 256  # candidates asked in one job at most, or nearly: what an interruption can cost
SERVED_SHARD = 32  # of an endpoint, which takes a request per text or per token
USUAL = 100_000_000  # parameters of a model that does not say
ORDER: tuple[Whose, ...] = ("target", "base", "self")  # in which models are asked
FORWARD, FULL, LORA = 2, 6, 4  # floating-point operations per parameter and token


@dataclass(frozen=True)
class Plan:
    """Every job, in an order in which each finds what it needs, and where the answers will be.

    ``shards`` are the ranges of candidates that are asked together, per target. ``answers``
    lists, per target, whose answer it is and the signal's name, the addresses of the shards
    in order.
    """

    jobs: tuple[Job, ...]
    shards: dict[str, tuple[slice, ...]]
    answers: dict[tuple[str, Whose, str], tuple[str, ...]]
    trained: dict[str, Train]


def plan(subject: Subject) -> Plan:
    """The jobs of an audit: train what is to be trained, then ask every model once."""
    jobs: dict[str, Job] = {}
    answers: dict[tuple[str, Whose, str], tuple[str, ...]] = {}
    trained: dict[str, Train] = {}
    shards: dict[str, tuple[slice, ...]] = {}
    for target in subject.targets:
        model = target.source or _training(target, subject)
        size = SERVED_SHARD if isinstance(model, Served) else SHARD
        shards[target.name] = shards_of(subject.candidates.records.digests, size)
        if isinstance(model, Train):
            trained[target.name] = model
        needs = (
            need for one in target.attacks for need in needs_of(one, target.attacks, subject.spec)
        )
        asked = sorted(passes(needs), key=lambda one: (ORDER.index(one[0]), one))
        for whose, name in asked:
            of = _whose(whose, target, model, subject)
            parts = shards[target.name]
            queries = tuple(_queries(whose, SIGNALS[name], target, of, subject, parts))
            for job in (*_chain(of), *queries):
                jobs.setdefault(job.address, job)
            answers[target.name, whose, name] = tuple(job.address for job in queries)
    return Plan(tuple(jobs.values()), shards, answers, trained)


def shards_of(digests: np.ndarray, size: int) -> tuple[slice, ...]:
    """Ranges of candidates whose digests, which are sorted, begin with the same bits.

    As many bits as leave about ``size`` candidates together: one more changes one range,
    until they are so many that all are cut anew.
    """
    bits = max(0, int(np.ceil(np.log2(max(1, len(digests)) / size))))
    first = digests[:, :4].copy().view(">u4")[:, 0].astype(np.uint64) >> np.uint64(32 - bits)
    edges = [0, *(np.flatnonzero(np.diff(first)) + 1).tolist(), len(digests)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def _chain(model: Model) -> Iterator[Job]:
    """The jobs that make a model, first things first."""
    if isinstance(model, Train):
        if isinstance(model.encoded, Write):
            yield from _chain(model.encoded.model)
            yield model.encoded
        yield model


def _whose(whose: Whose, target: Target, model: Model, subject: Subject) -> Model:
    if whose == "target":
        return model
    assert target.base is not None
    return target.base if whose == "base" else _self_prompted(target, model, subject)


def _training(target: Target, subject: Subject) -> Train:
    assert target.base is not None
    seed = derive(subject.spec.seed, "training")
    tokens = sum(len(one.ids) for one in target.training)
    label = f"fine-tune {target.name} on {len(target.training)} records"
    content = digest(*_content(target, target.training))
    recipe = target.recipe
    return _train(label, target, target.training, content, tokens, recipe, seed, subject.where)


def _self_prompted(target: Target, model: Model, subject: Subject) -> Train:
    """The base, tuned on what the target writes when prompted with the known non-members."""
    how = subject.spec.signals.self_prompted
    write = _writing(target, model, how, subject)
    seed = derive(subject.spec.seed, "self-prompted")
    label, tokens = f"fine-tune the self-prompted reference of {target.name}", write.tokens
    return _train(label, target, write, write.address, tokens, how.recipe, seed, subject.where)


def _train(
    label: str,
    target: Target,
    encoded: Encodings | Write,
    content: str,
    tokens: int,
    recipe: Recipe,
    seed: int,
    where: Placement,
) -> Train:
    assert target.base is not None
    base = target.base
    address = digest(
        f"train {TRAINING_VERSION} {base.digest} {asdict(recipe)} {seed} {_arithmetic(where)}",
        content,
    )
    seen = tokens * recipe.epochs
    work = float((LORA if recipe.method == "lora" else FULL) * base.parameters * seen)
    return Train(address, label, base, encoded, recipe, seed, where, seen, work)


def _writing(target: Target, model: Model, how: SelfPrompted, subject: Subject) -> Write:
    seed = derive(subject.spec.seed, "self-prompted")
    most = max(1, int(np.median(target.met.tokens)))
    shots = tuple(one for one in target.shots if one.scored.any())
    tokens = how.texts * most
    address = digest(
        f"write {WRITING_VERSION} {generate.VERSION} {_weights(model)} {how.texts} "
        f"{how.prompt_tokens} {most} {seed} {_circumstances(model, subject.where)}",
        *_contents(shots),
    )
    work = float(FORWARD * _parameters(model) * tokens)
    return Write(
        address,
        f"let {target.name} write {how.texts} texts",
        model,
        shots,
        how.texts,
        how.prompt_tokens,
        most,
        seed,
        subject.where,
        tokens,
        work,
    )


def _queries(
    whose: Whose,
    signal: Signal,
    target: Target,
    model: Model,
    subject: Subject,
    shards: Sequence[slice],
) -> Iterator[Query]:
    """One job per shard of candidates."""
    given = options.of_signal(signal, subject.spec)
    known = {"shots": target.shots, "member_shots": target.member_shots}
    inputs = {name: known[name] for name in signal.inputs if name in known}
    asked = digest(
        f"query {signal.name} {signal.version} {options.content(given)} {_weights(model)} "
        f"{_circumstances(model, subject.where)}",
        *(part for name in sorted(inputs) for part in _contents(inputs[name])),
    )
    whom = {"target": "", "base": "the base of ", "self": "the self-prompted reference of "}[whose]
    for rows in shards:
        part = Encodings(
            target.candidates.tokenizer, target.candidates.records[rows], target.candidates.form
        )
        tokens = int(target.met.tokens[rows].sum()) * int(given.get("copies", 1))
        yield Query(
            digest(asked, *_content(target, part)),
            f"ask {whom}{target.name} for {signal.name} of candidates {rows.start + 1}-{rows.stop}",
            signal,
            model,
            part,
            inputs,
            given,
            subject.where,
            tokens,
            float(FORWARD * _parameters(model) * tokens),
        )


def _weights(model: Model) -> str:
    return model.address if isinstance(model, Train) else model.digest


def _parameters(model: Model) -> int:
    known = model.base.parameters if isinstance(model, Train) else model.parameters
    return known or USUAL


def _content(target: Target, encoded: Encodings) -> Iterator[str | bytes]:
    """All that decides the token ids of these records, without encoding them."""
    assert isinstance(encoded.records, Records)
    yield f"{encoded.form} {target.fingerprint}"
    yield np.ascontiguousarray(encoded.records.digests).tobytes()


def _contents(encoded: Iterable[Encoded]) -> Iterator[bytes]:
    for one in encoded:
        yield one.ids.astype(np.int64).tobytes() + one.scored.tobytes()


def _circumstances(model: Model, where: Placement) -> str:
    """Of an endpoint's answers, nothing about this machine decides."""
    return "" if isinstance(model, Served) else _arithmetic(where)


def _arithmetic(where: Placement) -> str:
    """Where and with which numbers is computed.

    The number of threads is left out: it moves only the last digits of a sum.
    """
    return f"{where.device.type} {where.dtype} torch {TORCH} transformers {TRANSFORMERS}"
