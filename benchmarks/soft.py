"""The study of SOFT: attack, defend, attack again, with the utility and the cost beside it.

    python benchmarks/soft.py --data DIR --store DIR [--only PART ...] [--ratios R ...]
        [--seeds 0 1 2] [--tiny]

A part is a name, or the beginning of several: `domains`, `domains.github`, `comparisons`,
`known-secret`, `speed`, `models`, `chat`; `picture` draws again. An interrupted part goes on
where it stopped; a finished audit is read from the store, so give another store after a change
of the code. All of it takes about 90 minutes on two cores and 12 GB of disk; `--ratios 0.5 1`
saves 20 of them. Where the documents of DIR are not, what is to be there is said. Writes
benchmarks/results/soft.json and soft.svg; with `--tiny`, which tries everything on very little
with a model that knows nothing, it only prints.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import seeds
import soft_audits
import soft_models
import soft_plot
import soft_speed
from machine import RESULTS, keep
from soft_audits import Study
from soft_texts import DOMAINS, PILE

Part = Callable[[], Mapping[str, Any]]
BASE, PICTURE = "smollm2", "picture"
SHOWN = ("raw", "rewritten")
COLUMNS = (
    "target",
    "records",
    "surest attack",
    "AUC",
    "TPR at 1 % FPR",
    *(f"AUC, {role}" for role in SHOWN),
    "perplexity",
)
ONE = PILE[0]  # the domain of what is measured on one only


def parts(study: Study, schooling: soft_models.Schooling) -> dict[str, Part]:
    """Everything that is measured, in an order in which later parts find what they share."""
    models = soft_models.SHAPES
    return {
        "speed.synonyms": partial(soft_speed.substitution, study),
        "speed.warm-up": partial(soft_speed.warm_up, study, ONE),
        **domains(study),
        "comparisons": partial(soft_audits.comparisons, study, ONE),
        "known-secret": partial(soft_audits.known_secret, study, ONE),
        **{
            f"models.{name}": partial(soft_models.measure, study, name, schooling)
            for name in models
        },
        "chat": partial(soft_speed.chat, study, BASE),
    }


def domains(study: Study) -> dict[str, Part]:
    """SOFT on every domain."""
    return {f"domains.{name}": partial(soft_audits.domain, study, name) for name in DOMAINS}


def again(study: Study, drawn: Sequence[int]) -> dict[str, Part]:
    """The same under further seeds."""
    return {
        seeds.titled(name, seed): part
        for seed in drawn
        for name, part in domains(replace(study, seed=seed)).items()
    }


def table(targets: Mapping[str, Any]) -> str:
    """What is found of each target, in Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS)]
    for name, one in targets.items():
        best, of = one["best attack"], one["roles"]
        roles = [of[role]["best attack"]["auc"] if role in of else None for role in SHOWN]
        perplexity = one["utility"] and one["utility"]["perplexity"]
        cells = (best["auc"], best.get("tpr at 1% fpr"), *roles, perplexity)
        lines.append((name, _trained(one), f"`{best['attack']}`", *map(_spread, cells)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _trained(one: Mapping[str, Any]) -> str:
    """What became of the training records."""
    told = (defense["records by role"].items() for defense in one["defenses"])
    return (
        "; ".join(", ".join(f"{n} {role}" for role, n in roles) for roles in told if roles) or "-"
    )


def _spread(ends: list[float] | None) -> str:
    return f"{ends[1]:.2f} ({ends[0]:.2f} to {ends[2]:.2f})" if ends else "-"


def tables(found: Mapping[str, Any]) -> list[str]:
    """The tables of a part."""
    inside = [found, *(one for one in found.values() if isinstance(one, Mapping))]
    return [table(one["targets"]) for one in inside if "targets" in one]


def draw() -> None:
    """Draw what was measured so far."""
    found = kept()
    if any(name.startswith(("domains.", "models.")) for name in found):
        drawn = soft_plot.picture(seeds.first(found))
        (RESULTS / "soft.svg").write_text(drawn, encoding="utf-8")


def kept() -> dict[str, Any]:
    """What was measured so far, by part."""
    path = RESULTS / "soft.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def asked() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    given = os.environ.get("NONMEMBER_DATA")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--ratios", nargs="+", type=float, default=soft_audits.FULL.ratios)
    parser.add_argument("--seeds", nargs="+", type=int, default=seeds.SEEDS)
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def studied(line: argparse.Namespace) -> tuple[Study, soft_models.Schooling]:
    """The study that is asked for, and how its small models are pre-trained."""
    size = replace(soft_audits.TINY if line.tiny else soft_audits.FULL, ratios=tuple(line.ratios))
    study = Study(line.data, line.store, BASE, size)
    if not line.tiny:
        return study, soft_models.FULL
    made = soft_models.pretrained(study, "llama-3M", soft_models.TINY)
    return replace(study, base=str(made)), soft_models.TINY


def main() -> None:
    """Measure what was asked for, a part after another, and keep each with the machine's state."""
    line = asked()
    study, schooling = studied(line)
    known = parts(study, schooling) if 0 in line.seeds else {}
    known |= again(study, [seed for seed in line.seeds if seed])
    chosen = [name for name in known if name.startswith(tuple(line.only))]
    if not chosen and line.only != [PICTURE]:
        raise SystemExit(f"--only {' '.join(line.only)}: give the beginning of {', '.join(known)}")
    for name in chosen:
        found = known[name]()
        if line.tiny:
            print(name, json.dumps(found, indent=1))
        else:
            keep("soft", name, found)
        print(*tables(found), sep="\n\n", flush=True)
    if not line.tiny:
        keep("soft", seeds.TOGETHER, seeds.together(kept()))
        draw()


if __name__ == "__main__":
    main()
