"""What an endpoint's parts make of addresses, keys, headers and answers, without a server."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import numpy as np
import pytest
import tiny

from nonmember.errors import ModelError, SpecError
from nonmember.models.endpoint import answers, client
from nonmember.models.endpoint.answers import Asked, LackingError
from nonmember.models.endpoint.client import Client, Pace
from nonmember.models.endpoint.completions import Choice, Completion, checked
from nonmember.models.endpoint.service import Service, bearer, local
from nonmember.models.endpoint.turns import in_turns


def service(url: str, **settings: Any) -> Service:
    return Service(url, "tiny", "folder", **settings)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://models.example", "https://models.example/v1"),
        ("https://models.example/", "https://models.example/v1"),
        ("https://models.example/openai/v1/", "https://models.example/openai/v1"),
        ("http://localhost:8000/v1/completions", "http://localhost:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_an_address_may_be_given_in_several_forms(url: str, root: str) -> None:
    assert service(url).root == root


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("models.example/v1", "no http or https address"),
        ("ftp://models.example/v1", "no http or https address"),
        ("https:///v1", "no http or https address"),
        ("https://[::1/v1", "no http or https address"),
        ("https://models.example:port/v1", "no http or https address"),
        ("https://user:hunter2@models.example/v1", "NONMEMBER_API_KEY"),
        ("https://models.example/v1?key=hunter2", "NONMEMBER_API_KEY"),
        ("http://models.example/v1", r"--insecure .*endpoint.insecure"),
        ("http://10.0.0.7:8000/v1", r"--insecure .*endpoint.insecure"),
        ("http://127.0.0.1.models.example/v1", r"--insecure .*endpoint.insecure"),
        ("http://0.0.0.0:8000/v1", r"--insecure .*endpoint.insecure"),
    ],
)
def test_an_address_that_would_leak_or_leads_nowhere_is_refused(url: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        service(url)
    assert "hunter2" not in str(caught.value)


def test_plain_http_to_another_machine_can_be_allowed() -> None:
    assert not local(service("http://models.example/v1", insecure=True).url)
    for url in ("http://127.0.0.2/v1", "http://localhost/v1", "http://api.localhost/v1"):
        assert local(service(url).url)


@pytest.mark.parametrize("name", ["at_once", "per_second"])
@pytest.mark.parametrize("value", [0, -1])
def test_settings_that_ask_nothing_are_refused(name: str, value: int) -> None:
    kind = int if name == "at_once" else float
    with pytest.raises(SpecError, match=f"{name}={kind(value)} asks nothing"):
        service("https://models.example", **{name: kind(value)})


def test_a_key_goes_only_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NONMEMBER_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    theirs = service("https://api.openai.com/v1")
    ours = service("https://models.example/v1")
    assert bearer(ours) is None
    monkeypatch.setenv("OPENAI_API_KEY", "openai")
    assert bearer(theirs) == "openai"
    assert bearer(service("https://openai.com.models.example/v1")) is None
    assert bearer(ours) is None
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    assert bearer(ours) == "openai"
    monkeypatch.setenv("NONMEMBER_API_KEY", " mine\n")
    assert bearer(ours) == bearer(theirs) == "mine"
    assert bearer(service("https://models.example/v1", key="own")) == "own"
    for broken in ("two words", "ключ", "line\nline"):
        with pytest.raises(SpecError) as caught:
            bearer(service("https://models.example/v1", key=broken))
        assert broken not in str(caught.value)


def test_requests_are_begun_at_a_pace_and_held_together() -> None:
    never = threading.Event()
    pace = Pace(per_second=50.0)
    begun = time.monotonic()
    for _ in range(6):
        pace.wait(never)
    assert 0.1 <= time.monotonic() - begun < 1
    free = Pace(per_second=None)
    begun = time.monotonic()
    free.wait(never)
    free.hold(0.05)
    free.wait(never)
    free.wait(never)
    assert 0.05 <= time.monotonic() - begun < 0.5


@pytest.mark.parametrize("held", [False, True])
def test_who_waits_to_ask_again_can_be_stopped(monkeypatch: pytest.MonkeyPatch, held: bool) -> None:
    monkeypatch.setattr(client, "BACKOFF", 30.0)
    line = Client(service("http://127.0.0.1:9/v1"))
    stop = threading.Event()
    if held:
        line._pace.hold(30.0)
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(ModelError, match="interrupted" if held else "no answer"):
        line.until(stop).get("/models")
    assert 0.1 < time.monotonic() - begun < 2
    line.close()


def test_patience_is_asked_for_in_seconds_or_as_a_date() -> None:
    assert client._retry_after("7") == 7
    assert client._retry_after("") == client._retry_after("soon") == client._retry_after("-3") == 0
    then = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < client._retry_after(format_datetime(then)) <= 30
    assert client._retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("message", "quotes"),
    [
        ("too long: 'My son Jo has measles.'", True),
        ("too long: 'my\\nson   jo-has \\u006deasles...'", True),
        ("no such tokens: ['\u0120my', '\u0120son', '\u0120Jo', '\u0120has']", False),
        ("no such tokens: ['\u0120my', '\u0120son', '\u0120Jo', '\u0120has', '\u0120me']", True),
        ("the context holds 64 tokens", False),
        ("", False),
    ],
)
def test_a_quotation_is_seen_however_it_is_spaced(message: str, quotes: bool) -> None:
    assert client._quotes(message, "Yesterday my son Jo has measles.") is quotes
    assert not client._quotes(message, "")


def test_jobs_are_done_in_their_order_and_end_at_the_first_error() -> None:
    told: list[int] = []

    def slow(job: int, _: threading.Event) -> int:
        time.sleep(0.03 / (1 + job))
        if job == 13:
            raise ValueError("unlucky")
        return job * job

    assert in_turns(slow, range(6), at_once=3, told=told.append) == [0, 1, 4, 9, 16, 25]
    assert sorted(told) == list(range(6))
    told.clear()
    with pytest.raises(ValueError, match="unlucky"):
        in_turns(slow, range(13, 500), at_once=2, told=told.append)
    assert len(told) < 400


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_raised_waits_for_no_job(error: type[BaseException]) -> None:
    stops: list[threading.Event] = []

    def work(job: int, stop: threading.Event) -> int:
        stops.append(stop)
        return job if job == 0 else stop.wait(20)

    def told(_: int) -> None:
        raise error

    begun = time.monotonic()
    with pytest.raises(error):
        in_turns(work, range(9), at_once=3, told=told)
    assert time.monotonic() - begun < 2
    assert stops[0].is_set(), "who still works is told to stop"
    time.sleep(0.1)
    assert len(stops) <= 4, "no further job is begun"


def asked(*ids: int, more: int = 1) -> Asked:
    return Asked(np.array(ids), np.arange(1, len(ids)), more)


def vllm(*entries: Any) -> Choice:
    return Choice.model_validate({"text": "", "prompt_logprobs": [None, *entries]})


def test_each_tokens_own_entry_is_read_not_the_first() -> None:
    choice = vllm(
        {"9": {"logprob": -0.5, "rank": 1}, "7": {"logprob": -2.0, "rank": 3}},
        {"8": {"logprob": -1.0, "rank": 2}, "3": {"logprob": -1.0, "rank": 1}},
        {"4": {"logprob": None}, "5": {"logprob": -0.25}},
    )
    found = answers.read_prompt_logprobs(None, choice, asked(1, 7, 8, 4))
    assert found is not None
    assert found["token_logprobs"].tolist() == [-2.0, -1.0, -1e4]
    assert found["token_hit"].tolist() == [0, 1, 0], "a tie is a hit"
    assert found["token_top_logprob"].tolist() == [-0.5, -1.0, -0.25]
    assert found["token_top_id"].tolist() == [9, 8, 5]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "no entry for the token at position 1"),
        ({"9": {"logprob": -0.5, "rank": 1}}, "no entry for the token at position 1"),
        ({"7": {"logprob": -0.5, "rank": 4}}, "no entry for the likeliest token at position 1"),
        ({"7": {"logprob": float("nan"), "rank": 1}}, "nan for a log-probability"),
        ({"7": {"logprob": float("inf"), "rank": 1}}, "inf for a log-probability"),
    ],
)
def test_an_answer_that_leaves_something_out_is_not_guessed_at(entry: Any, words: str) -> None:
    with pytest.raises(LackingError, match=words):
        answers.read_prompt_logprobs(None, vllm(entry), asked(1, 7))


def echo(own: list[Any], top: list[Any] | None) -> Choice:
    logprobs = {"token_logprobs": own, "top_logprobs": top}
    return Choice.model_validate({"text": "", "logprobs": logprobs})


def test_an_echo_is_read_by_position() -> None:
    top = [None, {" a": -0.5}, {" b": -3.0, " c": -0.1}, {" d": -4.0}, None]
    choice = echo([None, -0.5, -3.0, float("-inf"), -0.7], top)
    found = answers.read_echo(None, choice, asked(1, 2, 3, 4))
    assert found is not None
    assert found["token_logprobs"].tolist() == [-0.5, -3.0, -1e4]
    assert found["token_hit"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(found["token_top_logprob"], [-0.5, -0.1, -4.0])


@pytest.mark.parametrize("entry", [None, {}])
def test_an_echo_without_a_likeliest_token_is_not_taken_for_a_hit(entry: Any) -> None:
    choice = echo([None, -0.5, -3.0], [None, {" a": -0.5}, entry])
    with pytest.raises(LackingError, match="no entry for the likeliest token at position 2"):
        answers.read_echo(None, choice, asked(1, 2, 3))


def test_an_answer_that_cannot_be_read_is_not_quoted() -> None:
    line = Client(service("https://models.example"))
    told = {"text": "", "logprobs": {"top_logprobs": [{" Oduya": "Oduya"}]}}
    answer = httpx2.Response(200, json={"choices": [told]})
    with pytest.raises(ModelError, match=r"understood: choices\.0\.logprobs\.top_log") as caught:
        checked(line, Completion, answer)
    assert "Oduya" not in str(caught.value)
    line.close()


@pytest.mark.parametrize("length", [2, 3, 5])
def test_an_echo_of_another_length_is_refused(length: int) -> None:
    choice = echo([-1.0] * length, None)
    with pytest.raises(LackingError, match=f"{length} positions of a prompt of 4 tokens"):
        answers.read_echo(None, choice, asked(1, 2, 3, 4, more=0))


def test_a_server_that_overlooks_echo_did_not_answer_in_that_form() -> None:
    assert answers.read_echo(None, echo([-1.0], None), asked(1, 2, 3)) is None
    assert answers.read_echo(None, Choice(text="a"), asked(1, 2, 3)) is None


def test_one_token_is_told_by_its_id_else_by_its_spelling() -> None:
    tokenizer = tiny.tokenizer()
    ids = np.array(tokenizer("the cat sat")["input_ids"])
    true = int(ids[-1])
    spelling = answers.spelled(tokenizer, ids)

    def read(true: int = true, **given: Any) -> dict[str, list[float]]:
        choice = Choice.model_validate({"text": "", "finish_reason": "length", **given})
        asked = Asked(np.array([*ids[:-1], true]), np.array([len(ids) - 1]))
        found = answers.read_next(tokenizer, choice, asked)
        return {name: array.tolist() for name, array in (found or {}).items()}

    assert read(text=spelling) == {"token_hit": [1]}
    assert read(text=spelling + "s") == read(text="") == {"token_hit": [0]}
    for form in (
        {"token_ids": [true]},
        {"logprobs": {"tokens": [f"token_id:{true}"]}},
        {"logprobs": {"content": [{"id": true, "token": "?"}]}},
    ):
        assert read(**form) == {"token_hit": [1], "token_top_id": [true]}
        assert read(**form, true=5) == {"token_hit": [0], "token_top_id": [true]}
    ended = {"text": "", "finish_reason": "stop"}
    assert read(**ended) == {"token_hit": [0], "token_top_id": [tokenizer.eos_token_id]}
    assert read(**ended, true=0) == {"token_hit": [1], "token_top_id": [0]}


def test_pieces_of_a_character_have_one_spelling() -> None:
    tokenizer = tiny.tokenizer()
    ids = np.array(tokenizer("a 😀!")["input_ids"])
    spellings = [answers.spelled(tokenizer, ids[: stop + 1]) for stop in range(1, len(ids))]
    assert spellings[-1] == "!"
    assert set(spellings[-5:-2]) == {"\ufffd"}


def test_a_chat_is_addressed_by_its_whole_path_too() -> None:
    assert service("http://localhost/v1/chat/completions").root == "http://localhost/v1"
