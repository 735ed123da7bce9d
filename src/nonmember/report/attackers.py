"""Who can do what the strongest attack did: what they see and ask, and what else it takes."""

from nonmember.audit.records import Results, TargetResult
from nonmember.report import words

REFERENCES = "ref_"  # how the signals that references answer begin


def attacker(results: Results, target: TargetResult) -> str | None:
    """One sentence beside the strongest attack: access, queries, and cost as it was here."""
    best = next((one for one in target.attacks if one.name == target.strongest), None)
    if best is None:
        return None
    wording = words.WORDING[results.kind]
    candidates = best.members + best.non_members + best.unscored
    sees = f"sees the model's {wording.seen(best.access)}"
    asks = f"puts {wording.asked(best.queries)} per record to it"
    if candidates and best.queries:
        asks += f", {wording.asked(candidates * best.queries)} for all candidates"
    own = _own(results, target) if any(one.startswith(REFERENCES) for one in best.needs) else None
    return f"{best.name} is within reach of whoever {sees} and {asks}{own or ''}."


def _own(results: Results, target: TargetResult) -> str:
    """What making the models took that the target is compared with, as far as it is known."""
    jobs = results.provenance.get("jobs", {})
    made = [
        job.get("seconds", 0.0)
        for label, job in jobs.items()
        if label.startswith(("train references", "tune references")) and target.name in label
    ]
    took = f" ({words.duration(sum(made))} of computing here)" if made else ""
    return f", and trains models of the same kind on data like the members{took}"
