"""The answers of a finished plan, by the names under which attacks ask for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from nonmember.audit.cases import Audit, Case
from nonmember.audit.classifiers.candidates import Candidates
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.made import Trained
from nonmember.audit.classifiers.plan import examples_of
from nonmember.data.inputs import input_features
from nonmember.signals.catalogue import FACTS, Of, Question, Whose, ask, extractor
from nonmember.signals.derive import DERIVED
from nonmember.signals.store import Store

ALONE: tuple[Whose, ...] = ("target", "base")
"""Of whom there is one; of the others there are many, in blocks."""


@runtime_checkable
class Compared(Case, Protocol):
    """A target that may be compared with models that are trained here."""

    @property
    def references(self) -> Trained | None:
        """Those that were trained on candidates."""


@runtime_checkable
class Labelled(Audit, Protocol):
    """An audit whose candidates are labelled examples."""

    @property
    def candidates(self) -> Candidates:
        """Whom it is about."""


Who = TypeVar("Who", bound=Compared)
What = TypeVar("What", bound=Labelled)


@dataclass(frozen=True)
class Answers(Generic[Who, What]):
    """Everything that is known, or was answered, about the candidates of one target."""

    target: Who
    subject: What
    todo: Plan
    store: Store
    held: dict[str, Any] = field(default_factory=dict)

    def shards(self) -> Iterator[tuple[slice, Callable[[str], Any]]]:
        """All candidates at once: a few numbers each."""
        yield slice(0, len(self.subject.candidates.examples)), self.whole

    def whole(self, name: str) -> Any:
        """A signal of all candidates, or of the population; put together once."""
        if name not in self.held:
            question = ask(name)
            if question.name in FACTS:
                self.held[name] = self._fact(question)
            elif question.needs:
                self.held[name] = DERIVED[question.name](*map(self.whole, question.needs))
            else:
                self.held[name] = self._answered(question)
        return self.held[name]

    def _fact(self, question: Question) -> Any:
        if question.name == "ref_member":
            others = self.target.references
            assert others is not None
            return others.member[:, : len(self.subject.candidates.examples)]
        examples = examples_of(_apart(question.of), self.subject.candidates)
        return examples.labels if question.name == "labels" else input_features(examples.inputs)

    def _answered(self, question: Question) -> np.ndarray:
        key = (self.target.name, question.whose, extractor(question.name).name, _apart(question.of))
        blocks = [self.store.array(one, question.name) for one in self.todo.answers[key]]
        return blocks[0] if question.whose in ALONE else np.concatenate(blocks)


def _apart(of: Of) -> Of:
    return "population" if of == "population" else "candidates"
