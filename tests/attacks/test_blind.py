"""The baselines that see texts only, by hand and against loops."""

import re
from math import ceil, log

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from nonmember.attacks import blind as attacks
from nonmember.attacks import phrases
from nonmember.attacks.blind import bag_of_words, dates, greedy_ngrams, length
from nonmember.attacks.language.likelihood import loss
from nonmember.attacks.registry import ATTACKS
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
    found = bag_of_words(world["whole_texts"], others["whole_texts"], others["member"])
    assert auc(found, world["member"]).value == pytest.approx(0.5, abs=0.1)


def test_the_seed_is_the_only_chance():
    world = worlds.for_needs(["whole_texts"])
    given = world["whole_texts"], world["known_whole_texts"], world["known_member"]
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
    world = worlds.for_needs(["whole_texts"], n=60)
    bags = [words(text) for text in world["known_whole_texts"]]
    every = sorted({word for bag in bags for word in bag})
    common = [word for word in every if sum(word in bag for bag in bags) >= 0.05 * len(bags)]
    counts = np.array([[bag.count(word) for word in common] for bag in bags])
    forest = RandomForestClassifier(100, max_depth=2, min_samples_leaf=5, random_state=0)
    trees = forest.fit(counts, world["known_member"]).estimators_
    expected = []
    for text in world["whole_texts"]:
        counted = [words(text).count(word) for word in common]
        expected.append(np.mean([walked(tree.tree_, counted) for tree in trees]))
    found = bag_of_words(world["whole_texts"], world["known_whole_texts"], world["known_member"])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


BLIND = [bag_of_words, length, dates, greedy_ngrams]


@pytest.mark.parametrize("blind", BLIND)
def test_empty_texts_are_nan_and_no_other(blind):
    found = blind(["", "alpha 2001", "+", " "], known("alpha 2001", "beta gamma"), SIDES)
    np.testing.assert_array_equal(np.isnan(found), [True, False, False, False])


@pytest.mark.parametrize("blind", BLIND[1:])
def test_no_texts_have_no_scores(blind):
    assert blind([], known("alpha", "beta"), SIDES).shape == (0,)


@pytest.mark.parametrize("blind", BLIND)
@pytest.mark.parametrize("side", [True, False])
def test_one_known_side_says_the_same_of_every_text(blind, side):
    found = blind(["alpha", "beta gamma 1999"], known("alpha", "beta gamma"), np.full(40, side))
    assert found[0] == found[1] == (0.0 if blind is greedy_ngrams else float(side))


@pytest.mark.parametrize("blind", BLIND)
def test_known_texts_that_are_empty_say_nothing(blind):
    found = blind(["alpha", "beta gamma 1999"], [""] * 40, SIDES)
    assert np.isfinite(found).all()
    assert found == pytest.approx([0.0 if blind is greedy_ngrams else 0.5] * 2, abs=1e-6)


@pytest.mark.parametrize("blind", BLIND)
def test_a_text_scores_alone_as_among_others(blind):
    world = worlds.for_needs(["whole_texts"])
    told = world["known_whole_texts"], world["known_member"]
    whole = blind(world["whole_texts"], *told)
    for row in (0, 3, 17):
        assert blind([world["whole_texts"][row]], *told) == pytest.approx(whole[[row]], rel=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_length_learns_which_way_it_counts(sign):
    rng = np.random.default_rng(0)
    words = 50 + sign * 20 * np.tile(SIDES, 2) + rng.integers(-9, 10, 80)
    texts = ["word " * count for count in words]
    assert auc(length(texts[40:], texts[:40], SIDES), SIDES).value == 1
    far = length(["word " * 30, "word " * 90], texts[:40], SIDES)
    assert (far[1] > far[0]) == (sign == 1)


def test_length_equals_the_formula():
    world = worlds.for_needs(["whole_texts"], n=60)
    sizes = [
        np.array([[log(1 + len(t)), log(1 + len(words(t))), log(2)] for t in texts])
        for texts in (world["known_whole_texts"], world["whole_texts"])
    ]
    centre, spread = sizes[0].mean(axis=0), sizes[0].std(axis=0)
    spread[2] = 1.0
    told, asked = ((one - centre) / spread for one in sizes)
    fitted = LogisticRegression(C=1e3, solver="newton-cholesky").fit(told, world["known_member"])
    odds = asked @ fitted.coef_[0] + fitted.intercept_[0]
    found = length(world["whole_texts"], world["known_whole_texts"], world["known_member"])
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds)), rtol=1e-9)


def test_length_counts_lines_apart_from_words():
    texts = ["a b c d", "a\nb c d"] * 40
    member = np.arange(80) % 2 == 0
    np.testing.assert_array_equal(length(texts[:2], texts, member) > 0.5, [True, False])


@pytest.mark.parametrize(
    ("member", "other"),
    [
        ("written in 2019", "written in 2023"),
        ("on 12/04/2020", "on a monday"),
        ("in January, say", "in winter, say"),
        ("see https://a.b", "see page a.b"),
        ("call 5551234", "call me now"),
    ],
)
def test_dates_tell_by_years_days_months_links_and_digits(member, other):
    found = dates([member, other], known(member, other), SIDES)
    assert found[0] > 0.9
    assert found[1] < 0.1


def test_dates_know_a_year_from_a_number():
    """19995 and 3020 are no years; if they were, both texts would have one."""
    texts = known("in 1995 it was so", "in 19995 it was 3020 so")
    found = dates(["in 1987 it was so", "in 24680 it was 1234 so"], texts, SIDES)
    assert found[0] > 0.8
    assert found[1] < 0.2


def test_dates_find_a_threshold_between_years():
    rng = np.random.default_rng(0)
    years = np.where(np.tile(SIDES, 2), 2014, 2022) + rng.integers(-4, 4, 80)
    texts = [f"seen in {year} or in 1990" for year in years]
    assert auc(dates(texts[40:], texts[:40], SIDES), SIDES).value > 0.95


def test_dates_are_seeded():
    world = worlds.for_needs(["whole_texts"])
    given = world["whole_texts"], world["known_whole_texts"], world["known_member"]
    np.testing.assert_array_equal(dates(*given), dates(*given, seed=0))
    assert (dates(*given) != dates(*given, seed=1)).any()


def chosen_and_weighed(texts, member, *, longest, least, most):
    """Greedily chosen n-grams and their weights, from sets of strings."""
    holds = [ngrams(text, longest) for text in texts]
    every = sorted(set().union(*holds), key=lambda gram: (len(gram), first_seen(texts, gram)))
    common = [
        g for g in every if sum(g in own for own in holds) >= max(2, ceil(least * len(texts)))
    ]
    waiting, weights = set(range(len(texts))), {}
    while len(weights) < most:
        added = {g: [0, 0] for g in common}
        for i in waiting:
            for gram in holds[i] & added.keys():
                added[gram][not member[i]] += 1
        best = max(common, key=lambda g: added[g][0] / (added[g][1] + 1))
        if added[best][0] / sum(member) <= added[best][1] / sum(~member):
            break
        waiting -= {i for i in waiting if best in holds[i]}
        held = [
            sum(best in h for h, m in zip(holds, member, strict=True) if m == s) for s in (1, 0)
        ]
        inside, outside = (held[0] + 1) / (sum(member) + 2), (held[1] + 1) / (sum(~member) + 2)
        weights[best] = log(inside / outside)
    return weights


def first_seen(texts, gram):
    """Where each of its words first comes up among all words."""
    order = list(dict.fromkeys(word for text in texts for word in all_words(text)))
    return [order.index(word) for word in gram]


def all_words(text):
    return re.findall(r"\w+", text.lower())


def ngrams(text, longest):
    found = all_words(text)
    return {
        tuple(found[i : i + n]) for n in range(1, longest + 1) for i in range(len(found) - n + 1)
    }


@pytest.mark.parametrize(("longest", "least", "most"), [(5, 0.05, 100), (2, 0.1, 4), (1, 0.3, 100)])
def test_greedy_ngrams_equal_the_loop(longest, least, most):
    rng = np.random.default_rng(3)
    member = np.arange(60) % 2 == 0
    vocabulary = np.array(list("abcdefghij"))
    texts = [
        " ".join(rng.choice(vocabulary, rng.integers(1, 14), p=odds / odds.sum()))
        for odds in 1 + np.outer(np.tile(member, 2), np.arange(10) < 3)
    ]
    weights = chosen_and_weighed(texts[:60], member, longest=longest, least=least, most=most)
    expected = [
        sum(weight for gram, weight in weights.items() if gram in ngrams(text, longest))
        for text in texts[60:]
    ]
    found = greedy_ngrams(texts[60:], texts[:60], member, words=longest, least=least, most=most)
    assert 0 < len(weights) <= most
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_one_telling_phrase_by_hand():
    """Ten of twenty members hold "x y", no other does: log of 11 / 22 over 1 / 22."""
    texts = ["x y a"] * 10 + ["y x a"] * 30
    found = greedy_ngrams(["x y", "y x b", "x y x y", "b"], texts, SIDES, most=1)
    np.testing.assert_allclose(found, [log(11), 0, log(11), 0], atol=1e-12)


def test_a_phrase_longer_than_asked_for_is_not_looked_at():
    texts = ["a b c d e"] * 20 + ["e d c b a"] * 20
    assert greedy_ngrams(["a b c d e"], texts, SIDES, words=1)[0] == 0
    assert greedy_ngrams(["a b c d e"], texts, SIDES, words=2)[0] > 1


def test_scripts_without_spaces_have_a_word_a_sign():
    texts = known("天地玄黃", "玄黃天地")
    found = greedy_ngrams(["地玄", "黃天", "天"], texts, SIDES)
    assert found[0] > 1 > found[2] == found[1] == 0


@pytest.mark.parametrize("blind", BLIND[1:])
def test_texts_drawn_alike_are_not_told_apart(blind):
    n = 1000
    world, others = worlds.language(2 * n, gap=0.0), worlds.language(2 * n, gap=0.0, seed=1)
    found = auc(
        blind(world["whole_texts"], others["whole_texts"], others["member"]), world["member"]
    ).value
    assert found == pytest.approx(0.5, abs=4 * np.sqrt((2 * n + 1) / (12 * n * n)))


@pytest.mark.parametrize("blind", BLIND)
def test_they_read_all_that_the_model_is_given(blind):
    """Prompts too: what is scored may be alike on both sides while prompts are not."""
    needs = ATTACKS[f"blind.{blind.__name__}"].needs
    assert needs == ("whole_texts", "known_whole_texts", "known_member")


def test_of_many_known_texts_some_of_each_side_are_drawn():
    texts, member = [str(i) for i in range(1_000)], np.arange(1_000) % 10 == 0
    kept, sides = attacks._some(texts, member, 100, 0)
    assert (len(kept), sides.sum(), len(set(kept))) == (100, 10, 100)
    assert [member[int(text)] for text in kept] == sides.tolist()
    assert [int(text) for text in kept] == sorted(map(int, kept))
    assert (
        attacks._some(texts, member, 100, 0)[0] == kept != attacks._some(texts, member, 100, 1)[0]
    )
    _, rare = attacks._some(texts, np.arange(1_000) < 1, 100, 0)
    assert rare.sum() == 1
    whole, sides = attacks._some(texts, member, 1_000, 0)
    assert whole is texts and sides is member


@pytest.mark.parametrize(("blind", "bound"), [(bag_of_words, "BAGS"), (greedy_ngrams, "PHRASES")])
def test_more_than_is_learnt_from_is_left_out(blind, bound, monkeypatch):
    world = worlds.for_needs(["whole_texts"])
    asked, told = world["whole_texts"], (world["known_whole_texts"], world["known_member"])
    whole = blind(asked, *told)
    monkeypatch.setattr(attacks, bound, 256)
    np.testing.assert_array_equal(blind(asked, *told), whole)
    monkeypatch.setattr(attacks, bound, 100)
    found = blind(asked, *told, seed=3)
    np.testing.assert_array_equal(found, blind(asked, *attacks._some(*told, 100, 3), seed=3))
    assert (found != whole).any()
    assert auc(found, world["member"]).value > 0.6


def test_words_are_counted_a_block_at_a_time(monkeypatch):
    world = worlds.for_needs(["whole_texts"])
    given = world["whole_texts"], world["known_whole_texts"], world["known_member"]
    whole = bag_of_words(*given)
    monkeypatch.setattr(attacks, "BLOCK", 100)
    np.testing.assert_array_equal(bag_of_words(*given), whole)


def test_no_texts_have_no_bags():
    assert bag_of_words([], known("alpha", "beta"), SIDES).shape == (0,)


def test_runs_that_texts_have_in_common_by_hand():
    runs = phrases.common(["a b c", "B c! A", "", "c"], 2, 2.0)
    found = [runs.words(column) for column in range(runs.held.shape[1])]
    assert found == [("a",), ("b",), ("c",), ("b", "c")]
    np.testing.assert_array_equal(
        runs.held.toarray(), [[1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    )


def test_which_text_holds_which_run_by_hand():
    held = phrases.holding([("a", "b"), ("a",), ("b", "a")], ["A b a b", "", "b. a", "ab"])
    np.testing.assert_array_equal(held.toarray(), [[1, 1, 1], [0, 0, 0], [0, 1, 1], [0, 0, 0]])
    assert phrases.holding([], ["a"]).shape == (1, 0)
