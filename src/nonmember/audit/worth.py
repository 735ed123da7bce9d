"""What a model is worth, what its defenses cost, and what a leak means: values with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.risk import Named, Risk
from nonmember.evaluation.slices import Slice


@dataclass(frozen=True)
class Utility:
    """What a model is worth on the non-members, texts of the same kind that it never saw.

    ``loss`` is the mean over records of nats per token, ``accuracy`` of the share of tokens
    that were the likeliest. Changes are paired, record by record, with the target ``against``,
    which was trained alike without a defense; positive where this model's value is larger.
    """

    records: int
    loss: Interval
    accuracy: Interval
    against: str | None = None
    loss_change: Interval | None = None
    accuracy_change: Interval | None = None


@dataclass(frozen=True)
class ClassifierUtility:
    """What a classifier is worth on the non-members, inputs of the same kind that it never saw.

    ``loss`` is the mean cross-entropy in nats; ``calibration_error`` the expected one (Guo et
    al. 2017), 0 to 1. ``confidence_auc`` is of its confidence, right answers against wrong ones,
    ``brier`` the Brier score, 0 to 2. ``accuracy_change`` is paired, record by record, with the
    target ``against``, the same without its defenses; ``margin`` is the loss that may be borne.
    """

    records: int
    accuracy: Interval
    loss: Interval
    calibration_error: Interval
    accuracy_on_members: Interval
    confidence_auc: Interval | None = None
    brier: Interval | None = None
    against: str | None = None
    accuracy_change: Interval | None = None
    margin: float = 0.01


@dataclass(frozen=True)
class DownstreamUtility:
    """What a fine-tuned classifier is worth on examples of its own task that it never saw.

    ``setting`` says how it was made of its parent; the rest is as of ``ClassifierUtility``.
    """

    setting: str
    examples: int
    accuracy: Interval
    loss: Interval
    calibration_error: Interval


@dataclass(frozen=True)
class Divergence:
    """How far apart the confidence of answers to members and to non-members is under s1.

    ``measure`` is Jensen-Shannon, 0 to log 2 nats, or Kolmogorov-Smirnov, 0 to 1. ``untouched``
    is that of the candidates, by which nothing was set; ``fitted`` that of the ``fitted_by``
    members and non-members that chose the interval, and so too small.
    """

    measure: str
    untouched: Interval
    fitted: float
    fitted_by: tuple[int, int]


@dataclass(frozen=True)
class GuardResult:
    """What the defenses before a classifier do to its answers about the candidates.

    Pairs are of ``counts`` members and non-members. ``changed`` is how often the label is another
    one than the classifier's own. Of regenerated copies ``kept`` is the share that has the
    input's label, ``fell_back`` how often none has, and ``inside`` how often the one that was
    answered with lies in the interval. ``milliseconds`` of a question, with the defenses and
    without: about one input, its 95th percentile, and per input of a hundred. ``apart`` is what
    the interval of s1 leaves.
    """

    counts: tuple[int, int]
    changed: tuple[Interval, Interval]
    kept: tuple[Interval, Interval] | None
    fell_back: tuple[Interval, Interval] | None
    inside: tuple[Interval, Interval] | None
    milliseconds: Mapping[str, Mapping[str, float]]
    apart: Divergence | None = None


@dataclass(frozen=True)
class PersonsAtRisk:
    """How exposed persons are by all their records; who they are is in the private records only.

    ``members`` are persons who were trained on. ``names`` is how many could be named, ``unnamed``
    why not with another confidence. ``above`` counts, for each of the most exposed members in
    turn, the others who score as high.
    """

    members: int
    non_members: int
    names: tuple[Named, ...]
    unnamed: str | None
    above: tuple[int, ...]


@dataclass(frozen=True)
class RiskResult:
    """What an attack at a false-positive rate means, or why that cannot be said.

    ``flags`` are what its flags are worth, by prior, with the intervals that hold for all attacks
    at once; ``names`` how many candidates could be named. ``worst`` is the slice that surely
    leaks most of ``tested``; of the ``untested`` nothing is known. ``bound`` is the lower bound
    of epsilon that pooled records give: exploratory. ``persons`` where records say whose they are.
    """

    attack: str
    fpr: float | None
    flags: tuple[Risk, ...]
    names: tuple[Named, ...]
    unnamed: str | None
    worst: Slice | None
    tested: int
    untested: tuple[str, ...]
    bound: Bound | None
    persons: PersonsAtRisk | None = None


@dataclass(frozen=True)
class DifferenceResult:
    """How much more attacks find of one model, ``target``, than of another, ``against``.

    Each by the attack that is surest of it. Of the AUC, or of the true-positive rate at ``fpr``;
    ``first`` is ``against``'s, ``second`` the target's, ``change`` the second less the first and
    ``p_value`` of no change. ``simultaneous`` and ``adjusted`` (Holm) are the last two where all
    of ``among`` comparisons are to hold at once. Without p-values the scores were not paired.
    """

    target: str
    against: str
    attack: str
    attack_against: str
    fpr: float | None
    first: Interval
    second: Interval
    change: Interval
    simultaneous: Interval
    p_value: float | None
    adjusted: float | None
    among: int
    members: int
    non_members: int
