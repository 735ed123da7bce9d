"""Fresh adapters: float32, on every linear layer but the head, changing nothing yet."""

from dataclasses import replace

import pytest
import torch

from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.training.lora import add_adapter
from nonmember.training.recipe import Recipe

RECIPE = Recipe(method="lora", rank=3, alpha=6.0)
IDS = torch.arange(24)[None]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_only_the_adapters_are_trained_and_in_float32(llama: Source, dtype: torch.dtype) -> None:
    network = causal.load(llama, Placement(torch.device("cpu"), dtype)).network
    before = causal.output_logits(network, causal.hidden_states(network, IDS))
    adapted = add_adapter(network, llama, RECIPE, seed=0)
    trained = {name: w for name, w in adapted.named_parameters() if w.requires_grad}
    frozen = {name: w for name, w in adapted.named_parameters() if not w.requires_grad}
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    assert {weight.dtype for weight in frozen.values()} == {dtype}
    assert sum(weight.numel() for weight in frozen.values()) == llama.parameters
    assert all(3 in weight.shape for weight in trained.values()), "of the rank asked for"
    assert len(trained) == 2 * 2 * 7, "two factors, two blocks, seven linear layers"
    assert not any("lm_head" in name or "embed" in name for name in trained)
    after = causal.output_logits(adapted, causal.hidden_states(adapted, IDS))
    assert torch.equal(before, after)


def test_its_beginning_depends_on_the_seed_alone(llama: Source) -> None:
    def factors(seed: int) -> torch.Tensor:
        network = causal.load(llama, Placement(torch.device("cpu"), torch.float32)).network
        adapted = add_adapter(network, llama, replace(RECIPE, dropout=0.1), seed=seed)
        return torch.cat([w.flatten() for n, w in adapted.named_parameters() if "lora_A" in n])

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = factors(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(factors(0), first)
    assert not torch.equal(factors(1), first)
