"""The budget of children that are trained under DP-SGD, and the noise that keeps it.

Neighbours differ by one record more (add/remove), batches are drawn record by record (Poisson
sampling), and accounting is Opacus's: by Renyi differential privacy (``rdp``; Mironov 2017,
arXiv:1702.07476), at whole and broken orders, or by privacy random variables (``prv``; Gopi et
al. 2021, arXiv:2106.02848), which is tighter and slower.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import isfinite
from typing import Any, Literal

from nonmember.errors import SpecError
from nonmember.training.classifier_recipe import ClassifierRecipe

SLACK = 1e-3  # share of epsilon that the search for the noise may leave unspent
MOST_NOISE = 1e3  # standard deviations per clip: nothing is learnt beyond


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


def rate(records: int, recipe: ClassifierRecipe) -> float:
    """How likely a record is drawn for an update."""
    return min(1.0, recipe.batch_size / records)


def updates(records: int, recipe: ClassifierRecipe) -> int:
    """How many there are in all: as many in an epoch as without a budget."""
    return recipe.epochs * -(-records // recipe.batch_size)


@cache
def noise(records: int, recipe: ClassifierRecipe, budget: Budget) -> float:
    """Standard deviations of the noise, per clip, with which the whole run keeps its budget.

    Raises:
        SpecError: no noise meets the budget.
    """
    share, steps, delta = rate(records, recipe), updates(records, recipe), budget.delta
    if epsilon(MOST_NOISE, share, steps, delta, accountant=budget.accountant) > budget.epsilon:
        raise SpecError(
            f"budget: epsilon = {budget.epsilon} cannot be met over {steps} updates of "
            f"{recipe.batch_size} in {records} records; give a larger epsilon, fewer epochs or "
            "more records"
        )
    with _quiet():
        found = _opacus("accountants.utils").get_noise_multiplier(
            target_epsilon=budget.epsilon,
            target_delta=delta,
            sample_rate=share,
            steps=steps,
            accountant=budget.accountant,
            epsilon_tolerance=SLACK * budget.epsilon,
        )
    return float(found)


def epsilon(
    sigma: float, sample_rate: float, steps: int, delta: float, *, accountant: str = "rdp"
) -> float:
    """What so many updates with this noise cost."""
    used = _opacus("accountants").create_accountant(accountant)
    used.history = [(sigma, sample_rate, steps)]
    with _quiet():
        return float(used.get_epsilon(delta))


def spent(records: int, recipe: ClassifierRecipe, budget: Budget) -> dict[str, float | str]:
    """The guarantee, as it is recorded."""
    sigma, share, steps = noise(records, recipe, budget), rate(records, recipe), 0
    steps = updates(records, recipe)
    cost = epsilon(sigma, share, steps, budget.delta, accountant=budget.accountant)
    return {
        "epsilon": cost,
        "delta": budget.delta,
        "noise multiplier": sigma,
        "sample rate": share,
        "steps": steps,
        "clip": budget.clip,
        "accountant": budget.accountant,
    }


def _opacus(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports deprecates this and that
            return import_module(f"opacus.{module}")
    except ImportError:
        raise SpecError("budget: needs the package opacus; install it") from None


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # The bound holds anyway.
        warnings.filterwarnings("ignore", "Optimal order is the")
        yield
