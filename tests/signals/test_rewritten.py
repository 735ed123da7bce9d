"""Rewrites: the very strings that a defense trains on, if its secret is known, else others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from signals.models import STATISTICS, Answering, chat, counting, llama, read, sentences

from nonmember.attacks.language.compared import reference_difference
from nonmember.attacks.language.rewritten import rewritten
from nonmember.data.records import Completion, Message, Record
from nonmember.errors import SpecError
from nonmember.evaluation.roc import auc
from nonmember.models.text import Form, encode
from nonmember.rewriting import registry
from nonmember.rewriting.attempts import accepted, seed_of
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewrite
from nonmember.seeds import generator
from nonmember.signals.catalogue import ask, facts, passes, queried, queries
from nonmember.signals.derive import rewrite_gain
from nonmember.signals.language import token_statistics
from nonmember.signals.rewritten import rewrites

OTHERS = ("mouse", "lay", "under", "rug", "bird", "near", "Rome", "spoke", "over", "it")
LIMITS = Limits(shortest=0.1, longest=9.0, containment=1.0, run=99, facts=False, fluency=None)
CONTENTS = [
    "The cat sat on the mat and a dog sat on the log",
    Completion("What of the dog? ", "The dog said no and sat on the mat"),
    chat("which one?", "The cat on the mat, not the dog", "and now?", "No."),
    "The cat sat on the mat and a dog sat on the log",
]


@dataclass(frozen=True)
class Drawing:
    """Every word becomes another by the seed; what holds ``spared`` it leaves alone."""

    spared: str
    asked: list[list[tuple[str, int]]]
    name = "drawing"
    sends_to = None

    @property
    def identity(self) -> str:
        return f"drawing {self.spared}"

    def rewrite(self, texts: Sequence[str], seeds: Sequence[int], *, watch=None) -> list[Rewrite]:
        self.asked.append(list(zip(texts, seeds, strict=True)))
        return [self._one(*one) for one in self.asked[-1]]

    def _one(self, text: str, seed: int) -> Rewrite:
        if self.spared in text:
            return Rewrite(None, "spared")
        return Rewrite(" ".join(generator(seed, "words").choice(OTHERS, len(text.split()))))


@pytest.fixture
def made(monkeypatch):
    """The registry with a rewriter of its own; all that it was asked, in all calls."""
    monkeypatch.setattr(registry, "REWRITERS", {})
    asked: list[list[tuple[str, int]]] = []

    @registry.rewriter(limits=LIMITS)
    def drawing(*, spared: str = "Spared"):
        return Drawing(spared, asked)

    return asked


def rewrites_of(model, given, contents=None, **options):
    """The log-probabilities of rewrites of records, of which all is used if no more is said."""
    whole = [one.content for one in given] if contents is None else contents
    found = rewrites(model, given, whole, None, **{"rewriter": "drawing", **options})
    return found["aug_rewrites_token_logprobs"]


def asked_about(given, contents=None, **options):
    """The records that a model is asked about, as bytes, and what was found."""
    model = Answering(counting(), STATISTICS)
    found = rewrites_of(model, given, contents, **options)
    return {one.ids.tobytes() for one in model.asked[0]}, found


def trained(contents, secret):
    """What a defense has a model trained on, record by record, as it meets it."""
    outcomes = accepted(contents, registry.made("drawing", {}), LIMITS, secret=secret)
    assert all(outcome.content is not None for outcome in outcomes)
    return [one.ids.tobytes() for one in read([outcome.content for outcome in outcomes])]


def test_whoever_knows_the_secret_asks_about_the_very_strings_that_were_trained(made):
    told, _ = asked_about(read(CONTENTS[:3]), secret="the defense's", copies=4)
    assert told.issuperset(trained(CONTENTS[:3], "the defense's"))
    guessed, _ = asked_about(read(CONTENTS[:3]), copies=4)
    assert guessed.isdisjoint(trained(CONTENTS[:3], "the defense's"))


def test_each_copy_gets_what_its_attempt_would_get_alone(made):
    given = read(CONTENTS[:1])
    _, found = asked_about(given, secret="s", copies=3)
    drawing = registry.made("drawing", {})
    for attempt, row in enumerate(found[0]):
        (new,) = drawing.rewrite(CONTENTS[:1], [seed_of("s", CONTENTS[0], attempt)])
        expected = token_statistics(counting(), read([new.text]))["token_logprobs"][0]
        np.testing.assert_allclose(row[: len(expected)], expected, rtol=1e-5, atol=1e-5)
        assert np.isnan(row[len(expected) :]).all()


def test_records_that_say_the_same_have_the_same_copies(made):
    _, found = asked_about(read(CONTENTS))
    np.testing.assert_array_equal(found[0], found[3])


def test_the_rewriter_is_asked_once_about_each_passage_with_words_in_it(made):
    asked_about(read([*CONTENTS, "", "...!", chat("why?", "", "so?", "The dog, of course it is")]))
    passages = [CONTENTS[0], CONTENTS[1].completion, "The cat on the mat, not the dog", "No."]
    passages.append("The dog, of course it is")
    asked = {(text, seed_of("", text, at)) for text in passages for at in range(3)}
    assert len(made[0]) == len(asked) and set(made[0]) == asked and len(made) == 1


def test_what_cannot_be_rewritten_has_no_copy(made):
    spared = "Spared: the dog sat on the log"
    given = read([spared, "...!", "", CONTENTS[0], chat("?", spared, "?", CONTENTS[0])])
    _, found = asked_about(given)
    there = ~np.isnan(found).all(axis=2)
    assert there.tolist() == [[False] * 3, [False] * 3, [False] * 3, [True] * 3, [False] * 3]


def test_a_short_turn_that_cannot_be_rewritten_stays_if_there_are_others(made):
    said = chat("which one?", "The cat on the mat, not the dog", "and now?", "No.")
    model = Answering(counting(), STATISTICS)
    given = read([said, (*said[:1], Message("assistant", "No."))])
    rewrites_of(model, given, how={"spared": "No."})
    assert len(model.asked[0]) == 3
    assert all(one.text.endswith("No.<|im_end|>\n") for one in model.asked[0])


def test_its_options_are_the_rewriters(made):
    _, found = asked_about(read(CONTENTS[:1]), how={"spared": "cat"})
    assert np.isnan(found).all()
    with pytest.raises(SpecError, match="no option 'spare'"):
        asked_about(read(CONTENTS), how={"spare": "cat"})
    with pytest.raises(SpecError, match="no rewriter 'draw'"):
        rewrites_of(counting(), read(CONTENTS), rewriter="draw")


def test_fewer_attempts_are_the_first_of_more(made):
    _, few = asked_about(read(CONTENTS), copies=2)
    _, more = asked_about(read(CONTENTS), copies=5)
    np.testing.assert_allclose(more[:, :2, : few.shape[2]], few, rtol=1e-5, atol=1e-5)


def test_gains_over_the_base_are_asked_of_both_and_said_to_be_so():
    assert queried(["rewrite_gain"]) == {
        ask("aug_rewrites_token_logprobs"),
        ask("base_aug_rewrites_token_logprobs"),
    }
    assert queried(["gain"]) == {ask("token_logprobs"), ask("base_token_logprobs")}
    assert queried(["pop_gain"]) == {ask("pop_token_logprobs"), ask("pop_base_token_logprobs")}
    assert queried(["self_gain"]) == {ask("self_token_logprobs"), ask("base_token_logprobs")}
    assert passes(["pop_rewrite_gain"]) == {("target", "rewrites"), ("base", "rewrites")}
    assert queries(["gain", "rewrite_gain"], {"rewrites": {"copies": 6}}) == 7
    assert facts(["gain", "token_kept"]) == {"token_kept"}


def learnt(network, given, steps=40):
    """Train on these records as they are; the network is changed."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(steps):
        for one in given:
            ids = torch.from_numpy(one.ids)[None]
            network(input_ids=ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()


def test_a_model_that_learnt_rewrites_only_is_seen_through(made):
    """With the secret, as the undefended model would be; the records themselves say little."""
    contents = [f"{text} {place}" for place, text in enumerate(sentences(*[12] * 24, seed=3))]
    given, member = read(contents), np.arange(24) % 2 == 0
    outcomes = accepted(contents, registry.made("drawing", {}), LIMITS, secret="theirs")
    base, target = llama(), llama()
    learnt(target.network, read([one.content for one in outcomes[::2]]))
    areas = {}
    for secret in ("theirs", "mine"):
        copies = [rewrites_of(model, given, secret=secret) for model in (target, base)]
        areas[secret] = auc(rewritten(rewrite_gain(*copies)), member).value
    own = [token_statistics(model, given)["token_logprobs"] for model in (target, base)]
    areas["raw"] = auc(reference_difference(*own), member).value
    assert areas["theirs"] == 1 and max(areas["mine"], areas["raw"]) < 0.85, areas


def test_a_cut_record_is_rewritten_whole_and_cut_again(made):
    form = Form(8)
    (one,) = encode(counting().tokenizer, [Record("a", CONTENTS[0])], form)
    assert one.truncated
    told, _ = asked_about([one], CONTENTS[:1], copies=1)
    assert made == [[(CONTENTS[0], seed_of("", CONTENTS[0], 0))]]
    (copy,) = told
    assert len(np.frombuffer(copy, dtype=np.int64)) == 8
