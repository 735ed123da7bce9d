"""An annex for those who file evidence: what a run shows, under the headings they file it by.

Headings are referred to, not quoted, and nothing here is a legal assessment. Under each stands
what the run has to say and, always, what it does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from nonmember.audit.counterparts import on_model
from nonmember.audit.records import Results, TargetResult
from nonmember.report import words
from nonmember.report.gate.figures import bound_of, errors

PREFACE = (
    "Evidence from one technical audit, placed under headings of documents that are often asked "
    "about. The headings are referred to in short, not quoted; read them in the documents. This "
    "is no legal assessment: whether a duty is met is decided by whoever answers for the "
    "processing, with more than this."
)
CUT = 400  # characters of one foreign sentence
Evidence = Callable[[Results], Iterator[str]]
Source = tuple[str, tuple[tuple[str, Sequence[Evidence], tuple[str, ...]], ...]]
"""A document: its name and, of each heading, what gives evidence and what none is given of."""


@dataclass(frozen=True)
class Heading:
    """One heading: what the run says to it, and what it does not."""

    name: str
    evidence: tuple[str, ...]
    not_covered: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One document and those of its headings that a membership audit can say something to."""

    name: str
    headings: tuple[Heading, ...]


def annex(results: Results) -> tuple[Document, ...]:
    """What the run shows, by document and heading; foreign text in it is not escaped yet."""
    return tuple(
        Document(
            name,
            tuple(
                Heading(heading, tuple(_said(results, sources)), gaps)
                for heading, sources, gaps in headings
            ),
        )
        for name, headings in SOURCES
    )


def _said(results: Results, sources: Sequence[Evidence]) -> Iterator[str]:
    for source in sources:
        yield from (words.excerpt(said, CUT) for said in source(results))


def membership(results: Results) -> Iterator[str]:
    """Per target its state, and the strongest attack with the interval that holds for all."""
    for target in results.targets:
        yield f"{target.name}: {words.STATES[target.leaks]}. {_strongest(target)}"
        if serious := errors(target, results):
            codes = ", ".join(finding.code for finding in serious)
            yield f"{target.name}: not valid as evidence of membership, see {codes}."


def _strongest(target: TargetResult) -> str:
    best = next((one for one in target.attacks if one.name == target.strongest), None)
    if best is None:
        return "No attack on the model gave a figure."
    return (
        f"The strongest of {len(on_model(target))} attacks on the model, {best.name}, has AUC "
        f"{words.auc(best.simultaneous)} on {best.members} members and {best.non_members} "
        f"non-members; an AUC below {target.detectable_auc:.3f} might not have been seen."
    )


def _rates(results: Results) -> Iterator[str]:
    for target in results.targets:
        best = next((one for one in target.attacks if one.name == target.strongest), None)
        for rate in best.tpr if best else ():
            yield (
                f"{target.name}: finds {words.rate(rate.simultaneous)} of the members at a "
                f"false-positive rate of {rate.fpr:g}."
            )


def _subject(results: Results) -> Iterator[str]:
    for target in results.targets:
        yield f"{target.name}: {target.description}"
    sizes = {key: value for key, value in results.data.items() if isinstance(value, int)}
    yield f"Records: {words.settings(sizes)}."


def reach(results: Results) -> Iterator[str]:
    """What attackers were given."""
    attacks = [attack for target in results.targets for attack in on_model(target)]
    seen = {words.WORDING[results.kind].seen(attack.access): None for attack in attacks}
    names = {attack.name: None for attack in attacks}
    yield f"Attackers who see: {', '.join(seen) or 'nothing'}."
    yield f"Attacks: {', '.join(names) or 'none'}."


def _persons(results: Results) -> Iterator[str]:
    for target in results.targets:
        if target.persons:
            auc = words.auc(target.persons.auc)
            yield f"{target.name}: persons with several records are told apart with AUC {auc}."


def _flags(results: Results) -> Iterator[str]:
    for target in results.targets:
        for risk in target.risk.flags if target.risk else ():
            yield f"{target.name}: {risk.words()}."


def measures(results: Results) -> Iterator[str]:
    """Per target how it was defended."""
    for target in results.targets:
        by = words.defended(target.defenses)
        yield f"{target.name}: {f'defended by {by}' if target.defenses else 'no defense'}."


def worth(results: Results) -> Iterator[str]:
    """Per target what it is worth on records that it never saw."""
    for target in results.targets:
        known = target.downstream or target.classifier or target.utility
        if known:
            rate, loss = words.rate(known.accuracy), words.auc(known.loss)
            yield f"{target.name}: accuracy {rate}, loss {loss} nats."


def accountant(results: Results) -> Iterator[str]:
    """Per defense what a privacy accountant says of it."""
    for target in results.targets:
        for one in target.defenses:
            if one.spent:
                yield f"{target.name}: {one.name} spent {words.spent(one.spent)}."


def _bound(results: Results) -> Iterator[str]:
    for target in results.targets:
        if bound := bound_of(target):
            yield f"{target.name}: {bound}."
        if target.canaries and target.canaries.claimed and target.canaries.refuted:
            claim = target.canaries.claimed
            yield (
                f"{target.name}: the claim of epsilon {claim.epsilon:g} at delta {claim.delta:g} "
                f"(by {claim.by}) is refuted by this bound."
            )


def _record(results: Results) -> Iterator[str]:
    yield (
        f"Made by nonmember on {words.moment(results.created)}; results.json holds every figure "
        "with its interval and count, attacks with options and papers, seeds and versions; "
        "manifest.json holds the files' hashes."
    )


def not_tried(results: Results) -> Iterator[str]:
    """What the run itself says it did not look at."""
    yield from (f"Not looked at: {one}" for one in results.not_covered)


EXTRACTION = "Whether training records, or personal data in them, can be extracted or recited."
ATTRIBUTES = "Inference of attributes, and reconstruction of records by model inversion."
CHOICE = "Attacks stronger than those tried: no finding here bounds them from above."
PURPOSE = "Purposes, legal basis, necessity and proportionality of the processing."
PEOPLE = "Consequences for the people concerned, and their views."
OPERATION = "Access control, rate limits, logging and other measures around the model."

SOURCES: tuple[Source, ...] = (
    (
        "EDPB Opinion 28/2024 on AI models: when a model may be considered anonymous",
        (
            (
                "Likelihood of obtaining personal data from queries: resistance to membership "
                "inference",
                (membership, _rates, _persons),
                (CHOICE, "Means reasonably likely to be used, beyond the attackers named here."),
            ),
            (
                "Likelihood of extraction of personal data from the model",
                (),
                (EXTRACTION, ATTRIBUTES),
            ),
            (
                "Design: measures in training and on outputs",
                (measures,),
                ("Selection, preparation and minimisation of training data.", OPERATION),
            ),
            ("Documentation", (_record, not_tried), ("Governance, and engineering audits.",)),
        ),
    ),
    (
        "GDPR Article 35: data protection impact assessment",
        (
            ("Systematic description, 35(7)(a): the model only", (_subject,), (PURPOSE,)),
            ("Necessity and proportionality, 35(7)(b)", (worth,), (PURPOSE,)),
            (
                "Risks to rights and freedoms, 35(7)(c): that membership is revealed",
                (membership, _flags),
                (PEOPLE, EXTRACTION, ATTRIBUTES),
            ),
            ("Measures envisaged, 35(7)(d)", (measures, accountant), (OPERATION,)),
        ),
    ),
    (
        "NIST AI 100-2: taxonomy of attacks, privacy",
        (
            ("Membership inference", (membership, _rates), (CHOICE,)),
            ("Attackers' knowledge and capabilities", (reach, not_tried), (CHOICE,)),
            ("Data reconstruction and training-data extraction", (), (EXTRACTION, ATTRIBUTES)),
            ("Property inference, model extraction", (), ("Neither was looked at.",)),
        ),
    ),
    (
        "NIST SP 800-226: evaluating differential privacy guarantees",
        (
            (
                "Privacy parameters: epsilon and delta",
                (accountant, _bound),
                (
                    "An upper bound of epsilon: attacks give lower ones, and only an accountant's "
                    "proof gives a guarantee.",
                ),
            ),
            (
                "Unit of privacy",
                (_persons,),
                ("Whether the unit protected, a record or a person, is the one that matters.",),
            ),
            ("Utility", (worth,), ("Accuracy per group of people, and bias.",)),
            (
                "Trust model, implementation and side channels",
                (),
                ("Who holds raw data, the code of the mechanism, timing and floating point.",),
            ),
        ),
    ),
    (
        "OWASP AISVS: privacy of models",
        (
            ("Membership-inference mitigation", (membership, measures), (CHOICE, OPERATION)),
            ("Model-inversion resistance", (), (ATTRIBUTES,)),
            ("Model-extraction defence", (), ("Whether the model itself can be copied.",)),
            ("Differential privacy", (accountant,), ("The proof behind the accountant.",)),
        ),
    ),
)
