"""What a model is asked for a rewrite, and what of its reply is one."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Literal, TypeAlias

from nonmember.models.source import digest
from nonmember.rewriting.protocols import Rewrite

VERSION = 1
"""Of question and parser: part of every model's identity. Bump it when either changes."""

Kind: TypeAlias = Literal["prose", "code"]

ASKED: dict[Kind, str] = {
    "prose": (
        "Rewrite the passage in your own words. Use different words and sentence shapes. Keep "
        "every fact, number, unit, name, quotation, date, formula and citation exactly. Answer "
        "with the rewritten passage only, inside <{mark}></{mark}>."
    ),
    "code": (
        "Rename local identifiers and rewrite comments and docstrings; do not change public "
        "names, strings that are output, behaviour or language. Answer with the code only, "
        "inside <{mark}></{mark}>."
    ),
}
MARKS: dict[Kind, str] = {"prose": "text", "code": "code"}

COPIED, RETURNED, EMPTY = "the text came back as it was", "the prompt came back", "an empty reply"
REFUSED, CHAT, UNBALANCED = "a refusal", "words around the text", "unbalanced tags"
CUT, SEVERAL = "cut off before its end", "more than one answer"

FLAGS = re.IGNORECASE | re.DOTALL
THOUGHT = re.compile(r"\A\s*<think>.*?</think>", FLAGS)
THINKING = re.compile(r"\A\s*<think>", FLAGS)
FENCED = re.compile(r"```[\w+#.-]*[ \t]*\n(.*?)\n?```", FLAGS)
APOLOGY = re.compile(
    r"""\A\W*(?:
        (?:i['’]?m|i\ am|we['’]?re)\ (?:very\ |so\ |really\ )?(?:sorry|afraid)\b.{0,60}?
            (?:can['’]?t|cannot|can\ not|unable|not\ able|won['’]t)
      | (?:sorry|apologies|i\ apologi[sz]e|unfortunately)\b.{0,60}?
            (?:can['’]?t|cannot|can\ not|unable|not\ able|won['’]t)
      | (?:i|we)\ (?:can['’]?t|cannot|can\ not|could\ not|won['’]t)\ .{0,30}?(?:help|assist|comply
            |provide|rewrit|rephras|paraphras|fulfil|do\ (?:that|this)|process|generat|engage)
      | (?:i|we)\ (?:must\ |have\ to\ )?decline\b
      | (?:i|we)\ (?:do\ not|don['’]t)\ feel\ comfortable\b
      | (?:i['’]m|i\ am)\ (?:unable|not\ able|not\ allowed|not\ permitted)\ to\b
      | as\ an?\ (?:\w+\ ){0,2}(?:ai|language\ model|assistant)\b
      | (?:i['’]m|i\ am)\ (?:just\ |only\ )?an?\ (?:\w+\ ){0,2}(?:ai|language\ model)\b
    )""",
    FLAGS | re.VERBOSE,
)
BEFORE = re.compile(
    r"""\A\W*(?:
        (?:sure|certainly|of\ course|absolutely|okay|ok|yes)\b\W+(?:here|i\b|this|the\ re|below)
      | (?:sure|certainly|of\ course|absolutely)!
      | (?:here(?:['’]s|\ is|\ are|\ you\ go)|below\ is|this\ is)\W+(?:[\w-]+\ ){0,4}?
            (?:rewrit|rewrote|re-writ|rephras|reword|paraphras|revis|refactor|renam|version)
      | (?:the\ |my\ )?(?:rewritten|rephrased|reworded|paraphrased|revised|refactored)
            \ (?:passage|text|version|paragraph|code|sentence)[^.\n]{0,40}:
      | (?:rewrite|rewritten|answer|output|passage)\s*:
    )""",
    FLAGS | re.VERBOSE,
)
AFTER = re.compile(
    r"""(?:
        (?:let\ me\ know\ (?:if|whether)|i\ hope\ (?:this|that)\ helps|feel\ free\ to
            |would\ you\ like\ me\ to|is\ there\ anything\ else)
      | \n\s*\W?(?:note\b|in\ (?:this|the)\ re(?:writ|word|phras|vis))
      | \n\s*\W?i(?:['’]ve|\ have)?\ (?:add|chang|kept|remov|replac|renam|rewr
            |used\ (?:different|other|new))
    )[^\n]*\Z""",
    FLAGS | re.VERBOSE,
)


def fingerprint(kind: Kind) -> str:
    """What tells these questions, and how their answers are read, from others in a cache."""
    return digest(str(VERSION), kind, ASKED[kind])


def question(old: str, kind: Kind) -> str:
    """What a model is asked: the words, and the text between tags that do not occur in it."""
    mark = _mark(old, kind)
    return f"{ASKED[kind].format(mark=mark)}\n\n<{mark}>\n{old}\n</{mark}>"


def beginning(old: str, kind: Kind) -> str:
    """How an answer begins: who writes it for the model gets fewer words around the text."""
    return f"<{_mark(old, kind)}>\n"


def answer(reply: str, old: str, kind: Kind, *, whole: bool = True, begun: bool = False) -> Rewrite:
    """What a model's reply to the ``question`` holds: the new text, or why it is none.

    What stands around the tags is left out. Without tags the whole reply is taken, unless it
    talks to whoever asked.

    Args:
        reply: as the model wrote it; a train of thought between think tags may come first.
        old: the text that was asked about.
        kind: what it was taken for.
        whole: the model ended the reply itself.
        begun: the reply goes on from its ``beginning``, which is no part of it.
    """
    mark, said = _mark(old, kind), THOUGHT.sub("", reply, count=1)
    if THINKING.match(said):
        return Rewrite(None, CUT)
    ended = re.search(rf"</{mark}>", said, FLAGS) if begun else None
    if ended is not None:
        said = f"<{mark}>{said[: ended.end()]}"
    marks = re.findall(rf"<(/?){mark}>", said, FLAGS)
    found = _between(said, mark, marks, whole=whole) if marks else _bare(said, kind, whole=whole)
    if found.text is None:
        return found
    new = _trimmed(found.text, old, kind)
    why = next(_faults(new, old, kind), "")
    return Rewrite(None, why) if why else Rewrite(new)


def refuses(new: str, old: str = "") -> bool:
    """Whether a text begins as a refusal does, and the text that it came from does not."""
    return bool(APOLOGY.match(new)) and not APOLOGY.match(old)


def _mark(old: str, kind: Kind) -> str:
    """The name of a tag that the text does not hold: of XML, "text" may be a part."""
    names = (MARKS[kind] + (str(number) if number > 1 else "") for number in count(1))
    return next(one for one in names if not re.search(rf"</?{one}\b", old, FLAGS))


def _between(said: str, mark: str, marks: list[str], *, whole: bool) -> Rewrite:
    """What stands between the tags, each of which has its closing one."""
    if marks[::2] != [""] * len(marks[::2]) or marks[1::2] != ["/"] * len(marks[1::2]):
        return Rewrite(None, UNBALANCED)
    if len(marks) % 2:
        return Rewrite(None, UNBALANCED if whole else CUT)
    every = re.findall(rf"<{mark}>(.*?)</{mark}>", said, FLAGS)
    found = [one for one in every if one.strip()]
    if len(found) > 1:
        return Rewrite(None, SEVERAL)
    return Rewrite(found[0]) if found else Rewrite(None, EMPTY)


def _bare(said: str, kind: Kind, *, whole: bool) -> Rewrite:
    """A reply without tags; of code, a single fence around it serves as one."""
    if not whole:
        return Rewrite(None, CUT)
    fenced = FENCED.findall(said) if kind == "code" else []
    if len(fenced) == 1:
        return Rewrite(fenced[0])
    return Rewrite(said)


def _trimmed(new: str, old: str, kind: Kind) -> str:
    """Without a fence of the model's own, and with the white space around it that the old has."""
    fenced = FENCED.fullmatch(new.strip())
    if fenced and "```" not in fenced[1] and not old.lstrip().startswith("```"):
        new = fenced[1]
    # The first line of code may be indented: that is not around it, but in it.
    body = re.sub(r"\A(?:[ \t]*\n)+", "", new).rstrip() if kind == "code" else new.strip()
    first = re.match(r"(?:[ \t]*\n)*" if kind == "code" else r"\s*", old)
    ahead = "" if first is None else first[0]
    return ahead + body + old[len(old.rstrip()) :] if body else ""


def _faults(new: str, old: str, kind: Kind) -> Iterator[str]:
    """Why what was answered is no rewrite."""
    if not new.strip():
        yield EMPTY
    if refuses(new, old):
        yield REFUSED
    if _evened(new) == _evened(old):
        yield COPIED
    asked = (_evened(one) for one in re.split(r"[.;]", ASKED[kind].split("Answer")[0]))
    if any(one and one in _evened(new) and one not in _evened(old) for one in asked):
        yield RETURNED
    if BEFORE.match(new) and not BEFORE.match(old):
        yield CHAT
    if AFTER.search(new.rstrip()) and not AFTER.search(old.rstrip()):
        yield CHAT


def _evened(text: str) -> str:
    return " ".join(text.casefold().split())
