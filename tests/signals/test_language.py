"""One pass over a model: exact, the same in any company, and never more than it must hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from signals.models import (
    STATISTICS,
    VOCABULARY,
    Answering,
    counting,
    full_softmax,
    llama,
    record,
    records,
    texts,
)

from nonmember.models.text import Form, windows
from nonmember.signals import language
from nonmember.signals.catalogue import SIGNALS
from nonmember.signals.language import STATISTICS_VERSION, of_positions, token_statistics

LENGTHS = (40, 2, 3, 151, 17, 66, 65, 64, 5, 90, 23, 2)


@pytest.fixture(params=["counting", "llama"], scope="module")
def model(request):
    return {"counting": counting, "llama": llama}[request.param]()


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def row(found, place):
    """The statistics (5 T) of one record of many, without padding."""
    whole = np.stack([found[name][place] for name in STATISTICS])
    count = (~np.isnan(whole[0])).sum()
    assert np.isnan(whole[:, count:]).all()
    return whole[:, :count]


@pytest.mark.parametrize("share", [1.0, 0.4], ids=["texts", "chats"])
def test_it_equals_the_full_softmax_and_closes_gaps(model, share):
    given = records(*LENGTHS, share=share)
    found = token_statistics(model, given)
    for place, one in enumerate(given):
        close(row(found, place), full_softmax(model, one))


def test_one_distribution_by_hand():
    probabilities = torch.full((VOCABULARY,), 1e-30)
    probabilities[[4, 5, 6]] = torch.tensor([0.5, 0.25, 0.25])
    model = counting(bias=probabilities.log() + 7, scale=0.0)
    found = row(token_statistics(model, [record([0, 4, 5])]), 0)
    log = np.log(2)
    close(found[:, 0], [-log, 1, 4, -log, -1.5 * log, 0.5 * log])
    close(found[:, 1], [-2 * log, 0, 4, -log, -1.5 * log, 0.5 * log])


@pytest.fixture(scope="module")
def alone(model):
    """What each record of a set gets by itself."""
    return [row(token_statistics(model, [one]), 0) for one in records(*LENGTHS, share=0.7)]


@pytest.mark.parametrize("batch_tokens", [1, 50, 333, 10_000])
def test_a_record_scores_alone_as_in_any_batch(model, alone, batch_tokens):
    found = of_positions(model, records(*LENGTHS, share=0.7), batch_tokens=batch_tokens)
    for place, expected in enumerate(alone):
        close(row(found, place), expected)


def test_the_order_of_records_does_not_matter(model):
    given = records(*LENGTHS)
    order = np.random.default_rng(3).permutation(len(given))
    found = of_positions(model, given, batch_tokens=200)
    turned = of_positions(model, [given[i] for i in order], batch_tokens=200)
    for name in STATISTICS:
        close(turned[name], found[name][order])


def test_records_with_nothing_to_score_are_nan_and_not_asked_about():
    model = counting()
    given = [record([]), record([3]), record([3, 4, 5], [False] * 3), record([3, 4, 5])]
    found = token_statistics(model, given)
    for name in STATISTICS:
        assert found[name].shape == (4, 2)
        np.testing.assert_array_equal(np.isnan(found[name]).all(axis=1), [True, True, True, False])
    assert model.batches == [(1, 3)]


@pytest.mark.parametrize("given", [[], [record([])], [record([5]), record([5, 6], [False, False])]])
def test_nothing_to_score_at_all_asks_nothing(given):
    model = counting()
    found = token_statistics(model, given)
    assert {array.shape for array in found.values()} == {(len(given), 1)}
    assert all(np.isnan(array).all() for array in found.values())
    assert model.batches == model.rows == []


def test_impossible_tokens_are_finite():
    bias = torch.zeros(VOCABULARY)
    bias[[5, 6]] = -torch.inf
    model = counting(bias=bias)
    one = record([1, 5, 2, 6, 5, 3])
    found = row(token_statistics(model, [one]), 0)
    close(found, full_softmax(model, one))
    assert found[0, [0, 2, 3]].tolist() == [-1e4] * 3
    assert (found[0, [1, 4]] > -100).all()


@pytest.mark.parametrize("poison", [torch.nan, torch.inf, -torch.inf])
def test_a_record_with_an_answer_that_is_no_number_has_none_and_no_other_loses_any(poison):
    model = counting()
    given = [record([1, 2, 3, 4]), record([1, 2, 9, 4, 5]), record([7, 8])]
    healthy = token_statistics(model, given)
    model.embedding[9] = poison
    found = token_statistics(model, given)
    for name, array in found.items():
        assert np.isnan(array[1]).all(), name
        np.testing.assert_allclose(array[[0, 2]], healthy[name][[0, 2]], rtol=1e-6)


def test_a_model_that_allows_nothing_answers_nothing():
    bias = torch.full((VOCABULARY,), -torch.inf)
    found = token_statistics(counting(bias=bias), records(3))
    assert all(np.isnan(array).all() for array in found.values())


@pytest.mark.parametrize("first, second", [(3, 7), (0, 299), (255, 256), (256, 257), (63, 64)])
def test_of_likeliest_tokens_the_lowest_id_is_the_hit(first, second):
    bias = torch.zeros(VOCABULARY)
    bias[[first, second]] = 2.0
    found = token_statistics(counting(bias=bias, scale=0.0), [record([1, first, second, 50])])
    assert found["token_hit"].tolist() == [[1, 0, 0]]
    assert found["token_logprobs"][0, 0] == found["token_logprobs"][0, 1]


def test_logits_of_few_positions_exist_at_a_time():
    model = counting()
    given = records(*LENGTHS)
    of_positions(model, given, batch_tokens=10_000)
    assert max(model.rows) == 64
    assert sum(model.rows) == sum(one.scored.sum() for one in given)
    assert len(model.buffers) == 1 and 0 not in model.buffers


def test_the_model_is_asked_once_per_batch():
    model = counting()
    of_positions(model, records(*[10] * 7), batch_tokens=30)
    assert model.batches == [(3, 10), (3, 10), (1, 10)]
    assert model.rows == [27, 27, 9]


@pytest.mark.parametrize("batch_tokens", [1, 160, 400])
def test_a_batch_keeps_to_its_budget_or_is_one_record(batch_tokens):
    model = counting()
    of_positions(model, records(*LENGTHS), batch_tokens=batch_tokens)
    assert sum(rows for rows, _ in model.batches) == len(LENGTHS)
    assert all(rows == 1 or rows * width <= batch_tokens for rows, width in model.batches)


def test_the_size_of_batches_is_nobodys_option():
    assert SIGNALS["token_statistics"].options == {}


def test_batches_after_a_prefix_keep_within_what_is_attended_to(monkeypatch):
    monkeypatch.setattr(language, "ATTENDED_AT_ONCE", 300)
    for length, rows in [(0, 10), (20, 10), (21, 9), (90, 3), (291, 1), (5000, 1)]:
        model = counting()
        past = model.remember(torch.zeros(length, dtype=torch.long))
        of_positions(model, records(*[10] * 20), past=past, batch_tokens=100)
        assert model.batches[0] == (rows, 10)
        assert sum(rows for rows, _ in model.batches) == 20


def test_a_prefix_that_each_row_reads_again_counts_as_read():
    for length, rows in [(0, 10), (10, 5), (90, 1), (500, 1)]:
        model = replace(counting(), again=True)
        past = model.remember(torch.zeros(length, dtype=torch.long))
        of_positions(model, records(*[10] * 20), past=past, batch_tokens=100)
        assert model.batches[0] == (rows, 10)


@pytest.mark.parametrize(
    "name", ["lowercase", "swaps", "neighbours", "spans", "prefix", "prefix_member", "repeats"]
)
def test_what_is_made_of_the_statistics_moves_with_their_version(name):
    import nonmember.audit.threat  # noqa: F401  (fills the catalogue)

    assert SIGNALS["token_statistics"].version == STATISTICS_VERSION
    assert SIGNALS[name].version > STATISTICS_VERSION


def test_texts_over_the_limit_are_read_in_windows(model):
    given = texts(30, 3, 12, 40, form=Form(16, long="slide"))
    found = token_statistics(model, given)
    for place, one in enumerate(given):
        pieces = [full_softmax(model, piece) for piece in windows(one)]
        close(row(found, place), np.concatenate(pieces, axis=1))
        assert row(found, place).shape[1] == len(one.ids) - 1


def test_a_remote_model_gives_what_it_answers():
    given = texts(30, 3, 12, form=Form(16, long="slide"))
    remote = Answering(counting())
    found = token_statistics(remote, given)
    expected = token_statistics(counting(), given)
    assert found.keys() == {"token_logprobs", "token_hit"}
    for name, array in found.items():
        close(array, expected[name])
    (asked,) = remote.asked
    assert all(len(one.ids) <= 16 for one in asked)


def test_a_remote_model_that_leaves_out_a_token_has_answered_nothing_of_its_record():
    class Forgetful(Answering):
        def statistics(self, encoded, *, watch=None):
            found = super().statistics(encoded, watch=watch)
            found["token_logprobs"][1, 4] = np.nan
            return found

    given = texts(8, 9, 3)
    found = token_statistics(Forgetful(counting()), given)["token_logprobs"]
    expected = token_statistics(counting(), given)["token_logprobs"]
    assert np.isnan(found[1]).all()
    close(found[[0, 2]], expected[[0, 2]])


def test_logits_that_are_no_longer_than_a_block():
    model = counting()
    small = replace(model, head=model.head[:100], bias=model.bias[:100])
    given = [record([1, 5, 99, 2])]
    close(row(token_statistics(small, given), 0), full_softmax(small, given[0]))


def test_watch_is_told_of_every_token_once():
    told = []
    model = counting()
    of_positions(model, records(*LENGTHS), batch_tokens=200, watch=told.append)
    assert sum(told) == sum(LENGTHS)
    assert len(told) == len(model.batches) > 2
