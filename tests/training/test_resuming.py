"""A run that is interrupted loses no more than an update, and ends in the same numbers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training.bigram import RECIPE, equal, net, trained

from nonmember.models.text import Encoded
from nonmember.training import loop


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def interrupt_after(updates: int) -> Callable[[int], None]:
    left = updates

    def watch(tokens: int) -> None:
        nonlocal left
        assert tokens > 0
        left -= 1
        if left == 0:
            raise StoppedError

    return watch


@pytest.mark.parametrize("updates", range(1, 7))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_interrupted_anywhere_it_ends_as_if_it_had_not_been(
    encoded: tuple[Encoded, ...], tmp_path: Path, updates: int, dtype: torch.dtype
) -> None:
    recipe = replace(RECIPE, schedule="linear")
    whole, losses = trained(encoded, recipe, network=net(dtype=dtype, dropout=0.3))
    with pytest.raises(StoppedError):
        trained(
            encoded,
            recipe,
            network=net(dtype=dtype, dropout=0.3),
            scratch=tmp_path,
            checkpoint_seconds=0.0,
            watch=interrupt_after(updates),
        )
    again, same = trained(encoded, recipe, network=net(dtype=dtype, dropout=0.3), scratch=tmp_path)
    assert equal(whole, again)
    assert losses == same


def test_a_resumed_run_says_how_far_it_was(encoded: tuple[Encoded, ...], tmp_path: Path) -> None:
    whole: list[int] = []
    trained(encoded, watch=whole.append)
    assert sum(whole) == RECIPE.epochs * sum(len(one.ids) for one in encoded)
    with pytest.raises(StoppedError):
        trained(encoded, scratch=tmp_path, checkpoint_seconds=0.0, watch=interrupt_after(4))
    resumed: list[int] = []
    trained(encoded, scratch=tmp_path, watch=resumed.append)
    assert resumed == [sum(whole[:3]), *whole[3:]], "three updates were kept, the rest is done"


def test_checkpoints_are_no_more_frequent_than_asked(
    encoded: tuple[Encoded, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))  # ten seconds pass between two looks at it
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    seen: list[bool] = []
    file = tmp_path / "checkpoint.safetensors"
    trained(
        encoded,
        scratch=tmp_path,
        checkpoint_seconds=25.0,
        watch=lambda _: seen.append(file.exists()),
    )
    assert seen == [False, False, False, True, True, True]


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.9])
def test_after_a_cut_checkpoint_it_starts_anew(
    encoded: tuple[Encoded, ...], tmp_path: Path, kept: float
) -> None:
    whole, losses = trained(encoded)
    with pytest.raises(StoppedError):
        trained(encoded, scratch=tmp_path, checkpoint_seconds=0.0, watch=interrupt_after(3))
    file = tmp_path / "checkpoint.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    again, same = trained(encoded, scratch=tmp_path)
    assert equal(whole, again)
    assert losses == same


def test_a_checkpoint_half_written_does_not_count(
    encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    whole, _ = trained(encoded)
    (tmp_path / "checkpoint.1").write_bytes(b"cut short")
    again, _ = trained(encoded, scratch=tmp_path, checkpoint_seconds=0.0)
    assert equal(whole, again)
    assert (tmp_path / "checkpoint.safetensors").is_file()
