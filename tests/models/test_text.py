"""Which tokens of a record are scored, and what they spell."""

from typing import Any

import numpy as np
import pytest
import tiny

from nonmember.data.records import Completion, Message, Record
from nonmember.errors import DataError, ModelError
from nonmember.models.text import Encoded, Form, collate, encode

SYSTEM, USER = Message("system", "be brief"), Message("user", "the cat?")
ANSWER, MORE = Message("assistant", "on the mat 12"), Message("user", "and the dog?")
LAST = Message("assistant", "naïve 猫")
AFTER = "<|im_end|>\n"
REWRITING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}[cut]{% else %}{{ m.content }}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FLATTENED = "{% for m in messages %}{{ m.content }} {% endfor %}"
REFUSING = "{{ raise_exception('only two roles') }}"
WITHOUT_PROMPT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)


MARKING = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' %}{%- generation -%}{{ m.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}"
)


def one(
    content: Any, *, limit: int = 1000, packed: bool = False, slide: bool = False, **options: Any
) -> Encoded:
    """The encoding of one record by the tiny tokenizer."""
    form = Form(limit, packed, "slide" if slide else "cut")
    return encode(tiny.tokenizer(**options), [Record("chats.jsonl:7", content)], form)[0]


def spelled(encoded: Encoded, marks: np.ndarray | None = None) -> str:
    """What the scored tokens (or those at ``marks``) spell."""
    marks = encoded.scored if marks is None else marks
    return str(tiny.tokenizer().decode(encoded.ids[marks], clean_up_tokenization_spaces=False))


FORMS = [Form(1000), Form(7), Form(1000, packed=True), Form(7, packed=True), Form(7, long="slide")]


def shown(encoded: Encoded) -> tuple[Any, ...]:
    """An encoding as something that can be compared."""
    form, content = encoded.form, encoded.content
    arrays = encoded.ids.tolist(), encoded.scored.tolist()
    return (*arrays, encoded.text, encoded.truncated, content, form)


def test_of_a_plain_text_all_but_the_first_token_is_scored() -> None:
    text = "the cat sat on 12 mats"
    found = one(text)
    assert found.ids.tolist() == tiny.tokenizer()(text)["input_ids"]
    assert found.scored.tolist() == [False] + [True] * (len(found.ids) - 1)
    assert (found.text, found.truncated) == (text, False)


def test_after_a_beginning_of_sequence_the_first_token_is_scored_too() -> None:
    found = one("the cat sat", bos=True)
    assert found.ids[0] == 0
    assert spelled(found) == "the cat sat" == found.text


def test_an_empty_text_has_nothing_to_score() -> None:
    bare, begun = one(""), one("", bos=True)
    assert (len(bare.ids), bare.text, bare.truncated) == (0, "", False)
    assert begun.ids.tolist() == [0]
    assert not begun.scored.any()


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 5, 9])
def test_a_text_is_cut_where_its_last_token_ends(bos: bool, limit: int) -> None:
    text = "the cat sat on the mat and the dog sat on the log"
    whole, found = one(text, bos=bos), one(text, bos=bos, limit=limit)
    assert found.ids.tolist() == whole.ids[:limit].tolist()
    assert found.truncated
    assert spelled(found, found.ids > 2) == found.text
    assert text.startswith(found.text)


def test_a_text_as_long_as_the_limit_is_whole() -> None:
    text = "the cat sat"
    length = len(one(text).ids)
    assert not one(text, limit=length).truncated
    assert one(text, limit=length - 1).truncated


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_character_that_is_cut_through_belongs_to_the_text(kept: int) -> None:
    whole = one("paid 猫 the cat")
    before = len(one("paid ").ids)
    assert tiny.tokenizer()("猫")["input_ids"] == whole.ids[before : before + 3].tolist()
    found = one("paid 猫 the cat", limit=before + kept)
    assert found.text == "paid 猫"
    assert len(found.ids) == before + kept


def test_of_a_chat_the_assistants_words_and_its_end_of_turn_are_scored() -> None:
    found = one((USER, ANSWER))
    assert spelled(found) == "on the mat 12" + AFTER == found.text
    assert spelled(found, ~found.scored) == (
        "<|im_start|>user\nthe cat?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert not found.truncated


def test_every_turn_of_the_assistant_is_scored_and_no_other() -> None:
    found = one((SYSTEM, USER, ANSWER, MORE, LAST))
    assert spelled(found) == f"on the mat 12{AFTER}naïve 猫{AFTER}" == found.text
    assert "be brief" in spelled(found, ~found.scored)
    assert "and the dog?" in spelled(found, ~found.scored)


def test_a_chat_is_cut_to_the_limit() -> None:
    chat = (USER, ANSWER, MORE, LAST)
    whole = one(chat)
    for limit in range(1, len(whole.ids)):
        found = one(chat, limit=limit)
        assert found.truncated
        assert found.ids.tolist() == whole.ids[:limit].tolist()
        assert found.scored.tolist() == whole.scored[:limit].tolist()
        through = spelled(found).endswith("\ufffd")
        assert whole.text.startswith(found.text)
        assert through or spelled(found) == found.text


@pytest.mark.parametrize("chat", [(USER,), (SYSTEM, USER), (USER, MORE)])
def test_a_chat_without_the_assistant_has_nothing_to_score(chat: tuple[Message, ...]) -> None:
    found = one(chat)
    assert len(found.ids) > 0
    assert not found.scored.any()
    assert found.text == ""


def test_a_chat_that_the_assistant_opens_is_scored_from_its_first_word() -> None:
    assert spelled(one((ANSWER, USER))) == "on the mat 12" + AFTER
    assert one((ANSWER, USER), template=FLATTENED).text.strip() == "on the mat 12"


def test_a_chats_beginning_is_the_templates_alone() -> None:
    assert one((USER, ANSWER), bos=True).ids.tolist() == one((USER, ANSWER)).ids.tolist()


def test_without_a_generation_prompt_the_header_counts_as_the_assistants() -> None:
    found = one((USER, ANSWER), template=WITHOUT_PROMPT)
    assert spelled(found) == "<|im_start|>assistant\non the mat 12" + AFTER


def test_a_template_that_rewrites_earlier_turns_is_refused() -> None:
    assert spelled(one((USER, ANSWER), template=REWRITING)) == "on the mat 12" + AFTER
    with pytest.raises(DataError, match=r"^chats.jsonl:7: .*rewrites earlier turns.*one exchange"):
        one((USER, ANSWER, MORE, LAST), template=REWRITING)


def test_a_template_that_refuses_the_chat_is_not_quoted() -> None:
    with pytest.raises(DataError, match=r"^chats.jsonl:7: .*refuses this chat \(TemplateError\)"):
        one((USER, ANSWER), template=REFUSING)
    telling = "{{ raise_exception('cannot hold: ' + messages[0].content) }}"
    with pytest.raises(DataError) as caught:
        one((USER, ANSWER), template=telling)
    assert USER.content not in str(caught.value)


@pytest.mark.parametrize("marking", [False, True])
def test_a_template_that_takes_a_date_writes_the_same_every_day(marking: bool) -> None:
    chosen = (
        "{% if not date_string is defined %}{% if strftime_now is defined %}"
        "{% set date_string = strftime_now('%d %b %Y %H:%M:%S.%f') %}{% endif %}{% endif %}"
        "today is {{ date_string }}\n"
    )
    found = one((USER, ANSWER), template=chosen + (MARKING if marking else tiny.TEMPLATE))
    assert spelled(found, ~found.scored).startswith("today is 26 Jul 2024\n")


@pytest.mark.parametrize("marking", [False, True])
@pytest.mark.parametrize(
    "dated",
    ["{{ strftime_now('%d %b %Y') }}", "{% set date_string = strftime_now('%Y') %}"],
)
def test_a_template_that_asks_the_clock_is_refused(marking: bool, dated: str) -> None:
    rest = MARKING if marking else tiny.TEMPLATE
    with pytest.raises(
        ModelError,
        match=r"^chats.jsonl:7: .*today's date.*; replace strftime_now in the template by a fixed",
    ):
        one((USER, ANSWER), template=dated + rest)
    unread = "{% if tools %}" + dated + "{% endif %}"
    assert one((USER, ANSWER), template=unread + rest).text.startswith("on the mat")


def test_other_mistakes_of_a_template_are_not_taken_for_the_clock() -> None:
    template = "{% if tools %}{{ strftime_now('%Y') }}{% endif %}{{ messages[0].content() }}"
    with pytest.raises(DataError, match=r"refuses this chat \(TypeError\)"):
        one((USER, ANSWER), template=template)


def test_a_template_without_marks_still_tells_who_speaks() -> None:
    found = one((USER, ANSWER), template=FLATTENED)
    assert "on the mat 12" in found.text
    assert "cat" not in spelled(found)


def test_a_templates_own_marks_tell_what_is_trained() -> None:
    chat = (SYSTEM, USER, ANSWER, MORE, LAST)
    found = one(chat, template=MARKING)
    assert found.text == spelled(found) == "on the mat 12<|im_end|>naïve 猫<|im_end|>"
    assert found.ids.tolist() == one(chat).ids.tolist()
    assert one((USER,), template=MARKING).text == ""
    with pytest.raises(DataError, match=r"^chats.jsonl:7: .*refuses this chat \(TemplateError\)"):
        one(chat, template=REFUSING + MARKING)


def test_a_tokenizer_without_chat_template_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^chats.jsonl:7: .*no chat template; give texts"):
        one((USER, ANSWER), template=None)
    assert one("the cat", template=None).text == "the cat"


def test_records_keep_their_order() -> None:
    records = [Record(str(i), "the cat " * i) for i in (3, 1, 2)]
    found = encode(tiny.tokenizer(), records, Form(1000))
    assert [each.text for each in found] == [record.content for record in records]


def test_kinds_are_mixed_and_keep_their_order() -> None:
    contents = ["the cat", (USER, ANSWER), "", Completion("the cat", " sat"), (USER,), "on"]
    records = [Record(str(i), content) for i, content in enumerate(contents)]
    for form in FORMS:
        together = encode(tiny.tokenizer(), records, form)
        alone = [encode(tiny.tokenizer(), [record], form)[0] for record in records]
        assert [shown(each) for each in together] == [shown(each) for each in alone]
    assert encode(tiny.tokenizer(), [], FORMS[0]) == ()


def test_a_batch_is_padded_on_the_right() -> None:
    pair = [one("the cat sat"), one((USER, ANSWER)), one("")]
    ids, scored = collate(pair)
    assert ids.shape == scored.shape == (3, max(len(each.ids) for each in pair))
    for row, each in enumerate(pair):
        length = len(each.ids)
        assert ids[row, :length].tolist() == each.ids.tolist()
        assert scored[row, :length].tolist() == each.scored.tolist()
        assert not ids[row, length:].any()
        assert not scored[row, length:].any()


@pytest.mark.parametrize(
    "content", ["paid 4071 to the naïve 猫 at once", (USER, ANSWER, MORE, LAST)]
)
def test_the_text_is_what_an_attacker_who_sees_no_tokens_holds(content: Any) -> None:
    """Decoding the scored tokens gives the text, but for a plain text's first token."""
    found = one(content)
    assert found.text.endswith(spelled(found))
    assert len(found.text) - len(spelled(found)) <= len("paid")
