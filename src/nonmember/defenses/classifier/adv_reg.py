"""AdvReg: a classifier that is trained to leave an attacker at a loss."""

from typing import Literal

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import Adversarial
from nonmember.types import Positive


@defense(family="classifier", stage="training", paper="Nasr et al. 2018, arXiv:1807.05852")
def adv_reg(
    recipe: ClassifierRecipe, *, alpha: Positive = 3.0, gain: Literal["linear", "log"] = "linear"
) -> ClassifierRecipe:
    """Minimise the cross-entropy and the gain of a network that tells members, by turns.

    That attacker is shown probabilities and the true class, of members and of as many records
    of a reserve, which count as trained on from then on. The classifier's first epoch is plain;
    after it come five passes of the attacker, and then rounds of 26 batches of the attacker
    (Adam, 1e-4, squared error) and 2 of the classifier: about fifteen times as many updates
    as without it. As in the authors' code, the attacker is shown no answers of the classifier in
    training mode, and the gain is of members alone. Deviations from that code: the attacker is
    shown probabilities, not logits; it gets its 26 batches also where they are more than one pass
    over the records; and the last epoch is the result, not the one that answers most records of
    a test set right, which may be one of those before the attacker has learnt anything.

    Args:
        recipe: how the model would be trained; at least 2 epochs, and no ``hold_back``.
        alpha: the weight of the gain beside the cross-entropy. The papers take 1 to 10, with
            tens of thousands of records and more epochs for more of it; too much and nothing is
            learnt. The default is on their low side, and still too much for a few hundred
            records: of 500 noisy digits it left .40 of the answers right, of .77 without it.
            Begin at 0.1 with so few, and raise it for as long as finding E139 keeps away.
        gain: the attacker's mean answer on members, less 1/2 (``linear``, as it was coded), or
            the mean logarithm of that answer (``log``, as it was written).

    Raises:
        SpecError: the recipe has another objective.
    """
    return recipe.aimed(Adversarial(alpha, gain))
