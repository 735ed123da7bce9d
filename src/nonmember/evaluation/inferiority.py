"""Whether a defense costs no more accuracy than a margin: said only where its interval says so."""

from nonmember.errors import SpecError
from nonmember.evaluation.intervals import Interval, clopper_pearson, independent, mean_interval
from nonmember.types import Groups, Labels, Logits


def accuracy_change(
    first: Logits, second: Logits, labels: Labels, group: Groups, *, level: float = 0.95
) -> Interval:
    """How much oftener the second model is right about the same records, -1 to 1.

    Paired: what both get right or wrong alike is no difference. On either side at least as far as
    the exact interval of the share of records that changed that way, since no sample of changes
    that are all alike, or of none, has a width of its own.

    Args:
        first: logits of the model without the defense.
        second: those of the model with it, of the same records.
        labels: true classes.
        group: whose the records are; those of one group count as one draw.
        level: of the interval.
    """
    right = [logits.argmax(axis=1) == labels for logits in (first, second)]
    gained, lost = right[1] & ~right[0], right[0] & ~right[1]
    found = mean_interval(gained.astype(float) - lost, group, level=level)
    up, down = (
        clopper_pearson(int(one.sum()), len(one), worth=independent(group), level=level)
        for one in (gained, lost)
    )
    low = min(found.low, found.value - (down.high - down.value))
    high = max(found.high, found.value + (up.high - up.value))
    return Interval(max(-1.0, low), found.value, min(1.0, high), level)


def no_worse(change: Interval, margin: float) -> str:
    """One sentence: that at most ``margin`` is lost, or that this is not shown.

    Args:
        change: of a share, larger being better.
        margin: the loss that was declared to be bearable, a share, above 0.

    Raises:
        SpecError: the margin is none.
    """
    if not 0 < margin < 1:
        raise SpecError(f"no_worse: margin={margin} is no share; give one such as 0.01")
    low, value, high = (f"{100 * end:+.1f}" for end in (change.low, change.value, change.high))
    found = f"change {value} points, {100 * change.level:.4g} % interval {low} to {high}"
    if change.low > -margin:
        return f"No more than {100 * margin:.3g} points worse: {found}."
    return f"Not shown to be no more than {100 * margin:.3g} points worse: {found}."
