"""Which jobs may begin when, how far they are, and what they will take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonmember.audit import engine
from nonmember.audit.engine import HERE, Agenda, Crew
from nonmember.audit.engines import demands, nodes
from nonmember.audit.jobs import Job, Protect, Query, Train, Write, needs, waits
from nonmember.audit.language import spec, subject
from nonmember.audit.language.plan import plan
from nonmember.errors import RunError, SpecError

Values = Callable[..., dict[str, Any]]


@pytest.fixture
def jobs(values: Values) -> tuple[Job, ...]:
    """Those of an audit with warm-ups that are handed on, and a self-prompted reference."""
    leaky = values()["targets"]["leaky"]
    soft = {"name": "soft", "reselect": "each_epoch"}
    given = values(
        data={**values()["data"], "known": 4},
        targets={
            "leaky": leaky,
            "soft": {**leaky, "recipe": {"epochs": 3, "batch_size": 8}, "defenses": [soft]},
        },
        attacks={"run": ["loss", "spv_mia"]},
    )
    return plan(subject.inspect(spec.parse(given, "test"))).jobs


def silent(_what: str, _share: float) -> None:
    """Watch and say nothing."""


def test_what_a_job_reads_is_planned_before_it(jobs: tuple[Job, ...]) -> None:
    done: set[str] = set()
    for job in jobs:
        assert needs(job) <= done
        done.add(job.address)
    assert {type(job) for job in jobs if needs(job)} == {Train, Query, Write, Protect}


def test_a_run_waits_for_the_warm_ups_that_it_goes_on_from(jobs: tuple[Job, ...]) -> None:
    handed = [job for job in jobs if isinstance(job, Train) and job.hand_to is not None]
    assert len(handed) == 2
    for job in handed:
        assert job.address in waits(jobs)[str(job.hand_to)]
    assert job.address not in waits([one for one in jobs if one is not job])[str(job.hand_to)]


@pytest.mark.parametrize("seed", range(5))
def test_whoever_takes_what_is_ready_ends_with_all_done(jobs: tuple[Job, ...], seed: int) -> None:
    rng, agenda = np.random.default_rng(seed), Agenda(jobs, silent)
    while not agenda.over:
        ready = agenda.ready()
        if ready and (rng.random() < 0.6 or not agenda.begun):
            job = ready[rng.integers(len(ready))]
            assert needs(job) <= agenda.done
            agenda.begin(job)
        else:
            agenda.finish(agenda.known[rng.choice(sorted(agenda.begun))])
    assert agenda.done == {job.address for job in jobs} and not agenda.ready()


def test_nothing_that_waits_is_ready(jobs: tuple[Job, ...]) -> None:
    agenda = Agenda(jobs, silent)
    ready = {job.address for job in agenda.ready()}
    assert ready == {address for address, before in waits(jobs).items() if not before}
    first = next(job for job in jobs if job.address in ready)
    agenda.begin(first)
    assert first not in agenda.ready()
    agenda.put_back(first)
    assert agenda.ready()[0] is first


def test_the_share_done_is_summed_over_whoever_works(jobs: tuple[Job, ...]) -> None:
    told: list[float] = []
    agenda = Agenda(jobs, lambda _what, share: told.append(share))
    total = sum(job.work for job in jobs)
    one, other = jobs[0], jobs[-1]
    agenda.begin(one)
    agenda.begin(other)
    agenda.tell(one, one.tokens)
    agenda.tell(other, other.tokens // 2)
    half = other.work * (other.tokens // 2) / other.tokens
    assert told[:3] == pytest.approx([0.0, 0.0, one.work / total])
    assert told[-1] == pytest.approx((one.work + half) / total)
    agenda.finish(one)
    agenda.lose(other)
    agenda.begin(other)
    assert told[-1] == pytest.approx(one.work / total)


def test_a_job_that_kills_its_workers_is_named(jobs: tuple[Job, ...]) -> None:
    agenda = Agenda(jobs, silent)
    for _ in range(engine.RETRIES):
        agenda.begin(jobs[0])
        agenda.lose(jobs[0])
    agenda.begin(jobs[0])
    with pytest.raises(RunError, match=rf"^{jobs[0].label}: 4 workers died doing it"):
        agenda.lose(jobs[0])


def test_workers_share_the_time_but_not_a_chain(
    jobs: tuple[Job, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_speed", lambda _where, threads: float(threads))
    total = sum(job.work for job in jobs)
    longest: dict[str, float] = {}
    for job in jobs:
        before = (longest[one] for one in waits(jobs)[job.address])
        longest[job.address] = job.work + max(before, default=0.0)
    assert engine.seconds(jobs, Crew(1, 4)) == pytest.approx(total / 4)
    assert engine.seconds(jobs, Crew(2, 1)) == pytest.approx(max(total / 2, *longest.values()))
    assert engine.seconds(jobs, Crew(999, 1)) == pytest.approx(max(longest.values()))
    assert engine.seconds(()) == 0.0


def test_models_and_memory_are_known_before_work(jobs: tuple[Job, ...], base: Path) -> None:
    assert {file for job in jobs for file in demands.files(job)} == {base}
    (parameters,) = {job.base.parameters for job in jobs if isinstance(job, Train)}
    for job in jobs:
        full = isinstance(job, Train) and job.recipe.method == "full"
        assert demands.memory(job) == demands.ROOM + (16 if full else 5) * parameters


def test_an_engine_is_found_by_its_name() -> None:
    assert engine.chosen() is HERE and engine.chosen(workers=1) is HERE
    assert engine.chosen(workers=3).crew().workers == 3
    with pytest.raises(SpecError, match="workers = 0: nobody would do the jobs"):
        engine.chosen(workers=0)
    with pytest.raises(SpecError, match=r"address 10\.0\.0\.1: is that of a Ray cluster"):
        engine.chosen(address="10.0.0.1")
    with pytest.raises(SpecError, match="engine 'slurm': there is none such; give local or ray"):
        engine.chosen("slurm")


@pytest.mark.parametrize(
    ("cpus", "workers", "crew"),
    [
        ([8], None, (1, 8)),
        ([8, 8], None, (2, 8)),
        ([8, 8], 4, (4, 4)),
        ([8, 4], 3, (3, 4)),
        ([2, 2], 3, (3, 1)),
        ([1, 1], 9, (2, 1)),
    ],
)
def test_workers_of_a_cluster_share_its_cpus(
    cpus: list[int], workers: int | None, crew: tuple[int, int]
) -> None:
    there = [{"Resources": {"CPU": float(one)}} for one in cpus]
    assert nodes.shared(there, workers) == Crew(*crew)
