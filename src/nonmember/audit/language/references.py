"""Reference models of language models: adapters, each tuned on a half of the candidates."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np

from nonmember.audit.jobs import Compare, Tune
from nonmember.audit.language.asking import FORWARD, Setting, content
from nonmember.audit.language.making import LORA
from nonmember.audit.language.subject import Target
from nonmember.audit.provenance import arithmetic
from nonmember.models.source import digest
from nonmember.models.text import Encodings
from nonmember.seeds import derive

REFERENCES_VERSION = 1
BLOCK = 8  # adapters tuned in one pass over the base: their rows fill a batch


def tunings(target: Target, setting: Setting) -> tuple[Tune, ...]:
    """The jobs that tune the target's references, some in one pass each."""
    others, base = target.references, target.base
    assert others is not None and base is not None
    seeds = [derive(setting.seed, "reference", number) for number in range(len(others.member))]
    tokens = others.member @ target.met.tokens * others.recipe.epochs
    found = []
    for start in range(0, len(seeds), BLOCK):
        rows = slice(start, start + BLOCK)
        work = int(tokens[rows].sum())
        address = digest(
            f"tune {REFERENCES_VERSION} {base.digest} {asdict(others.recipe)} {seeds[rows]} "
            f"{arithmetic(setting.where)}",
            np.packbits(others.member[rows], axis=1).tobytes(),
            *content(target, target.candidates),
        )
        label = f"tune references {start + 1}-{start + len(seeds[rows])} of {target.name}"
        found.append(
            Tune(
                address,
                label,
                base,
                target.candidates,
                others.member[rows],
                others.recipe,
                tuple(seeds[rows]),
                setting.where,
                work,
                float(LORA * base.parameters * work),
            )
        )
    return tuple(found)


def comparisons(
    target: Target, tuned: Sequence[Tune], setting: Setting, parts: Sequence[slice]
) -> Iterator[tuple[Compare, ...]]:
    """For each shard of candidates, the jobs that ask the references about it."""
    for rows in parts:
        part = replace(target.candidates, records=target.candidates.records[rows])
        yield tuple(_comparison(target, tune, setting, rows, part) for tune in tuned)


def _comparison(
    target: Target, tune: Tune, setting: Setting, rows: slice, part: Encodings
) -> Compare:
    tokens = int(target.met.tokens[rows].sum()) * len(tune.member)
    return Compare(
        digest(f"compare {tune.address}", *content(target, part)),
        f"ask {tune.label.removeprefix('tune ')} of candidates {rows.start + 1}-{rows.stop}",
        tune,
        part,
        setting.where,
        tokens,
        float(FORWARD * tune.base.parameters * tokens),
    )
