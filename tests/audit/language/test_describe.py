"""What results say of the work gives nobody away and lets no noise be drawn again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shuffling
from shuffling import Shuffler, defended, made

from nonmember.audit.jobs import Plan
from nonmember.audit.language import describe, spec, subject
from nonmember.audit.language.plan import plan
from nonmember.audit.language.subject import Subject
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]
STOP = {"name": "early_stopping", "options": {"hold_back": 0.25}}


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


def trained(values: dict[str, Any], store: Store) -> tuple[Subject, Plan]:
    """A subject whose targets were trained, and the jobs that did it."""
    found = subject.inspect(spec.parse(values, "test"))
    todo = plan(found)
    made(todo, store)
    return found, replace(todo, jobs=tuple(todo.trained.values()))


def test_of_those_held_back_only_the_number_is_told(
    values: Values, base: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    found, todo = trained(defended(values, base, x=[STOP]), store)
    kept = store.provenance(todo.trained["x"].address)
    assert len(kept["held back"]) == 6  # for the roles, which stay private
    told = describe.training(found.targets[0], found, todo, store)
    assert told is not None and (told["held back"], told["seed"]) == (6, kept["seed"])
    (job,) = describe.provenance(found, todo, store)["jobs"].values()
    assert (job["held back"], job["seed"]) == (6, kept["seed"])


def test_of_a_private_training_no_seed_is_told(values: Values, base: Path, tmp_path: Path) -> None:
    store, private = Store(tmp_path), {"name": "dp_lora", "options": {"epsilon": 8.0, "rank": 2}}
    found, todo = trained(defended(values, base, leaky=[], x=[private]), store)
    leaky, x = (describe.training(one, found, todo, store) for one in found.targets)
    assert leaky is not None and "seed" not in leaky  # it is x's too
    assert x is not None and "seed" not in x and isinstance(x["held back"], int)
    told = describe.provenance(found, todo, store)
    assert "seed" not in told  # all others follow from it
    assert not any("seed" in job for job in told["jobs"].values())


def test_without_privacy_the_root_seed_is_told(values: Values, base: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    found, todo = trained(defended(values, base, leaky=[]), store)
    assert describe.provenance(found, todo, store)["seed"] == 0
