"""What DP-SGD costs (Abadi et al. 2016, arXiv:1607.00133), and the noise that keeps a budget.

Neighbours differ by one record more (add/remove), batches are drawn record by record (Poisson
sampling), and accounting is Opacus's: by Renyi differential privacy (``rdp``; Mironov 2017,
arXiv:1702.07476), at whole and broken orders, or by privacy random variables (``prv``; Gopi et
al. 2021, arXiv:2106.02848), which is tighter and slower.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from nonmember.errors import SpecError

SLACK = 1e-3  # share of epsilon that the search for the noise may leave unspent
MOST_NOISE = 1e3  # standard deviations per clip: nothing is learnt beyond


def sample_rate(records: int, batch_size: int) -> float:
    """How likely a record is drawn for an update."""
    return min(1.0, batch_size / records)


@cache
def least_noise(
    budget: tuple[float, float],
    records: int,
    batch_size: int,
    steps: int,
    *,
    accountant: str = "rdp",
    where: str,
) -> float:
    """Standard deviations of the noise, per clip, with which so many updates keep a budget.

    Args:
        budget: epsilon, in nats, and delta.
        records: of the training set.
        batch_size: how many of them an update is made of, on average.
        steps: updates.
        accountant: ``rdp`` or ``prv``.
        where: how an error names the place of the budget.

    Raises:
        SpecError: no noise meets it.
    """
    share, (target, delta) = sample_rate(records, batch_size), budget
    if epsilon(MOST_NOISE, share, steps, delta, accountant=accountant) > target:
        raise SpecError(
            f"{where}: epsilon = {target} cannot be met over {steps} updates of {batch_size} in "
            f"{records} records; give a larger epsilon, fewer epochs or more records"
        )
    with _quiet():
        found = opacus("accountants.utils").get_noise_multiplier(
            target_epsilon=target,
            target_delta=delta,
            sample_rate=share,
            steps=steps,
            accountant=accountant,
            epsilon_tolerance=SLACK * target,
        )
    return float(found)


def epsilon(
    sigma: float, sample_rate: float, steps: int, delta: float, *, accountant: str = "rdp"
) -> float:
    """What so many updates with this noise cost, nats."""
    used = opacus("accountants").create_accountant(accountant)
    used.history = [(sigma, sample_rate, steps)]
    with _quiet():
        return float(used.get_epsilon(delta))


def opacus(module: str) -> Any:
    """A module of Opacus (Yousefpour et al. 2021, arXiv:2109.12298), without its warnings.

    Raises:
        SpecError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it imports deprecates this and that
            return import_module(f"opacus.{module}")
    except ImportError:
        raise SpecError(
            "training: differential privacy needs the package opacus; install it"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # The bound holds anyway.
        warnings.filterwarnings("ignore", "Optimal order is the")
        yield
