"""A small run built by hand: a model that leaks and one that does not."""

from dataclasses import replace
from functools import cache

import numpy as np

from nonmember.audit.canaries.result import CanaryResult, Claim
from nonmember.audit.records import (
    AttackResult,
    DefenseResult,
    Exposed,
    Fit,
    Histogram,
    PersonsResult,
    Redraws,
    Results,
    Role,
    RoleResult,
    SetResult,
    TargetResult,
)
from nonmember.audit.worth import Utility
from nonmember.evaluation import intervals, roc
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.claims import claim_refuted
from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.sets import DatasetInference
from nonmember.types import Member, Scores

MEMBERS, OUTSIDERS = 200, 200
ATTACKS = {
    "reference_difference": (3.4, "Mireshghallah et al. 2022, arXiv:2203.03929", "logprobs"),
    "ez_mia": (3.1, "Ilić et al. 2026, arXiv:2601.12104", "label"),
    "wbc": (2.6, "Chen et al. 2026, arXiv:2601.02751", "logprobs"),
    "zlib": (1.0, "Carlini et al. 2021, arXiv:2012.07805", "logprobs"),
    "loss": (0.9, "Yeom et al. 2018, arXiv:1709.01604", "logprobs"),
    "min_k": (0.85, "Shi et al. 2024, arXiv:2310.16789", "logprobs"),
    "min_k_plus_plus": (0.8, "Zhang et al. 2024, arXiv:2404.02936", "dist"),
    "bag_of_words": (0.05, "Das et al. 2024, arXiv:2406.16201", "text"),
}
NEEDS = {
    "bag_of_words": ("texts",),
    "reference_difference": ("token_logprobs", "base_token_logprobs"),
    "wbc": ("token_logprobs", "base_token_logprobs"),
    "mixture": ("gain", "rewrite_gain", "pop_gain", "pop_rewrite_gain"),
}


FPRS = (0.05, 0.01)
FINDINGS = (
    Finding(
        "E102",
        "warning",
        "2 records repeat the text of another on their side; remove the copies",
        ("a.py:1", "a.py:9"),
    ),
    Finding(
        "E107",
        "note",
        "smollm2 was quantised to Q4_K and dequantised when it was read; figures hold for these "
        "weights, not for the original ones",
    ),
    Finding("E108", "note", "lira did not run: it needs reference models"),
)
TRAINING = {
    "epochs": 3,
    "learning_rate": 5e-5,
    "train_loss": [2.38012345, 1.6123, 1.0456],
    "trainable": {"parameters": 134515008, "dtype": "float32"},
}


def attack(name: str, distance: float, *, seed: int = 0) -> AttackResult:
    """One attack whose members score ``distance`` standard deviations higher."""
    _, paper, access = ATTACKS.get(name, (0.0, "this project", "logprobs"))
    rng = np.random.default_rng([seed, *name.encode()])
    member = np.arange(MEMBERS + OUTSIDERS) < MEMBERS
    scores = rng.normal(size=len(member)) + distance * member
    level = intervals.simultaneous(0.95, len(ATTACKS))
    replicates = roc.bootstrap(scores, member, np.arange(len(member)), fprs=FPRS, times=200)
    return AttackResult(
        name=name,
        paper=paper,
        access=access,
        queries=0 if name == "bag_of_words" else 1,
        needs=NEEDS.get(name, ("token_logprobs",)),
        options={"k": 0.2} if name.startswith("min_k") else {},
        members=MEMBERS,
        non_members=OUTSIDERS,
        unscored=3 if name == "zlib" else 0,
        auc=roc.auc(scores, member),
        simultaneous=roc.auc(scores, member, level=level),
        tpr=tuple(roc.tpr_at_fpr(scores, member, replicates, fpr=fpr) for fpr in FPRS),
        curve=roc.curve(scores, member),
        histogram=histogram(scores, member),
        blind=name == "bag_of_words",
    )


def histogram(scores: Scores, member: Member) -> Histogram:
    """Thirty bins over all scores."""
    edges = np.histogram_bin_edges(scores, 30)
    sides = (np.histogram(scores[side], edges)[0].tolist() for side in (member, ~member))
    return Histogram(tuple(edges.tolist()), *(tuple(side) for side in sides))


@cache
def _fit(members: float, non_members: float) -> Fit:
    ours, theirs = (
        intervals.Interval(mean - 0.1, mean, mean + 0.1, 0.95) for mean in (members, non_members)
    )
    return Fit(ours, theirs, (200, 200))


def _around(value: float, arm: float) -> intervals.Interval:
    return intervals.Interval(value - arm, value, value + arm, 0.95)


def _as_a_set(p: float, effect: float) -> SetResult:
    """Dataset inference on 200 and 200 documents."""
    found = DatasetInference(
        p, 0.01, _around(effect, 0.2), ((100, 0.5),), 150, (200, 200), (200, 200), (0, 0), 11
    )
    return SetResult(found, p < 0.01, ("loss", "zlib"))


def leaky() -> TargetResult:
    """A model that was trained too long."""
    attacks = tuple(attack(name, distance) for name, (distance, *_) in ATTACKS.items())
    auc = attacks[0].simultaneous
    return TargetResult(
        name="leaky",
        description="smollm2, fully fine-tuned for 3 epochs on 200 standard-library functions",
        leaks=True,
        verdict="leaky reveals which records it was trained on: reference_difference tells 200 "
        f"members from 200 non-members with AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}).",
        strongest="reference_difference",
        detectable_auc=0.598,
        fit=_fit(0.912, 2.254),
        base_fit=_fit(2.437, 2.441),
        attacks=attacks,
        as_a_set=_as_a_set(0.0004, 1.2),
        persons=None,
        redraws=Redraws(20, 1, 2),
        exposed=tuple(
            Exposed(f"asyncio/base_events.py:{line}", tokens, above)
            for line, tokens, above in ((412, 64, 0), (88, 64, 0), (1203, 51, 1))
        ),
        findings=FINDINGS,
        training=TRAINING,
        provenance={"weights": "sha256:5f1c0e7a9b", "device": "cpu", "seconds": 93.41234567},
    )


@cache
def clean() -> TargetResult:
    """A model that never saw the records."""
    return replace(
        leaky(),
        name="control",
        description="smollm2, fully fine-tuned for 3 epochs on 200 other functions",
        leaks=False,
        verdict="No attack finds a leak in control: an AUC of 0.598 or more would usually have "
        "been noticed.",
        strongest="min_k",
        fit=_fit(2.261, 2.252),
        attacks=tuple(attack(name, 0.0, seed=2) for name in ATTACKS),
        as_a_set=_as_a_set(0.31, 0.1),
        persons=PersonsResult("loss", "mean", _around(0.52, 0.1), 40, 42, 400),
        redraws=Redraws(20, 0, 0),
        exposed=(Exposed("json/decoder.py:17", 64, 2),),
        findings=FINDINGS[1:],
    )


DISTANCES: dict[Role, tuple[int, dict[str, float]]] = {
    "raw": (100, {"wbc": 3.2, "loss": 0.9, "mixture": 2.9, "bag_of_words": 0.0}),
    "rewritten": (90, {"wbc": 0.2, "loss": 0.4, "mixture": 1.1, "bag_of_words": 0.1}),
    "kept": (8, {"wbc": 3.2, "loss": 1.4, "mixture": 3.0, "bag_of_words": 0.0}),
    "dropped": (2, {"wbc": 0.0, "loss": 0.1, "mixture": 0.0, "bag_of_words": 0.0}),
}
SOFT = DefenseResult(
    name="soft",
    stage="data",
    options={"ratio": 0.5},
    roles={"raw": 100, "rewritten": 90, "kept": 8, "dropped": 2},
    rewriter="code",
    attempts=143,
    rejected={"similarity": 8, "facts": 3},
    seconds=12.4,
)
SENT = replace(
    SOFT, rewriter="endpoint", sent_to=("https://rewrites.example/v1", 143), tokens_read=20_480
)
DP_LORA = DefenseResult(
    name="dp_lora",
    stage="training",
    options={"epsilon": 8.0, "delta": None, "clip": 0.1, "rank": 16},
    roles={},
    seconds=301.0,
    spent={"epsilon": 7.98, "delta": 0.005, "accountant": "prv"},
)


def chosen(selector: str) -> DefenseResult:
    """SOFT, with records chosen by this."""
    return replace(SOFT, options={"ratio": 0.5, "selector": selector})


@cache
def role_result(role: Role, name: str) -> RoleResult:
    """One attack on the members of one role, against all non-members."""
    members, distances = DISTANCES[role]
    rng = np.random.default_rng([7, *role.encode(), *name.encode()])
    member = np.arange(members + OUTSIDERS) < members
    scores = rng.normal(size=len(member)) + distances[name] * member
    replicates = roc.bootstrap(scores, member, np.arange(len(member)), fprs=FPRS, times=200)
    return RoleResult(
        role=role,
        attack=name,
        members=members,
        auc=roc.auc(scores, member),
        simultaneous=roc.auc(scores, member, level=intervals.simultaneous(0.95, 4)),
        tpr=tuple(roc.tpr_at_fpr(scores, member, replicates, fpr=fpr) for fpr in FPRS),
    )


def utility(loss: float, against: str | None = None, change: float = 0.0) -> Utility:
    """What a model is worth, and how that differs from the undefended one."""
    accuracy = 0.6 - 0.1 * (loss - 2)
    paired = (_around(change, 0.02), _around(-0.1 * change, 0.004)) if against else (None, None)
    return Utility(OUTSIDERS, _around(loss, 0.1), _around(accuracy, 0.02), against, *paired)


def undefended() -> TargetResult:
    """A model that was trained without a defense, and with whom the others are compared."""
    return replace(leaky(), name="undefended", utility=utility(2.254))


@cache
def soft() -> TargetResult:
    """The same training with half of the records rewritten."""
    distances = {"wbc": 1.3, "loss": 0.5, "mixture": 1.8, "bag_of_words": 0.05}
    found = tuple(attack(name, distance, seed=3) for name, distance in distances.items())
    return replace(
        leaky(),
        name="soft-half",
        verdict="soft-half reveals half of its training records.",
        strongest="mixture",
        attacks=found,
        defenses=(SOFT,),
        roles=tuple(
            role_result(role, name) for role, (_, found) in DISTANCES.items() for name in found
        ),
        utility=utility(2.231, "undefended", -0.023),
    )


@cache
def dp() -> TargetResult:
    """The same training, differentially private."""
    return replace(
        clean(), name="dp-lora", defenses=(DP_LORA,), utility=utility(2.391, "undefended", 0.137)
    )


def study() -> Results:
    """Attack, defend, attack again."""
    return replace(results(undefended(), soft(), dp()), title="What two defenses do")


def claimed(*, refuted: bool) -> TargetResult:
    """A model whose claim of privacy was held against canaries."""
    found = Bound(2.3456 if refuted else 0.25, 0.95, "one run", 1e-5, {"guesses": 90}, "dp")
    beside = Bound(1.5, 0.95, "two-sided", 1e-5, {"records": 100}, "descriptive")
    claim, form = Claim(1.0, 1e-5, "the accountant of dp_sgd"), "words of the data"
    told = (found, beside)
    shown = CanaryResult(100, 52, form, "loss", "named", told, claim, refuted, True, ("loss",) * 2)
    told_of = (claim_refuted(found, 1.0, 1e-5, claim.by),) if refuted else ()
    return replace(leaky(), name="claimed", canaries=shown, risk=None, findings=told_of)


def results(*targets: TargetResult) -> Results:
    """A run over ``targets``; a leaky and a clean one unless told."""
    return Results(
        schema=4,
        kind="language",
        title="What two fine-tuned models reveal",
        created="2026-02-03T10:15:00+00:00",
        level=0.95,
        data={"source": "functions of the Python standard library", "records": 400, "groups": 173},
        targets=targets or (leaky(), clean()),
        not_covered=(
            "attackers who see only generated text",
            "persons or documents as a whole, rather than single records",
        ),
        findings=(
            Finding(
                "E105",
                "note",
                "312 of 400 texts are longer than 64 tokens; only their beginning was used",
            ),
        ),
        provenance={"nonmember": "0.1.0", "torch": "2.13.0", "seed": 0, "machine": "2 cores"},
    )
