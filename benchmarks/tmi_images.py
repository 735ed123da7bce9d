"""TMI on photographs: CIFAR-10, closeness of the tasks, choices of fine-tuning, a packaged trunk.

    OMP_NUM_THREADS=1 python benchmarks/tmi_images.py --data DIR --store DIR [--only PART ...]
        [--seeds 0 1 2] [--tiny]

``parents``: 64 small networks in 32 complementary pairs, each trained on half of 2,000 images,
and what whoever has them would find. ``tasks``: children with a new head, fine-tuned on other
images for seven tasks, from the parents' own to one that has nothing to do with their classes.
``choices``: for one task all ways of fine-tuning, more epochs and fewer, more records and fewer.
``models``: the same heads, by the number of models.
``trunk``: parents are small networks of the frozen features of a packaged ImageNet network, and
the ways of fine-tuning again (``trunk choices``).
``picture``: the leak against the accuracy. Every model is once the victim, its pair left out;
intervals are over pairs of victims and candidates of these models. Models are kept in the store,
so that an interrupted part goes on where it stopped. Writes benchmarks/results/tmi_images.json
and .svg, with ``--tiny`` (8 models) neither.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import seeds
from machine import RESULTS
from tmi_figures import figure
from tmi_photographs import FULL, TASKS, TINY, TRUNK, Photographs
from tmi_picture import picture
from tmi_study import (
    ATTACKS,
    HEAD,
    asked,
    choices,
    kept,
    measured,
    row,
    sizes,
    table,
    unseen,
    upper,
)

from nonmember.signals.store import Store
from nonmember.training.children import Transfer, Tuning

NAME, MAIN, PICTURE = "tmi_images", "five pairs", "picture"
EPOCHS = {"head": (5, 80), "all layers": (5,)}
RECORDS = {"head": (250, 4_000), "all layers": (250,)}
BLOCK = 6  # layers with weights from the last residual block on, the head one of them
Part = Callable[[], dict[str, Any]]


def parts(photographs: Photographs) -> dict[str, Part]:
    """What can be measured, by name."""
    ways = choices()
    found: dict[str, Part] = {"parents": partial(parents, photographs)}
    found |= {f"tasks: {name}": partial(close, photographs, name) for name in TASKS}
    found |= {f"choices: {name}": one for name, one in _chosen(photographs, ways).items()}
    found["models"] = partial(by_models, photographs)
    found["trunk: parents"] = partial(upon_trunk, photographs)
    found |= {f"trunk: {name}": partial(trunk, photographs, name, ways["head"]) for name in TRUNK}
    for name, tuning in ways.items():
        found[f"trunk choices: {name}"] = partial(trunk, photographs, MAIN, tuning)
    many = replace(ways["head"].recipe, epochs=max(EPOCHS["head"]))
    longer = replace(ways["head"], recipe=many)
    found[f"trunk choices: head, {many.epochs} epochs"] = partial(trunk, photographs, MAIN, longer)
    return found


def _chosen(photographs: Photographs, ways: Mapping[str, Tuning]) -> dict[str, Part]:
    """The main task in all ways; more and less of some, and deep ones at the rate of new heads."""
    tunings = dict(ways)
    for name, counts in EPOCHS.items():
        for count in counts:
            recipe = replace(ways[name].recipe, epochs=count)
            tunings[f"{name}, {count} epochs"] = replace(ways[name], recipe=recipe)
    for name in ("last 2 layers", "all layers"):
        tunings[f"{name}, rate 0.003"] = replace(ways[name], recipe=HEAD)
    tunings["last block, rate 0.003"] = Tuning(Transfer("last_k", k=BLOCK), HEAD)
    found = {name: partial(chosen, photographs, tuning) for name, tuning in tunings.items()}
    for name, counts in RECORDS.items():
        for count in counts:
            found[f"{name}, {count} records"] = partial(chosen, photographs, ways[name], count)
    return found


def parents(photographs: Photographs) -> dict[str, Any]:
    """The small networks themselves."""
    return upper(photographs.family, photographs.labels[:, None])


def upon_trunk(photographs: Photographs) -> dict[str, Any]:
    """Those upon the packaged network."""
    return upper(photographs.upon_trunk, photographs.labels[:, None])


def close(photographs: Photographs, name: str) -> dict[str, Any]:
    """Children with a new head for one task.

    Apart are candidates that parents are mostly wrong of unless they saw them, and the others;
    and those of the task's own classes.
    """
    task, labels = photographs.task(name), photographs.labels
    hard = unseen(photographs.family, labels) < 0.5
    apart = {"tmi_lda, of the hard": hard, "tmi_lda, of the easy": ~hard}
    if task.classes:
        own = np.isin(labels, task.classes)
        apart |= {"tmi_lda, of its classes": own, "tmi_lda, of the others": ~own}
    return row(photographs.family, task, choices()["head"], apart=apart)


def chosen(photographs: Photographs, tuning: Tuning, records: int | None = None) -> dict[str, Any]:
    """Children for the main task, made in one way."""
    few = photographs.size != FULL
    task = photographs.task(MAIN, downstream=None if few else records)
    return row(photographs.family, task, tuning)


def by_models(photographs: Photographs) -> dict[str, Any]:
    """The main task, new heads, by how many models there are, each in turn the victim."""
    family = photographs.family
    models, _ = family.loaded(photographs.task(MAIN), choices()["head"])
    answers, found = family.asked(models), dict[str, Any]()
    for count in (16, 32, len(answers)):
        few = replace(family, member=family.member[:count], truth=family.truth[:count])
        for name in ("tmi_lda", "tmi", "adapted_lira"):
            scores = ATTACKS[name](answers[:count], few.truth, few.groups)
            found[f"{name}, {count}"] = figure([few.trial(scores)])
    return found | sizes(family)


def trunk(photographs: Photographs, name: str, tuning: Tuning) -> dict[str, Any]:
    """Children of the middle stage, made in one way."""
    return row(photographs.upon_trunk, photographs.task_upon_trunk(name), tuning)


def main() -> None:
    """Measure what was asked for, then draw and print all that is kept."""
    line = asked(__doc__ or "")
    size, store = TINY if line.tiny else FULL, Store(line.store)
    measured(NAME, lambda seed: parts(Photographs(line.data, store, size, seed)), line, PICTURE)
    found = seeds.first(kept(NAME))
    rows = {name: one for name, one in found.items() if "tmi_lda" in one}
    if rows and not line.tiny:
        print(table(rows))
        drawn = picture({name: one for name, one in rows.items() if "trunk: " not in name})
        (RESULTS / f"{NAME}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
