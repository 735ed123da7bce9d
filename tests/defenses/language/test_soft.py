"""Which records are chosen, and by what measure of exposure."""

import numpy as np
import pytest

from nonmember.defenses.language.drop_influential import drop_influential
from nonmember.defenses.language.roles import DROP, RAW, REWRITE, most_exposed
from nonmember.defenses.language.soft import highest_loss, loss_drop, lowest_loss, random, soft
from nonmember.defenses.registry import SELECTORS
from nonmember.errors import SpecError

NAN = float("nan")
EXPOSURE = np.array([-2.0, -1.0, NAN, -3.0, -1.0])


def test_the_most_exposed_half_is_rewritten() -> None:
    np.testing.assert_array_equal(soft(EXPOSURE), [RAW, REWRITE, RAW, RAW, REWRITE])


def test_ties_go_to_the_earlier_position() -> None:
    np.testing.assert_array_equal(soft(EXPOSURE, ratio=0.2), [RAW, REWRITE, RAW, RAW, RAW])


def test_what_has_no_exposure_comes_last() -> None:
    np.testing.assert_array_equal(soft(EXPOSURE, ratio=0.8), [1, 1, 0, 1, 1])
    lowest = np.array([NAN, -np.inf])
    np.testing.assert_array_equal(soft(lowest), [RAW, REWRITE])


@pytest.mark.parametrize("exposure", [EXPOSURE, np.full(5, NAN), np.zeros(0)])
def test_a_ratio_of_nothing_is_raw_and_one_of_all_is_rewritten(exposure: np.ndarray) -> None:
    assert (soft(exposure, ratio=0.0) == RAW).all()
    assert (soft(exposure, ratio=1.0) == REWRITE).all()
    assert (drop_influential(exposure, ratio=1.0) == DROP).all()


def test_leaving_out_chooses_as_rewriting_does() -> None:
    np.testing.assert_array_equal(
        drop_influential(EXPOSURE, ratio=0.6) == DROP, soft(EXPOSURE, ratio=0.6) == REWRITE
    )


def test_the_count_is_that_of_whole_numbers() -> None:
    """0.29 * 100 is 28.999999999999996 in floats, and 29 records."""
    for hundredths in range(101):
        for n in (1, 3, 7, 10, 100, 300, 999):
            chosen = most_exposed(np.zeros(n), hundredths / 100, "soft")
            assert chosen.sum() == hundredths * n // 100
    assert most_exposed(np.zeros(3), 1 / 3, "soft").sum() == 1


@pytest.mark.parametrize("ratio", [1.5, -0.1, NAN])
def test_a_ratio_that_is_no_share_is_refused(ratio: float) -> None:
    with pytest.raises(SpecError, match=rf"^soft: ratio = {ratio}; give a number from 0 to 1$"):
        soft(EXPOSURE, ratio=ratio)
    with pytest.raises(SpecError, match=r"^drop_influential: ratio = "):
        drop_influential(EXPOSURE, ratio=ratio)


WARM = np.array([[-1.0, -3.0, NAN], [-0.5, -0.5, -0.5], [NAN, NAN, NAN]])
BASE = np.array([[-5.0, -5.0, -9.0], [-0.5, -0.5, -1.1], [-1.0, -1.0, NAN]])


def test_exposure_by_hand() -> None:
    np.testing.assert_allclose(lowest_loss(WARM), [-2.0, -0.5, NAN])
    np.testing.assert_allclose(highest_loss(WARM), [2.0, 0.5, NAN])
    np.testing.assert_allclose(loss_drop(WARM, BASE), [3.0, 0.2, NAN])


def test_an_easy_text_is_exposed_by_its_loss_and_not_by_its_drop() -> None:
    assert lowest_loss(WARM)[1] > lowest_loss(WARM)[0]
    assert loss_drop(WARM, BASE)[1] < loss_drop(WARM, BASE)[0]


def test_random_needs_no_model_and_follows_its_seed() -> None:
    assert SELECTORS["random"].needs == ("texts",)
    texts = ["a", "b", ""] * 100
    np.testing.assert_array_equal(random(texts), random(texts))
    assert (soft(random(texts)) != soft(random(texts, seed=1))).any()
    assert soft(random(texts)).sum() == 150
