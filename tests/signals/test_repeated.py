"""A text and its repetitions stand in one sequence; the same tokens of each are scored."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
from signals.models import (
    Answering,
    chat,
    counting,
    full_softmax,
    llama,
    mixed,
    read,
    record,
    sentences,
    texts,
)

from nonmember.data.records import Completion
from nonmember.models.text import Form
from nonmember.signals.language import token_statistics
from nonmember.signals.repeated import repeats

BREAK = tiny.tokenizer()("\n")["input_ids"]


@pytest.fixture(params=["counting", "llama"])
def model(request):
    return {"counting": counting, "llama": llama}[request.param]()


def repeated(model, given, **options):
    return repeats(model, given, **options)["repeat_token_logprobs"]


def naive(model, one, copies, between, cut):
    """Log-probabilities (v T) of a record's scored tokens in a sequence of its copies."""
    ids, marks = list(one.ids), list(one.scored)
    for _ in range(copies - 1):
        ids += [*between, *one.ids[cut:]]
        marks += [*[False] * len(between), *one.scored[cut:]]
    return full_softmax(model, record(ids, marks))[0].reshape(copies, -1)


def compare(found, expected):
    count = expected.shape[1]
    np.testing.assert_allclose(found[: len(expected), :count], expected, rtol=1e-4, atol=1e-4)
    assert np.isnan(found[:, count:]).all() and np.isnan(found[len(expected) :]).all()


def test_each_copy_is_scored_where_it_stands(model):
    given = texts(20, 3, 1, 9)
    found = repeated(model, given, copies=3)
    assert found.shape == (4, 3, max(len(one.ids) - 1 for one in given))
    for row, one in zip(found, given, strict=True):
        compare(row, naive(model, one, 3, BREAK, 0))


def test_the_first_copy_is_the_text_itself(model):
    given = mixed()
    found = repeated(model, given)
    alone = token_statistics(model, given)["token_logprobs"]
    assert found.shape == (len(given), 5, alone.shape[1])
    np.testing.assert_allclose(found[:, 0], alone, rtol=1e-5, atol=1e-5)
    for copy in range(5):
        np.testing.assert_array_equal(np.isnan(found[:, copy]), np.isnan(alone))


def test_one_pass_reads_all_copies():
    model = counting()
    one, *_ = texts(8)
    repeated(model, [one], copies=4)
    assert model.batches == [(1, 4 * len(one.ids) + 3 * len(BREAK))]


def test_a_beginning_of_sequence_stands_before_the_first_copy_only(model):
    by = tiny.tokenizer(bos=True)
    given = read(sentences(7, 3), by=by)
    for row, one in zip(repeated(replace(model, tokenizer=by), given), given, strict=True):
        assert one.ids[0] == 0
        compare(row, naive(model, one, 5, BREAK, 1))


@pytest.mark.parametrize("bos", [False, True])
def test_packed_copies_share_the_separator(model, bos):
    by = tiny.tokenizer(bos=bos)
    (one,) = read(sentences(7), Form(1000, packed=True), by)
    found = repeated(replace(model, tokenizer=by), [one])
    compare(found[0], naive(model, one, 5, [], 1))


def test_packed_copies_that_were_cut_have_the_separator_between_them(model):
    (one,) = read(sentences(12), Form(8, packed=True))
    assert one.truncated and one.ids[-1] != 2
    compare(repeated(model, [one])[0], naive(model, one, 5, [2], 1))


@pytest.mark.parametrize(
    "content",
    [chat("which one?", "The cat.", "why?", "No."), Completion("a dog ", "sat on the mat")],
    ids=["chat", "completion"],
)
def test_what_ends_by_itself_gets_no_separator(model, content):
    (one,) = read([content])
    compare(repeated(model, [one], copies=2)[0], naive(model, one, 2, [], 0))


@pytest.mark.parametrize("spare, copies", [(0, 3), (-1, 2), (1000, 4)])
def test_as_many_whole_copies_as_the_context_holds(spare, copies):
    (one,) = texts(8)
    length = len(one.ids)
    model = counting(context=3 * length + 2 * len(BREAK) + spare)
    found = repeated(model, [one, *texts(1)], copies=4)
    compare(found[0], naive(counting(), one, copies, BREAK, 0))


def test_a_text_over_the_limit_has_its_first_copy_only(model):
    given = texts(30, 3, form=Form(16, long="slide"))
    found = repeated(model, given)
    alone = token_statistics(model, given)["token_logprobs"]
    np.testing.assert_allclose(found[:, 0], alone, rtol=1e-5, atol=1e-5)
    assert np.isnan(found[0, 1:]).all()
    assert np.isfinite(found[1, 4]).sum() == given[1].scored.sum()


def test_separator_says_what_stands_between(model):
    (one,) = texts(6)
    compare(repeated(model, [one], separator="")[0], naive(model, one, 5, [], 0))
    compare(
        repeated(model, [one], separator="a")[0],
        naive(model, one, 5, tiny.tokenizer()("a")["input_ids"], 0),
    )


def test_a_remote_model_is_asked_for_the_whole_sequence():
    given = texts(6, 3)
    remote = Answering(counting())
    np.testing.assert_allclose(
        repeated(remote, given), repeated(counting(), given), rtol=1e-5, atol=1e-5
    )
    assert [len(one.ids) for one in remote.asked[0]] == [
        5 * len(one.ids) + 4 * len(BREAK) for one in given
    ]


def test_nothing_to_score_is_nan_and_nothing_to_ask():
    model = counting()
    found = repeated(model, read(["", "a"]), copies=3)
    assert found.shape == (2, 3, 1) and np.isnan(found).all()
    assert repeated(model, [], copies=3).shape == (0, 3, 1)
    assert model.batches == []
