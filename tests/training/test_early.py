"""Early stopping: by records that no update is made of, and back to the best epoch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training.bigram import RECIPE, equal, loss_of, net, run

from nonmember.errors import DataError
from nonmember.models.text import Encoded
from nonmember.training.early import mean_loss, over
from nonmember.training.loop import Material, expected
from nonmember.training.order import held_back
from nonmember.training.seen import digest_of

LONG = replace(RECIPE, epochs=40, learning_rate=0.05, hold_back=0.25)


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def interrupt_after(updates: int) -> Callable[[int], None]:
    left = updates

    def watch(_: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StoppedError

    return watch


def test_over_is_after_the_first_epoch_that_does_not_lower_the_loss() -> None:
    nan = float("nan")
    assert not over([]) and not over([3.0]) and not over([nan]) and not over([3.0, 2.0])
    assert over([3.0, 3.0]) and over([3.0, 2.0, 2.5]) and over([3.0, nan])


def test_it_stops_there_and_keeps_the_epoch_before(encoded: tuple[Encoded, ...]) -> None:
    network, fitted = run(Material((encoded,)), LONG)
    losses = fitted.held_losses
    assert 2 < len(losses) < 40, "it overfits, but not at once"
    assert over(losses) and not over(losses[:-1])
    assert len(fitted.losses) == len(fitted.tokens) == len(fitted.seen) == len(losses)
    before, same = run(Material((encoded,)), LONG, stop=len(losses) - 1)
    assert equal(network, before) and same.held_losses == losses[:-1]
    watched = [encoded[place] for place in fitted.held_back]
    assert mean_loss(network, loss_of(network), watched, 2) == pytest.approx(min(losses))


def test_what_is_held_back_is_not_trained_on(encoded: tuple[Encoded, ...]) -> None:
    _, fitted = run(Material((encoded,)), LONG)
    assert len(fitted.held_back) == 3 and fitted.held_back == held_back(12, LONG, seed=0)
    rest = [one for place, one in enumerate(encoded) if place not in fitted.held_back]
    assert set(fitted.seen) == {digest_of(rest)}
    epochs = len(fitted.seen)
    assert fitted.seen == expected(Material((encoded,)), LONG, seed=0, epochs=epochs)
    assert fitted.tokens[0] == sum(int(one.scored.sum()) for one in rest)


def test_who_is_held_back_depends_on_the_seed_alone() -> None:
    assert held_back(100, LONG, seed=1) != held_back(100, LONG, seed=2)
    assert held_back(100, LONG, seed=1) == held_back(100, replace(LONG, epochs=1), seed=1)
    assert len(held_back(100, LONG, seed=1)) == 25 and held_back(100, RECIPE, seed=1) == ()
    assert len(held_back(10, replace(LONG, hold_back=0.01), seed=0)) == 1


def test_the_held_back_are_watched_without_dropout(encoded: tuple[Encoded, ...]) -> None:
    network = net(dropout=0.5)
    network.train()
    found = mean_loss(network, loss_of(network), encoded, 5)
    network.eval()
    total, count = loss_of(network)(encoded)
    assert found == pytest.approx(float(total.detach()) / count)


@pytest.mark.parametrize("updates", [1, 2, 3, 5, 9, 12])
def test_interrupted_it_ends_the_same(
    encoded: tuple[Encoded, ...], tmp_path: Path, updates: int
) -> None:
    material = Material((encoded,))
    whole, at_once = run(material, LONG, network=net(dropout=0.2))
    with pytest.raises(StoppedError):
        run(
            material,
            LONG,
            network=net(dropout=0.2),
            scratch=tmp_path,
            checkpoint_seconds=0.0,
            watch=interrupt_after(updates),
        )
    again, resumed = run(material, LONG, network=net(dropout=0.2), scratch=tmp_path)
    assert equal(whole, again) and resumed == at_once


def test_from_its_very_end_too(encoded: tuple[Encoded, ...], tmp_path: Path) -> None:
    material = Material((encoded,))
    whole, at_once = run(material, LONG, scratch=tmp_path, checkpoint_seconds=0.0)
    again, resumed = run(material, LONG, scratch=tmp_path)
    assert equal(whole, again) and resumed == at_once


def test_nothing_to_watch_or_to_follow_is_refused(encoded: tuple[Encoded, ...]) -> None:
    silent = [replace(one, scored=np.zeros_like(one.scored)) for one in encoded]
    held = held_back(12, LONG, seed=0)
    some = [silent[i] if i in held else one for i, one in enumerate(encoded)]
    with pytest.raises(DataError, match="no record that is held back has a token to score"):
        run(Material((some,)), LONG)
    with pytest.raises(DataError, match="these have 12, 11 of them; give each epoch the same"):
        run(Material((encoded, encoded[1:])), replace(LONG, epochs=2))
    with pytest.raises(DataError, match="no record has a token to train on"):
        run(Material((encoded[:1],)), replace(LONG, hold_back=0.9))
