"""How figures are written in the terminal's tables: always with their interval."""

from nonmember.evaluation.intervals import Interval
from nonmember.report import words

ABSENT = "-"


def digits(interval: Interval) -> str:
    """An AUC, a loss in nats, or an error of calibration with its interval."""
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def share(interval: Interval) -> str:
    """A proportion with its interval, in per cent."""
    return f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def perplexity(interval: Interval) -> str:
    """A perplexity with its interval."""
    low, value, high = map(words.size, (interval.low, interval.value, interval.high))
    return f"{value} [{low}, {high}]"


def change(interval: Interval) -> str:
    """A change of a loss with its interval, nats per token."""
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def points(interval: Interval) -> str:
    """A change of a share with its interval, in percentage points."""
    low, value, high = (
        f"{100 * end:+.1f}" for end in (interval.low, interval.value, interval.high)
    )
    return f"{value} [{low}, {high}]"
