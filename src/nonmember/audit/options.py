"""Options as a spec sets them, held against what a function says it takes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from nonmember.attacks.registry import Attack
from nonmember.audit.parts import Common, Signals
from nonmember.errors import SpecError, unknown
from nonmember.models.source import locate
from nonmember.options import checked
from nonmember.rewriting import masked
from nonmember.rewriting.registry import made
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, Signal

WORDNET = "wordnet"  # the filler that is no model


@runtime_checkable
class Asking(Protocol):
    """What decides how models are asked: a spec, or the circumstances of a protection."""

    @property
    def seed(self) -> int:
        """Root of all randomness."""

    @property
    def signals(self) -> Signals:
        """Options of extractors."""


def of_attack(attack: Attack, spec: Common) -> dict[str, Any]:
    """The attack's options as this audit sets them, under its short or its full name.

    Raises:
        SpecError: an option that the attack does not have, or a value that it cannot take.
    """
    given = {
        **spec.attacks.options.get(attack.name, {}),
        **spec.attacks.options.get(attack.key, {}),
    }
    defaults = _seeded(attack.options, spec, attack.key)
    return checked(attack.score, defaults, given, f"attacks.options.{attack.name}")


def of_signal(
    signal: Signal, spec: Asking, known: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The extractor's options as this audit sets them.

    Args:
        signal: the extractor.
        spec: what sets its options.
        known: what is known of the target: defaults of options of these names.

    Raises:
        SpecError: an option that it does not have, or a value that it cannot take.
    """
    given = spec.signals.options.get(signal.name, {})
    if "rewriter" in given:
        known = {}  # how another one is set says nothing of this one
    own = {name: value for name, value in known.items() if name in signal.options}
    defaults = {**_seeded(signal.options, spec, signal.name), **own}
    return checked(signal.extract, defaults, given, f"signals.options.{signal.name}")


def content(given: Mapping[str, Any]) -> str:
    """What options come down to: of whoever changes texts, what it does and not its place.

    Raises:
        SpecError, ModelError: there is no such filler or rewriter.
    """
    named = dict(given)
    if given.get("filler", WORDNET) != WORDNET:
        named["filler"] = locate(given["filler"]).digest
    if "rewriter" in given:
        named["rewriter"] = made(given["rewriter"], named.pop("how", None) or {}).identity
    return str(sorted(named.items()))


def check_signals(spec: Common) -> None:
    """Refuse options of extractors that there are not, or that do not have them.

    Raises:
        SpecError: naming the extractor or the option.
        ModelError: the filler of masked words is no masked language model.
    """
    for name in spec.signals.options:
        if name not in SIGNALS:
            raise SpecError(f"signals.options: {unknown('extractor', name, SIGNALS)}")
        given = of_signal(SIGNALS[name], spec)
        if given.get("filler", WORDNET) != WORDNET:
            masked.check(given["filler"])
        if "rewriter" in given:
            made(given["rewriter"], given["how"] or {})


def _seeded(defaults: Mapping[str, Any], spec: Asking, name: str) -> Mapping[str, Any]:
    """Whatever draws does so from the audit's root seed, each from a stream of its own."""
    return {**defaults, "seed": derive(spec.seed, name) % 2**32} if "seed" in defaults else defaults
