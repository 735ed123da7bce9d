"""Regenerated inputs and what is said of them: by hand, and refused where there are none."""

import numpy as np
import pytest
from signals.classifiers import images, linear

from nonmember.data import examples
from nonmember.errors import DataError, SpecError
from nonmember.models.diffusion import Diffusion, Regeneration, fresh
from nonmember.signals import diffused
from nonmember.signals.diffused import (
    EACH,
    LEVELS,
    QUERIES,
    Joined,
    diffused_hits,
    diffusion_error,
)

ALPHAS = np.linspace(0.99, 0.5, 120)


def diffusion(denoiser=lambda noised, t: 0.1 * noised, shape=(6, 6)):
    return Diffusion(denoiser, ALPHAS, shape, 0.0, 1.0, "by hand")


def thrice(inputs):
    """The input, the input turned over, and none of it."""
    return np.stack([inputs, 1 - inputs, 0 * inputs], axis=1)


def test_hits_equal_the_loop():
    given, model = images(9), linear(36)
    found = diffused_hits(model, given, thrice)["diffused_hits"]
    assert found.shape == (9, 3)
    for row, image, label in zip(found, given.inputs, given.labels, strict=True):
        for hit, copy in zip(row, (image, 1 - image, 0 * image), strict=True):
            assert hit == (np.argmax(model.logits(copy[None])[0]) == label)
    assert 0 < found.mean() < 1


def test_of_equal_logits_the_first_class_is_predicted():
    model = linear(36)
    model.weights[:] = model.bias[:] = 0
    given = examples.of(images(4).inputs, [0, 1, 2, 0])
    assert diffused_hits(model, given, thrice)["diffused_hits"].mean(axis=1).tolist() == [
        1,
        0,
        0,
        1,
    ]


def test_few_inputs_are_regenerated_at_once(monkeypatch):
    given, sizes = images(9), []

    def noted(inputs):
        sizes.append(len(inputs))
        return thrice(inputs)

    whole = diffused_hits(linear(36), given, noted)["diffused_hits"]
    monkeypatch.setattr(diffused, "NUMBERS_AT_ONCE", 2 * QUERIES * 36)
    parts = diffused_hits(linear(36), given, noted)["diffused_hits"]
    assert sizes == [9, 2, 2, 2, 2, 1]
    np.testing.assert_array_equal(parts, whole)


def test_copies_of_each_level_stand_together():
    given = images(2).inputs
    makers = tuple(fresh(diffusion(), Regeneration(t=t, n=2), b"own") for t in (10, 100))
    found = Joined(makers)(given)
    assert found.shape == (2, 4, 6, 6)
    for place, maker in enumerate(makers):
        np.testing.assert_array_equal(found[:, 2 * place : 2 * place + 2], maker(given))
    assert Joined(makers).digest != Joined(makers[::-1]).digest


def test_an_attacker_asks_thirty_times_at_each_of_four_levels():
    assert [one.t for one in LEVELS] == [20, 40, 80, 120] and QUERIES == 120
    assert {one.n for one in LEVELS} == {EACH}


def test_the_error_by_hand():
    """Whoever takes everything for noise leaves noised less noise: sqrt(abar) x / sqrt(abar)."""
    given = examples.of(np.array([[0.5, 1.0], [0.0, 0.5]]), [0, 0])
    blind = diffusion(lambda noised, t: noised * 0, (2,))
    found = diffusion_error(given, blind, t=100, n=4000, error="noise")["diffusion_error"]
    np.testing.assert_allclose(found, [1, 1], rtol=0.06)  # the variance of the noise itself
    knowing = diffusion(lambda noised, t: noised / (1 - ALPHAS[t]) ** 0.5, (2,))
    found = diffusion_error(given, knowing, t=100, n=3)["diffusion_error"]
    np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-6)  # all is noise: 0 is left, of -1 to 1


def test_errors_of_noise_and_of_inputs_rank_alike():
    given, model = images(20), diffusion(lambda noised, t: 0.9 * noised)
    found = {
        error: diffusion_error(given, model, t=5, n=5, error=error)["diffusion_error"]
        for error in ("reconstruction", "noise")
    }
    order = [np.argsort(one) for one in found.values()]
    assert np.mean(order[0] == order[1]) > 0.5


def test_the_noise_is_seeded():
    given = images(5)
    one, same, other = (
        diffusion_error(given, diffusion(), seed=seed)["diffusion_error"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_texts_are_refused():
    texts = examples.of(["a text"], [0])
    with pytest.raises(SpecError, match="diffused_hits: texts are not regenerated"):
        diffused_hits(linear(5), texts, thrice)
    with pytest.raises(SpecError, match="diffusion_error: texts are not regenerated"):
        diffusion_error(texts, diffusion())


@pytest.mark.parametrize(
    "wrong",
    [lambda x: x, lambda x: thrice(x)[1:], lambda x: thrice(x)[:, :0], lambda x: thrice(x)[..., 0]],
)
def test_what_makes_no_copies_is_refused_before_the_model_is_asked(wrong):
    model = linear(36)
    with pytest.raises(SpecError, match=r"diffused_hits: copies of shape .* at least one of each"):
        diffused_hits(model, images(3), wrong)
    assert not model.calls


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(DataError, match="the model is of numbers in shape"):
        diffusion_error(images(3, (5, 5)), diffusion())
