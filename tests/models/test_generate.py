"""What a model writes follows from the prompt and the seed, whoever else is written for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from models.test_memory import BUILDERS

from nonmember.errors import ModelError
from nonmember.models import causal, generate, memory
from nonmember.models.causal import CausalModel, Placement, base_of
from nonmember.models.source import locate
from nonmember.seeds import generator

F32 = Placement(torch.device("cpu"), torch.float32)
LENGTHS = (3, 9, 1, 14, 9)


def loaded(path: Path) -> CausalModel:
    return causal.load(locate(str(path)), F32)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CausalModel]:
    root = tmp_path_factory.mktemp("writing")
    return {name: loaded(build(root / name)) for name, build in BUILDERS.items()}


@pytest.fixture
def model(every: dict[str, CausalModel]) -> CausalModel:
    return every["llama"]


def prompts(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(3, tiny.VOCABULARY, length) for length in lengths]


def wrote(model: CausalModel, given: Sequence[np.ndarray], most: Any = 8, **how: Any) -> Any:
    counts = [most] * len(given) if isinstance(most, int) else most
    plain = {"temperature": 1.0, "top_k": 50, "seed": 0}
    found = model.sample(given, most=counts, **{**plain, **how})
    return [ids.tolist() for ids in found]


@torch.inference_mode()
def naive(
    model: CausalModel, prompt: np.ndarray, most: int, *, temperature: float = 1.0, top_k: int = 50
) -> list[int]:
    """One prompt, one token at a time, all read again for each, in float64."""
    numbers = generator(0, prompt.tobytes().hex(), 0).random(most)
    said = list(prompt)
    for number in numbers:
        logits = model.logits(model.hidden(torch.tensor([said]))[0, -1:])[0].double().numpy()
        kept = np.sort(np.argsort(-logits, kind="stable")[:top_k])
        if temperature == 0:
            token = int(logits.argmax())
        else:
            weights = np.exp((logits[kept] - logits.max()) / temperature)
            reached = np.cumsum(weights / weights.sum())
            token = int(kept[np.searchsorted(reached, number, side="right")])
        if token == 2:
            break
        said.append(token)
    return [int(token) for token in said[len(prompt) :]]


@pytest.mark.parametrize("name", BUILDERS)
def test_it_writes_what_one_token_at_a_time_writes(
    every: dict[str, CausalModel], name: str
) -> None:
    given = prompts(*LENGTHS)
    most = [8, 5, 12, 1, 8]
    found = wrote(every[name], given, most)
    assert found == [naive(every[name], *pair) for pair in zip(given, most, strict=True)]


@pytest.mark.parametrize("how", [{"temperature": 0.3}, {"top_k": 3}, {"top_k": 1}, {"top_k": 999}])
def test_temperature_and_top_k_are_obeyed(model: CausalModel, how: dict[str, Any]) -> None:
    given = prompts(*LENGTHS)
    assert wrote(model, given, **how) == [naive(model, prompt, 8, **how) for prompt in given]


def test_without_temperature_the_likeliest_is_written(model: CausalModel) -> None:
    given = prompts(*LENGTHS)
    found = wrote(model, given, temperature=0.0)
    assert found == [naive(model, prompt, 8, temperature=0.0) for prompt in given]
    assert found == wrote(model, given, top_k=1)
    assert found == wrote(model, given, temperature=0.0, seed=7)


def test_company_order_and_repetition_change_nothing(
    model: CausalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = prompts(*LENGTHS)
    together = wrote(model, given)
    assert wrote(model, given) == together
    assert [wrote(model, [prompt])[0] for prompt in given] == together
    assert wrote(model, given[::-1]) == together[::-1]
    monkeypatch.setattr(generate, "ROWS_AT_ONCE", 2)
    assert wrote(model, given) == together
    assert wrote(model, given, seed=1) != together


def test_copies_of_a_prompt_differ_and_the_first_is_the_same(model: CausalModel) -> None:
    one, other = prompts(6, 4)
    found = wrote(model, [one, other, one, one])
    assert len({tuple(ids) for ids in (found[0], found[2], found[3])}) == 3
    assert found[:2] == wrote(model, [one, other])


def test_each_prompt_is_read_once(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, proceed = [], memory.proceed

    def told(body: Any, ids: torch.Tensor, *more: Any) -> Any:
        seen.append(tuple(ids.shape))
        return proceed(body, ids, *more)

    monkeypatch.setattr(memory, "remembers", lambda body: True)
    monkeypatch.setattr(memory, "proceed", told)
    one, other = prompts(6, 4)
    wrote(model, [one, one, one, other, other], [2, 2, 2, 4, 4], top_k=1)
    assert seen == [(2, 6), (5, 1), (2, 1), (2, 1)]


def test_the_end_of_a_text_is_cut_off(model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    given = prompts(*LENGTHS)
    free = wrote(model, given, temperature=0.0)
    end = free[1][2]
    expected = [ids[: ids.index(end)] if end in ids else ids for ids in free]
    assert expected != free
    other = replace(model, tokenizer=SimpleNamespace(eos_token_id=end))
    assert wrote(other, given, temperature=0.0) == expected
    monkeypatch.setattr(model.network.generation_config, "eos_token_id", [end, 2])
    assert wrote(model, given, temperature=0.0) == expected


@pytest.mark.parametrize("most", [0, [0, 3, 0, 1, 0]])
def test_nothing_asked_for_is_nothing_written(model: CausalModel, most: Any) -> None:
    found = wrote(model, prompts(*LENGTHS), most)
    counts = [0] * 5 if most == 0 else most
    assert all(len(ids) <= count for ids, count in zip(found, counts, strict=True))
    assert model.sample([], most=[], temperature=1.0, top_k=5, seed=0) == []


def test_a_text_stops_at_the_context(model: CausalModel) -> None:
    (found,) = wrote(model, prompts(tiny.CONTEXT - 3), 50, top_k=1)
    assert len(found) <= 3
    with pytest.raises(ModelError, match="prompt of 64 tokens fills the model's context of 64"):
        wrote(model, prompts(5, tiny.CONTEXT))


def test_a_model_cannot_begin_from_nothing(model: CausalModel) -> None:
    with pytest.raises(ModelError, match="at least one token"):
        wrote(model, prompts(5, 0))


def test_watch_is_told_what_was_read_and_asked_for(model: CausalModel) -> None:
    told: list[int] = []
    wrote(model, prompts(*LENGTHS), 4, watch=told.append)
    assert sum(told) == sum(LENGTHS) + 4 * len(LENGTHS)


def test_adapter_and_base_write_their_own(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tiny.llama(tmp_path / "llama")
    model = loaded(tiny.adapter(tmp_path / "adapter", folder, target_modules=["lm_head", "q_proj"]))
    given = prompts(*LENGTHS)
    assert wrote(base_of(model), given) == wrote(loaded(folder), given) != wrote(model, given)
    assert wrote(model, given) == [naive(model, prompt, 8) for prompt in given]


def test_tokens_come_as_often_as_they_are_likely() -> None:
    logits = torch.tensor([0.5, 0.1, 0.0, 0.3, 0.1]).log().expand(4000, -1).clone()
    luck = torch.from_numpy(np.random.default_rng(0).random(4000))
    writer = generate.Writer(None, lambda hidden: hidden, (), None, 1.0, 3)
    found = torch.bincount(generate._drawn(writer, logits, luck), minlength=5) / 4000
    kept = np.array([0.5, 0.1, 0.0, 0.3, 0.0]) / 0.9
    if found[4]:
        kept = np.array([0.5, 0.0, 0.0, 0.3, 0.1]) / 0.9
    np.testing.assert_allclose(found, kept, atol=0.03)


def test_what_is_impossible_is_never_written() -> None:
    logits = torch.tensor([[-torch.inf, 1.0, -torch.inf], [-torch.inf, 1.0, -torch.inf]])
    writer = generate.Writer(None, lambda hidden: hidden, (), None, 1.0, 3)
    luck = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert generate._drawn(writer, logits, luck).tolist() == [1, 1]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_without_numbers_leave_their_batch(temperature: float) -> None:
    logits = torch.tensor(
        [[0.0, 9.0], [torch.nan, 9.0], [torch.inf, 9.0], [-torch.inf, -torch.inf]]
    )
    writer = generate.Writer(None, lambda hidden: hidden, (), None, temperature, 1)
    luck = torch.full((4,), 0.5, dtype=torch.float64)
    gone = [generate.UNANSWERED] * 3
    assert generate._drawn(writer, logits, luck).tolist() == [1, *gone]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_in_company_of_a_text_that_stops_the_others_go_on(
    model: CausalModel, temperature: float
) -> None:
    given = prompts(*LENGTHS)
    alone = wrote(model, given, temperature=temperature)
    body, asked = model.network.base_model, 0

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        nonlocal asked
        found, asked = model.logits(hidden), asked + 1
        if asked == 2:
            found[0] = torch.nan
        return found

    writer = generate.Writer(body, logits, (2,), model.context, temperature, 50)
    found = generate.write(writer, given, [8] * 5, seed=0)
    told = [None if ids is None else ids.tolist() for ids in found]
    assert told.count(None) == 1
    assert all(ids is None or ids == other for ids, other in zip(told, alone, strict=True))


def test_damaged_weights_write_nothing(tmp_path: Path) -> None:
    model = loaded(tiny.llama(tmp_path / "llama"))
    with torch.no_grad():
        model.network.model.norm.weight[3] = float("nan")
    writer = generate.Writer(model.network.base_model, model.logits, (2,), 64, 1.0, 50)
    assert generate.write(writer, prompts(5, 3), [4, 4], seed=0) == [None, None]
    assert generate.write(writer, prompts(5), [0], seed=0)[0] is not None


def test_prompts_may_have_a_seed_each(model: CausalModel) -> None:
    given = prompts(3, 9, 3)
    given[2] = given[0]
    together = wrote(model, given, seed=[5, 6, 7])
    alone = [wrote(model, [one], seed=seed)[0] for one, seed in zip(given, (5, 6, 7), strict=True)]
    assert together == alone
    assert together[0] != together[2]
