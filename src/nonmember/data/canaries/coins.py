"""Coins of a secret: whoever does not have it can neither guess one nor tell one from another.

An audit in one run is valid because each canary was included with probability 1/2, independently
of all else (Steinke, Nasr and Jagielski 2023). A coin is one bit of HMAC-SHA256 under a secret of
256 bits that never leaves the private folder; a seed that a spec or a page shows would not do.
"""

import hmac
import secrets
from hashlib import sha256

import numpy as np

from nonmember.types import Member

BYTES = 32


def new_secret() -> str:
    """A secret of 256 bits, in hexadecimal."""
    return secrets.token_hex(BYTES)


def flipped(secret: str, count: int) -> Member:
    """The coins of so many canaries, (n,): whether each is put into the training data."""
    return np.array([_keyed(secret, f"coin {place}")[0] & 1 for place in range(count)], dtype=bool)


def stream(secret: str, name: str) -> np.random.Generator:
    """The named stream of a secret: what canaries are drawn by, unrelated to their coins."""
    return np.random.default_rng(int.from_bytes(_keyed(secret, f"stream {name}"), "big"))


def sealing_key(secret: str) -> bytes:
    """The key of the digests of what a secret's canaries were put into, unrelated to its coins."""
    return _keyed(secret, "manifest")


def _keyed(secret: str, what: str) -> bytes:
    return hmac.new(bytes.fromhex(secret), what.encode(), sha256).digest()
