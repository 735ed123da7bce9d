"""What a server says of the model it serves, and what names it in cache addresses."""

import json
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from pydantic import BaseModel

from nonmember.models.endpoint.client import Client, RefusedError
from nonmember.models.endpoint.completions import checked
from nonmember.models.endpoint.service import Service
from nonmember.models.source import digest

HOUR = 3600


class Card(BaseModel):
    """One entry of GET /models; how long a text may be goes by three names."""

    id: str
    created: int | None = None
    root: str | None = None
    parent: str | None = None
    meta: dict[str, Any] | None = None
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None

    @property
    def context(self) -> int | None:
        """Tokens that a prompt may have, beside the one that must be written after it."""
        length = self.max_model_len or self.context_length or self.context_window
        return None if length is None else length - 1


class Cards(BaseModel):
    """The answer of GET /models."""

    data: list[Card]


def identity(service: Service) -> str:
    """What tells this model from others in a cache: address, name, and what the server says.

    Servers can replace the model under a name; this shows where they say so, by the time of
    its creation or the folder it was read from.

    Raises:
        ModelError: the server cannot be asked.
    """
    client = Client(service)
    try:
        card = read_card(client)
    finally:
        client.close()
    told = {} if card is None else card.model_dump(include={"id", "created", "root", "parent"})
    size = None if card is None else card.meta
    return digest(service.root, service.model, json.dumps([told, size], sort_keys=True))


def read_card(client: Client) -> Card | None:
    """What the server says of the model; None where it lists none, or not this one.

    Raises:
        ModelError: it cannot be asked, or its list cannot be read.
    """
    try:
        answer = client.get("/models")
    except RefusedError:
        return None
    cards = checked(client, Cards, answer).data
    card = next((one for one in cards if one.id == client.service.model), None)
    if card is None or card.created is None:
        return card
    # vLLM and llama.cpp give the time of the question, which tells nothing of the model.
    asked = _seconds(answer.headers.get("date", ""))
    return card.model_copy(update={"created": None}) if asked - card.created < HOUR else card


def _seconds(date: str) -> float:
    """A Date header in seconds since 1970; the time here, if there is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return time()
