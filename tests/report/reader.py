"""Reads a page back as a browser would, to say what is on it."""

import re
from html.parser import HTMLParser

from nonmember.report import scripts

VOID = {"meta", "img", "br", "link", "input"}


class Reader(HTMLParser):
    """What a browser would build: elements, text per table row, and whether tags match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]
        self.rows += [""] if tag == "tr" else []

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        if "script" in self.open:
            self.scripts.append((self.elements[-1][1], data))
            return
        self.text.append(data)
        if "tr" in self.open:
            self.rows[-1] += f" {data}"

    def tags(self) -> set[str]:
        """The kinds of elements; ``script`` only if one runs that is not the page's own."""
        own = {str(scripts.library()), str(scripts.own())}
        data = {"type": "application/json"}
        runs = any(text not in own and attributes != data for attributes, text in self.scripts)
        found = {tag for tag, _ in self.elements if tag != "script"}
        return found | {"script"} if runs else found


def prose(text: str) -> str:
    return " ".join(text.split())


def shown(page: str) -> str:
    return prose(" ".join(Reader(page).text))


def section(page: str, title: str) -> str:
    """The part of one target; ``title`` is its heading."""
    return next(
        part
        for part in re.findall(r'<section class="target".*?</section>', page, re.DOTALL)
        if f"<h2>{title} " in part
    )
