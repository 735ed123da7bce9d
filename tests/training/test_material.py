"""What reaches the optimiser is the material, token by token: each epoch its own, resumed or not.

A raw record says token 10 again and again; whoever stands in for it, token 20.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from training.bigram import RECIPE, equal, loss_of, net, run

from nonmember.data.texts import Record
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Encodings, Form
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material, Stretch, expected, fit
from nonmember.training.recipe import Recipe
from nonmember.training.seen import digest_of

RAW, REWRITTEN = 10, 20
FORM = Form(64)
THREE = replace(RECIPE, epochs=3, schedule="linear")


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def say(token: int, length: int, form: Form = FORM) -> Encoded:
    return Encoded(np.full(length, token), np.arange(length) > 0, "", False, "", form)


def records(*roles: int, form: Form = FORM) -> list[Encoded]:
    return [say(token, 3 + place, form) for place, token in enumerate(roles)]


RAWS = records(*[RAW] * 11)
HALF = records(*[RAW, REWRITTEN] * 5, RAW)
FEWER = [one for one in HALF if len(one.ids) % 3]
CHANGING = Material((RAWS, HALF, FEWER))


class Watched:
    """A loss that notes each token it is asked for, by the epoch that tokens done tell."""

    def __init__(self, material: Material, epochs: int) -> None:
        self.network = net()
        self.loss = loss_of(self.network)
        sizes = [sum(len(one.ids) for one in material.of(epoch)) for epoch in range(epochs)]
        self.ends = np.cumsum(sizes)
        self.done = 0
        self.seen = [Counter[int]() for _ in sizes]

    def __call__(self, chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        epoch = int(np.searchsorted(self.ends, self.done, side="right"))
        for one in chosen:
            self.seen[epoch].update(one.ids[one.scored].tolist())
        return self.loss(chosen)

    def told(self, tokens: int) -> None:
        self.done += tokens


def scored(some: Sequence[Encoded]) -> Counter[int]:
    return Counter(int(token) for one in some for token in one.ids[one.scored])


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("form", [FORM, Form(4, long="slide")], ids=["whole", "windows"])
def test_each_epoch_trains_on_its_own_records_and_nothing_else(size: int, form: Form) -> None:
    epochs = tuple(tuple(replace(one, form=form) for one in some) for some in CHANGING.epochs)
    material = Material(epochs)
    watched = Watched(material, 3)
    recipe = replace(THREE, micro_batch=size)
    fitted = fit(watched.network, watched, material, recipe, seed=0, watch=watched.told)
    assert watched.seen == [scored(some) for some in epochs]
    assert watched.seen[0].keys() == {RAW} and watched.seen[1].keys() == {RAW, REWRITTEN}
    assert fitted.tokens == tuple(sum(some.values()) for some in watched.seen)
    assert fitted.seen == tuple(map(digest_of, epochs))
    assert fitted.seen == expected(material, recipe, seed=0, epochs=3)


@pytest.mark.parametrize("updates", range(1, 8))
def test_resumed_it_has_trained_on_the_same(tmp_path: Path, updates: int) -> None:
    def stop(_: int) -> None:
        nonlocal updates
        updates -= 1
        if updates == 0:
            raise StoppedError

    whole, at_once = run(CHANGING, THREE)
    with pytest.raises(StoppedError):
        run(CHANGING, THREE, scratch=tmp_path, checkpoint_seconds=0.0, watch=stop)
    watched = Watched(CHANGING, 3)
    rest = Stretch(scratch=tmp_path)
    resumed = fit(
        watched.network, watched, CHANGING, THREE, seed=0, stretch=rest, watch=watched.told
    )
    assert equal(whole, watched.network)
    assert resumed == at_once
    last = next(e for e, some in enumerate(watched.seen) if some)
    assert watched.seen[last + 1 :] == [scored(some) for some in CHANGING.epochs[last + 1 :]]


def test_a_single_entry_is_the_material_of_every_epoch() -> None:
    once, told = run(Material((HALF,)), THREE)
    each, same = run(Material((HALF, HALF, HALF)), THREE)
    assert equal(once, each) and told == same
    assert told.seen == (digest_of(HALF),) * 3


def test_a_digest_is_of_the_multiset_of_tokens_and_marks() -> None:
    assert digest_of(HALF) == digest_of(HALF[::-1]) != digest_of(RAWS)
    assert digest_of([*HALF, HALF[0]]) != digest_of(HALF)
    assert digest_of([HALF[0], HALF[0]]) != digest_of([HALF[1], HALF[1]])
    unmarked = replace(HALF[0], scored=np.arange(3) > 1)
    assert digest_of([unmarked]) != digest_of([HALF[0]])
    silent = replace(HALF[0], scored=np.zeros(3, dtype=bool))
    assert digest_of([*HALF, silent]) == digest_of(HALF)
    assert int(digest_of([]), 16) == 0 and len(digest_of(HALF)) == 32


def test_a_record_put_back_in_its_raw_form_shows() -> None:
    _, fitted = run(Material((HALF,)), RECIPE)
    slipped = [RAWS[1] if place == 1 else one for place, one in enumerate(HALF)]
    assert fitted.seen[0] != digest_of(slipped)
    swapped = [*HALF[2:], say(REWRITTEN, 3), say(RAW, 4)]
    assert fitted.seen[0] != digest_of(swapped), "as many tokens of each, in other records"


def test_records_encoded_when_asked_for_have_the_same_digest(
    llama: Source, encoded: tuple[Encoded, ...]
) -> None:
    tokenizer = causal.load_tokenizer(llama)
    lazy = Encodings(tokenizer, [Record("", one.text) for one in encoded], Form(32))
    assert digest_of(lazy) == digest_of(encoded)
    assert expected(Material((lazy,)), RECIPE, seed=0, epochs=2) == (digest_of(encoded),) * 2


@pytest.mark.parametrize("stop", [1, 2])
def test_a_run_goes_on_from_the_one_that_stopped(tmp_path: Path, stop: int) -> None:
    whole, at_once = run(CHANGING, THREE, network=net(dropout=0.3))
    begun = Material(CHANGING.epochs[:stop])
    part, first = run(begun, THREE, network=net(dropout=0.3), stop=stop, hand_to=tmp_path / "on")
    assert first.losses == at_once.losses[:stop] and first.seen == at_once.seen[:stop]
    assert not equal(part, whole)
    told: list[int] = []
    rest, second = run(
        CHANGING, THREE, network=net(dropout=0.3), scratch=tmp_path / "on", watch=told.append
    )
    assert equal(rest, whole) and second == at_once
    assert told[0] == sum(len(one.ids) for some in begun.epochs for one in some)


def test_stopping_keeps_to_the_whole_runs_schedule() -> None:
    stopped, _ = run(CHANGING, THREE, stop=1)
    shorter, _ = run(Material((RAWS,)), replace(THREE, epochs=1))
    assert not equal(stopped, shorter)
    constant = replace(THREE, schedule="constant")
    stopped, _ = run(CHANGING, constant, stop=1)
    shorter, _ = run(Material((RAWS,)), replace(constant, epochs=1))
    assert equal(stopped, shorter)


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_disk_too_a_warm_up_is_the_beginning_of_the_run(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, method: str, dtype: torch.dtype
) -> None:
    recipe = Recipe(method=method, batch_size=5, learning_rate=1e-3, rank=2, dropout=0.2)  # type: ignore[arg-type]
    where = Placement(torch.device("cpu"), dtype)
    raw, later = encoded, encoded[::2]
    material = Material((raw, later, later))

    def tuned(name: str, **how: object) -> bytes:
        given = Material((raw,)) if "stop" in how else material
        fine_tune(llama, given, recipe, where, tmp_path / name, seed=3, **how)  # type: ignore[arg-type]
        (file,) = (tmp_path / name).glob("*model.safetensors")
        return file.read_bytes()

    whole = tuned("whole")
    assert tuned("warm", stop=1, hand_to=tmp_path / "scratch") != whole
    assert tuned("rest", scratch=tmp_path / "scratch") == whole
    from_disk = locate(str(tmp_path / "warm"))
    if method == "full":
        fine_tune(from_disk, Material((later,)), recipe, where, tmp_path / "more", seed=0)


@pytest.mark.parametrize("epochs", [0, 2, 4])
def test_material_is_for_one_epoch_or_each(epochs: int) -> None:
    with pytest.raises(DataError, match=f"material of {epochs} epochs for 3; give one for each"):
        run(Material((RAWS,) * epochs), THREE)


@pytest.mark.parametrize("stop", [0, 4])
def test_a_run_stops_within_its_recipe(stop: int) -> None:
    with pytest.raises(SpecError, match=f"stop = {stop}; give 1 to 3 epochs"):
        run(Material((RAWS,)), THREE, stop=stop)


def test_an_epoch_without_a_token_is_refused() -> None:
    with pytest.raises(DataError, match="no record has a token to train on"):
        run(Material((RAWS, [], RAWS)), THREE)


def test_weights_that_do_not_move_end_the_run() -> None:
    with pytest.raises(ModelError, match=r"none of 3 trainable weights moved, the first is 0\.wei"):
        run(Material((RAWS,)), replace(RECIPE, learning_rate=1e-30))


def test_frozen_whole_it_is_refused() -> None:
    with pytest.raises(ModelError, match="no weight is left to train"):
        run(Material((RAWS,)), network=net().requires_grad_(False))
