"""What to do next: said where it is true, and nowhere else."""

import re
from dataclasses import replace

import pytest
import typer
from report import sample
from report import sample_classifier as classifier
from report.test_differences import difference

from nonmember.audit.records import DefenseResult, TargetResult
from nonmember.audit.worth import DifferenceResult
from nonmember.cli import app
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.report import advice
from nonmember.report.advice import Step, steps


def told(*targets: TargetResult, kind: str = "language") -> str:
    made = sample.results if kind == "language" else classifier.results
    return " ".join(f"{step.sentence} {step.command}" for step in steps(made(*targets)))


def leaking_blind(target: TargetResult) -> TargetResult:
    """The same, of which an attack that never sees the model tells the sides apart."""
    found = tuple(
        replace(one, auc=target.attacks[0].auc) if one.blind else one for one in target.attacks
    )
    return replace(target, leaks=None, attacks=found)


def test_a_leaky_language_model_is_to_be_protected_without_its_copies() -> None:
    assert "nonmember protect" in told(sample.leaky())
    assert "--deduplicate" in told(sample.leaky())  # E102: two records repeat
    alone = replace(sample.leaky(), findings=())
    assert "--deduplicate" not in told(alone)
    assert "nonmember protect" not in told(sample.clean())


def test_a_leaky_classifier_is_fenced_if_scores_tell_and_retrained_if_labels_do() -> None:
    both = told(classifier.undefended(), kind="classifier")
    assert advice.FENCE in both and "labels leaves what they tell alone" in both
    assert "undefended self_diffused, AUC" in both
    by_scores = replace(classifier.undefended(), attacks=classifier.undefended().attacks[:2])
    assert "labels leaves" not in told(by_scores, kind="classifier")
    quiet = replace(classifier.clean(), leaks=True)  # a leak that neither tells
    assert advice.FENCE not in told(quiet, kind="classifier")


def test_a_split_that_differs_is_to_be_redrawn_before_all_else() -> None:
    first, *_ = steps(sample.results(leaking_blind(sample.leaky())))
    assert first.sentence.startswith("Draw the split anew for leaky:")
    assert "protect" not in told(leaking_blind(sample.leaky()))
    assert "Draw the split" not in told(sample.leaky())


def test_a_choice_that_hides_the_answer_is_to_be_looked_past() -> None:
    blank = replace(sample.soft(), leaks=None)
    assert told(blank).startswith("Audit soft-half again with the base")
    assert "Audit soft-half again" not in told(leaking_blind(sample.soft()))
    assert "Audit" not in told(replace(sample.leaky(), leaks=None))  # nothing was dropped


def test_a_difference_that_a_defense_may_have_made_is_traced() -> None:
    left = told(leaking_blind(sample.soft()))
    assert left.startswith("Audit a model trained without the defense of soft-half")
    assert "Draw the split" not in left
    whole = replace(sample.soft(), defenses=(sample.DP_LORA,))
    assert told(leaking_blind(whole)).startswith("Draw the split anew for soft-half")


def test_of_defenses_that_were_tried_the_least_telling_is_named() -> None:
    (first, *_) = steps(sample.study())
    assert first.sentence.startswith("Of 2 defended models, dp-lora (dp_lora, epsilon 8")
    assert "No leak was found in it" in first.sentence
    still = told(sample.undefended(), sample.soft())
    assert still.startswith("soft-half (soft, ratio 0.5, code rewriter): AUC 0.9")
    assert "--ratio 1 " in still
    assert "Rewrite the records that give themselves away" not in still
    other = replace(sample.soft(), defenses=(sample.DP_LORA,))
    assert "stricter setting. nonmember list defenses" in told(sample.undefended(), other)


def chosen(*targets: TargetResult, found: tuple[DifferenceResult, ...] = ()) -> str:
    first, *_ = steps(replace(classifier.study(*targets), differences=found))
    return first.sentence


def test_classifiers_are_compared_by_what_scores_tell() -> None:
    least = replace(classifier.fenced(), attacks=tuple(classifier.found(0.1)))
    assert chosen(least, classifier.private()).startswith("Of 2 defended models, fenced (diffence")


def test_between_defenses_without_a_difference_none_is_recommended() -> None:
    every = chosen(classifier.undefended(), classifier.label_alone(), classifier.fenced())
    assert every.startswith("Of 2 defended models, none of these is shown to tell least: label al")
    assert "; fenced (diffence, selector s3, fallback donor), AUC 0.649" in every
    assert "tells least" not in every and "They still leak: try another" in every
    one = replace(classifier.fenced(), leaks=False)
    mixed = chosen(one, classifier.label_alone())
    assert "No leak was found in fenced, and label alone still leaks; weigh what they" in mixed
    both = chosen(one, replace(classifier.label_alone(), leaks=False))
    assert "No leak was found in them; weigh what they cost, below." in both


def test_what_costs_nothing_is_told_where_nothing_is_shown_to_do_better() -> None:
    free = "None is shown to tell less than label alone, which costs nothing."
    assert free in chosen(classifier.label_alone(), classifier.fenced(), classifier.private())
    assert "costs nothing" not in chosen(classifier.fenced(), classifier.private())
    assert "costs nothing" not in chosen(classifier.label_alone())  # beside nothing
    ahead = replace(classifier.fenced(), attacks=tuple(classifier.found(-2.0)))
    assert "costs nothing" not in chosen(classifier.label_alone(), ahead)


@pytest.mark.parametrize("turned", [False, True])
def test_a_difference_on_the_same_records_decides_which_tells_least(turned: bool) -> None:
    """Label alone has the lower estimate; the two ways round say the same."""
    names, sign = ("label alone", "fenced"), 1
    if turned:
        names, sign = ("fenced", "label alone"), -1
    ends = sorted(sign * end for end in (-0.03, -0.005))
    paired = difference(
        target=names[0],
        against=names[1],
        simultaneous=Interval(ends[0], sign * -0.014, ends[1], 0.999),
    )
    targets = classifier.label_alone(), classifier.fenced()
    said = chosen(*targets, found=(paired,))
    assert said.startswith(
        "Of 2 defended models, label alone (constant_confidence, prior 20) tells"
    )
    other = replace(paired, attack="confidence")
    assert "none of these is shown" in chosen(*targets, found=(other,))


def test_of_fine_tuned_classifiers_a_private_head_is_advised() -> None:
    run = replace(classifier.results(classifier.leaky()), kind="transfer")
    said = [step for step in steps(run) if step.command == advice.PRIVATE_HEAD]
    assert len(said) == 1 and "leaky tells of the ancestor's records" in said[0].sentence


def test_more_records_by_hand() -> None:
    small = replace(sample.clean(), detectable_auc=0.6)  # twice as far from 0.5 as 0.55
    assert "about 800 members and 800 non-members" in told(small)
    assert "about" not in told(replace(small, detectable_auc=0.55))
    assert "about" not in told(replace(small, leaks=True))


def test_the_number_of_non_members_that_a_rate_needs() -> None:
    assert "Use 1,000 non-members for narrow intervals at a false-positive rate of 1" in told(
        sample.leaky()
    )
    best = sample.leaky().attacks[0]
    coarse = replace(sample.leaky(), attacks=(replace(best, tpr=best.tpr[:1]),))
    assert "Use" not in told(coarse)  # 5 % of 200 is ten


def test_what_would_look_closer_is_named_where_nothing_was_found() -> None:
    assert "--references 16" in told(sample.clean())
    assert "--base" not in told(sample.clean())
    bare = replace(sample.clean(), attacks=sample.clean().attacks[3:])
    assert "--base BASE" in told(bare)
    assert "--references" not in told(sample.leaky())
    assert "--references" not in told(classifier.clean(), kind="classifier")


def test_an_attack_that_failed_is_to_be_mended() -> None:
    failed = replace(sample.leaky(), findings=(Finding("E110", "error", "x gave no figure: y"),))
    assert "Mend what stopped 1 attack (E110)" in told(failed)
    assert "E110" not in told(sample.leaky())


def test_where_nothing_is_left_it_says_so() -> None:
    clean = replace(classifier.clean(), detectable_auc=0.54)
    fine = replace(clean, attacks=tuple(replace(one, tpr=one.tpr[:1]) for one in clean.attacks))
    (only,) = steps(classifier.results(fine))
    assert only == Step("Nothing for now. Audit again when the model or its data change.")
    assert steps(sample.results(*[])) != ()


def test_many_names_are_cut_short() -> None:
    many = [replace(sample.leaky(), name=f"model-{n}") for n in range(5)]
    assert "train model-0 and 4 others again" in told(*many)
    assert "train model-0, model-1 and model-2 again" in told(*many[:3])


def commands() -> list[str]:
    """Every command that any of these results leads to."""
    odd = replace(sample.soft(), leaks=None)
    bare = replace(sample.clean(), attacks=sample.clean().attacks[3:])
    other = replace(sample.soft(), defenses=(DefenseResult("other", "data", {}, {}),))
    runs = [
        *(sample.results(one) for one in (sample.leaky(), odd, bare, other, sample.soft())),
        classifier.results(classifier.undefended()),
        replace(classifier.results(classifier.leaky()), kind="transfer"),
        classifier.results(replace(classifier.clean(), attacks=classifier.clean().attacks[1:])),
    ]
    return sorted({step.command for run in runs for step in steps(run) if step.command})


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_and_has_its_flags(command: str) -> None:
    words = command.split()
    assert words.pop(0) == "nonmember"
    found = typer.main.get_command(app)
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    flags = {flag for parameter in found.params for flag in parameter.opts}
    assert set(re.findall(r"(?<!\S)-[-\w]+", command)) <= flags
