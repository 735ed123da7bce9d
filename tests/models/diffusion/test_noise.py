"""Noise: as much as eq. (3) says, and the same for the same input."""

import hashlib
import hmac

import numpy as np
import pytest
import torch
from models.diffusion.small import SECRET, gaussian, images
from scipy.stats import kstest

from nonmember.models.diffusion import Regeneration, noise, regeneration
from nonmember.models.diffusion.regeneration import batches
from nonmember.models.diffusion.schedule import cleaned, linear, noised


def test_the_schedule_is_that_of_the_paper() -> None:
    alphas = linear()
    known = {39: 0.9806, 49: 0.971, 99: 0.897, 159: 0.7636, 199: 0.659}
    assert {t: round(float(alphas[t]), len(str(value)) - 2) for t, value in known.items()} == known
    assert alphas.shape == (1000,)
    assert alphas[0] == 1 - 1e-4


@pytest.mark.parametrize("index", [0, 39, 159, 999])
def test_noised_inputs_have_the_mean_and_the_spread_of_the_formula(index: int) -> None:
    count, alpha = 20000, float(linear()[index])
    inputs = np.array([[0.9]], dtype=np.float32)
    how = Regeneration(t=index + 1, n=count)
    found = torch.cat([one[3] for one in batches(gaussian((1,)), inputs, how, SECRET)]).double()
    spread = (1 - alpha) ** 0.5
    assert abs(float(found.mean()) - alpha**0.5 * 0.8) < 4 * spread / count**0.5
    assert abs(float(found.std()) / spread - 1) < 4 / (2 * count) ** 0.5


def test_noising_is_that_of_diffusers() -> None:
    from diffusers import DDIMScheduler

    rng = torch.Generator().manual_seed(0)
    given, drawn = torch.rand(4, 3, 5, generator=rng), torch.randn(4, 3, 5, generator=rng)
    for t in (0, 39, 159, 999):
        theirs = DDIMScheduler().add_noise(given, drawn, torch.tensor([t] * 4))
        alpha = float(linear()[t])
        torch.testing.assert_close(noised(given, drawn, alpha), theirs, atol=1e-5, rtol=0)
    torch.testing.assert_close(cleaned(noised(given, drawn, 0.5), drawn, 0.5), given)


def drawn(codes: np.ndarray, count: int, secret: bytes = SECRET, size: int = 7) -> np.ndarray:
    """Noise for so many copies of each input (n v ...)."""
    keys, shape = noise.keys(codes, 159, "x0", secret), codes.shape[1:]
    found = np.concatenate([*noise.batches(keys, count, shape, size)])
    return found.reshape(len(codes), count, *shape)


def test_noise_by_hand() -> None:
    codes = np.array([[0, 7, 255], [1, 2, 3]], dtype=np.uint8)
    for row, expected in zip(drawn(codes, 5), codes, strict=True):
        told = f"{noise.VERSION} (3,) 159 x0\n".encode() + expected.tobytes()
        key = int.from_bytes(hmac.new(SECRET, told, hashlib.sha256).digest()[:16], "little")
        stream = np.random.Generator(np.random.Philox(key=key))
        np.testing.assert_array_equal(row, stream.standard_normal((5, 3), dtype=np.float32))


@pytest.mark.parametrize("size", [1, 7, 30, 1000])
def test_ten_copies_are_the_first_of_thirty_alone_or_in_a_batch_in_any_order(size: int) -> None:
    codes = np.arange(15, dtype=np.uint8).reshape(3, 5)  # an odd number: a half word is left over
    whole = drawn(codes, 30)
    np.testing.assert_array_equal(drawn(codes, 10, size=size), whole[:, :10])
    np.testing.assert_array_equal(drawn(codes[[2, 0, 1]], 30, size=size), whole[[2, 0, 1]])
    np.testing.assert_array_equal(drawn(codes[[1]], 30, size=size)[0], whole[1])
    np.testing.assert_array_equal(drawn(codes[[1, 1]], 30, size=size), whole[[1, 1]])
    assert len(np.unique(whole)) == whole.size


def test_noise_is_normal_and_that_of_inputs_copies_and_secrets_is_unrelated() -> None:
    """Inputs that differ by one step in one number, as an attacker would ask them."""
    codes = np.full((12, 40), 128, dtype=np.uint8)
    codes[np.arange(12), np.arange(12)] += 1
    sides = np.stack([drawn(codes, 50, secret) for secret in (SECRET, b"t" * 32)]).astype(float)
    flat = sides.ravel()
    assert kstest(flat, "norm").pvalue > 0.01
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((flat**power).mean() - expected) < 4 * (variance / flat.size) ** 0.5
    blocks = sides.reshape(2 * 12 * 50, 40)  # every secret, input and copy against every other
    related = np.corrcoef(blocks)[np.triu_indices(len(blocks), 1)]
    assert abs(related.mean()) < 4 / (related.size * 40) ** 0.5
    assert related.std() == pytest.approx(39**-0.5, rel=0.01)
    assert np.abs(related).max() < 0.85
    numbers = np.corrcoef(blocks.T)[np.triu_indices(40, 1)]
    assert np.abs(numbers).max() < 5 / len(blocks) ** 0.5


def test_every_part_of_the_key_decides() -> None:
    codes = np.zeros((1, 2, 2), dtype=np.uint8)
    other = codes.copy()
    other[0, 0, 0] = 1
    keys = [
        noise.keys(codes, 159, "x0", SECRET),
        noise.keys(other, 159, "x0", SECRET),
        noise.keys(codes.reshape(1, 4), 159, "x0", SECRET),
        noise.keys(codes, 158, "x0", SECRET),
        noise.keys(codes, 159, "ddim", SECRET),
        noise.keys(codes, 159, "x0", b"t" * 32),
    ]
    assert len({one.tobytes() for one in keys}) == len(keys)


def test_noise_that_is_drawn_is_the_same_in_batches_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs, how, sizes = images(), Regeneration(n=7), []
    for size in (1, 3, 7, 100):
        monkeypatch.setattr(regeneration, "MAX_BATCH", size)
        found = [*batches(gaussian(), inputs, how, SECRET)]
        assert len(found) == -(-35 // size)
        sizes.append(torch.cat([one[2] for one in found]))
    assert all(torch.equal(sizes[0], one) for one in sizes[1:])
