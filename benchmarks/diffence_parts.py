"""The data sets of the study of Diffence: which audits, in which order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffence_audits as audits
import diffence_data
import diffence_kept as kept
from diffence_audits import COPIES, DIFFUSED, ONCE, REFERENCES, Answering, Defense, Setting
from diffence_data import Sizes
from diffence_figures import COLUMNS, figures
from diffence_rows import (
    BLENDED,
    CIFAR,
    CIFAR_SIZES,
    DIGITS,
    FASHION,
    FASHION_SIZES,
    FENCED,
    FEWER,
    MASKS,
    MEMGUARD,
    NOTHING,
    RESNET,
    SELECTORS,
    TRIVIAL,
    fewer,
    tiny,
    under,
)
from tables import defended

MORE_KNOWN = 0.3  # of either side, as MemGuard's network learns nothing of a tenth of 500
SEED = 0  # of images, which one split at a time takes long enough with
SMALL = Sizes(240, 240, 200)
SMALL_DIGITS = {
    "pool": "noisy-digits",
    "take": {"members": 240, "non_members": 240, "public": 300},
    "calibration": 0.1,
    "population": 0.1,
}


@dataclass(frozen=True)
class Study:
    """What was asked for; ``tiny`` tries everything on very little, and keeps nothing."""

    store: Path
    seeds: tuple[int, ...]
    data: Path | None
    fashion: Path
    tiny: bool


@dataclass(frozen=True)
class Job:
    """One audit: a setting, a way of training, and rows with their attacks."""

    name: str
    setting: Setting
    training: Sequence[Defense]
    rows: Answering
    attacks: Sequence[str]


def digits(study: Study) -> None:
    """Every defense on digits, alone and behind Diffence.

    What blends copies changes labels, so that label-only attacks by diffusion ask it for 3,600
    copies of each image: that is done for the first seed.
    """
    every = (*ONCE, *COPIES, *DIFFUSED)
    setting = tiny(DIGITS, SMALL_DIGITS) if study.tiny else DIGITS
    for seed in study.seeds:
        blended = every if seed == study.seeds[0] else (*ONCE, *COPIES)
        run(study, f"digits.{seed}", seed, _digits(setting, every, blended))


def _digits(setting: Setting, every: Sequence[str], blended: Sequence[str]) -> Iterator[Job]:
    yield Job("answers", setting, [], {**NOTHING, **TRIVIAL, **MASKS, **FENCED}, every)
    for copies in FEWER:
        rows = {f"s3, N = {copies}": FENCED["s3"]}
        yield Job(f"of {copies}", fewer(setting, copies), [], rows, every)
    for name, training in setting.training.items():
        yield Job(name, setting, training, under(name, ("s3",)), every)
    both = {"hamp, hamp_output": MASKS["hamp_output"]}
    yield Job("hamp, both parts", setting, setting.training["hamp"], both, every)
    more = replace(setting, data={**setting.data, "calibration": MORE_KNOWN})
    row = {f"memguard, calibration {MORE_KNOWN}": MASKS["memguard"]}
    yield Job("memguard with more", more, [], row, every)
    yield Job("blended", setting, [], BLENDED, blended)


def references(study: Study) -> None:
    """Reference models of digits' undefended target and of the one behind Diffence."""
    setting = tiny(DIGITS, SMALL_DIGITS) if study.tiny else DIGITS
    rows = {**NOTHING, "s3": FENCED["s3"]}
    attacks = (*ONCE, "repeated_queries", *REFERENCES)
    count = {"references": {"count": 4 if study.tiny else 16}}
    job = Job("references", setting, [], rows, attacks)
    for seed in study.seeds[:1]:
        run(study, f"digits.references.{seed}", seed, iter([job]), **count)


def fashion(study: Study) -> None:
    """Few defenses on Fashion-MNIST, alone and under S1 and S3."""
    sizes = SMALL if study.tiny else FASHION_SIZES
    data = {**FASHION.data, **diffence_data.fashion(study.fashion, sizes, study.store)}
    run(study, f"fashion.{SEED}", SEED, _images(_set(FASHION, data, study), ("s1", "s3")))


def cifar10(study: Study) -> None:
    """The paper's table on CIFAR-10, one resumable audit for each way of training."""
    _cifar10(study, CIFAR, "cifar10")


def resnet(study: Study) -> None:
    """The same of a residual network, which takes a core a night."""
    _cifar10(study, RESNET, "resnet")


def _cifar10(study: Study, setting: Setting, part: str) -> None:
    sizes = SMALL if study.tiny else CIFAR_SIZES
    data = {**setting.data, **diffence_data.cifar10(study.data, sizes, study.store)}
    setting = _set(setting, data, study)
    first, *others = _images(setting, SELECTORS)
    memguard = Job("memguard", setting, [], MEMGUARD, (*ONCE, *COPIES))
    run(study, f"{part}.{SEED}", SEED, iter([first, memguard, *others]))


def _set(setting: Setting, data: dict[str, Any], study: Study) -> Setting:
    return tiny(setting, data) if study.tiny else replace(setting, data=data)


def _images(setting: Setting, selectors: Sequence[str]) -> Iterator[Job]:
    """Without training first, as it says most; label-only attacks by diffusion once a training.

    No defense that keeps labels changes what those find, and they ask for 120 copies of each
    image. What blends copies is asked once per image, as its own copies would be regenerated.
    """
    fenced = {name: FENCED[name] for name in selectors}
    label_alone = {"label alone": TRIVIAL["label alone"]}
    yield Job("answers", setting, [], {**NOTHING, **label_alone, **fenced}, (*ONCE, *COPIES))
    yield Job("blended", setting, [], {"mean": BLENDED["mean"]}, ONCE)
    for name, training in setting.training.items():
        yield Job(name, setting, training, under(name, selectors), (*ONCE, *COPIES))
    for name, training in (("undefended", []), *setting.training.items()):
        yield Job(f"{name} alone", setting, training, {name: []}, (*ONCE, *COPIES, *DIFFUSED))


def run(study: Study, part: str, seed: int, jobs: Iterator[Job], **other: Any) -> None:
    """Audit after audit; what each finds is kept at once."""
    for job in jobs:
        values = audits.values(job.setting, seed, job.training, job.rows, job.attacks, **other)
        found = audits.audited(audits.Study(study.store, seed), f"{part} {job.name}", values)
        rows = {target.name: figures(target) for target in found.targets}
        done = found.provenance["jobs"].items()
        seconds = {label: one["seconds"] for label, one in done}
        print(f"{part}, {job.name}\n{defended(rows, COLUMNS)}", flush=True)
        if not study.tiny:
            _keep(part, job.setting, rows, seconds)


def _keep(part: str, setting: Setting, rows: dict[str, Any], seconds: dict[str, float]) -> None:
    had = kept.everything().get(part, {}).get("seconds by job", {})
    about = {
        "architecture": setting.architecture,
        "options": dict(setting.options),
        "recipe": dict(setting.recipe),
        "diffusion": dict(setting.diffusion),
    }
    kept.put(part, {"setting": about, "targets": rows, "seconds by job": {**had, **seconds}})
