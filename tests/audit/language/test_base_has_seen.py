"""A base that has seen the candidates: a whole audit of what was tuned from it says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nonmember as nm
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]
ATTACKS = {"run": ["loss", "reference_difference", "length"]}


def test_a_base_that_was_trained_on_the_members_takes_the_verdict_away(
    values: Values, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    first = values(attacks=ATTACKS)
    leaky, control = nm.audit_spec(first, tmp_path / "first", store=store).targets
    assert leaky.leaks is True and control.leaks is False  # the raw base has seen neither
    assert "E133" not in {found.code for one in (leaky, control) for found in one.findings}

    trained = plan(subject.inspect(spec.parse(first, "test"))).trained["leaky"]
    seen = {"base": str(Store(store).folder(trained.address)), "trained_on": "control"}
    targets = {"again": {**values()["targets"]["control"], **seen}}
    given = values(targets=targets, attacks=ATTACKS)
    (again,) = nm.audit_spec(given, tmp_path / "second", store=store).targets
    (found,) = [one for one in again.findings if one.code == "E133"]
    assert found.severity == "error" and "the base model by itself separates" in found.message
    assert again.leaks is None and again.verdict == f"No verdict: {found.message}."
    assert again.exposed == ()
