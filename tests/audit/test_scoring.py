import numpy as np
import pytest

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit.figures import own_level
from nonmember.audit.folds import widening
from nonmember.audit.parts import Evaluation
from nonmember.audit.placebo import redrawn
from nonmember.audit.scoring import cross_fitted, of_some
from nonmember.data.records import Strings
from nonmember.data.split import Split
from nonmember.errors import RunError
from nonmember.evaluation import roc
from nonmember.seeds import generator

N = 40
MEMBER = np.arange(N) % 2 == 0


def learned(told: list) -> Attack:
    """An attack that records what it is told and scores by the texts' numbers."""

    def spy(texts, known_texts, known_member, *, scale=1.0):
        told.append((list(texts), list(known_texts), known_member.copy(), scale))
        return np.array([scale * float(text) for text in texts])

    needs = ("texts", "known_texts", "known_member")
    return Attack("blind", "spy", spy, "arXiv:0", needs, {"scale": 1.0})


TEXTS = Strings.of(str(i) for i in range(N))


def fetch(name: str) -> Strings:
    assert name == "texts"  # never the truth
    return TEXTS


def test_a_learned_attack_never_scores_what_it_was_told() -> None:
    told: list = []
    split = Split(MEMBER, np.arange(N) // 4 * 2 + (~MEMBER))
    found = cross_fitted(learned(told), fetch, split, {"scale": 2.0}, seed=0)
    scored = [text for texts, *_ in told for text in texts]
    assert sorted(map(int, scored)) == list(range(N))
    for texts, known, member, scale in told:
        assert not set(texts) & set(known)
        groups = [{split.group[int(t)] for t in part} for part in (texts, known)]
        assert not groups[0] & groups[1]
        np.testing.assert_array_equal(member, MEMBER[[int(t) for t in known]])
        assert scale == 2.0
        ranks = found[[int(t) for t in texts]]
        np.testing.assert_allclose(ranks, (np.arange(len(texts)) + 1) / (len(texts) + 1))


def test_ranks_leave_out_what_could_not_be_scored() -> None:
    def blank(texts, known_member):
        return np.where(np.array([int(t) for t in texts]) == 7, np.nan, 1.0)

    attack = Attack("blind", "blank", blank, "arXiv:0", ("texts", "known_member"), {})
    found = cross_fitted(attack, fetch, Split(MEMBER, np.arange(N)), {}, seed=0)
    assert np.flatnonzero(np.isnan(found)).tolist() == [7]


def test_intervals_of_cross_fitted_scores_are_wider() -> None:
    split = Split(MEMBER, np.arange(N))
    assert widening(learned([]), split) == pytest.approx(1.5)  # five folds: sqrt(1 + 5/4)
    few = Split(np.array([True, True, False, False]), np.arange(4))
    assert widening(learned([]), few) == pytest.approx(3**0.5)
    given = Attack("language", "sum", lambda a: a, "arXiv:0", ("a",), {})
    assert widening(given, split) == 1.0


def test_a_null_learned_attack_raises_alarms_no_oftener_than_said() -> None:
    """At most 5 % + 3 s.e. (seen: 6); unwidened, the same 200 draws raised 32."""
    rng = np.random.default_rng(0)
    texts = Strings.of(" ".join(rng.choice(list("abcdefgh"), 6) + "x") for _ in range(60))
    attack = ATTACKS["blind.bag_of_words"]
    ours, bare = 0, 0
    for draw in range(200):
        split = redrawn(Split(np.arange(60) < 30, np.arange(60)), generator(draw, "null"))
        options = {**attack.options, "trees": 4}
        found = cross_fitted(attack, lambda _: texts, split, options, seed=0)
        interval = roc.auc(found, split.member)
        bare += interval.excludes(0.5)
        ours += interval.widened(widening(attack, split)).excludes(0.5)
    assert ours <= 200 * 0.05 + 3 * (200 * 0.05 * 0.95) ** 0.5
    assert bare > ours


def test_a_population_is_of_known_non_members_alone() -> None:
    told: list = []

    def spy(texts, pop_texts):
        told.append((list(texts), list(pop_texts)))
        return np.array([float(text) for text in texts])

    split = Split(MEMBER, np.arange(N))
    attack = Attack("language", "spy", spy, "arXiv:0", ("texts", "pop_texts"), {})
    found = cross_fitted(attack, fetch, split, {}, seed=0)
    assert len(told) == 5 and not np.isnan(found).any()
    for texts, population in told:
        assert population and not set(texts) & set(population)
        assert not any(MEMBER[int(text)] for text in population)


def test_membership_drawn_anew_moves_whole_groups_and_keeps_the_count() -> None:
    lone = Split(MEMBER, np.arange(N))
    drawn = [redrawn(lone, generator(0, "redraw", turn)).member for turn in range(200)]
    assert {int(one.sum()) for one in drawn} == {N // 2}
    share = np.mean(drawn, axis=0)
    assert np.all(np.abs(share - 0.5) < 4 * np.sqrt(0.25 / 200))
    grouped = Split(MEMBER, np.where(MEMBER, np.arange(N) // 8, 100 + np.arange(N) // 4))
    for turn in range(20):
        again = redrawn(grouped, generator(0, "redraw", turn))  # Split refuses a straddling group
        assert 0 < again.member.sum() <= N // 2


def test_signals_of_some_are_put_together_once() -> None:
    asked: list[str] = []

    def whole(name: str) -> np.ndarray:
        asked.append(name)
        return np.arange(N)

    some = of_some(whole, MEMBER)
    assert some("a").tolist() == some("a").tolist() == list(range(0, N, 2))
    assert asked == ["a"] and of_some(whole, MEMBER | ~MEMBER) is whole
    assert list(of_some(fetch, MEMBER)("texts")) == [str(i) for i in range(0, N, 2)]


@pytest.mark.parametrize("given", [np.ones(N - 1), np.full(N, np.inf), np.ones((N, 1))])
def test_scores_that_are_none_are_refused_naming_the_attack(given: np.ndarray) -> None:
    attack = Attack("language", "mine", lambda texts: given, "arXiv:0", ("texts",), {})
    with pytest.raises(RunError, match=r"attack language\.mine: gave scores of shape"):
        cross_fitted(attack, fetch, Split(MEMBER, np.arange(N)), {}, seed=0)


def test_attacks_that_can_take_a_verdict_away_share_one_level() -> None:
    given = [Attack("blind", f"b{i}", len, "arXiv:0", ("texts",), {}) for i in range(4)]
    model = Attack("language", "sum", len, "arXiv:0", ("texts",), {})
    ask = Evaluation()
    assert own_level(model, ask, [*given, model]) == ask.level
    assert own_level(given[0], ask, [*given, model]) == pytest.approx(1 - 0.05 / 4)
