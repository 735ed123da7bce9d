"""Packed records, completions, long texts in windows, and texts that are reworded."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
import pytest
import tiny
from models.test_text import ANSWER, FORMS, LAST, MORE, USER, one, shown, spelled
from tokenizers import normalizers, processors

from nonmember.data.records import Completion, Message, Record, Records
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models import text as encoding
from nonmember.models.text import (
    Encodings,
    Form,
    encode,
    fingerprint,
    lossy,
    reworded,
    windows,
)

BOS, EOS = 0, 2
TEXT = "the cat sat on the mat and the dog sat on the log"
PAIR = Completion("said the user: the", " cat sat 12")
CHAT = (USER, ANSWER, MORE, LAST)


def closing(*, opens: bool = False) -> Any:
    """A tokenizer that ends every text in an EOS by itself."""
    made = tiny.tokenizer(bos=opens)
    parts = [tiny.SPECIAL[0]] * opens + ["$A", tiny.SPECIAL[2]]
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=parts, special_tokens=[(tiny.SPECIAL[0], BOS), (tiny.SPECIAL[2], EOS)]
    )
    return made


def test_a_packed_text_stands_between_separators_and_is_scored_from_its_first_token() -> None:
    found, bare = one(TEXT, packed=True), one(TEXT)
    assert found.ids.tolist() == [EOS, *bare.ids.tolist(), EOS]
    assert found.scored.tolist() == [False] + [True] * (len(bare.ids) + 1)
    assert (found.text, found.content, found.truncated) == (TEXT, TEXT, False)


def test_a_beginning_of_sequence_stands_in_the_separators_place() -> None:
    found, bare = one(TEXT, packed=True, bos=True), one(TEXT)
    assert found.ids.tolist() == [BOS, *bare.ids.tolist(), EOS]
    assert not found.scored[0]
    assert found.scored[1:].all()


@pytest.mark.parametrize("opens", [False, True])
def test_what_the_tokenizer_ends_by_itself_is_not_ended_twice(opens: bool) -> None:
    bare = one(TEXT).ids.tolist()
    (found,) = encode(closing(opens=opens), [Record("", TEXT)], Form(1000, packed=True))
    assert found.ids.tolist() == [BOS if opens else EOS, *bare, EOS]
    (found,) = encode(closing(opens=opens), [Record("", PAIR)], Form(1000))
    assert found.ids.tolist().count(EOS) == 1
    assert spelled(found) == PAIR.completion + tiny.SPECIAL[2]


def test_a_text_that_says_the_separator_itself_is_not_ended_twice() -> None:
    found = one(TEXT + tiny.SPECIAL[2], packed=True)
    assert found.ids.tolist() == one(TEXT, packed=True).ids.tolist()


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
@pytest.mark.parametrize("bos", [False, True])
def test_a_packed_text_is_cut_where_its_last_token_ends(limit: int, bos: bool) -> None:
    whole = one(TEXT, packed=True, bos=bos)
    found = one(TEXT, packed=True, bos=bos, limit=limit)
    assert found.ids.tolist() == whole.ids[:limit].tolist()
    assert found.truncated
    assert found.text == found.content == spelled(found)
    assert TEXT.startswith(found.text)


def test_of_a_packed_text_one_token_too_long_the_separator_is_cut_off() -> None:
    length = len(one(TEXT, packed=True).ids)
    found = one(TEXT, packed=True, limit=length - 1)
    assert found.truncated
    assert found.text == spelled(found) == TEXT


def test_packed_or_not_a_chat_is_its_templates() -> None:
    packed, plain = one(CHAT, packed=True), one(CHAT)
    assert shown(replace(packed, form=plain.form)) == shown(plain)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", ["", Completion("", ""), Completion("the cat", "")])
def test_nothing_said_is_nothing_to_score(packed: bool, content: Any) -> None:
    found = one(content, packed=packed)
    assert not found.scored.any()
    assert found.text == ""


def test_records_cannot_be_packed_without_a_separator() -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(
        ModelError, match=r"^packed: the model's tokenizer has no EOS.*`packed` off"
    ):
        encode(tokenizer, [Record("", TEXT)], Form(1000, packed=True))
    (found,) = encode(tokenizer, [Record("", PAIR)], Form(1000))
    assert spelled(found) == PAIR.completion


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_of_a_completion_its_words_and_the_end_are_scored(bos: bool, packed: bool) -> None:
    found = one(PAIR, bos=bos, packed=packed)
    assert spelled(found) == PAIR.completion + tiny.SPECIAL[2]
    opening = [BOS] if bos else [EOS] if packed else []
    assert found.ids.tolist() == opening + one(PAIR.prompt + PAIR.completion).ids.tolist() + [EOS]
    assert (found.text, found.content, found.truncated) == (PAIR.completion, PAIR, False)


def test_a_completion_that_says_its_end_is_not_ended_twice() -> None:
    ended = replace(PAIR, completion=PAIR.completion + tiny.SPECIAL[2])
    assert one(ended).ids.tolist() == one(PAIR).ids.tolist()


def test_a_token_across_the_border_belongs_to_the_completion() -> None:
    found = one(Completion("the ca", "t sat"))
    assert spelled(found, ~found.scored) == "the "
    assert spelled(found) == "cat sat" + tiny.SPECIAL[2]
    assert found.text == "t sat"


def test_without_a_prompt_the_first_token_is_predicted_from_nothing() -> None:
    found = one(Completion("", TEXT))
    assert found.scored.tolist() == [False] + [True] * (len(found.ids) - 1)
    assert one(Completion("", TEXT), packed=True).scored[1:].all()


def test_a_completion_is_cut_to_the_limit() -> None:
    whole = one(PAIR)
    for limit in range(1, len(whole.ids)):
        found = one(PAIR, limit=limit)
        assert found.truncated
        assert found.ids.tolist() == whole.ids[:limit].tolist()
        assert found.scored.tolist() == whole.scored[:limit].tolist()
        assert spelled(found) == found.text
        assert found.content == Completion(PAIR.prompt, found.text)


@pytest.mark.parametrize("limit", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("content", [TEXT, PAIR, CHAT, TEXT * 4])
@pytest.mark.parametrize("packed", [False, True])
def test_windows_score_every_token_once_after_half_a_limit(
    limit: int, content: Any, packed: bool
) -> None:
    whole = one(content, limit=limit, packed=packed, slide=True)
    assert whole.ids.tolist() == one(content, packed=packed).ids.tolist()
    assert whole.text == one(content).text
    assert not whole.truncated
    times, start = np.zeros(len(whole.ids), dtype=int), 0
    for piece in windows(whole):
        assert len(piece.ids) <= limit
        while piece.ids.tolist() != whole.ids[start : start + limit].tolist():
            start += limit // 2
        places = start + np.flatnonzero(piece.scored)
        times[places] += 1
        assert all(place - start >= min(place, limit // 2) for place in places)
    assert (times == whole.scored).all()


def test_what_fits_is_its_own_window_and_silent_ones_are_left_out() -> None:
    short = one(TEXT, slide=True)
    assert windows(short) == (short,)
    exact = one(TEXT, limit=len(short.ids), slide=True)
    assert windows(exact) == (exact,)
    long = Completion(TEXT * 3, " sat")
    (last,) = windows(one(long, limit=16, slide=True))
    assert spelled(last) == " sat" + tiny.SPECIAL[2]
    (first,) = windows(one((Message("user", TEXT),), limit=8, slide=True))
    assert not first.scored.any()
    assert len(first.ids) == 8


@pytest.mark.parametrize(("limit", "long", "least"), [(0, "cut", 1), (1, "slide", 2)])
def test_a_limit_without_a_token_to_predict_is_refused(limit: int, long: Any, least: int) -> None:
    with pytest.raises(SpecError, match=f"^form: limit = {limit}; give at least {least}$"):
        Form(limit, long=long)


@pytest.mark.parametrize("content", [TEXT, PAIR, CHAT, "naïve 猫", ""])
@pytest.mark.parametrize("form", FORMS)
def test_reworded_as_it_was_it_is_what_it_was(content: Any, form: Form) -> None:
    (found,) = encode(tiny.tokenizer(), [Record("", content)], form)
    assert shown(reworded(tiny.tokenizer(), found, str)) == shown(found)


def test_what_is_reworded_is_what_is_scored() -> None:
    text = reworded(tiny.tokenizer(), one(TEXT), str.upper)
    assert shown(text) == shown(one(TEXT.upper()))
    pair = reworded(tiny.tokenizer(), one(PAIR), str.upper)
    assert shown(pair) == shown(one(Completion(PAIR.prompt, PAIR.completion.upper())))
    loud = tuple(
        turn._replace(content=turn.content.upper()) if turn.role == "assistant" else turn
        for turn in CHAT
    )
    assert shown(reworded(tiny.tokenizer(), one(CHAT), str.upper)) == shown(one(loud))


def test_a_text_that_was_cut_is_reworded_as_far_as_it_was_used() -> None:
    cut = one(TEXT, limit=5)
    seen: list[str] = []

    def shorter(text: str) -> str:
        seen.append(text)
        return text[:7]

    found = reworded(tiny.tokenizer(), cut, shorter)
    assert seen == [cut.text]
    assert found.text == "the cat"
    assert reworded(tiny.tokenizer(), cut, lambda text: text * 9).truncated


@pytest.mark.parametrize("content", [TEXT, PAIR])
def test_what_was_cut_off_its_end_does_not_get_one(content: Any) -> None:
    cut = one(content, packed=True, limit=9)
    assert cut.truncated
    shorter = reworded(tiny.tokenizer(), cut, lambda text: text[:-2])
    assert EOS not in shorter.ids[1:]


class Counting(Sequence[Record]):
    """Records that remember which of them were asked for."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | Sequence[Record]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        self.asked.append(place)
        return Record(str(place), self.texts[place])

    def __iter__(self) -> Iterator[Record]:
        raise AssertionError("all of them at once")


def test_encodings_are_made_when_they_are_asked_for() -> None:
    texts = [f"the cat sat {i}" for i in range(600)]
    records = Counting(texts)
    lazy = Encodings(tiny.tokenizer(), records, Form(8))
    assert len(lazy) == 600
    records.asked.clear()  # the suite's check of types looks at a random one
    at_once = encode(tiny.tokenizer(), [Record("", text) for text in texts], Form(8))
    assert shown(lazy[7]) == shown(at_once[7])
    assert [shown(each) for each in lazy[3:6]] == [shown(each) for each in at_once[3:6]]
    assert isinstance(lazy[3:6], tuple)
    assert records.asked == [7, 3, 4, 5, 3, 4, 5]
    records.asked.clear()
    running = iter(lazy)
    assert shown(next(running)) == shown(at_once[0])
    assert records.asked == list(range(256)), "one block ahead, no more"
    assert [shown(each) for each in running] == [shown(each) for each in at_once[1:]]
    with pytest.raises(IndexError):
        lazy[600]


def test_encodings_of_records_in_a_file() -> None:
    contents = [TEXT, PAIR, CHAT]
    records = [Record(str(i), content) for i, content in enumerate(contents)]
    lazy = Encodings(tiny.tokenizer(), Records.of(records), Form(16))
    assert [shown(each) for each in lazy] == [
        shown(each) for each in encode(tiny.tokenizer(), records, Form(16))
    ]
    assert shown(lazy[1:][0]) == shown(lazy[1])


def test_a_chat_that_a_change_makes_impossible_is_refused() -> None:
    picky = "{% if 'MAT' in messages[-1].content %}{{ raise_exception('loud') }}{% endif %}"
    tokenizer = tiny.tokenizer(template=picky + tiny.TEMPLATE)
    (found,) = encode(tokenizer, [Record("", CHAT)], Form(1000))
    with pytest.raises(DataError, match=r"^a reworded chat: .*refuses this chat \(TemplateError\)"):
        reworded(tokenizer, found, str.upper)


def test_what_a_tokenizer_cannot_spell_again_is_lossy() -> None:
    shouting = tiny.tokenizer()
    shouting.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert not lossy(tiny.tokenizer(), one("Naïve  猫\n"))
    assert not lossy(tiny.tokenizer(), one(CHAT))
    assert not lossy(tiny.tokenizer(), one("", packed=True))
    assert not lossy(shouting, one(TEXT))
    assert lossy(shouting, one("The cat"))


def test_a_fingerprint_is_of_all_that_decides_the_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    same = tiny.tokenizer()
    same("the cat", truncation=True, max_length=1, padding="max_length")
    known = fingerprint(tiny.tokenizer())
    assert fingerprint(same) == known
    others = [tiny.tokenizer(bos=True), tiny.tokenizer(template=None), closing()]
    changed = tiny.tokenizer()
    changed.eos_token = tiny.SPECIAL[1]
    added = tiny.tokenizer()
    added.add_tokens(["mat"])
    split = tiny.tokenizer()
    split.split_special_tokens = True
    found = [known, *map(fingerprint, [*others, changed, added, split])]
    monkeypatch.setattr(encoding, "ENCODING_VERSION", encoding.ENCODING_VERSION + 1)
    found.append(fingerprint(tiny.tokenizer()))
    assert len(set(found)) == len(found)
