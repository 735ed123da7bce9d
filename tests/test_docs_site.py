"""The site: it builds without a warning, loads nothing from elsewhere, and leaves nothing out."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import nonmember as nm
from nonmember.attacks.registry import ATTACKS
from nonmember.audit import threat as _threat  # noqa: F401  (fills the catalogue)
from nonmember.defenses import every as _defenses  # noqa: F401  (fills the registry)
from nonmember.defenses.registry import DEFENSES
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.registry import REWRITERS
from nonmember.signals.catalogue import SIGNALS

ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
"""What a browser fetches by itself; where a reader may click is no request."""
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    calm = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder)], check=False, cwd=ROOT, env=calm, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    return folder


class Fetched(HTMLParser):
    """The addresses that a page has fetched, and whatever its styles name."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        styles = re.findall(r"url\(['\"]?([^'\")]+)", given.get("style") or "")
        found = given.get(LOADED.get(tag, ""))
        self.addresses += [*styles, *([found] if found else [])]


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 100
    for page in pages:
        fetched = Fetched(page).addresses
        assert fetched
        for address in fetched:
            assert not urlsplit(address).netloc, f"{page.relative_to(site)}: {address}"
            if address and not address.startswith("data:") and page.name != "404.html":
                assert (page.parent / unquote(urlsplit(address).path)).exists(), address
    for style in site.rglob("*.css"):
        named = re.findall(r"(?:url\(['\"]?|@import ['\"])(https?:[^'\")]+)", style.read_text())
        assert not named, style


def test_everything_registered_has_a_page_with_its_options_and_paper(site: Path) -> None:
    pages = {
        **{f"attacks/{one.family}/{one.name}": one for one in ATTACKS.values()},
        **{f"defenses/{one.family}/{one.name}": one for one in DEFENSES.values()},
        **{f"signals/{one.name}": one for one in SIGNALS.values()},
        **{f"rewriters/{one.name}": one for one in REWRITERS.values()},
    }
    for name, one in pages.items():
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        assert all(f"<code>{option}</code>" in page for option in one.options), name
        for paper in re.findall(r"arXiv:([\d.]+\d)", getattr(one, "paper", "")):
            assert f"https://arxiv.org/abs/{paper}" in page, name
        listed = (site / name.split("/")[0] / "index.html").read_text(encoding="utf-8")
        assert f"<code>{name.rsplit('/', 1)[1]}</code>" in listed, name


def test_the_number_of_attacks_that_is_told_is_that_of_the_registry() -> None:
    told = re.search(r"the (\d+) attacks", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert told is not None and int(told[1]) == len(ATTACKS)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_what_lies_outside_the_site_lead_somewhere(name: str) -> None:
    for target, anchor in LINK.findall((ROOT / name).read_text(encoding="utf-8")):
        place = ROOT / (target or name)
        assert place.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", place.read_text(encoding="utf-8"), re.M)
            assert anchor in {
                re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in heads
            }


def test_every_page_and_example_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n", 1)[1]
    pages = [path.name for path in (ROOT / "docs").glob("*.md")]
    pages += [f"examples/{path.stem}.md" for path in (ROOT / "examples").glob("*.py")]
    assert not [name for name in pages if not re.search(rf": {re.escape(name)}$", nav, re.M)]


def test_an_option_has_its_default_its_range_and_what_it_is(site: Path) -> None:
    page = (site / "attacks/language/min_k.html").read_text(encoding="utf-8")
    (row,) = re.findall(r"<tr>\s*<td><code>k</code></td>(.*?)</tr>", page, re.S)
    cells = re.findall(r"<td>(.*?)</td>", row, re.S)
    assert cells == [
        "<code>0.2</code>",
        "number, more than 0, at most 1",
        "share of tokens kept.",
    ]
    assert "min k keeps one token of a short text" in page


def test_a_deviation_that_a_document_tells_stands_on_its_attacks_page(site: Path) -> None:
    page = (site / "attacks/classifier/boundary.html").read_text(encoding="utf-8")
    assert 'id="deviations"' in page and "whose budget is spent" in page


def test_every_command_and_flag_is_in_the_reference(site: Path) -> None:
    page = (site / "commands.html").read_text(encoding="utf-8")
    for command in ("audit llm", "audit classifier", "protect", "gate", "list attacks", "demo"):
        assert f"<code>nonmember {command}</code>" in page, command
    for flag in ("--members", "--dry-run", "--fail-if", "--references", "--json"):
        assert f"<code>{flag}</code>" in page, flag


def test_every_public_name_is_in_the_reference_of_python(site: Path) -> None:
    page = (site / "python.html").read_text(encoding="utf-8")
    for name in nm.__all__:
        assert re.search(rf'<h2 id="nonmember\.[\w.]+\.{name}"', page), name


def test_every_finding_is_told(site: Path) -> None:
    page = (site / "findings.html").read_text(encoding="utf-8")
    told = set(re.findall(r"<td><code>(E\d{3})</code></td>", page))
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    assert set(re.findall(r'"(E1\d\d)"', source)) == told


def test_the_search_finds_an_attack(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    assert any(one["location"].startswith("attacks/language/wbc.html") for one in index["docs"])
