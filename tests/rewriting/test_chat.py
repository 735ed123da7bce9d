"""A local model is asked for rewrites: each follows from its text and seed alone."""

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models import causal
from nonmember.rewriting import chat as module
from nonmember.rewriting import passages, prompts
from nonmember.rewriting.chat import LONGEST, MARGIN, Chat, chat
from nonmember.rewriting.protocols import Rewriter
from nonmember.rewriting.registry import REWRITERS

TEXTS = ("the cat sat on the mat.", "an entry of the ledger.", "the dog sat.", "the log, the log.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("chat"), max_position_embeddings=1024)


@pytest.fixture
def made(folder: Path) -> Chat:
    found = chat(model=str(folder), precision="float32")
    assert isinstance(found, Chat)
    return found


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that models are asked, as they meet it; what they write is taken as it is."""
    asked: list[str] = []
    sample = causal.CausalModel.sample

    def sampled(self: causal.CausalModel, prompts: Sequence[np.ndarray], **how: Any) -> Any:
        asked.extend(self.tokenizer.decode(ids) for ids in prompts)
        return sample(self, prompts, **how)

    def taken(reply: str, old: str, kind: str, **_: Any) -> prompts.Rewrite:
        return prompts.Rewrite(reply)

    monkeypatch.setattr(causal.CausalModel, "sample", sampled)
    monkeypatch.setattr(module, "answer", taken)
    return asked


def says(monkeypatch: pytest.MonkeyPatch, reply: str | None) -> None:
    """Let every model write this."""

    def sampled(self: causal.CausalModel, given: Sequence[Any], **_: Any) -> list[Any]:
        ids = None if reply is None else np.array(self.tokenizer(reply)["input_ids"])
        return [ids for _ in given]

    monkeypatch.setattr(causal.CausalModel, "sample", sampled)


def test_it_is_a_rewriter_and_registered(made: Chat) -> None:
    assert isinstance(made, Rewriter)
    assert (made.name, made.sends_to) == ("chat", None)
    assert REWRITERS["chat"].make is chat
    assert REWRITERS["chat"].limits.containment == 0.30


def test_a_rewrite_follows_from_text_and_seed_in_any_company(made: Chat, heard: list[str]) -> None:
    told: list[int] = []
    together = made.rewrite(TEXTS, [1, 2, 3, 4], watch=told.append)
    alone = [
        made.rewrite([text], [seed])[0] for text, seed in zip(TEXTS, [1, 2, 3, 4], strict=True)
    ]
    assert together == alone
    assert told == [4]
    twice = made.rewrite([TEXTS[0], TEXTS[0], TEXTS[0]], [1, 1, 5])
    assert twice[0] == twice[1] == together[0]
    assert twice[2] != twice[0]
    assert all(one.tokens_read > 0 and one.tokens_written > 0 for one in together)
    greedy = replace(made, temperature=0.0).rewrite([TEXTS[0], TEXTS[0]], [1, 5])
    assert greedy[0] == greedy[1]
    assert made.rewrite([], []) == []


def test_it_asks_in_the_words_of_the_prompt_and_begins_the_answer(
    made: Chat, heard: list[str]
) -> None:
    made.rewrite([" the cat.\n"], [0])
    question = prompts.question("the cat.", "prose")
    assert heard == [f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n<text>\n"]
    heard.clear()
    replace(made, kind="code").rewrite(["x = 1"], [0])
    assert prompts.question("x = 1", "code") in heard[0]
    assert heard[0].endswith("assistant\n<code>\n")


def test_a_thought_that_a_template_begins_is_ended(tmp_path: Path, heard: list[str]) -> None:
    folder = tiny.llama(tmp_path, max_position_embeddings=1024)
    template = tiny.TEMPLATE.replace("assistant\n", "assistant\n<think>\n")
    tiny.tokenizer(template=template).save_pretrained(folder)
    chat(model=str(folder)).rewrite(["the cat."], [0])
    assert heard[0].endswith("assistant\n<think>\n</think>\n\n<text>\n")


def test_released_it_is_out_of_memory_and_is_read_anew(made: Chat, heard: list[str]) -> None:
    before = made.rewrite(["the cat."], [3])
    model = weakref.ref(module._loaded(made.source, made.device, made.precision).network)
    assert model() is not None
    module.release()
    gc.collect()
    assert model() is None
    assert made.rewrite(["the cat."], [3]) == before


def test_long_texts_are_rewritten_passage_by_passage(
    made: Chat, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " the cat sat. 1 2 3.\n\nthe dog sat.\n"
    found = replace(made, words=3).rewrite([text], [7])[0]
    assert [prompts.question(one, "prose") in ask for one, ask in zip(
        ["the cat sat.", "the dog sat."], heard, strict=True)] == [True, True]  # fmt: skip
    assert found.text is not None
    assert found.text.startswith(" ")
    assert " 1 2 3.\n\n" in found.text
    says(monkeypatch, "other")
    found = replace(made, words=3).rewrite([text], [7])[0]
    assert found.text == " other 1 2 3.\n\nother\n"
    assert found.tokens_written == 2 * len(tiny.tokenizer()("other")["input_ids"])


def test_what_is_no_rewrite_is_told_and_counted(
    made: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reply, why in (
        ("", prompts.EMPTY),
        ("the cat sat.", prompts.COPIED),
        ("I cannot help with that.", prompts.REFUSED),
        ("a" * (int(LONGEST * 10) + MARGIN), prompts.CUT),
        (None, module.UNSAID),
    ):
        says(monkeypatch, reply)
        found = made.rewrite(["the cat sat."], [0])[0]
        assert (found.text, found.why) == (None, why)
        assert found.tokens_read > 0
        assert (found.tokens_written > 0) == bool(reply)
    says(monkeypatch, "the dog stood.</text> Or: the")
    assert made.rewrite(["the cat sat."], [0])[0].text == "the dog stood."
    assert made.rewrite(["1 + 1"], [0])[0] == (None, passages.NOTHING, 0, 0)


def test_a_passage_that_does_not_fit_is_left_out_and_the_others_are_not(
    made: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, "other")
    found = replace(made, words=10_000).rewrite(["the cat. " * 300, "the cat."], [0, 1])
    assert found[0] == (None, module.UNREAD, 0, 0)
    assert found[1].text == "other"


def test_identity_holds_all_that_decides_the_answers(made: Chat, tmp_path: Path) -> None:
    other = chat(model=str(tiny.llama(tmp_path, seed=1, max_position_embeddings=1024)))
    changed = [
        made,
        replace(made, source=other.source),  # type: ignore[attr-defined]
        *(replace(made, **{name: value}) for name, value in {
            "temperature": 0.5, "top_k": 5, "kind": "code", "words": 20, "precision": "bfloat16",
        }.items()),
    ]  # fmt: skip
    assert len({one.identity for one in changed}) == len(changed)
    assert replace(made).identity == made.identity
    assert replace(made, device="cuda").identity == made.identity


def test_a_model_that_cannot_be_asked_is_refused_before_it_is_loaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causal, "load", None)
    chat(model=str(folder))
    with pytest.raises(ModelError, match=r"no such file or folder.*did you mean smollm2"):
        chat(model=str(tmp_path / "none"))
    with pytest.raises(SpecError, match="give cpu or cuda"):
        chat(model=str(folder), device="abacus")
    plain = tiny.llama(tmp_path / "plain")
    for template, kind, words in (
        (None, ModelError, "no chat template.*trained to follow instructions"),
        ("{{ raise_exception('no') }}", DataError, "refuses this chat"),
        ("{{ strftime_now('%d') }}", ModelError, "today's date"),
    ):
        (plain / "chat_template.jinja").unlink(missing_ok=True)
        tiny.tokenizer(template=template).save_pretrained(plain)
        with pytest.raises(kind, match=words) as caught:
            chat(model=str(plain))
        assert str(caught.value).startswith(str(plain))
