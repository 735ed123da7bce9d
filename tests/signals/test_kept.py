"""Tokens that a paraphrase must keep: found in whatever form a record is encoded."""

import numpy as np
import pytest
import tiny

from nonmember.data.records import Completion, Message, Record
from nonmember.models.text import Form, encode
from nonmember.rewriting.kept import kept
from nonmember.signals.kept import token_kept

TEXT = "On 3 May 1987 the “old log” lay in Paris — see https://a.org/b, it cost 1250 euros."
MARKED = tiny.TEMPLATE.replace(
    "{{ m.content }}<|im_end|>",
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|im_end|>{% endif %}",
)
CHAT = (
    Message("user", "It was 1987, on the log in Paris?"),
    Message("assistant", "It was 19"),
    Message("user", "and then?"),
    Message("assistant", "95 cats, the dog sat in Rome"),
    Message("user", "and then?"),
    Message("assistant", ""),
)


def spelled(tokenizer, one, marks, wanted):
    """The scored tokens with this mark, one string."""
    ids = one.ids[one.scored][marks[: one.scored.sum()] == wanted]
    return tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def of(content, form=None, **how):
    tokenizer = tiny.tokenizer(**how)
    (one,) = encode(tokenizer, [Record("a", content)], form or Form(1000))
    return tokenizer, one, token_kept(tokenizer, [one])[0]


def squeezed(text):
    return "".join(text.split())


def parts(text):
    """What must be kept of a text and what need not, without the spaces."""
    spans = kept(text)
    inside = np.zeros(len(text), dtype=bool)
    for start, end in spans:
        inside[start:end] = True
    letters = np.array(list(text))
    return tuple(squeezed("".join(letters[inside == wanted])) for wanted in (True, False))


FORMS = [{}, {"packed": True}, {"long": "slide"}, {"packed": True, "long": "slide"}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("bos", [False, True])
def test_of_a_text_it_is_what_the_rules_say(form, bos):
    tokenizer, one, marks = of(" " + TEXT, Form(40 if "long" in form else 1000, **form), bos=bos)
    must, may = parts(TEXT)
    assert must and may and len(marks) == one.scored.sum()
    assert squeezed(spelled(tokenizer, one, marks, 1.0)) == must
    assert squeezed(spelled(tokenizer, one, marks, 0.0)).removesuffix("<|im_end|>") == may


@pytest.mark.parametrize("packed", [False, True])
def test_of_a_completion_only_what_is_answered_counts(packed):
    content = Completion("In 1987 it cost 1250 euros in Paris. ", TEXT)
    tokenizer, one, marks = of(content, Form(1000, packed))
    assert squeezed(spelled(tokenizer, one, marks, 1.0)) == parts(TEXT)[0]
    assert spelled(tokenizer, one, marks, 0.0).endswith("<|im_end|>")


@pytest.mark.parametrize("template", [tiny.TEMPLATE, MARKED], ids=["header", "marked"])
def test_of_a_chat_each_turn_is_judged_by_itself(template):
    """Together the first two answers would give the year 1995; the prompts do not count."""
    tokenizer, one, marks = of(CHAT, template=template)
    assert "<|im_end|>" in spelled(tokenizer, one, marks, 0.0)
    answers = [turn.content for turn in CHAT if turn.role == "assistant"]
    assert squeezed(spelled(tokenizer, one, marks, 1.0)) == "".join(parts(a)[0] for a in answers)


def test_an_answer_that_the_template_changes_is_not_told_from_others():
    template = tiny.TEMPLATE.replace("m.content", "m.content | upper")
    _, _, marks = of(CHAT[:2], template=template)
    assert (marks == 0).all()
    template = tiny.TEMPLATE.replace("m.content", "m.content | trim")
    _, _, marks = of((CHAT[0], Message("assistant", "the dog sat in 1987 ")), template=template)
    assert (marks == 0).all()


UNQUOTED = TEXT.replace("“", "").replace("”", "")


@pytest.mark.parametrize("content", [UNQUOTED, Completion("Say: ", UNQUOTED), CHAT[2:4]], ids=type)
def test_of_a_cut_record_all_but_its_last_word_is_as_of_the_whole(content):
    _, whole, expected = of(content)
    last_word = 8  # tokens of "https" or "euros", at most, and what precedes them
    for limit in range(2, len(whole.ids)):
        _, one, marks = of(content, Form(limit))
        sure = max(0, int(one.scored.sum()) - last_word)
        np.testing.assert_array_equal(marks[:sure], expected[:sure])


def test_rows_are_padded_and_may_be_empty():
    tokenizer = tiny.tokenizer()
    given = encode(tokenizer, [Record("", text) for text in ("", "a", "in 19", TEXT)], Form(1000))
    found = token_kept(tokenizer, given)
    counts = [int(one.scored.sum()) for one in given]
    assert found.shape == (4, max(counts))
    assert (~np.isnan(found)).sum(axis=1).tolist() == counts
    assert token_kept(tokenizer, []).shape == (0, 1)


def test_parts_of_one_letter_are_all_kept():
    """Bytes of one character stand in several tokens."""
    tokenizer, one, marks = of("the dog sat on “🙂 the mat” log")
    assert spelled(tokenizer, one, marks, 1.0).strip() == "“🙂 the mat”"
