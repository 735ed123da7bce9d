"""One question to a model that chats, and its answer as typed values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from pydantic import BaseModel

from nonmember.errors import ModelError
from nonmember.models.endpoint.client import Client, GivenUpError, RefusedError
from nonmember.models.endpoint.completions import Usage, checked

PROBE = "Say yes."  # is put before anything private is, to learn what a request may say
PROBED = 16  # tokens that may be written after it: some servers refuse fewer

Manner = tuple[str, ...]
MANNERS: tuple[Manner, ...] = (
    ("max_tokens", "temperature", "seed"),
    ("max_completion_tokens", "temperature", "seed"),  # OpenAI's models that think
    ("max_tokens", "temperature", "random_seed"),  # Mistral
    ("max_tokens", "temperature"),
)
"""Settings that a request may hold, the way of most servers first."""


class Message(BaseModel):
    """What the model says; a refusal may stand by itself."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """One answer, and why it ends where it does."""

    message: Message
    finish_reason: str | None = None


class Chat(BaseModel):
    """The answer to one request."""

    choices: list[Choice] | None = None
    usage: Usage | None = None


@dataclass(frozen=True)
class Line:
    """A connection to a model that chats, and what its requests may say."""

    client: Client
    manner: Manner

    def until(self, stop: Event) -> "Line":
        """The same line, over which nothing more is asked once ``stop`` is set."""
        return replace(self, client=self.client.until(stop))

    def ask(self, question: str, *, most: int, temperature: float, seed: int) -> Chat:
        """What the model answers to a question that stands alone.

        Args:
            question: all that it is told.
            most: tokens of the answer.
            temperature: divides the logits.
            seed: sent where the server takes one, 0 to 2 ** 31 - 1.

        Raises:
            RefusedError: the server does not take this question.
            GivenUpError: it fails at every try, or its answer cannot be read.
            ModelError: it cannot be asked.
        """
        return _asked(self.client, question, _settings(self.manner, most, temperature, seed))


def dial(client: Client, temperature: float) -> Line:
    """Learn what a request may say, by a question that is no secret.

    Raises:
        ModelError: the server cannot be asked, or refuses every form of request.
    """
    refusal: RefusedError | None = None
    for manner in MANNERS:
        try:
            _asked(client, PROBE, _settings(manner, PROBED, temperature, 0))
        except RefusedError as error:
            refusal = refusal or error
        else:
            return Line(client, manner)
    assert refusal is not None  # there is at least one to try
    raise refusal


def _settings(manner: Manner, most: int, temperature: float, seed: int) -> dict[str, Any]:
    values = {"temperature": float(temperature), "seed": seed, "random_seed": seed}
    return {name: values.get(name, most) for name in manner}


def _asked(client: Client, question: str, settings: Mapping[str, Any]) -> Chat:
    turns = [{"role": "user", "content": question}]
    body = {"model": client.service.model, "messages": turns, **settings}
    answer = client.post("/chat/completions", body, lambda: [question])
    try:
        return checked(client, Chat, answer)
    except ModelError as error:
        raise GivenUpError(str(error)) from None
