"""Canaries for language models are texts that nobody would write, of what the data is made of."""

import numpy as np
import pytest
from files import sentences

from nonmember.data import texts
from nonmember.data.canaries.texts import FEWEST_WORDS, NUMBER, made
from nonmember.data.records import Completion, Content, Message, Record, Records
from nonmember.data.texts import WORD
from nonmember.errors import DataError

CHAT = (Message("system", "Be brief."), Message("user", "7 cats"), Message("assistant", "7 dogs"))


def records(like: str = "text") -> Records:
    found: list[Content] = []
    for text in sentences(100, seed=1):
        first, _, rest = text.partition(" ")
        forms: dict[str, Content] = {
            "text": text,
            "completion": Completion(first, rest + first),
            "chat": (CHAT[0], Message("user", first), Message("assistant", text)),
        }
        found.append(forms[like])
    return Records.of(Record(str(place), one) for place, one in enumerate(found))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("like", ["text", "completion", "chat"])
@pytest.mark.parametrize("form", ["words", "suffix", "digits"])
def test_canaries_are_of_the_datas_form_and_differ_from_all_else(like: str, form: str) -> None:
    data = records(like)
    found = made(data, form, 60, rng())
    assert len(set(found.places)) == 60
    assert all(type(a) is type(data[b].content) for a, b in zip(*_both(found), strict=True))
    own = Records.of(Record("", one) for one in found.contents)
    assert not texts.duplicates(own) and not texts.overlap(own, data)


def _both(found: object) -> tuple[tuple[Content, ...], tuple[int, ...]]:
    return found.contents, found.places  # type: ignore[attr-defined]


def test_words_are_the_datas_and_as_many_as_in_its_median_record() -> None:
    data = records()
    known = {word for one in data for word in WORD.findall(one.plain())}
    for content in made(data, "words", 20, rng()).contents:
        assert isinstance(content, str)
        assert len(content.split()) == 10 and set(content.split()) <= known


def test_a_suffix_follows_a_records_own_beginning() -> None:
    data = records()
    found = made(data, "suffix", 20, rng(), length=5)
    for content, place in zip(found.contents, found.places, strict=True):
        assert isinstance(content, str)
        own = str(data[place].content).split()
        assert content.split()[:5] == own[:5] and len(content.split()) == 10
    prompted = made(records("completion"), "suffix", 5, rng())
    told = [one.prompt for one in prompted.contents if isinstance(one, Completion)]
    assert told == [records("completion")[place].content.prompt for place in prompted.places]  # type: ignore[union-attr]


def test_what_a_chats_system_says_stays() -> None:
    for content in made(records("chat"), "words", 5, rng()).contents:
        assert isinstance(content, tuple) and content[0] == CHAT[0]
        assert [turn.role for turn in content] == ["system", "user", "assistant"]


def test_digits_end_one_sentence() -> None:
    for content in made(records(), "digits", 20, rng(), length=6).contents:
        assert isinstance(content, str) and content.startswith(NUMBER)
        assert len(content.removeprefix(NUMBER)) == 6


def test_scripts_without_spaces_are_written_without() -> None:
    letters = [chr(0x4E00 + place) for place in range(200)]
    data = Records.of(Record(str(n), "".join(letters[n : n + 20])) for n in range(100))
    (content,) = made(data, "words", 1, rng()).contents
    assert len(str(content)) == 20 and " " not in str(content)


@pytest.mark.parametrize("count", [0, 101])
def test_more_canaries_than_records_are_refused(count: int) -> None:
    with pytest.raises(DataError, match="ask for 1 to 100"):
        made(records(), "words", count, rng())


def test_too_few_words_or_digits_are_refused() -> None:
    few = Records.of(Record("", f"a b c {n % 3}") for n in range(60))
    with pytest.raises(DataError, match=f"6 distinct words, and {FEWEST_WORDS}.*--form digits"):
        made(few, "words", 5, rng())
    with pytest.raises(DataError, match="larger --length"):
        made(records(), "digits", 30, rng(), length=1)
