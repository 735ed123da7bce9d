"""Specs from what a command line says."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nonmember.audit import kinds
from nonmember.audit.kinds import AnySpec
from nonmember.audit.language import spec as specs
from nonmember.audit.language.spec import Spec
from nonmember.audit.parts import toml
from nonmember.errors import SpecError


@dataclass(frozen=True)
class Study:
    """A study of the demo: its name, its spec file, and what of that is less under ``--quick``.

    ``quick`` is put over the file's values, key by key; None takes a key away.
    """

    name: str
    file: str
    quick: Mapping[str, Any]


DEMO = (
    Study(
        "language",
        "demo.toml",
        {"data": {"take": {"members": 48, "non_members": 112, "control": 48}}},
    ),
    Study(
        "transfer",
        "transfer.toml",
        {
            "parents": {"count": 32},
            "targets": dict.fromkeys(
                (
                    "head, 5 epochs",
                    "head, 200 examples",
                    "last 2 layers",
                    "all layers, 60 epochs",
                    "LoRA, rank 4",
                    "private head, epsilon 0.5",
                )
            ),
            "evaluation": {"redraws": 5},
        },
    ),
    Study(
        "classifier",
        "fence.toml",
        {
            "targets": dict.fromkeys(("selena", "selena and diffence")),
            "evaluation": {"redraws": 0, "resamples": 500},
        },
    ),
)
"""What ``nonmember demo`` runs, in this order."""


def demo_specs(*, quick: bool = False) -> dict[str, AnySpec]:
    """The specs of the demo's studies by their names."""
    return {one.name: _of_study(one, quick=quick) for one in DEMO}


def demo_spec(*, quick: bool = False) -> AnySpec:
    """The spec of the demo's first: language models fine-tuned on the standard library."""
    return _of_study(DEMO[0], quick=quick)


def _of_study(one: Study, *, quick: bool) -> AnySpec:
    values = packaged(one.file)
    return kinds.parse(_over(values, one.quick) if quick else values, one.name)


def _over(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Values with others put over them, key by key at every depth."""
    inner = {
        key: _over(values.get(key, {}), value)
        for key, value in change.items()
        if isinstance(value, Mapping)
    }
    found = {**values, **change, **inner}
    return {key: value for key, value in found.items() if value is not None}


def packaged(file: str) -> dict[str, Any]:
    """The values of a spec file that comes with the package."""
    return toml(Path(str(files("nonmember") / file)))


def llm_spec(  # noqa: PLR0913  (one parameter per flag, as in cli)
    model: str,
    members: str | None,
    non_members: str | None,
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
        members: records it was trained on; None where ``data`` names canaries.
        non_members: records like them that it was not; likewise.
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


def claimed_values(epsilon: float | None, delta: float | None) -> dict[str, float] | None:
    """The spec's ``claimed`` from flags; None where nothing is claimed.

    Raises:
        SpecError: a delta without an epsilon.
    """
    if epsilon is None and delta is not None:
        raise SpecError("--claimed-delta: belongs to --claimed-epsilon; give both, or neither")
    given = {"epsilon": epsilon, "delta": delta}
    return {key: value for key, value in given.items() if value is not None} or None


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
