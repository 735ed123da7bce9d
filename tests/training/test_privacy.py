"""What a private run's budget buys: who is drawn, how much noise it takes, what is spent."""

from dataclasses import replace

import numpy as np
import pytest

from nonmember.errors import SpecError
from nonmember.training import accounting, order
from nonmember.training.dpsgd import noise_multiplier, spent
from nonmember.training.recipe import Recipe

DP = Recipe(method="lora", epochs=2, batch_size=4, epsilon=8.0)


def test_records_are_drawn_each_on_its_own() -> None:
    recipe = replace(DP, epochs=50, batch_size=20)
    plan = list(order.batches([200] * 50, recipe, seed=0))
    assert len(plan) == 500 and len({len(batch.records) for batch in plan}) > 10
    sizes = np.array([len(batch.records) for batch in plan])
    assert abs(sizes.mean() - 20) < 4 * np.sqrt(200 * 0.1 * 0.9 / 500)
    assert sizes.var() == pytest.approx(200 * 0.1 * 0.9, rel=0.3)
    often = sum(order.times([200] * 50, recipe, seed=0))
    assert often.sum() == sizes.sum() and often.var() == pytest.approx(500 * 0.09, rel=0.5)
    assert list(order.batches([200] * 50, recipe, seed=0, done=123)) == plan[123:]


def test_what_is_spent_is_within_the_budget_and_hardly_less() -> None:
    for epsilon in (0.5, 2.0, 8.0, 100.0):
        recipe = replace(DP, epsilon=epsilon, epochs=3, batch_size=8)
        told = spent(500, recipe, 3 * 63)
        assert 0.998 * epsilon < told["epsilon"] <= epsilon
        assert told == {
            "epsilon": told["epsilon"],
            "delta": 1 / 500,
            "noise_multiplier": noise_multiplier(500, recipe),
            "sample_rate": 8 / 500,
            "steps": 189,
            "clip": 1.0,
        }
        assert spent(500, recipe, 63)["epsilon"] < told["epsilon"]
    less = noise_multiplier(500, replace(DP, delta=0.1))
    assert less < noise_multiplier(500, DP) < noise_multiplier(500, replace(DP, delta=1e-9))


def test_drawing_all_records_once_is_the_plain_gaussian_mechanism() -> None:
    """Renyi divergence order a / (2 noise^2), turned into epsilon by the textbook conversion."""
    recipe = replace(DP, epochs=1, batch_size=100, delta=1e-5)
    noise, orders = noise_multiplier(100, recipe), np.arange(2, 200)
    textbook = (orders / (2 * noise**2) + np.log(1e5) / (orders - 1)).min()
    epsilon = spent(100, recipe, 1)["epsilon"]
    assert 0.8 * textbook < epsilon <= textbook


def test_a_budget_that_cannot_be_met_is_refused() -> None:
    for epsilon in (1e-4, 1e-9):
        recipe = replace(DP, epsilon=epsilon, delta=1e-9)
        with pytest.raises(
            SpecError, match=f"epsilon = {epsilon} cannot be met over 6 updates of 4"
        ):
            noise_multiplier(12, recipe)


def test_without_opacus_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    accounting.least_noise.cache_clear()

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(accounting, "import_module", missing)
    with pytest.raises(SpecError, match="needs the package opacus; install"):
        noise_multiplier(12, DP)


def test_fewer_records_than_a_batch_are_all_drawn() -> None:
    for batch in order.batches([3, 3], DP, seed=0):
        assert batch.records == (0, 1, 2)
    assert spent(3, replace(DP, delta=1e-5), 2)["sample_rate"] == 1.0
