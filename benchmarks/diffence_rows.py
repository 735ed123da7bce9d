"""The rows of the study of Diffence, by data set: ways of training, and what answers.

The sizes are those that one core of a processor does in minutes (Fashion-MNIST) to half an hour
(CIFAR-10). For a GPU those of the paper are 25,000 images on either side and 10,000 public ones,
`RESNET` of `width` 64 and 2 `blocks` for 100 epochs, 30 copies (`n`), and the diffusion model of Ho
et al., which the docstring of `DiffusionRecipe` gives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from diffence_audits import Answering, Defense, Setting, fence, named
from diffence_data import Sizes

NOTHING: Answering = {"undefended": []}
TRIVIAL: Answering = {
    "label alone": [named("constant_confidence")],
    "clipped confidence": [named("clip_confidence")],
    "temperature": [named("temperature")],
}
MASKS: Answering = {"hamp_output": [named("hamp_output")], "memguard": [named("memguard")]}
SELECTORS = ("s1", "s2", "s3")
FENCED: Answering = {name: [fence(name)] for name in SELECTORS}
BLENDED: Answering = {name: [fence(name)] for name in ("mean", "majority")}

DIGITS = Setting(
    name="digits",
    data={
        "pool": "noisy-digits",
        "take": {"members": 500, "non_members": 500, "public": 797},
        "calibration": 0.1,
        "population": 0.1,
    },
    architecture="mlp",
    options={"width": 512},
    recipe={"epochs": 60, "schedule": "constant"},
    diffusion={"recipe": {"network": "mlp", "updates": 1500}},
    training={
        "selena": [named("selena")],
        "relaxloss": [named("relaxloss")],
        "hamp": [named("hamp")],
        "label_smoothing": [named("label_smoothing")],
        "early_stopping": [named("early_stopping")],
        "distillation": [named("distillation")],
        "mixup_mmd": [named("mixup_mmd")],
        "dp_sgd": [named("dp_sgd")],
        "adv_reg": [named("adv_reg")],
    },
)
FEWER = (1, 5)  # copies, beside the usual 30

FASHION_SIZES = Sizes(1_000, 1_000, 2_000)
FASHION = Setting(
    name="Fashion-MNIST",
    data={"calibration": 0.3, "population": 0.1},
    architecture="cnn",
    options={"width": 16},
    recipe={"epochs": 60, "schedule": "constant"},
    diffusion={
        "recipe": {
            "network": "unet",
            "widths": (16, 32, 32),
            "updates": 1_500,
            "batch_size": 64,
            "ema": 0.995,
        }
    },
    training={
        "selena": [named("selena")],
        "relaxloss": [named("relaxloss")],
        "dp_sgd": [named("dp_sgd")],
    },
)

CIFAR_SIZES = Sizes(2_500, 2_500, 5_000)
CIFAR = Setting(
    name="CIFAR-10",
    data={"calibration": 0.5, "population": 0.1},
    architecture="cnn",
    options={"width": 16},
    recipe={"epochs": 40},
    diffusion={
        "n": 10,  # of 1.5 ms of a core each
        "recipe": {
            "network": "unet",
            "widths": (16, 32, 64),
            "updates": 1_500,
            "batch_size": 32,
            "ema": 0.995,
            "flip": True,
        },
    },
    training={
        "selena": [named("selena")],
        "relaxloss": [named("relaxloss")],
        "hamp": [named("hamp")],
        "dp_sgd": [named("dp_sgd")],
        "adv_reg": [named("adv_reg")],
    },
)
RESNET = replace(
    CIFAR,
    architecture="resnet",
    recipe={"epochs": 40, "learning_rate": 2e-3, "batch_size": 16},
)
"""Ten times as long for a target, and for a grid of defenses a night."""

MEMGUARD: Answering = {
    "memguard": [named("memguard")],
    **{f"memguard, {one}": [fence(one), named("memguard")] for one in SELECTORS},
}


def under(training: str, selectors: Sequence[str], *, alone: bool = True) -> Answering:
    """Rows of one way of training: by itself, and behind Diffence with these selectors."""
    itself: dict[str, Sequence[Defense]] = {training: []} if alone else {}
    return {**itself, **{f"{training}, {one}": [fence(one)] for one in selectors}}


def fewer(setting: Setting, copies: int) -> Setting:
    """The same with another number of copies."""
    return replace(setting, diffusion={**setting.diffusion, "n": copies})


def tiny(setting: Setting, data: Mapping[str, Any]) -> Setting:
    """The same on so little that only whether it runs is to be seen."""
    recipe = {**setting.recipe, "epochs": 2}
    learner = {**setting.diffusion.get("recipe", {}), "updates": 5, "batch_size": 8}
    small = {**setting.diffusion, "recipe": learner, "n": 3}
    return replace(setting, data=data, recipe=recipe, diffusion=small, resamples=200)
