"""How figures and foreign text are written: few digits, always their interval, nothing hidden.

And what is called differently where the audited models are of different kinds.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp
from typing import Any

from nonmember.audit.records import DefenseResult
from nonmember.evaluation.intervals import Interval

EXCERPT = 600
LINE = 80
PERCENT = "\N{NO-BREAK SPACE}%"
KEPT = frozenset("\n\t\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

STATES = {True: "Leaks", False: "No leak found", None: "Verdict withheld"}
LARGEST_LOSS = 700.0  # nats per token; e to a larger one is beyond floating point
BLIND = "none"  # the access of an attack that never sees the model
PARENTS = "the parent's"  # that of one which asks what the model was fine-tuned from instead


@dataclass(frozen=True)
class Wording:
    """The words of one kind of audit.

    ``access`` says what an attacker sees of the model, from least to most; ``query`` is one
    thing that is put to it, and several; ``unit`` what counts as one draw, in the plural;
    ``work`` what a job's size counts. ``texts``: records have tokens, and a text to show.
    """

    access: Mapping[str, str]
    query: tuple[str, str]
    unit: str
    work: str
    texts: bool

    def seen(self, access: str) -> str:
        """What an attacker with this access sees of the model, in words."""
        return self.access.get(access, access)

    def asked(self, count: int) -> str:
        """How much is put to the model, as ``1 text`` or ``9 queries``."""
        return f"{count} {self.query[count != 1]}"


WORDING = {
    "language": Wording(
        access={
            "text": "generated text",
            "label": "likeliest token",
            "topk": "top-k log-probabilities",
            "logprobs": "log-probabilities",
            "dist": "full distributions",
            "weights": "weights",
        },
        query=("text", "texts"),
        unit="documents",
        work="tokens",
        texts=True,
    ),
    "classifier": Wording(
        access={
            "label": "predicted class",
            "topk": "top-k probabilities",
            "scores": "probabilities of all classes",
            "weights": "weights",
        },
        query=("query", "queries"),
        unit="independent draws",
        work="updates or answers",
        texts=False,
    ),
}
WORDING["transfer"] = WORDING["classifier"]


def percent(share: float) -> str:
    """A share as ``66.5 %``; two significant digits below 0.1 %."""
    hundredths = 100 * share
    digits = f"{hundredths:.2g}" if 0 < abs(hundredths) < 0.1 else f"{hundredths:.1f}"
    return f"{digits}{PERCENT}"


def chosen_percent(share: float) -> str:
    """A share that somebody chose, such as a level or a threshold, as ``1 %``."""
    return f"{100 * share:.4g}{PERCENT}"


def three_digits(value: float) -> str:
    """An AUC, a loss in nats, or an error of calibration as ``0.987``."""
    digits = f"{value:.3f}"
    return "0.000" if digits == "-0.000" else digits.replace("-", "\N{MINUS SIGN}")


def perplexity(loss: Interval) -> Interval:
    """The perplexity that a loss in nats per token means; ``e`` to it and to its ends."""
    low, value, high = (exp(min(end, LARGEST_LOSS)) for end in (loss.low, loss.value, loss.high))
    return Interval(low, value, high, loss.level)


def size(value: float) -> str:
    """A perplexity as ``9.53``: three significant digits, no power of ten below a million."""
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def size_range(interval: Interval) -> str:
    """The ends of a perplexity's interval in a table: ``8.91–10.2``."""
    return f"{size(interval.low)}–{size(interval.high)}"


def sized(interval: Interval) -> str:
    """A perplexity in a sentence: ``9.53 (8.91 to 10.2)``."""
    low, value, high = map(size, (interval.low, interval.value, interval.high))
    return f"{value} ({low} to {high})"


def signed(value: float) -> str:
    """A change, always with its sign: ``+0.012``."""
    return _sign(f"{value:.3f}")


def signed_range(interval: Interval) -> str:
    """The ends of a change's interval: ``−0.003 to +0.021``."""
    return f"{signed(interval.low)} to {signed(interval.high)}"


def points(change: float) -> str:
    """A change of a share in percentage points: ``−0.3``."""
    return _sign(f"{100 * change:.1f}")


def points_range(change: Interval) -> str:
    """The ends of such a change's interval: ``−0.9 to +0.2``."""
    return f"{points(change.low)} to {points(change.high)}"


def _sign(digits: str) -> str:
    """A decimal number with its sign, be it plus; a rounded nothing has none."""
    if not float(digits):
        return digits.removeprefix("-")
    return f"+{digits}" if not digits.startswith("-") else digits.replace("-", "\N{MINUS SIGN}")


def settings(options: Mapping[str, Any]) -> str:
    """What was set, as ``epsilon 8, clip 0.1``; None and "" are for what was not."""
    told = {name: plain(value) for name, value in options.items() if value is not None}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value)


def defended(defenses: Sequence[DefenseResult]) -> str:
    """How a target was defended, as ``soft, ratio 0.5, code rewriter``; ``none`` if it was not."""
    return "; ".join(map(_defense, defenses)) or "none"


def _defense(one: DefenseResult) -> str:
    rewriter = f"{one.rewriter} rewriter" if one.rewriter else ""
    return ", ".join(filter(None, (one.name, settings(one.options), rewriter)))


def counts(each: Mapping[str, int]) -> str:
    """Counts by name, as ``100 raw, 90 rewritten``; empty if there are none."""
    return ", ".join(f"{count:,} {name}" for name, count in each.items())


def sent(sent_to: Sequence[Any] | None) -> str:
    """Where a rewriter's texts went and how many: ``120 texts to https://...``."""
    if sent_to is None:
        return "nothing left this machine"
    place, count = sent_to
    return f"{count:,} text{'s' if count != 1 else ''} to {place}"


def spent(accountant: Mapping[str, Any]) -> str:
    """What a privacy accountant says: ``epsilon 7.98 at delta 0.005``, then all else it says."""
    told = dict(accountant)
    budget = []
    if {"epsilon", "delta"} <= set(told):
        budget = [f"epsilon {plain(told.pop('epsilon'))} at delta {plain(told.pop('delta'))}"]
    return ", ".join([*budget, *([settings(told)] if told else [])])


def duration(seconds: float) -> str:
    """A time in words."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def p_value(p: float) -> str:
    """A p-value as ``p = 0.012``; below 0.001 no digits are claimed."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def auc(interval: Interval) -> str:
    """An AUC in a sentence: ``0.987 (0.972 to 0.994)``."""
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def rate(interval: Interval) -> str:
    """A rate in a sentence: ``66.5 % (58.0 % to 74.2 %)``."""
    low, value, high = map(percent, (interval.low, interval.value, interval.high))
    return f"{value} ({low} to {high})"


def auc_range(interval: Interval) -> str:
    """The ends of an AUC's interval in a table: ``0.972–0.994``."""
    return f"{interval.low:.3f}–{interval.high:.3f}"


def rate_range(interval: Interval) -> str:
    """The ends of a rate's interval in a table: ``58.0–74.2 %``."""
    return f"{percent(interval.low).removesuffix(PERCENT)}–{percent(interval.high)}"


def moment(iso: str) -> str:
    """An ISO 8601 time as ``2026-02-03 10:15 UTC``; any other text as it is."""
    try:
        return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M %Z").rstrip()
    except ValueError:
        return iso


def visible(text: str) -> str:
    r"""Write what would not show, or would reorder the rest, as ``\x07`` or ``\u202e``.

    Lone surrogates, which no encoding accepts, are written out too. Line breaks and tabs stay.
    """
    return "".join(
        character
        if character in KEPT or unicodedata.category(character) not in UNSEEN
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def excerpt(text: str, limit: int = EXCERPT) -> str:
    """The first ``limit`` characters of ``text``, made visible, and how long it is if cut."""
    if len(text) <= limit:
        return visible(text)
    return f"{visible(text[:limit])}... ({len(text):,} characters)"


def plain(value: Any) -> str:
    """A free value: text as it is, numbers in few digits, anything nested as JSON."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value
    short = rounded(value)
    line = json.dumps(short, ensure_ascii=False, default=str)
    if len(line) <= LINE:
        return line
    return json.dumps(short, ensure_ascii=False, default=str, indent=1)


def rounded(value: Any) -> Any:
    """``value`` with every float inside it cut to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {str(key): rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
