"""A classifier whose every answer is that to a regenerated copy of the input."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64

from nonmember.errors import ModelError
from nonmember.models.diffusion.copies import Copies, Fresh
from nonmember.models.fence import select
from nonmember.models.fence.keyed import Batch, Span, draws, steps
from nonmember.models.fence.select import (
    Chosen,
    Confidence,
    CopyLogits,
    Draws,
    Kept,
    Moved,
    Selector,
)
from nonmember.models.protocols import Classifier
from nonmember.types import Inputs, Labels, Logits

Fallback: TypeAlias = Literal["donor", "flat"]
"""What is answered where no copy keeps the label."""

FEWEST = 20  # donors of a label, below which one of them would be met again too soon
NUMBERS = 1 << 20  # of the inputs that are regenerated at once
ROWS = 256


@dataclass(frozen=True)
class Asked:
    """What a classifier says of n inputs and their copies: ``labels`` (n,) and ``answers`` (n v c).

    ``moved`` (n v) is where a copy is another input: one that is its input again, as that of a
    whole number or a coin may be, would be answered as without a fence, and is never used.
    """

    labels: Labels
    answers: CopyLogits
    moved: Moved

    @property
    def kept(self) -> Kept:
        """Which copies have the label of their input, and are another (n v)."""
        return select.keeping(self.answers, self.labels, self.moved)

    @property
    def odds(self) -> Confidence:
        """Log odds (n v) of the likeliest class, in nats; infinite where a copy is not kept."""
        return select.confidence(self.answers, self.kept)


class Answer(NamedTuple):
    """What a fence answers to n inputs, and how it came to it.

    ``logits`` (n c), float32; ``kept`` (n v) where a copy has the label of its input and is
    another; ``fell_back`` (n,) where no copy will do; ``inside`` (n,) where the copy that was
    answered with lies in the interval of s1 or s2, and under the others where there is one.
    """

    logits: Float32[np.ndarray, "n c"]
    kept: Bool[np.ndarray, "n v"]
    fell_back: Bool[np.ndarray, "n"]
    inside: Bool[np.ndarray, "n"]


@dataclass(frozen=True, eq=False)
class Fence:
    """How an answer is chosen, as it was calibrated.

    ``low`` and ``high`` are log odds of the likeliest class in nats, infinite where any will
    do; ``donors`` (d c) are defended answers to public inputs, ordered by their label, and
    ``confidence`` is the median of their log odds, or 0. ``figures`` tell how the calibration went:
    ``apart``, the divergence that the interval left there, and the share of copies that kept
    the label, ``kept_members``, ``kept_non_members`` and ``kept_public``, as far as asked.
    """

    selector: Selector
    fallback: Fallback
    low: float
    high: float
    donors: Float32[np.ndarray, "d c"]
    confidence: float
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def label_preserving(self) -> bool:
        """Whether every input keeps the label that the classifier gives it."""
        return self.selector not in ("mean", "majority")

    def choose(self, asked: Asked, choice: Draws) -> Chosen:
        """An answer for each input, as far as there is one, from those to its copies."""
        answers, labels = asked.answers, asked.labels
        match self.selector:
            case "s3":
                return select.by_draw(answers, labels, asked.kept, choice)
            case "mean":
                return select.mean(answers, asked.moved)
            case "majority":
                return select.majority(answers, labels, asked.moved)
            case _:
                return select.by_interval(answers, labels, asked.kept, self.low, self.high)

    def instead(self, labels: Labels, choice: Draws) -> Float64[np.ndarray, "n c"]:
        """What is answered for these labels where no copy will do.

        It tells nothing of the input but its label: the answer to a public input with that
        label, drawn for this one, or where fewer than 20 have it the label at the median
        confidence of all donors and the other classes alike.
        """
        classes = self.donors.shape[1]
        found = np.zeros((len(labels), classes))
        found[np.arange(len(labels)), labels] = self.confidence + np.log(classes - 1)
        if self.fallback == "flat":
            return found
        counts = np.bincount(self.donors.argmax(axis=1), minlength=classes)
        starts, enough = counts.cumsum() - counts, counts[labels] >= FEWEST
        places = starts[labels] + np.floor(choice * counts[labels]).astype(np.int64)
        found[enough] = self.donors[places[enough]]
        return found


@dataclass(frozen=True, eq=False)
class Fenced:
    """A ``Classifier`` behind a fence: Diffence (Peng et al. 2025, arXiv:2312.04692).

    The same input is answered alike, alone or among others, as far as the classifier and the
    diffusion model do so: answers are rounded to 1/4096 nat, so that float noise shows in few.
    What is drawn for an input depends on it and on ``secret``, which nobody else may have.
    """

    classifier: Classifier
    copies: Copies
    fence: Fence
    secret: bytes = field(repr=False)

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    @property
    def label_preserving(self) -> bool:
        """Whether every input keeps the label that the classifier gives it."""
        return self.fence.label_preserving

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs; their label is the classifier's own under s1 to s3.

        Raises:
            ModelError: as for ``answer``.
        """
        return self.answer(inputs).logits

    def answer(self, inputs: Inputs) -> Answer:
        """What it answers to n inputs, and how it came to it.

        Raises:
            ModelError: the inputs are texts, the classifier refuses them, there are no copies
                of them or of another form, or something in either is not finite.
            DataError: the inputs are not such as the diffusion model was trained on.
        """
        parts = [self._answer(rows) for rows in _blocks(arrays(inputs))]
        return Answer(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _answer(self, rows: Batch) -> Answer:
        return self.given(rows, self.asked(rows))

    def asked(self, rows: Batch) -> Asked:
        """What its classifier says of n inputs, and of the copies of each.

        Raises:
            ModelError: as for ``answer``.
        """
        return asked(self.classifier, self.copies, rows)

    def given(self, rows: Batch, told: Asked) -> Answer:
        """What it answers to n inputs (n ...) of which its classifier said so much."""
        span = span_of(self.copies)
        chosen = self.fence.choose(told, draws(self.secret, "copy", rows, span))
        lost = ~chosen.found
        label = np.where(lost, told.labels, chosen.label)
        found = chosen.logits.astype(np.float64)
        choice = draws(self.secret, "donor", rows[lost], span)
        found[lost] = self.fence.instead(label[lost], choice)
        return Answer(select.rounded(found, label), told.kept, lost, chosen.inside)


@runtime_checkable
class _Ranged(Protocol):
    """Copies, or a model that makes them, of inputs in a known range."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def span_of(copies: Copies) -> Span | None:
    """The range of inputs that copies are made of, as far as they tell it."""
    maker = copies.diffusion if isinstance(copies, Fresh) else copies
    return Span(maker.low, maker.high) if isinstance(maker, _Ranged) else None


def asked(classifier: Classifier, copies: Copies, inputs: Inputs) -> Asked:
    """What a classifier says of n inputs, and of the copies of each.

    Raises:
        ModelError: as for ``Fenced.answer``.
    """
    rows = arrays(inputs)
    own = _finite(classifier.logits(rows), "the inputs")
    parts = [_of_copies(classifier, copies, some) for some in _blocks(rows)]
    answers, moved = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Asked(own.argmax(axis=1), answers, moved)


def _blocks(rows: Batch) -> Iterator[Batch]:
    """As many rows at a time as can be regenerated at once; one empty block of none."""
    step = max(1, min(ROWS, NUMBERS * len(rows) // max(1, rows.size)))
    for start in range(0, max(1, len(rows)), step):
        yield rows[start : start + step]


def _of_copies(classifier: Classifier, copies: Copies, rows: Batch) -> tuple[CopyLogits, Moved]:
    made = copies(rows)
    if made.ndim != rows.ndim + 1 or (len(made), *made.shape[2:]) != rows.shape:
        raise ModelError(
            f"fence: copies in shape {made.shape} of inputs in shape {rows.shape}; give copies "
            "as (inputs copies ...)"
        )
    if not made.shape[1]:
        raise ModelError("fence: there are no copies to choose from; make at least one of each")
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise ModelError(
            "fence: a copy holds a number that is not finite; train the diffusion model again, "
            "with a lower learning rate"
        )
    answers = _finite(classifier.logits(made.reshape(-1, *rows.shape[1:])), "copies of them")
    moved = _moved(rows, made, span_of(copies))
    return answers.reshape(*made.shape[:2], classifier.classes), moved


def _moved(rows: Batch, made: Batch, span: Span | None) -> Moved:
    """Where a copy differs from its input by a step of the range, in one number at least."""
    own, axes = steps(rows, span), tuple(range(1, rows.ndim))
    each = [(steps(made[:, j], span) != own).any(axis=axes) for j in range(made.shape[1])]
    return np.stack(each, axis=1)


def arrays(inputs: Inputs) -> Batch:
    """The inputs, if they can be regenerated.

    Raises:
        ModelError: they are texts.
    """
    if not isinstance(inputs, np.ndarray):
        raise ModelError("fence: is given texts, which are not regenerated; give arrays")
    return inputs


def _finite(logits: Logits, what: str) -> Logits:
    if not np.isfinite(logits).all():
        raise ModelError(
            f"fence: the classifier's answer to {what} is not finite; mend the classifier, or "
            "leave those inputs out"
        )
    return logits
