"""The budget of children that are trained under DP-SGD, and the noise that keeps it."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from nonmember.errors import SpecError
from nonmember.training import accounting
from nonmember.training.classifier_recipe import ClassifierRecipe


@dataclass(frozen=True)
class Budget:
    """Differential privacy of a child's own records, and of nobody else's.

    ``clip`` is the largest norm of a record's gradient. The guarantee is of the child's weights,
    towards whoever does not know its seed.

    Raises:
        SpecError: a setting that bounds nothing.
    """

    epsilon: float
    delta: float = 1e-5
    clip: float = 1.0
    accountant: Literal["rdp", "prv"] = "rdp"

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip"):
            value = getattr(self, name)
            if not (value > 0 and isfinite(value)):
                raise SpecError(f"budget: {name} = {value}; give a finite number above 0")
        if not 0 < self.delta < 1:
            raise SpecError(f"budget: delta = {self.delta}; give a number between 0 and 1")


def updates(records: int, recipe: ClassifierRecipe) -> int:
    """How many there are in all: as many in an epoch as without a budget."""
    return recipe.epochs * -(-records // recipe.batch_size)


def noise(records: int, recipe: ClassifierRecipe, budget: Budget) -> float:
    """Standard deviations of the noise, per clip, with which the whole run keeps its budget.

    Raises:
        SpecError: no noise meets the budget.
    """
    return accounting.least_noise(
        (budget.epsilon, budget.delta),
        records,
        recipe.batch_size,
        updates(records, recipe),
        accountant=budget.accountant,
        where="budget",
    )


def spent(records: int, recipe: ClassifierRecipe, budget: Budget) -> dict[str, float | str]:
    """The guarantee, as it is recorded."""
    sigma, steps = noise(records, recipe, budget), updates(records, recipe)
    share = accounting.sample_rate(records, recipe.batch_size)
    cost = accounting.epsilon(sigma, share, steps, budget.delta, accountant=budget.accountant)
    return {
        "epsilon": cost,
        "delta": budget.delta,
        "noise multiplier": sigma,
        "sample rate": share,
        "steps": steps,
        "clip": budget.clip,
        "accountant": budget.accountant,
    }
