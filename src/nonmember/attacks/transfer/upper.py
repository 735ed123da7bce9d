"""What whoever has the pre-trained model itself can tell: a mark to hold its children against."""

from nonmember.attacks.classifier.reference import lira
from nonmember.attacks.references import Centre, Std
from nonmember.attacks.registry import attack
from nonmember.types import Labels, Logits, RefLogits, RefMember, Scores


@attack(family="transfer", paper="Carlini et al. 2022, arXiv:2112.03570")
def parent_lira(
    base_logits: Logits,
    labels: Labels,
    ref_base_logits: RefLogits,
    ref_member: RefMember,
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """LiRA on the pre-trained model, in nats: what access to it would give, not to its child.

    It asks no child, so it says nothing of what one reveals and carries no verdict. An upper
    reference, though no theorem makes it one: it is one attack, and others may find more.

    Args:
        base_logits: of the model that the target was fine-tuned from, (n c).
        labels: true classes in its own task, (n,).
        ref_base_logits: of the references' parents, (m n c).
        ref_member: whom these were pre-trained on, (m n).
        std: as in ``classifier.lira``.
        centre: as in ``classifier.lira``.
    """
    return lira(base_logits, labels, ref_base_logits, ref_member, std=std, centre=centre)
