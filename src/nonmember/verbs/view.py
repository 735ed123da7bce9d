"""The pages of all runs below a folder, served to this machine alone.

Nothing is served but the index and the pages that it links to: a path is looked up among these,
and never put together with a folder's. What the request calls this host has to be this host, so
that no page of another site can read ours by having its name point here (DNS rebinding).
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from nonmember.audit import records
from nonmember.audit.records import Results
from nonmember.errors import NonmemberError, RunError
from nonmember.report import index

HOST = "127.0.0.1"
SECONDS = 30  # that a request may take to arrive
REPORT, RESULTS, PRIVATE = "report.html", "results.json", "private"
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Below:
    """The runs below a folder by their paths in it: those that can be read, and why others not.

    ``pages`` are their pages by the path under which each is asked for.
    """

    runs: Mapping[str, Results]
    broken: Mapping[str, str]
    pages: Mapping[str, Path]

    @property
    def links(self) -> dict[str, str]:
        """Where the page of each run that has one is, as a link says it."""
        asked = {name: _page(name) for name in self.runs}
        return {
            name: quote(os.fsencode(page)) for name, page in asked.items() if page in self.pages
        }


@dataclass(frozen=True)
class Server:
    """One that answers from another thread, at ``address``."""

    address: str
    thread: threading.Thread

    def wait(self) -> None:
        """Until it is ended."""
        while self.thread.is_alive():
            self.thread.join(0.5)  # not for ever, so that Ctrl-C is heard on every system


@contextmanager
def serving(folder: str | Path, port: int = 0) -> Iterator[Server]:
    """Serve the index of all runs below ``folder`` and their pages, on the loopback alone.

    Args:
        folder: what holds the runs, at any depth; looked through anew at each request.
        port: of this machine; any free one for 0.

    Raises:
        RunError: no run is there, or the port cannot be had.
    """
    root = Path(folder)
    if not root.is_dir():
        raise RunError(f"{root}: no such folder; give one with finished audits in or below it")
    found = below(root)
    if not (found.runs or found.broken):
        raise RunError(f"{root}: no {RESULTS} in it or below; give a folder with finished audits")
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Answers, root=root))
    except OSError as error:
        raise RunError(
            f"port {port}: cannot be had ({error.strerror or error}); choose another --port, or 0"
        ) from None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    try:
        yield Server(f"http://{HOST}:{server.server_port}/", thread)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def below(root: Path) -> Below:
    """The runs in ``root`` and below it, the newest first; private folders are not entered."""
    runs, broken, pages = dict[str, Results](), dict[str, str](), dict[str, Path]()
    for place, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one != PRIVATE and not one.startswith("."))
        if RESULTS not in files:
            continue
        run = Path(place)
        name = run.relative_to(root).as_posix()
        try:
            runs[name] = records.load(run)
        except (NonmemberError, OSError) as error:
            broken[name] = str(error)
            continue
        page = run / REPORT
        if page.is_file() and not page.is_symlink():
            pages[_page(name)] = page
    newest = sorted(runs, key=lambda name: runs[name].created, reverse=True)
    return Below({name: runs[name] for name in newest}, broken, pages)


def _page(name: str) -> str:
    """The path of a run's page, below the folder of all runs."""
    return (Path(name) / REPORT).as_posix()


def respond(root: Path, path: str) -> tuple[int, bytes]:
    """The status and the page for what is asked for: the index, or the page of a run."""
    found = below(root)
    try:
        asked = os.fsdecode(unquote_to_bytes(urlsplit(path).path)).removeprefix("/")
    except ValueError:
        return 400, b"This is no address; / lists all.\n"
    if not asked:
        page = index.render(found.runs, broken=found.broken, links=found.links)
        return 200, page.encode()
    if asked not in found.pages:
        return 404, b"There is no such page here; / lists all.\n"
    return 200, found.pages[asked].read_bytes()


class Answers(BaseHTTPRequestHandler):
    """GET and HEAD of the pages below ``root``; everything else is refused."""

    server_version, sys_version, timeout = "nonmember", "", SECONDS

    def __init__(self, *given: Any, root: Path) -> None:
        self.root = root
        super().__init__(*given)  # which answers

    def handle(self) -> None:
        """Answer, unless whoever asks goes away."""
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        """Answer with the page."""
        port = self.connection.getsockname()[1]
        if self.headers.get_all("Host") not in ([f"{HOST}:{port}"], [f"localhost:{port}"]):
            self._send(403, f"Ask for http://{HOST}:{port}/ by this name.\n".encode())
            return
        try:
            answer = respond(self.root, self.path)
        except OSError:
            answer = 404, b"The page cannot be read; / lists all that are there.\n"
        self._send(*answer)

    def do_HEAD(self) -> None:
        """Answer as if with the page."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: names of runs are nobody else's business."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
