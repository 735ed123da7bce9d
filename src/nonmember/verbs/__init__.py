"""What a user can do, as functions; the command line says the same words."""

from nonmember.verbs.audits import audit_spec, dry_run, incomplete, write_report
from nonmember.verbs.classifiers import audit_classifier, classifier_spec
from nonmember.verbs.fence import fence, fence_by_spec, fence_spec, regeneration
from nonmember.verbs.protection import protect, protect_dataset, protect_order
from nonmember.verbs.specs import demo_spec, endpoint_values, llm_spec, option_values
from nonmember.verbs.transfer import audit_transfer, transfer_spec, transfer_study

__all__ = [
    "audit_classifier",
    "audit_spec",
    "audit_transfer",
    "classifier_spec",
    "demo_spec",
    "dry_run",
    "endpoint_values",
    "fence",
    "fence_by_spec",
    "fence_spec",
    "incomplete",
    "llm_spec",
    "option_values",
    "protect",
    "protect_dataset",
    "protect_order",
    "regeneration",
    "transfer_spec",
    "transfer_study",
    "write_report",
]
