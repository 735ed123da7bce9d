"""Who guesses best at coins, at the price of having looked; and what that says of a claim."""

from functools import cache

import numpy as np
import pytest

from nonmember.errors import SpecError, UnresolvableError
from nonmember.evaluation.claims import claim_refuted, one_run_bound
from nonmember.evaluation.one_run import best_attack, best_of, grid, one_run

COINS = np.random.default_rng(0).random(400) < 0.5


def test_one_attack_costs_nothing_and_several_share_the_error() -> None:
    rng = np.random.default_rng(1)
    good, bad = rng.normal(size=400) + 2 * COINS, rng.normal(size=400)
    alone = best_of(good, COINS, grid(400), level=0.95)
    assert best_attack({"a": good}, COINS, grid(400)) == ("a", alone)
    name, best = best_attack({"b": bad, "a": good}, COINS, grid(400))
    shared = best_of(good, COINS, grid(400), level=0.975)
    assert (name, best.epsilon, best.level) == ("a", shared.epsilon, 0.95)
    assert 0 < best.epsilon < alone.epsilon
    assert best.method == f"{shared.method}, best of 2 attacks"


def test_the_best_of_many_blind_attacks_seldom_finds_anything() -> None:
    rng, alarms, once = np.random.default_rng(2), 0, cache(one_run)  # counts alone decide
    for _ in range(200):
        coins = rng.random(100) < 0.5
        scores = {str(name): rng.normal(size=100) for name in range(10)}
        alarms += best_attack(scores, coins, (10, 100), bound=once, delta=0.0)[1].epsilon > 0
    assert alarms <= 0.05 * 200 + 2 * np.sqrt(0.05 * 0.95 * 200)


def test_an_attack_that_ranks_nothing_is_passed_over() -> None:
    flat, good = np.zeros(400), COINS + 0.0
    assert best_attack({"flat": flat, "good": good}, COINS, (40,))[0] == "good"
    with pytest.raises(UnresolvableError, match="all 400 scores are equal"):
        best_attack({"flat": flat}, COINS, (40,))
    with pytest.raises(SpecError, match="no attack to guess by"):
        best_attack({}, COINS, (40,))


def test_the_findings_say_what_they_rest_on() -> None:
    bound = one_run(90, 100, 1000, coins=True)
    told = one_run_bound(bound, "loss", "named before any score was seen", 1000, "train.jsonl")
    assert (told.code, told.severity) == ("E130", "note")
    assert "epsilon >= 1.6" in told.message and "1,000 canaries with a coin each" in told.message
    assert told.message.endswith("it holds for a model that was trained on train.jsonl, and once")
    none = one_run_bound(one_run(50, 100, 1000), "loss", "named", 1000, "train.jsonl")
    assert "or the model never trained on train.jsonl" in none.message
    assert one_run_bound(None, "", "", 0, "").severity == "warning"
    alarm = claim_refuted(bound, 1.0, 1e-5, "the accountant of dp_sgd")
    assert (alarm.code, alarm.severity) == ("E131", "error")
    assert "epsilon 1 at delta 1e-05 (by the accountant of dp_sgd) is refuted" in alarm.message
