"""Serve a fenced classifier over HTTP; questions that arrive together are answered together.

    python examples/serve_fenced.py FOLDER [PORT]
    curl localhost:8000/answer -H 'content-type: application/json' -d '{"inputs": [[0.1, 0.7]]}'

FOLDER is where a fence was saved. Who can ask it has no need of the folder, and must not have
it: with the secret in it, all copies can be made again. A proxy before it should limit the bytes
of a question, which is read whole before its inputs are counted.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from nonmember.errors import DataError, ModelError, NonmemberError
from nonmember.models.diffusion import Copies
from nonmember.models.diffusion.copies import Fresh
from nonmember.models.fence.fenced import Fenced
from nonmember.models.fence.module import as_estimator
from nonmember.models.fence.saved import class_names, load

Answer = Callable[[np.ndarray], np.ndarray]
Waiting = tuple[np.ndarray, "asyncio.Future[np.ndarray]"]

WAIT = 0.005  # seconds in which others may join a question
MOST = 256  # inputs of a question, and of a batch that others still join
FORM = 'no question; send {"inputs": [...]} with an input or more, as JSON'


class StoppedError(Exception):
    """The service ends before a question is answered."""


class Question(BaseModel):
    """Inputs, each a list of numbers, or lists of them, in the shape that the model takes."""

    inputs: list[Any]


def app(
    fenced: Fenced,
    shape: tuple[int, ...],
    names: Sequence[str] | None = None,
    wait: float = WAIT,
) -> FastAPI:
    """The service: `POST /answer` gives the probabilities of all classes for each input.

    `shape` is that of one input: copies need not tell it, and inputs of several shapes cannot be
    answered together.
    """
    estimator, queue = as_estimator(fenced, names), asyncio.Queue[Waiting]()

    @asynccontextmanager
    async def answering(_app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(batches(queue, estimator.predict_proba, wait))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    service = FastAPI(title="a fenced classifier", lifespan=answering)
    service.add_exception_handler(RequestValidationError, misunderstood)

    @service.post("/answer")
    async def answer(question: Question) -> dict[str, list[Any]]:
        future = asyncio.get_running_loop().create_future()
        try:
            queue.put_nowait((array(question.inputs, shape), future))
            found = await future
        except NonmemberError as error:
            raise HTTPException(status_code=422, detail=str(error)) from None
        except StoppedError:
            raise HTTPException(status_code=503, detail="stopping; ask again later") from None
        return {"classes": estimator.classes_.tolist(), "probabilities": found.tolist()}

    return service


async def misunderstood(_request: Request, _error: Exception) -> JSONResponse:
    """One sentence; by default all that was sent would be sent back."""
    return JSONResponse({"detail": FORM}, status_code=422)


def array(inputs: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """The inputs as an array, if they are numbers in the shape that the model takes."""
    if not 1 <= len(inputs) <= MOST:
        raise DataError(f"{len(inputs)} inputs; give 1 to {MOST} in one question")
    try:
        given = np.array(inputs)
    except (ValueError, TypeError, OverflowError):  # lists of several lengths, huge numbers
        given = np.array(None)
    if given.dtype.kind not in "iuf" or given.shape[1:] != shape:
        raise DataError(f"inputs of another form; give lists of numbers in shape (any, *{shape})")
    with np.errstate(over="ignore"):
        found = given.astype(np.float32)
    if not np.isfinite(found).all():
        raise DataError("inputs with numbers that are not finite; leave those inputs out")
    return found


def shape_of(copies: Copies) -> tuple[int, ...]:
    """The shape of one input, which the copies of a fence that was loaded tell."""
    if not isinstance(copies, Fresh):
        raise ModelError("copies that do not tell the shape of inputs; give it to app")
    return copies.diffusion.shape


async def batches(queue: "asyncio.Queue[Waiting]", answer: Answer, wait: float) -> None:
    """Answer what waits, as much at once as arrives in a moment; in the end, that it stops."""
    together: list[Waiting] = []
    try:
        while True:
            together = [await queue.get()]
            await asyncio.sleep(wait)
            while not queue.empty() and sum(len(rows) for rows, _ in together) < MOST:
                together.append(queue.get_nowait())
            if not await answered(together, answer):
                for one in together:  # so that nobody fails for another's question
                    await answered([one], answer)
    finally:
        left = [queue.get_nowait() for _ in range(queue.qsize())]
        for _, future in (*together, *left):
            if not future.done():
                future.set_exception(StoppedError())


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
    fence = load(folder)
    uvicorn.run(app(fence, shape_of(fence.copies), class_names(folder)), port=port)
