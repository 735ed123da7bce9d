"""Altered copies: by hand, the same for every model, and refused where they cannot be made."""

import numpy as np
import pytest
from signals.classifiers import images, linear

from nonmember.data import examples
from nonmember.errors import SpecError
from nonmember.signals.views import view_logits

IMAGE = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3)


def copies(inputs, **options):
    """What a model is shown: (v n ...)."""
    model = linear(int(np.prod(inputs.shape[1:])))
    view_logits(model, examples.of(inputs, [0] * len(inputs)), **options)
    return np.array(model.calls)


def ones(shape, dtype=np.float32, seed=0):
    return (np.random.default_rng(seed).random(shape) < 0.5).astype(dtype)


def test_one_pixel_has_four_shifts_in_the_order_of_their_angle():
    right, down, left, up = (
        [[0, 1, 2], [0, 4, 5], [0, 7, 8]],
        [[0, 0, 0], [1, 2, 3], [4, 5, 6]],
        [[2, 3, 0], [5, 6, 0], [8, 9, 0]],
        [[4, 5, 6], [7, 8, 9], [0, 0, 0]],
    )
    found = copies(IMAGE, kind="shift", views=5)
    np.testing.assert_array_equal(found[0], IMAGE)
    np.testing.assert_array_equal(found[1:, 0].astype(int), [right, down, left, up])


@pytest.mark.parametrize(("views", "length"), [(9, 2), (13, 3), (7, 2)])
def test_shifts_are_all_different_and_of_one_manhattan_length(views, length):
    dot = np.zeros((1, 11, 11), dtype=np.float32)
    dot[0, 5, 5] = 1
    found = [np.argwhere(copy[0])[0] for copy in copies(dot, kind="shift", views=views)]
    away = [tuple((place - 5).tolist()) for place in found]
    assert away[0] == (0, 0) and len(set(away)) == views
    assert {abs(down) + abs(right) for down, right in away[1:]} == {length}


def test_channels_are_shifted_together():
    image = np.random.default_rng(0).random((2, 3, 8, 8)).astype(np.float32)
    found = copies(image, kind="shift", views=9)
    for channel in range(3):
        alone = copies(image[:, channel], kind="shift", views=9)
        np.testing.assert_array_equal(found[:, :, channel], alone)


def test_a_longer_shift_is_asked_for_in_pixels():
    found = copies(np.ones((1, 9, 9), dtype=np.float32), kind="shift", views=5, strength=4.0)
    np.testing.assert_array_equal(found[1:].sum(axis=(1, 2, 3)), 81 - 4 * 9)


def test_noise_has_half_once_and_twice_the_strength_in_deviations_of_its_column():
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 100.0, 0.0])
    table = rng.normal(size=(400, 3)) * scale
    found = copies(table, kind="noise", views=301, strength=0.2)
    change = found[1:] - table
    assert (np.ptp(change, axis=1) < 1e-9).all()  # one draw for all inputs
    np.testing.assert_allclose(change[..., 2], 0)
    for level, factor in enumerate((0.5, 1.0, 2.0)):
        spread = change[level::3, 0].std(axis=0)[:2] / table.std(axis=0)[:2]
        np.testing.assert_allclose(spread, 0.2 * factor, rtol=0.25)


def test_noise_on_whole_numbers_stays_within_their_range():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    found = copies(pixels, kind="noise", views=4, strength=3.0)
    assert found.dtype == np.uint8 and (found[1:] != pixels).any()
    assert (found[1:] == 255).any() and (found[1:] == 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_bits_are_turned_over_at_the_same_places_of_all_inputs(dtype):
    bits = ones((6, 40), dtype)
    found = copies(bits, kind="flip_bits", views=4, strength=0.1)
    turned = found != bits
    assert found.dtype == bits.dtype and (turned == turned[:, :1]).all()
    assert turned[:, 0].sum(axis=1).tolist() == [0, 2, 4, 8]
    assert np.isin(found, (0, 1)).all()


def test_a_bit_is_turned_over_at_least():
    assert ((copies(ones((3, 4)), kind="flip_bits", views=3) != ones((3, 4))).sum((1, 2)) > 0)[
        1:
    ].all()


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        (np.random.default_rng(0).random((3, 16, 17)), "shift"),
        (np.random.default_rng(0).random((3, 2, 16, 16)), "shift"),
        (np.random.default_rng(0).random((3, 15, 16)), "noise"),
        (np.random.default_rng(0).random((3, 20)), "noise"),
        (ones((3, 20)), "flip_bits"),
        (ones((3, 20), bool), "flip_bits"),
    ],
)
def test_the_kind_is_told_by_the_inputs(inputs, kind):
    np.testing.assert_array_equal(copies(inputs), copies(inputs, kind=kind))


def test_hits_are_where_the_likeliest_class_is_the_true_one():
    given = images(20)
    found = view_logits(linear(36), given, kind="noise", views=6, strength=1.0)
    for i in range(20):
        for j in range(6):
            answer = found["aug_logits"][i, j]
            assert found["aug_hits"][i, j] == float(np.argmax(answer) == given.labels[i])
    assert 0 < found["aug_hits"].mean() < 1


def test_of_equal_logits_the_first_class_is_predicted():
    model = linear(36)
    model.weights[:] = model.bias[:] = 0
    given = examples.of(images(4).inputs, [0, 1, 2, 0])
    assert view_logits(model, given, views=2)["aug_hits"].mean(axis=1).tolist() == [1, 0, 0, 1]


def test_votes_are_the_share_of_copies_of_which_a_class_is_the_likeliest():
    found = view_logits(linear(36), images(20), kind="noise", views=8, strength=3.0)
    logits, votes = found["aug_logits"], found["aug_votes"]
    assert votes.shape == (20, logits.shape[2])
    for own, shares in zip(logits, votes, strict=True):
        predicted = [int(np.argmax(copy)) for copy in own]
        assert shares.tolist() == [predicted.count(one) / 8 for one in range(len(shares))]
    assert ((votes > 0) & (votes < 1)).any()


@pytest.mark.parametrize("kind", ["shift", "noise"])
def test_every_model_is_shown_the_same_copies_of_a_seed(kind):
    given, models = images(5), [linear(36, seed=seed) for seed in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        view_logits(model, given, kind=kind, seed=seed)
    np.testing.assert_array_equal(models[0].calls, models[1].calls)
    assert np.array_equal(models[0].calls, models[2].calls) == (kind == "shift")


def test_copies_do_not_depend_on_how_many_there_are():
    few, many = (copies(images(5).inputs, kind="noise", views=views) for views in (4, 9))
    np.testing.assert_array_equal(few, many[:4])


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (["a text"], {}, "texts have no altered copies"),
        (np.ones((2, 5)), {"kind": "shift"}, r"images \(n h w\) or \(n c h w\), not 2 axes"),
        (np.ones((2, 5, 5)), {"kind": "shift", "strength": 1.5}, "whole number below their size"),
        (np.ones((2, 5, 5)), {"kind": "shift", "strength": 1.0}, "no 8 shifts of 1 pixels"),
        (np.ones((2, 5, 5)), {"kind": "shift", "views": 21}, "no 20 shifts of 5 pixels"),
        (np.full((2, 5), 0.5), {"kind": "flip_bits"}, "inputs of 0 and 1; use kind='noise'"),
        (ones((2, 5)), {"kind": "flip_bits", "strength": 0.6}, "at most 0.5"),
        (ones((2, 5), bool), {"kind": "noise"}, "not for bits; use kind='flip_bits'"),
    ],
)
def test_what_cannot_be_altered_is_refused_before_the_model_is_asked(inputs, options, says):
    model = linear(5)
    with pytest.raises(SpecError, match=says):
        view_logits(model, examples.of(inputs, [0] * len(inputs)), **options)
    assert not model.calls
