"""Specs from what a command line says."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nonmember.audit.language import spec as specs
from nonmember.audit.language.spec import Spec
from nonmember.audit.parts import Take, toml
from nonmember.errors import SpecError

QUICK = Take(members=48, non_members=112, control=48)


def demo_spec(*, quick: bool = False) -> Spec:
    """The spec of the demo: a leaky model and a control, on functions of the standard library."""
    spec = specs.parse(toml(Path(str(files("nonmember") / "demo.toml"))), "demo")
    data = spec.data.model_copy(update={"take": QUICK} if quick else {})
    return spec.model_copy(update={"data": data})


def llm_spec(  # noqa: PLR0913  (one parameter per flag, as in cli)
    model: str,
    members: str,
    non_members: str,
    *,
    target: Mapping[str, Any] = MappingProxyType({}),
    data: Mapping[str, Any] = MappingProxyType({}),
    attacks: Mapping[str, Any] = MappingProxyType({}),
    references: Mapping[str, Any] = MappingProxyType({}),
    fpr: Sequence[float] = (),
    seed: int = 0,
    compute: Mapping[str, Any] = MappingProxyType({}),
    show_text: bool = False,
) -> Spec:
    """The spec of ``nonmember audit llm``: one model, two files of records.

    Args:
        model: the fine-tuned model: a path, a packaged name, or an endpoint's address.
        members: records it was trained on.
        non_members: records like them that it was not.
        target: further keys of the spec's target, such as ``base``.
        data: further keys of the spec's ``data``, such as ``field`` or ``max_tokens``.
        attacks: the spec's ``attacks``: which to ``run``, at which ``access``.
        references: the spec's ``references``: how many to tune.
        fpr: false-positive rates to report; 0.01 if empty.
        seed: root of all randomness.
        compute: the spec's ``compute``.
        show_text: whether exposed records' texts are on the page.

    Raises:
        SpecError: a value that cannot be.
    """
    values = {
        "title": f"Membership audit of {Path(model).name}",
        "seed": seed,
        "data": {"members": members, "non_members": non_members, **data},
        "targets": {"model": {"model": model, **target}},
        "attacks": dict(attacks),
        "references": dict(references),
        "evaluation": {"fpr": tuple(fpr)} if fpr else {},
        "compute": dict(compute),
        "report": {"show_text": show_text},
    }
    return specs.parse(values, "audit llm")


def endpoint_values(
    served: str | None, tokenizer: str | None, per_second: float | None, *, insecure: bool
) -> dict[str, Any] | None:
    """The spec's ``endpoint`` from flags; None where nothing is said of one."""
    given = {"served": served, "tokenizer": tokenizer, "per_second": per_second}
    said = {key: value for key, value in given.items() if value is not None}
    return {**said, "insecure": insecure} if said or insecure else None


def option_values(flag: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Options from flags of the form NAME=VALUE; a value that is not TOML is a string.

    Raises:
        SpecError: one has another form.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.isidentifier():
            raise SpecError(f"{flag} {pair!r}: not of the form NAME=VALUE; write it so")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found
