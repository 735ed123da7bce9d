"""Serve a fenced classifier over HTTP; questions that arrive together are answered together.

    python examples/serve_fenced.py FOLDER [PORT]
    curl localhost:8000/answer -H 'content-type: application/json' -d '{"inputs": [[0.1, 0.7]]}'

FOLDER is where a fence was saved. Who can ask it has no need of the folder, and must not have
it: with the secret in it, all copies can be made again.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from nonmember.errors import NonmemberError
from nonmember.models.fence.fenced import Fenced
from nonmember.models.fence.module import as_estimator
from nonmember.models.fence.saved import class_names, load

Answer = Callable[[np.ndarray], np.ndarray]
Waiting = tuple[np.ndarray, "asyncio.Future[np.ndarray]"]

WAIT = 0.005  # seconds in which others may join a question
MOST = 256  # inputs of a batch, after which no other joins


class Question(BaseModel):
    """Inputs, each a list of numbers, or lists of them, in the shape that the model takes."""

    inputs: list[Any]


def app(fenced: Fenced, names: Sequence[str] | None = None, wait: float = WAIT) -> FastAPI:
    """The service: `POST /answer` gives the probabilities of all classes for each input."""
    estimator, queue = as_estimator(fenced, names), asyncio.Queue[Waiting]()

    @asynccontextmanager
    async def answering(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batches(queue, estimator.predict_proba, wait))
        yield
        task.cancel()

    service = FastAPI(title="a fenced classifier", lifespan=answering)
    shape = fenced.copies.diffusion.shape

    @service.post("/answer")
    async def answer(question: Question) -> dict[str, list[Any]]:
        future = asyncio.get_running_loop().create_future()
        try:
            await queue.put((array(question.inputs, shape), future))
            found = await future
        except (NonmemberError, ValueError) as error:
            raise HTTPException(status_code=422, detail=str(error)) from None
        return {"classes": estimator.classes_.tolist(), "probabilities": found.tolist()}

    return service


def array(inputs: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """The inputs as an array, if they have the shape that the model takes."""
    found = np.array(inputs, dtype=np.float32)
    if found.shape[1:] != shape or not len(found) or not np.isfinite(found).all():
        raise ValueError(f"inputs in shape {found.shape}; give finite numbers in (any, *{shape})")
    return found


async def batches(queue: "asyncio.Queue[Waiting]", answer: Answer, wait: float) -> None:
    """Answer what waits, as much at once as arrives in a moment."""
    while True:
        together = [await queue.get()]
        await asyncio.sleep(wait)
        while not queue.empty() and sum(len(rows) for rows, _ in together) < MOST:
            together.append(queue.get_nowait())
        if not await answered(together, answer):
            for one in together:  # so that nobody fails for another's question
                await answered([one], answer)


async def answered(together: list[Waiting], answer: Answer) -> bool:
    """Whether all of a batch could be answered; one that is alone is told why not."""
    rows = np.concatenate([rows for rows, _ in together])
    try:
        found = await asyncio.to_thread(answer, rows)
    except Exception as error:
        if len(together) == 1 and not together[0][1].done():
            together[0][1].set_exception(error)
        return False
    ends = np.cumsum([len(rows) for rows, _ in together])[:-1]
    for (_, future), part in zip(together, np.split(found, ends), strict=True):
        if not future.done():  # who asked may have gone
            future.set_result(part)
    return True


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000
    uvicorn.run(app(load(folder), class_names(folder)), port=port)
