"""One row of a data file with another content in it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from nonmember.data.records import Completion, Content, Message
from nonmember.errors import DataError

Contents: TypeAlias = Mapping[int, Content | None]
"""What takes a record's place, by its position from 0 in reading order; None: nothing does."""


def with_content(row: Mapping[str, Any], fields: Sequence[str], content: Content) -> dict[str, Any]:
    """The row with ``content`` where its content stands; every other value is kept.

    Of a chat, each turn keeps what it has besides a role and a content; a chat that is a string
    of JSON stays one.

    Args:
        row: the values of a record by field.
        fields: where the content stands: one field, or `prompt` and `completion`.
        content: of the same kind as the one that was read from there.

    Raises:
        DataError: it is of another kind, or a chat of more or fewer turns.
    """
    if isinstance(content, Completion):
        if set(fields) == {"prompt", "completion"}:
            return {**row, "prompt": content.prompt, "completion": content.completion}
        raise _unlike(fields)
    if len(fields) > 1:
        raise _unlike(fields)
    return {**row, fields[0]: _value(row[fields[0]], fields, content)}


def json_like(value: object, like: str) -> str:
    """The value as JSON; characters beyond ASCII are escaped if none stands in ``like``."""
    return json.dumps(value, ensure_ascii=like.isascii())


def _value(old: Any, fields: Sequence[str], content: str | tuple[Message, ...]) -> Any:
    as_json = fields[0] == "messages" and isinstance(old, str)
    if isinstance(content, str):
        if isinstance(old, str) and not as_json:
            return content
        raise _unlike(fields)
    turns = json.loads(old) if as_json else old
    if not isinstance(turns, list) or len(turns) != len(content):
        raise _unlike(fields)
    new = [{**turn, **said._asdict()} for turn, said in zip(turns, content, strict=True)]
    if new == turns:
        return old
    return json_like(new, old) if as_json else new


def _unlike(fields: Sequence[str]) -> DataError:
    where = " and ".join(f"`{field}`" for field in fields)
    return DataError(
        f"{where}: the new content is of another kind or length than the old; give a text for "
        "a text, a completion for a completion, and a chat of as many turns for a chat"
    )
