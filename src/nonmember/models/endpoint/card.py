"""What a server says of the model it serves, and what names it in cache addresses."""

import json
from typing import Any

from pydantic import BaseModel

from nonmember.models.endpoint.client import Client, RefusedError
from nonmember.models.endpoint.completions import checked
from nonmember.models.endpoint.manner import Manner
from nonmember.models.endpoint.service import Service
from nonmember.models.source import digest

SHAPE = ("vocab_type", "n_vocab", "n_ctx_train", "n_embd", "n_params", "size", "ftype")
"""What llama.cpp says of a model that stays the same from one start to the next."""


class Card(BaseModel):
    """One entry of GET /models; how long a text may be goes by three names."""

    id: str
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


def identity(service: Service, card: Card | None, manner: Manner) -> str:
    """What tells this model from others in a cache: its place, its card, how it is asked.

    Servers can replace the model under a name; this shows where they say so, by the folder
    it was read from, its size or its context. The time of its creation says nothing: many
    servers give that of the question or of their own start, with which it would change.
    """
    way = manner.way
    asked = None if way is None else [way.read.__name__, dict(way.settings)]
    told = None if card is None else [card.root, card.parent, card.context, _shape(card)]
    whole = [service.root, service.model, told, asked, manner.gives, manner.extras]
    return digest(json.dumps(whole, sort_keys=True))


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
    return next((one for one in cards if one.id == client.service.model), None)


def _shape(card: Card) -> dict[str, Any]:
    return {name: value for name, value in (card.meta or {}).items() if name in SHAPE}
