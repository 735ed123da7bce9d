"""The adversary of AdvReg: a network that tells members by an answer and the true class.

Layers as in Nasr, Shokri and Houmansadr 2018, arXiv:1807.05852.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

SPREAD = 0.01  # standard deviation of every weight as it is drawn


class Attacker(nn.Module):
    """Maps probabilities and the true class beside them, (b 2c), to the logit of membership (b,).

    Probabilities go through c-1024-512-64, the class through c-128-64, both together through
    128-512-256-128-64-1, with ReLU between. Weights N(0, .01), biases 0.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.answers = _chain(classes, 1024, 512, 64)
        self.truth = _chain(classes, 128, 64)
        self.both = nn.Sequential(*_chain(128, 512, 256, 128, 64), nn.Linear(64, 1))
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            else:
                nn.init.normal_(weight, std=SPREAD)

    def forward(self, told: Tensor) -> Tensor:
        """As the class has it."""
        answers, truth = told.chunk(2, dim=1)
        met = torch.cat([self.answers(answers), self.truth(truth)], dim=1)
        found: Tensor = self.both(met)[:, 0]
        return found


def told(logits: Tensor, labels: Tensor) -> Tensor:
    """What the attacker is shown of answers (b c) to records of known classes (b,): (b 2c)."""
    truth = functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return torch.cat([logits.softmax(1), truth], dim=1)


def _chain(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers)
