"""A chat as its model meets it: one string, and where in it the assistant speaks."""

import re
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from nonmember.data.records import Message
from nonmember.errors import DataError, ModelError

MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")

PINNED = {
    # Templates of the Llama 3 family write the date of the day unless they are given one; this
    # is the one that they fall back on where there is no clock.
    "date_string": "26 Jul 2024",
    # In the place of the clock: a template that calls it all the same raises the error below.
    "strftime_now": 0.0,
}
CALLED = "'float' object is not callable"

Spans: TypeAlias = tuple[tuple[int, int], ...]


class Rendered(NamedTuple):
    """A chat as one string, and where in it the assistant speaks.

    ``marks`` are the tokens that the template itself marks as the assistant's, if it marks
    any; else each answer goes from its header to the end of the turn, closing mark included.
    """

    string: str
    spans: Spans
    marks: tuple[bool, ...] | None


def render(tokenizer: Any, where: str, messages: tuple[Message, ...]) -> Rendered:
    """The chat as the tokenizer's chat template has it.

    Raises:
        DataError: a chat that the chat template cannot hold.
        ModelError: the tokenizer has no chat template, or one that writes today's date.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"{where}: a chat, but the model's tokenizer has no chat template; give texts"
        )
    try:
        whole = _prefix(tokenizer, messages, len(messages))
        if MARKED.search(tokenizer.get_chat_template()):
            return Rendered(whole, *_marked(tokenizer, messages))
        answers = [
            (_prefix(tokenizer, messages, i, prompt=True), _prefix(tokenizer, messages, i + 1))
            for i, message in enumerate(messages)
            if message.role == "assistant"
        ]
    except Exception as error:
        raise _refusal(where, error) from None
    if not all(whole.startswith(before) and whole.startswith(after) for before, after in answers):
        raise DataError(
            f"{where}: the chat template rewrites earlier turns, so that the trained tokens cannot "
            "be told; give chats of one exchange"
        )
    return Rendered(whole, tuple((len(before), len(after)) for before, after in answers), None)


def opening(tokenizer: Any, where: str, question: str) -> str:
    """A chat of one question up to where the assistant answers it.

    Raises:
        DataError: the chat template refuses a chat of one question.
        ModelError: the tokenizer has no chat template, or one that writes today's date.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"{where}: its tokenizer has no chat template, so that it can be asked nothing; give "
            "a model that was trained to follow instructions"
        )
    try:
        return _prefix(tokenizer, (Message("user", question),), 1, prompt=True)
    except Exception as error:
        raise _refusal(where, error) from None


def _refusal(where: str, error: Exception) -> DataError | ModelError:
    """The sentence for a template's error, whose own words may quote the chat."""
    if isinstance(error, TypeError) and str(error) == CALLED:
        return ModelError(
            f"{where}: the chat template writes today's date, so that the tokens would change from "
            "day to day; replace strftime_now in the template by a fixed date"
        )
    kind = type(error).__name__
    return DataError(f"{where}: the chat template refuses this chat ({kind}); mend its roles")


def _marked(tokenizer: Any, messages: tuple[Message, ...]) -> tuple[Spans, tuple[bool, ...]]:
    """Where the runs of tokens stand that the template marks, and these marks."""
    found = tokenizer.apply_chat_template(
        [message._asdict() for message in messages],
        **PINNED,
        return_dict=True,
        return_assistant_tokens_mask=True,
        tokenizer_kwargs={"return_offsets_mapping": True, "verbose": False},
    )
    tokens = zip(found["assistant_masks"], found["offset_mapping"], strict=True)
    runs = [list(run) for marked, run in groupby(tokens, key=lambda token: token[0]) if marked]
    spans = tuple((run[0][1][0], run[-1][1][1]) for run in runs)
    return spans, tuple(map(bool, found["assistant_masks"]))


def _prefix(
    tokenizer: Any, messages: tuple[Message, ...], count: int, *, prompt: bool = False
) -> str:
    """The first ``count`` turns as one string, the header of an answer after them if ``prompt``."""
    if count == 0:  # templates refuse it; the header that stands after a turn stands before it too
        turn, longer = (_prefix(tokenizer, messages, 1, prompt=more) for more in (False, True))
        header = longer.removeprefix(turn)
        return turn[: turn.find(header) + len(header)] if header in turn else ""
    turns = [message._asdict() for message in messages[:count]]
    settings = {"tokenize": False, "add_generation_prompt": prompt}
    return str(tokenizer.apply_chat_template(turns, **PINNED, **settings))
