"""A model behind HTTP says what it says when it is loaded, or one sentence about why not."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import endpoint_server
import numpy as np
import pytest
import tiny
import torch

from nonmember.data.records import Record
from nonmember.errors import ModelError
from nonmember.models import causal
from nonmember.models.endpoint import Endpoint, Service, client, connect
from nonmember.models.endpoint.card import Card, identity
from nonmember.models.protocols import Remote
from nonmember.models.source import locate
from nonmember.models.text import Encoded, Form, encode
from nonmember.signals.language import token_statistics

KEY = "sk-nobody-should-read-this"
HERE = causal.Placement(torch.device("cpu"), torch.float32)
FORM = Form(tiny.CONTEXT)

Connected = Callable[..., Endpoint]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACKOFF", 0.01)
    for name in ("NONMEMBER_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server(llama: Path) -> Iterator[str]:
    """One process for all modes: most of its time goes into imports."""
    with endpoint_server.serving(llama) as url:
        yield url


@pytest.fixture(scope="module")
def local(llama: Path) -> causal.CausalModel:
    return causal.load(locate(str(llama)), HERE)


@pytest.fixture
def service(server: str, llama: Path) -> Callable[..., Service]:
    def made(mode: str, **settings: Any) -> Service:
        return Service(f"{server}/{mode}/v1", "tiny", str(llama), **settings)

    return made


@pytest.fixture
def connected(service: Callable[..., Service]) -> Iterator[Connected]:
    opened: list[Endpoint] = []

    def made(mode: str, **settings: Any) -> Endpoint:
        opened.append(connect(service(mode, **settings)))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


@pytest.fixture(scope="module")
def encoded(local: causal.CausalModel) -> list[Encoded]:
    """Texts of several lengths, one without a scored token, and one that the model wrote."""
    texts = [
        *tiny.LINES,
        "a",
        "häßlich 😀 naïve",
        *(line[:n] for line in tiny.LINES for n in (9, 20)),
    ]
    found = list(encode(local.tokenizer, [Record(text, text) for text in texts], FORM))
    start = found[0].ids[:4]
    more = local.sample([start], most=[20], temperature=0.0, top_k=1, seed=0)[0]
    ids = np.concatenate([start, more, [2]])
    return [*found, replace(found[0], ids=ids, scored=np.arange(len(ids)) > 0)]


@pytest.fixture(scope="module")
def expected(local: causal.CausalModel, encoded: list[Encoded]) -> dict[str, np.ndarray]:
    found = token_statistics(local, encoded)
    assert 0.05 < np.nanmean(found["token_hit"]) < 0.95, "hits and misses to tell apart"
    return found


def seen(server: str, mode: str) -> dict[str, int]:
    with urlopen(f"{server}/seen/{mode}") as answer:
        return dict(json.load(answer))


def refused(service: Service) -> str:
    """The one sentence with which a server is refused."""
    with pytest.raises(ModelError) as caught:
        connect(service)
    message = str(caught.value)
    assert message.startswith(service.url)
    assert KEY not in message
    assert message.isprintable(), "one line, no escapes"
    assert ";" in message, "says what to do"
    return message


FULL = ("token_logprobs", "token_hit", "token_top_logprob")
GIVES = {
    "vllm": (*FULL, "token_top_id"),
    "shuffled": (*FULL, "token_top_id"),
    "single": (*FULL, "token_top_id"),
    "echo": FULL,
    "echo-one": FULL,
    "plain": ("token_logprobs",),
    "label": ("token_hit",),
    "label-ids": ("token_hit", "token_top_id"),
    "label-500": ("token_hit", "token_top_id"),
}


@pytest.mark.parametrize("mode", GIVES)
def test_statistics_are_those_of_the_loaded_model(
    connected: Connected, encoded: list[Encoded], expected: dict[str, np.ndarray], mode: str
) -> None:
    endpoint = connected(mode)
    assert isinstance(endpoint, Remote)
    assert endpoint.access == ("label" if "label" in mode else "logprobs")
    assert endpoint.context == tiny.CONTEXT - 1
    told: list[int] = []
    found = endpoint.statistics(encoded, watch=told.append)
    assert sum(told) == sum(len(one.ids) for one in encoded if one.scored.any())
    assert tuple(found) == GIVES[mode]
    # By their spelling, pieces of characters cannot be told apart.
    rows = [row for row, one in enumerate(encoded) if mode != "label" or one.text.isascii()]
    for name, array in found.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array[rows], expected[name][rows], atol=1e-4, rtol=0)


def test_a_signal_asks_an_endpoint_as_it_asks_a_model(
    connected: Connected, encoded: list[Encoded], expected: dict[str, np.ndarray]
) -> None:
    found = token_statistics(connected("vllm"), encoded)
    assert set(found) == set(GIVES["vllm"])
    np.testing.assert_allclose(found["token_top_id"], expected["token_top_id"])


@pytest.mark.parametrize("mode", ["vllm", "label"])
def test_long_texts_are_asked_for_in_windows(
    connected: Connected, local: causal.CausalModel, mode: str
) -> None:
    sliding = Form(8, long="slide")
    texts = encode(local.tokenizer, [Record(line, line) for line in tiny.LINES], sliding)
    assert min(len(one.ids) for one in texts) > 12
    endpoint = connected(mode)
    told: list[int] = []
    found = endpoint.statistics(texts, watch=told.append)
    assert sum(told) == sum(len(one.ids) for one in texts)
    for name, array in token_statistics(local, texts).items():
        if name in found:
            np.testing.assert_allclose(found[name], array, atol=1e-4, rtol=0)


def test_nothing_to_score_asks_nothing(
    server: str, connected: Connected, encoded: list[Encoded]
) -> None:
    endpoint = connected("vllm")
    before = seen(server, "vllm")["requests"]
    silent = [one for one in encoded if not one.scored.any()]
    found = endpoint.statistics(silent)
    assert silent
    assert seen(server, "vllm")["requests"] == before
    assert all(array.shape == (1, 1) and np.isnan(array).all() for array in found.values())
    assert endpoint.statistics([])["token_hit"].shape == (0, 1)


def test_labels_cost_a_prompt_per_token(
    server: str, connected: Connected, encoded: list[Encoded]
) -> None:
    for mode, cost in (("label", len(encoded[0].ids) - 1), ("vllm", 1)):
        endpoint = connected(mode)
        before = seen(server, mode)["prompts"]
        endpoint.statistics(encoded[:1])
        assert seen(server, mode)["prompts"] - before == cost


def test_a_record_of_which_one_token_is_unknown_has_no_statistics(
    connected: Connected, encoded: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = connected("label-ids")
    read, (first, second) = endpoint._read, encoded[:2]

    def torn(self: Endpoint, way: Any, choice: Any, asked: Any) -> Any:
        values = read(way, choice, asked)
        return {**values, "token_top_id": np.float32([np.nan])} if len(asked.ids) == 4 else values

    monkeypatch.setattr(Endpoint, "_read", torn)
    short = replace(second, ids=second.ids[:3], scored=second.scored[:3])
    for array in endpoint.statistics([first, short]).values():
        assert np.isnan(array[0]).all()
        assert np.isfinite(array[1, :2]).all()


def test_an_interrupt_waits_for_no_request(
    connected: Connected, encoded: list[Encoded], server: str
) -> None:
    endpoint = connected("stuck", at_once=2)
    endpoint = replace(endpoint, manner=replace(endpoint.manner, together=1))
    before = set(threading.enumerate())

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        endpoint.statistics(encoded, watch=interrupt)
    assert time.monotonic() - begun < 2
    assert all(one.daemon for one in set(threading.enumerate()) - before), "none outlives the end"
    time.sleep(0.2)
    assert seen(server, "stuck")["requests"] <= 3 + 3, "nothing is begun after it"


def test_several_requests_wait_at_a_time_and_answers_keep_their_order(
    server: str, connected: Connected, encoded: list[Encoded], expected: dict[str, np.ndarray]
) -> None:
    endpoint = connected("shuffled")
    endpoint = replace(endpoint, manner=replace(endpoint.manner, together=2))
    found = endpoint.statistics(encoded * 4)
    wanted = np.tile(expected["token_logprobs"], (4, 1))
    np.testing.assert_allclose(found["token_logprobs"], wanted, atol=1e-4, rtol=0)
    assert 1 < seen(server, "shuffled")["most"] <= endpoint.service.at_once


def test_a_server_that_takes_no_token_ids_still_writes(
    connected: Connected, encoded: list[Encoded], local: causal.CausalModel
) -> None:
    endpoint = connected("text")
    assert endpoint.access == "text"
    with pytest.raises(ModelError, match=r"takes no token ids.*; run attacks that need text only"):
        endpoint.statistics(encoded)
    prompt = encoded[0].ids
    written = endpoint.sample([prompt], most=[8], temperature=0.0, top_k=0, seed=0)
    wanted = local.sample([prompt], most=[8], temperature=0.0, top_k=1, seed=0)
    texts = [local.tokenizer.decode(ids) for ids in (written[0], wanted[0])]
    assert texts[0][:4] == texts[1][:4] != ""


def test_what_is_written_follows_from_seed_and_prompt(
    connected: Connected, encoded: list[Encoded], local: causal.CausalModel
) -> None:
    endpoint = connected("vllm")
    one, other = encoded[0].ids[:5], encoded[1].ids[:9]

    def written(*prompts: np.ndarray, seed: int = 0, **more: Any) -> list[list[int]]:
        settings = {"temperature": 1.0, "top_k": 50, **more}
        most = [6, 0, 12, 12][: len(prompts)]
        return [ids.tolist() for ids in endpoint.sample(prompts, most=most, seed=seed, **settings)]

    found = written(one, other, other, other)
    assert len(found[0]) <= 6
    assert found[1] == []
    assert found[2] != found[3], "each repetition is drawn anew"
    assert written(one)[0] == found[0]
    assert written(one, seed=1)[0] != found[0]
    greedy = local.sample([one], most=[6], temperature=0.0, top_k=1, seed=0)[0].tolist()
    assert written(one, top_k=1)[0] == written(one, temperature=0.0)[0] == greedy


def test_an_end_token_is_cut_off_and_the_context_kept(connected: Connected) -> None:
    endpoint = connected("vllm")
    told: list[int] = []
    prompts = [np.arange(3, 3 + 60)] * 40
    settings: dict[str, Any] = {"temperature": 5.0, "top_k": 300, "seed": 0}
    found = endpoint.sample(prompts, most=[50] * 40, watch=told.append, **settings)
    assert max(len(ids) for ids in found) == tiny.CONTEXT - 60
    assert all(2 not in ids for ids in found)
    assert sum(told) == 40 * tiny.CONTEXT
    for length in (0, tiny.CONTEXT):
        with pytest.raises(
            ModelError, match=f"prompt of {length} tokens; give prompts of at least"
        ):
            endpoint.sample([np.arange(length)], most=[1], **settings)


def test_settings_that_are_refused_are_left_out(connected: Connected) -> None:
    assert "top_k" in connected("vllm").manner.extras
    endpoint = connected("echo")
    assert endpoint.manner.extras == ("seed",)
    prompts = [np.arange(70, 80)]
    found = endpoint.sample(prompts, most=[5], temperature=1.0, top_k=50, seed=0)
    assert len(found[0]) > 0


@pytest.mark.parametrize("mode", ["flaky", "slow-429"])
def test_failures_that_pass_are_waited_for(
    server: str,
    connected: Connected,
    encoded: list[Encoded],
    expected: dict[str, np.ndarray],
    mode: str,
) -> None:
    begun = time.monotonic()
    endpoint = connected(mode, at_once=1)
    before = seen(server, mode)
    found = endpoint.statistics(encoded)
    np.testing.assert_allclose(found["token_hit"], expected["token_hit"])
    notes = seen(server, mode)
    assert notes["requests"] >= 2 + 4
    scored = sum(bool(one.scored.any()) for one in encoded)
    assert notes["prompts"] - before["prompts"] == scored, "each was answered once"
    if mode == "slow-429":
        assert time.monotonic() - begun > 2


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("html", "answers text/html instead of JSON"),
        ("moved", r"redirects \(307\) instead of JSON"),
        ("broken", "cannot be understood: the answer: "),
        ("empty", "cannot be understood: choices: field required"),
        ("locked", r"401: no such key: \[key\] .*set NONMEMBER_API_KEY"),
        ("down", "503: overloaded.*log"),
        ("stern-429", "no request for 3600 seconds.*--per-second .*endpoint.per_second"),
        ("short", "positions of a prompt of .*--max-logprobs"),
        ("lost", "no entry for the token at position 1;"),
        ("zeros", "all alike"),
        ("foreign", "not those of the tokenizer in"),
        ("bos", "log-probabilities at .* positions of a prompt of"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused(
    service: Callable[..., Service], mode: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NONMEMBER_API_KEY", KEY)
    monkeypatch.setattr(client, "TRIES", 2)
    message = refused(service(mode))
    assert re.search(words, message), message


def test_a_message_that_quotes_the_text_is_left_out(
    connected: Connected, local: causal.CausalModel
) -> None:
    endpoint = connected("narrow")
    secret = "the diagnosis of Ms Oduya is known to no one but her physician"
    with pytest.raises(ModelError) as caught:
        endpoint.statistics(encode(local.tokenizer, [Record("a", secret)], FORM))
    message = str(caught.value)
    assert "quotes the text, and is left out here" in message
    assert "Oduya" not in message
    assert "400" in message
    assert not any(f"{one}, " in message for one in local.tokenizer(secret)["input_ids"])


def test_no_server_is_one_sentence(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TRIES", 2)
    message = refused(Service("http://127.0.0.1:9/v1", "tiny", str(llama), key=KEY))
    assert "no answer after 2 tries" in message


def test_the_key_is_sent_and_never_shown(
    service: Callable[..., Service], connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    endpoint = connected("vllm", key=KEY)
    assert KEY not in repr(endpoint)
    assert KEY not in repr(service("vllm", key=KEY))
    assert KEY not in caplog.text


def test_a_model_is_named_alike_at_any_time(connected: Connected) -> None:
    """Servers give as its time of creation that of the question, or of their start."""
    first = connected("vllm").digest
    time.sleep(1.1)
    assert connected("vllm", key=KEY, at_once=1, per_second=500.0).digest == first
    assert connected("echo").digest != first


def test_what_changes_numbers_changes_the_name(connected: Connected) -> None:
    endpoint = connected("vllm")
    service, manner = endpoint.service, endpoint.manner
    card = Card(id="tiny", root="/models/tiny", max_model_len=64, meta={"n_params": 9})
    assert manner.way is not None
    known = identity(service, card, manner)
    same = card.model_copy(update={"meta": {"n_params": 9, "loaded_at": time.time()}})
    assert identity(service, same, replace(manner, together=1)) == known, "no other numbers"
    others = [
        identity(replace(service, model="other"), card, manner),
        identity(replace(service, url="https://models.example/v1"), card, manner),
        identity(service, None, manner),
        identity(service, card, replace(manner, way=None)),
        identity(service, card, replace(manner, way=replace(manner.way, settings={"echo": True}))),
        identity(service, card, replace(manner, gives=("token_logprobs",))),
        identity(service, card, replace(manner, extras=("seed",))),
    ]
    for change in ({"max_model_len": 32}, {"root": "/new"}, {"parent": "base"}, {"meta": None}):
        others.append(identity(service, card.model_copy(update=change), manner))
    assert len({known, *others}) == 1 + len(others)


def test_a_tokenizer_needs_no_model_beside_it(
    connected: Connected, tmp_path: Path, llama: Path
) -> None:
    tiny.tokenizer().save_pretrained(tmp_path)
    assert (
        connected("vllm").tokenizer.get_vocab()
        == causal.load_tokenizer(locate(str(llama))).get_vocab()
    )
    alone = connect(replace(connected("vllm").service, tokenizer=str(tmp_path)))
    assert alone.manner.access == "logprobs"
    alone.close()
    with pytest.raises(ModelError, match="no such file or folder"):
        connect(replace(alone.service, tokenizer="nowhere"))
