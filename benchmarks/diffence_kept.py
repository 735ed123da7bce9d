"""Figures of the study of Diffence on disk: by part, each row as soon as it is there."""

import json
import re
from collections.abc import Mapping
from typing import Any

from machine import RESULTS, description

PATH = RESULTS / "diffence.json"
LIST = re.compile(r"\[[^\[\]{}\"]*\]")  # of numbers


def everything() -> dict[str, Any]:
    """What was measured, by part."""
    return json.loads(PATH.read_text()) if PATH.exists() else {}


def put(part: str, found: Mapping[str, Any]) -> None:
    """Put some figures of a part beside those that are there."""
    held = everything()
    had = held.get(part, {})
    rows = {**had.get("targets", {}), **found.get("targets", {})}
    held[part] = {**had, **found, "machine": description()}
    if rows:
        held[part]["targets"] = rows
    PATH.parent.mkdir(exist_ok=True)
    fresh = PATH.with_suffix(".new")
    fresh.write_text(LIST.sub(_flat, json.dumps(held, indent=1)) + "\n")
    fresh.replace(PATH)


def _flat(found: re.Match[str]) -> str:
    """A list of numbers on one line."""
    return re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]")
