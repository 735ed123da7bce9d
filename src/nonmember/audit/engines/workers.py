"""Jobs done by worker processes on this machine; what they make goes through the store alone.

Workers are spawned and not forked: the threads of torch do not outlive a fork.
"""

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch

from nonmember.audit.engine import Agenda, Crew, Watch, pending, unsendable
from nonmember.audit.engines import demands, work
from nonmember.audit.jobs import Job
from nonmember.errors import RunError, SpecError
from nonmember.signals.store import Store

PAUSE = 0.1  # seconds between two messages of a worker about one job
PATIENCE = 5.0  # seconds in which a worker that is told to leave cleans up


@dataclass(frozen=True)
class Workers:
    """So many processes, which share this one's threads and take CUDA devices in turn.

    Raises:
        SpecError: there are none.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise SpecError(f"workers = {self.count}: nobody would do the jobs; give 1 or more")

    def crew(self) -> Crew:
        """All of them, each with its share of the threads."""
        return Crew(self.count, max(1, torch.get_num_threads() // self.count))

    def run(self, jobs: Iterable[Job], store: Store, watch: Watch) -> None:
        """Do every job that is pending, and leave no process behind.

        Raises:
            NonmemberError: a job cannot be done, or four workers died doing it.
        """
        team = _Team(Agenda(pending(jobs, store), watch), store, self.crew().threads)
        try:
            for number in range(min(self.count, len(team.agenda.jobs))):
                _hire(team, number)
            while not team.agenda.over:
                _hand_out(team)
                for line in wait([one.line for one in team.workers]):
                    _hear(team, next(one for one in team.workers if one.line is line))
        finally:
            _dismiss(team.workers)


@dataclass(eq=False)
class _Worker:
    """A process, the line to it, what it is doing, and the model that it asked last."""

    number: int
    process: SpawnProcess
    line: Connection
    started: bool = False
    job: Job | None = None
    asked: str | None = None


@dataclass
class _Team:
    agenda: Agenda
    store: Store
    threads: int
    workers: list[_Worker] = field(default_factory=list)


def _hire(team: _Team, number: int) -> None:
    """Start the worker of this number.

    Raises:
        RunError: the jobs cannot be sent to another process.
    """
    ours, theirs = get_context("spawn").Pipe()
    jobs = {job.address: job for job in team.agenda.jobs}
    device = _device(number, team.agenda.jobs)
    process = get_context("spawn").Process(
        target=_serve, args=(theirs, jobs, team.store, team.threads, device), daemon=True
    )
    try:
        with _uninterrupted():
            process.start()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise unsendable(error) from None
    theirs.close()  # so that the line ends with the worker
    team.workers.append(_Worker(number, process, ours))


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is started here never sees a Ctrl-C: it is this process's to tell it to leave."""
    resource_tracker.ensure_running()  # unblocks the signal where it starts its own process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _device(number: int, jobs: Sequence[Job]) -> str | None:
    """The CUDA device that a worker sees, if there are several and the jobs take any."""
    count = torch.cuda.device_count()
    if count < 2 or any(job.where.device != torch.device("cuda") for job in jobs):
        return None
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (seen.split(",") if seen else [str(one) for one in range(count)])[number % count]


def _hand_out(team: _Team) -> None:
    """Give each worker that is free a job that may begin, if possible of the model it has."""
    for worker in team.workers:
        ready = team.agenda.ready() if worker.started and worker.job is None else []
        if ready:
            alike = (job for job in ready if demands.asks(job) == worker.asked is not None)
            job = next(alike, ready[0])
            worker.job, worker.asked = job, demands.asks(job)
            team.agenda.begin(job)
            with suppress(OSError):  # it has just died, as the line will say
                worker.line.send(job.address)


def _hear(team: _Team, worker: _Worker) -> None:
    """Take a worker's message: tokens done, an error, or nothing more to say of its job.

    Raises:
        Exception: the error of a job.
        RunError: workers do not start, or die of a job time and again.
    """
    try:
        said = worker.line.recv()
    except (EOFError, OSError):  # it is dead
        _replace(team, worker)
        return
    if isinstance(said, Exception):
        raise said
    if worker.job is not None and said is not None:
        team.agenda.tell(worker.job, said)
    elif worker.job is not None:
        team.agenda.finish(worker.job)
        worker.job = None
    worker.started = True


def _replace(team: _Team, worker: _Worker) -> None:
    """Start another worker in the place of one that has died."""
    if not worker.started:
        raise RunError(
            "workers: a process died while it started, for want of memory perhaps; a script must "
            'begin its work below `if __name__ == "__main__":`'
        )
    team.workers.remove(worker)
    _dismiss([worker])
    if worker.job is not None and team.store.has(worker.job.address):
        team.agenda.finish(worker.job)
    elif worker.job is not None:
        team.agenda.lose(worker.job)
    _hire(team, worker.number)


def _dismiss(workers: Iterable[_Worker]) -> None:
    """End these processes, and wait until they are gone."""
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.line.close()


def _serve(
    line: Connection, jobs: Mapping[str, Job], store: Store, threads: int, device: str | None
) -> None:
    """What a worker does: the jobs whose addresses it is sent, until it is told to leave."""
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    torch.set_num_threads(threads)
    desk = work.Desk(store)
    line.send(None)
    while True:
        try:
            job = jobs[line.recv()]
        except EOFError:
            return
        line.send(work.attempt(job, desk, work.at_times(line.send, PAUSE)))


def _leave(*_: object) -> None:
    """End as a program does that is over, so that what is half written is removed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    sys.exit()


def _leave_with_parent() -> None:
    """A parent that was killed cannot tell its workers to leave."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
