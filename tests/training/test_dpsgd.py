"""DP-SGD: each record's gradient by itself, clipped, and noise of the stated size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn
from training.bigram import equal, loss_of, net, run

from nonmember.data.texts import Record
from nonmember.errors import DataError, ModelError
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Form, encode, windows
from nonmember.training import order
from nonmember.training.dpsgd import clipped, noise_multiplier, private, spent
from nonmember.training.finetune import fine_tune, token_loss
from nonmember.training.loop import Material, expected
from nonmember.training.lora import add_adapter
from nonmember.training.recipe import Recipe
from nonmember.training.seen import digest_of
from nonmember.training.update import Loss

CPU = torch.device("cpu")
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
DP = Recipe(
    method="lora", epochs=2, batch_size=4, micro_batch=3, rank=2, learning_rate=1e-2, epsilon=8.0
)
LOOSE = replace(DP, epsilon=1e12, record_clip=1e6)
SLIDE = Form(6, long="slide")


class StoppedError(Exception):
    """Somebody pressed Ctrl-C."""


def adapted(base: Source, where: Placement) -> Any:
    """A network whose adapters already do something, so that both factors have gradients."""
    network = causal.load(base, where).network
    network = add_adapter(network, base, DP, seed=0)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    return network.train()


@contextmanager
def per_record(network: nn.Module, loss: Loss, recipe: Recipe) -> Iterator[Any]:
    parameters = [p for p in network.parameters() if p.requires_grad]
    with private(network, loss, recipe, 12, seed=0):
        yield lambda chosen: clipped(parameters, loss, chosen, recipe)


def slowly(network: nn.Module, loss: Loss, chosen: Sequence[Encoded], clip: float) -> list[Tensor]:
    """One record at a time, by what autograd makes of its mean loss per token."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    sums = [torch.zeros_like(p) for p in parameters]
    for one in chosen:
        parts = [loss([piece]) for piece in windows(one)]
        mean = torch.stack([part for part, _ in parts]).sum() / sum(count for _, count in parts)
        gradients = torch.autograd.grad(mean, parameters)
        norm = torch.sqrt(torch.stack([(g**2).sum() for g in gradients]).sum())
        for total, gradient in zip(sums, gradients, strict=True):
            total.add_(gradient * min(1.0, clip / float(norm)))
    return sums


def norm_of(gradients: Sequence[Tensor]) -> float:
    return float(torch.sqrt(torch.stack([(g**2).sum() for g in gradients]).sum()))


@pytest.mark.parametrize("clip", [1e6, 1.0, 0.01])
@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("form", [Form(32), SLIDE], ids=["whole", "windows"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_it_is_the_sum_of_each_records_clipped_gradient(
    encoded: tuple[Encoded, ...], tmp_path: Path, kind: str, form: Form, size: int, clip: float
) -> None:
    sure = {"resid_pdrop": 0, "embd_pdrop": 0, "attn_pdrop": 0} if kind == "gpt2" else {}
    base = locate(str(tiny.ARCHITECTURES[kind](tmp_path / kind, **sure)))
    network = adapted(base, F32)
    loss = token_loss(network, CPU)
    chosen = [replace(one, form=form) for one in encoded[:7]]
    known = slowly(network, loss, chosen, clip)
    recipe = replace(DP, record_clip=clip, micro_batch=size)
    with per_record(network, loss, recipe) as gradients:
        made, found = gradients(chosen)
    for a, b in zip(found, known, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1.0, float(b.abs().max())))
    assert made.tokens == sum(int(one.scored.sum()) for one in chosen)
    assert f"{made.marks % 2**128:032x}" == digest_of(chosen)
    if clip == 0.01:
        assert norm_of(found) <= 7 * 0.01 * (1 + 1e-5)


def test_adapters_on_a_bfloat16_base_have_float32_gradients_per_record(
    llama: Source, encoded: tuple[Encoded, ...]
) -> None:
    network = adapted(llama, BF16)
    loss = token_loss(network, CPU)
    known = slowly(network, loss, encoded[:5], 0.5)
    with per_record(network, loss, replace(DP, record_clip=0.5, micro_batch=1)) as gradients:
        _, alone = gradients(encoded[:5])
    with per_record(network, loss, replace(DP, record_clip=0.5, micro_batch=5)) as gradients:
        _, together = gradients(encoded[:5])
    assert {g.dtype for g in (*alone, *together)} == {torch.float32}
    apart = norm_of([a - b for a, b in zip(alone, known, strict=True)])
    assert apart < 3e-2 * norm_of(known), "rounded after or before it is divided"
    apart = norm_of([a - b for a, b in zip(together, known, strict=True)])
    assert apart < 5e-2 * norm_of(known), "bfloat16 rounds otherwise in a batch"


def test_a_record_in_windows_is_one_record(llama: Source) -> None:
    network = adapted(llama, F32)
    loss = token_loss(network, CPU)
    (long,) = encode(tiny.tokenizer(), [Record("", " ".join(tiny.LINES))], SLIDE)
    assert len(windows(long)) > 10
    with per_record(network, loss, replace(DP, record_clip=0.1)) as gradients:
        _, found = gradients([long])
    assert norm_of(found) == pytest.approx(0.1, rel=1e-4)


def test_without_noise_and_clipping_it_goes_where_plain_training_goes(
    llama: Source, encoded: tuple[Encoded, ...]
) -> None:
    equally_long = encode(tiny.tokenizer(), [Record("", one.text) for one in encoded], Form(8))
    same = [one for one in equally_long if len(one.ids) == 8]
    assert len(same) > 3
    network = adapted(llama, F32)
    loss = token_loss(network, CPU)
    total, tokens = loss(same)
    parameters = [p for p in network.parameters() if p.requires_grad]
    plain = torch.autograd.grad(total / tokens, parameters)
    recipe = replace(LOOSE, record_clip=100.0, batch_size=len(same))
    with private(network, loss, recipe, len(same), seed=0) as backward:
        backward(same, 0)
    found = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    known = torch.cat([g.flatten() for g in plain])
    assert float(torch.cosine_similarity(found, known, dim=0)) > 0.9999
    assert float(found.norm() / known.norm()) == pytest.approx(1.0, rel=1e-3)


def test_the_noise_is_as_large_as_stated_and_new_at_each_update() -> None:
    network = net()
    recipe = replace(DP, record_clip=0.3)
    noise = noise_multiplier(12, recipe)
    parameters = list(network.parameters())

    def drawn(step: int, seed: int = 0) -> Tensor:
        with private(network, loss_of(network), recipe, 12, seed=seed) as backward:
            made = backward([], step)
        assert made == (0.0, 0, 0)
        return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])

    first = drawn(0)
    count, std = len(first), noise * 0.3 / recipe.batch_size
    assert count == sum(p.numel() for p in parameters) > 9000
    assert abs(float(first.std()) / std - 1) < 4 / np.sqrt(2 * count)
    assert abs(float(first.mean())) < 4 * std / np.sqrt(count)
    assert torch.equal(drawn(0), first)
    for other in (drawn(1), drawn(0, seed=1)):
        shared = float(torch.corrcoef(torch.stack([first, other]))[0, 1])
        assert abs(shared) < 4 / np.sqrt(count)
    halves = torch.stack([first[: count // 2], first[count // 2 : 2 * (count // 2)]])
    assert abs(float(torch.corrcoef(halves)[0, 1])) < 4 / np.sqrt(count / 2)


def test_a_private_run_tells_what_it_spent_and_who_was_never_drawn(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    material, recipe = Material((encoded,)), replace(DP, batch_size=2, epochs=1)
    fitted = fine_tune(llama, material, recipe, F32, tmp_path / "adapter", seed=4)
    assert fitted.privacy == spent(12, recipe, 6)
    (often,) = order.times([12], recipe, seed=4)
    assert fitted.held_back == tuple(np.flatnonzero(often == 0))
    assert 0 < len(fitted.held_back) < 12
    assert fitted.seen == expected(material, recipe, seed=4, epochs=1)
    scored = np.array([int(one.scored.sum()) for one in encoded])
    assert sum(fitted.tokens) == (scored * often).sum()
    again = fine_tune(llama, material, recipe, F32, tmp_path / "again", seed=4)
    assert again == fitted
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("adapter", "again")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_it_learns_where_the_budget_allows(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path
) -> None:
    recipe = replace(DP, epochs=12, epsilon=1e4, learning_rate=2e-2)
    fitted = fine_tune(llama, Material((encoded,)), recipe, BF16, tmp_path, seed=0)
    assert fitted.losses[-1] < fitted.losses[0] - 0.5


@pytest.mark.parametrize("updates", [1, 3, 6])
def test_interrupted_it_ends_as_if_it_had_not_been(
    encoded: tuple[Encoded, ...], tmp_path: Path, updates: int
) -> None:
    left = updates

    def watch(_: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StoppedError

    material = Material((encoded,))
    whole, at_once = run(material, DP, network=net(dropout=0.2))
    with pytest.raises(StoppedError):
        run(
            material,
            DP,
            network=net(dropout=0.2),
            scratch=tmp_path,
            checkpoint_seconds=0.0,
            watch=watch,
        )
    again, resumed = run(material, DP, network=net(dropout=0.2), scratch=tmp_path)
    assert equal(whole, again) and resumed == at_once


def test_a_warm_up_spends_less(encoded: tuple[Encoded, ...], tmp_path: Path) -> None:
    material = Material((encoded,))
    whole, at_once = run(material, DP)
    _, first = run(material, DP, stop=1, hand_to=tmp_path)
    rest, both = run(material, DP, scratch=tmp_path)
    assert equal(whole, rest) and both == at_once
    assert first.privacy is not None and both.privacy is not None
    assert first.privacy["epsilon"] < both.privacy["epsilon"] <= 8.0


def test_what_is_private_is_clipped_record_by_record_and_not_once_more(
    encoded: tuple[Encoded, ...],
) -> None:
    material = Material((encoded,))
    assert equal(run(material, DP)[0], run(material, replace(DP, clip=1e-6))[0])


def test_opacus_leaves_nothing_behind(encoded: tuple[Encoded, ...]) -> None:
    network, _ = run(Material((encoded,)), DP)
    assert type(network) is nn.Sequential
    for module in network.modules():
        assert not module._forward_hooks and not module._backward_hooks
    assert not any(hasattr(weight, "grad_sample") for weight in network.parameters())


class Mixing(nn.Module):
    """Lines the tokens of all records up before its trained layer."""

    def __init__(self) -> None:
        super().__init__()
        self.below, self.above = nn.Embedding(300, 8).requires_grad_(False), nn.Linear(8, 300)

    def forward(self, ids: Tensor) -> Tensor:
        return self.above(self.below(ids).flatten(0, 1)).unflatten(0, ids.shape)


def test_layers_that_do_not_keep_records_apart_are_refused(encoded: tuple[Encoded, ...]) -> None:
    with pytest.raises(ModelError, match=r"one gradient per record .* shape \(300, 8\) has none"):
        run(Material((encoded,)), DP, network=Mixing())


def test_epochs_of_other_records_are_refused(encoded: tuple[Encoded, ...]) -> None:
    with pytest.raises(DataError, match="these have 12, 11 of them"):
        run(Material((encoded, encoded[1:])), DP)
