"""The example of serving a fence, asked over HTTP on this machine."""

import asyncio
import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import uvicorn
from models.diffusion.small import gaussian

from nonmember.data.examples import of
from nonmember.defenses.classifier.diffence import diffence
from nonmember.errors import ModelError
from nonmember.models.diffusion import Regeneration, fresh
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.fenced import Fenced
from nonmember.models.fence.module import as_estimator

EXAMPLE = Path(__file__).parents[1] / "examples" / "serve_fenced.py"
SECRET = b"s" * 32
NAMES = ["ash", "elm", "oak"]


@dataclass
class Summing:
    """Classifies by the sums of three columns, and counts how often it is asked."""

    classes: int = 3
    asked: list[int] = field(default_factory=list)

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        self.asked.append(len(inputs))
        return (8 * inputs.reshape(-1, 3, 4).sum(axis=2)).astype(np.float32)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def example() -> Any:
    made = importlib.util.spec_from_file_location("serve_fenced", EXAMPLE)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fenced() -> Fenced:
    sides = [of(images(60, seed), np.arange(60) % 3) for seed in (1, 2, 3)]
    copies = fresh(gaussian(), Regeneration(n=3), SECRET)
    return diffence(Summing(), Calibration(*sides, SECRET), copies)


@pytest.fixture(scope="module")
def address(example: Any, fenced: Fenced) -> Iterator[str]:
    made = example.app(fenced, example.shape_of(fenced.copies), NAMES, wait=0.2)
    server = uvicorn.Server(uvicorn.Config(made, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/answer"
    server.should_exit = True
    thread.join()


def ask(address: str, inputs: Any) -> tuple[int, dict[str, Any]]:
    return post(address, json.dumps({"inputs": inputs}).encode())


def post(address: str, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(Request(address, body, {"content-type": "application/json"})) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_it_answers_as_the_fence_does(address: str, fenced: Fenced) -> None:
    inputs = images(4)
    status, found = ask(address, inputs.tolist())
    assert (status, found["classes"]) == (200, NAMES)
    expected = as_estimator(fenced).predict_proba(inputs)
    np.testing.assert_array_equal(found["probabilities"], expected)


def test_questions_that_arrive_together_are_answered_together(address: str, fenced: Fenced) -> None:
    inputs = images(8, seed=7)
    fenced.classifier.asked.clear()
    with ThreadPoolExecutor(8) as crowd:
        found = [*crowd.map(lambda row: ask(address, [row.tolist()])[1], inputs)]
    # Each batch asks about the inputs, then about their copies.
    assert len(fenced.classifier.asked) <= 6 and max(fenced.classifier.asked) > 3
    together = [one["probabilities"][0] for one in found]
    np.testing.assert_array_equal(together, as_estimator(fenced).predict_proba(inputs))


def test_nobody_fails_for_anothers_question(address: str) -> None:
    good, far = images(3, seed=8), images(1, seed=9) + 5
    with ThreadPoolExecutor(4) as crowd:
        asked = [crowd.submit(ask, address, [row.tolist()]) for row in (*good, *far)]
        found = [one.result() for one in asked]
    assert [status for status, _ in found] == [200, 200, 200, 422]
    assert "hold values outside 0 to 1" in found[3][1]["detail"]


def filled(value: Any) -> list[Any]:
    """One input of the right shape."""
    return [[[value] * 4] * 3]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([], "0 inputs; give 1 to 256"),
        (filled(0.5) * 257, "257 inputs; give 1 to 256"),
        ([[1, 2, 3]], "another form"),
        ([[[0.5] * 4] * 2], "another form"),
        ([["a"]], "another form"),
        ([[1], [1, 2]], "another form"),
        ([{"a": 1}], "another form"),
        (filled({"a": 1}), "another form"),
        (filled("0.5"), "another form"),
        (filled(None), "another form"),
        (filled(10**400), "another form"),
        (filled(10**400) + filled(0.5), "another form"),
        (filled(1e300), "not finite"),
        (filled(float("nan")), "not finite"),
        (3, "no question; send"),
        (float("nan"), "no question; send"),
        ("\ud800", "no question; send"),
    ],
)
def test_a_question_of_no_use_is_refused(address: str, inputs: Any, words: str) -> None:
    status, found = ask(address, inputs)
    assert status == 422
    assert words in found["detail"]
    assert len(found["detail"]) < 100  # one sentence, and not what was sent


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"\xff", b'{"inputs": [[[%s]]]}' % (b"9" * 5000), b"[" * 100_000]
)
def test_a_body_that_is_no_question_is_refused(address: str, body: bytes) -> None:
    status, found = post(address, body)
    assert status in (400, 422)
    assert isinstance(found["detail"], str)


def test_as_many_inputs_as_may_be_are_answered(address: str) -> None:
    assert ask(address, images(256, seed=4).tolist())[0] == 200


def test_what_waits_when_the_service_stops_is_told_so(example: Any, fenced: Fenced) -> None:
    made = example.app(fenced, (3, 4), wait=30)
    routes = {route.path: route.endpoint for route in made.routes}
    question = example.Question(inputs=images(1).tolist())

    async def asked() -> list[Any]:
        async with made.router.lifespan_context(made):
            first = asyncio.create_task(routes["/answer"](question))
            await asyncio.sleep(0.01)  # it is in a batch by now, and the next one in the queue
            both = [first, asyncio.create_task(routes["/answer"](question))]
            await asyncio.sleep(0.01)
        assert asyncio.all_tasks() <= {asyncio.current_task(), *both}
        return await asyncio.gather(*both, return_exceptions=True)

    assert [(one.status_code, one.detail) for one in asyncio.run(asked())] == [
        (503, "stopping; ask again later")
    ] * 2


def test_copies_that_do_not_tell_their_shape_are_refused(example: Any) -> None:
    with pytest.raises(ModelError, match="give it to app"):
        example.shape_of(lambda inputs: inputs[:, None])


def test_the_secret_decides_the_answer(fenced: Fenced) -> None:
    other = replace(fenced, copies=replace(fenced.copies, secret=bytes(32)))
    assert (other.logits(images(9)) != fenced.logits(images(9))).any()
