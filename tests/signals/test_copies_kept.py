"""Copies that are kept: computed once for each block, whoever asks for them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.diffusion.small import SECRET, gaussian, images

from nonmember.errors import RunError
from nonmember.models.diffusion import Copies, Regeneration, fresh
from nonmember.signals.copies_kept import remembered
from nonmember.signals.store import Store

HOW = Regeneration(n=3)


@dataclass
class Counted:
    """Copies that write down how many inputs they were asked for, and break at one of them."""

    copies: Copies
    breaks_at: int | None = None
    asked: list[int] = field(default_factory=list)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        self.asked.append(len(inputs))
        if len(self.asked) == self.breaks_at:
            raise KeyboardInterrupt
        return self.copies(inputs)

    @property
    def digest(self) -> str:
        return self.copies.digest


def counted(breaks_at: int | None = None, **change: Any) -> Counted:
    return Counted(fresh(gaussian(), Regeneration(n=3, **change), SECRET), breaks_at)


def keep(copies: Copies, root: Path) -> Callable[[np.ndarray], np.ndarray]:
    return remembered(copies, Store(root), low=0.0, high=1.0, block=2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kept_copies_are_the_computed_ones_and_nobody_is_asked_again(
    dtype: Any, tmp_path: Path
) -> None:
    inputs = images().astype(dtype)
    first, second = counted(), counted()
    found = keep(first, tmp_path)(inputs)
    np.testing.assert_array_equal(found, counted()(inputs))
    again = keep(second, tmp_path)(inputs)
    np.testing.assert_array_equal(again, found)
    assert (again.dtype, again.shape) == (np.dtype(dtype), (5, 3, 3, 4))
    assert (first.asked, second.asked) == ([2, 2, 1], [])
    assert keep(first, tmp_path).digest == first.digest


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    diffusion, inputs = gaussian(high=255.0), (images() * 255).astype(np.uint8)
    give = fresh(diffusion, HOW, SECRET)
    for _ in range(2):
        kept = remembered(give, Store(tmp_path), low=0.0, high=255.0)
        np.testing.assert_array_equal(kept(inputs), give(inputs))
    assert len(diffusion.denoiser.asked) == 3


def test_an_interruption_loses_one_block(tmp_path: Path) -> None:
    broken, after = counted(breaks_at=3), counted()
    with pytest.raises(KeyboardInterrupt):
        keep(broken, tmp_path)(images())
    np.testing.assert_array_equal(keep(after, tmp_path)(images()), counted()(images()))
    assert (broken.asked, after.asked) == ([2, 2, 1], [1])


def test_other_inputs_and_other_copies_are_computed(tmp_path: Path) -> None:
    inputs = images(2)
    keep(counted(), tmp_path)(inputs)
    moved = inputs.copy()
    moved[1, 0, 0] += 0.25 - moved[1, 0, 0]
    for changed, copies in (
        (moved, counted()),
        (inputs[::-1], counted()),
        (inputs.astype(np.float64), counted()),
        (inputs, counted(t=40)),
        (inputs, counted(sampler="ddim")),
        (inputs, Counted(fresh(gaussian(), HOW, b"t" * 32))),
    ):
        found = keep(copies, tmp_path)(changed)
        assert copies.asked == [2]
        np.testing.assert_array_equal(found, copies.copies(changed))


def test_no_inputs_have_no_copies(tmp_path: Path) -> None:
    assert keep(counted(), tmp_path)(images(0)).shape == (0, 3, 3, 4)


def test_a_range_that_is_not_the_models_is_refused(tmp_path: Path) -> None:
    kept = remembered(counted(), Store(tmp_path), low=-1.0, high=1.0)
    with pytest.raises(RunError, match=r"of 180 values are none of the 256 steps from -1 to 1"):
        kept(images())
