"""Where jobs are done: in this process, in local worker processes, or on a Ray cluster.

Nothing else knows. An engine is given jobs in an order in which each finds what it needs.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol, runtime_checkable

import torch

from nonmember.audit.engines import work
from nonmember.audit.jobs import Job, waits
from nonmember.errors import RunError, SpecError
from nonmember.models.causal import Placement
from nonmember.signals.store import Store

Watch = Callable[[str, float], None]
"""Told what is being done and the share of all pending work that is done, from 0 to 1."""

EFFICIENCY = 0.55  # of a matrix product's speed that a whole model reaches, seen on small CPUs
RETRIES = 3  # of a job whose worker has died


@dataclass(frozen=True)
class Crew:
    """How many jobs are done at once, and how many threads each has."""

    workers: int
    threads: int


@runtime_checkable
class Engine(Protocol):
    """Whoever does jobs."""

    def crew(self) -> Crew:
        """Who would do them.

        Raises:
            RunError: nobody can be reached.
        """

    def run(self, jobs: Iterable[Job], store: Store, watch: Watch) -> None:
        """Do every job whose output is not in the store yet.

        Raises:
            NonmemberError: a job cannot be done; no other is begun then.
        """


@dataclass(frozen=True)
class Here:
    """This process: one job after the other, in order."""

    def crew(self) -> Crew:
        """One, with all threads."""
        return Crew(1, torch.get_num_threads())

    def run(self, jobs: Iterable[Job], store: Store, watch: Watch) -> None:
        """Do every job that is pending."""
        run(jobs, store, watch)


HERE: Engine = Here()


def chosen(name: str = "local", workers: int | None = None, address: str | None = None) -> Engine:
    """The engine of this name.

    Args:
        name: ``local``, or ``ray``.
        workers: jobs at once: processes on this machine, or at most so many on the cluster.
        address: of the Ray cluster; the one that this machine belongs to if not given.

    Raises:
        SpecError: there is no such engine, or it has no address.
        RunError: Ray is not installed.
    """
    if name == "ray":
        from nonmember.audit.engines.cluster import Cluster  # which may not be installed

        return Cluster(address, workers)
    if name != "local":
        raise SpecError(f"engine {name!r}: there is none such; give local or ray")
    if address is not None:
        raise SpecError(f"address {address}: is that of a Ray cluster; choose the engine ray")
    if workers is None or workers == 1:
        return HERE
    from nonmember.audit.engines.workers import Workers

    return Workers(workers)


def pending(jobs: Iterable[Job], store: Store) -> list[Job]:
    """The jobs whose output is not in the store yet."""
    return [job for job in jobs if not store.has(job.address)]


def run(jobs: Iterable[Job], store: Store, watch: Watch) -> None:
    """Do every job that is pending, in this process."""
    agenda, desk = Agenda(pending(jobs, store), watch), work.Desk(store)
    for job in agenda.jobs:
        agenda.begin(job)
        work.do(job, desk, partial(agenda.tell, job))
        agenda.finish(job)


def unsendable(error: Exception) -> RunError:
    """What to say of a job that cannot be sent to another process."""
    return RunError(
        f"workers: a job cannot be sent to another process ({error}); define what it uses in a "
        "module that can be imported, or run without workers"
    )


def seconds(jobs: Sequence[Job], crew: Crew | None = None) -> float:
    """What the jobs will roughly take, from the speed of one matrix product in this process.

    Several workers share them, but none begins what waits for another job. ``crew`` is this
    process if not given.
    """
    crew = crew or HERE.crew()
    speeds = {where: _speed(where, crew.threads) for where in {job.where for job in jobs}}
    took = {job.address: job.work / speeds[job.where] for job in jobs}
    before, ends = waits(jobs), dict[str, float]()
    for job in jobs:
        begun = max((ends.get(one, 0.0) for one in before[job.address]), default=0.0)
        ends[job.address] = begun + took[job.address]
    return max(sum(took.values()) / crew.workers, max(ends.values(), default=0.0))


def _speed(where: Placement, threads: int) -> float:
    """Floating-point operations a second that a model reaches there, roughly."""
    rows, inner, columns = 512, 1024, 4096
    left, right = (
        torch.ones(shape, dtype=where.dtype, device=where.device)
        for shape in ((rows, inner), (inner, columns))
    )
    times, ours = [], torch.get_num_threads()
    torch.set_num_threads(threads)
    for _ in range(4):
        start = time.perf_counter()
        float((left @ right)[0, 0])
        times.append(time.perf_counter() - start)
    torch.set_num_threads(ours)
    return 2 * rows * inner * columns / min(times) * EFFICIENCY


@dataclass
class Agenda:
    """Pending jobs on their way: which may begin, and how far they are.

    ``begun`` are the tokens of each job that is being done, ``settled`` is the work of those
    that are done, and ``lost`` counts the workers that died doing one.
    """

    jobs: Sequence[Job]
    watch: Watch
    begun: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    settled: float = 0.0
    lost: Counter[str] = field(default_factory=Counter)

    @cached_property
    def known(self) -> Mapping[str, Job]:
        """The jobs by address."""
        return {job.address: job for job in self.jobs}

    @cached_property
    def _waits(self) -> Mapping[str, frozenset[str]]:
        return waits(self.jobs)

    @cached_property
    def _total(self) -> float:
        return sum(job.work for job in self.jobs) or 1.0

    @property
    def over(self) -> bool:
        """Whether all is done."""
        return len(self.done) == len(self.jobs)

    def ready(self) -> list[Job]:
        """The jobs that may begin, in order: all that come before them are done."""
        taken = self.done | self.begun.keys()
        free = (job for job in self.jobs if job.address not in taken)
        return [job for job in free if self._waits[job.address] <= self.done]

    def begin(self, job: Job) -> None:
        """Note that a job is being done."""
        self.begun[job.address] = 0
        self._show(job)

    def tell(self, job: Job, tokens: int) -> None:
        """Note that so many more of its tokens are done."""
        self.begun[job.address] += tokens
        self._show(job)

    def finish(self, job: Job) -> None:
        """Note that its output is in the store."""
        del self.begun[job.address]
        self.done.add(job.address)
        self.settled += job.work
        self._show(job)

    def put_back(self, job: Job) -> None:
        """Note that nobody is doing it any more; it may begin again."""
        del self.begun[job.address]

    def lose(self, job: Job) -> None:
        """Note that a worker died doing it; it may begin again.

        Raises:
            RunError: it has begun often enough.
        """
        self.put_back(job)
        self.lost[job.address] += 1
        if self.lost[job.address] > RETRIES:
            raise RunError(
                f"{job.label}: {RETRIES + 1} workers died doing it, as processes do that run out "
                "of memory; take fewer workers, or machines with more memory"
            )

    def _show(self, job: Job) -> None:
        doing = sum(map(self._reached, self.begun))
        self.watch(job.label, (self.settled + doing) / self._total)

    def _reached(self, address: str) -> float:
        """How much of a job's work is done."""
        job = self.known[address]
        return job.work * self.begun[address] / max(1, job.tokens)
