"""Other names for the variables of a program: made of words, as theirs are."""

import builtins
import keyword
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count

import numpy as np

from nonmember.rewriting.code.vocabulary import ORDINARY, kinds
from nonmember.rewriting.exchanges import options
from nonmember.rewriting.grammar import readings
from nonmember.rewriting.wordnet import FUNCTION_WORDS

PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+|\d+")
RESERVED = frozenset([*dir(builtins), *keyword.kwlist, *keyword.softkwlist])
TRIES = 8  # at names of as many words, before one is added


def renamed(
    names: Sequence[str], taken: Collection[str], draw: np.random.Generator
) -> Mapping[str, str]:
    """A new name for each, no two alike, none of them a builtin, a keyword or ``taken``.

    It has the leading underscores and the case of the old one, and for each of its words
    another; words of which none is known stay if some other word changes.
    """
    used = {*taken, *names}
    found = {}
    for name in names:
        new = next(one for one in _proposed(name, draw) if one not in used and one not in RESERVED)
        used.add(new)
        found[name] = new
    return found


def _proposed(name: str, draw: np.random.Generator) -> Iterator[str]:
    """Names in the style of this one, ever longer, without end."""
    bare = name.strip("_")
    before, after = name[: len(name) - len(name.lstrip("_"))], name[len(name.rstrip("_")) :]
    parts = [part for part in PARTS.findall(bare) if not part.isdigit()] or [bare]
    choices = [others(part.lower()) for part in parts]
    if not any(choices):
        choices[-1] = ORDINARY
    for attempt in count():
        words = [
            _drawn(some, draw) if some else part for part, some in zip(parts, choices, strict=True)
        ]
        extra = [_drawn(ORDINARY, draw) for _ in range(attempt // TRIES)]
        new = before + _styled([*extra, *"_".join(words).split("_")], bare) + after
        if new.isidentifier() and new != name:
            yield new


def _drawn(options: Sequence[str], draw: np.random.Generator) -> str:
    return options[int(draw.integers(len(options)))]


def _styled(words: Sequence[str], old: str) -> str:
    """The words put together as those of the old name are."""
    small = [word.lower() for word in words]
    if len(old) > 1 and old.isupper():
        return "_".join(small).upper()
    if "_" in old or old.islower():
        return "_".join(small)
    capitals = "".join(word[:1].upper() + word[1:] for word in small)
    return capitals if old[:1].isupper() else capitals[:1].lower() + capitals[1:]


@lru_cache(maxsize=1 << 14)
def others(word: str) -> tuple[str, ...]:
    """What may stand for a word in a name, itself a word of small letters."""
    known = kinds().get(word)
    if known or word in FUNCTION_WORDS or len(word) < 3:
        return known or ()
    found = [new for one in readings(word) for new, _ in options(word, one)]
    return tuple(dict.fromkeys(new for new in found if new.isascii() and new.isalpha()))
