"""Names of signals taken apart, and the access to a model that they come down to."""

import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

import nonmember.signals.language
import nonmember.signals.repeated  # noqa: F401
from nonmember.errors import SpecError
from nonmember.signals import catalogue
from nonmember.signals.catalogue import (
    SIGNALS,
    Question,
    access,
    ask,
    extractor,
    facts,
    passes,
    queried,
    queries,
    signal,
)

FACT = "token_embedding"


@pytest.fixture
def own_catalogue(monkeypatch):
    """A catalogue of its own for one test."""
    monkeypatch.setattr(catalogue, "SIGNALS", dict(SIGNALS))
    return catalogue.SIGNALS


@pytest.mark.parametrize(
    "name, question",
    [
        ("token_logprobs", Question("token_logprobs", "target", "candidates")),
        ("base_token_logprobs", Question("token_logprobs", "base", "candidates")),
        ("known_token_hit", Question("token_hit", "target", "known")),
        ("known_base_token_hit", Question("token_hit", "base", "known")),
        ("zlib_length", Question("zlib_length", "target", "candidates")),
        ("texts", Question("texts", "target", "candidates")),
        ("known_texts", Question("texts", "target", "known")),
        ("known_member", Question("member", "target", "known")),
        ("pop_token_hit", Question("token_hit", "target", "population")),
        ("self_token_logprobs", Question("token_logprobs", "self", "candidates")),
        ("pop_self_token_hit", Question("token_hit", "self", "population")),
    ],
)
def test_a_name_says_which_array_of_whom(name, question):
    assert ask(name) == question


@pytest.mark.parametrize(
    "name", ["member", "pop_member", "base_member", "known_base_member", "base_texts", "self_texts"]
)
def test_the_truth_is_of_known_records_only_and_no_fact_is_a_models(name):
    with pytest.raises(SpecError, match=f"no signal '{name}'"):
        ask(name)


@pytest.mark.parametrize(
    "wrong, near",
    [
        ("token_logprob", "token_logprobs"),
        ("base_token_logprob", "base_token_logprobs"),
        ("known_base_token_hits", "known_base_token_hit"),
        ("known_membr", "known_member"),
        ("text", "texts"),
        ("base_known_token_hit", "base_token_hit"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(wrong, near):
    with pytest.raises(SpecError, match=rf"no signal '{wrong}'; did you mean [\w, ]*\b{near}\b"):
        ask(wrong)


def test_what_is_derived_is_asked_for_by_what_it_is_derived_from():
    assert queried(["zlib_length", "texts", "known_member"]) == set()
    assert queried(["token_entropy"]) == {Question("token_mean_logprob", "target", "candidates")}
    assert queried(["known_base_token_entropy", "token_hit"]) == {
        Question("token_mean_logprob", "base", "known"),
        Question("token_hit", "target", "candidates"),
    }


def test_facts_are_of_no_model_whoever_derives_from_them():
    assert ask("base_label_similarity").needs == ("token_ids", "base_token_top_id", FACT)
    assert ask("pop_base_label_similarity").needs[:2] == ("pop_token_ids", "pop_base_token_top_id")
    assert facts(["known_context_features", "label_similarity", "texts"]) == {
        "token_ids",
        "texts",
        FACT,
    }
    assert passes(["base_label_similarity", "token_hit"]) == {
        ("base", "token_statistics"),
        ("target", "token_statistics"),
    }


@pytest.mark.parametrize(
    "names, expected",
    [
        ([], "text"),
        (["texts", "zlib_length", "known_member"], "text"),
        (["token_hit"], "label"),
        (["token_top_logprob", "token_hit"], "topk"),
        (["token_logprobs", "base_token_mean_logprob"], "logprobs"),
        (["token_entropy", "token_logprobs"], "dist"),
        (["base_token_logprobs"], "text"),
        (["known_token_logprobs"], "logprobs"),
    ],
)
def test_access_is_what_the_target_must_give_and_the_base_is_public(names, expected):
    assert access(names) == expected


def test_the_provider_of_an_array_is_found():
    assert extractor("token_hit") is SIGNALS["token_statistics"]


def test_a_new_signal_can_be_asked_for(own_catalogue):
    @signal(provides={"gradient_norm": "weights"}, version=3)
    def gradients(model, encoded, *, watch=None):
        return {"gradient_norm": np.zeros((len(encoded), 1))}

    found = own_catalogue["gradients"]
    assert (found.name, found.version, found.extract) == ("gradients", 3, gradients)
    assert ask("base_gradient_norm") == Question("gradient_norm", "base", "candidates")
    assert access(["gradient_norm", "token_logprobs"]) == "weights"


def test_installed_packages_add_theirs(own_catalogue, monkeypatch, tmp_path):
    (tmp_path / "theirs_signals.py").write_text(
        "import nonmember as nm\n"
        "@nm.signal(provides={'token_rank': 'dist'})\n"
        "def ranks(model, encoded, *, watch=None):\n"
        "    return {}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    theirs = EntryPoint("ranks", "theirs_signals:ranks", "nonmember.signals")
    installed = {"nonmember.signals": [theirs]}
    monkeypatch.setattr(catalogue, "entry_points", lambda group: installed[group])
    catalogue.load_plugins()
    assert access(["token_rank"]) == "dist"
    assert extractor("token_rank").extract is sys.modules.pop("theirs_signals").ranks


@pytest.mark.parametrize(
    "name, provides, reason",
    [
        ("other", "token_hit", "'token_hit' is already provided by 'token_statistics'"),
        ("other", "zlib_length", "'zlib_length' is already derived"),
        ("other", "texts", "'texts' is already known"),
        ("other", "base_gradients", "'base_gradients' says whose it is"),
        ("token_statistics", "gradients", "'token_statistics' is already registered"),
    ],
)
def test_a_taken_or_misleading_name_is_refused(own_catalogue, name, provides, reason):
    def extract(model, encoded, *, watch=None):
        return {}

    extract.__name__ = name
    with pytest.raises(SpecError, match=reason):
        signal(provides={provides: "weights"})(extract)
    assert own_catalogue == SIGNALS, "what is refused leaves nothing behind"


def test_an_extractor_says_what_it_is_given_and_how_often_it_asks(own_catalogue):
    @signal(provides={"guesses": "text"}, queries="tries")
    def guessed(model, encoded, shots, *, tries=3, seed=0, watch=None):
        return {}

    found = own_catalogue["guessed"]
    assert found.inputs == ("model", "encoded", "shots")
    assert found.options == {"tries": 3, "seed": 0}
    assert queries(["guesses", "token_logprobs"], {}) == 4
    assert queries(["guesses"], {"guessed": {"tries": 7}}) == 7
    assert queries(["base_guesses", "known_guesses"], {}) == 3


@pytest.mark.parametrize(
    "queries_of, extract, reason",
    [
        (1, lambda model, encoded, chats, *, watch=None: {}, "no input 'chats'"),
        ("tries", lambda model, encoded, *, watch=None: {}, "queries='tries'"),
        (1, lambda model, encoded, *, tries, watch=None: {}, "an option has no default"),
    ],
)
def test_what_an_audit_could_not_call_is_refused(own_catalogue, queries_of, extract, reason):
    with pytest.raises(SpecError, match=reason):
        signal(provides={"guesses": "text"}, queries=queries_of)(extract)
    assert own_catalogue == SIGNALS


def test_a_signal_that_cannot_tell_its_progress_is_refused(own_catalogue):
    with pytest.raises(SpecError, match="'silent': takes no watch"):

        @signal(provides={"gradients": "weights"})
        def silent(model, encoded):
            return {}

    assert own_catalogue == SIGNALS
