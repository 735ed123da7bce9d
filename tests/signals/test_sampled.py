"""What a model writes is compared with how the text truly goes on, and with no more of it."""

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tiny
from signals.models import (
    VOCABULARY,
    Answering,
    Counting,
    chat,
    counting,
    llama,
    mixed,
    read,
    sentences,
    texts,
)

from nonmember.data.records import Completion
from nonmember.models import generate
from nonmember.models.text import Form
from nonmember.signals.catalogue import SIGNALS
from nonmember.signals.sampled import samples

BY = tiny.tokenizer()


@dataclass
class Scripted:
    """Writes what it is told to; says what it was asked."""

    says: tuple[str, ...]
    inner: Counting = field(default_factory=counting)
    tokenizer: Any = BY
    access: str = "text"
    context: int | None = None
    prompts: list[str] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    how: dict[str, Any] = field(default_factory=dict)

    def statistics(self, encoded, *, watch=None):
        raise AssertionError("no log-probabilities are asked for")

    def sample(self, prompts, *, most, **how):
        self.prompts = [BY.decode(ids) for ids in prompts]
        self.most, self.how = list(most), how
        return [np.array(BY(self.says[i % len(self.says)])["input_ids"]) for i in range(len(most))]


def sampled(model, given, **options):
    found = samples(model, given, **options)
    assert found.keys() == {"sample_recall", "sample_zlib"}
    return found["sample_recall"], found["sample_zlib"]


def test_recall_and_size_by_hand():
    model = Scripted((" the the mat", " on a mat on", "", "cat"))
    recall, size = sampled(model, read(["The cat sat on the mat the end"]), copies=4)
    assert model.prompts == ["The cat sat on"] * 4
    assert model.most == [len(BY(" the mat the end")["input_ids"])] * 4
    np.testing.assert_allclose(recall, [[3 / 4, 1 / 4, 0, 0]])
    assert size.tolist() == [[len(zlib.compress(said.encode())) for said in model.says]]


def test_a_sample_that_the_model_could_not_write_is_missing_and_no_other():
    class Silent(Scripted):
        def sample(self, prompts, *, most, **how):
            found = super().sample(prompts, most=most, **how)
            return [None if place == 1 else ids for place, ids in enumerate(found)]

    given = read(["The cat sat on the mat the end"])
    says = (" the the mat", " on a mat on", "")
    whole, found = (sampled(kind(says), given, copies=3) for kind in (Scripted, Silent))
    for expected, array in zip(whole, found, strict=True):
        expected[0, 1] = np.nan
        np.testing.assert_array_equal(array, expected)


def test_its_version_moves_with_that_of_what_writes():
    assert SIGNALS["samples"].version > generate.VERSION


def test_pairs_of_words():
    model = Scripted((" a b c", " b c d a b", " c b a"))
    recall, _ = sampled(model, read(["one two three four a b c d"]), copies=3, ngram=2)
    np.testing.assert_allclose(recall, [[2 / 3, 1, 0]])


@pytest.mark.parametrize(
    "ratio, prompt", [(0.5, "a bb ccc"), (0.2, "a"), (0.99, "a bb ccc d e f"), (0.3, "a bb")]
)
def test_the_prefix_is_a_share_of_the_words(ratio, prompt):
    model = Scripted(("x",))
    sampled(model, read(["a bb ccc d e f g"]), copies=1, prefix_ratio=ratio)
    assert model.prompts == [prompt]


def test_spaces_and_line_breaks_stay_as_they_are():
    model = Scripted((" \n d",))
    recall, _ = sampled(model, read(["a\n\n b \tc \n d e f"]), copies=1)
    assert model.prompts == ["a\n\n b \tc"]
    np.testing.assert_allclose(recall, [[1 / 3]])


@pytest.mark.parametrize("content", ["", " ", "one", Completion("a question ", ""), chat("hm?")])
def test_what_has_no_beginning_or_end_is_nan_and_not_asked_about(content):
    model = Scripted(("x",))
    recall, size = sampled(model, read([content, "a b"]), copies=2)
    assert np.isnan(recall[0]).all() and np.isnan(size[0]).all()
    assert np.isfinite(recall[1]).all() and model.prompts == ["a"] * 2


def test_a_text_that_ends_before_the_ngram_is_nan():
    recall, size = sampled(Scripted(("x",)), read(["a b c", "a b c d e f"]), copies=1, ngram=3)
    assert np.isnan(recall[0]).all() and np.isnan(size[0]).all() and np.isfinite(recall[1]).all()


def test_of_a_completion_and_a_chat_the_answer_goes_on_after_all_that_leads_to_it():
    model = Scripted((" two",))
    answered = chat("which one?", "one two three", "why?", "no no no")
    given = read([Completion("a question: ", "one two three"), answered])
    recall, _ = sampled(model, given, copies=1, prefix_ratio=0.4)
    lead = "<|im_start|>user\nwhich one?<|im_end|>\n<|im_start|>assistant\n"
    assert model.prompts == ["a question: one", lead + "one"]
    np.testing.assert_allclose(recall, [[0.5], [0.5]])


def test_a_chat_that_was_cut_goes_on_as_far_as_it_was_used():
    whole = read([chat("which one?", "one two three four five six")])[0]
    (one,) = read([chat("which one?", "one two three four five six")], Form(len(whole.ids) - 8))
    assert one.truncated
    model = Scripted((one.text.split()[-1],))
    recall, _ = sampled(model, [one], copies=1)
    count = len(one.text.split())
    np.testing.assert_allclose(recall, [[1 / (count - count // 2)]], rtol=1e-6)


@pytest.mark.parametrize("bos", [False, True])
def test_packed_records_begin_with_their_separator_and_do_not_end(bos):
    by = tiny.tokenizer(bos=bos)
    model = Scripted(("x",), tokenizer=by)
    sampled(model, read(["a b c d"], Form(100, packed=True), by), copies=1)
    assert model.prompts == ["<|endoftext|>a b" if bos else "<|im_end|>a b"]
    sampled(model, read(["a b c d"], by=by), copies=1)
    assert model.prompts == ["<|endoftext|>a b" if bos else "a b"]


def test_a_text_over_the_limit_goes_on_for_half_a_limit():
    model = Scripted((" word" * 50,))
    (one,) = read([" ".join(f"w{i}" for i in range(40))], Form(20, long="slide"))
    assert len(one.ids) > 60
    recall, _ = sampled(model, [one], copies=1)
    assert model.most == [10]
    tail = " ".join(f"w{i}" for i in range(20))
    assert len(BY(model.prompts[0])["input_ids"]) == 10
    assert tail.endswith(model.prompts[0])
    near = BY.decode(BY(" " + " ".join(f"w{i}" for i in range(20, 40)))["input_ids"][:10])
    model = Scripted((near,))
    recall, _ = sampled(model, [one], copies=1)
    np.testing.assert_array_equal(recall, [[1.0]])


def test_all_is_written_in_one_go_with_the_options_given():
    model = Scripted(("x",))
    sampled(model, texts(6, 4), copies=3, temperature=0.5, top_k=7, seed=11)
    assert len(model.prompts) == 6
    assert model.how == {"temperature": 0.5, "top_k": 7, "seed": 11, "watch": None}


def test_a_model_that_knows_the_text_recalls_more():
    model, given = llama(), texts(12, 20)
    recall, size = sampled(model, given, copies=4)
    assert recall.shape == size.shape == (2, 4) and (size >= 8).all()
    known = Scripted((sentences(12)[0].split(" ", 6)[6],))
    assert sampled(known, given[:1], copies=4)[0].mean() == 1 > recall.mean()


def test_seed_and_company_decide_nothing_else():
    given = mixed()
    whole = sampled(counting(), given)
    for found, again in zip(whole, sampled(counting(), given), strict=True):
        np.testing.assert_array_equal(found, again)
    for place in (0, 3, 6):
        alone = sampled(counting(), given[place : place + 1])
        for found, expected in zip(alone, whole, strict=True):
            np.testing.assert_array_equal(found[0], expected[place])
    assert not np.array_equal(sampled(counting(), given, seed=1)[1], whole[1], equal_nan=True)


def test_no_sample_has_more_tokens_than_the_true_continuation():
    model, told = counting(), []
    given = texts(9, 14)
    sampled(Answering(model), given, copies=2, watch=told.append)
    assert sum(told) == pytest.approx(2 * sum(len(one.ids) for one in given), abs=8)
    assert max(int(ids.max()) for ids in model.begun[0]) < VOCABULARY
