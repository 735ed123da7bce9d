"""Pages over real HTTP on the loopback: what is served, and all that is not."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import finished
import pytest
from report.reader import Reader, shown
from report.test_page import HOSTILE

from nonmember.errors import RunError
from nonmember.verbs import view
from nonmember.verbs.view import serving

Say = Callable[..., tuple[int, str, str]]
Ask = Callable[..., tuple[int, str, http.client.HTTPMessage]]


def run(place: Path, **change: str) -> Path:
    split = finished.split(20)
    own = finished.scores(20, 1.0, seed=0, attacks=["loss"])
    return finished.folder(place, [finished.side("model", own, split)], split, **change)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with runs at some depth, and what must not be served beside it."""
    run(tmp_path / "runs" / "first", created="2026-01-01T00:00:00+00:00", title="An old question?")
    run(
        tmp_path / "runs" / "deep" / "é #1", created="2026-02-01T00:00:00+00:00", title="A new one?"
    )
    (tmp_path / "report.html").write_text("outside")
    (tmp_path / "runs" / "notes.html").write_text("notes")
    return tmp_path / "runs"


@contextmanager
def asking(folder: Path) -> Iterator[Ask]:
    """What asks a server over ``folder``, by a path that nobody tidies."""
    with serving(folder) as server:
        place = urlsplit(server.address)
        assert place.hostname == "127.0.0.1" and place.port

        def ask(
            path: str, method: str = "GET", host: str | None = None
        ) -> tuple[int, str, http.client.HTTPMessage]:
            connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=10)
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", f"127.0.0.1:{place.port}" if host is None else host)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            return answer.status, body, answer.headers

        yield ask


def test_the_index_lists_all_runs_newest_first_and_its_links_work(runs: Path) -> None:
    with asking(runs) as ask:
        status, page, headers = ask("/")
        told = shown(page)
        assert status == 200 and "2 studies" in told
        assert told.index("A new one?") < told.index("An old question?")
        assert "2026-02-01 00:00 UTC" in told and "deep/é #1" in told
        links = [str(one["href"]) for tag, one in Reader(page).elements if tag == "a"]
        assert len(links) == 2
        for link in links:
            status, body, _ = ask(urljoin("/", link))
            assert status == 200 and body.endswith("page")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"
        assert ask("/", "HEAD")[:2] == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/first/results.json",
        "/first/private/records.parquet",
        "/first/private/",
        "/first",
        "/notes.html",
        "/../report.html",
        "/%2e%2e/report.html",
        "/first/..%2f..%2freport.html",
        "/first/../../report.html",
        "/first//report.html",
        "/./first/report.html",
        "/first/report.html%00",
        "/first/../first/report.html",
        "/etc/passwd",
        "/%ff",
        "//[",
    ],
)
def test_nothing_else_is_served(runs: Path, path: str) -> None:
    with asking(runs) as ask:
        status, body, _ = ask(path)
        assert status == 404 and body == "There is no such page here; / lists all.\n"


def test_a_page_that_leads_elsewhere_is_not_served(runs: Path) -> None:
    (runs / "first" / "report.html").unlink()
    (runs / "first" / "report.html").symlink_to(runs / "first" / finished.PARQUET)
    (runs / "loop").symlink_to(runs)
    run(runs / "first" / "private" / "copy")
    with asking(runs) as ask:
        assert ask("/first/report.html")[0] == 404
        page = ask("/")[1]
        assert "It has no page; nonmember report writes it." in shown(page)
        assert "2 studies" in shown(page)


def test_another_name_of_this_host_is_refused(runs: Path) -> None:
    with asking(runs) as ask:
        for host in ("evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", ""):
            status, body, _ = ask("/", host=host)
            assert status == 403 and "model" not in body
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert ask("/", method)[0] == 501


def test_a_second_name_of_this_host_is_refused(runs: Path) -> None:
    with serving(runs) as server:
        place = urlsplit(server.address)
        both = f"Host: {place.netloc}\r\nHost: evil.example\r\n"
        with socket.create_connection((place.hostname, place.port), 10) as asked:
            asked.sendall(f"GET / HTTP/1.0\r\n{both}\r\n".encode())
            assert asked.makefile("rb").readline().split()[1] == b"403"


def test_what_is_no_address_is_told(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with asking(runs) as ask:
        assert ask("http://[")[:2] == (400, "This is no address; / lists all.\n")
    assert capfd.readouterr().err == ""


def test_damaged_and_newer_runs_are_listed_with_what_is_wrong(runs: Path) -> None:
    for name, content in (("cut", '{"schema": 4'), ("newer", '{"schema": 999}'), ("text", "x")):
        (runs / name).mkdir()
        (runs / name / "results.json").write_text(content)
        (runs / name / "report.html").write_text("stale")
    with asking(runs) as ask:
        status, page, _ = ask("/")
        told = shown(page)
        assert status == 200 and "2 studies" in told and "Not readable" in told
        assert "schema 999 is newer" in told and told.count("run the audit again") == 2
        assert ask("/newer/report.html")[0] == 404


def test_hostile_names_do_nothing(runs: Path) -> None:
    name = '"><script>alert(1)<'
    run(runs / name, title=HOSTILE, created=HOSTILE)
    (runs / os.fsdecode(b"\xff<img src=x>")).mkdir()
    (runs / os.fsdecode(b"\xff<img src=x>") / "results.json").write_text("<script>")
    run(runs / "plain").rename(runs / os.fsdecode(b"\xfe"))
    with asking(runs) as ask:
        _, page, _ = ask("/")
        assert not {"script", "img"} & Reader(page).tags()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
        for tag, one in Reader(page).elements:
            if tag == "a":
                assert ask(urljoin("/", str(one["href"])))[0] == 200


def test_a_run_can_be_viewed_by_itself_and_a_later_one_appears(runs: Path) -> None:
    with asking(runs / "first") as ask:
        (link,) = (one["href"] for tag, one in Reader(ask("/")[1]).elements if tag == "a")
        assert ask(urljoin("/", str(link)))[0] == 200
        run(runs / "first" / "later")
        assert "2 studies" in shown(ask("/")[1])


def test_what_cannot_be_served_is_refused(tmp_path: Path, say: Say, runs: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        pytest.raises(RunError, match=r"no results\.json in it or below"),
        serving(tmp_path / "empty"),
    ):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = say("view", runs, "--port", port)
        assert (status, out) == (2, "") and f"port {port}: cannot be had" in err
    status, _, err = say("view", tmp_path / "absent")
    assert status == 2 and "no such folder" in err
    assert say("view", runs, "--port", 70_000)[0] == 2
    assert say("view", runs, "--host", "0.0.0.0")[0] == 2  # there is no such option


def test_ctrl_c_ends_it_cleanly(say: Say, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_server: view.Server) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(view.Server, "wait", interrupted)
    status, out, err = say("view", runs, "--json")
    assert (status, err) == (0, "ended\n")
    address = urlsplit(json.loads(out)["address"])
    with pytest.raises(OSError), socket.create_connection((address.hostname, address.port), 1):
        pass


def test_a_page_that_cannot_be_read_is_told_and_nothing_else(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == view.REPORT:
            raise PermissionError(13, "Permission denied")
        return read(path)

    with asking(runs) as ask:
        monkeypatch.setattr(Path, "read_bytes", refused)
        status, body, _ = ask("/first/report.html")
        monkeypatch.undo()
        assert (status, body) == (404, "The page cannot be read; / lists all that are there.\n")
        assert ask("/first/report.html")[0] == 200
    assert capfd.readouterr().err == ""


def test_whoever_goes_away_is_no_error(runs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    linger = struct.pack("ii", 1, 0)  # closing is then a reset
    with serving(runs) as server:
        place = urlsplit(server.address)
        for asked in (b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            with socket.create_connection((place.hostname, place.port), 1) as gone:
                gone.sendall(asked)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        with asking(runs) as ask:
            assert ask("/")[0] == 200
    assert capfd.readouterr().err == ""


def test_ctrl_c_ends_the_process_with_status_0(runs: Path) -> None:
    command = [sys.executable, "-m", "nonmember", "view", str(runs), "--json"]
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # who ignores it, bequeaths it
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    signal.signal(signal.SIGINT, ours)
    assert process.stdout
    while "}" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "ended\n")
