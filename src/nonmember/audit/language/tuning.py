"""Does the jobs of reference models of language models: tunes adapters, and asks them."""

import time
from dataclasses import asdict

from nonmember.audit.jobs import Compare, Tune
from nonmember.audit.provenance import circumstances_of
from nonmember.signals.references import score_adapters
from nonmember.signals.store import Store, note
from nonmember.training.adapters import Watch, fit_adapters


def tune(job: Tune, store: Store, told: Watch) -> None:
    """Tune the job's adapters in one pass over their base."""
    start = time.perf_counter()
    with store.writing(job.address) as folder:
        names = _names(job)
        for name in names:
            (folder / name).mkdir()
        fitted = fit_adapters(
            job.base,
            job.where,
            tuple(job.encoded),
            job.member,
            job.recipe,
            [folder / name for name in names],
            seeds=job.seeds,
            scratch=store.scratch(job.address),
            watch=told,
        )
        last = [one.losses[-1] for one in fitted]
        about = {
            **circumstances_of(job.where, start),
            "adapters": len(names),
            "last training loss, nats per token": [round(min(last), 4), round(max(last), 4)],
            "recipe": asdict(job.recipe),
            "base": job.base.digest,
        }
        note(folder, about)


def compare(job: Compare, store: Store, told: Watch) -> None:
    """Ask the adapters for the log-probabilities of the tokens, all in one forward."""
    start = time.perf_counter()
    folders = [store.folder(job.model.address) / name for name in _names(job.model)]
    found = score_adapters(job.model.base, folders, job.where, tuple(job.encoded), watch=told)
    store.put(job.address, {"token_logprobs": found}, circumstances_of(job.where, start))


def _names(job: Tune) -> list[str]:
    return [f"adapter-{number}" for number in range(1, len(job.member) + 1)]
