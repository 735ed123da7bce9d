"""Copies of inputs: of their type and range, the same again, and refused where there are none."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from models.diffusion.small import SECRET, Gaussian, gaussian, images, network
from torch import Tensor

from nonmember.errors import DataError, SpecError
from nonmember.models.diffusion import (
    Diffusion,
    Regeneration,
    codes,
    fresh,
    noise_error,
    of,
    reconstruction_error,
    regenerate,
    regeneration,
)
from nonmember.models.diffusion.codes import decode, encode
from nonmember.models.diffusion.schedule import STEPS, linear


def knowing(inputs: np.ndarray, rows: int) -> Diffusion:
    """Of one that knows the inputs, and takes the noise for what the step it is told says."""
    clean = torch.from_numpy(inputs * 2 - 1).repeat_interleave(rows, 0)

    def denoiser(noised: Tensor, t: int) -> Tensor:
        alpha = float(linear()[t])
        return (noised - alpha**0.5 * clean) / (1 - alpha) ** 0.5

    return Diffusion(denoiser, linear(), inputs.shape[1:], 0.0, 1.0, "knowing")


@pytest.mark.parametrize("t", [1, 40, 160, 1000])
def test_noise_and_network_have_the_same_index(t: int) -> None:
    inputs = decode(encode(images(), 0.0, 1.0), 0.0, 1.0, np.dtype(np.float32))
    how = Regeneration(t=t, n=3)
    found = regenerate(knowing(inputs, 3), inputs, how, SECRET)
    np.testing.assert_array_equal(found, np.repeat(inputs[:, None], 3, axis=1))
    assert reconstruction_error(knowing(inputs, 3), inputs, how, SECRET).max() < 1e-6
    assert noise_error(knowing(inputs, 3), inputs, how, SECRET).max() < 1e-6


def test_errors_by_hand() -> None:
    """A denoiser that says there is no noise is wrong by the noise, and leaves it in."""
    diffusion = Diffusion(lambda noised, _t: 0 * noised, linear(), (500,), -1.0, 1.0, "none")
    inputs = np.zeros((2, 500), dtype=np.float32)
    how, alpha = Regeneration(t=40, n=20), float(linear()[39])
    wrong = noise_error(diffusion, inputs, how, SECRET)
    np.testing.assert_allclose(wrong, 1, atol=0.1)
    left = reconstruction_error(diffusion, inputs, how, SECRET)
    np.testing.assert_allclose(left, wrong * (1 - alpha) / alpha, rtol=1e-5)


def test_copies_are_of_the_best_guess_of_the_input() -> None:
    """A denoiser of N(0, 1/4) moves noised inputs to the mean, by the share of their noise."""
    inputs, how = np.full((1, 2000), 0.8, dtype=np.float32), Regeneration(n=2)
    found = regenerate(gaussian((2000,)), inputs, how, SECRET) * 2 - 1
    alpha = float(linear()[159])
    expected = 0.6 * alpha * 0.25 / (alpha * 0.25 + 1 - alpha)
    assert abs(found.mean() - expected) < 0.02


@pytest.mark.parametrize("kind", ["mlp", "unet"])
def test_the_same_input_has_the_same_copies(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    diffusion = of(network(kind), linear(), (8, 8), low=0.0, high=1.0)
    inputs, how = images(4, (8, 8)), Regeneration(n=6)
    found = regenerate(diffusion, inputs, how, SECRET)
    np.testing.assert_array_equal(regenerate(diffusion, inputs, how, SECRET), found)
    monkeypatch.setattr(regeneration, "MAX_BATCH", 3)
    short = regenerate(diffusion, inputs[::-1], Regeneration(n=2), SECRET)
    np.testing.assert_allclose(short[::-1], found[:, :2], atol=1.01 / 255)
    alone = np.concatenate([regenerate(diffusion, one[None], how, SECRET) for one in inputs])
    np.testing.assert_allclose(alone, found, atol=1.01 / 255)
    assert len(np.unique(found.reshape(24, -1), axis=0)) == 24
    other = regenerate(diffusion, inputs, how, b"t" * 32)
    assert not np.array_equal(other, found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8, np.int64, bool])
def test_copies_are_of_the_type_and_the_steps_of_the_inputs(dtype: Any) -> None:
    high = {np.uint8: 255.0, np.int64: 16.0}.get(dtype, 1.0)
    inputs = (images() * high).round(6 if high == 1 and dtype is not bool else 0).astype(dtype)
    found = regenerate(gaussian(high=high), inputs, Regeneration(n=3), SECRET)
    assert (found.dtype, found.shape) == (np.dtype(dtype), (5, 3, 3, 4))
    again = decode(encode(found, 0.0, high), 0.0, high, found.dtype)
    np.testing.assert_array_equal(again, found)
    assert found.min() >= 0
    assert found.max() <= high
    if found.dtype.kind == "f":
        steps = found.astype(float) * 255 / high
        np.testing.assert_allclose(steps, steps.round(), atol=0.07 if dtype == np.float16 else 1e-4)


def test_all_codes_are_values_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    for low, high in ((0.0, 1.0), (-1.0, 1.0), (-2.5, 0.3), (0.0, 255.0)):
        values = decode(every, low, high, np.dtype(np.float32))
        np.testing.assert_array_equal(encode(values, low, high), every)
        assert (values[0], values[-1]) == (np.float32(low), np.float32(high))
    whole = decode(every, 0.0, 255.0, np.dtype(np.uint8))
    np.testing.assert_array_equal(whole, every)


def test_no_inputs_have_no_copies_and_one_has_one() -> None:
    found = regenerate(gaussian(), images(0), Regeneration(n=4), SECRET)
    assert found.shape == (0, 4, 3, 4)
    assert regenerate(gaussian(), images(1), Regeneration(n=1), SECRET).shape == (1, 1, 3, 4)


def test_copies_are_told_and_denoised_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    diffusion, told = gaussian(), []
    expected = regenerate(gaussian(), images(), Regeneration(n=4), SECRET)
    monkeypatch.setattr(regeneration, "MAX_BATCH", 6)
    give = fresh(diffusion, Regeneration(n=4), SECRET, watch=told.append)
    np.testing.assert_array_equal(give(images()), expected)
    assert told == [6, 6, 6, 2] == [rows for _, rows in diffusion.denoiser.asked]


def test_a_digest_names_model_settings_and_secret_but_does_not_tell_it() -> None:
    how = Regeneration()
    others = [
        fresh(gaussian(), how, SECRET),
        fresh(gaussian(), how, b"t" * 32),
        fresh(gaussian(), Regeneration(t=40), SECRET),
        fresh(gaussian(), Regeneration(n=10), SECRET),
        fresh(of(network(), linear(), (8, 8), low=0.0, high=1.0), how, SECRET),
    ]
    assert len({one.digest for one in others}) == len(others)
    assert fresh(gaussian(), how, SECRET, watch=print).digest == others[0].digest
    assert SECRET.hex() not in others[0].digest


def test_inputs_that_cannot_be_regenerated_are_refused_before_work() -> None:
    diffusion, how = gaussian(), Regeneration(n=2)
    beyond = images()
    beyond[1, 0, 2], beyond[3, 1, 1] = 1.5, np.nan
    cases = [
        (images(shape=(4, 3)), how, SECRET, DataError, r"5 inputs of float32 in shape \(4, 3\)"),
        (beyond, how, SECRET, DataError, "2 of 5 inputs .* outside 0 to 1; scale"),
        (np.array(["a"]), how, SECRET, DataError, "of numbers in shape"),
        (images(), Regeneration(t=1001), SECRET, SpecError, "t = 1001 .* 1000 steps"),
        (images(), how, b"", SpecError, "32 random bytes"),
    ]
    for inputs, settings, secret, kind, words in cases:
        with pytest.raises(kind, match=words):
            regenerate(diffusion, inputs, settings, secret)
    assert not diffusion.denoiser.asked


def test_what_is_to_be_regenerated_is_checked_before_there_is_a_model() -> None:
    inputs, before = images(), linear()
    codes.check_inputs(inputs, (3, 4), 0.0, 1.0)
    codes.check_steps(STEPS, before)
    with pytest.raises(SpecError, match=r"t = 1001 .* has 1000 steps"):
        codes.check_steps(STEPS + 1, before)
    with pytest.raises(DataError, match=r"the model is of numbers in shape \(12,\)"):
        codes.check_inputs(inputs, (12,), 0.0, 1.0)
    inputs[3, 1, 2] = 0.157888
    with pytest.raises(DataError) as told:
        codes.check_inputs(inputs, (3, 4), 0.5, 1.0)
    assert "5 of 5 inputs hold values outside 0.5 to 1; scale" in str(told.value)
    assert "0.157" not in str(told.value)  # a value of theirs is nobody's business


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n": 0}, "n = 0; give at least 1"),
        ({"t": 0}, "t = 0"),
        ({"nfe": 0, "sampler": "ddim"}, "nfe = 0"),
        ({"nfe": 2}, "x0 takes one call"),
        ({"t": 3, "nfe": 4, "sampler": "dpmpp"}, "3 steps of noise have no 4"),
    ],
)
def test_settings_that_make_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        Regeneration(**settings)


def test_a_range_that_is_none_and_a_schedule_without_signal_are_refused() -> None:
    for low, high in ((1.0, 1.0), (0.0, np.nan), (-np.inf, 1.0), (-1e308, 1e308)):
        with pytest.raises(SpecError, match="least and the largest"):
            gaussian(low=low, high=high)
    silent = Diffusion(Gaussian(), np.array([0.5, 0.0]), (3, 4), 0.0, 1.0, "silent")
    with pytest.raises(SpecError, match="nothing of an input is left"):
        regenerate(silent, images(), Regeneration(t=2), SECRET)


def test_importing_has_no_effects_and_nothing_global_is_drawn_from() -> None:
    program = "import sys, nonmember.models.diffusion; sys.exit('diffusers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    one, other = gaussian(), gaussian(low=-1.0)
    how = Regeneration(n=2, sampler="ddim", nfe=2)
    found, before = regenerate(other, images(), how, SECRET), states()
    regenerate(one, images(), how, SECRET)
    again = regenerate(other, images(), how, SECRET)
    np.testing.assert_array_equal(again, found)
    assert before == states()


def states() -> list[str]:
    """Those of the generators that all of a process share."""
    return [str(np.random.get_state()), str(torch.get_rng_state().tolist())]  # noqa: NPY002
