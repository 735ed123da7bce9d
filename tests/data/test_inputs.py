"""Numbers that describe inputs: finite, of each input alone, the same every time."""

import numpy as np
import pytest

from nonmember.data import inputs as module
from nonmember.data.inputs import input_features
from nonmember.types import Inputs

RNG = np.random.default_rng(0)
KINDS: dict[str, Inputs] = {
    "images": RNG.integers(0, 255, (20, 8, 8, 3)).astype(np.uint8),
    "flat images": RNG.normal(size=(20, 8, 8)).astype(np.float32),
    "one pixel": RNG.normal(size=(20, 1, 1)),
    "narrow table": RNG.normal(size=(20, 5)),
    "wide table": RNG.integers(0, 2, (20, 100)).astype(bool),
    "texts": ["", " ", "A cat sat.", "paid 12 on\nthe 3rd"] * 5,
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_input_is_described_by_itself(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = KINDS[kind]
    found = input_features(inputs)
    assert len(found) == 20
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, input_features(inputs))
    some = inputs[3:7]
    monkeypatch.setattr(module, "BLOCK", 1)
    np.testing.assert_allclose(input_features(some), found[3:7], rtol=1e-9, atol=1e-12)


def test_a_narrow_table_describes_itself_and_a_text_is_counted() -> None:
    np.testing.assert_array_equal(input_features(KINDS["narrow table"]), KINDS["narrow table"])
    (found,) = input_features(["Paid 12\nnow"])
    np.testing.assert_allclose(found, [11, 3, 3, 2, 2 / 11, 1 / 11, 2 / 11])


def test_an_image_is_described_by_its_light_and_its_edges() -> None:
    image = np.array([[[0.0, 1.0], [0.0, 1.0]]])
    found = input_features(image)[0]
    np.testing.assert_allclose(found[:8], [0.5, 0.5, 0, 1, 1, 0, 0, 1])
    assert len(found) == 8 + module.PROJECTIONS


def test_the_projections_depend_on_the_seed_alone() -> None:
    wide = KINDS["wide table"]
    assert not np.array_equal(input_features(wide), input_features(wide, seed=1))
