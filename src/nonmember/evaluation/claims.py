"""Findings about claims of differential privacy: what canaries show, and what that refutes."""

from nonmember.evaluation.checks import Finding
from nonmember.evaluation.epsilon import Bound


def one_run_bound(
    bound: Bound | None, attack: str, chosen: str, canaries: int, data: str
) -> Finding:
    """E130: the lower bound of epsilon that canaries give, and what it rests on.

    Args:
        bound: None where no attack ranked the canaries.
        attack: by whose scores they were guessed at.
        chosen: how it was chosen.
        canaries: how many there are.
        data: the file that the model must have been trained on; "" where the audit saw to it.
    """
    if bound is None:
        return Finding("E130", "warning", "no attack ranked the canaries, so epsilon has no bound")
    found = (
        f"{bound} from {canaries:,} canaries with a coin each, guessed at by {attack} ({chosen})"
    )
    if not bound.epsilon:
        return Finding(
            "E130",
            "note",
            f"{found}: so nothing is bounded, be the model private, this attack or so few canaries "
            f"too weak, or the model never trained on {data or 'them'}",
        )
    rest = f"; it holds for a model that was trained on {data}, and once" if data else ""
    return Finding("E130", "note", f"{found}{rest}")


def claim_refuted(bound: Bound, epsilon: float, delta: float, by: str) -> Finding:
    """E131: a model has shown more than its claimed privacy allows."""
    return Finding(
        "E131",
        "error",
        f"the claim of epsilon {epsilon:g} at delta {delta:g} (by {by}) is refuted: {bound}; look "
        "for what its accountant does not cover, such as a record in several batches of a step, "
        "gradients that are not clipped one by one, noise that is missing, or data seen twice",
    )
