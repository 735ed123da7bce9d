"""Distillation for membership privacy: a student that never sees a member."""

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import Distilled
from nonmember.types import Positive, Share


@defense(
    family="classifier",
    stage="training",
    paper="Shejwalkar and Houmansadr 2021, arXiv:1906.06589",
)
def distillation(
    recipe: ClassifierRecipe, *, temperature: Positive = 1.0, share: Share = 1.0
) -> ClassifierRecipe:
    """Train a teacher on the members, and release its student, who is shown a reserve alone.

    The student learns the teacher's probabilities of those records of the reserve on which the
    teacher is surest: DMP. It minimises KL(teacher || student). Deviation: only the teacher's
    logits are divided by the temperature, so that the student answers as softly as it was
    taught. Classes of the reserve are not used. A reserve that a generator made of the members
    would leak through that generator.

    Args:
        recipe: how the model would be trained; teacher and student are, the student without
            smoothed labels.
        temperature: what the teacher's logits are divided by; the paper takes 1 to 4, and a
            larger one hides more.
        share: of the reserve, those with the least entropy, that the student is shown.

    Raises:
        SpecError: the recipe has another objective.
    """
    return recipe.aimed(Distilled(temperature, share))
