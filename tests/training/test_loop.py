"""One plain loop: every update is AdamW's, in float32, in a fixed order."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn
from training.bigram import RECIPE, equal, farthest, loss_of, net, trained, weights

from nonmember.data.texts import Record
from nonmember.errors import DataError, ModelError
from nonmember.models.text import Encoded, Encodings, Form, encode, windows
from nonmember.training import loop
from nonmember.training.loop import Material, fit
from nonmember.training.order import batches
from nonmember.training.state import State


@pytest.mark.parametrize(("records", "size"), [(12, 5), (12, 4), (3, 8), (1, 1)])
def test_every_epoch_visits_every_record_once(records: int, size: int) -> None:
    plan = tuple(batches([records] * 3, replace(RECIPE, epochs=3, batch_size=size), seed=0))
    for epoch in range(3):
        own = [batch.records for batch in plan if batch.epoch == epoch]
        assert sorted(i for chosen in own for i in chosen) == list(range(records))
        assert all(len(chosen) == size for chosen in own[:-1])
    assert [batch.epoch for batch in plan] == sorted(batch.epoch for batch in plan)


def test_the_order_depends_on_the_seed_and_nothing_else() -> None:
    plan = tuple(batches([50, 50], RECIPE, seed=3))
    np.random.seed(1)  # noqa: NPY002  (must not matter)
    assert tuple(batches([50, 50], replace(RECIPE, learning_rate=1.0), seed=3)) == plan
    assert tuple(batches([50, 50], RECIPE, seed=4)) != plan
    first, second = ([b.records for b in plan if b.epoch == epoch] for epoch in (0, 1))
    assert first != second, "shuffled anew"


@pytest.mark.parametrize("clip", [float("inf"), 0.05])
def test_an_update_is_adamws(encoded: tuple[Encoded, ...], clip: float) -> None:
    recipe = replace(RECIPE, epochs=1, batch_size=12, micro_batch=12, clip=clip, weight_decay=0.1)
    by_hand = net()
    optimiser = torch.optim.AdamW(by_hand.parameters(), lr=1e-2, weight_decay=0.1)
    total, tokens = loss_of(by_hand)(encoded)
    (total / tokens).backward()
    norm = torch.nn.utils.clip_grad_norm_(by_hand.parameters(), clip)
    optimiser.step()
    network, losses = trained(encoded, recipe)
    assert norm > 0.05, "the smaller clip clips"
    assert farthest(network, by_hand) < 1e-6
    assert losses == pytest.approx([float(total.detach()) / tokens], rel=1e-6)


def test_several_updates_are_adamws(encoded: tuple[Encoded, ...]) -> None:
    recipe = replace(RECIPE, schedule="linear", micro_batch=5, clip=0.05)
    by_hand, plan = net(), tuple(batches([12, 12], recipe, seed=0))
    optimiser = torch.optim.AdamW(by_hand.parameters(), weight_decay=0.0)
    for step, batch in enumerate(plan):
        total, tokens = loss_of(by_hand)([encoded[i] for i in batch.records])
        (total / tokens).backward()
        torch.nn.utils.clip_grad_norm_(by_hand.parameters(), recipe.clip)
        optimiser.param_groups[0]["lr"] = recipe.learning_rate * (1 - step / len(plan))
        optimiser.step()
        optimiser.zero_grad()
    network, _ = trained(encoded, recipe)
    assert farthest(network, by_hand) < 1e-5


def test_updates_too_small_for_bfloat16_add_up(encoded: tuple[Encoded, ...]) -> None:
    tiny_steps = replace(RECIPE, epochs=20, batch_size=12, learning_rate=1e-6)
    start = net(dtype=torch.bfloat16)
    lost = start[0].weight.detach() + torch.tensor(1e-6).bfloat16()
    moved = (lost != start[0].weight).float().mean()
    assert moved < 0.05, "in bfloat16 such a step is lost"
    before = [weight.float() for weight in weights(start)]
    network, _ = trained(encoded, tiny_steps, network=start)
    for weight, old in zip(network.parameters(), before, strict=True):
        assert weight.dtype == torch.float32
        assert not torch.equal(weight, old)
    used = np.unique(np.concatenate([one.ids[:-1] for one in encoded]))
    distance = (network[0].weight.detach() - before[0])[used].abs()
    assert float(distance.median()) == pytest.approx(20e-6, rel=0.3)


def test_while_training_a_bfloat16_network_computes_in_bfloat16(
    encoded: tuple[Encoded, ...],
) -> None:
    network, seen = net(dtype=torch.bfloat16), []
    trained(encoded, network=network, watch=lambda _: seen.append(network[0].weight.dtype))
    assert set(seen) == {torch.bfloat16}


def test_frozen_weights_stay(encoded: tuple[Encoded, ...]) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        network = net(dtype=dtype)
        network[0].requires_grad_(False)
        before = weights(network)
        trained(encoded, network=network)
        assert torch.equal(network[0].weight, before[0])
        assert network[0].weight.dtype == dtype
        assert network[0].weight.grad is None
        assert not torch.equal(network[2].weight, before[1])


def test_a_weight_that_got_no_gradient_ends_the_run(encoded: tuple[Encoded, ...]) -> None:
    network = net()
    network.register_parameter("unused", nn.Parameter(torch.ones(3)))
    with pytest.raises(
        ModelError, match="1 of 4 trainable weights got no gradient, the first is un"
    ):
        trained(encoded, replace(RECIPE, weight_decay=0.5), network=network)
    assert torch.equal(network.unused, torch.ones(3))


def test_the_loss_falls(encoded: tuple[Encoded, ...]) -> None:
    _, losses = trained(encoded, replace(RECIPE, epochs=6))
    assert len(losses) == 6
    assert list(losses) == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.3


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_one_seed_gives_one_result(encoded: tuple[Encoded, ...], dropout: float) -> None:
    first, losses = trained(encoded, network=net(dropout=dropout))
    torch.manual_seed(99)  # must not matter
    again, same = trained(encoded, network=net(dropout=dropout))
    other, _ = trained(encoded, network=net(dropout=dropout), seed=1)
    assert equal(first, again)
    assert losses == same
    assert not equal(first, other)


def test_dropout_drops_and_not_the_same_twice(encoded: tuple[Encoded, ...]) -> None:
    masks: list[Tensor] = []
    network = net(dropout=0.5)
    network[1].register_forward_hook(lambda *given: masks.append(given[2].detach() == 0))
    trained(encoded[:2], replace(RECIPE, epochs=4, batch_size=2), network=network)
    kept = [mask.float().mean() for mask in masks]
    assert all(0.3 < share < 0.7 for share in kept)
    assert len({mask.numpy().tobytes() for mask in masks}) == len(masks) == 4


def test_the_global_generators_are_left_alone(encoded: tuple[Encoded, ...]) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    trained(encoded, network=net(dropout=0.3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [1, 2, 3, 12])
def test_how_many_are_computed_at_a_time_changes_no_update(
    encoded: tuple[Encoded, ...], size: int
) -> None:
    at_once, losses = trained(encoded, replace(RECIPE, batch_size=12, micro_batch=100))
    in_parts, same = trained(encoded, replace(RECIPE, batch_size=12, micro_batch=size))
    assert farthest(at_once, in_parts) < 1e-5
    assert same == pytest.approx(losses, rel=1e-5)


def test_tokens_that_are_not_scored_teach_nothing(encoded: tuple[Encoded, ...]) -> None:
    def ending(token: int, *, scored: bool) -> list[Encoded]:
        return [
            replace(one, ids=np.append(one.ids, token), scored=np.append(one.scored, scored))
            for one in encoded
        ]

    taught, other = (trained(ending(token, scored=False))[0] for token in (7, 8))
    assert equal(taught, other)
    taught, other = (trained(ending(token, scored=True))[0] for token in (7, 8))
    assert not equal(taught, other), "scored, they do"


def test_records_and_batches_without_a_scored_token_are_passed_over(
    encoded: tuple[Encoded, ...],
) -> None:
    silent = [replace(one, scored=np.zeros_like(one.scored)) for one in encoded[:3]]
    one_at_a_time = replace(RECIPE, epochs=1, batch_size=1)
    network, losses = trained([*silent, encoded[3]], one_at_a_time)
    alone, same = trained([encoded[3]], one_at_a_time)
    assert equal(network, alone)
    assert losses == same


def test_the_learning_rate_falls_to_nearly_nothing(
    encoded: tuple[Encoded, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    ordinary = loop.step

    def told(state: State, rate: float, clip: float) -> None:
        ordinary(state, rate, clip)
        rates.append(state.optimiser.param_groups[0]["lr"])

    monkeypatch.setattr(loop, "step", told)
    trained(encoded, replace(RECIPE, epochs=10, schedule="linear"))
    np.testing.assert_allclose(rates, 1e-2 * (1 - np.arange(30) / 30))
    rates.clear()
    trained(encoded, RECIPE)
    assert set(rates) == {1e-2}


def test_nothing_to_train_on_is_refused(encoded: tuple[Encoded, ...]) -> None:
    silent = [replace(one, scored=np.zeros_like(one.scored)) for one in encoded]
    for records in ([], silent):
        network = net()
        before = weights(network)
        with pytest.raises(DataError, match="no record has a token to train on; give longer texts"):
            trained(records, network=network)
        assert all(map(torch.equal, before, network.parameters()))


def test_training_ends_in_evaluation_mode_without_gradients(encoded: tuple[Encoded, ...]) -> None:
    network, _ = trained(encoded)
    assert not any(module.training for module in network.modules())
    assert all(weight.grad is None for weight in network.parameters())


def test_a_loss_that_is_no_number_ends_the_run(encoded: tuple[Encoded, ...]) -> None:
    with pytest.raises(ModelError, match="the loss became nan; lower the learning rate"):
        trained(encoded, replace(RECIPE, learning_rate=float("1e30"), epochs=5))


@pytest.mark.parametrize("done", [0, 2, 3, 4, 6])
def test_a_plan_is_gone_on_with_where_it_was_left(done: int) -> None:
    whole = tuple(batches([12, 12], RECIPE, seed=0))
    assert len(whole) == 6
    assert tuple(batches([12, 12], RECIPE, seed=0, done=done)) == whole[done:]


def test_records_that_are_encoded_when_asked_for_train_the_same(
    encoded: tuple[Encoded, ...],
) -> None:
    lazy = Encodings(tiny.tokenizer(), [Record("", one.text) for one in encoded], encoded[0].form)
    at_once, losses = trained(encoded)
    one_by_one, same = trained(lazy)
    assert equal(at_once, one_by_one)
    assert losses == same


def test_a_record_over_the_limit_is_trained_on_in_its_windows() -> None:
    text = " ".join(tiny.LINES)
    seen: list[Encoded] = []
    network = net()

    def loss(chosen: Sequence[Encoded]) -> tuple[Tensor, int]:
        seen.extend(chosen)
        return loss_of(network)(chosen)

    (long,) = encode(tiny.tokenizer(), [Record("", text)], Form(16, long="slide"))
    told: list[int] = []
    recipe = replace(RECIPE, epochs=1, micro_batch=1)
    fitted = fit(network, loss, Material(([long],)), recipe, seed=0, watch=told.append)
    (mean,) = fitted.losses
    pieces = windows(long)
    assert len(pieces) > 3
    assert [one.ids.tolist() for one in seen] == [one.ids.tolist() for one in pieces]
    assert told == [len(long.ids)]
    whole, count = loss_of(net())([long])  # a bigram model needs no more context than one token
    assert count == long.scored.sum()
    assert mean == pytest.approx(float(whole.detach()) / count, rel=1e-5)
