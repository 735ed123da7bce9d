"""The lower bounds of epsilon that an audit's canaries give, beside what is claimed.

They are valid, because each canary has a coin of its own, and because nothing that looked at a
coin has a say in the guesses: the attack is named before any score is seen, or all that run share
the error; so do the numbers of guesses; and attacks that are told who is a member do not guess.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit.canaries.asking import EVERY, Claimed
from nonmember.audit.canaries.result import CanaryResult, Claim
from nonmember.audit.cases import Case
from nonmember.audit.counterparts import of_diffusion
from nonmember.audit.parts import Common
from nonmember.audit.records import DefenseResult
from nonmember.data.split import Split
from nonmember.errors import SpecError, UnresolvableError
from nonmember.evaluation import epsilon
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.claims import claim_refuted, one_run_bound
from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.f_dp import one_run_f_dp
from nonmember.evaluation.intervals import simultaneous
from nonmember.evaluation.one_run import best_attack, grid, one_run
from nonmember.seeds import derive
from nonmember.types import Scores

USUAL = ("reference_difference", "loss", "gap", "hit_rate", "samia")
"""Who guesses where nobody is named: the first of these that runs; all, if none does."""

DELTA = 1e-5  # where nothing is claimed


def guessers(attacks: Sequence[Attack], asked: str | None) -> tuple[tuple[str, ...], str]:
    """By whose scores guesses are made, and how that was settled; no score is looked at.

    Args:
        attacks: those that run.
        asked: the name of one of them, "all", or None.

    Raises:
        SpecError: the one that is asked for does not run, or is told of coins.
    """
    able = [one.name for one in attacks if _untold(one)]
    if not able:
        raise SpecError(
            "data.canaries: no attack runs that guesses at coins untold; let loss run too"
        )
    if asked is None:
        first = next((name for name in USUAL if name in able), None)
        if first is not None:
            return (first,), "the usual one, fixed before any score was seen"
    elif asked != EVERY:
        if asked not in able:
            raise SpecError(
                f"data.guess_by: {asked!r} does not run, or is told of coins; name one of "
                f"{', '.join(able)}, or {EVERY}"
            )
        return (asked,), "named before any score was seen"
    return tuple(able), f"the best of {len(able)}, each at its share of the error"


def _untold(attack: Attack) -> bool:
    """Whether it asks the model itself, and is told of no candidate whether it is a member."""
    return attack.family != "blind" and not attack.learned and not of_diffusion(attack)


def unnamed(findings: list[Finding], subject: Any) -> list[Finding]:
    """Findings without names where candidates are canaries: beside a side they would tell coins."""
    if subject.candidates.canaries is None:
        return findings
    return [replace(one, records=()) for one in findings]


def check(candidates: Any, targets: Iterable[Case], asked: str | None) -> None:
    """Refuse, before any work, targets at whose canaries nobody can guess.

    Raises:
        SpecError: naming the target.
    """
    for target in targets if candidates.canaries is not None else ():
        try:
            guessers(_whole(target), asked)
        except SpecError as error:
            raise SpecError(f"targets.{target.name}: {error}") from None


def _whole(target: Case) -> list[Attack]:
    """The attacks that score every canary: a defense may have dropped some that were put in."""
    dropping = getattr(target, "protection", None) is not None
    return [one for one in target.attacks if one.rowwise or not dropping]


def claim_of(claimed: Claimed | None, defenses: Iterable[DefenseResult]) -> Claim | None:
    """What is claimed of a target: by who audits it, or by the accountant of its training."""
    if claimed is not None:
        return Claim(claimed.epsilon, claimed.delta, "whoever asked for the audit")
    for one in defenses:
        if one.spent is not None:
            own = float(one.spent["epsilon"]), float(one.spent["delta"])
            return Claim(*own, f"the accountant of {one.name}")
    return None


def of(
    target: Case, subject: Any, scores: Mapping[str, Scores], defenses: Iterable[DefenseResult]
) -> tuple[CanaryResult | None, list[Finding]]:
    """What canaries show of a target, and its findings; nothing where candidates are none.

    Args:
        target: whose attacks ran.
        subject: an audit of language models or of classifiers.
        scores: of all candidates, by the attack's name.
        defenses: of the target.
    """
    canaries, spec = subject.candidates.canaries, subject.spec
    if canaries is None:
        return None, []
    asked, split = spec.targets[target.name], subject.candidates.split
    names, chosen = guessers(_whole(target), spec.data.guess_by)
    claimed = claim_of(asked.claimed, defenses)
    own = {name: _filled(scores[name]) for name in names}
    try:
        names, bounds = _bounds(own, split, claimed.delta if claimed else DELTA, spec)
    except UnresolvableError:
        return None, [one_run_bound(None, "", "", 0, "")]
    result = CanaryResult(
        canaries=len(split.member),
        inserted=int(split.member.sum()),
        form=canaries.form.told,
        attack=names[0],
        chosen=chosen,
        bounds=bounds,
        claimed=claimed,
        refuted=claimed is not None and bounds[0].epsilon > claimed.epsilon,
        trained_here=asked.trained_on is not None,
        attacks=names,
    )
    return result, _findings(result, canaries.data.name)


def _filled(scores: Scores) -> Scores:
    """A canary that an attack cannot score is guessed at last: a score that no coin decides."""
    there = scores[~np.isnan(scores)]
    return np.where(np.isnan(scores), np.median(there) if len(there) else 0.0, scores)


def _bounds(
    scores: Mapping[str, Scores], split: Split, delta: float, spec: Common
) -> tuple[tuple[str, ...], tuple[Bound, ...]]:
    """By whom each bound is, and the bounds: one run, by curves, and of the records pooled.

    The last is of the attack of the first, which was chosen by coins: it shares the error too.
    """
    member, tried = split.member, grid(len(split.member))
    level, seed = spec.evaluation.level, derive(spec.seed, "guesses")
    ways: list[Callable[..., Bound]] = [one_run, partial(one_run_f_dp, curve="approximate")]
    if delta:  # no Gaussian curve has an epsilon at 0
        ways.append(partial(one_run_f_dp, curve="gaussian"))
    found = [
        best_attack(
            scores, member, tried, bound=way, coins=True, delta=delta, level=level, seed=seed
        )
        for way in ways
    ]
    name, each = found[0][0], simultaneous(level, len(scores))
    pooled = epsilon.two_sided(
        scores[name], member, threshold="bonferroni", delta=delta, level=each, seed=seed
    )
    told = pooled.method + (f", best of {len(scores)} attacks" if len(scores) > 1 else "")
    found.append((name, replace(pooled, level=level, method=told)))
    return tuple(one for one, _ in found), tuple(bound for _, bound in found)


def _findings(result: CanaryResult, data: str) -> list[Finding]:
    """What a reader must know: the bound and what it rests on, and a claim that it refutes."""
    first, claim = result.bounds[0], result.claimed
    told = "" if result.trained_here else data
    found = [one_run_bound(first, result.attack, result.chosen, result.canaries, told)]
    if claim is not None and result.refuted:
        found.append(claim_refuted(first, claim.epsilon, claim.delta, claim.by))
    return found
