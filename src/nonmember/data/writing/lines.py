"""JSONL and CSV: lines that do not change are the same bytes, those that do change in one place."""

import csv
import gzip
import io
import json
import lzma
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from nonmember.data.records import Content
from nonmember.data.rows import Fields, Wanted, lines_of, opened, parse, unlimited
from nonmember.data.writing.content import Contents, json_like, with_content

CELL = re.compile(r'(?:\A|,)("[^"]*(?:""[^"]*)*"|[^,\r\n]*)')
QUOTED = re.compile(r'[,"\r\n]|\A\Z')  # what must be in quotes: also nothing, or its line is blank
BLANK = " \t\r\n"


def write_jsonl(source: Path, target: Path, wanted: Wanted, contents: Contents) -> None:
    """Write the lines of ``source`` to ``target``, compressed alike."""
    _write(source, target, _jsonl(source, wanted, contents))


def write_csv(source: Path, target: Path, wanted: Wanted, contents: Contents) -> None:
    """Write the rows of ``source`` to ``target``."""
    _write(source, target, _csv(source, wanted, contents))


def _write(source: Path, target: Path, pieces: Iterator[str]) -> None:
    with opened(source) as stream:
        mark = stream.read(len(BOM_UTF8))
    with target.open("wb") as file, _compressed(file, source) as out:
        out.write(mark if mark == BOM_UTF8 else b"")
        for piece in pieces:
            out.write(piece.encode())


def _compressed(file: io.BufferedWriter, source: Path) -> io.BufferedIOBase:
    match source.suffix.lower():
        case ".gz":  # without name and time: the same records are the same bytes
            return gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
        case ".xz":
            return lzma.open(file, "wb")
        case _:
            return file


def _jsonl(source: Path, wanted: Wanted, contents: Contents) -> Iterator[str]:
    places = count()
    for number, line in lines_of(source):
        if not line.strip() or (place := next(places)) not in contents:
            yield line
        elif (content := contents[place]) is not None:
            yield _changed_object(line, f"{source}:{number}", wanted, content)


def _changed_object(line: str, where: str, wanted: Wanted, content: Content) -> str:
    row = parse(line, where, "put one JSON object on each line")
    fields = wanted.among(row.keys(), where)
    new = with_content(row, fields, content)
    changed = {field for field in fields if new[field] != row[field]}
    for key, start, end in reversed([*_members(line)]):
        if key in changed:  # also where a key is repeated: what is replaced must not stay
            line = line[:start] + json_like(new[key], line) + line[end:]
    return line


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """The keys of a JSON object, and from where to where the value of each stands."""
    decoder = json.JSONDecoder()
    place = _past(BLANK + "{", text, 0)
    while text[place] != "}":
        key, place = decoder.raw_decode(text, place)
        start = _past(BLANK + ":", text, place)
        _, end = decoder.raw_decode(text, start)
        yield key, start, end
        place = _past(BLANK + ",", text, end)


def _past(characters: str, text: str, place: int) -> int:
    while text[place] in characters:
        place += 1
    return place


def _csv(source: Path, wanted: Wanted, contents: Contents) -> Iterator[str]:
    names: list[str] = []
    places = count()
    for values, raw in _csv_rows(source):
        if not values or not names:
            names = names or values
            yield raw
        elif (place := next(places)) not in contents:
            yield raw
        elif (content := contents[place]) is not None:
            row = dict(zip(names, values, strict=True))
            yield _changed_row(raw, row, wanted.among(names, str(source)), content)


def _csv_rows(source: Path) -> Iterator[tuple[list[str], str]]:
    """Each row's values, and the text that they were read from; a blank line has no values."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for _, line in lines_of(source):
            taken.append(line)
            yield line

    reader = csv.reader(lines(), strict=True)
    while (values := unlimited(reader)) is not None:
        yield values, "".join(taken)
        taken.clear()


def _changed_row(raw: str, row: dict[str, str], fields: Fields, content: Content) -> str:
    new = with_content(row, fields, content)
    cells = zip(row, [cell.span(1) for cell in CELL.finditer(raw)], strict=True)
    for name, (start, end) in reversed([*cells]):
        if new[name] != row[name]:
            raw = raw[:start] + _cell(new[name], raw[start:end]) + raw[end:]
    return raw


def _cell(value: str, old: str) -> str:
    if old.startswith('"') or QUOTED.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value
