"""The forms that canaries have, by name."""

from dataclasses import dataclass
from typing import Literal

from nonmember.errors import SpecError, unknown

Kind = Literal["language", "classifier"]


@dataclass(frozen=True)
class Form:
    """What canaries of one form are, for data of which kind, and the paper that uses such."""

    name: str
    kind: Kind
    told: str
    paper: str


FORMS = (
    Form(
        "words",
        "language",
        "words of the data in an order that nobody would write",
        "Panda et al. 2025, arXiv:2503.06808",
    ),
    Form(
        "suffix",
        "language",
        "the beginning of a record, or its prompt, and then words of the data at random",
        "Meeus et al. 2025, arXiv:2502.14921",
    ),
    Form(
        "digits",
        "language",
        "one sentence that ends in a number drawn at random",
        "Carlini et al. 2019, arXiv:1802.08232",
    ),
    Form(
        "mislabelled",
        "classifier",
        "examples of the data under a class that is not theirs",
        "Aerni, Zhang and Tramer 2024, arXiv:2404.17399",
    ),
    Form(
        "noise",
        "classifier",
        "inputs of uniform noise in the range of the data, under a class at random",
        "after the blank inputs of Nasr et al. 2023, arXiv:2302.07956",
    ),
)
"""The first of each kind is the one that is made if none is named."""


def form_named(name: str | None, kind: Kind) -> Form:
    """The form of that name for data of this kind; the usual one for None.

    Raises:
        SpecError: there is none.
    """
    known = {one.name: one for one in FORMS if one.kind == kind}
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise SpecError(unknown(f"form of {kind} canaries", name, known))
    return known[name]
