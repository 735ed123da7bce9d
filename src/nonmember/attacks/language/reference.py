"""What reference models, some trained on a text and some not, make of the target's answer."""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Float

from nonmember.attacks import references
from nonmember.attacks.references import Reference, Std
from nonmember.attacks.registry import attack
from nonmember.signals.ragged import LOSS_OFFSET, clipped, mean
from nonmember.types import LOGPROB_FLOOR, RefMember, RefTokenLogprobs, Scores, TokenLogprobs

Unit = Literal["text", "token"]
Mixture = Annotated[float, Ge(0), Le(1)] | Literal["tune"]
Held = Callable[[Scores, Reference, RefMember], Scores]
"""A score of each unit: from what the target says of it, and m models, and whom these saw."""


@attack(family="language", paper="Carlini et al. 2022, arXiv:2112.03570")
def lira(
    token_logprobs: TokenLogprobs,
    ref_token_logprobs: RefTokenLogprobs,
    ref_member: RefMember,
    *,
    unit: Unit = "text",
    statistic: Literal["logprob", "logit"] = "logprob",
    std: Std = "auto",
) -> Scores:
    """Log-likelihood ratio, in nats, of the target's loss: trained on the text versus not.

    Two Gaussians: of models that saw the text, and of those that did not. On language models
    as Hayes et al. 2025 (arXiv:2505.18773) have it. A text that fewer than two models saw, or
    fewer than two did not, has no score.

    Args:
        token_logprobs: the target's, (n t).
        ref_token_logprobs: those of m reference models, (m n t).
        ref_member: whom each was trained on, (m n).
        unit: Gaussians of the mean of each ``text``, or of each ``token``: the ratio is then
            the mean over its tokens, nats per token.
        statistic: log p, or the ``logit`` log p - log(1 - p), p of a text the geometric mean.
        std: deviation of each ``candidate``, of all (``global``), or between (``shrunk``);
            ``auto`` goes by the models on a side: from 32 the first, from 4 the last.
    """

    def ratio(observed: Scores, reference: Reference, member: RefMember) -> Scores:
        given = _scaled(observed, statistic), _scaled(reference, statistic), member
        return references.log_likelihood_ratio(*given, std=std)

    return _scores(ratio, token_logprobs, ref_token_logprobs, ref_member, unit)


@attack(family="language", paper="Carlini et al. 2022, arXiv:2112.03570")
def lira_offline(
    token_logprobs: TokenLogprobs,
    ref_token_logprobs: RefTokenLogprobs,
    ref_member: RefMember,
    *,
    unit: Unit = "text",
    statistic: Literal["logprob", "logit"] = "logprob",
    std: Std = "auto",
) -> Scores:
    """How many standard deviations the target's log p is above models that did not see the text.

    One-sided, and without the saturation of the paper's probability. Deviation: its script
    takes a two-sided density, under which unusually unlikely texts are members too. A text
    that fewer than two models did not see has no score.

    Args:
        token_logprobs: the target's, (n t).
        ref_token_logprobs: those of m reference models, (m n t).
        ref_member: whom each was trained on, (m n).
        unit: of the mean of each ``text``, or the mean over its ``token``s of each one's own.
        statistic: log p, or the ``logit`` log p - log(1 - p), p of a text the geometric mean.
        std: as in ``lira``.
    """

    def above(observed: Scores, reference: Reference, member: RefMember) -> Scores:
        given = _scaled(observed, statistic), _scaled(reference, statistic), member
        return references.deviations_above(*given, std=std)

    return _scores(above, token_logprobs, ref_token_logprobs, ref_member, unit)


@attack(family="language", paper="Zarifzadeh et al. 2024, arXiv:2312.03262")
def rmia(
    token_logprobs: TokenLogprobs,
    ref_token_logprobs: RefTokenLogprobs,
    ref_member: RefMember,
    *,
    unit: Unit = "text",
    mode: Literal["offline", "online"] = "offline",
    a: Mixture = 1.0,
) -> Scores:
    """Log of p(x) over P(x), what reference models would give it on average, in nats.

    p is a text's probability per token: exp of its mean log p, 0 to 1. The paper's score, a
    share of known non-members with a smaller ratio, rises with this one and only adds ties.
    Its usual a = 0.3 would make P(x) of all texts nearly the same: p is small here.

    Args:
        token_logprobs: the target's, (n t).
        ref_token_logprobs: those of m reference models, (m n t).
        ref_member: whom each was trained on, (m n).
        unit: of each ``text``, or the mean of the log ratios of each ``token``.
        mode: P(x) from models that did not see the text, or ``online`` from both kinds.
        a: offline, P(x) = ((1 + a) OUT + 1 - a) / 2; ``tune`` takes the one by which the
            other models tell best whom the first of them saw.
    """

    def ratio(observed: Scores, reference: Reference, member: RefMember) -> Scores:
        p = np.exp(reference)
        mixture = references.tuned(p, member) if a == "tune" else a
        average = references.average_probability(p, member, mode=mode, a=float(mixture))
        return observed - np.log(average)

    return _scores(ratio, token_logprobs, ref_token_logprobs, ref_member, unit)


def _scores(
    held: Held,
    token_logprobs: TokenLogprobs,
    ref_token_logprobs: RefTokenLogprobs,
    ref_member: RefMember,
    unit: Unit,
) -> Scores:
    """Score texts by their mean log p, or token by token and then the mean of these."""
    if unit == "text":
        means = [mean(clipped(one)) for one in np.ascontiguousarray(ref_token_logprobs)]
        reference = np.array(means, dtype=float).reshape(ref_member.shape)
        return held(mean(clipped(token_logprobs)), reference, ref_member)
    scored = ~np.isnan(token_logprobs)
    of_tokens = np.maximum(ref_token_logprobs[:, scored].astype(float), LOGPROB_FLOOR)
    found = np.full(token_logprobs.shape, np.nan)
    own = clipped(token_logprobs)[scored]
    found[scored] = held(own, of_tokens, ref_member[:, np.nonzero(scored)[0]])
    return mean(found)


def _scaled(
    logprob: Float[np.ndarray, "*any"], statistic: Literal["logprob", "logit"]
) -> Float[np.ndarray, "*any"]:
    """Log p, or the logit of p; a certain text's p is taken for a little less than 1."""
    if statistic == "logprob":
        return logprob
    uncertain = np.minimum(logprob, -LOSS_OFFSET)
    return uncertain - np.log(-np.expm1(uncertain))
