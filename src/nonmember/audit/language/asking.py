"""From a target to the jobs that ask a model about its candidates.

Candidates stand in the order of their content's digest and are cut into shards by its first
bits, so that one record more changes one shard.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nonmember.audit import options
from nonmember.audit.jobs import Model, Query, Train
from nonmember.audit.language.sources import Served
from nonmember.audit.language.subject import Target
from nonmember.audit.parts import Signals
from nonmember.audit.provenance import arithmetic
from nonmember.data.records import Records
from nonmember.models.causal import Placement
from nonmember.models.source import digest
from nonmember.models.text import Encoded, Encodings
from nonmember.signals.catalogue import Signal, Whose

SHARD = 256  # candidates asked in one job at most, or nearly: what an interruption can cost
SERVED_SHARD = 32  # of an endpoint, which takes a request per text or per token
USUAL = 100_000_000  # parameters of a model that does not say
FORWARD = 2  # floating-point operations per parameter and token
WHOM = {"target": "", "base": "the base of ", "self": "the self-prompted reference of "}


@dataclass(frozen=True)
class Setting:
    """What decides a job besides its target: the root seed, how is asked, where is computed.

    ``secret`` is what rewrites of training records are drawn by.
    """

    seed: int
    signals: Signals
    where: Placement
    secret: str


def shards_of(digests: np.ndarray, size: int) -> tuple[slice, ...]:
    """Ranges of candidates whose digests, which are sorted, begin with the same bits.

    As many bits as leave about ``size`` candidates together: one more changes one range,
    until they are so many that all are cut anew.
    """
    bits = max(0, int(np.ceil(np.log2(max(1, len(digests)) / size))))
    first = digests[:, :4].copy().view(">u4")[:, 0].astype(np.uint64) >> np.uint64(32 - bits)
    edges = [0, *(np.flatnonzero(np.diff(first)) + 1).tolist(), len(digests)]
    return tuple(slice(start, stop) for start, stop in pairwise(edges))


def shards(target: Target, model: Model) -> tuple[slice, ...]:
    """The ranges of its candidates that the model is asked about together."""
    records = target.candidates.records
    assert isinstance(records, Records)
    return shards_of(records.digests, SERVED_SHARD if isinstance(model, Served) else SHARD)


def queries(
    whose: Whose,
    signal: Signal,
    target: Target,
    model: Model,
    setting: Setting,
    parts: Sequence[slice],
) -> Iterator[Query]:
    """One job per shard of candidates."""
    given = options.of_signal(signal, setting, target.rewriter)
    known = {"shots": target.shots, "member_shots": target.member_shots}
    inputs = {name: known[name] for name in signal.inputs if name in known}
    asked = digest(
        f"query {signal.name} {signal.version} {options.content(given)} {weights(model)} "
        f"{arithmetic_of(model, setting.where)}",
        *(part for name in sorted(inputs) for part in contents(inputs[name])),
    )
    for rows in parts:
        part = Encodings(
            target.candidates.tokenizer, target.candidates.records[rows], target.candidates.form
        )
        tokens = int(target.met.tokens[rows].sum()) * int(given.get("copies", 1))
        yield Query(
            digest(asked, *content(target, part)),
            f"ask {WHOM[whose]}{target.name} for {signal.name} of candidates "
            f"{rows.start + 1}-{rows.stop}",
            signal,
            model,
            part,
            inputs,
            given,
            setting.where,
            tokens,
            float(FORWARD * parameters(model) * tokens),
        )


def weights(model: Model) -> str:
    """Which weights a model has, by content."""
    return model.address if isinstance(model, Train) else model.digest


def parameters(model: Model) -> int:
    """How many parameters a model has, or usually would."""
    known = model.base.parameters if isinstance(model, Train) else model.parameters
    return known or USUAL


def content(target: Target, encoded: Encodings) -> Iterator[str | bytes]:
    """All that decides the token ids of these records, without encoding them."""
    assert isinstance(encoded.records, Records)
    yield f"{encoded.form} {target.fingerprint}"
    yield np.ascontiguousarray(encoded.records.digests).tobytes()


def contents(encoded: Iterable[Encoded]) -> Iterator[bytes]:
    """All that a model meets of these records."""
    for one in encoded:
        yield one.ids.astype(np.int64).tobytes() + one.scored.tobytes()


def arithmetic_of(model: Model, where: Placement) -> str:
    """The arithmetic of a model's answers; this machine decides nothing of an endpoint's."""
    return "" if isinstance(model, Served) else arithmetic(where)
