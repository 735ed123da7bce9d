"""One request for completions, and its answer as typed values."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx2
from pydantic import BaseModel, Field, ValidationError

from nonmember.errors import ModelError
from nonmember.models.endpoint.client import Client

Prompt = list[int] | str
Checked = TypeVar("Checked", bound=BaseModel)


class Likelihood(BaseModel):
    """One token at one position, as vLLM gives it; the likeliest has rank 1."""

    logprob: float | None = None
    rank: int | None = None
    decoded_token: str | None = None


class Spelled(BaseModel):
    """One written token, as llama.cpp gives it."""

    id: int | None = None
    token: str = ""


class Logprobs(BaseModel):
    """Log-probabilities by position, as OpenAI gave them first; ``content`` as it does now."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float | None] | None] | None = None
    content: list[Spelled] | None = None


class Choice(BaseModel):
    """What the model wrote after one prompt, and what is said of the prompt itself."""

    text: str
    index: int = 0
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    prompt_logprobs: list[dict[int, Likelihood] | None] | None = None
    token_ids: list[int] | None = None


class Usage(BaseModel):
    """How many tokens the server counted."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Completion(BaseModel):
    """The answer to one request."""

    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None


def complete(
    client: Client, tokenizer: Any, prompts: Sequence[Prompt], settings: Mapping[str, Any]
) -> Completion:
    """What the server's model writes after each prompt, one choice each, in their order.

    Raises:
        RefusedError: the server does not take these settings, or prompts of this form.
        ModelError: it cannot be asked, or its answer cannot be read.
    """
    several = len(prompts) > 1
    body = {"model": client.service.model, "prompt": prompts if several else prompts[0]}
    answer = client.post(
        "/completions",
        {**body, **settings},
        lambda: (one if isinstance(one, str) else tokenizer.decode(one) for one in prompts),
    )
    found = checked(client, Completion, answer)
    choices = sorted(found.choices, key=lambda choice: choice.index)
    if len(choices) != len(prompts) or len({choice.index for choice in choices}) != len(prompts):
        raise ModelError(
            f"{client.service.url}: {len(found.choices)} answers to {len(prompts)} prompts; "
            "give an endpoint that answers each prompt once"
        )
    return found.model_copy(update={"choices": choices})


def checked(client: Client, form: type[Checked], answer: httpx2.Response) -> Checked:
    """The answer as a ``form``.

    Raises:
        ModelError: it is no JSON, or of another form; the message says where, not what.
    """
    try:
        return form.model_validate_json(answer.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # Deeper down, a place may be named by a token.
        place = ".".join(str(part) for part in first["loc"][:4]) or "the answer"
        raise ModelError(
            f"{client.service.url}: cannot be understood: {place}: {first['msg'].lower()}; give "
            "the address of an OpenAI-compatible API"
        ) from None
