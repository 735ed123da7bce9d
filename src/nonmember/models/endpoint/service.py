"""Which server is asked, for which model, and how hard."""

import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from nonmember.errors import SpecError

KEY = "NONMEMBER_API_KEY"
OPENAI_KEY, OPENAI_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"


@dataclass(frozen=True)
class Service:
    """A model that a server answers for, under the API of OpenAI's completions.

    Every text that is scored is sent to this server, as token ids. It is sent in the clear
    only within this machine, or where ``insecure`` allows it.

    Args:
        url: of the API, as ``https://host/v1``; ``/v1`` may be left out where nothing else
            follows the host.
        model: its name there.
        tokenizer: a folder on this machine with the model's tokenizer, a GGUF file, or a
            packaged model.
        key: sent as a bearer token; by default what the environment says, see ``bearer``.
            Part of no message and no representation.
        at_once: requests that wait for an answer at the same time.
        per_second: requests begun in a second, at most; None for no limit.
        insecure: allow plain http to another machine, where anybody between reads along.

    Raises:
        SpecError: one of these cannot be.
    """

    url: str
    model: str
    tokenizer: str
    key: str | None = field(default=None, repr=False)
    at_once: int = 4
    per_second: float | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Refuse what no request could be made of."""
        _check_address(self.url, self.insecure)
        for name in ("at_once", "per_second"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SpecError(f"{self.url}: {name}={value} asks nothing; give a number above 0")

    @property
    def root(self) -> str:
        """The address that ``/completions`` and ``/models`` are appended to."""
        root = self.url.rstrip("/").removesuffix("/completions").removesuffix("/chat")
        return root if urlsplit(root).path else f"{root}/v1"


def local(url: str) -> bool:
    """Whether what is sent to ``url`` stays on this machine."""
    host = _host(url)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def bearer(service: Service) -> str | None:
    """The key to send: the service's own, else NONMEMBER_API_KEY, else OPENAI_API_KEY.

    The last is only sent where it belongs: to OpenAI, or to the host of OPENAI_BASE_URL.

    Raises:
        SpecError: it cannot stand in a header.
    """
    key = service.key or os.environ.get(KEY) or _openai(service.url)
    if key is None:
        return None
    if not (key.strip().isascii() and key.strip().isprintable() and " " not in key.strip()):
        raise SpecError(f"{service.url}: the key has characters that no key has; set {KEY} again")
    return key.strip()


def _openai(url: str) -> str | None:
    host, theirs = _host(url), _host(os.environ.get(OPENAI_URL, ""))
    belongs = host in (theirs, "openai.com") or host.endswith(".openai.com")
    return os.environ.get(OPENAI_KEY) or None if belongs else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _check_address(url: str, insecure: bool) -> None:
    parts = _split(url)
    # What follows is quoted nowhere: a password in an address is a secret too.
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise SpecError(
            f"{parts.scheme}://{parts.hostname}: an address with a password, ? or # in it; give "
            f"the plain one, and the key in {KEY}"
        )
    if parts.scheme == "http" and not local(url) and not insecure:
        raise SpecError(
            f"{url}: would send the texts to another machine unencrypted; give an https address, "
            "or allow it with --insecure (in a spec: endpoint.insecure = true)"
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        reachable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        reachable = None
    if not reachable:
        raise SpecError(
            "the endpoint's address is no http or https address; give one as https://host/v1"
        )
    return parts
