"""A rewriter that needs no model, and targets whose training it defends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nonmember.audit import engine, run
from nonmember.audit.jobs import Plan
from nonmember.audit.language import spec, subject
from nonmember.audit.language.making import chain
from nonmember.audit.language.plan import plan
from nonmember.audit.records import Results
from nonmember.models import embedding
from nonmember.rewriting import registry
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewrite
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]
LOOSE = Limits(containment=1.0, run=1000, facts=False, fluency=None)
RECIPE = {"epochs": 3, "learning_rate": 0.01, "batch_size": 4}
STUBBORN = "stubborn"


@dataclass(frozen=True)
class Shuffler:
    """The same words in another order; a text with the word STUBBORN cannot be shuffled.

    ``asked`` are all texts and seeds that it was given.
    """

    asked: list[tuple[str, int]] = field(default_factory=list)
    name: str = "shuffler"
    identity: str = "shuffler 1"
    sends_to: str | None = None

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Any = None
    ) -> list[Rewrite]:
        pairs = list(zip(texts, seeds, strict=True))
        self.asked.extend(pairs)
        return [self._one(text, seed) for text, seed in pairs]

    def _one(self, text: str, seed: int) -> Rewrite:
        if STUBBORN in text:
            return Rewrite(None, "nothing in it may change")
        return Rewrite(" ".join(np.random.default_rng(seed).permutation(text.split())))


def registered(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    """Make a shuffler known by its name for one test; texts' meanings are all the same to it."""
    monkeypatch.setattr(registry, "REWRITERS", dict(registry.REWRITERS))
    made = Shuffler()

    @registry.rewriter(limits=LOOSE)
    def shuffler(*, identity: str = made.identity, sends_to: str | None = None) -> Shuffler:
        return Shuffler(made.asked, identity=identity, sends_to=sends_to)

    blank = SimpleNamespace(embed=lambda texts: np.ones((len(texts), 1), dtype=np.float32))
    monkeypatch.setattr(embedding, "load_embedder", lambda *_: blank)
    return made


def soft(ratio: float = 0.5, *, rewriter: Any = None, **change: Any) -> dict[str, Any]:
    """SOFT by the shuffler."""
    by = {"name": "shuffler", **(rewriter or {})}
    return {"name": "soft", "options": {"ratio": ratio}, "rewriter": by, **change}


def defended(
    values: Values, base: Path, recipe: dict[str, Any] | None = None, **targets: Any
) -> dict[str, Any]:
    """A spec's values: targets fine-tuned on the members, each with its defenses."""
    how = {"base": str(base), "trained_on": "members", "recipe": recipe or RECIPE}
    return values(
        targets={name: {**how, "defenses": list(own)} for name, own in targets.items()},
        attacks={
            "run": ["loss", "reference_difference", "bag_of_words"],
            "options": {"bag_of_words": {"trees": 5}},
        },
        evaluation={"fpr": [0.1], "resamples": 200, "redraws": 0},
    )


def planned(values: dict[str, Any]) -> Plan:
    """What would be done."""
    return plan(subject.inspect(spec.parse(values, "test")))


def made(todo: Plan, store: Store, *names: str) -> None:
    """Train these targets, all by default, and do what that takes; nobody attacks them."""
    wanted = {job.address for name in names or todo.trained for job in chain(todo.trained[name])}
    engine.run([job for job in todo.jobs if job.address in wanted], store, lambda *_: None)


def audited(values: dict[str, Any], folder: Path) -> Results:
    """The results of an audit, its store and run below a folder."""
    return run.audit(spec.parse(values, "test"), folder / "run", Store(folder / "store"))
