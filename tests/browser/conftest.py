"""One headless Chromium for all tests of a file; they fail where there is none."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Visit:
    """An open page, and what it complained of, asked for and popped up since it was opened."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """Note it and go on."""
        self.dialogs.append(dialog.message)
        dialog.dismiss()


Open = Callable[..., Visit]


def chromium() -> str:
    """The system's own: nothing is downloaded."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("no Chromium here to read the page with; apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a file, as its event loop must end before other tests; a context for each page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a page as in ``visit(html)``; more says how: its size, scheme, scripts, ``#anchor``."""
    opened: list[BrowserContext] = []

    def open_page(
        html: str,
        *,
        size: tuple[int, int] = (1280, 800),
        scheme: str = "light",
        scripts: bool = True,
        anchor: str = "",
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
        )
        opened.append(context)
        context.set_default_timeout(5000)
        seen = Visit(context.new_page())
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on(
            "dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.accept())
        )
        path = tmp_path / f"page-{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        seen.page.goto(f"{path.as_uri()}{anchor}")
        return seen

    yield open_page
    for context in opened:
        context.close()
