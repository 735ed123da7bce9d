"""A served model is asked for rewrites: never without leave, and no failure goes untold."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import chat_server
import pytest

from nonmember.errors import ModelError, SpecError
from nonmember.models.endpoint import client
from nonmember.models.endpoint.conversation import PROBE
from nonmember.rewriting import endpoint as module
from nonmember.rewriting import passages, prompts
from nonmember.rewriting.endpoint import Endpoint, endpoint
from nonmember.rewriting.protocols import Rewrite, Rewriter
from nonmember.rewriting.registry import REWRITERS

SECRET = "Jo of Leeds has measles"
SEED = 12345

Made = Callable[..., Endpoint]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACKOFF", 0.01)
    for name in ("NONMEMBER_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    with chat_server.serving() as found:
        yield found


@pytest.fixture
def made(server: tuple[str, Any]) -> Made:
    def connected(mode: str = "plain", **options: Any) -> Endpoint:
        found = endpoint(url=f"{server[0]}/{mode}/v1", model="tiny", **options)
        assert isinstance(found, Endpoint)
        return found

    return connected


@pytest.fixture
def seen(server: tuple[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return server[1]  # type: ignore[no-any-return]


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens one, or asks for an address, fails."""

    def opened(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, opened)


def test_it_is_a_rewriter_and_registered(made: Made) -> None:
    assert isinstance(made(), Rewriter)
    assert made().name == "endpoint"
    assert REWRITERS["endpoint"].make is endpoint
    assert REWRITERS["endpoint"].limits.containment == 0.30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "https://models.example/v1"}, "models.example.*sent there.*'m'.*allow_upload = t"),
        ({"url": "http://10.0.0.7/v1", "insecure": True}, "10.0.0.7/v1 is not this machine.*allow"),
        ({"url": "http://127.0.0.1.models.example"}, "is not this machine.*allow_upload"),
        ({"url": "http://models.example", "allow_upload": True}, "unencrypted.*insecure = true"),
        ({"url": "http://127.0.0.1:1/v1", "model": ""}, "no model .* named; set model"),
        ({"url": "models.example"}, "no http or https address"),
        ({"url": "https://jo:hunter2@models.example"}, "with a password"),
    ],
)
def test_nothing_leaves_the_machine_without_leave(
    no_socket: None, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        endpoint(**{"model": "m", **options})
    assert "hunter2" not in str(caught.value)


def test_no_socket_is_opened_before_the_first_text(no_socket: None) -> None:
    far = endpoint(url="https://models.example/v1", model="m", allow_upload=True)
    assert far.sends_to == "https://models.example/v1"
    assert far.identity
    assert far.rewrite([], []) == []
    near = endpoint(model="m")
    assert near.sends_to is None
    with pytest.raises(AssertionError, match="a socket"):
        near.rewrite([SECRET], [0])


def test_it_asks_in_the_words_of_the_prompt_with_a_seed(
    made: Made, seen: dict[str, list[dict[str, Any]]]
) -> None:
    told: list[int] = []
    rewriter = made(temperature=0.5)
    found = rewriter.rewrite(["one two", "three four"], [SEED, SEED + 1], watch=told.append)
    again = rewriter.rewrite(["three four"], [SEED + 1])
    assert told == [1, 1]
    assert found[1] == again[0]
    assert found[0].text is not None
    assert found[0].text.startswith("two one ")
    assert (found[0].tokens_read, found[0].tokens_written) == (100, 10)
    probe, *asked = seen["plain"]
    assert probe["messages"] == [{"role": "user", "content": PROBE}], "nothing private, and once"
    questions = [one["messages"] for one in asked]
    for text in ("one two", "three four"):
        assert [{"role": "user", "content": prompts.question(text, "prose")}] in questions
    assert {one["temperature"] for one in asked} == {0.5}
    assert all(0 <= one["seed"] < 2**31 for one in asked)
    assert len({one["seed"] for one in asked}) == 2
    assert {one["model"] for one in asked} == {"tiny"}
    code = made(kind="code").rewrite(["one two"], [0])
    assert code[0].text is None, "the server knows no code tags"
    assert prompts.question("one two", "code") == seen["plain"][-1]["messages"][0]["content"]


@pytest.mark.parametrize("mode", chat_server.TAKEN)
def test_servers_that_refuse_a_setting_are_asked_without_it(
    made: Made, seen: dict[str, list[dict[str, Any]]], mode: str
) -> None:
    found = made(mode).rewrite(["one two"], [SEED])
    assert found[0].text is not None
    private = [one for one in seen[mode] if one["messages"][0]["content"] != PROBE]
    assert [set(one) for one in private] == [chat_server.TAKEN[mode]]


def test_long_texts_are_rewritten_passage_by_passage(
    made: Made, seen: dict[str, list[dict[str, Any]]]
) -> None:
    found = made(words=2).rewrite([" one two.\n\nthree four.\n"], [SEED])[0]
    seeds = [one["seed"] for one in seen["plain"][1:]]
    assert found == (f" two. one {seeds[0]}\n\nfour. three {seeds[1]}\n", "", 200, 20)
    assert seeds[0] != seeds[1]
    failed = made(words=2).rewrite(["it refuses. three four."], [SEED])
    assert failed == [(None, prompts.REFUSED, 100, 10)]
    assert "three" not in str(seen["plain"][3:]), "no more is sent than has to be"
    late = made(words=2).rewrite(["three four. it breaks."], [SEED])
    assert late == [(None, module.FAILED, 0, 0)], "what may yet pass counts no answer"


FAILURES = {
    "refuses": prompts.REFUSED,
    "declines": prompts.REFUSED,
    "silent": prompts.EMPTY,
    "chatty": prompts.CHAT,
    "open": prompts.UNBALANCED,
    "twice": prompts.SEVERAL,
    "cut": prompts.CUT,
    "copies": prompts.COPIED,
    "parrots": prompts.COPIED,
    "choiceless": module.NOTHING,
    "garbled": module.FAILED,
    "breaks": module.FAILED,
    "hangs up": module.FAILED,
    "filtered": module.DECLINED,
    "slow": module.LATE,
}


def test_each_failure_is_told_of_its_record_alone(made: Made) -> None:
    texts = [f"{SECRET} and {word}" for word in FAILURES]
    found = made(timeout=0.4, at_once=16).rewrite([*texts, "one two"], list(range(len(texts) + 1)))
    assert dict(zip(FAILURES, (one.why for one in found), strict=False)) == FAILURES
    assert {one.text for one in found[:-1]} == {None}
    assert found[-1].text is not None
    assert found[-1].text.startswith("two one")


def test_servers_that_count_no_tokens_and_set_no_tags_are_understood(made: Made) -> None:
    found = made().rewrite(["it is bare", "it is uncounted", "1 2 3"], [0, 1, 2])
    assert found[0] == ("other words", "", 100, 10)
    assert found[1].tokens_read == found[1].tokens_written == 0
    assert found[2] == Rewrite(None, passages.NOTHING)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("locked", "401.*NONMEMBER_API_KEY"),
        ("missing", "404.*check the address"),
        ("down", "503.*server's log"),
        ("html", "text/html instead of JSON"),
    ],
)
def test_a_server_that_cannot_be_asked_is_an_error_before_any_text_is_sent(
    made: Made, seen: dict[str, list[dict[str, Any]]], mode: str, words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        made(mode).rewrite([SECRET], [0])
    assert "Jo" not in str(caught.value)
    assert {one["messages"][0]["content"] for one in seen[mode]} == {PROBE}


def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=r"no answer after 3 tries.*start the server"):
            endpoint(url=url, model="m").rewrite([SECRET], [0])


def test_a_server_that_goes_away_is_an_error() -> None:
    with chat_server.serving() as (url, _):
        gone = endpoint(url=f"{url}/plain/v1", model="m")
        assert gone.rewrite(["one two"], [0])[0].text
    with pytest.raises(ModelError, match="no answer after 3 tries") as caught:
        gone.rewrite([SECRET] * 3, [0, 1, 2])
    assert "Jo" not in str(caught.value)


def test_identity_holds_all_that_decides_the_answers(made: Made) -> None:
    options = {"url": "http://[::1]/v1", "model": "other", "temperature": 0.1, "words": 10}
    plain = made()
    others = [replace(plain, **{name: value}) for name, value in options.items()]
    found = {one.identity for one in (plain, replace(plain, kind="code"), *others)}
    assert len(found) == 6
    assert replace(plain, at_once=1, per_second=2.0, timeout=1.0).identity == plain.identity
