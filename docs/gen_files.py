"""What belongs to the site and lies outside of ``docs``: texts, examples and measurements.

Links to them are written as they hold in the repository, and point into the site here.
"""

import re
from pathlib import Path
from posixpath import join, normpath, relpath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
TEXTS = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
KEPT = ("benchmarks/results/*.json", "benchmarks/results/*.svg", "src/nonmember/*.toml")
"""What is in the site as it is in the repository."""
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the texts, a page for each example, and what is linked to."""
    for uri, name in TEXTS.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=_moved(text, "", uri)))
    for path in sorted((ROOT / "examples").glob("*.py")):
        files.append(File.generated(config, f"examples/{path.stem}.md", content=_example(path)))
    for path in sorted(one for pattern in KEPT for one in ROOT.glob(pattern)):
        uri = str(path.relative_to(ROOT))
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links out of ``docs`` point at the same file in the site; generated pages have none."""
    return markdown if page.file.generated_by else _moved(markdown, "docs", page.file.src_uri)


def _example(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return f"# {path.name}\n\n```python\n{text}```\n"


def _moved(text: str, folder: str, uri: str) -> str:
    """The text with the links of a file in ``folder`` of the repository as the site has them."""
    return LINK.sub(lambda found: _link(found, folder, uri), text)


def _link(found: re.Match[str], folder: str, uri: str) -> str:
    target, anchor = found[1], found[2] or ""
    place = normpath(join(folder, target))
    swapped = {name: page for page, name in TEXTS.items()} | {"README.md": "index.md"}
    if place.startswith("examples/") and place.endswith(".py"):
        place = place.removesuffix(".py") + ".md"
    place = swapped.get(place, place.removeprefix("docs/"))
    return f"]({relpath(place, str(Path(uri).parent))}{anchor})"
