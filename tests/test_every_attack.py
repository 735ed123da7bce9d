"""The contract: what must hold for every registered attack, present and future."""

import copy
import inspect
import re

import numpy as np
import pytest
import worlds
import worlds_classifier
import worlds_transfer

import nonmember.attacks
import nonmember.signals.altered  # these fill the catalogue
import nonmember.signals.boundary
import nonmember.signals.classes
import nonmember.signals.conditioned
import nonmember.signals.diffused
import nonmember.signals.jittered
import nonmember.signals.language
import nonmember.signals.repeated
import nonmember.signals.rewritten
import nonmember.signals.sampled
import nonmember.signals.trajectory
import nonmember.signals.views  # noqa: F401
from nonmember.attacks.registry import ATTACKS
from nonmember.evaluation.roc import auc
from nonmember.signals.catalogue import queried

OF_INPUTS = {"labels", "input_features"}
ON_CLASSIFIERS = {
    key: one
    for key, one in ATTACKS.items()
    if one.family in ("classifier", "transfer")
    or (one.family == "blind" and OF_INPUTS & {*one.needs})
}
ON_TEXTS = {key: one for key, one in ATTACKS.items() if key not in ON_CLASSIFIERS}
BARS = {"classifier.gap": 0.7}  # non-members that are classified right tie with members
POOLING = {  # what they learn, or the deviations that they measure, are of all candidates
    key
    for key, one in ON_CLASSIFIERS.items()
    if one.family == "classifier" and any(n.startswith("ref_") for n in one.needs)
} - {"classifier.rmia"} | {"transfer.tmi_global", "transfer.parent_lira"}
ALONE = {key: one for key, one in ATTACKS.items() if key not in POOLING}
on_texts = pytest.mark.parametrize("attack", ON_TEXTS.values(), ids=list(ON_TEXTS), indirect=True)


@pytest.fixture(params=ATTACKS.values(), ids=list(ATTACKS), scope="module")
def attack(request):
    return request.param


@pytest.fixture(scope="module")
def world(attack):
    return world_of(attack)


@pytest.fixture(scope="module")
def scores(attack, world):
    return run(attack, world)


def world_of(attack, **made):
    """The world in which it has something to find."""
    if attack.family == "transfer":
        return worlds_transfer.transfer(**made)
    if attack.key == "classifier.shared_answer":
        return worlds_classifier.fallen_back(**made)
    if attack.key in ON_CLASSIFIERS:
        return worlds_classifier.whole(**made)
    return worlds.for_needs(attack.needs, **made)


def run(attack, world):
    return attack.score(*(world[need] for need in attack.needs))


def references(attack):
    """The models whose log-probabilities are held against the target's."""
    both = {"token_logprobs"} & {*attack.needs}
    return [model for model in worlds.MODELS if both and f"{model}token_logprobs" in attack.needs]


def test_planted_members_come_first(attack, world, scores):
    sees = attack.family in ("classifier", "transfer") or references(attack)
    assert auc(scores, world["member"]).value > BARS.get(attack.key, 0.9 if sees else 0.6)


def test_every_candidate_gets_one_finite_score(world, scores):
    assert scores.shape == world["member"].shape
    assert np.isfinite(scores).all()


def test_noise_gives_an_auc_of_half(attack):
    n = 300 if attack.key in POOLING else 1000  # each candidate is as many records as models
    noise = world_of(attack, gap=0.0, n=2 * n, seed=7)
    four_errors = 4 * np.sqrt((2 * n + 1) / (12 * n * n))
    found = auc(run(attack, noise), noise["member"]).value
    assert found == pytest.approx(0.5, abs=four_errors)


def test_swapping_the_truth_gives_one_minus_the_auc(world, scores):
    member = world["member"]
    found = auc(scores, member).value
    assert auc(scores, ~member).value == 1 - found
    assert auc(-scores, member).value == 1 - found


def test_the_order_of_candidates_does_not_matter(attack, world, scores):
    order = np.random.default_rng(1).permutation(len(scores))
    np.testing.assert_array_equal(run(attack, worlds.reordered(world, order)), scores[order])


@pytest.mark.parametrize("attack", ALONE.values(), ids=list(ALONE), indirect=True)
def test_a_candidate_scores_alone_as_among_others(attack, world, scores):
    alone = worlds.reordered(world, np.array([17]))
    np.testing.assert_allclose(run(attack, alone), scores[[17]], rtol=1e-12)


def test_the_same_inputs_give_the_same_scores(attack, world, scores):
    np.random.seed(3)  # noqa: NPY002  (what draws from the global state must fail here)
    np.testing.assert_array_equal(run(attack, world), scores)


def test_inputs_are_left_alone(attack, world):
    given = copy.deepcopy(world)
    run(attack, given)
    for need in attack.needs:
        np.testing.assert_array_equal(given[need], world[need])


@on_texts
def test_a_record_with_nothing_in_it_is_nan_and_no_other(attack, world, scores):
    found = run(attack, worlds.cut(world, 0, np.array([5])))
    assert np.isnan(found[5])
    np.testing.assert_array_equal(np.delete(found, 5), np.delete(scores, 5))


@on_texts
@pytest.mark.parametrize("tokens", [0, 1, 2])
def test_short_records_are_finite_or_not_scored(attack, world, tokens):
    found = run(attack, worlds.cut(world, tokens, np.arange(len(world["texts"]))))
    finite, unscored = np.isfinite(found).all(), np.isnan(found).all()
    assert {0: unscored, 1: finite or unscored, 2: finite}[tokens]


@on_texts
@pytest.mark.parametrize("at", [0, 7, worlds.MOST], ids=["before", "amid", "after"])
def test_unscored_positions_change_nothing(attack, world, scores, at):
    padded = worlds.widened(world, at=at, by=3)
    np.testing.assert_allclose(run(attack, padded), scores, rtol=1e-12, atol=1e-12)


@on_texts
def test_impossible_tokens_are_clipped(attack, world):
    assert np.isfinite(run(attack, worlds.impossible(world))).all()


def test_float32_scores_as_float64(attack, world, scores):
    narrow = run(attack, worlds.as_type(world, np.float32))
    np.testing.assert_allclose(narrow, scores, rtol=1e-5, atol=1e-5)


def of_copies(attack):
    """Whether anything it needs comes down to copies of the text, or to samples."""
    return any(question.name.startswith(("aug_", "sample_")) for question in queried(attack.needs))


@pytest.mark.parametrize("key", [key for key, a in ON_TEXTS.items() if of_copies(a)])
def test_copies_that_could_not_be_made_change_nothing(key):
    altering = ATTACKS[key]
    world = worlds.for_needs(altering.needs)
    fewer = worlds.with_missing_copies(world, by=3)
    np.testing.assert_allclose(run(altering, fewer), run(altering, world), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("key", [key for key, a in ATTACKS.items() if references(a)])
def test_a_target_that_is_its_reference_gives_every_record_one_score(key):
    comparing = ATTACKS[key]
    world, (model,) = worlds.for_needs(comparing.needs), references(comparing)
    same = world | {need: world[need.removeprefix(model)] for need in comparing.needs}
    assert np.unique(run(comparing, same)).size == 1


@pytest.mark.parametrize("key", [key for key, a in ATTACKS.items() if a.rowwise])
def test_a_part_of_the_candidates_scores_as_in_the_whole(key):
    streamed = ATTACKS[key]
    world = world_of(streamed)
    part = np.arange(30, 60)
    found = run(streamed, worlds.reordered(world, part))
    np.testing.assert_array_equal(found, run(streamed, world)[part])


def test_needs_are_signals_and_options_are_keywords_with_defaults(attack):
    assert queried(attack.needs) or attack.family == "blind" or "features" in attack.needs
    parameters = inspect.signature(attack.score).parameters.values()
    for one in parameters:
        assert one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        assert (one.default is one.empty) == (one.kind is one.POSITIONAL_OR_KEYWORD)


def test_it_names_its_paper_and_explains_every_parameter(attack):
    assert re.search(r"\w+ .*\d{4}, arXiv:\d{4}\.\d{5}", attack.paper)
    head, _, arguments = inspect.getdoc(attack.score).partition("Args:")
    assert head.splitlines()[0].endswith((".", ";", ":")) and len(head.splitlines()[0]) > 20
    for name in (*attack.needs, *attack.options):
        assert re.search(rf"^\s+{name}: ", arguments, re.MULTILINE), f"{name} is not explained"


def test_it_fits_a_screen(attack):
    lines = inspect.getsource(inspect.unwrap(attack.score)).splitlines()
    assert len(lines) <= 40
