"""The straightforward way, to compare with: one text at a time, and one attack after another.

Every attack asks the model itself, keeps the log-probabilities of the whole vocabulary at
every position, in float32, and reduces them by its paper's formula. Names, options and
directions are those of ``nonmember.attacks.language``.
"""

import zlib as compression
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

WINDOWS = (2, 3, 4, 6, 9, 13, 18, 25, 32, 40)
VARIANCE_FLOOR = 1e-8


@dataclass(frozen=True)
class Answer:
    """What a model says of one text: a distribution per position (t v), and its tokens (t,)."""

    logprobs: Tensor
    tokens: Tensor

    @property
    def own(self) -> Tensor:
        """Log-probability of each token, (t,)."""
        return self.logprobs.gather(1, self.tokens[:, None])[:, 0]

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of log p under p at each position, (t,) each."""
        weights = self.logprobs.exp()
        mean = (weights * self.logprobs).sum(dim=1)
        variance = (weights * self.logprobs.square()).sum(dim=1) - mean.square()
        return mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()


@dataclass(frozen=True)
class Case:
    """One text, how common each word of the vocabulary is (v,), and whom to ask."""

    text: str
    frequency: Tensor
    ask: Callable[[str], Answer]


@torch.inference_mode()
def answer(network: Any, ids: Tensor) -> Answer:
    """One forward pass over a text (t,), all of its logits kept."""
    logits = network(input_ids=ids[None], use_cache=False).logits[0, :-1]
    return Answer(logits.float().log_softmax(dim=-1), ids[1:])


def case(
    text: str, ids: Tensor, networks: dict[str, Any], frequency: Tensor, *, shared: bool = False
) -> Case:
    """A text and its models, which are asked anew each time, or once if answers are ``shared``."""

    def ask(whom: str) -> Answer:
        return answer(networks[whom], ids)

    return Case(text, frequency, cache(ask) if shared else ask)


def loss(one: Case) -> Tensor:
    """Mean log-probability."""
    return one.ask("target").own.mean()


def zlib(one: Case) -> Tensor:
    """Mean log-probability per compressed byte."""
    return one.ask("target").own.mean() / len(compression.compress(one.text.encode()))


def min_k(one: Case, k: float = 0.2) -> Tensor:
    """Mean of the least likely share of tokens."""
    return _lowest(one.ask("target").own, k).mean()


def min_k_plus_plus(one: Case, k: float = 0.2) -> Tensor:
    """The same of tokens standardised under the model's own distribution."""
    target = one.ask("target")
    mean, std = target.moments
    return _lowest((target.own - mean) / std, k).mean()


def surp(one: Case, k: float = 0.4, e: float = 2.0) -> Tensor:
    """Mean log-probability of unlikely tokens where the entropy is low; 0 without any."""
    target = one.ask("target")
    own, entropy = target.own, -target.moments[0]
    chosen = own[(own <= _lowest(own, k).max()) & (entropy < e)]
    return chosen.mean() if len(chosen) else torch.tensor(0.0)


def gap_k(one: Case, w: int = 3, k: float = 0.2) -> Tensor:
    """Mean gap to the likeliest token where it is widest, smoothed, in standard deviations."""
    target = one.ask("target")
    gap = (target.own - target.logprobs.max(dim=1).values) / target.moments[1]
    return _lowest(gap.unfold(0, w, 1).mean(dim=1) if len(gap) >= w else gap, k).mean()


def dc_pdd(one: Case, a: float = 0.01) -> Tensor:
    """Mean probability times rarity, of each word's first occurrence."""
    target = one.ask("target")
    seen, counted = set[int](), []
    for token, logprob in zip(target.tokens.tolist(), target.own, strict=True):
        if token not in seen:
            counted.append(torch.clamp(-logprob.exp() * one.frequency[token].log(), max=a))
        seen.add(token)
    return torch.stack(counted).mean()


def hit_rate(one: Case) -> Tensor:
    """Share of tokens that are the likeliest."""
    target = one.ask("target")
    return (target.logprobs.argmax(dim=1) == target.tokens).float().mean()


def reference_difference(one: Case) -> Tensor:
    """Mean log-probability gained over the base."""
    return (one.ask("target").own - one.ask("base").own).mean()


def reference_ratio(one: Case) -> Tensor:
    """Minus the target's loss over the base's."""
    return -one.ask("target").own.mean() / one.ask("base").own.mean()


def ez_mia(one: Case, c: float = 1e-6, min_errors: int = 2) -> Tensor:
    """Log ratio of what was gained to what was lost where the target errs."""
    target, base = one.ask("target"), one.ask("base")
    gain = (target.own - base.own)[target.logprobs.argmax(dim=1) != target.tokens]
    if len(gain) < min_errors:
        return torch.tensor(torch.nan)
    return ((gain.clamp(min=0).sum() + c) / ((-gain).clamp(min=0).sum() + c)).log()


def wbc(one: Case) -> Tensor:
    """Share of sliding windows that gained, over window widths."""
    gain = one.ask("target").own - one.ask("base").own
    votes = [gain.unfold(0, min(w, len(gain)), 1).sum(dim=1) > 0 for w in WINDOWS]
    return torch.stack([vote.float().mean() for vote in votes]).mean()


def ht_mia(one: Case, k: float = 0.2) -> Tensor:
    """Mean probability gained at the tokens that were hardest for the base."""
    target, base = one.ask("target").own, one.ask("base").own
    hard = base <= _lowest(base, k).max()
    return (target.exp() - base.exp())[hard].mean()


ATTACKS = (
    loss,
    zlib,
    min_k,
    min_k_plus_plus,
    surp,
    gap_k,
    dc_pdd,
    hit_rate,
    reference_difference,
    reference_ratio,
    ez_mia,
    wbc,
    ht_mia,
)


def _lowest(values: Tensor, k: float) -> Tensor:
    """The least share of the values, at least one."""
    return values.sort().values[: max(1, int(k * len(values) + 1e-9))]
