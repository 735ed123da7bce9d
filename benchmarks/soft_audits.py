"""The audits of the study of SOFT, and what is kept of them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soft_texts
from soft_figures import told
from soft_texts import FUNCTIONS

import nonmember as nm
from nonmember.audit import records
from nonmember.audit.language.plan import secret_of
from nonmember.audit.records import Results
from nonmember.console.jobs import progress
from nonmember.models import causal
from nonmember.models.source import digest, locate
from nonmember.signals.store import Store

DIRECT = (
    "loss",
    "zlib",
    "min_k",
    "min_k_plus_plus",
    "gap_k",
    "dc_pdd",
    "hit_rate",
    "reference_difference",
    "reference_ratio",
    "ez_mia",
    "wbc",
    "ht_mia",
)
KEPT, REWRITING, NEIGHBOURS = "kept_tokens", ("rewritten", "mixture"), "semantic_neighbours"
BLIND = ("bag_of_words", "length", "greedy_ngrams")
EPOCHS = 2
RECIPE = {"epochs": EPOCHS, "schedule": "constant"}  # as in the demo: leaky, not extreme
LORA = {**RECIPE, "method": "lora", "learning_rate": 3e-4}
FPR = 0.01


@dataclass(frozen=True)
class Size:
    """How large the audits are. ``known`` records of each side are the attacker's own besides."""

    members: int = 96
    non_members: int = 192
    known: int = 8
    tokens: int = 64
    function_tokens: int = 96  # few functions have fewer
    copies: int = 2
    resamples: int = 2_000
    chatted: int = 10  # records of each of five domains
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)


FULL, TINY = Size(), Size(24, 32, 3, 96, 200, 2, 200, 1)


@dataclass(frozen=True)
class Study:
    """Where documents come from, where work is kept, what is fine-tuned, and how much of it.

    The seed draws who is a member, the order of training, and the rewrites.
    """

    data: Path | None
    store: Path
    base: str
    size: Size
    seed: int = 0


def domain(study: Study, name: str) -> dict[str, Any]:
    """SOFT at every ratio on one domain."""
    rewriter = "code" if name == FUNCTIONS else "synonyms"
    targets = {"undefended": _target(study, [])}
    for ratio in study.size.ratios:
        targets[f"soft {ratio}"] = _target(study, [soft(ratio, rewriter)])
    values = _values(study, name, targets)
    found = audited(study, name, adaptive(values, study, rewriter))
    if name != soft_texts.PILE[0]:  # the comparisons go on with that one's models
        forget(study, found)
    return {"rewriter": rewriter, **told(found)}


def comparisons(study: Study, name: str) -> dict[str, Any]:
    """Other selections and other defenses on one domain, beside SOFT at 0.5."""
    whole, wide = soft(1.0), {"containment": 0.8, "run": 30}
    selecting = {
        "undefended": [],
        "lowest_loss 0.5": [soft(0.5)],
        **{
            f"{by} 0.5": [{**soft(0.5), "selector": by}]
            for by in ("loss_drop", "random", "highest_loss")
        },
        "soft 1.0": [whole],
        "soft 1.0, continued": [{**whole, "after_warmup": "continue"}],
        "soft 1.0, rejected kept": [_with(whole, on_reject="keep_raw")],
        "soft 1.0, wide gates": [_with(whole, limits=wide)],
    }
    values = _values(study, name, {key: _target(study, d) for key, d in selecting.items()})
    found = [audited(study, f"{name}-selections", adaptive(values, study, "synonyms"))]
    values = _values(study, name, _others(study))
    found.append(audited(study, f"{name}-others", values))
    for one in found:
        forget(study, one, but=("undefended", "lowest_loss 0.5", "soft 1.0"))
    return {"selections": told(found[0]), "other defenses": told(found[1])}


def _others(study: Study) -> dict[str, Any]:
    plain = ("deduplicate", "exclude_layers", "weight_decay", "early_stopping")
    return {
        "undefended": _target(study, []),
        "drop_influential 0.5": _target(study, [_named("drop_influential", ratio=0.5)]),
        **{name: _target(study, [_named(name)]) for name in plain},
        "lora": _target(study, [], LORA),
        "lora_dropout": _target(study, [_named("lora_dropout")], LORA),
        "dp_lora, epsilon 8": _target(study, [_named("dp_lora", epsilon=8.0)], LORA),
    }


def known_secret(study: Study, name: str) -> dict[str, Any]:
    """What an attacker finds who knows what the rewrites were drawn by: the upper bound.

    With as many copies as the defense made attempts, the trained strings are among them. And
    near meanings by another rewriter, for an attacker who does not even know which it was.
    """
    targets = {"undefended": [], "soft 0.5": [soft(0.5)], "soft 1.0": [soft(1.0)]}
    values = _values(study, name, {key: _target(study, d) for key, d in targets.items()})
    values = adaptive(values, study, "synonyms", secret=secret_of(study.seed), copies=4)
    values["attacks"]["run"] += [NEIGHBOURS]
    values["signals"]["options"]["spans"] = {"copies": study.size.copies}
    found = audited(study, f"{name}-known-secret", values)
    forget(study, found)
    return told(found)


def soft(ratio: float, rewriter: str = "synonyms") -> dict[str, Any]:
    """The paper's defense at a ratio."""
    return {**_named("soft", ratio=ratio), "rewriter": {"name": rewriter}}


def _with(defense: Mapping[str, Any], **settings: Any) -> dict[str, Any]:
    """The same with other settings of the rewriting."""
    return {**defense, "rewriter": {**defense["rewriter"], **settings}}


def _named(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "options": options}


def _target(
    study: Study, defenses: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any] = RECIPE
) -> dict[str, Any]:
    made = {"base": study.base, "trained_on": "members", "recipe": dict(recipe)}
    return {**made, "defenses": list(defenses)}


def _values(study: Study, name: str, targets: Mapping[str, Any]) -> dict[str, Any]:
    """An audit on the documents of a domain, by every attack that asks once per record."""
    size = study.size
    limit = size.function_tokens if name == FUNCTIONS else size.tokens
    tokenizer = causal.load_tokenizer(locate(study.base))
    path = soft_texts.pool(study.data, name, tokenizer, limit, study.store / "pools")
    return values(study, f"SOFT on {name}", path, limit, targets)


def values(
    study: Study, title: str, path: Path, limit: int, targets: Mapping[str, Any]
) -> dict[str, Any]:
    """The values of a spec."""
    size = study.size
    return {
        "title": title,
        "seed": study.seed,
        "data": {
            "pool": str(path),
            "take": {
                "members": size.members + size.known,
                "non_members": size.non_members + size.known,
            },
            "known": size.known,
            "max_tokens": limit,
        },
        "targets": dict(targets),
        "attacks": {"run": [*DIRECT, KEPT, *BLIND]},
        "signals": {"options": {}},
        "evaluation": {"fpr": [FPR], "resamples": size.resamples, "redraws": 0},
    }


def adaptive(values: dict[str, Any], study: Study, rewriter: str, **options: Any) -> dict[str, Any]:
    """The same audit with the attacks that rewrite, also of what was trained without a defense."""
    values["attacks"]["run"] += REWRITING
    given = {"rewriter": rewriter, "copies": study.size.copies, **options}
    values["signals"]["options"]["rewrites"] = given
    return values


def audited(study: Study, name: str, values: Mapping[str, Any]) -> Results:
    """Audit, or read what a finished audit of the same values found."""
    mark = digest(json.dumps(values, sort_keys=True))[:8]
    run = study.store / "runs" / f"{name}-{mark}"
    if (run / "results.json").is_file():
        return records.load(run)
    return nm.audit_spec(values, run, store=study.store / "jobs", observe=progress)


def forget(study: Study, found: Results, *, but: Sequence[str] = ()) -> None:
    """Remove fine-tuned models, of half a gigabyte each, which are not asked again."""
    store = Store(study.store / "jobs")
    for label, job in found.provenance["jobs"].items():
        made = label.startswith(("fine-tune ", "warm "))
        if made and not any(f" {name} " in label for name in but):
            shutil.rmtree(store.folder(job["address"]), ignore_errors=True)
