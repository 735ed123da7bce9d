"""What a classifier's training minimises where it is more than the cross-entropy: values only.

An ``Objective`` belongs to a recipe, and so to the address of what is trained with it.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from nonmember.errors import SpecError


@dataclass(frozen=True)
class RelaxLoss:
    """Hold the training loss at ``level`` nats (Chen et al. 2022, arXiv:2207.05801).

    In an odd epoch, counted from 0, a batch whose mean cross-entropy is not above the level is
    trained on flattened targets: p, at most ``upper``, on the true class and the rest in equal
    parts elsewhere, which are numbers under ``detach`` and have gradients of their own without.
    """

    level: float
    upper: float = 1.0
    detach: bool = False

    def __post_init__(self) -> None:
        _need(self, "level", self.level >= 0 and isfinite(self.level), "0 or more, and finite")
        _need(self, "upper", 0 < self.upper <= 1, "more than 0, and at most 1")


@dataclass(frozen=True)
class EntropySoft:
    """Soft labels, and a reward for entropy (Chen and Pattabiraman 2024, arXiv:2307.01610).

    The labels have the share ``gamma`` of the largest entropy; what is minimised is the mean over
    a batch of KL(label || output) - ``alpha`` times the output's entropy.
    """

    gamma: float
    alpha: float

    def __post_init__(self) -> None:
        _need(self, "gamma", 0 <= self.gamma < 1, "0 or more, and less than 1")
        _need(self, "alpha", self.alpha >= 0 and isfinite(self.alpha), "0 or more, and finite")


@dataclass(frozen=True)
class Mixup:
    """Train on weighted means of two records (Zhang et al. 2018, arXiv:1710.09412).

    The weight is drawn from Beta(``alpha``, ``alpha``) for each batch. With ``mmd`` above 0 an
    epoch ends, where training accuracy lies ``gap`` or more above that on the reserve, and never
    where it lies below, with a pass that lowers ``mmd`` times the squared maximum mean
    discrepancy of their outputs under a Gaussian kernel of the width ``sigma`` (Li et al. 2021,
    arXiv:2002.12062).
    """

    alpha: float = 1.0
    mmd: float = 0.0
    gap: float = 0.03
    sigma: float = 1.0

    def __post_init__(self) -> None:
        for name in ("alpha", "sigma"):
            value = getattr(self, name)
            _need(self, name, value > 0 and isfinite(value), "more than 0, and finite")
        _need(self, "mmd", self.mmd >= 0 and isfinite(self.mmd), "0 or more, and finite")
        _need(self, "gap", 0 <= self.gap <= 1, "0 to 1")


@dataclass(frozen=True)
class Adversarial:
    """Train against a network that tells members (Nasr et al. 2018, arXiv:1807.05852).

    ``alpha`` is the weight of that network's gain: its answer (``linear``) or its logarithm.
    """

    alpha: float
    gain: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        _need(self, "alpha", self.alpha >= 0 and isfinite(self.alpha), "0 or more, and finite")
        _need(self, "gain", self.gain in ("linear", "log"), "linear or log")


@dataclass(frozen=True)
class SelfDistilled:
    """Learn what models that did not see a record say of it (Tang et al. 2022, arXiv:2110.08324).

    Of ``k`` models each record is kept from ``l``.
    """

    k: int = 25
    l: int = 10  # noqa: E741 - as the paper has it

    def __post_init__(self) -> None:
        _need(self, "k", self.k >= 2, "at least 2")
        _need(self, "l", 1 <= self.l < self.k, f"at least 1, and less than k = {self.k}")


@dataclass(frozen=True)
class Distilled:
    """Learn a teacher's answers on a reserve (Shejwalkar and Houmansadr 2021, arXiv:1906.06589).

    ``share`` of the reserve is used: where the teacher's entropy is least.
    """

    temperature: float = 1.0
    share: float = 1.0

    def __post_init__(self) -> None:
        warm = self.temperature > 0 and isfinite(self.temperature)
        _need(self, "temperature", warm, "more than 0, and finite")
        _need(self, "share", 0 < self.share <= 1, "more than 0, and at most 1")


@dataclass(frozen=True)
class Private:
    """Train under differential privacy of single records (Abadi et al. 2016, arXiv:1607.00133).

    ``epsilon`` is in nats, ``delta`` None is 1 / (n + 1), ``clip`` the largest norm of a record's
    gradient.
    """

    epsilon: float
    delta: float | None = None
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epsilon", "clip"):
            value = getattr(self, name)
            _need(self, name, value > 0 and isfinite(value), "more than 0, and finite")
        small = self.delta is None or 0 < self.delta < 1
        _need(self, "delta", small, "more than 0, and less than 1, or none")


Objective: TypeAlias = (
    RelaxLoss | EntropySoft | Mixup | Adversarial | SelfDistilled | Distilled | Private
)


@runtime_checkable
class HasObjective(Protocol):
    """A recipe."""

    @property
    def objective(self) -> Objective | None:
        """None: the cross-entropy alone."""
        ...


def needs_reserve(recipe: HasObjective) -> bool:
    """Whether it takes records of the defender's that no model is trained on as members."""
    match recipe.objective:
        case Adversarial() | Distilled():
            return True
        case Mixup(mmd=mmd):
            return mmd > 0
        case _:
            return False


def stackable(recipe: HasObjective) -> bool:
    """Whether ``ensemble.fit_ensemble`` itself trains for it, many models at a time."""
    match recipe.objective:
        case None | RelaxLoss() | EntropySoft():
            return True
        case Mixup(mmd=mmd):
            return mmd == 0
        case _:
            return False


def _need(objective: object, name: str, met: bool, remedy: str) -> None:
    if not met:
        kind, value = type(objective).__name__, getattr(objective, name)
        raise SpecError(f"objective {kind}: {name} = {value}; give {remedy}")
