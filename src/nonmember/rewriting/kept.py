"""What a paraphrase must keep: numbers, names, addresses, formulas, quotations, code."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from nonmember.rewriting.grammar import TAG_OF
from nonmember.rewriting.wordnet import FUNCTION_WORDS

YEAR = r"\b(?:1[5-9]|20)\d\d[a-z]?\b"
MONTH = r"(?:Jan|Febr?|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.?"
DAY = r"\d{1,2}(?:st|nd|rd|th)?"
NUMBER = r"\d+(?:[.,:/·×–-]\d+)*"
UNITS = r"""
%|‰|°\s?[CFK]?|[kKMGTPmunpµμ]?(?:Hz|eV|bps|Pa|mol|bp|Da|cal|[WVAJNlLgmsM])\b(?:/(?:kg|day|[dhLl]|m[lL])\b)?
|[cdfk]m[23²³]?\b|mm[23²³]\b|mmHg\b|d[bB]m?\b|[kMGT]i?[bB](?:/s|ps)?\b|(?:kV|mph|rpm|dpi|ppm|ppb|kcal|min|hr?s?|lbs?|oz|ft|yrs?|px)\b
|(?i:per\s?cent|percent|hundred|thousand|million|billion|trillion|(?:kilo|centi|milli|nano|micro|mega|giga)?
(?:second|minute|hour|day|week|month|year|decade|met(?:re|er)|lit(?:re|er)|gram|mile|inche?|yard|acre|pound|ounce|ton|tonne|watt|volt|hertz|byte
|bit|pixel|degree|dollar|euro|cent)s?|centur(?:y|ies)|feet|foot)\b
"""

PATTERNS = (
    r"```.{1,4000}?```|`[^`\n]+`",
    r"\$\$.{1,2000}?\$\$|\$(?=[^\s$])[^$\n]{0,200}?(?<=\S)\$(?!\d)|\\\(.{1,500}?\\\)|\\\[.{1,2000}?\\\]",
    r"\\begin\{(?P<of>\w+\*?)\}.{0,4000}?\\end\{(?P=of)\}",
    r"\\[a-zA-Z]+\*?(?:\[[^\]\n]*\]|\{[^{}\n]*\})*",
    r"\b(?:https?|ftp)://[^\s<>\"”\]]*[^\s<>\"”.,;:!?)\]']|\bwww\.[^\s<>\"”\]]*[^\s<>\"”.,;:!?)\]']",
    r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?<!\w)[@#]\w[\w-]*",
    r"\b(?:[a-z\d-]+\.)+(?:com|org|net|edu|gov|io|uk|de|info)\b(?:/[^\s<>\"”.,;:!?)\]]*)?",
    r"</?[a-zA-Z][^<>\n]{0,200}>|&#?\w{2,8};",
    r"(?<![^\s(\[{—–-])\"(?=\S)[^\"\n]{1,300}(?<=\S)\"(?!\w)|“[^”\n]{1,300}”|‘[^‘’\n]{1,200}’(?!\w)",
    r"\[\d+(?:\s?[-–,;]\s?\d+)*\]|\((?:see |cf\. |e\.g\.,? )?[A-Z][^()\n]{1,150}" + YEAR + r"\)",
    r"\bet al\b\.?(?:,?\s\(?" + YEAR + r"\)?)?",
    rf"\b(?:{DAY}\s(?:of\s)?)?{MONTH}\s{DAY}(?!\d)(?:,?\s\d{{4}}\b)?",
    rf"\b(?:{DAY}\s(?:of\s)?)?{MONTH},?\s\d{{4}}\b|\b{DAY}\s(?:of\s)?{MONTH}(?!\w)",
    rf"(?:[$€£¥]\s?)?(?<![\w.])[-−+±]?{NUMBER}(?:(?:st|nd|rd|th)\b|[\s-]?(?:{UNITS}))?(?!\w)",
    r"(?<!\w)~?(?:/[\w.-]+){2,}/?|(?<![\w-])--?[a-zA-Z][\w-]*",
    r"\b\w+(?:(?:\.|::|->)\w+)*\(\)|\b[^\W\d]\w+(?:(?:\.|::|->)[^\W\d]\w+)+",
    r"\b\w*(?:_\w|[^\W_]*\d|[a-z][A-Z])\w*(?:-\w+)*[+]*",
    r"\b(?:[A-Za-z]\.){2,}|\b[A-Z][A-Z&/-]*[A-Z]s?\b(?:-\w+)*",
)
"""What a text has verbatim; where two begin at one place, the earlier of these is meant."""

VERBATIM = re.compile(
    "|".join(one if "\n" not in one else one.replace("\n", "") for one in PATTERNS), re.DOTALL
)
CAPITAL = re.compile(r"(?<![\w'’])[^\W\d_a-z]\w*(?:[-'’](?![sS]\b)\w+)*")
OPENS = re.compile(r"(?:^|[.!?:][\"”’')\]]*\s|[\n\t•*>|]|[-–—]\s)[\s\"“‘'(\[*_>#-]*$")
CONTRACTED = re.compile(r"(?:n't|'(?:re|ve|ll|m|d|s))$")
SHORT = re.compile(
    r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|vs|al|cf|Fig|No|Gen|Col|Lt|Sen)\.\s*$"
)
NOT_NAMES = FUNCTION_WORDS | frozenset(
    """
    after also although among another because before being between both but despite during each
    even every everyone few further hence however just let like many maybe more most much
    nevertheless never nothing now often once only per perhaps rather several since something
    still such therefore these three toward towards two unlike unless using via well whereas
    whether whilst within without yes
    """.split()  # noqa: SIM905
)


def kept(text: str) -> list[tuple[int, int]]:
    """Where ``text[start:end]`` must stay as it is; in order, none overlapping.

    Numbers with their units, dates, addresses, names, acronyms, LaTeX, citations, quotations,
    code and identifiers. A name is a capital word that does not merely open a sentence.
    """
    return list(_kept(text))


@lru_cache(maxsize=8)  # who rewrites a text asks several times in a row
def _kept(text: str) -> tuple[tuple[int, int], ...]:
    spans = [match.span() for match in VERBATIM.finditer(text)]
    taken = iter([*spans, (len(text), len(text))])
    start, end = next(taken)
    names = []
    for match in CAPITAL.finditer(text):
        while end <= match.start():
            start, end = next(taken, (len(text), len(text) + 1))
        if match.end() <= start and _is_name(text, match):
            names.append(match.span())
    return tuple(sorted(spans + names))


def facts(text: str) -> "Counter[str]":
    """What is kept, each in one spelling, with how often it occurs."""
    return Counter(_evened(text[start:end]) for start, end in kept(text))


def _is_name(text: str, match: "re.Match[str]") -> bool:
    word = match[0]
    small = word.lower().replace("’", "'")
    if not word[0].isupper() or word == "I" or small in NOT_NAMES or CONTRACTED.search(small):
        return False
    before = text[max(0, match.start() - 16) : match.start()]
    if not OPENS.search(before) or (before.strip() and SHORT.search(before)):
        return True
    first, *rest = word.split("-")
    if rest:
        return any(one[:1].isupper() for one in rest)
    if small in TAG_OF:
        return False
    return not is_common(first.lower()) or bool(re.match(r" [A-Z][a-z]", text[match.end() :][:3]))


@lru_cache(maxsize=1 << 16)
def is_common(word: str) -> bool:
    """Whether the dictionary has the word, in small letters, as other than a name."""
    from lemminflect import getAllLemmas

    return bool(getAllLemmas(word))


def _evened(span: str) -> str:
    """One spelling for all that differ in case, quotation marks, dashes, spaces or plural units."""
    text = unicodedata.normalize("NFKC", span).casefold()
    text = re.sub(r"[\"“”‘’']", "", re.sub(r"[–—−]", "-", text))
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"(?<=\d)[\s-](?=[a-z%°])", "", " ".join(text.split()))
    return re.sub(r"(?<=\d)([a-z]{3,}?)s$", r"\1", text.strip(" .,;:!?"))
