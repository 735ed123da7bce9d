"""Find out what a trained model reveals about the records it was trained on.

Attacks score candidates from signals of a target; evaluation holds the scores against the
truth; an audit does both and hands over a page.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "AuditCallback", "attack", "audit_classifier", "audit_spec", "audit_transfer", "canaries",
    "compare", "defense", "dry_run", "export", "fence", "gate", "log_mlflow", "log_wandb",
    "membership_scorer", "protect", "protect_dataset", "rewriter", "schema", "signal",
    "verify", "write_report",
]  # fmt: skip

_HOMES = {
    "attack": "nonmember.attacks.registry",
    "signal": "nonmember.signals.catalogue",
    "defense": "nonmember.defenses.registry",
    "rewriter": "nonmember.rewriting.registry",
    "audit_classifier": "nonmember.verbs.classifiers",
    "audit_spec": "nonmember.verbs.audits",
    "audit_transfer": "nonmember.verbs.transfer",
    "canaries": "nonmember.verbs.canaries",
    "compare": "nonmember.verbs.compare",
    "dry_run": "nonmember.verbs.audits",
    "export": "nonmember.verbs.export",
    "fence": "nonmember.verbs.fence",
    "gate": "nonmember.verbs.gate",
    "protect": "nonmember.verbs.protection",
    "protect_dataset": "nonmember.verbs.protection",
    "schema": "nonmember.audit.schema",
    "verify": "nonmember.verbs.verify",
    "write_report": "nonmember.verbs.report",
    "AuditCallback": "nonmember.verbs.callback",
    "log_mlflow": "nonmember.verbs.tracking",
    "log_wandb": "nonmember.verbs.tracking",
    "membership_scorer": "nonmember.verbs.scorer",
}


def __getattr__(name: str) -> Any:
    """Import a verb when it is first used: importing this package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nonmember' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
