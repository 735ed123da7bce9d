"""Coded findings: what a reader must know before believing any figure of an audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10
from typing import Literal

import numpy as np

from nonmember.evaluation import roc
from nonmember.evaluation.intervals import Interval, resolvable
from nonmember.evaluation.precision import Decision
from nonmember.types import Scores

Severity = Literal["error", "warning", "note"]
RUN_ONE = "run one, such as reference_difference, with --base"
MOST_TIED = 0.1  # share of records whose common score is still no finding


@dataclass(frozen=True)
class Finding:
    """One sentence with a stable code; ``records`` are the ids it is about."""

    code: str
    severity: Severity
    message: str
    records: tuple[str, ...] = ()


def _figure(auc: Interval) -> str:
    digits = max(1, ceil(-log10(1 - auc.level)) - 2)  # a level of 99.98 % is not one of 100 %
    return f"AUC {auc.value:.3f}, {auc.level:.{digits}%} interval {auc.low:.3f} to {auc.high:.3f}"


def blind_separation(name: str, auc: Interval) -> Finding | None:
    """E101: an attack that never saw the model tells the two sides apart, either way round."""
    if not auc.excludes(0.5):
        return None
    return Finding(
        "E101",
        "error",
        f"{name}, which never sees the model, separates the two sides ({_figure(auc)}): they "
        "are not drawn alike, so no figure below is evidence of membership; split one pool at "
        "random",
    )


def duplicates(ids: Sequence[str]) -> Finding | None:
    """E102: records whose text stands in the data more than once."""
    if not ids:
        return None
    return Finding(
        "E102",
        "warning",
        f"{len(ids)} records repeat another on their side; repeated records are "
        "remembered better and count more than once; remove the copies",
        tuple(ids),
    )


def near_empty(ids: Sequence[str], least: int) -> Finding | None:
    """E103: records with hardly any token to score."""
    if not ids:
        return None
    return Finding(
        "E103",
        "warning",
        f"{len(ids)} records have fewer than {least} scored tokens; their scores say little",
        tuple(ids),
    )


def unscored(name: str, ids: Sequence[str], members: int) -> Finding | None:
    """E104: records an attack could not score; they are left out of its figures."""
    if not ids:
        return None
    return Finding(
        "E104",
        "warning",
        f"{name} could not score {len(ids)} records, {members} of them members; its figures leave "
        "them out",
        tuple(ids),
    )


def truncated(count: int, total: int, limit: int) -> Finding | None:
    """E105: texts longer than what was trained on and scored."""
    if not count:
        return None
    return Finding(
        "E105",
        "note",
        f"{count} of {total} texts are longer than {limit} tokens; only their beginning was used",
    )


def inverted(name: str, auc: Interval) -> Finding | None:
    """E106: an attack ranks members last, which is a leak too, or a wrong assumption."""
    if auc.high >= 0.5:
        return None
    return Finding(
        "E106",
        "warning",
        f"{name} ranks members below non-members ({_figure(auc)}): an inverted leak is "
        "a leak, or an assumption behind the attack is wrong here",
    )


def quantised(model: str, form: str) -> Finding:
    """E107: weights went through a low-precision form."""
    return Finding(
        "E107",
        "note",
        f"{model} was quantised to {form} and dequantised when it was read; figures hold for "
        "these weights, not for the original ones",
    )


def not_run(name: str, why: str) -> Finding:
    """E108: an attack of the family that this audit could not run."""
    return Finding("E108", "note", f"{name} did not run: {why}")


def resolution(fpr: float, non_members: int) -> Finding | None:
    """E109: a false-positive rate that so few non-members cannot carry, or hardly."""
    if not resolvable(fpr, non_members):
        return Finding(
            "E109",
            "warning",
            f"{non_members} non-members cannot resolve a false-positive rate of {fpr:g}, so none "
            f"is given; use at least {ceil(1 / fpr)}, or a larger rate",
        )
    if non_members * fpr < 10:
        return Finding(
            "E109",
            "note",
            f"a false-positive rate of {fpr:g} means fewer than ten of {non_members} non-members, "
            f"so intervals at it are wide; {ceil(10 / fpr)} non-members would narrow them",
        )
    return None


def failed(name: str, why: str) -> Finding:
    """E110: an attack that was to run gave no figure."""
    return Finding("E110", "error", f"{name} gave no figure: {why}")


def lossy(ids: Sequence[str]) -> Finding | None:
    """E111: texts that the tokenizer does not give back as they were."""
    if not ids:
        return None
    return Finding(
        "E111",
        "warning",
        f"the tokenizer does not give back {len(ids)} texts as they were (unknown characters, or "
        "text that it normalises); what it loses was neither trained on nor scored",
        tuple(ids),
    )


def unanswered(ids: Sequence[str]) -> Finding | None:
    """E112: records for which the model's answer was no number."""
    if not ids:
        return None
    return Finding(
        "E112",
        "warning",
        f"the model answered NaN for {len(ids)} records, which no attack on it could score; that "
        "is no sign of safety: its weights are damaged, or need --precision float32",
        tuple(ids),
    )


def impossible(tokens: int) -> Finding | None:
    """E113: tokens of probability 0, whose log-probability was cut off."""
    if not tokens:
        return None
    return Finding(
        "E113",
        "note",
        f"{tokens} tokens have probability 0 under the model; each counts as -10,000 nats",
    )


def set_left_out(why: str) -> Finding:
    """E114: dataset inference gave no figure."""
    return Finding("E114", "note", f"the set as a whole was not tested: {why}")


def persons_left_out(why: str) -> Finding:
    """E115: records come in groups, but persons gave no figure."""
    return Finding("E115", "note", f"persons were not told apart: {why}")


def tied(name: str, scores: Scores) -> Finding | None:
    """E116: an attack that gives many records one score, among which it cannot rank."""
    there = scores[~np.isnan(scores)]
    largest = int(np.bincount(roc.tied(there)).max(initial=0))
    if largest < 2 or largest <= MOST_TIED * len(there):
        return None
    return Finding(
        "E116",
        "note",
        f"{name} gives {largest} of {len(there)} records one and the same score, so it cannot "
        "rank them; a false-positive rate below their share may find nothing",
    )


def exposed(role: str, members: int, attack: str, auc: Interval) -> Finding:
    """E117: members that a defense treated alike are still told from non-members."""
    treated, remedy = {
        "raw": ("were trained on as they are", "raise the ratio"),
        "kept": ("were trained on as they are for want of a good rewrite", "drop them"),
        "rewritten": (
            "were trained on in other words",
            "their rewrites keep too much: lower the limit on containment, or take another "
            "rewriter",
        ),
    }[role]
    if auc.high < 0.5:
        remedy = "it ranks them below, which is a leak too, or a wrong assumption of the attack"
    return Finding(
        "E117",
        "warning",
        f"the {members} members that {treated} stay exposed: {attack} tells them from "
        f"non-members ({_figure(auc)}); {remedy}",
    )


def kept_raw(members: int) -> Finding | None:
    """E118: members that were to be rewritten and were not."""
    if not members:
        return None
    return Finding(
        "E118",
        "warning",
        f"{members} members have no rewrite that passes the gates and were trained on as they "
        "are: they are unprotected; drop them, or try another rewriter",
    )


def left_differ(members: int, *, judged: bool) -> Finding | None:
    """E119: members were dropped for being exposed; ``judged``: some attack looks past that."""
    if not members:
        return None
    so = "so only attacks that compare with a reference are judged"
    if not judged:
        so = f"and no attack that compares with a reference gave a figure; {RUN_ONE}"
    return Finding(
        "E119",
        "warning",
        f"{members} members were dropped for being exposed; those left differ from the "
        f"non-members by that choice, {so}",
    )


def roles_unjudged() -> Finding:
    """E120: roles were given by exposure, and no attack looks past that choice."""
    return Finding(
        "E120",
        "note",
        "which members a defense left exposed is not said: it chose them by how exposed they "
        "are, which alone can tell them from non-members, and no attack that compares with a "
        f"reference gave a figure; {RUN_ONE}",
    )


def skewed(share: float, chance: float, models: int) -> Finding:
    """E122: how many margins are skewed over the reference models, which LiRA takes for normal."""
    return Finding(
        "E122",
        "note",
        f"LiRA takes margins to be normal: over {models} reference models those of {share:.0%} of "
        f"the candidates have a skewness beyond 1; of normal ones {chance:.0%} would",
    )


def known_within(name: str, decision: Decision) -> Finding:
    """E121: how well an AUC is known that compares with reference models."""
    told = {
        "enough": "as well as was asked",
        "references": "and more references would tell more",
        "most": "and more references than were allowed would tell more",
        "candidates": f"and only more candidates, about {decision.candidates}, would tell more",
    }
    within = max(decision.owed_to_references, decision.owed_to_candidates)
    return Finding(
        "E121",
        "note",
        f"{name}: with {decision.references} reference models {_figure(decision.interval)}, "
        "whichever were drawn and at whichever look one stops; it is known within "
        f"{within:.3f} where {decision.asked:g} was asked for ({decision.owed_to_references:.3f} "
        f"owed to the references, {decision.owed_to_candidates:.3f} to the candidates), "
        f"{told[decision.next]}",
    )
