"""Adapters trained side by side are those that are trained alone, in one pass over their base."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file

from nonmember.data.texts import Record
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models import causal
from nonmember.models.causal import Placement, load_tokenizer
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Form, encode
from nonmember.signals.language import token_statistics
from nonmember.training import adapters
from nonmember.training.adapters import fit_adapters
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Fitted, Material, expected
from nonmember.training.recipe import Recipe
from nonmember.training.state import State

CPU = torch.device("cpu")
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
RECIPE = Recipe(
    method="lora", epochs=3, batch_size=2, micro_batch=5, learning_rate=1e-2, rank=4, alpha=8.0,
    weight_decay=0.1, clip=0.5,
)  # fmt: skip
SEEDS = (3, 4, 5)
MEMBER = np.array(
    [[True] * 6 + [False] * 6, [False, True] * 6, [False] * 7 + [True] * 5]
)  # the last one has fewer records, and so fewer updates


def folders(place: Path, count: int = 3) -> list[Path]:
    return [place / str(number) for number in range(count)]


def fitted(
    base: Source,
    encoded: Sequence[Encoded],
    place: Path,
    recipe: Recipe = RECIPE,
    where: Placement = F32,
    **more: object,
) -> tuple[tuple[Fitted, ...], list[dict[str, torch.Tensor]]]:
    given = {"seeds": SEEDS, **more}
    found = fit_adapters(base, where, encoded, MEMBER, recipe, folders(place), **given)  # type: ignore[arg-type]
    return found, [weights(folder) for folder in folders(place)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def alone(
    base: Source,
    encoded: Sequence[Encoded],
    number: int,
    place: Path,
    recipe: Recipe = RECIPE,
    where: Placement = F32,
) -> tuple[Fitted, dict[str, torch.Tensor]]:
    own = Material(([one for one, saw in zip(encoded, MEMBER[number], strict=True) if saw],))
    found = fine_tune(base, own, recipe, where, place, seed=SEEDS[number])
    return found, weights(place)


def differences(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> np.ndarray:
    """Between the weights of two adapters, every one."""
    assert one.keys() == other.keys()
    return np.concatenate([(one[name] - other[name]).abs().numpy().ravel() for name in one])


@pytest.mark.parametrize("kind", ["llama", "gemma2", "granite", "phi"])
@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_side_by_side_they_are_what_each_is_alone(
    encoded: tuple[Encoded, ...], tmp_path: Path, kind: str, where: Placement
) -> None:
    """Up to rounding, which AdamW turns into its step where a gradient is next to nothing."""
    base = locate(str(tiny.ARCHITECTURES[kind](tmp_path / "base")))
    together, found = fitted(base, encoded, tmp_path / "together", where=where)
    rounding = 1e-5 if where is F32 else 5e-3
    for number, own in enumerate(found):
        single, same = alone(base, encoded, number, tmp_path / f"alone{number}", where=where)
        off = differences(own, same)
        assert np.median(off) < 1e-5
        assert off.max() < 0.3 * RECIPE.learning_rate
        assert together[number].losses == pytest.approx(single.losses, rel=rounding)
        assert together[number].tokens == single.tokens
        assert together[number].seen == single.seen
        moved = [float(weight.abs().max()) for name, weight in own.items() if "lora_B" in name]
        assert min(moved) > RECIPE.learning_rate


@pytest.mark.parametrize("change", [{"micro_batch": 1}, {"micro_batch": 2}, {"micro_batch": 99}])
def test_who_is_computed_together_changes_nothing(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, change: dict[str, int]
) -> None:
    _, found = fitted(llama, encoded, tmp_path / "one")
    _, other = fitted(llama, encoded, tmp_path / "other", replace(RECIPE, **change))  # type: ignore[arg-type]
    for own, same in zip(found, other, strict=True):
        assert differences(own, same).max() < 1e-5


def test_an_adapter_does_not_know_its_neighbours(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    _, found = fitted(llama, encoded, tmp_path / "three")
    order, places = [2, 0], folders(tmp_path / "two", 2)
    seeds = [SEEDS[number] for number in order]
    fit_adapters(llama, F32, encoded, MEMBER[order], RECIPE, places, seeds=seeds)
    for number, place in zip(order, places, strict=True):
        assert differences(found[number], weights(place)).max() < 1e-5


def test_dropout_is_drawn_from_the_seeds_alone(
    encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    """GPT-2's config drops a tenth of everything, the adapters here a third."""
    base = locate(str(tiny.gpt2(tmp_path / "gpt2")))
    recipe = replace(RECIPE, dropout=0.3, epochs=1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, own = fitted(base, encoded, tmp_path / "first", recipe)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, same = fitted(base, encoded, tmp_path / "again", recipe)
    without, _ = fitted(base, encoded, tmp_path / "without", replace(recipe, dropout=0.0))
    assert first == again != without
    assert all(differences(*pair).max() == 0 for pair in zip(own, same, strict=True))


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.mark.parametrize("updates", [1, 5, 8])
def test_interrupted_anywhere_they_end_as_if_they_had_not_been(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    updates: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, found = fitted(llama, encoded, tmp_path / "whole")
    monkeypatch.setattr(adapters, "CHECKPOINT_SECONDS", 0.0)
    told: list[int] = []

    def watch(tokens: int) -> None:
        told.append(tokens)
        if len(told) > updates:
            raise StoppedError

    scratch, place = tmp_path / "scratch", tmp_path / "again"
    with pytest.raises(StoppedError):
        fitted(llama, encoded, place, scratch=scratch, watch=watch)
    assert not place.exists()
    kept, told[:] = sum(told[:updates]), []
    again, same = fitted(llama, encoded, place, scratch=scratch, watch=told.append)
    assert again == whole
    assert all(differences(*pair).max() == 0 for pair in zip(found, same, strict=True))
    assert told[0] == kept
    trained = (one for saw in MEMBER for one, chosen in zip(encoded, saw, strict=True) if chosen)
    assert sum(told) == RECIPE.epochs * sum(len(one.ids) for one in trained)


def test_without_time_for_a_checkpoint_there_is_none(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    fitted(llama, encoded, tmp_path / "whole", scratch=tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_an_adapter_is_a_model_like_any_other(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, where: Placement
) -> None:
    fitted(llama, encoded, tmp_path, replace(RECIPE, epochs=12), where)
    gains = []
    for number, folder in enumerate(folders(tmp_path)):
        found = locate(str(folder))
        assert found.kind == "adapter"
        assert found.base is not None and found.base.digest == llama.digest
        settings = json.loads((folder / "adapter_config.json").read_text())
        assert settings["base_model_name_or_path"] == str(llama.path)
        assert {weight.dtype for weight in weights(folder).values()} == {torch.float32}
        model = causal.load(found, where)
        own, base = (
            np.nanmean(token_statistics(one, encoded)["token_logprobs"], axis=1)
            for one in (model, causal.base_of(model))
        )
        saw = MEMBER[number]
        gains.append((own - base)[saw].mean() - (own - base)[~saw].mean())
    assert min(gains) > 0.3, "each learnt its own records above all"


def test_what_it_was_trained_on_is_told_by_its_material(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    found, _ = fitted(llama, encoded, tmp_path)
    for one, saw, seed in zip(found, MEMBER, SEEDS, strict=True):
        own = Material(([text for text, chosen in zip(encoded, saw, strict=True) if chosen],))
        assert one.seen == expected(own, RECIPE, seed=seed, epochs=RECIPE.epochs)


def test_long_records_are_trained_on_in_windows(
    llama: Source, tmp_path: Path, encoded: tuple[Encoded, ...]
) -> None:
    tokenizer = load_tokenizer(llama)
    records = [Record(str(i), " ".join(tiny.LINES)[i:]) for i in range(12)]
    long = encode(tokenizer, records, Form(16, long="slide"))
    recipe = replace(RECIPE, epochs=1)
    together, found = fitted(llama, long, tmp_path / "together", recipe)
    single, same = alone(llama, long, 0, tmp_path / "alone", recipe)
    assert together[0].tokens == single.tokens and together[0].seen == single.seen
    assert differences(found[0], same).max() < 1e-5


def test_eight_small_adapters_and_adamw_take_a_fraction_of_their_base(
    tmp_path: Path, encoded: tuple[Encoded, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of rank 4 on q and v, in float32 with two moments each, under a base in bfloat16."""
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 2}
    base = locate(str(tiny.llama(tmp_path / "base", **shape)))
    recipe = replace(RECIPE, epochs=1, exclude=("k_proj", "o_proj", "mlp"))
    held: list[int] = []

    def end(state: State) -> None:
        own = [*state.masters]
        moments = [m for one in own for n, m in state.optimiser.state[one].items() if n != "step"]
        held.append(sum(one.numel() * one.element_size() for one in [*own, *moments]))
        ending(state)

    ending = adapters.end
    monkeypatch.setattr(adapters, "end", end)
    member, places = np.ones((8, 12), dtype=bool), folders(tmp_path, 8)
    fit_adapters(base, BF16, encoded, member, recipe, places, seeds=range(8))
    per_layer = 4 * (256 + 256) + 4 * (256 + 128)
    assert held == [2 * per_layer * 3 * 4] * 8
    assert sum(held) < 0.2 * 2 * base.parameters
    assert {name.split(".")[-3] for name in weights(places[0])} == {"q_proj", "v_proj"}


def test_the_base_is_left_alone(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    network = causal.load(llama, F32).network
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    one = begun(network, llama, tmp_path)
    assert {name: module for name, module in network.named_modules() if "lora" in name} == {}
    assert all(torch.equal(network.state_dict()[name], weight) for name, weight in before.items())
    assert all(not layer._forward_hooks for layer in network.modules())
    assert one


def begun(network: torch.nn.Module, base: Source, scratch: Path) -> object:
    return adapters._begun(network, base, MEMBER, RECIPE, SEEDS, scratch)


@pytest.mark.parametrize(
    "change, error, told",
    [
        ({"recipe": replace(RECIPE, method="full")}, SpecError, 'method = "full"'),
        ({"recipe": replace(RECIPE, hold_back=0.1)}, SpecError, "hold_back = 0.1"),
        ({"recipe": replace(RECIPE, epsilon=8.0)}, SpecError, "epsilon = 8.0"),
        ({"recipe": replace(RECIPE, exclude=("nothing",))}, ModelError, "'nothing'"),
        ({"recipe": replace(RECIPE, learning_rate=1e30)}, ModelError, "learning rate"),
        ({"seeds": (1, 2)}, DataError, "2 seeds"),
        ({"member": MEMBER[:, :5]}, DataError, "12 records"),
        ({"member": MEMBER & False}, DataError, "0 gets no token"),
    ],
)
def test_what_cannot_be_trained_side_by_side_is_refused(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    change: dict[str, object],
    error: type[Exception],
    told: str,
) -> None:
    given = {"member": MEMBER, "recipe": RECIPE, "seeds": SEEDS, **change}
    with pytest.raises(error, match=told):
        fit_adapters(
            llama, F32, encoded, given["member"], given["recipe"], folders(tmp_path),
            seeds=given["seeds"],
        )  # fmt: skip


def test_an_adapter_is_no_base(llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path) -> None:
    above = locate(str(tiny.adapter(tmp_path / "adapter", llama.path)))
    with pytest.raises(ModelError, match="merge it"):
        fitted(above, encoded, tmp_path)
