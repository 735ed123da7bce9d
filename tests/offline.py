"""A process without a network: a folder to put first on its path, in which sockets are refused.

Only connections to other machines are: processes of one machine may talk to each other.
"""

import os
from pathlib import Path

BLOCKED = """
import socket


def _refused(*_args, **_keywords):
    raise RuntimeError("a connection was asked for")


def _connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        _refused()
    return _connected(self, address)


_connected = socket.socket.connect
socket.socket.connect = _connect
socket.socket.connect_ex = _connect
_found = socket.getaddrinfo


def _looked_up(host, *rest, **keywords):
    if host not in (None, "", "127.0.0.1", "::1", "localhost"):
        _refused()
    return _found(host, *rest, **keywords)


socket.getaddrinfo = _looked_up
"""


def environment(folder: Path) -> dict[str, str]:
    """The environment of such a process; what makes it one is put into the folder."""
    (folder / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    before = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), *([before] if before else [])]),
    }
