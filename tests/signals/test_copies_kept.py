"""Copies that are kept: computed once for each input, whoever asks for them."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.diffusion.small import SECRET, gaussian, images
from signals.classifiers import linear

from nonmember.data import examples
from nonmember.errors import RunError
from nonmember.models.diffusion import Copies, Regeneration, fresh
from nonmember.models.fence.fenced import asked
from nonmember.signals.copies_kept import remembered
from nonmember.signals.diffused import diffused_hits
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
        (inputs[::-1] / 2, counted()),
        (inputs.astype(np.float64), counted()),
        (inputs, counted(t=40)),
        (inputs, counted(sampler="ddim")),
        (inputs, Counted(fresh(gaussian(), HOW, b"t" * 32))),
    ):
        found = keep(copies, tmp_path)(changed)
        assert copies.asked == [2]
        np.testing.assert_array_equal(found, copies.copies(changed))
    one = counted()
    np.testing.assert_array_equal(keep(one, tmp_path)(moved), one.copies(moved))
    assert one.asked == [1]


@pytest.mark.parametrize("shape", [(28, 28), (3, 32, 32)])
def test_pieces_of_what_was_made_whole_are_not_computed_again(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    inputs, store = images(70, shape), Store(tmp_path)

    def asked_again(ask: Callable[[Copies], object]) -> list[int]:
        again = Counted(fresh(gaussian(shape), HOW, SECRET))
        ask(remembered(again, store, low=0.0, high=1.0))
        return again.asked

    assert asked_again(lambda copies: copies(inputs)) == [64, 6]
    whole = fresh(gaussian(shape), HOW, SECRET)(inputs)
    order = np.random.default_rng(0).permutation(70)

    def pieces(copies: Copies) -> None:
        for start in range(0, 70, 10):
            rows = order[start : start + 10]
            np.testing.assert_array_equal(copies(inputs[rows]), whole[rows])

    def signal(copies: Copies) -> None:
        labelled = examples.of(inputs, np.zeros(70, dtype=np.int64))
        diffused_hits(linear(inputs[0].size), labelled, copies)

    def fence(copies: Copies) -> None:
        asked(linear(inputs[0].size), copies, inputs)

    assert [asked_again(ask) for ask in (pieces, signal, fence)] == [[]] * 3
    assert len([*tmp_path.rglob("codes.npy")]) == 2


def test_what_is_new_among_known_inputs_alone_is_computed(tmp_path: Path) -> None:
    inputs = images(6)
    keep(counted(), tmp_path)(inputs[[4, 1]])
    after = counted()
    again = inputs[[0, 1, 0, 4, 5, 2]]
    np.testing.assert_array_equal(keep(after, tmp_path)(again), counted()(again))
    assert after.asked == [2, 1]


def test_two_who_keep_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """The second puts its block after the first had looked and before it puts its own."""
    inputs, after = images(5), counted()
    other = keep(counted(), tmp_path)

    class Late(Counted):
        def __call__(self, asked: np.ndarray) -> np.ndarray:
            if not self.asked:
                other(inputs[:1])
                other(inputs[4:])
            return super().__call__(asked)

    late = Late(fresh(gaussian(), HOW, SECRET))
    np.testing.assert_array_equal(keep(late, tmp_path)(inputs), counted()(inputs))
    assert late.asked == [2, 2]  # the last was there by then
    np.testing.assert_array_equal(keep(after, tmp_path)(inputs[::-1]), counted()(inputs[::-1]))
    assert after.asked == [] and len([*tmp_path.rglob("codes.npy")]) == 4


def test_a_block_that_is_deleted_is_computed_again_and_the_rest_is_found(tmp_path: Path) -> None:
    keep(counted(), tmp_path)(images())
    first = next(path for path in tmp_path.rglob("codes.npy") if holds(path, images()[0]))
    first.write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"damaged or missing .* delete the folder"):
        keep(counted(), tmp_path)(images())
    shutil.rmtree(first.parent)
    after = counted()
    np.testing.assert_array_equal(keep(after, tmp_path)(images()), counted()(images()))
    assert after.asked == [2]


def holds(path: Path, row: np.ndarray) -> bool:
    keys = np.load(path.with_name("inputs.npy"))
    return sha256(row.tobytes()).digest() in {key.tobytes() for key in keys}


def test_no_inputs_have_no_copies(tmp_path: Path) -> None:
    assert keep(counted(), tmp_path)(images(0)).shape == (0, 3, 3, 4)


def test_a_range_that_is_not_the_models_is_refused(tmp_path: Path) -> None:
    kept = remembered(counted(), Store(tmp_path), low=-1.0, high=1.0)
    with pytest.raises(RunError, match=r"of 180 values are none of the 256 steps from -1 to 1"):
        kept(images())
