"""Find out what a trained model reveals about the records it was trained on.

Attacks score candidates from signals of a target; evaluation holds the scores against the
truth; an audit does both and hands over a page.
"""

from importlib import import_module
from typing import Any

__all__ = [
    "attack", "audit_classifier", "audit_spec", "audit_transfer", "defense", "dry_run", "fence",
    "protect", "protect_dataset", "rewriter", "signal", "write_report",
]  # fmt: skip

_HOMES = {
    "attack": "nonmember.attacks.registry",
    "signal": "nonmember.signals.catalogue",
    "defense": "nonmember.defenses.registry",
    "rewriter": "nonmember.rewriting.registry",
    "audit_classifier": "nonmember.verbs",
    "audit_spec": "nonmember.verbs",
    "audit_transfer": "nonmember.verbs",
    "dry_run": "nonmember.verbs",
    "fence": "nonmember.verbs",
    "protect": "nonmember.verbs",
    "protect_dataset": "nonmember.verbs",
    "write_report": "nonmember.verbs",
}


def __getattr__(name: str) -> Any:
    """Import a verb when it is first used: importing this package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'nonmember' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
