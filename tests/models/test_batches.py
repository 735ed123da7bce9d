"""How many inputs are shown at once: few images on a CPU, and never more than memory holds."""

import pytest

from nonmember.models.batches import NUMBERS, ROWS, rows_at_once


@pytest.mark.parametrize(
    ("shape", "device", "rows"),
    [
        ((8, 8), "cpu", ROWS),
        ((1, 28, 28), "cpu", 83),
        ((3, 32, 32), "cpu", 64),
        ((3, 224, 224), "cpu", 64),
        ((3, 32, 32), "cuda", ROWS),
        ((), "cpu", ROWS),
        ((NUMBERS * 2,), "cuda", 1),
        ((NUMBERS // 4,), "cpu", 4),
    ],
)
def test_few_images_on_a_processor_and_never_more_than_memory_holds(shape, device, rows):
    assert rows_at_once(shape, device) == rows
