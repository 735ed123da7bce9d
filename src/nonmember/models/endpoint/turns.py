"""The same request for many jobs, several at a time, results in the order of the jobs."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_turns(
    work: Callable[[Job, Event], Result],
    jobs: Sequence[Job],
    *,
    at_once: int,
    told: Callable[[Job], None],
) -> list[Result]:
    """``work`` of each job in threads; ``told`` hears in this one of each job that is done.

    The first error is raised, or an interrupt, without waiting for the work under way: it
    finds the event set that it was given. Jobs that have not begun by then are not.
    """
    futures: list[Future[Result]] = [Future() for _ in jobs]
    pairs = dict(zip(futures, jobs, strict=True))
    queue: SimpleQueue[tuple[Future[Result], Job]] = SimpleQueue()
    for pair in pairs.items():
        queue.put(pair)
    stop = Event()
    try:
        # Those of a pool would be waited for at the end of the program, timeouts and all.
        for _ in range(min(at_once, len(jobs))):
            Thread(target=_serve, args=(work, queue, stop), daemon=True).start()
        for one in as_completed(futures):
            one.result()
            told(pairs[one])
    finally:
        stop.set()
    return [one.result() for one in futures]


def _serve(
    work: Callable[[Job, Event], Result],
    queue: "SimpleQueue[tuple[Future[Result], Job]]",
    stop: Event,
) -> None:
    while not stop.is_set():
        try:
            future, job = queue.get_nowait()
        except Empty:
            return
        _fulfil(future, work, job, stop)


def _fulfil(
    future: Future[Result], work: Callable[[Job, Event], Result], job: Job, stop: Event
) -> None:
    try:
        future.set_result(work(job, stop))
    except BaseException as error:
        future.set_exception(error)
