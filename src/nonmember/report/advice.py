"""What to do next, derived from a result: each sentence is said only where it is true."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from nonmember.audit.counterparts import TRIVIAL, before
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.verdict import tells
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.paired import unpaired
from nonmember.report import defended, words

SMALL_LEAK = 0.55  # an AUC that a strong audit would notice
DECISIVE = 10  # non-members above a threshold, below which a rate says little
TUNED = "ref_"  # what begins the name of a signal of reference models
BASE = "base_"
FENCE = "nonmember fence --model MODEL --members FILE --non-members FILE --public FILE -o RUN"
PROTECT = "nonmember protect MEMBERS --model BASE --ratio 0.5 -o SAFER"
PRIVATE_HEAD = "nonmember transfer --setting dp_head:epsilon=6.7 -o RUN"
OF_TRAINING = "nonmember list defenses"


Rival = tuple[TargetResult, AttackResult]
"""A defended model, and the attack that it is compared by."""


@dataclass(frozen=True)
class Step:
    """One thing to do and why; ``command`` does it, capitals standing for the reader's own."""

    sentence: str
    command: str = ""


def steps(results: Results) -> tuple[Step, ...]:
    """What to do next, most urgent first; at least one."""
    splits = (_redraw, _disentangle, _look_past)
    rules = (*splits, _mend, _choose, _defend, _strengthen, _enlarge, _resolve)
    found = tuple(step for rule in rules for step in rule(results))
    return found or (Step("Nothing for now. Audit again when the model or its data change."),)


def _redraw(results: Results) -> Iterator[Step]:
    """The two sides differ by themselves."""
    apart = [one for one in _blank(results) if _separated(one) and not _dropped(one)]
    if apart:
        yield Step(
            f"Draw the split anew for {_names(apart)}: put members and non-members in one pool, "
            "draw the members from it at random, train on those, and audit again. The two sides "
            "differ by themselves, so until then no figure says what the model remembers."
        )


def _disentangle(results: Results) -> Iterator[Step]:
    """The two sides differ, by how they were drawn or by what a defense left of them."""
    left = [one for one in _blank(results) if _separated(one) and _dropped(one)]
    if left:
        yield Step(
            f"Audit a model trained without the defense of {_names(left)} on the same split: the "
            "two sides differ, and that says whether they were drawn so or the records that the "
            "defense dropped made them so."
        )


def _look_past(results: Results) -> Iterator[Step]:
    """A defense dropped records for being exposed, and no attack looks past that choice."""
    blank = [one for one in _blank(results) if not _separated(one) and _dropped(one)]
    if blank:
        yield Step(
            f"Audit {_names(blank)} again with the base it was fine-tuned from: only attacks that "
            "compare with it can tell a defense's choice of records from membership.",
            "nonmember audit llm --model MODEL --base BASE --members FILE --non-members FILE "
            "-o RUN",
        )


def _mend(results: Results) -> Iterator[Step]:
    """An attack that was to run gave no figure."""
    found = [*results.findings, *(one for target in results.targets for one in target.findings)]
    failed = len({one.message for one in found if one.code == "E110"})
    if failed:
        yield Step(
            f"Mend what stopped {_count(failed, 'attack')} (E110) and give the same command "
            "again: what is done already is not done twice."
        )


def _choose(results: Results) -> Iterator[Step]:
    """Defenses were tried: which leave least to find, and whether that is enough."""
    rivals = [(one, best) for one in results.targets for best in [_measure(one)] if best]
    tried = [(one, best) for one, best in rivals if one.defenses and one.leaks is not None]
    if not tried:
        return
    least = min(tried, key=lambda pair: pair[1].simultaneous.value)
    alike = [one for one in tried if one is least or not _more(one, least, results).excludes(0.0)]
    sentence = f"{_ahead(alike, len(tried))}{_for_nothing(alike, tried, results)}"
    yield _enough(sentence, [one for one, _ in alike])


def _ahead(alike: Sequence[Rival], tried: int) -> str:
    """Which of so many models tells least, or that none of the least telling is shown to."""
    named = [f"{one.name} ({words.defended(one.defenses)})" for one, _ in alike]
    found = [f"AUC {words.auc(best.simultaneous)}" for _, best in alike]
    if not alike[1:]:
        ahead = f"Of {tried} defended models, {named[0]} tells least" if tried > 1 else named[0]
        return f"{ahead}: {found[0]}."
    listed = "; ".join(f"{whose}, {figure}" for whose, figure in zip(named, found, strict=True))
    return f"Of {tried} defended models, none of these is shown to tell least: {listed}."


def _for_nothing(alike: Sequence[Rival], tried: Sequence[Rival], results: Results) -> str:
    """That nothing is shown to do better than the defense that costs nothing, if so."""
    for one in alike:
        others = [other for other in tried if other is not one]
        alone = before(one[0]) == (TRIVIAL,) and others
        if alone and not any(_more(one, other, results).low > 0 for other in others):
            return f" None is shown to tell less than {one[0].name}, which costs nothing."
    return ""


def _enough(sentence: str, alike: Sequence[TargetResult]) -> Step:
    """What to do with the models that tell least."""
    one = not alike[1:]
    leaking, clean = ([each for each in alike if each.leaks is leaks] for leaks in (True, False))
    if clean:
        where = _names(clean) if leaking else "it" if one else "them"
        still = f", and {_names(leaking)} still {_verb(leaking, 'leak')}" if leaking else ""
        cost = "it costs" if one else "they cost"
        return Step(f"{sentence} No leak was found in {where}{still}; weigh what {cost}, below.")
    still = "It still leaks" if one else "They still leak"
    if one and any(each.name == "soft" for each in alike[0].defenses):
        larger = PROTECT.replace("0.5", "1")
        return Step(f"{sentence} {still}: rewrite a larger share of the records.", larger)
    return Step(f"{sentence} {still}: try another, or a stricter setting.", OF_TRAINING)


def _defend(results: Results) -> Iterator[Step]:
    """A model leaks and no defense was tried."""
    leaking = [one for one in results.targets if one.leaks]
    if not leaking or any(one.defenses for one in results.targets):
        return
    if results.kind == "language":
        copies = any(one.code == "E102" for target in leaking for one in target.findings)
        yield Step(
            f"Rewrite the records that give themselves away, train {_names(leaking)} again on "
            "what that writes, and audit the new model with --ledger.",
            PROTECT + " --deduplicate" * copies,
        )
    elif results.kind == "transfer":
        yield Step(
            "Fine-tune with less freedom, or under differential privacy, and compare: "
            f"{_names(leaking)} {_verb(leaking, 'tell')} of the ancestor's records.",
            PRIVATE_HEAD,
        )
    else:
        yield from _fence(leaking)


def _fence(leaking: Sequence[TargetResult]) -> Iterator[Step]:
    """Scores can be fenced without training again; what labels alone tell cannot."""
    rows = [defended.row(one) for one in leaking]
    scores = [row.target for row in rows if row.scores and tells(row.scores)]
    labels = [row for row in rows if row.labels and tells(row.labels)]
    if scores:
        yield Step(
            f"Put a fence before {_names(scores)}, which needs no training of the classifier, and "
            "attack it again: its scores tell who was trained on.",
            FENCE,
        )
    if labels:
        listed = "; ".join(f"{row.target.name} {_told(row.labels)}" for row in labels)
        yield Step(
            "Train again with a defense that works in the training, or for less long: a fence "
            f"that keeps labels leaves what they tell alone ({listed}).",
            OF_TRAINING,
        )


def _enlarge(results: Results) -> Iterator[Step]:
    """No leak was found, and a small one would have gone unseen."""
    for one in results.targets:
        best = _strongest(one)
        if one.leaks is not False or best is None or one.detectable_auc <= SMALL_LEAK:
            continue
        larger = ((one.detectable_auc - 0.5) / (SMALL_LEAK - 0.5)) ** 2
        members, others = (_upward(larger * count) for count in (best.members, best.non_members))
        yield Step(
            f"Audit {one.name} with about {members:,} members and {others:,} non-members to notice "
            f"an AUC of {SMALL_LEAK}; with {best.members:,} and {best.non_members:,} one below "
            f"{one.detectable_auc:.2f} may go unseen."
        )


def _resolve(results: Results) -> Iterator[Step]:
    """A rate was asked for that few non-members decide, or none was resolved."""
    needed: dict[int, tuple[float, int]] = {}
    for best in filter(None, map(_strongest, results.targets)):
        weak = [one.fpr for one in best.tpr if one.fpr * best.non_members < DECISIVE]
        for fpr in weak[-1:]:
            needed[ceil(DECISIVE / fpr - 1e-9)] = (fpr, best.non_members)
    for enough, (fpr, now) in sorted(needed.items())[-1:]:
        yield Step(
            f"Use {enough:,} non-members for narrow intervals at a false-positive rate of "
            f"{words.chosen_percent(fpr)}: of {now:,}, fewer than ten decide it."
        )


def _strengthen(results: Results) -> Iterator[Step]:
    """Nothing was found, and stronger attacks did not run."""
    clean = [one for one in results.targets if one.leaks is False and not one.defenses]
    if results.kind == "language":
        bare = [one for one in clean if not _asks(one, BASE)]
        if bare:
            yield Step(
                f"Name the public model that {_names(bare)} came from: attacks that compare with "
                "it are far stronger, and none ran.",
                "nonmember audit llm --base BASE ...",
            )
    alone = [one for one in clean if not _asks(one, TUNED)]
    if alone and results.kind != "transfer":
        command = "llm" if results.kind == "language" else "classifier"
        yield Step(
            f"Train reference models: without them LiRA and RMIA, the strongest attacks known, did "
            f"not look at {_names(alone)}.",
            f"nonmember audit {command} --references 16 ...",
        )


def _blank(results: Results) -> Iterator[TargetResult]:
    """The targets of which nothing can be said."""
    return (one for one in results.targets if one.leaks is None)


def _dropped(target: TargetResult) -> bool:
    return any(one.roles.get("dropped") for one in target.defenses)


def _separated(target: TargetResult) -> bool:
    return any(one.blind and one.auc.excludes(0.5) for one in target.attacks)


def _strongest(target: TargetResult) -> AttackResult | None:
    return next((one for one in target.attacks if one.name == target.strongest), None)


def _measure(target: TargetResult) -> AttackResult | None:
    """What defenses are compared by: of classifiers, what scores tell."""
    return defended.row(target).scores if target.classifier else _strongest(target)


def _more(one: Rival, other: Rival, results: Results) -> Interval:
    """By how much the AUC of ``one`` is larger, for all comparisons at once.

    As of the same records where they were held against each other; else as if independent.
    """
    for (first, by), (second, against), sign in ((one, other, 1), (other, one, -1)):
        wanted = (first.name, second.name, by.name, against.name, None)
        for each in results.differences:
            if (each.target, each.against, each.attack, each.attack_against, each.fpr) == wanted:
                found = each.simultaneous
                ends = sorted((sign * found.low, sign * found.high))
                return Interval(ends[0], sign * found.value, ends[1], found.level)
    return unpaired(other[1].simultaneous, one[1].simultaneous)


def _asks(target: TargetResult, prefix: str) -> bool:
    return any(need.startswith(prefix) for one in target.attacks for need in one.needs)


def _told(attack: AttackResult | None) -> str:
    assert attack is not None
    return f"{attack.name}, AUC {words.auc(attack.simultaneous)}"


def _upward(count: float) -> int:
    """``count`` rounded up to two digits."""
    step = 10 ** max(0, floor(log10(count)) - 1)
    return ceil(count / step) * step


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _verb(targets: Sequence[TargetResult], verb: str) -> str:
    return verb if len(targets) > 1 else f"{verb}s"


def _names(targets: Iterable[TargetResult]) -> str:
    first, *rest = [one.name for one in targets]
    if len(rest) > 2:
        return f"{first} and {len(rest)} others"
    return " and ".join(filter(None, [", ".join([first, *rest[:-1]]), *rest[-1:]]))
