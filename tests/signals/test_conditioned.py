"""After known records, the same tokens are scored as without them."""

from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
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
from nonmember.errors import ModelError
from nonmember.models.text import Form, encode
from nonmember.signals.conditioned import fits, prefix, prefix_member
from nonmember.signals.language import token_statistics

SHOTS = texts(9, 4, 12, seed=5)
BREAK, A = (tiny.tokenizer()(text)["input_ids"] for text in ("\n\n", "a"))


@pytest.fixture(params=["counting", "llama"])
def model(request):
    return {"counting": counting, "llama": llama}[request.param]()


def conditioned(model, given, shots=SHOTS, **options):
    return prefix(model, given, shots, **options)["prefix_token_logprobs"]


def naive(model, before, one, cut):
    """Log-probabilities of one record's scored tokens after ``before``, all read in one go."""
    ids = [*before, *one.ids[cut:]]
    marks = [*[False] * len(before), *one.scored[cut:]]
    return full_softmax(model, record(ids, marks))[0]


def compare(found, expected):
    for row, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(row[: len(wanted)], wanted, rtol=1e-4, atol=1e-4)
        assert np.isnan(row[len(wanted) :]).all()


def test_it_equals_reading_the_prefix_each_time(model):
    given = mixed()
    before = [token for shot in SHOTS for token in (*shot.ids, *BREAK)]
    compare(conditioned(model, given), [naive(model, before, one, 0) for one in given])


def test_it_scores_the_tokens_that_are_scored_without_a_prefix(model):
    given = mixed()
    alone = token_statistics(model, given)["token_logprobs"]
    np.testing.assert_array_equal(np.isnan(conditioned(model, given)), np.isnan(alone))


def test_the_prefix_is_read_once_and_its_last_token_with_each_text():
    model = counting()
    given = texts(6, 6, 6)
    conditioned(model, given)
    before = [int(token) for shot in SHOTS for token in (*shot.ids, *BREAK)]
    assert model.remembered == [before[:-1]]
    assert sum(rows for rows, _ in model.batches) == 3
    assert max(width for _, width in model.batches) == 1 + max(len(one.ids) for one in given)


def test_a_beginning_of_sequence_stands_before_the_prefix_only(model):
    by = tiny.tokenizer(bos=True)
    model = replace(model, tokenizer=by)
    given, shots = read(sentences(7, 3), by=by), read(sentences(5, 6, seed=5), by=by)
    before = [0, *(token for shot in shots for token in (*shot.ids[1:], *BREAK))]
    found = conditioned(model, given, shots)
    compare(found, [naive(model, before, one, 1) for one in given])
    alone = token_statistics(model, given)["token_logprobs"]
    assert (np.isfinite(found).sum(axis=1) == [len(one.ids) - 1 for one in given]).all()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(alone))


@pytest.mark.parametrize("bos", [False, True])
def test_packed_records_are_parted_as_they_were_trained(model, bos):
    by, form = tiny.tokenizer(bos=bos), Form(1000, packed=True)
    model = replace(model, tokenizer=by)
    given, shots = (read(sentences(*n, seed=len(n)), form, by) for n in ((7, 3), (5, 6, 2)))
    first = 0 if bos else 2
    assert all(one.ids[0] == first and one.ids[-1] == 2 for one in given + shots)
    before = [first, *(token for shot in shots for token in shot.ids[1:])]
    compare(conditioned(model, given, shots), [naive(model, before, one, 1) for one in given])


@pytest.mark.parametrize("bos", [False, True])
def test_packed_records_that_were_cut_are_parted_alike(model, bos):
    by, form = tiny.tokenizer(bos=bos), Form(8, packed=True)
    model = replace(model, tokenizer=by)
    given, shots = (read(sentences(*n, seed=len(n)), form, by) for n in ((7, 3), (9, 2, 12)))
    assert [shot.truncated for shot in shots] == [True, False, True]
    before = [0 if bos else 2]
    for shot in shots:
        before += [*shot.ids[1:], *[2] * shot.truncated]
    compare(conditioned(model, given, shots), [naive(model, before, one, 1) for one in given])


@pytest.mark.parametrize(
    "contents",
    [
        [chat("which one?", "The cat."), chat("and now?", "No.", "why?", "a dog")],
        [Completion("The dog ", "sat on the mat"), Completion("a cat ", "said No.")],
    ],
    ids=["chats", "completions"],
)
def test_what_ends_by_itself_gets_no_separator(model, contents):
    given = read(contents)
    before = [token for shot in given for token in shot.ids]
    compare(conditioned(model, given, given), [naive(model, before, one, 0) for one in given])


def test_members_before_a_text_are_another_signal(model):
    given = mixed()
    found = prefix_member(model, given, SHOTS, count=2, separator=" ")
    expected = conditioned(model, given, SHOTS[:2], separator=" ")
    np.testing.assert_array_equal(found["prefix_member_token_logprobs"], expected)


def test_count_and_separator_say_what_stands_before():
    for options, before in [
        ({"count": 1}, [*SHOTS[0].ids, *BREAK]),
        ({"count": 1, "separator": ""}, [*SHOTS[0].ids]),
        ({"count": 2, "separator": "a"}, [*SHOTS[0].ids, *A, *SHOTS[1].ids, *A]),
    ]:
        model = counting()
        conditioned(model, texts(5), **options)
        assert model.remembered == [before[:-1]]


def test_shots_that_do_not_fit_beside_the_longest_text_are_left_out():
    sizes = [len(shot.ids) + len(BREAK) for shot in SHOTS]
    assert sizes[1] < sizes[0] < sizes[2]
    form = Form(40)
    shots = [replace(shot, form=form) for shot in SHOTS]
    for room, kept in [(sum(sizes), (0, 1, 2)), (sum(sizes) - 1, (0, 1)), (sizes[1], (1,))]:
        for given in (texts(3, form=form), texts(3, 9, form=form), []):
            model = counting(context=40 + room)
            conditioned(model, given, shots)
            before = [token for i in kept for token in (*SHOTS[i].ids, *BREAK)]
            assert model.remembered == [before[:-1]], "whatever records are asked about"


def test_no_shot_that_fits_is_refused():
    shots = [replace(shot, form=Form(40)) for shot in SHOTS]
    with pytest.raises(ModelError, match=r"context of 42 tokens holds no known .*max_tokens"):
        conditioned(counting(context=42), texts(3), shots)
    with pytest.raises(ModelError, match="no known records to put before a text"):
        conditioned(counting(), texts(3), [])


@pytest.mark.parametrize("bos", [False, True])
def test_whether_a_shot_fits_is_known_before_any_query(bos):
    by, form = tiny.tokenizer(bos=bos), Form(40)
    shots = read(sentences(9, 4, 12, seed=5), form, by)
    least = min(len(shot.ids) - bos for shot in shots) + len(BREAK)
    usual = {"count": 7, "separator": "\n\n"}
    for context in (40 + bos + least, 40 + bos + least - 1):
        model = replace(counting(context=context), tokenizer=by)
        able = fits(by, shots, context, **usual)
        assert able == (context == 40 + bos + least)
        if able:
            conditioned(model, [], shots)
        else:
            with pytest.raises(ModelError, match="holds no known record"):
                conditioned(model, [], shots)
    assert not fits(by, shots, 40 + bos + least, **{**usual, "count": 1})
    assert fits(by, shots, 40 + bos + least - 1, **{**usual, "separator": ""})
    assert fits(by, shots, None, **usual) and not fits(by, [], None, **usual)


def test_a_text_over_the_limit_is_read_in_windows_after_the_prefix(model):
    form = Form(16, long="slide")
    (one, short) = texts(30, 3, form=form)
    assert len(one.ids) > 40
    found = conditioned(model, [one, short], [replace(shot, form=form) for shot in SHOTS])
    before = [token for shot in SHOTS for token in (*shot.ids, *BREAK)]
    expected, reached = [], 0
    for start in range(0, len(one.ids), 8):
        if reached < len(one.ids):
            ids = one.ids[start : start + 16]
            marks = one.scored[start : start + 16] & (np.arange(start, start + len(ids)) >= reached)
            expected.append(naive(model, before, replace(one, ids=ids, scored=marks), 0))
            reached = start + len(ids)
    compare(found, [np.concatenate(expected), naive(model, before, short, 0)])


def test_a_remote_model_is_given_the_whole():
    given = [one for one in mixed() if one.scored.any()]
    remote = Answering(counting())
    found = conditioned(remote, given)
    np.testing.assert_allclose(found, conditioned(counting(), given), rtol=1e-5, atol=1e-5)
    before = [token for shot in SHOTS for token in (*shot.ids, *BREAK)]
    for asked, one in zip(remote.asked[0], given, strict=True):
        assert asked.ids.tolist() == [*before, *one.ids]
        assert not asked.scored[: len(before)].any()
        assert len(asked.ids) <= asked.form.limit


@pytest.mark.parametrize("batch", [[0], [1, 2], [2, 0, 1]])
def test_a_record_scores_alone_as_in_company(model, batch):
    given = texts(9, 30, 2)
    whole = conditioned(model, given)
    part = conditioned(model, [given[i] for i in batch])
    for row, place in zip(part, batch, strict=True):
        count = int(given[place].scored.sum())
        np.testing.assert_allclose(row[:count], whole[place, :count], rtol=1e-5, atol=1e-5)


def test_the_recall_of_what_the_prefix_says_is_seen():
    from nonmember.data.records import Record

    torch.manual_seed(0)
    model = llama()
    (shot,) = encode(model.tokenizer, [Record("0", "The cat sat on the mat")], Form(1000))
    found = conditioned(model, texts(12), [shot])
    other = conditioned(model, texts(12), texts(6, seed=8))
    assert not np.allclose(found, other, atol=1e-3)
