import hmac
from hashlib import sha256

import numpy as np

from nonmember.data.canaries import flipped, new_secret, stream

SECRET = "ab" * 32


def test_a_coin_is_a_bit_of_the_secrets_hmac() -> None:
    digests = [hmac.digest(b"\xab" * 32, f"coin {n}".encode(), sha256) for n in range(50)]
    assert flipped(SECRET, 50).tolist() == [bool(digest[0] & 1) for digest in digests]


def test_coins_are_fair_and_tell_nothing_of_their_neighbours() -> None:
    coins = flipped(SECRET, 10_000)
    assert abs(coins.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(coins))
    alike = (coins[1:] == coins[:-1]).mean()
    assert abs(alike - 0.5) < 4 * 0.5 / np.sqrt(len(coins))


def test_another_secret_is_other_coins_and_other_canaries() -> None:
    other = new_secret()
    assert len(bytes.fromhex(other)) == 32
    assert not np.array_equal(flipped(SECRET, 100), flipped(other, 100))
    drawn = [stream(secret, "canaries").random() for secret in (SECRET, SECRET, other)]
    assert drawn[0] == drawn[1] != drawn[2]
