"""The target's answer held against its answers to known non-members; no other model."""

from typing import Literal

from nonmember.attacks.classifier.margins import (
    checked,
    hinge,
    log_probability,
    margin,
    rounded,
)
from nonmember.attacks.classifier.ranks import below
from nonmember.attacks.classifier.regression import deviations_above, level_exceeded, with_label
from nonmember.attacks.registry import attack
from nonmember.types import (
    Count,
    Features,
    Labels,
    Logits,
    PopLabels,
    PopLogits,
    PopulationFeatures,
    Positive,
    Scores,
)


@attack(family="classifier", paper="Ye et al. 2022, arXiv:2111.09679")
def attack_p(
    logits: Logits,
    labels: Labels,
    pop_logits: PopLogits,
    pop_labels: PopLabels,
    *,
    population: Literal["all", "class"] = "all",
) -> Scores:
    """One minus the p-value of the true class's log p among known non-members, 0 to 1.

    That is (1 + how many have at least as large a one) / (z + 1): whoever flags p-values of at
    most 0.01 flags one non-member in a hundred, and needs no member to know. NaN where the
    population is empty.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        pop_logits: the target's of z non-members, (z c).
        pop_labels: true classes of these, (z,).
        population: ``all``, which ranks as ``loss``, or those of the candidate's ``class``.
    """
    own = rounded(log_probability(checked(logits, labels), labels))
    others = rounded(log_probability(checked(pop_logits, pop_labels, "pop_logits"), pop_labels))
    apart = population == "class"
    count, size = below(own, labels * apart, others, pop_labels * apart)
    return count / (size + 1)


@attack(family="classifier", paper="Bertran et al. 2023, arXiv:2307.03694")
def quantile(  # noqa: PLR0913  (one parameter per option)
    logits: Logits,
    labels: Labels,
    input_features: Features,
    pop_logits: PopLogits,
    pop_labels: PopLabels,
    pop_input_features: PopulationFeatures,
    *,
    form: Literal["gaussian", "pinball"] = "gaussian",
    statistic: Literal["hinge", "margin"] = "hinge",
    by_label: bool = False,
    penalty: Positive = 1.0,
    levels: Count = 41,
) -> Scores:
    """How far the answer is above what regression on non-members expects, in standard deviations.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        input_features: numbers that describe each input, (n d); NaN is not scored.
        pop_logits: the target's of z non-members, (z c).
        pop_labels: true classes of these, (z,).
        pop_input_features: numbers that describe these, (z d); none with NaN is fitted to.
        form: ``gaussian`` fits a mean and a deviation, both linear, the second in its
            logarithm; ``pinball`` quantiles, and scores the highest that is exceeded, 0 to 1.
        statistic: logit of the true class less the largest other, or ``margin``, its log-odds.
        by_label: whether the true class is a feature too.
        penalty: weight of squared coefficients, all features having variance 1.
        levels: quantiles, from 1/z to 1 - 1/z or 0.9999, evenly in log(1 - level).
    """
    measure = hinge if statistic == "hinge" else margin
    own = measure(checked(logits, labels), labels)
    known = measure(checked(pop_logits, pop_labels, "pop_logits"), pop_labels)
    classes = logits.shape[1] if by_label else 0
    fitted = with_label(pop_input_features, pop_labels, classes), known
    given = *fitted, with_label(input_features, labels, classes), own, penalty
    if form == "pinball":
        return rounded(level_exceeded(*given, levels))
    return rounded(deviations_above(*given))
