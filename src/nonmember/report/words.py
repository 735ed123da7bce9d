"""How figures and foreign text are written: few digits, always their interval, nothing hidden."""

import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nonmember.evaluation.intervals import Interval

EXCERPT = 600
LINE = 80
PERCENT = "\N{NO-BREAK SPACE}%"
KEPT = frozenset("\n\t\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

ACCESS_WORDS = {
    "text": "generated text",
    "label": "likeliest token",
    "topk": "top-k log-probabilities",
    "logprobs": "log-probabilities",
    "dist": "full distributions",
    "weights": "weights",
}


def percent(share: float) -> str:
    """A share as ``66.5 %``; two significant digits below 0.1 %."""
    hundredths = 100 * share
    digits = f"{hundredths:.2g}" if 0 < abs(hundredths) < 0.1 else f"{hundredths:.1f}"
    return f"{digits}{PERCENT}"


def chosen_percent(share: float) -> str:
    """A share that somebody chose, such as a level or a threshold, as ``1 %``."""
    return f"{100 * share:.4g}{PERCENT}"


def three_digits(value: float) -> str:
    """An AUC, or a loss in nats per token, as ``0.987``."""
    digits = f"{value:.3f}"
    return "0.000" if digits == "-0.000" else digits.replace("-", "\N{MINUS SIGN}")


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


def access(name: str) -> str:
    """What an attacker must see of the model, in words."""
    return ACCESS_WORDS.get(name, name)


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
