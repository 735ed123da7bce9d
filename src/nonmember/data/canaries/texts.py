"""Canaries for language models: texts that nobody would write, of what the data is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from nonmember.data import texts
from nonmember.data.records import Completion, Content, Record, Records, respoken, spoken
from nonmember.data.texts import UNSPACED, WORD
from nonmember.errors import DataError

SHORTEST, LONGEST = 8, 64  # words of a canary, where nothing is said
DIGITS = 12
FEWEST_WORDS = 50  # fewer that differ make no text that nobody would write
READ = 20_000  # records whose words are drawn from
ROUNDS = 20  # of drawing anew what stands somewhere already
NUMBER = "The random number is "

Draw = Callable[[Content], Content]


@dataclass(frozen=True)
class TextCanaries:
    """Canaries, each beside the place of a record that it takes its fields and its form from."""

    contents: tuple[Content, ...]
    places: tuple[int, ...]


def made(
    records: Records, form: str, count: int, rng: np.random.Generator, length: int | None = None
) -> TextCanaries:
    """So many canaries of a form, distinct from one another and from the records.

    Args:
        records: the training data; a canary is of the same kind as a record drawn for it.
        form: "words", "suffix" or "digits", see ``FORMS``.
        count: how many; no record is drawn twice.
        rng: of a secret.
        length: words drawn for each text, or digits of the number; as long as the median
            record, from 8 to 64 words, or 12 digits, if not given.

    Raises:
        DataError: there are too few records or words, or too few distinct canaries.
    """
    usable = [place for place, one in enumerate(records) if any(map(str.strip, _told(one)))]
    if not 0 < count <= len(usable):
        raise DataError(
            f"canaries: {count} cannot be made beside {len(usable)} records with a text; ask for "
            f"1 to {len(usable)}"
        )
    places = rng.choice(np.array(usable), count, replace=False).tolist()
    draw = _drawing(records, form, length, rng)
    known = set(texts.digests(records).tolist())
    contents = [_distinct(draw, records[place].content, known) for place in places]
    return TextCanaries(tuple(contents), tuple(places))


def _told(record: Record) -> tuple[str, ...]:
    return spoken(record.content)


def _distinct(draw: Draw, like: Content, known: set[bytes]) -> Content:
    """A canary that is not among the ``known`` texts, which it is added to."""
    for _ in range(ROUNDS):
        content = draw(like)
        (code,) = texts.digests([Record("", content)]).tolist()
        if code not in known:
            known.add(code)
            return content
    raise DataError(
        "canaries: so many distinct ones cannot be made of so few words or digits; give a larger "
        "--length, or ask for fewer"
    )


def _drawing(records: Records, form: str, length: int | None, rng: np.random.Generator) -> Draw:
    if form == "digits":
        size = length or DIGITS
        return lambda like: _everywhere(
            like, lambda: NUMBER + "".join(map(str, rng.integers(0, 10, size)))
        )
    known, size = _words(records, rng)
    size = length or size
    joint = "" if UNSPACED.match(known[0]) else " "

    def said() -> str:
        return joint.join(known[place] for place in rng.integers(0, len(known), size))

    if form == "words":
        return lambda like: _everywhere(like, said)
    return lambda like: _after(like, said, size, joint)


def _everywhere(like: Content, said: Callable[[], str]) -> Content:
    """Other words in every part of a record, but for what a chat's system says."""
    if isinstance(like, str):
        return said()
    if isinstance(like, Completion):
        return Completion(said(), said())
    return tuple(turn if turn.role == "system" else turn._replace(content=said()) for turn in like)


def _after(like: Content, said: Callable[[], str], size: int, joint: str) -> Content:
    """Other words where the model is trained to speak: of a text, after its first ``size``."""
    if not isinstance(like, str):
        return respoken(like, [said() for _ in spoken(like)])
    ends = [word.end() for word in WORD.finditer(like)][:size]
    return like[: ends[-1] if ends else 0] + joint + said()


def _words(records: Records, rng: np.random.Generator) -> tuple[Sequence[str], int]:
    """The distinct words of the records, or of some of many, sorted; and a usual length.

    In the order of the letters: how often a word occurs does not matter to how it is drawn.
    """
    some = records
    if len(records) > READ:
        some = records.take(np.sort(rng.choice(len(records), READ, replace=False)))
    found, sizes = set[str](), list[int]()
    for one in some:
        words = [word for part in _told(one) for word in WORD.findall(part)]
        sizes.append(len(words))
        found.update(words)
    if len(found) < FEWEST_WORDS:
        raise DataError(
            f"canaries: the records have {len(found)} distinct words, and {FEWEST_WORDS} are the "
            "fewest that canaries are made of; give more records, or --form digits"
        )
    return sorted(found), int(min(max(median(sizes), SHORTEST), LONGEST))
