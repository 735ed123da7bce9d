"""A section for a model card as the Hugging Face hub shows it, and its place in one that is there.

It holds figures, what was tried, what was not, and hashes; no path, no record, no title.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from math import isfinite

from nonmember.audit.counterparts import on_model
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import DataError
from nonmember.evaluation.intervals import Interval
from nonmember.report import annex, words
from nonmember.report.gate.figures import errors
from nonmember.report.markdown import escaped

START, END = "<!-- nonmember:start -->", "<!-- nonmember:end -->"
YAML_START, YAML_END = "# nonmember:start", "# nonmember:end"
FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?:.*?\r?\n)??---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
OWN_INDEX = re.compile(r"^[\"']?model-index[\"']?\s*:", re.MULTILINE)
HEADING = "## Membership privacy"
PLACES = 4  # decimal places in the metadata


def section(results: Results, target: TargetResult, digest: str) -> str:
    """What a reader of the card is told of one target, as Markdown.

    Args:
        results: the run.
        target: the model that the card is of.
        digest: SHA-256 of ``results.json``.
    """
    alone = replace(results, targets=(target,))
    tried = [*annex.reach(alone), *annex.measures(alone)]
    missing = (*results.not_covered, annex.EXTRACTION, annex.CHOICE)
    blocks = [
        HEADING,
        *_cautions(target, results),
        f"**{escaped(target.verdict)}**",
        "\n".join(_table(target)),
        "What was tried:",
        _items(tried),
        "What is not covered:",
        _items(missing),
        f"Provenance: nonmember {version('nonmember')}, "
        f"{escaped(words.moment(results.created), 80)}; "
        + "; ".join(f"{name} `{value}`" for name, value in _hashes(target, digest).items())
        + ".",
    ]
    return "\n\n".join(blocks)


def metadata(results: Results, target: TargetResult) -> str:
    """The figures as the hub's ``model-index``, in YAML; empty where they are no evidence.

    A figure without an interval is not among them.
    """
    best = _strongest(target)
    known = [] if best is None else [one for one in _figures(best) if _bounded(one[2])]
    if best is None or not known or errors(target, results):
        return ""
    lines = [
        "model-index:",
        f"- name: {_scalar(target.name)}",
        "  results:",
        "  - task:",
        '      type: "membership-inference"',
        '      name: "Membership inference"',
        "    dataset:",
        '      type: "private"',
        f'      name: "{best.members} members and {best.non_members} non-members"',
        "    metrics:",
    ]
    for kind, name, found in known:
        told = f"{name} by {best.name}, {_ends(found)}"
        lines += [
            f"    - type: {_scalar(kind)}",
            f"      name: {_scalar(told)}",
            f"      value: {round(found.value, PLACES)}",
        ]
    return "\n".join(lines)


def inserted(card: str, section: str, metadata: str, where: str) -> str:
    """The card with the section in its place, or at its end; all else stays, to the letter.

    The metadata goes to the front matter, unless that has a ``model-index`` of its own.

    Args:
        card: the card's text, which may be empty.
        section: as ``section`` gives it.
        metadata: as ``metadata`` gives it.
        where: the card's path, for errors.

    Raises:
        DataError: of the marks of an older section only one is there, or several.
    """
    newline = "\r\n" if "\r\n" in card else "\n"
    front = FRONT.match(card)
    size = len(front[0]) if front else 0
    head, body = card[:size], card[size:]
    block = "\n".join((START, section, END)).replace("\n", newline)
    old = _span(body, START, END, where)
    if old:
        body = body[: old[0]] + block + body[old[1] :]
    else:
        body = body + _gap(body, newline) + block + newline
    return _headed(head, metadata, newline, where) + body


def _headed(head: str, metadata: str, newline: str, where: str) -> str:
    """The front matter with the metadata in it, or without it if there is none."""
    lines = (YAML_START, metadata, YAML_END, "") if metadata else ()
    block = "\n".join(lines).replace("\n", newline)
    old = _span(head, YAML_START, YAML_END, where)
    if old:
        rest = head[old[1] :].removeprefix(newline)
        return head[: old[0]] + ("" if OWN_INDEX.search(head[: old[0]] + rest) else block) + rest
    if not block or OWN_INDEX.search(head):
        return head
    if not head:
        return f"---{newline}{block}---{newline}"
    at = head.rstrip().rindex("---")
    return head[:at] + block + head[at:]


def _span(text: str, start: str, end: str, where: str) -> tuple[int, int] | None:
    """Where the marked part begins and ends, if there is one."""
    if start not in text and end not in text:
        return None
    first, last = text.find(start), text.find(end)
    if text.count(start) != 1 or text.count(end) != 1 or last < first:
        raise DataError(
            f"{where}: needs one {start!r} and one {end!r} after it, or neither; mend the card"
        )
    return first, last + len(end)


def _gap(body: str, newline: str) -> str:
    """What keeps a new section apart from the text before it."""
    if not body.strip():
        return ""
    return newline if body.endswith(newline) else newline * 2


def _cautions(target: TargetResult, results: Results) -> Iterator[str]:
    for finding in errors(target, results):
        yield f"> Not valid as evidence, {finding.code}: {escaped(finding.message)}"


def _strongest(target: TargetResult) -> AttackResult | None:
    return next((one for one in target.attacks if one.name == target.strongest), None)


def _figures(best: AttackResult) -> Iterator[tuple[str, str, Interval]]:
    """Kind, name and interval of what the strongest attack finds."""
    yield "auc", "AUC", best.simultaneous
    for rate in best.tpr:
        yield f"tpr_at_fpr_{rate.fpr:g}", f"TPR at FPR {rate.fpr:g}", rate.simultaneous


def _bounded(found: Interval) -> bool:
    return all(map(isfinite, (found.low, found.value, found.high)))


def _table(target: TargetResult) -> Iterator[str]:
    yield "| Figure | Value | Interval |"
    yield "|---|---|---|"
    best = _strongest(target)
    if best is not None:
        among = f"strongest of {len(on_model(target))} attacks"
        for _, name, found in _figures(best):
            told = f"{name}, {escaped(best.name, 80)}, {among}"
            yield f"| {told} | {found.value:.3f} | {_ends(found)} |"
    known = target.downstream or target.classifier or target.utility
    if known is not None:
        found = known.accuracy
        yield f"| Accuracy on records never seen | {found.value:.3f} | {_ends(found)} |"
    yield f"| Smallest AUC that would probably have been seen | {target.detectable_auc:.3f} | |"


def _ends(found: Interval) -> str:
    return f"{found.low:.3f} to {found.high:.3f} ({100 * found.level:.4g} %)"


def _items(lines: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(one)}" for one in lines)


def _hashes(target: TargetResult, digest: str) -> Mapping[str, str]:
    """The digests that say which results and which models these are."""
    own = {
        escaped(str(role), 80): escaped(str(about["digest"]), 80)
        for role, about in target.provenance.items()
        if isinstance(about, Mapping) and about.get("digest")
    }
    return {"results.json SHA-256": digest, **own}


def _scalar(text: str) -> str:
    """A YAML string in double quotes, which are those of JSON; no mark can stand in it."""
    quoted = json.dumps(words.excerpt(" ".join(text.split()), 120), ensure_ascii=False)
    return quoted.replace("#", "\\u0023").replace("<", "\\u003c")
