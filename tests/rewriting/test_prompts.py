"""What of a model's reply is trained on, and what never is."""

import pytest

from nonmember.rewriting import prompts
from nonmember.rewriting.prompts import Kind, answer, beginning, question, refuses

OLD = "Jo moved to Leeds in 2011."
NEW = "In 2011, Leeds became Jo's home."
CODE = 'def area(r):\n    """Say """ aloud."""\n    return 3 * r * r  # roughly\n'


def test_questions_say_what_to_keep_and_where_to_answer() -> None:
    prose, code = question(OLD, "prose"), question(CODE, "code")
    assert prose.startswith("Rewrite the passage in your own words. Use different words")
    assert "inside <text></text>." in prose
    assert prose.endswith(f"\n\n<text>\n{OLD}\n</text>")
    assert code.startswith("Rename local identifiers and rewrite comments and docstrings;")
    assert "inside <code></code>." in code
    assert code.endswith(f"\n\n<code>\n{CODE}\n</code>")
    assert prompts.fingerprint("prose") != prompts.fingerprint("code")


@pytest.mark.parametrize(
    "reply",
    [
        f"<text>{NEW}</text>",
        f"<TEXT>\n  {NEW}\n</Text>\n",
        f"Sure! Here is the rewritten passage:\n\n<text>{NEW}</text>\nLet me know if it helps.",
        f"<think>Put it inside <text></text>.</think><text>{NEW}</text>",
        f"I answer inside <text></text>: <text>{NEW}</text>",
        f"<text>```\n{NEW}\n```</text>",
        NEW,
    ],
)
def test_what_stands_between_the_tags_is_the_rewrite(reply: str) -> None:
    assert answer(reply, OLD, "prose") == (NEW, "", 0, 0)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", prompts.EMPTY),
        (" \n", prompts.EMPTY),
        ("<text> </text>", prompts.EMPTY),
        (f"<text>{NEW}", prompts.UNBALANCED),
        (f"{NEW}</text>", prompts.UNBALANCED),
        (f"</text>{NEW}<text>", prompts.UNBALANCED),
        (f"<text>{NEW}<text></text>", prompts.UNBALANCED),
        (f"<text>{NEW}</text></text>", prompts.UNBALANCED),
        (f"<text>{NEW}</text><text>Or this.</text>", prompts.SEVERAL),
        ("<think>First, I should", prompts.CUT),
        ("I'm sorry, but I can't help with that.", prompts.REFUSED),
        ("<text>I cannot assist with rewriting this passage.</text>", prompts.REFUSED),
        ("As an AI language model, I do not rewrite private texts.", prompts.REFUSED),
        ("Unfortunately, I am not able to do this.", prompts.REFUSED),
        ("I can’t provide that.", prompts.REFUSED),
        ("I am unable to rewrite it.", prompts.REFUSED),
        (f"Here is the rewritten passage: {NEW}", prompts.CHAT),
        (f"<text>Sure, here's another version: {NEW}</text>", prompts.CHAT),
        (f"Rewritten text (in other words): {NEW}", prompts.CHAT),
        (f"Rewrite: {NEW}", prompts.CHAT),
        (f"{NEW}\n\nLet me know if you want more.", prompts.CHAT),
        (f"{NEW}\n\nI removed the name of the town.", prompts.CHAT),
        (f"<text>{NEW}\n\nIn this rewritten passage, words differ.</text>", prompts.CHAT),
        (OLD, prompts.COPIED),
        (f"<text>\n{OLD.upper()}  </text>", prompts.COPIED),
        (question(OLD, "prose").partition("\n")[0].replace("<text></text>", "tags"), "prompt"),
        ("<text>Rewrite the passage in your own words. Jo moved.</text>", "prompt"),
    ],
)
def test_what_is_no_rewrite_is_rejected(reply: str, why: str) -> None:
    found = answer(reply, OLD, "prose")
    assert found.text is None
    assert why in found.why
    assert "Leeds" not in found.why


def test_a_reply_that_the_model_did_not_end_is_taken_only_between_its_tags() -> None:
    for reply in (NEW, f"<text>{NEW}", "<think>Well"):
        assert answer(reply, OLD, "prose", whole=False) == (None, prompts.CUT, 0, 0)
    assert answer(f"<text>{NEW}</text> Let me", OLD, "prose", whole=False).text == NEW


def test_a_reply_that_was_begun_ends_at_its_first_closing_tag() -> None:
    def begun(reply: str, *, whole: bool = True) -> tuple[str | None, str]:
        return answer(reply, OLD, "prose", whole=whole, begun=True)[:2]

    assert beginning(OLD, "prose") == "<text>\n"
    assert begun(f"{NEW}\n</text>") == begun(NEW) == (NEW, "")
    assert begun(f"{NEW}</text>\nOr else:\n{OLD}</text>", whole=False) == (NEW, "")
    assert begun(NEW, whole=False) == (None, prompts.CUT)
    assert begun(f"<text>{NEW}</text>") == (None, prompts.UNBALANCED)
    assert begun("</text>") == (None, prompts.EMPTY)


@pytest.mark.parametrize("kind", ["prose", "code"])
def test_tags_in_the_text_are_not_those_of_the_answer(kind: Kind) -> None:
    name = prompts.MARKS[kind]
    old = f"<svg><{name.upper()} x='1'>one</{name}><{name}2>two</{name}2></svg>"
    assert f"inside <{name}3></{name}3>." in question(old, kind)
    assert beginning(old, kind) == f"<{name}3>\n"
    new = old.replace("one", "uno")
    assert answer(f"<{name}3>{new}</{name}3>", old, kind).text == new
    assert answer(f"<{name}3>{new}", old, kind).why == prompts.UNBALANCED


def test_what_the_text_itself_says_is_no_fault_of_the_rewrite() -> None:
    for old, new in (
        ("I'm sorry, but I cannot come.", "I'm sorry, I am unable to be there."),
        ("Here is the revised version of our plan.", "Here is the new version of our plan."),
        ("We meet at two.\n\nLet me know if you can.", "Two it is.\n\nLet me know if not."),
        ("Rewrite the passage in your own words, said Jo.", "“Rewrite the passage in your own "
         "words”, Jo said."),
        ("```\nold\n```", "```\nnew\n```"),
    ):  # fmt: skip
        assert answer(f"<text>{new}</text>", old, "prose") == (new, "", 0, 0)
    assert not refuses("I can't believe that she left.")
    assert not refuses("Sorry seems to be the hardest word.")
    assert not refuses("I cannot swim.")


def test_code_keeps_its_quotes_its_indentation_and_its_end() -> None:
    new = CODE.replace("r", "radius").strip("\n")
    for reply in (
        f"<code>\n{new}\n</code>",
        f"<code>{new}</code>",
        f"<code>```python\n{new}\n```</code>",
        f"Here is the code:\n```python\n{new}\n```\nI renamed the argument.",
        new,
    ):
        assert answer(reply, CODE, "code") == (f"{new}\n", "", 0, 0)
    body = "\n    return 1\n    # done"
    assert answer("<code>\n    return 2\n    # so</code>", body, "code").text == (
        "\n    return 2\n    # so"
    )
    asked = "Rename local identifiers and rewrite comments and docstrings"
    assert answer(f"<code># {asked}\n{new}</code>", CODE, "code").why == prompts.RETURNED


def test_white_space_around_a_text_stays() -> None:
    assert answer(f"<text>{NEW}</text>", f"\n  {OLD} \n", "prose").text == f"\n  {NEW} \n"
