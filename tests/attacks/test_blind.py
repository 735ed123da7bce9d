"""The baseline that sees texts only, by hand and against a loop over its trees."""

import re

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier

from nonmember.attacks.blind import bag_of_words
from nonmember.attacks.language import loss
from nonmember.errors import SpecError
from nonmember.evaluation.roc import auc

SIDES = np.arange(40) < 20


def known(member, other):
    """Twenty copies of a text that was trained on, twenty of one that was not."""
    return [member] * 20 + [other] * 20


def test_a_word_of_one_side_only_settles_it():
    texts = ["alpha", "beta", "alpha alpha", "ALPHA!"]
    found = bag_of_words(texts, known("alpha", "beta"), SIDES)
    np.testing.assert_allclose(found, [1, 0, 1, 1], atol=1e-12)
    again = bag_of_words(texts, known("beta", "alpha"), SIDES)
    np.testing.assert_allclose(again, [0, 1, 0, 0], atol=1e-12)


def test_an_empty_text_is_not_scored():
    found = bag_of_words(["", "alpha", " "], known("alpha", "beta"), SIDES)
    np.testing.assert_array_equal(np.isnan(found), [True, False, False])


def test_texts_without_words_are_told_by_three_characters():
    texts = ["+ - +", "* / *", "+ -"]
    found = bag_of_words(texts, known("+ - +", "* / *"), SIDES)
    np.testing.assert_allclose(found[:2], [1, 0], atol=1e-12)


def test_scripts_without_spaces_are_told_by_characters():
    """Each text is one long word and no two are the same, so that words say nothing."""
    rng = np.random.default_rng(0)
    signs = np.array(list("天地玄黃宇宙洪荒日月盈昃辰宿列張"))
    texts = ["".join(rng.choice(signs[8 * (1 - side) :][:8], 12)) + "。謝謝" for side in SIDES]
    assert auc(bag_of_words(texts[::2], texts[1::2], SIDES[1::2]), SIDES[::2]).value == 1


@pytest.mark.parametrize("nothing", ["", "a"])
def test_nothing_to_count_says_nothing(nothing):
    found = bag_of_words(["alpha", "beta"], [nothing] * 40, SIDES)
    np.testing.assert_array_equal(found, [0.5, 0.5])


@pytest.mark.parametrize("side", [True, False])
def test_one_side_only_gives_its_probability(side):
    found = bag_of_words(["alpha", "beta"], known("alpha", "beta"), np.full(40, side))
    np.testing.assert_array_equal(found, [float(side)] * 2)


def test_an_impossible_share_is_refused():
    with pytest.raises(SpecError, match=r"bag_of_words: min_df=5\.0 .* between 0 and 1"):
        bag_of_words(["alpha"], known("alpha", "beta"), SIDES, min_df=5.0)


def test_a_word_rarer_than_min_df_does_not_count():
    rare = ["alpha common"] * 3 + ["common"] * 37
    found = bag_of_words(["alpha common", "common"], rare, np.arange(40) < 3, min_df=0.1, leaf=1)
    assert found[0] == found[1]


def test_what_a_model_memorised_is_not_in_its_texts():
    world, others = worlds.language(400), worlds.language(400, seed=1)
    assert auc(loss(world["token_logprobs"]), world["member"]).value > 0.7
    found = bag_of_words(world["texts"], others["texts"], others["member"])
    assert auc(found, world["member"]).value == pytest.approx(0.5, abs=0.1)


def test_the_seed_is_the_only_chance():
    world = worlds.for_needs(["texts"])
    given = world["texts"], world["known_texts"], world["known_member"]
    np.testing.assert_array_equal(bag_of_words(*given), bag_of_words(*given, seed=0))
    assert (bag_of_words(*given) != bag_of_words(*given, seed=1)).any()


def words(text):
    return re.findall(r"\b\w\w+\b", text.lower())


def walked(tree, counts):
    """The share of members in the leaf that one text falls into."""
    node = 0
    while tree.children_left[node] >= 0:
        left = counts[tree.feature[node]] <= tree.threshold[node]
        node = (tree.children_left if left else tree.children_right)[node]
    shares = tree.value[node][0]
    return shares[1] / shares.sum()


def test_it_equals_the_loop():
    world = worlds.for_needs(["texts"], n=60)
    bags = [words(text) for text in world["known_texts"]]
    every = sorted({word for bag in bags for word in bag})
    common = [word for word in every if sum(word in bag for bag in bags) >= 0.05 * len(bags)]
    counts = np.array([[bag.count(word) for word in common] for bag in bags])
    forest = RandomForestClassifier(100, max_depth=2, min_samples_leaf=5, random_state=0)
    trees = forest.fit(counts, world["known_member"]).estimators_
    expected = []
    for text in world["texts"]:
        counted = [words(text).count(word) for word in common]
        expected.append(np.mean([walked(tree.tree_, counted) for tree in trees]))
    found = bag_of_words(world["texts"], world["known_texts"], world["known_member"])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
