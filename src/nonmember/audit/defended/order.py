"""What ``nonmember protect`` is asked: which records, to be fine-tuned from what, and how safe."""

from typing import Annotated, Literal

from pydantic import Field

from nonmember.audit.language.spec import CheckedRecipe, Defense
from nonmember.audit.parts import Compute, Part
from nonmember.training.recipe import Recipe


class Order(Part):
    """A data set to be made safer. ``recipe`` is of the warm-up, as the model will be trained.

    Rewrites are drawn by a secret, not by ``seed``, which is of all else.
    """

    data: str
    model: str
    field: str | None = None
    max_tokens: Annotated[int, Field(ge=2)] = 512
    packed: bool = False
    long: Literal["cut", "slide"] = "cut"
    defenses: tuple[Defense, ...] = (Defense(name="soft"),)
    recipe: CheckedRecipe = Recipe()
    compute: Compute = Compute()
    seed: Annotated[int, Field(ge=0)] = 0
