"""What each defense that is an objective or a field of the recipe puts there, by its paper."""

import pytest
import torch

from nonmember.defenses.classifier.early_stopping import early_stopping
from nonmember.defenses.classifier.hamp import hamp
from nonmember.defenses.classifier.label_smoothing import label_smoothing
from nonmember.defenses.classifier.mixup import mixup
from nonmember.defenses.classifier.relaxloss import relaxloss
from nonmember.errors import SpecError
from nonmember.training import criteria
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import EntropySoft, Mixup, RelaxLoss

RECIPE = ClassifierRecipe(epochs=7, batch_size=3)


def test_each_sets_what_it_is_about() -> None:
    found = {
        "objective": [
            relaxloss(RECIPE, level=0.3, upper=0.5, detach=True),
            hamp(RECIPE, gamma=0.9, alpha=0.05),
            mixup(RECIPE, alpha=0.2),
        ],
        "label_smoothing": [label_smoothing(RECIPE, amount=0.2)],
        "hold_back": [early_stopping(RECIPE, hold_back=0.25)],
    }
    values = [getattr(one, field) for field, many in found.items() for one in many]
    assert values == [RelaxLoss(0.3, 0.5, True), EntropySoft(0.9, 0.05), Mixup(0.2), 0.2, 0.25]
    assert all(one.epochs == 7 and one.batch_size == 3 for many in found.values() for one in many)


def test_hamps_alpha_is_that_of_the_authors_times_the_classes() -> None:
    """Their divergence is a mean over records and classes, ours over records."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 10, generator=random).double().requires_grad_()
    labels = torch.tensor([0, 3, 9, 9, 1, 4])
    p = criteria.certainty(0.8, 10)
    soft = torch.full((6, 10), (1 - p) / 9).double().scatter(1, labels[:, None], p)
    likely = logits.log_softmax(1)
    entropy = -(likely.exp() * likely).sum(1).mean()
    divergence = torch.nn.functional.kl_div(likely, soft, reduction="none").mean()
    theirs = divergence - 1e-3 * entropy
    theirs.backward()
    objective = hamp(RECIPE).objective
    assert isinstance(objective, EntropySoft) and objective.alpha == 10 * 1e-3
    _, ours = criteria.entropy_soft(logits.detach(), labels, objective)
    torch.testing.assert_close(ours / 6, 10 * logits.grad)


def test_label_smoothing_by_hand() -> None:
    """Of e = .3 over 3 classes the true one keeps .8, and the others get .1 each."""
    shares = torch.tensor([[0.5, 0.25, 0.25]])
    amount = label_smoothing(RECIPE, amount=0.3).label_smoothing
    losses, gradient = criteria.cross_entropy(shares.log(), torch.tensor([1]), amount)
    expected = -(shares.log() * torch.tensor([[0.1, 0.8, 0.1]])).sum(1)
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(gradient, shares - torch.tensor([[0.1, 0.8, 0.1]]))


@pytest.mark.parametrize(
    ("first", "second"), [(relaxloss, hamp), (hamp, mixup), (mixup, relaxloss)]
)
def test_training_minimises_one_thing(first, second) -> None:
    with pytest.raises(SpecError, match=r"^recipe: .* \w+ already, and \w+ would take"):
        second(first(RECIPE))


@pytest.mark.parametrize("defense", [relaxloss, hamp])
def test_what_has_labels_of_its_own_does_not_smooth_them(defense) -> None:
    for both in (
        lambda: label_smoothing(defense(RECIPE)),
        lambda: defense(label_smoothing(RECIPE)),
    ):
        with pytest.raises(SpecError, match=r"^recipe: label_smoothing = 0\.1; give 0 with "):
            both()


@pytest.mark.parametrize("defense", [relaxloss, hamp, mixup, label_smoothing])
def test_whatever_is_minimised_training_may_stop_early(defense) -> None:
    assert early_stopping(defense(RECIPE)) == defense(early_stopping(RECIPE))
