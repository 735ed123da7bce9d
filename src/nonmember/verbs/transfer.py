"""Audits of fine-tuned classifiers about the data that their ancestors were trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nonmember.audit.engine import HERE, Engine
from nonmember.audit.parts import checked
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, audit, unobserved
from nonmember.audit.transfer.spec import RECIPES, TransferSpec
from nonmember.audit.transfer.subject import Given
from nonmember.errors import SpecError, unknown
from nonmember.models import classifiers
from nonmember.models.content import identity
from nonmember.verbs.audits import as_store
from nonmember.verbs.classifiers import (
    NONE,
    Labelled,
    both_sides,
    content,
    examples_of,
    named,
)
from nonmember.verbs.report import write_report
from nonmember.verbs.specs import option_values, packaged

WHERE = "audit_transfer"
STUDIES = {"digits": "transfer.toml"}
PRIVATE = "dp_"
OF_TARGETS = ("k", "rank", "epsilon", "delta", "clip", "share")
"""What a setting says beside the recipe."""


def audit_transfer(  # noqa: PLR0913  (as every verb, and what parents are made of)
    members: Labelled,
    non_members: Labelled,
    downstream: Labelled,
    output: str | Path,
    *,
    architecture: Any,
    how: Sequence[str] = ("head",),
    model: Any = None,
    settings: Mapping[str, Any] = NONE,
    store: str | Path | None = None,
    observe: Observe = unobserved,
    engine: Engine = HERE,
) -> Results:
    """Audit fine-tuned classifiers; leave results and a page in ``output``.

    One model is pre-trained on the members, references on halves of both sides, and all are
    fine-tuned in each way. The same call after an interruption goes on where it stopped.

    Args:
        members: what an ancestor was trained on: inputs (n ...) and classes from 0, or a file.
        non_members: examples like them that it was not trained on, in the same form.
        downstream: what is fine-tuned for: inputs of the same shape and their classes.
        output: the run folder.
        architecture: what parents are made of: a function that returns a new network,
            ``package.module:factory``, or a packaged network's name.
        how: ways of fine-tuning, such as ``head``, ``last_k:k=2``, ``full``, ``lora:rank=4`` or
            ``dp_head:epsilon=6.7``; settings of the recipe may follow: ``head:epochs=5``.
        model: a fine-tuned classifier that is there, made in the one way that ``how`` says.
        settings: further keys of the spec, such as ``parents``, ``downstream`` or ``attacks``.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where they are done; in this process if not given.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    held: dict[str, Any] = {}
    values = dict(settings)
    data, sides = both_sides(members, non_members, WHERE)
    task, examples = {"pool": str(downstream)}, None
    if not isinstance(downstream, str | Path):
        examples = examples_of(downstream, "downstream example", WHERE)
        task = {"pool": content(examples)}
    spec = transfer_spec(
        how,
        data={**data, **values.pop("data", {})},
        downstream={**task, **values.pop("downstream", {})},
        parents={"architecture": named(architecture, held, identity), **values.pop("parents", {})},
        model=None if model is None else {"model": named(model, held, _digest)},
        settings=values,
    )
    folder = Path(output)
    given = Given(held, sides, examples)
    results = audit(spec, folder, as_store(store), observe, engine, given)
    write_report(folder)
    return results


def _digest(model: Any) -> str:
    return classifiers.of(model).digest


def transfer_spec(
    how: Sequence[str],
    *,
    data: Mapping[str, Any],
    downstream: Mapping[str, Any],
    parents: Mapping[str, Any],
    model: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] = NONE,
) -> TransferSpec:
    """The spec of ``nonmember transfer``: a target for each way of fine-tuning.

    Args:
        how: ways, as ``audit_transfer`` takes them.
        data: the spec's ``data``.
        downstream: the spec's ``downstream``.
        parents: the spec's ``parents``.
        model: the target's ``model`` and ``weights``, if it is there.
        settings: further keys of the spec.

    Raises:
        SpecError: a value that cannot be, or several ways of one model.
    """
    _refuse_missing(how, {**data, **downstream, **parents})
    targets = {one: way(one) for one in how}
    if len(targets) < len(how):
        raise SpecError("--setting: one stands there twice; leave it out once")
    if model is not None:
        if len(how) != 1:
            raise SpecError(
                f"--model: was made in one way, and {len(how)} are given; give one --setting"
            )
        targets = {"model": {**targets[how[0]], **model}}
    values = {
        "kind": "transfer",
        "title": "What do fine-tuned models tell of their ancestor's training data?",
        "data": dict(data),
        "downstream": dict(downstream),
        "parents": dict(parents),
        "targets": targets,
        **settings,
    }
    return checked(TransferSpec, values, "transfer")


def transfer_study(
    name: str,
    beside: Sequence[Any] = (),
    *,
    references: int = 64,
    access: str = "weights",
    k: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> TransferSpec:
    """The spec of an embedded study, which says all else by itself.

    Args:
        name: such as ``digits``.
        beside: what else was asked for; refused if there is any.
        references: how many to pre-train and fine-tune.
        access: what the attacker sees.
        k: how many probabilities, where that is ``topk``.
        seed: root of all randomness.
        device: where models are.

    Raises:
        SpecError: there is no such study, or it is given beside something that it says itself.
    """
    if name not in STUDIES:
        raise SpecError(f"--study: {unknown('study', name, STUDIES)}")
    if any(beside):
        raise SpecError(
            f"--study {name}: says itself which files, architecture, settings, attacks and rates; "
            "leave these flags out, or leave --study out"
        )
    values = packaged(STUDIES[name])
    values["parents"]["count"] = references
    values["attacks"] |= {"access": access, "k": k}
    return checked(TransferSpec, {**values, "seed": seed, "compute": {"device": device}}, name)


def _refuse_missing(how: Sequence[str], given: Mapping[str, Any]) -> None:
    """Refuse a call that leaves out what it needs, by the flags' names."""
    flags = {
        "members": "--members",
        "non_members": "--non-members",
        "pool": "--downstream",
        "architecture": "--architecture",
    }
    missing = [flag for name, flag in flags.items() if not given.get(name)]
    if missing:
        raise SpecError(f"transfer: needs {', '.join(missing)}; give these, or --study digits")
    if not how:
        raise SpecError("transfer: no way of fine-tuning; give --setting, such as --setting head")


def way(said: str) -> dict[str, Any]:
    """A spec's target from a way of fine-tuning in the form KIND:NAME=VALUE,NAME=VALUE.

    Raises:
        SpecError: there is no such kind, or it has another form.
    """
    kind, _, rest = said.partition(":")
    private, plain = kind.startswith(PRIVATE), kind.removeprefix(PRIVATE)
    if plain not in RECIPES:
        known = [*RECIPES, *(PRIVATE + one for one in RECIPES)]
        raise SpecError(f"--setting {said}: {unknown('way of fine-tuning', kind, known)}")
    given = option_values("--setting", rest.split(",") if rest else ())
    if private != ("epsilon" in given):
        raise SpecError(
            f"--setting {said}: a {PRIVATE} setting has a budget and no other does; write it as "
            f"{PRIVATE}{plain}:epsilon=6.7"
        )
    own = {name: given.pop(name) for name in OF_TARGETS if name in given}
    return {"kind": plain, **own, "recipe": given}
