"""How a server answers, found out by asking it about a sentence that is no secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nonmember.data.records import Record
from nonmember.errors import ModelError
from nonmember.models import text
from nonmember.models.endpoint.answers import (
    Asked,
    LackingError,
    Reader,
    Values,
    named_ids,
    read_echo,
    read_next,
    read_prompt_logprobs,
    written_ids,
)
from nonmember.models.endpoint.client import Client, RefusedError
from nonmember.models.endpoint.completions import Choice, Completion, complete
from nonmember.models.text import Encoded
from nonmember.types import LOGPROB_FLOOR, Access

SENTENCE = "The quick brown fox jumps over the lazy dog."
TOGETHER = 16  # prompts in one request, where a server takes several
ONE = {"max_tokens": 1}
# A server may set a model's own sampling habits where a request is silent; each would change
# the numbers.
PLAIN = {"temperature": 1.0, "top_p": 1.0}
GREEDY = {"temperature": 0.0}
UNBENT = {"repetition_penalty": 1.0}  # known to vLLM and its kin, refused by others
NAMED = {"return_tokens_as_token_ids": True}


@dataclass(frozen=True)
class Way:
    """One way to ask for statistics of tokens, and to read them."""

    access: Access
    read: Reader
    settings: Mapping[str, Any]


LADDER = (
    Way("logprobs", read_prompt_logprobs, {"prompt_logprobs": 1, **ONE, **PLAIN, **UNBENT}),
    Way("logprobs", read_echo, {"echo": True, "logprobs": 1, "max_tokens": 0, **PLAIN}),
    Way("logprobs", read_echo, {"echo": True, "logprobs": 1, **ONE, **PLAIN}),
    Way("label", read_next, {"logprobs": 1, **ONE, **GREEDY, **UNBENT, **NAMED}),
    Way("label", read_next, {"logprobs": 1, **ONE, **GREEDY}),
    Way("label", read_next, {**ONE, **GREEDY}),
)
"""What is tried, the best first. ``label`` costs a prompt per scored token."""

EXTRAS: tuple[tuple[str, ...], ...] = (
    ("top_k", "seed", "repetition_penalty", "return_token_ids"),
    ("top_k", "seed"),
    ("seed",),
    (),
)
"""What a request to write may say beyond OpenAI's own settings, the most first."""


@dataclass(frozen=True)
class Manner:
    """How a server answers.

    ``way`` is how it is asked for statistics, None if it gives none; ``gives`` names those.
    ``together`` is how many prompts one request may hold. ``extras`` are settings that it
    takes when it writes; where ``top_k`` is not among them, it draws from all tokens.
    """

    way: Way | None
    gives: tuple[str, ...]
    together: int
    extras: tuple[str, ...]

    @property
    def access(self) -> Access:
        """The most that it answers."""
        return "text" if self.way is None else self.way.access


def find(client: Client, tokenizer: Any) -> Manner:
    """Ask the server in one way after another, and once for two prompts together.

    Raises:
        ModelError: it answers in none, it leaves something out, or its tokenizer is another.
    """
    one = text.encode(tokenizer, [Record("probe", SENTENCE)], text.Form(len(SENTENCE) + 2))[0]
    for way in LADDER:
        values = _tried(client, tokenizer, way, one)
        if values is not None:
            together = TOGETHER if _takes_two(client, tokenizer, way, one) else 1
            extras = _extras(client, tokenizer, one.ids.tolist())
            return Manner(way, tuple(values), together, extras)
    return Manner(None, (), 1, _extras(client, tokenizer, SENTENCE))


def asked_of(way: Way, one: Encoded) -> list[Asked]:
    """What is put to the server: the scored tokens together, or for a ``label`` one by one."""
    places = np.flatnonzero(one.scored)
    more = way.settings["max_tokens"]
    if way.access != "label":
        return [Asked(one.ids, places, more)] if len(places) else []
    return [Asked(one.ids[: place + 1], np.array([place]), more) for place in places]


def sent(way: Way, asked: Asked) -> list[int]:
    """The tokens that are sent; the one to be guessed for a ``label`` is not."""
    return (asked.ids[:-1] if way.access == "label" else asked.ids).tolist()


def incomplete(client: Client, lacking: LackingError) -> ModelError:
    """The sentence for an answer of the right form with too little in it."""
    return ModelError(
        f"{client.service.url}: answers {lacking}; update the server, let it compute "
        "log-probabilities of prompts (vLLM: --max-logprobs above 0), or ask another"
    )


def _tried(client: Client, tokenizer: Any, way: Way, one: Encoded) -> Values | None:
    """What the sentence yields that way; None where the server does not answer in it."""
    asked = asked_of(way, one)[-1]
    try:
        answer = complete(client, tokenizer, [sent(way, asked)], way.settings)
        values = way.read(tokenizer, answer.choices[0], asked)
    except RefusedError:
        return None
    except LackingError as lacking:
        raise incomplete(client, lacking) from None
    if way.access == "label" and not _counted(answer, sent(way, asked)):
        return None
    if values and way.access == "label" and written_ids(answer.choices[0]) is None:
        values.pop("token_top_id", None)  # guessed from an end, and not known elsewhere
    if values is not None and way.access == "logprobs":
        _check_numbers(client, values["token_logprobs"])
        _check_spelling(client, tokenizer, answer.choices[0], one.ids.tolist())
    return values


def _counted(answer: Completion, prompt: list[int]) -> bool:
    """Whether the server, if it says so, saw as many tokens as were sent."""
    told = answer.usage.prompt_tokens if answer.usage else None
    return told in (None, len(prompt))


def _takes_two(client: Client, tokenizer: Any, way: Way, one: Encoded) -> bool:
    """Whether two prompts, of different lengths, may stand in one request."""
    shorter = replace(one, ids=one.ids[:-1], scored=one.scored[:-1])
    two = [asked_of(way, encoded)[-1] for encoded in (one, shorter)]
    try:
        answer = complete(client, tokenizer, [sent(way, asked) for asked in two], way.settings)
        pairs = zip(answer.choices, two, strict=True)
        return all(way.read(tokenizer, *pair) is not None for pair in pairs)
    except (ModelError, LackingError):
        return False


def _extras(client: Client, tokenizer: Any, prompt: list[int] | str) -> tuple[str, ...]:
    """The most settings that the server takes when it writes."""
    refusal: ModelError | None = None
    for extras in EXTRAS:
        settings = {**ONE, **PLAIN, **{name: value_of(name, 1, 0) for name in extras}}
        try:
            complete(client, tokenizer, [prompt], settings)
        except RefusedError as error:
            refusal = error
        else:
            return extras
    assert refusal is not None  # there is at least one to try
    raise refusal


def value_of(name: str, top_k: int, seed: int) -> Any:
    """What a setting is set to."""
    return {"top_k": top_k, "seed": seed, "repetition_penalty": 1.0, "return_token_ids": True}[name]


def _check_numbers(client: Client, logprobs: np.ndarray) -> None:
    """Refuse numbers that cannot come from a model: servers fill in what they do not compute."""
    if logprobs.max() > 1e-3 or logprobs.min() == logprobs.max() or logprobs.max() <= LOGPROB_FLOOR:
        raise ModelError(
            f"{client.service.url}: the log-probabilities of the tokens of {SENTENCE!r} are above "
            "0 or all alike; let the server compute them, or ask another"
        )


def _check_spelling(client: Client, tokenizer: Any, choice: Choice, ids: list[int]) -> None:
    """Refuse a tokenizer under which the server's model means other tokens by these ids."""
    tokens = _tokens(choice, ids)
    if not tokens:
        return
    numbers = named_ids(tokens)
    expected = tokenizer.decode(ids[1:], clean_up_tokenization_spaces=False)
    if numbers != ids[1:] and _bare("".join(tokens)) != _bare(expected):
        raise ModelError(
            f"{client.service.url}: its tokens for {SENTENCE!r} are not those of the tokenizer in "
            f"{client.service.tokenizer}; name the tokenizer of the model that it serves, and let "
            "it add no token"
        )


def _tokens(choice: Choice, ids: list[int]) -> list[str]:
    """How the server spells the tokens but the first, if it does."""
    if choice.prompt_logprobs:
        pairs = zip(choice.prompt_logprobs[1:], ids[1:], strict=True)
        found = [given[true].decoded_token for given, true in pairs if given]
        return [one for one in found if one] if None not in found else []
    given = choice.logprobs
    return given.tokens[1 : len(ids)] if given and given.tokens else []


def _bare(text: str) -> str:
    """Without spaces, and without what stands for one inside tokenizers."""
    return re.sub(r"[\s\u2581\u0120]", "", text)
