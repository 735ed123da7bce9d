"""What a defense costs: changes against the target that was trained alike, text by text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shuffling
from scipy.stats import t as student
from shuffling import RECIPE, Shuffler, defended, soft

from nonmember.audit import engine
from nonmember.audit.cases import undefended
from nonmember.audit.language import spec, subject, worth
from nonmember.audit.language.answers import Answers
from nonmember.audit.language.facts import Facts
from nonmember.audit.language.plan import plan
from nonmember.audit.language.subject import Subject
from nonmember.audit.worth import Utility
from nonmember.signals.store import Store

Values = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


def asked(values: dict[str, Any]) -> Subject:
    return subject.inspect(spec.parse(values, "test"))


def answered(values: dict[str, Any], store: Store) -> tuple[Subject, dict[str, Answers]]:
    found = asked(values)
    todo = plan(found)
    engine.run(todo.jobs, store, lambda *_: None)
    return found, {one.name: Answers(one, Facts(one, None), todo, store) for one in found.targets}


def per_record(known: Answers, found: Subject) -> tuple[list[float], list[float]]:
    """Mean loss and share of likeliest tokens of each non-member, one after the other."""
    losses, hits = [], []
    for place in np.flatnonzero(~found.candidates.split.member):
        logprobs, right = (known.whole(name)[place] for name in ("token_logprobs", "token_hit"))
        there = [i for i in range(len(logprobs)) if not np.isnan(logprobs[i])]
        losses.append(-sum(float(logprobs[i]) for i in there) / len(there))
        hits.append(sum(float(right[i]) for i in there) / len(there))
    return losses, hits


def interval(values: list[float]) -> tuple[float, float, float]:
    """Student's, with Hall's correction: the one real root of his cubic at either quantile."""
    n, centre, deviation = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    skewness = float(np.mean([((one - centre) / np.std(values)) ** 3 for one in values]))
    ends = []
    for tail in (0.975, 0.025):
        rest = skewness / (6 * n) - student.ppf(tail, n - 1) / n**0.5
        roots = np.roots([skewness**2 / 27, skewness / 3, 1.0, rest])
        (root,) = roots[np.abs(roots.imag) < 1e-9].real
        ends.append(centre - deviation * float(root))
    return ends[0], centre, ends[1]


def close(found: Any, wanted: tuple[float, float, float]) -> bool:
    return bool(np.allclose((found.low, found.value, found.high), wanted, rtol=1e-5, atol=1e-6))


def test_changes_are_paired_text_by_text(values: Values, base: Path, tmp_path: Path) -> None:
    found, known = answered(defended(values, base, leaky=[], whole=[soft(1.0)]), Store(tmp_path))
    ours, theirs = per_record(known["whole"], found), per_record(known["leaky"], found)
    told = worth.utility(known["whole"], found)
    assert told is not None and (told.records, told.against) == (40, "leaky")
    assert close(told.loss, interval(ours[0])) and close(told.accuracy, interval(ours[1]))
    pairs = [list(zip(mine, other, strict=True)) for mine, other in zip(ours, theirs, strict=True)]
    loss, accuracy = ([a - b for a, b in both] for both in pairs)
    assert close(told.loss_change, interval(loss))
    assert close(told.accuracy_change, interval(accuracy))
    plain = worth.utility(known["leaky"], found)
    assert plain is not None and plain.against is None and plain.loss_change is None
    assert close(plain.loss, interval(theirs[0]))


def test_a_ratio_of_0_changes_nothing(values: Values, base: Path, tmp_path: Path) -> None:
    found, known = answered(defended(values, base, leaky=[], none=[soft(0.0)]), Store(tmp_path))
    told = worth.utility(known["none"], found)
    assert isinstance(told, Utility) and told.against == "leaky"
    for change in (told.loss_change, told.accuracy_change):
        assert change is not None and (change.low, change.value, change.high) == (0.0, 0.0, 0.0)


def partner(found: Subject, name: str) -> str | None:
    (target,) = (one for one in found.targets if one.name == name)
    other = undefended(target, found.targets, found.spec.targets)
    return other and other.name


def test_the_partner_was_trained_alike_but_for_the_defenses(values: Values, base: Path) -> None:
    given = defended(values, base, half=[soft()], private=[{"name": "dp_lora"}], leaky=[])
    targets = given["targets"]
    targets["control"] = {**targets["leaky"], "trained_on": "control"}
    targets["slower"] = {**targets["half"], "recipe": {**RECIPE, "learning_rate": 0.001}}
    targets["other"] = {**targets["half"], "trained_on": "control"}
    found = asked(given)
    assert partner(found, "half") == partner(found, "private") == "leaky"
    assert partner(found, "other") == "control"
    for name in ("slower", "leaky", "control"):
        assert partner(found, name) is None


def test_without_an_undefended_partner_there_is_no_change(
    values: Values, base: Path, tmp_path: Path
) -> None:
    found, known = answered(defended(values, base, half=[soft()]), Store(tmp_path))
    told = worth.utility(known["half"], found)
    assert told is not None and told.records == 40
    assert told.against is told.loss_change is told.accuracy_change is None
