"""Attack, defend, attack again: what the page says of it."""

import re
from dataclasses import replace

import pytest
from report import sample
from report.reader import Reader, prose, section, shown
from report.test_page import HOSTILE

from nonmember.audit.records import ROLES, TargetResult
from nonmember.evaluation.checks import Finding
from nonmember.report import roles, words
from nonmember.report.page import render
from nonmember.report.study import study


@pytest.fixture(scope="module")
def page() -> str:
    return render(sample.study())


def beside(page: str) -> str:
    found = re.search(r'<section id="study">.*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def rows(part: str) -> dict[str, str]:
    """The rows of all tables by their first word."""
    return {row.split()[0]: prose(row) for row in Reader(part).rows}


def test_models_stand_side_by_side_between_the_verdicts_and_the_chapters(page: str) -> None:
    assert page.index("No attack finds a leak in control") < page.index('id="study"')
    assert page.index('id="study"') < page.index('id="target-1"')


@pytest.mark.parametrize("target", sample.study().targets, ids=lambda target: target.name)
def test_a_row_says_defense_verdict_attack_and_utility(page: str, target: TargetResult) -> None:
    row = rows(beside(page))[target.name]
    assert words.STATES[target.leaks] in row
    assert words.defended(target.defenses) in row
    best = next(attack for attack in target.attacks if attack.name == target.strongest)
    assert f"{best.simultaneous.value:.3f} {words.auc_range(best.simultaneous)} {best.name}" in row
    rate = best.tpr[0].tpr
    assert prose(f"{words.percent(rate.value)} {words.rate_range(rate)} of 200 members") in row
    assert target.utility
    loss = words.perplexity(target.utility.loss)
    assert f"{words.size(loss.value)} {words.size_range(loss)} 200 texts" in row


def test_a_change_is_told_with_its_interval_and_against_whom(page: str) -> None:
    found = rows(beside(page))
    assert "−0.023 −0.043 to −0.003 against undefended" in found["soft-half"]
    assert "+0.137 +0.117 to +0.157 against undefended" in found["dp-lora"]
    assert "against" not in found["undefended"]


def test_raw_and_rewritten_members_stand_beside_each_other(page: str) -> None:
    row, soft = rows(beside(page))["soft-half"], sample.soft()
    for role, count in (("raw", 100), ("rewritten", 90)):
        best = roles.best(soft, role)
        assert best is not None
        assert (
            f"{best.simultaneous.value:.3f} {words.auc_range(best.simultaneous)} "
            f"{best.attack} {count} members" in row
        )


def test_columns_without_content_are_left_out() -> None:
    part = beside(render(sample.results()))
    told = prose(" ".join(Reader(part).text))
    assert "Strongest attack" in told and "TPR at FPR 5 %" in told
    assert not {"Perplexity", "Rewritten", "Change"} & set(told.split())
    assert "<svg" not in part


def test_one_model_has_nothing_beside_it() -> None:
    assert study(sample.results(sample.leaky())) is None
    assert 'id="study"' not in render(sample.results(sample.leaky()))


def test_the_picture_says_its_numbers(page: str) -> None:
    drawings = [one for tag, one in Reader(beside(page)).elements if tag == "svg"]
    assert len(drawings) == 1
    label = str(drawings[0]["aria-label"])
    for target in sample.study().targets:
        best = next(attack for attack in target.attacks if attack.name == target.strongest)
        assert target.utility and words.auc(best.simultaneous) in label
        assert words.sized(words.perplexity(target.utility.loss)) in label


def test_what_a_defense_did_is_told(page: str) -> None:
    told = prose(" ".join(Reader(section(page, "soft-half")).text))
    assert "Defense soft, ratio 0.5 before the training" in told
    assert "100 raw, 90 rewritten, 8 kept, 2 dropped of 200" in told
    assert "Rewriter code, asked for 143 texts" in told
    assert "8 similarity, 3 facts" in told
    assert "Texts sent nothing left this machine" in told
    assert "Time 12 s" in told
    assert "What the defense did" not in shown(render(sample.results()))


def test_texts_that_left_are_counted_and_tokens_with_them() -> None:
    away = replace(sample.soft(), defenses=(sample.SENT,))
    told = shown(render(sample.results(away)))
    assert "143 texts to https://rewrites.example/v1" in told
    assert "20,480 read, 0 written" in told
    assert "nothing left this machine" not in told


def test_what_a_ledger_does_not_know_is_not_claimed() -> None:
    elsewhere = replace(sample.SOFT, attempts=0, rejected={}, seconds=0.0)
    told = shown(render(sample.results(replace(sample.soft(), defenses=(elsewhere,)))))
    assert "Rewriter code" in told
    assert "nothing left this machine" not in told and "Rejected" not in told


def test_spent_privacy_is_told_with_its_delta(page: str) -> None:
    told = prose(" ".join(Reader(section(page, "dp-lora")).text))
    assert "dp_lora, epsilon 8, clip 0.1, rank 16 in the training" in told
    assert "Privacy spent epsilon 7.98 at delta 0.005, accountant prv" in told
    assert "Rewriter" not in told


def test_every_attack_has_its_figures_by_role(page: str) -> None:
    by_role = re.search(r'<table class="attacks roles">.*?</table>', page, re.DOTALL)
    assert by_role
    table = rows(by_role[0])
    assert "Raw 100 members Rewritten 90 members Kept 8 members Dropped 2 members" in prose(
        table["Attack"]
    )
    for found in sample.soft().roles:
        row = table[found.attack]
        assert f"{found.simultaneous.value:.3f} {words.auc_range(found.simultaneous)}" in row
        for point in found.tpr:
            rate = f"{words.percent(point.tpr.value)} {words.rate_range(point.tpr)}"
            assert prose(f"at FPR {words.chosen_percent(point.fpr)}: {rate}") in row
    assert table["mixture"].startswith("mixture adaptive")
    assert table["bag_of_words"].startswith("bag_of_words never sees the model")


def test_roles_and_attacks_come_in_order() -> None:
    table = roles.table(sample.soft())
    assert table is not None
    assert list(table.members) == ["raw", "rewritten", "kept", "dropped"]
    surest = [row.surest for row in table.rows]
    assert surest == sorted(surest, reverse=True)


def test_an_attack_that_never_sees_the_model_is_no_roles_surest() -> None:
    soft = sample.soft()
    blind = tuple(
        replace(one, simultaneous=replace(one.simultaneous, low=1.0, value=1.0, high=1.0))
        if one.attack == "bag_of_words"
        else one
        for one in soft.roles
    )
    found = roles.bests(replace(soft, roles=blind))
    assert found and all(one.attack != "bag_of_words" for one in found.values())


def test_the_page_says_who_stays_exposed(page: str) -> None:
    told = prose(" ".join(Reader(section(page, "soft-half")).text))
    assert re.search(
        r"Raw \(100 members, trained on as they are\): mixture .*? They stay exposed", told
    )
    assert re.search(r"Rewritten \(90 members.*?\): mixture .*? They are told apart all", told)
    assert re.search(
        r"Dropped \(2 members, not trained on: left out because no .*? Not told from non-members",
        told,
    )
    assert "rows marked adaptive (mixture) look for the rewrite too" in told
    plain = tuple(one for one in sample.soft().roles if one.attack != "mixture")
    alone = shown(render(sample.results(replace(sample.soft(), roles=plain))))
    assert "what the rewrites give away is not known" in alone


def without(target: TargetResult, *names: str) -> TargetResult:
    """The target as if these attacks had not run."""
    attacks = tuple(one for one in target.attacks if one.name not in names)
    found = tuple(one for one in target.roles if one.attack not in names)
    return replace(target, attacks=attacks, roles=found, strongest="loss")


def test_of_roles_given_by_exposure_only_attacks_with_a_reference_tell() -> None:
    soft = sample.soft()
    sure = replace(soft.roles[0].simultaneous, low=0.9, value=0.95, high=1.0)
    lower = tuple(
        replace(one, simultaneous=sure) if one.attack == "loss" else one for one in soft.roles
    )
    found = roles.bests(replace(soft, roles=lower))
    assert {one.attack for one in found.values()} <= {"wbc", "mixture"}
    plain = replace(soft, roles=lower, defenses=(sample.chosen("random"),))
    assert {role for role, one in roles.bests(plain).items() if one.attack == "loss"} >= {
        "rewritten"
    }
    whole = replace(sample.SOFT, options={"ratio": 1.0})
    assert (
        roles.best(replace(soft, roles=lower, defenses=(whole,)), "rewritten") != found["rewritten"]
    )


def test_without_a_reference_nothing_is_claimed_of_roles_given_by_exposure() -> None:
    alone = without(sample.soft(), "wbc", "mixture")
    told = shown(render(sample.results(sample.undefended(), alone)))
    assert "Raw (100 members, trained on as they are): No attack that ran on the model" in told
    assert "the choice alone can show in the others" in told and "--base" in told
    assert "They stay exposed" not in told
    assert not roles.bests(alone)


def test_a_role_is_told_apart_by_any_attack_that_counts_and_that_one_is_named() -> None:
    soft = sample.soft()
    raised = tuple(
        replace(
            one,
            simultaneous=replace(one.simultaneous, low=0.49, value=0.55, high=0.6),
            tpr=tuple(
                replace(rate, simultaneous=replace(rate.simultaneous, low=low)) for rate in one.tpr
            ),
        )
        for one in soft.roles
        for low in [0.3 if one.attack == "mixture" else 0.0]
    )
    sure = tuple(
        replace(one, simultaneous=replace(one.simultaneous, low=0.499))
        if one.attack == "wbc"
        else one
        for one in raised
    )
    table = roles.table(replace(soft, roles=sure))
    assert table is not None and table.told_apart == ROLES
    assert {one.attack for one in table.best.values()} == {"mixture"}


@pytest.mark.parametrize(
    ("name", "why", "shows"),
    [
        ("deduplicate", "left out as copies of others", "What they are copies of was trained on"),
        ("drop_influential", "left out for being exposed", "This is the choice that shows"),
        ("soft", "no rewrite passed the gates", "This is the choice that shows"),
    ],
)
def test_what_follows_for_the_dropped_is_worded_by_why_they_were(
    name: str, why: str, shows: str
) -> None:
    soft = sample.soft()
    sure = replace(soft.roles[0].simultaneous, low=0.9, value=0.95, high=1.0)
    found = tuple(
        replace(one, simultaneous=sure) if one.role == "dropped" else one for one in soft.roles
    )
    defense = replace(sample.SOFT, name=name, roles={"dropped": 2})
    told = shown(render(sample.results(replace(soft, roles=found, defenses=(defense,)))))
    assert why in told and shows in told


def test_every_attack_that_looks_for_a_rewrite_is_marked_and_no_other() -> None:
    assert set(roles.ADAPTIVE) == {"rewritten", "mixture", "semantic_neighbours"}


def test_perplexity_says_that_texts_count_alike(page: str) -> None:
    told = prose(" ".join(Reader(page).text))
    assert told.count("each text counts alike") == 2 + len(sample.study().targets)


def test_no_exposure_is_claimed_of_a_split_that_is_not_comparable() -> None:
    told = shown(render(sample.results(replace(sample.soft(), leaks=None))))
    assert "They stay exposed" not in told and "The verdict is withheld, as above" in told


def test_utility_is_told_in_every_chapter_that_has_it(page: str) -> None:
    told = prose(" ".join(Reader(section(page, "soft-half")).text))
    assert "On 200 non-members, texts of the same kind that the model never saw" in told
    assert "perplexity 9.31 (8.42 to 10.3), next-token accuracy 57.7 % (55.7 % to 59.7 %)" in told
    assert "Against undefended, trained alike without a defense, text by text: loss −0.023" in told
    assert "accuracy +0.2 (−0.2 to +0.6) percentage points" in told
    assert "It reads unseen texts better." in told
    assert "It reads unseen texts worse." in section(page, "dp-lora")
    assert "Against" not in section(page, "undefended")
    same = replace(sample.soft(), utility=sample.utility(2.26, "undefended", 0.006))
    assert "The loss shows no difference." in shown(render(sample.results(same)))


def test_hostile_defenses_are_escaped() -> None:
    defense = replace(
        sample.SENT,
        name=HOSTILE,
        options={HOSTILE: HOSTILE},
        rewriter=HOSTILE,
        rejected={HOSTILE: 2},
        roles={HOSTILE: 1},
        sent_to=(HOSTILE, 3),
        spent={HOSTILE: HOSTILE},
    )
    utility = replace(sample.utility(2.3, "x", 0.1), against=HOSTILE)
    soft = sample.soft()
    found = tuple(replace(one, attack=HOSTILE) for one in soft.roles)
    hostile = replace(
        soft,
        name=HOSTILE,
        defenses=(defense,),
        utility=utility,
        roles=found,
        findings=(Finding("E107", "note", HOSTILE),),
    )
    page = render(sample.results(sample.undefended(), hostile))
    assert not {"script", "img"} & Reader(page).tags()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
    assert Reader(page).open == []


def test_a_target_that_no_attack_may_judge_has_no_strongest() -> None:
    unjudged = replace(sample.soft(), strongest="", leaks=None, exposed=())
    page = render(sample.results(sample.undefended(), unjudged))
    assert "Verdict withheld" in rows(beside(page))["soft-half"]
    assert "No figure of this section is evidence" in page
