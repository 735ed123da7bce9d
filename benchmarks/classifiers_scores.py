"""The attacks on a classifier, with no reference models and with more and more of them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from classifiers_models import Signals
from machine import rounded
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold

import nonmember.attacks  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.evaluation import roc
from nonmember.evaluation.intervals import Interval, cross_fitting_spread, simultaneous
from nonmember.evaluation.precision import FEWEST, spread_over
from nonmember.seeds import generator

ALONE = (
    "gap",
    "loss",
    "entropy",
    "modified_entropy",
    "class_thresholds",
    "nn_attack",
    "attack_p",
    "quantile",
    "boundary",
)
WITH_REFERENCES = ("lira", "lira_offline", "rmia")
FOLDS, LEVEL = 5, 0.95
NON_MEMBERS = {0.001: 1_000}  # non-members, for a rate of false alarms to be shown


def attacks(given: Signals, counts: Sequence[int]) -> dict[str, tuple[Attack, Signals]]:
    """Every attack that these signals allow, by what it is called here, and what it is given."""
    found = {}
    for name in ALONE:
        attack = ATTACKS[f"classifier.{name}"]
        if all(need.removeprefix("known_") in {*given, "member"} for need in attack.needs):
            found[name] = attack, given
    for name in WITH_REFERENCES:
        for count in counts:
            some = {key: value[:count] for key, value in given.items() if key.startswith("ref_")}
            found[f"{name}, {count}"] = ATTACKS[f"classifier.{name}"], {**given, **some}
    return found


def scores(attack: Attack, given: Signals, member: np.ndarray) -> np.ndarray:
    """One for each candidate; of a learned attack, by rank within the fold that is held out."""
    if not attack.learned:
        return attack.score(*(given[need] for need in attack.needs))
    found, truth = np.zeros(len(member)), {**given, "member": member}
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for known, held in splitter.split(member, member):
        parts = (
            truth[need.removeprefix("known_")][known if need.startswith("known_") else held]
            for need in attack.needs
        )
        found[held] = rankdata(attack.score(*parts)) / (len(held) + 1)
    return found


def figures(
    given: Signals, member: np.ndarray, counts: Sequence[int], fprs: Sequence[float], times: int
) -> dict[str, Any]:
    """AUC and TPR of every attack with 95 % intervals, and the AUC's simultaneous one."""
    found, asked = {}, attacks(given, counts)
    rates = [f for f in fprs if (~member).sum() >= NON_MEMBERS.get(f, 1 / f)]
    for name, (attack, own) in asked.items():
        score = scores(attack, own, member)
        drawn = roc.bootstrap(score, member, np.arange(len(member)), fprs=rates, times=times)
        factor = cross_fitting_spread(FOLDS) if attack.learned else 1.0
        together = roc.auc(score, member, drawn, level=simultaneous(LEVEL, len(asked)))
        row: dict[str, Any] = {
            "auc": ends(roc.auc(score, member, drawn, level=LEVEL).widened(factor)),
            "auc, simultaneous": ends(together.widened(factor)),
        }
        for fpr in rates if len(np.unique(score)) > 2 else ():
            rate = roc.tpr_at_fpr(score, member, drawn, fpr=fpr, level=LEVEL).tpr
            row[f"tpr at {100 * fpr:g} % fpr"] = ends(rate.widened(factor))
        found[name] = row
    return found


def owed(given: Signals, member: np.ndarray, counts: Sequence[int]) -> dict[str, float]:
    """Standard error of the AUC over redrawn references, for as many as it can be told from."""
    found = {}
    for name, (attack, own) in attacks(given, counts).items():
        references = len(own["ref_logits"])
        if "ref_logits" in attack.needs and references >= 2 * FEWEST:
            score = partial(_by_rows, attack, own, _held(attack, references))
            spread = spread_over(score, references, partial(_area, member))
            found[name] = rounded(spread.error)
    return found


def _by_rows(
    attack: Attack, given: Signals, options: Mapping[str, str], rows: np.ndarray
) -> np.ndarray:
    """The scores by some of the references."""
    parts = (given[need][rows] if need.startswith("ref_") else given[need] for need in attack.needs)
    return attack.score(*parts, **options)


def _area(member: np.ndarray, score: np.ndarray) -> float:
    return float(roc.tally(score, member).auc()[0])


def _held(attack: Attack, references: int) -> Mapping[str, str]:
    """The form of deviation that the attack takes with so many, whoever is left out."""
    side = references // 2
    form = "candidate" if side >= 32 else "shrunk" if side >= 4 else "global"
    return {"std": form} if "std" in attack.options else {}


def redrawn(given: Signals, counts: Sequence[int], redraws: int, times: int) -> dict[str, Any]:
    """How often a simultaneous interval excludes 0.5 where membership means nothing."""
    candidates = len(given["labels"])
    alarms: dict[str, int] = {}
    splits = 0
    for split in range(redraws):
        member = generator(split, "redrawn").permutation(candidates) < candidates // 2
        found = figures(given, member, counts, (), times)
        out = [n for n, one in found.items() if not _holds(one["auc, simultaneous"], 0.5)]
        splits += bool(out)
        for name in out:
            alarms[name] = alarms.get(name, 0) + 1
    return {"splits": redraws, "with an alarm": splits, "at most": 3, "alarms": alarms}


def ends(one: Interval) -> list[float]:
    """The interval to four digits, its value in the middle."""
    return [round(end, 4) for end in (one.low, one.value, one.high)]


def _holds(found: Sequence[float], value: float) -> bool:
    return found[0] <= value <= found[2]
