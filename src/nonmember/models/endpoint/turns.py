"""The same request for many jobs, several at a time, results in the order of the jobs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def in_turns(
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    at_once: int,
    told: Callable[[Job], None],
) -> list[Result]:
    """``work`` of each job in threads; ``told`` hears in this one of each job that is done.

    The first error is raised; jobs that have not begun by then are not.
    """
    with ThreadPoolExecutor(at_once) as pool:
        places = {pool.submit(work, job): place for place, job in enumerate(jobs)}
        try:
            for one in as_completed(places):
                one.result()
                told(jobs[places[one]])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [one.result() for one in places]
