"""Jobs done on a Ray cluster, whose nodes all see the store: ``pip install 'nonmember[ray]'``.

A task is one job, or several that ask one model, which is then loaded once.
"""

import logging
import os
import pickle
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from nonmember.audit.engine import Agenda, Crew, Watch, pending, unsendable
from nonmember.audit.engines import demands, nodes, work
from nonmember.audit.engines.board import Board
from nonmember.audit.jobs import Job
from nonmember.errors import RunError, SpecError
from nonmember.signals.store import Store

PAUSE = 0.5  # seconds between two looks at what the workers have told
PATIENCE = 5.0  # seconds in which a cluster answers, and a task that is cancelled cleans up


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that runs already, at an address or as this machine knows it.

    At most so many ``workers`` do a job at once and share the CPUs; one per node if not given.

    Raises:
        RunError: Ray is not installed.
        SpecError: there are no workers.
    """

    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise RunError("engine ray: Ray is not installed; pip install 'nonmember[ray]'")
        if self.workers is not None and self.workers < 1:
            raise SpecError(f"workers = {self.workers}: nobody would do the jobs; give 1 or more")

    def crew(self) -> Crew:
        """As many as the cluster's CPUs make room for.

        Raises:
            RunError: no cluster answers there.
        """
        with _connected(self.address) as ray:
            return nodes.shared(nodes.able(ray), self.workers)

    def run(self, jobs: Iterable[Job], store: Store, watch: Watch) -> None:
        """Do every job that is pending.

        Raises:
            NonmemberError: no cluster answers, a node does not see the store or the models or
                has other versions installed, no node is large enough for a job, a job cannot
                be done, or four workers died doing it.
        """
        agenda = Agenda(pending(jobs, store), watch)
        if not agenda.jobs:
            return
        with _connected(self.address) as ray:
            there, place = nodes.able(ray), Store(store.root.absolute())
            crew = nodes.shared(there, self.workers)
            nodes.check_sizes(there, agenda.jobs, crew)
            nodes.check_sight(ray, there, agenda.jobs, place)
            _lead(ray, agenda, place, crew)


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; as it was afterwards."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when Ray is imported
    import ray

    if ray.is_initialized():
        yield ray
        return
    try:
        _knock(address)
        ray.init(address or "auto", logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(
            f"engine ray: no cluster answers at {address or 'this machine'} "
            f"({str(error).splitlines()[0]}); begin one with `ray start --head`, or give its "
            "address as host:port"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str | None) -> None:
    """Try whether anybody listens there, which Ray would do for minutes."""
    if address is not None:
        host, _, port = address.removeprefix("ray://").rpartition(":")
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()


@dataclass
class _Foreman:
    """Who sends tasks out: the jobs as the workers are sent them, once, and what is being done."""

    ray: Any
    agenda: Agenda
    store: Store
    crew: Crew
    luggage: Any
    board: Any
    doing: dict[Any, list[Job]] = field(default_factory=dict)


def _lead(ray: Any, agenda: Agenda, store: Store, crew: Crew) -> None:
    """Send tasks out until all is done."""
    try:
        packed = ray.cloudpickle.dumps({job.address: job for job in agenda.jobs})
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise unsendable(error) from None
    man = _Foreman(ray, agenda, store, crew, ray.put(packed), _board(ray))
    try:
        while not agenda.over:
            _send(man)
            back, _ = ray.wait(list(man.doing), timeout=PAUSE)
            for address, tokens in ray.get(man.board.take.remote()).items():
                if address in agenda.begun:
                    agenda.tell(agenda.known[address], tokens)
            for task in back:
                _collect(man, task)
    finally:
        for task in man.doing:
            ray.cancel(task)
        ray.wait(list(man.doing), num_returns=len(man.doing), timeout=PATIENCE)


def _board(ray: Any) -> Any:
    """A board that is kept beside this process."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=True
    )
    return ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()


def _send(man: _Foreman) -> None:
    """Give every worker that is free something to do, if anything may begin."""
    while len(man.doing) < man.crew.workers and (batch := _batch(man)):
        asked = [nodes.takes(job, man.crew) for job in batch]
        most = {name: max(one[name] for one in asked) for name in asked[0]}
        for job in reversed(batch):
            man.agenda.begin(job)
        # Begun again by hand, so that each job's workers are counted, out of memory or not.
        task = man.ray.remote(_errand).options(**most, max_retries=0)
        addresses = [job.address for job in batch]
        about = (str(man.store.root), str(Path.cwd()), man.crew.threads)
        man.doing[task.remote(man.luggage, addresses, man.board, *about)] = batch


def _batch(man: _Foreman) -> list[Job]:
    """The next job, and its share of those that ask the same model."""
    ready = man.agenda.ready()
    model = demands.asks(ready[0]) if ready else None
    if model is None:
        return ready[:1]
    alike = [job for job in ready if demands.asks(job) == model]
    return alike[: -(-len(alike) // man.crew.workers)]


def _errand(
    luggage: bytes, addresses: Sequence[str], board: Any, root: str, folder: str, threads: int
) -> Exception | None:
    """On a node: do these jobs, and say what went wrong."""
    torch.set_num_threads(threads)
    if Path(folder).is_dir():  # as seen from which relative paths of models are
        os.chdir(folder)
    jobs, desk = pickle.loads(luggage), work.Desk(Store(Path(root)))  # noqa: S301 - our own message
    for address in addresses:
        told = work.at_times(partial(board.tell.remote, address), PAUSE)
        error = None if desk.store.has(address) else work.attempt(jobs[address], desk, told)
        if error is not None:
            return error
    return None


def _collect(man: _Foreman, task: Any) -> None:
    """Take what a task brings back, or note that its worker died.

    Raises:
        Exception: that of a job.
    """
    dead, batch = man.ray.exceptions, man.doing.pop(task)
    try:
        error = man.ray.get(task)
    except (
        dead.WorkerCrashedError,
        dead.NodeDiedError,
        dead.LocalRayletDiedError,
        dead.OutOfMemoryError,
    ):
        left = [job for job in batch if not man.store.has(job.address)]
        for job in batch:
            if job not in left:
                man.agenda.finish(job)
        for job in left[1:]:
            man.agenda.put_back(job)
        if left:
            man.agenda.lose(left[0])
        return
    if error is not None:
        raise error
    for job in batch:
        man.agenda.finish(job)
