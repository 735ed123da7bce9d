"""The JSON schema of ``results.json``, made from the records themselves."""

from typing import Any

from nonmember.audit import records

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["-Infinity", "Infinity", "NaN"]}]}


def schema() -> dict[str, Any]:
    """What every ``results.json`` of this version is like, as JSON Schema 2020-12.

    Its ``properties.schema.const`` is the version. What is not finite is a string, since JSON
    has no number for it.
    """
    made = records.ADAPTER.json_schema(mode="serialization")
    made["properties"]["schema"] = {"const": records.SCHEMA}
    return {
        "$schema": DIALECT,
        "$id": f"urn:nonmember:results:{records.SCHEMA}",
        **_with_infinities(made),
    }


def _with_infinities(part: Any) -> Any:
    """The same schema, in which a number may be infinite."""
    if isinstance(part, list):
        return [_with_infinities(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("type") == "number":
        return {name: value for name, value in part.items() if name != "type"} | NUMBER
    return {name: _with_infinities(value) for name, value in part.items()}
