"""The language of conditions: ``tpr@fpr=0.01 ci_low of model by lira > 0.05``. Nothing is run.

``FIGURE [value | ci_low | ci_high] [of TARGET] [by ATTACK] > NUMBER``; also ``>=``, ``<``, ``<=``.
Without a part the estimate is meant (of epsilon its lower bound), without a target every one,
without an attack whichever has the largest such figure. Names with spaces stand in quotes.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

from nonmember.errors import SpecError, unknown
from nonmember.report.gate.figures import ALL, FIGURES, NAMES, Figure, Part

TOKEN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([<>]=?)|([^\s<>"']+))""")
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
EXAMPLE = "'tpr@fpr=0.01 ci_low > 0.05'"
SHOWN = 80  # characters of what was typed that an error repeats


@dataclass(frozen=True)
class Condition:
    """What must not hold. ``fpr`` is 0 of what is no rate."""

    text: str
    figure: str
    fpr: float
    part: Part
    target: str | None
    attack: str | None
    sign: str
    threshold: float

    def holds(self, value: float) -> bool:
        """Whether the figure is beyond the threshold."""
        return SIGNS[self.sign](value, self.threshold)


@dataclass(frozen=True)
class Token:
    """A word, a sign, or a name in quotes."""

    text: str
    quoted: bool


def parse(text: str) -> Condition:
    """Read one condition.

    Raises:
        SpecError: it is none, or can never hold; the sentence says which figures there are.
    """
    where = f"gate: {' '.join(text.split())[:SHOWN]!r}"
    words, sign, number = _sides(text, where)
    name, fpr = _figure(words[0], where)
    part, chosen = _rest(words[1:], FIGURES[name].parts[0], where)
    _refuse_part(name, part, chosen, where)
    threshold = _number(number, where)
    _refuse_never(FIGURES[name], sign, threshold, where)
    told = " ".join(text.split())
    target, attack = chosen.get("of"), chosen.get("by")
    return Condition(told, name, fpr, part, target, attack, sign, threshold)


def _sides(text: str, where: str) -> tuple[list[Token], str, str]:
    """What stands before the sign, the sign, and the number after it."""
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if found is None:
            raise SpecError(f"{where}: a quote is not closed; close it")
        one, other, sign, word = found.groups()
        tokens.append(Token(one or other or sign or word or "", not (sign or word)))
        at = found.end()
    signs = [place for place, one in enumerate(tokens) if one.text in SIGNS and not one.quoted]
    if len(signs) != 1 or signs[0] == 0 or len(tokens) != signs[0] + 2:
        raise SpecError(
            f"{where}: no comparison with one number; write FIGURE [PART] [of TARGET] [by ATTACK] "
            f"and then >, >=, < or <= and a number, such as {EXAMPLE}"
        )
    return tokens[: signs[0]], tokens[signs[0]].text, tokens[-1].text


def _figure(token: Token, where: str) -> tuple[str, float]:
    name, at, rate = token.text.partition("@fpr=")
    if name not in FIGURES or token.quoted:
        near = unknown("figure", name[:SHOWN], FIGURES)
        raise SpecError(f"{where}: {near} There are {', '.join(NAMES)}")
    if bool(at) != (name == "tpr"):
        wanted = "tpr@fpr=0.01" if name == "tpr" else name
        raise SpecError(f"{where}: {token.text[:SHOWN]!r} is no figure; write {wanted}")
    fpr = _number(rate, where) if at else 0.0
    if at and not 0 < fpr < 1:
        raise SpecError(f"{where}: no false-positive rate {rate[:SHOWN]}; give one between 0 and 1")
    return name, fpr


def _rest(words: list[Token], usual: Part, where: str) -> tuple[Part, dict[str, str]]:
    """The part, and which target and attack are chosen."""
    part, chosen = usual, dict[str, str]()
    if words and words[0].text in ALL and not words[0].quoted:
        part, words = words[0].text, words[1:]
    for key, name in zip(words[::2], words[1::2], strict=False):
        if key.text not in ("of", "by") or key.quoted or key.text in chosen:
            break
        chosen[key.text] = name.text
    if len(words) != 2 * len(chosen):
        raise SpecError(
            f"{where}: {words[2 * len(chosen)].text[:SHOWN]!r} is not understood; after the figure "
            f"comes {', '.join(ALL)}, then 'of TARGET' and 'by ATTACK' once each"
        )
    return part, chosen


def _refuse_part(name: str, part: Part, chosen: Mapping[str, str], where: str) -> None:
    """Refuse what the figure does not have."""
    parts = FIGURES[name].parts
    if part not in parts:
        raise SpecError(f"{where}: {name} has no {part}; it has {', '.join(parts)}")
    if "by" in chosen and not FIGURES[name].of_attack:
        raise SpecError(
            f"{where}: {name} is not an attack's; leave out 'by {chosen['by'][:SHOWN]}'"
        )


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise SpecError(f"{where}: {text[:SHOWN]!r} is no number; give one, such as 0.05")
    return number


def _refuse_never(figure: Figure, sign: str, threshold: float, where: str) -> None:
    """Refuse a condition that no model can meet: it would always pass."""
    furthest = figure.most if sign.startswith(">") else figure.least
    if not SIGNS[sign](furthest, threshold):
        raise SpecError(
            f"{where}: never holds, so it would always pass: this figure goes from "
            f"{figure.least:g} to {figure.most:g}; give a threshold between them"
        )
