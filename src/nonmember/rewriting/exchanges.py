"""Where a word or a phrase of an English text can be exchanged, and for what."""

import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from nonmember.rewriting.grammar import TAG_OF, Reading, forms, read
from nonmember.rewriting.kept import kept
from nonmember.rewriting.thesaurus import thesaurus
from nonmember.rewriting.wording import LEFT_ALONE, NEVER_OFFERED, PHRASES, RULES, Rule
from nonmember.rewriting.wordnet import table
from nonmember.rewriting.words import Word, split

SENSES = 2  # of a lemma, the most frequent ones
FAMILIAR = 1500  # so many of the most frequent lemmas are as welcome as one another
BASE = ("NN", "VB", "JJ", "RB")  # forms that are the lemma itself
STEM = 5  # words that begin with as many equal letters are of one root

PHRASE = re.compile(
    rf"(?<![\w'-])(?:{'|'.join(map(re.escape, sorted(PHRASES, key=len, reverse=True)))})(?![\w'-])"
    r"(?!(?<=n't)\s(?:i|you|he|she|it|we|they|the|this|that|there)\b)"  # a question: don't you
)
BREAK = re.compile(r"[.!?;:,()\[\]\"“”\n—–|=<>]")
PARTICLES = frozenset(
    [
        "up",
        "out",
        "off",
        "down",
        "over",
        "away",
        "back",
        "around",
        "through",
        "apart",
        "along",
        "together",
    ]
)

Options = tuple[tuple[str, float], ...]
"""New wordings in small letters, with weights to draw them by."""


class Exchange(NamedTuple):
    """What can stand for ``text[start:end]``; places of one ``key`` should get the same."""

    start: int
    end: int
    key: str
    options: Options


class Place(NamedTuple):
    """A word by its number, what it is, and the word and tag of its neighbours."""

    number: int
    word: str
    reading: Reading | None
    before: set[str]
    after: set[str]


def exchanges(text: str) -> tuple[list[Exchange], int]:
    """All that can be made of a text at once, in order, and how many places have content.

    Content is in nouns, verbs, adjectives and adverbs that ``kept`` does not keep, and where
    a phrase or a function word can be exchanged.
    """
    small = text.lower().replace("’", "'")
    if len(small) != len(text):  # "İ" has two small letters
        return [], 0
    words, spans = split(text), kept(text)
    phrases = [m.span() for m in PHRASE.finditer(small)]
    phrases = [one for one, hit in zip(phrases, _hit(phrases, spans), strict=True) if not hit]
    found = [
        Exchange(start, end, small[start:end], _alike(news))
        for start, end in phrases
        if (news := PHRASES[small[start:end]])
    ]
    names = frozenset(small[start:end] for start, end in spans)
    places = [word[:2] for word in words]
    fixed = _hit(places, sorted([*spans, *phrases]))
    content = len(found)
    for place in _placed(small, words, _hit(places, spans)):
        if fixed[place.number]:
            continue
        one = _exchange(small, words, place, names)
        content += one is not None or place.word not in TAG_OF
        if one:
            found.append(one)
    return sorted(found), content


def _alike(news: Sequence[str]) -> Options:
    return tuple((new, 1.0) for new in news)


def _hit(spans: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each span overlaps any of the others; both in order, none overlapping its own."""
    found, at = [], 0
    for start, end in spans:
        while at < len(others) and others[at][1] <= start:
            at += 1
        found.append(at < len(others) and others[at][0] < end)
    return found


def _placed(small: str, words: Sequence[Word], named: Sequence[bool]) -> Iterator[Place]:
    """Each word as it is read, between its neighbours."""
    tokens, places, end = ["."], [], 0
    for word, name in zip(words, named, strict=True):
        if tokens[-1] != "." and BREAK.search(small, end, word.start):
            tokens.append(".")
        places.append(len(tokens))
        token = small[word.start : word.end]
        end = word.end
        tokens.append(("0" if token[0].isdecimal() else "") if name else token)
    tokens.append(".")
    readings = read(tokens)
    seen = [{token, one.tag if one else ""} for token, one in zip(tokens, readings, strict=True)]
    for number, at in enumerate(places):
        yield Place(number, tokens[at], readings[at], seen[at - 1], seen[at + 1])


def _exchange(
    small: str, words: Sequence[Word], place: Place, names: frozenset[str]
) -> Exchange | None:
    """The exchange of one word, if it stands for itself and there is something for it."""
    start, end, _ = words[place.number]
    word, reading = place.word, place.reading
    if word in RULES:
        fitting = (rule.new for rule in RULES[word] if _fits(rule, place))
        return next((Exchange(start, end, word, _alike(new)) for new in fitting), None)
    after = next((one for one in place.after if one in PARTICLES), "")
    if reading is None or not reading.part or (reading.part == "v" and after):
        return None
    if word in names or small[:start].rstrip(" -")[-1:].isdecimal():
        return None  # a name's namesake; a unit
    found = tuple(one for one in options(word, reading) if one[0] not in names)
    key = f"{reading.lemma}/{reading.part}/{reading.tag}"
    return Exchange(start, end, key, found) if found else None


def _fits(rule: Rule, place: Place) -> bool:
    before = "*" in rule.before or not rule.before.isdisjoint(place.before)
    return before and not rule.after.isdisjoint(place.after)


@lru_cache(maxsize=1 << 16)
def options(word: str, reading: Reading) -> Options:
    """The synonyms of one reading of a word, in its form.

    They are of its first senses, and frequent; the word is in turn a synonym of their first
    senses, so that what they mostly mean is what is meant.
    """
    tag, part, lemma, _ = reading
    ours = thesaurus().get(f"{lemma}/{part}", ())
    if ours:
        every = (_inflected(new, word, lemma, tag) for new in ours)
        return tuple((form, 1.0) for form in every if form and form != word)
    if f"{lemma}/{part}" in LEFT_ALONE:
        return ()
    found: dict[str, float] = {}
    for rank, sense in enumerate(table().get(lemma, {}).get(part, ())[:SENSES]):
        for new in sense:
            weight = _weight(new, lemma, part, rank)
            form = _inflected(new, word, lemma, tag) if weight else None
            if form and form != word:
                found[form] = max(weight, found.get(form, 0.0))
    return tuple(found.items())


def _weight(new: str, lemma: str, part: str, rank: int) -> float:
    """How welcome a synonym is; 0 if not at all."""
    senses = table().get(new, {}).get(part, ())
    back = next((i for i, sense in enumerate(senses) if lemma in sense), SENSES)
    number = frequency().get(new, 0)
    alike = new[:STEM] == lemma[:STEM] or (part == "n" and new.endswith("ing"))
    barred = new in TAG_OF or new in NEVER_OFFERED or f"{new}/{part}" in NEVER_OFFERED
    if rank + back >= SENSES or not number or alike or barred:
        return 0.0
    return ((1 + rank) * (1 + back)) ** -1.5 * min(1.0, FAMILIAR / number)


def _inflected(new: str, word: str, lemma: str, tag: str) -> str | None:
    """The form of ``new`` that ``word`` is of ``lemma``; None where there is none for sure."""
    found = forms(new, tag) or ((new,) if tag in BASE else ())
    if not found or (tag == "NN" and _counts(lemma) != _counts(new)):
        return None
    past = forms(new, "VBD")[:1] != forms(new, "VBN")[:1]
    if past and word in forms(lemma, "VBD") and word in forms(lemma, "VBN"):
        return None
    return found[0]


def _counts(noun: str) -> bool:
    return any(form != noun for form in forms(noun, "NNS"))


@cache
def frequency() -> Mapping[str, int]:
    """The place, from 1, of each of the 10,145 most frequent lemmas that have a synonym."""
    packed = files("nonmember.rewriting").joinpath("frequent.txt.xz").read_bytes()
    return {word: i for i, word in enumerate(lzma.decompress(packed).decode().split(), start=1)}
