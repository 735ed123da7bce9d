"""Which form of which word each word of an English text is: rules, and no model.

The likeliest sequence of Penn Treebank tags (Viterbi), where a dictionary says which tags a
word can have, WordNet's senses how common each is, and a table of weights which may follow
which. It is meant for exchanging words: where two parts of speech are about as likely, it
says nothing.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import log
from typing import NamedTuple

from nonmember.rewriting.wordnet import table

CLOSED: Mapping[str, str] = {
    "DS": "a an this each every another either neither",  # determiners of a singular
    "DT": """the its his her my your our their whose no some any all both these those such
        many several few most more less other same own various certain enough much half
        what""",
    "SU": "i he she we they it you there one who which",  # subjects, mostly
    "OB": """me him us them himself herself itself themselves myself yourself ourselves someone
        anyone everyone something anything everything nothing mine yours ours theirs""",
    "MD": """will would can could may might must shall should do does did don't doesn't didn't
        won't wouldn't can't cannot couldn't shouldn't i'll we'll you'll they'll it'll he'll i'd
        we'd you'd they'd he'd she'd let's please""",
    "TO": "to",
    "BE": """is are was were be been being am isn't aren't wasn't weren't i'm you're we're they're
        it's he's she's that's there's what's who's""",
    "HV": "has have had having hasn't haven't hadn't i've we've you've they've",
    "IN": """of in on at by for with from into onto about above across after against along amid
        among around as before behind below beneath beside besides between beyond despite down
        during except inside like near off out outside over past per since than through
        throughout till toward towards under underneath until unlike up upon via within without
        versus vs according due regarding concerning including amongst back away""",
    "CC": "and or nor but",
    "CS": """because although though while whereas whilst if unless whether when where why how
        that so yet then whenever wherever however""",
    "AD": """not very too quite rather also just only even still already ever never always often
        once again now here thus hence therefore perhaps maybe almost well else much instead
        indeed yes ago sometimes soon together""",
    "CD": """0 two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty
        hundred thousand million billion first second third last next""",
}
"""Words that are read as what they mostly are, and which nothing exchanges one by one."""

FOLLOW = """
.  NN 0 NNS .5 VB -1 VBZ -3 VBD -2 VBN -.5 JJ 0
CC NN 0 NNS .3
CS NNS .7 VBZ -.5 VBD -1.5 VB -1.5 VBN -.7
DS NN 2.5 NNS -2.5 JJ 2 VB -4 VBZ -4 VBD -4 VBG -.5 VBN .8 RB -.7 IN -2 JJR 1 JJS 1
DT NN 2.5 NNS 2.5 JJ 2 VB -4 VBZ -4 VBD -4 VBG -.5 VBN .8 RB -.7 IN -1 JJR 1 JJS 2 RBS 1
CD NN 1 NNS 2 JJ .5 VB -3 VBZ -2 VBD -1 VBG -1
NP NN 0 NNS 0 VBZ 1 VBD 1.5 VB -1.5 VBN 0 JJ -1.5 MD .5 BE .5
SU VB 2 VBZ 2 VBD 2.5 VBN -2.5 NN -3 NNS -3 JJ -3 VBG -1 RB 1 MD 1 BE 1 HV 1
OB VB .5 NN -1.5 NNS -1.5 JJ -1 VBZ -1 VBD -1 TO .5 IN .3
MD VB 3 VBZ -4 VBD -4 VBN -3 VBG -3 NN -3 NNS -3 JJ -2.5 RB .7 AD .5 BE 1 HV 1
TO VB 2.5 VBZ -5 VBD -5 VBN -1 VBG -.3 NN -.5 NNS 0 JJ -.5 DT .5 DS .5 RB -.5 BE 1
BE VBN 2.5 VBG 2 JJ 2 VB -5 VBD -4 VBZ -5 NN -.8 NNS -1.2 RB .8 JJR 1 AD .5
HV VBN 3 VBD -4 VB -5 VBZ -5 VBG -2 NN -.3 NNS 0 JJ 0 RB .5 BE 1 DT .5 DS .5 AD .5
IN NN 1 NNS 1 JJ 1 VBG 1.5 VBN .3 VB -4 VBZ -5 VBD -5 DT .7 DS .7 RB -1 SU .2
AD VBN .8 VBG .5 VB .5 VBZ .5 VBD .5 JJ .7 RB .3 NN -1.5 NNS -1.5
NN VBZ 1 VBD 1 VB -3 NN .4 NNS .5 JJ -2 VBN -.2 VBG -.5 RB -.2 IN 1 MD 1 BE 1 HV 1 . .5 DT -1 SU -.5
NNS VB 1 VBD 1 VBZ -4 NN -2 NNS -2 JJ -2 VBN .2 VBG -.2 RB 0 IN 1 MD 1 BE 1 HV 1 . .5 DT -1 SU -.3
JJ NN 2 NNS 2 JJ .4 VB -4 VBZ -4 VBD -4 VBN -1.5 VBG -1 RB -2 IN -.3 DT -2 BE -1.5 MD -1.5 HV -1
JJR NN 1 NNS 1 JJ .3 IN 1 VB -3 VBZ -3 VBD -3 RB -1
JJS NN 2 NNS 2 JJ .7 VB -3 VBZ -3 VBD -3
RB VBN .8 VBD .7 VB .4 VBZ .7 VBG .5 JJ .8 RB -.5 NN -2 NNS -2
RBR JJ 1.5 RB 1 NN -1 NNS -1
RBS JJ 1.5 RB 1 NN -1 NNS -1
VB,VBZ,VBD DT .8 NNS .5 JJ .3 VB -4 VBZ -4 VBD -4 VBN -1 VBG -.3 IN .2 TO .3 OB .8 BE -2 MD -2 HV -2
VBN IN .8 TO .7 NN .3 NNS .3 VB -3 VBZ -3 VBD -3 VBN -1.5 . .3 DT -.5 DS -.5 JJ -.3 OB -1
VBG DT .8 DS .8 NN .2 NNS .4 JJ .3 VB -4 VBZ -3 VBD -3 VBN -1 IN .2 OB .8
"""
"""Tags, and how much more (in nats) those after them are favoured than the rest."""

_FOLLOW = [
    (tags, {pairs[i]: float(pairs[i + 1]) for i in range(0, len(pairs), 2)})
    for tags, *pairs in map(str.split, FOLLOW.strip().splitlines())
]
NEXT: Mapping[str, Mapping[str, float]] = {
    tag: {"DS": weights.get("DT", 0.0), **weights}  # all determiners follow alike
    for tags, weights in _FOLLOW
    for tag in tags.split(",")
}
TAG_OF = {word: tag for tag, words in CLOSED.items() for word in reversed(words.split())}
PARTS = {
    "NOUN": ("n", ("NN", "NNS")),
    "VERB": ("v", ("VB", "VBZ", "VBD", "VBN", "VBG")),
    "ADJ": ("a", ("JJ", "JJR", "JJS")),
    "ADV": ("r", ("RB", "RBR", "RBS")),
}
"""A part of speech: WordNet's letter for it, and its tags, the first that of the lemma."""

SURE = 0.5  # nats between a word's part of speech and the next best, its neighbours as found


class Reading(NamedTuple):
    """The form that ``tag`` names of ``lemma``, whose part of speech is n, v, a or r."""

    tag: str
    part: str
    lemma: str
    weight: float


@lru_cache(maxsize=1 << 16)
def inflections(lemma: str) -> Mapping[str, tuple[str, ...]]:
    """The forms of a lemma in the dictionary, by tag."""
    from lemminflect import getAllInflections

    found: Mapping[str, tuple[str, ...]] = getAllInflections(lemma)
    return found


def forms(lemma: str, tag: str) -> tuple[str, ...]:
    """The spellings of one form of a lemma, none if it has none; a present is its lemma."""
    found = inflections(lemma)
    return found.get(tag) or (found.get("VBD", ()) if tag == "VBN" else ())


@lru_cache(maxsize=1 << 16)
def readings(word: str) -> tuple[Reading, ...]:
    """All that a word in small letters can be; a closed one is only itself."""
    if word in TAG_OF:
        return (Reading(TAG_OF[word], "", word, 0.0),)
    from lemminflect import getAllLemmas

    found = []
    for upos, lemmas in getAllLemmas(word).items():
        for lemma in lemmas if upos in PARTS else ():
            found += _forms_of(word, lemma, upos)
    return tuple(found) or (Reading("NP", "", word, 0.0),)


def _forms_of(word: str, lemma: str, upos: str) -> list[Reading]:
    """The readings of a word as a form of one lemma; the more senses, the more weight."""
    part, tags = PARTS[upos]
    senses = table().get(lemma, {})
    every = sum(len(some) for some in senses.values())
    weight = 0.8 * log((len(senses.get(part, ())) + 0.7) / (every + 1))
    if upos == "ADV" and word.endswith("ly"):
        weight += 1
    fitting = (tag for tag in tags if word in forms(lemma, tag))
    return [Reading(t, part, lemma, weight) for t in fitting if t != "NNS" or word != lemma]


def read(words: Sequence[str]) -> list[Reading | None]:
    """What each word is; None where that is not sure. A closed word, a name has no part.

    Args:
        words: in small letters; "." stands for a break of the sentence, "" for a name, "0"
            for a number.
    """
    options = [_options(word) for word in words]
    path = _likeliest(options)
    found: list[Reading | None] = []
    for i, (best, among) in enumerate(zip(path, options, strict=True)):
        before = path[i - 1].tag if i else "."
        after = path[i + 1].tag if i + 1 < len(path) else "."
        rest = (_fit(before, r, after) for r in among if r.part != best.part)
        sure = _fit(before, best, after) - max(rest, default=-99) > SURE
        found.append(best if sure else None)
    return found


def _options(word: str) -> tuple[Reading, ...]:
    if word == ".":
        return (Reading(".", "", word, 0.0),)
    return readings(word) if word else (Reading("NP", "", word, 0.0),)


def _fit(before: str, one: Reading, after: str) -> float:
    here = NEXT[before].get(one.tag, 0.0) + NEXT[one.tag].get(after, 0.0)
    return one.weight + here


def _likeliest(options: Sequence[Sequence[Reading]]) -> list[Reading]:
    """The sequence of the largest sum of weights, of words and of neighbours."""
    scores = [0.0]
    last: Sequence[Reading] = (Reading(".", "", ".", 0.0),)
    back: list[list[int]] = []
    for some in options:
        rows = [NEXT[one.tag] for one in last]
        new, origin = [], []
        for one in some:
            sums = [s + row.get(one.tag, 0.0) for s, row in zip(scores, rows, strict=True)]
            best = max(sums)
            new.append(best + one.weight)
            origin.append(sums.index(best))
        scores, last = new, some
        back.append(origin)
    at = scores.index(max(scores))
    path = []
    for some, origin in zip(reversed(options), reversed(back), strict=True):
        path.append(some[at])
        at = origin[at]
    return path[::-1]
