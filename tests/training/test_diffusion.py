"""Training of diffusion models: it learns, resumes to the same numbers, and averages by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nonmember.data.images import digits
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.diffusion import Diffusion, Regeneration, noise_error
from nonmember.training import diffusion as training
from nonmember.training.diffusion import train_diffusion
from nonmember.training.diffusion_recipe import DiffusionRecipe
from nonmember.training.diffusion_state import begin, share, step

TINY = {"widths": (16,), "updates": 12, "batch_size": 8}


def images(count: int = 200) -> np.ndarray:
    return digits()[0][:count].astype(np.float32)


def trained(inputs: np.ndarray | None = None, seed: int = 0, **change: Any) -> Diffusion:
    recipe = DiffusionRecipe(**(TINY | change))
    return train_diffusion(
        images() if inputs is None else inputs, recipe, low=0.0, high=1.0, seed=seed
    )


def test_it_learns_what_digits_look_like() -> None:
    """Who knows nothing of them is wrong by the noise, 1; the mean digit alone leaves 0.7."""
    found = trained(images(1000), widths=(96, 96), updates=300, batch_size=64)
    held_out = digits()[0][1000:1200].astype(np.float32)
    error = noise_error(found, held_out, Regeneration(n=2), b"s")
    assert error.mean() < 0.45
    assert (found.shape, found.low, found.high) == ((8, 8), 0, 1)
    assert not any(weight.requires_grad for weight in found.denoiser.network.parameters())


def test_the_same_seed_and_inputs_make_the_same_model() -> None:
    state = torch.get_rng_state()
    first = trained()
    assert torch.equal(state, torch.get_rng_state())
    assert trained().digest == first.digest
    others = [
        trained(seed=1),
        trained(images(199)),
        trained(updates=13),
        trained(dropout=0.5),
        trained(flip=True),
        trained(ema=0.5),
        trained(warm_up=5),
        trained(clip=1e-3),
    ]
    assert len({first.digest, *(one.digest for one in others)}) == 9
    assert first.trained_on == others[0].trained_on != others[1].trained_on


@pytest.mark.parametrize("change", [{}, {"network": "unet", "widths": (4, 8), "dropout": 0.5}])
def test_a_resumed_run_ends_with_the_numbers_of_one_without_interruption(
    change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    recipe, told = DiffusionRecipe(**(TINY | {"updates": 6} | change)), []

    def stop(done: int) -> None:
        told.append(done)
        if sum(told) == 4:
            raise KeyboardInterrupt

    def run(watch: Any, scratch: Path | None) -> Diffusion:
        return train_diffusion(images(), recipe, low=0.0, high=1.0, scratch=scratch, watch=watch)

    with pytest.raises(KeyboardInterrupt):
        run(stop, tmp_path)
    resumed: list[int] = []
    found = run(resumed.append, tmp_path)
    assert resumed == [3, 1, 1, 1]
    assert found.digest == run(None, None).digest


def test_checkpoints_of_another_run_and_damaged_ones_are_not_gone_on_from(tmp_path: Path) -> None:
    def run(seed: int) -> list[int]:
        told: list[int] = []
        recipe = DiffusionRecipe(**TINY)
        settings = {"low": 0.0, "high": 1.0, "scratch": tmp_path, "watch": told.append}
        train_diffusion(images(), recipe, seed=seed, **settings)
        return told

    assert run(0) == [1] * 12
    assert run(0) == [12]
    assert run(1) == [1] * 12
    (tmp_path / "diffusion").write_bytes(b"damaged")
    assert run(1) == [1] * 12


def test_averages_steps_and_clipping_by_hand() -> None:
    """Adam's first step is the rate, here a half of 0.1 by warming up, against the gradient."""
    layer = nn.Linear(1, 1, bias=False)
    recipe = DiffusionRecipe(learning_rate=0.1, warm_up=2, ema=0.3, clip=0.5)
    nn.init.constant_(layer.weight, 1.0)
    state = begin(layer, recipe)
    averages, weight = [1.0], 1.0
    for number in range(4):
        layer.weight.grad = torch.tensor([[3.0]])
        step(state, recipe, number)
        weight -= 0.1 * min(1, (number + 1) / 2)
        assert layer.weight.item() == pytest.approx(weight, abs=1e-6)
        kept = min(0.3, (1 + number) / (10 + number))
        averages.append(kept * averages[-1] + (1 - kept) * weight)
        assert float(state.averages[0]) == pytest.approx(averages[-1], abs=1e-6)
    moment = state.optimiser.state[layer.weight]["exp_avg"]
    assert float(moment) == pytest.approx(0.5 * (1 - 0.9**4), rel=1e-5)
    assert [share(0.99, number) for number in (0, 1, 10**6)] == [0.1, 2 / 11, 0.99]


def test_who_is_trained_on_mirrored_images_knows_them() -> None:
    """Of images whose left half is white, who saw them mirrored as well expects the others."""
    inputs = np.zeros((50, 8, 8), dtype=np.float32)
    inputs[:, :, :4] = 1
    longer = {"widths": (96,), "updates": 150, "batch_size": 64, "learning_rate": 3e-3}
    plain, flipped = (trained(inputs, **longer, flip=flip) for flip in (False, True))
    how, mirrored = Regeneration(n=4), inputs[:20, :, ::-1]
    errors = [noise_error(one, mirrored, how, b"s").mean() for one in (plain, flipped)]
    assert errors[1] < errors[0] / 2


def test_inputs_and_settings_that_cannot_be_trained_on_are_refused() -> None:
    recipe, rows = DiffusionRecipe(**TINY), images()
    cases: list[tuple[np.ndarray, DiffusionRecipe, float, type[Exception], str]] = [
        (rows[:0], recipe, 1.0, DataError, "give numbers"),
        (rows, recipe, 0.5, DataError, "200 of 200 inputs hold values outside 0 to 0.5"),
        (rows, recipe, 0.0, SpecError, "low below high"),
        (rows.reshape(-1, 64), DiffusionRecipe(flip=True), 1.0, SpecError, "flip mirrors images"),
        (rows[:, :7], DiffusionRecipe(network="unet", widths=(4, 8)), 1.0, ModelError, "8 x 8"),
        (rows, DiffusionRecipe(**TINY, learning_rate=1e30), 1.0, ModelError, "lower the learning"),
    ]
    for inputs, settings, high, kind, words in cases:
        with pytest.raises(kind, match=words):
            train_diffusion(inputs, settings, low=0.0, high=high)


@pytest.mark.parametrize(
    "change",
    [
        *({name: 0} for name in ("updates", "batch_size", "layers", "learning_rate", "clip")),
        *({name: 1.0} for name in ("ema", "dropout")),
        *({"warm_up": -1}, {"widths": (8, 0)}),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    change = {k: float(v) if k in ("learning_rate", "clip") else v for k, v in change.items()}
    with pytest.raises(SpecError, match=f"diffusion recipe: {next(iter(change))}"):
        DiffusionRecipe(**change)
