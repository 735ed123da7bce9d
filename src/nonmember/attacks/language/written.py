"""What the target writes: no probability is seen, only the tokens it prefers."""

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import mean
from nonmember.types import SampleRecall, SampleZlib, Scores, TokenHit


@attack(family="language", paper="Kaneko et al. 2024, arXiv:2404.11262")
def samia(
    sample_recall: SampleRecall, sample_zlib: SampleZlib, *, weigh_by_zlib: bool = False
) -> Scores:
    """Mean share of the true continuation that sampled continuations repeat, 0 to 1.

    Args:
        sample_recall: n-gram recall of the true continuation by each sampled one, (n v).
        sample_zlib: bytes of each sampled continuation, compressed, (n v).
        weigh_by_zlib: multiply each recall by those bytes, so that repetitive samples count
            less; in bytes then.
    """
    return mean(sample_recall * sample_zlib if weigh_by_zlib else sample_recall)


@attack(family="language", paper="He et al. 2025, arXiv:2502.18943")
def hit_rate(token_hit: TokenHit) -> Scores:
    """Share of tokens that are the target's likeliest, 0 to 1: the baseline that sees labels only.

    The authors named here are not verified.

    Args:
        token_hit: 1 where the target's likeliest token is the true one, (n t).
    """
    return mean(token_hit)
