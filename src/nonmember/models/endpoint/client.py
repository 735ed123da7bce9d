"""HTTP with one server: at the pace it bears, again where that may help, else one sentence."""

import re
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import Event, Lock
from typing import Any

import httpx2

from nonmember.errors import ModelError
from nonmember.models.endpoint.service import KEY, Service, bearer, local
from nonmember.seeds import generator

TRIES = 5  # of a request that fails for no fault of its own
TIMEOUT = 120.0  # seconds without a sign of the server after which a request has failed
CONNECT = 10.0  # the same before there is a connection
BACKOFF = 0.5  # seconds before the second try, doubled before each further one
LONGEST = 30.0  # seconds between two tries, unless the server itself asks for more
PATIENCE = 120.0  # seconds that a server may ask for
QUOTED = 200  # characters of a server's message that are passed on
SHINGLE = 12  # letters in a row that a message may share with a text by chance

SLOWER = "lower --per-second (in a spec: endpoint.per_second or endpoint.at_once)"
ADVICE = {
    401: f"set {KEY} to a key that it accepts",
    403: f"set {KEY} to a key that may use this model",
    404: "check the address, which mostly ends in /v1, and the model's name there (--served)",
    429: SLOWER,
}
AGAIN = (408, 409, 425, 429)  # and whatever is the server's own failure
UNREACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)


class RefusedError(ModelError):
    """The server answered that it does not do what the request asks for."""


class GivenUpError(ModelError):
    """The server can be reached, but this request failed or timed out at every try."""


class TimedOutError(GivenUpError):
    """What failed at every try is that the server did not answer in time."""


class Pace:
    """Lets threads through one after another, so many a second."""

    def __init__(self, per_second: float | None) -> None:
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = 0.0
        self._lock = Lock()

    def wait(self, stop: Event) -> None:
        """Sleep until this thread's turn, or until ``stop``."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._gap if self._gap else self._next
        stop.wait(max(0.0, turn - time.monotonic()))

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Client:
    """A connection to a service, used by many threads.

    A request has failed after ``timeout`` seconds without a sign of the server, and for good
    after ``tries`` failures.
    """

    def __init__(
        self, service: Service, *, timeout: float | None = None, tries: int | None = None
    ) -> None:
        self.service = service
        self._tries = TRIES if tries is None else tries
        self._key = bearer(service)
        self._pace = Pace(service.per_second)
        self._draw = generator(0, service.url, "retries")
        self._lock = Lock()
        self._stop = Event()
        self._http = httpx2.Client(
            headers={} if self._key is None else {"Authorization": f"Bearer {self._key}"},
            timeout=httpx2.Timeout(TIMEOUT if timeout is None else timeout, connect=CONNECT),
            limits=httpx2.Limits(max_connections=service.at_once),
            trust_env=not local(service.url),  # no proxy sees what is said within this machine
        )
        self.close = weakref.finalize(self, self._http.close)

    def until(self, stop: Event) -> "Client":
        """The same connection, over which no request is begun once ``stop`` is set."""
        other = copy(self)
        other._stop = stop
        return other

    def get(self, path: str) -> httpx2.Response:
        """The JSON at ``path``.

        Raises:
            RefusedError: the server has nothing there.
            ModelError: it cannot be reached, or answers no JSON.
        """
        return self._send("GET", path, None, tuple)

    def post(
        self, path: str, body: Mapping[str, Any], private: Callable[[], Iterable[str]]
    ) -> httpx2.Response:
        """What the server answers to ``body``; ``private`` says what no message may quote.

        Raises:
            RefusedError: the server does not take this body.
            GivenUpError: it fails at every try.
            ModelError: it cannot be reached, or answers no JSON; or the request was stopped
                before it was answered.
        """
        return self._send("POST", path, body, private)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        private: Callable[[], Iterable[str]],
    ) -> httpx2.Response:
        failure: ModelError | None = None
        for number in range(self._tries):
            if number:
                self._back_off(number)
            self._pace.wait(self._stop)
            if self._stop.is_set():
                break
            try:
                answer = self._http.request(method, self.service.root + path, json=body)
            except httpx2.RequestError as error:
                failure = self._unreached(error)
                continue
            if answer.status_code < 500 and answer.status_code not in AGAIN:
                return self._checked(answer, private)
            failure = self._failed(answer, private)
            self._hold(answer)
        raise failure or ModelError(f"{self.service.url}: interrupted; run the audit again")

    def _back_off(self, number: int) -> None:
        with self._lock:
            jitter = float(self._draw.uniform(0.5, 1.0))
        self._stop.wait(jitter * min(LONGEST, BACKOFF * 2 ** (number - 1)))

    def _hold(self, answer: httpx2.Response) -> None:
        """Wait as long as the server asks for, all threads alike."""
        asked = _retry_after(answer.headers.get("retry-after", ""))
        if asked > PATIENCE:
            raise ModelError(
                f"{self.service.url}: wants no request for {asked:.0f} seconds "
                f"({answer.status_code}); ask again after that, or {SLOWER}"
            )
        self._pace.hold(asked)

    def _checked(
        self, answer: httpx2.Response, private: Callable[[], Iterable[str]]
    ) -> httpx2.Response:
        if answer.status_code >= 400:
            raise self._failed(answer, private)
        kind = answer.headers.get("content-type", "nothing").split(";")[0].strip()
        if answer.status_code >= 300 or "json" not in kind:
            what = f"redirects ({answer.status_code})" if answer.is_redirect else f"answers {kind}"
            raise ModelError(
                f"{self.service.url}: {self._quoted(what, ())} instead of JSON; give the address "
                "of the API itself, which mostly ends in /v1"
            )
        return answer

    def _unreached(self, error: httpx2.RequestError) -> ModelError:
        said = self._quoted(str(error) or type(error).__name__, ())
        kind: type[ModelError] = ModelError if isinstance(error, UNREACHED) else GivenUpError
        if kind is GivenUpError and isinstance(error, httpx2.TimeoutException):
            kind = TimedOutError
        return kind(
            f"{self.service.url}: no answer after {self._tries} tries ({said}); start the "
            "server, or check the address and the network"
        )

    def _failed(self, answer: httpx2.Response, private: Callable[[], Iterable[str]]) -> ModelError:
        code = answer.status_code
        said = self._quoted(_message(answer), private())
        reason = f"{code}: {said}" if said else f"{code}"
        if code >= 500:
            advice = "look into the server's log, or ask again later"
        else:
            advice = ADVICE.get(code, "give a model and settings that this server takes")
        # A server that fails at a request of one form each time may yet answer another form.
        kind: type[ModelError] = ModelError if code in ADVICE else RefusedError
        if code > 501 or code in AGAIN:
            kind = GivenUpError
        return kind(f"{self.service.url}: refuses a request ({reason}); {advice}")

    def _quoted(self, message: str, private: Iterable[str]) -> str:
        """As much of ``message`` as fits a sentence, without the key and what is private."""
        if self._key is not None:
            message = message.replace(self._key, "[key]")
        message = re.sub(r"\d+(\s*,\s*\d+){2,}", "...", message)
        if any(_quotes(message, text) for text in private):
            return "its message quotes the text, and is left out here"
        clean = "".join(letter if letter.isprintable() else " " for letter in message)
        return " ".join(clean.split())[:QUOTED]


def _message(answer: httpx2.Response) -> str:
    """What a failed request's answer says, wherever servers put it; else the status in words."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        found = None
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    if isinstance(found, str):
        return found
    codes = {status.value: status.phrase for status in HTTPStatus}
    return codes.get(answer.status_code, "")


def _quotes(message: str, text: str) -> bool:
    """Whether the message repeats a stretch of the text, however it is spaced or escaped."""
    message = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), message)
    message = re.sub(r"\\.|\u0120", "", message)  # the latter is a space inside tokenizers
    said, secret = (
        "".join(letter for letter in one.lower() if letter.isalnum()) for one in (message, text)
    )
    width = min(SHINGLE, len(secret))
    stretches = (said[start : start + width] for start in range(len(said) - width + 1))
    return width > 2 and any(stretch in secret for stretch in stretches)


def _retry_after(header: str) -> float:
    """Seconds that a Retry-After header asks for: a number, or a date; 0 if it says nothing."""
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    now = datetime.now(then.tzinfo or UTC)
    return max(0.0, (then.replace(tzinfo=now.tzinfo) - now).total_seconds())
