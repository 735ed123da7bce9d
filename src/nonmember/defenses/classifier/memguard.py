"""MemGuard: noise on each answer that puts a network which tells members off the scent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Float32, Float64

from nonmember.data.examples import Examples
from nonmember.defenses.classifier import memguard_noise
from nonmember.defenses.classifier.answers import keeping, refuse_unfit, softmax, told
from nonmember.defenses.classifier.membership_net import Net, Ranked, train
from nonmember.defenses.registry import defense
from nonmember.errors import ModelError
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.fence.keyed import Span, draws, ranging
from nonmember.models.protocols import Classifier
from nonmember.signals.classes import logits as ask
from nonmember.types import Count, Inputs, Positive

ROWS = 512  # answers that are worked on together


@dataclass(frozen=True)
class Guarded:
    """A ``Classifier`` whose answers carry noise against a network that tells members.

    With a ``budget`` noise is left out of some answers; which ones depends on an input and on
    ``secret``, which nobody else may have; two that round to the same of 255 steps of ``span``
    are one to it.
    """

    classifier: Classifier
    net: Net
    budget: float | None
    secret: bytes
    span: Span | None
    label_preserving: ClassVar[bool] = True

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs, the likeliest class the classifier's own.

        Raises:
            ModelError: as for the classifier; or there is a budget and the inputs are texts.
        """
        own = ask(self.classifier, inputs)
        wide = own.astype(np.float64)
        blocks = [wide[start : start + ROWS] for start in range(0, max(1, len(wide)), ROWS)]
        noisy = np.concatenate([memguard_noise.noisy(self.net, block) for block in blocks])
        if self.budget is not None:
            noisy = np.where(self._spent(inputs, wide, noisy)[:, None], noisy, wide)
        return keeping(noisy, own.argmax(axis=1))

    def _spent(
        self, inputs: Inputs, own: Float64[np.ndarray, "n c"], noisy: Float64[np.ndarray, "n c"]
    ) -> np.ndarray:
        """Where noise is used: with the probability at which the mean distortion is the budget."""
        if not isinstance(inputs, np.ndarray):
            raise ModelError(
                "memguard: a budget draws by input, and texts have no draws; leave it out"
            )
        distortion = np.abs(softmax(noisy) - softmax(own)).sum(axis=1)
        chance = draws(self.secret, "memguard", inputs, self.span)
        return chance * distortion < (self.budget or 0.0)


@defense(family="classifier", stage="inference", paper="Jia et al. 2019, arXiv:1909.10594")
def memguard(
    classifier: Classifier,
    calibration: Calibration,
    *,
    budget: Annotated[float, Ge(0), Le(2)] | None = None,
    epochs: Count = 200,
    learning_rate: Positive = 1e-2,
    seed: int = 0,
) -> Guarded:
    """Add noise to the logits at which a network can tell members from others no longer.

    The network (c-256-128-64-1) is trained on the sorted probabilities that the classifier gives
    to known members and others. From each answer, steps of 0.1 down the gradient of |h|, where h
    is what the network says, plus 10 times what the label lacks to be the likeliest, plus w times
    the L1 change of the probabilities, are taken until h has another sign and the label is there,
    at most 300; for w = 0.1, 1, ..., 100000 until that fails, and the last success is answered.
    An answer for which there is none is given as it is, such as one that is surer than 300 steps
    undo. The noise is against this network and need not mislead another attack.
    Deviations: without a budget there is no second phase, which draws whether noise is used;
    either side weighs half in training, however many they are; the learning rate is ten times
    theirs, at which a few hundred examples leave the network knowing nothing, and the noise idle.

    Args:
        classifier: what answers.
        calibration: ``members`` and ``non_members`` train the network, and say what the range of
            inputs is, by 255ths of which what is drawn with a budget tells one from another;
            its ``secret`` keys that.
        budget: L1 change of the probabilities, 0 to 2, that is allowed in the mean over draws:
            noise of more is used as seldom as that takes. None: noise is always used.
        epochs: that the network is trained for.
        learning_rate: of its training, by stochastic gradient descent in batches of 128.
        seed: of its weights at first, and of the order of its training.

    Raises:
        DataError: there are no members, or no others, or one's label is no class.
        ModelError: an answer about these is not finite, or the network came apart.
    """
    members, others = calibration.members, calibration.non_members
    refuse_unfit("memguard", classifier.classes, members=members, non_members=others)

    def fit() -> Arrays:
        ranked = [_ranked(classifier, side) for side in (members, others)]
        member = np.arange(len(members) + len(others)) < len(members)
        net = train(
            np.concatenate(ranked), member, epochs=epochs, learning_rate=learning_rate, seed=seed
        )
        return {
            f"{part}{place}": one
            for place, layer in enumerate(net)
            for part, one in zip(("weight", "bias"), layer, strict=True)
        }

    name = told("memguard", epochs=epochs, learning_rate=learning_rate, seed=seed)
    net = _net(calibration.remember(name, fit))
    arrays = [one.inputs for one in (members, others) if isinstance(one.inputs, np.ndarray)]
    span = ranging(arrays) if arrays and budget is not None else None
    return Guarded(classifier, net, budget, calibration.secret, span)


def _ranked(classifier: Classifier, examples: Examples) -> Ranked:
    return -np.sort(-softmax(ask(classifier, examples.inputs)), axis=1)


def _net(arrays: Mapping[str, np.ndarray]) -> Net:
    layers = range(len(arrays) // 2)
    return tuple((arrays[f"weight{place}"], arrays[f"bias{place}"]) for place in layers)
