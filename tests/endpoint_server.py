"""A small model behind an OpenAI-compatible API, in a process of its own; some modes misbehave.

    python tests/endpoint_server.py --model FOLDER --mode vllm --port 0

prints its port and serves until its standard input ends. Addresses are /v1/completions and
/v1/models in the mode of the command line, /MODE/v1/... in any other; /seen/MODE tells what
was asked of a mode so far.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CREATED = 1_700_000_000
MODES = {
    "vllm": "log-probabilities of the prompt under each token's id",
    "shuffled": "the same; answers in another order and at uneven speed",
    "single": "the same for one prompt a request",
    "echo": "the prompt written again with log-probabilities; refuses settings it does not know",
    "echo-one": "the same; something must be written after the prompt",
    "plain": "the same without the likeliest token",
    "bos": "the same with a token of its own before each prompt",
    "label": "what is written next, by its text; refuses settings it does not know",
    "label-ids": "the same by its id; overlooks settings it does not know",
    "label-500": "the same; breaks when asked for more",
    "text": "takes no token ids",
    "short": "prompt_logprobs of nothing but the first token",
    "lost": "prompt_logprobs that lack the prompt's own tokens",
    "zeros": "prompt_logprobs that are all 0",
    "foreign": "another tokenizer",
    "narrow": "fails at long prompts, quoting them",
    "flaky": "fails, hangs up and answers in turn",
    "slow-429": "asks for a second's patience, twice",
    "stern-429": "asks for an hour's patience",
    "stuck": "answers four requests, then keeps all others waiting",
    "down": "fails always",
    "html": "a web page",
    "moved": "points to another address",
    "broken": "half an answer",
    "empty": "an answer without choices",
    "locked": "wants another key, and quotes the one it got",
}
ECHOES = ("echo", "echo-one", "plain", "bos")
KNOWN = {
    "model", "prompt", "max_tokens", "temperature", "top_p", "logprobs", "echo", "seed",
}  # fmt: skip


class RefusalError(Exception):
    """An HTTP error: its status and message."""


@dataclass
class Speaker:
    """The model, asked one prompt at a time."""

    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        self.torch = torch
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        self.network = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=torch.float32, local_files_only=True
        ).eval()
        self.context = self.network.config.max_position_embeddings

    def logs(self, ids: list[int]) -> Any:
        """Log-probabilities (t v) of what follows each token."""
        with self.lock, self.torch.inference_mode():
            return self.network(self.torch.tensor([ids])).logits[0].log_softmax(dim=1)

    def write(self, ids: list[int], body: dict[str, Any]) -> list[int]:
        """Continuation of a prompt, its end token included."""
        written: list[int] = []
        draw = self.torch.Generator().manual_seed(body.get("seed", 0))
        while len(written) < body.get("max_tokens", 16) and 2 not in written:
            logs = self.logs(ids + written)[-1]
            if body.get("temperature", 1.0) == 0:
                written.append(int(logs.argmax()))
                continue
            values, order = (logs / body["temperature"]).topk(body.get("top_k", len(logs)))
            place = self.torch.multinomial(values.softmax(dim=0), 1, generator=draw)
            written.append(int(order[place]))
        return written

    def spell(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def choice(speaker: Speaker, mode: str, ids: list[int], body: dict[str, Any]) -> dict[str, Any]:
    """The answer to one prompt."""
    written = speaker.write(ids, body)
    ended = 2 in written
    found: dict[str, Any] = {
        "text": speaker.spell([one for one in written if one != 2]),
        "finish_reason": "stop" if ended else "length",
        "logprobs": None,
    }
    if mode in ECHOES and body.get("echo"):
        found["text"] = speaker.spell(ids) + found["text"]
        found["logprobs"] = legacy(speaker, mode, ids + written)
    elif "logprobs" in body and mode in ("label-ids", "label-500"):
        found["logprobs"] = {"content": [{"id": i, "token": speaker.spell([i])} for i in written]}
    if body.get("return_token_ids"):
        found["token_ids"] = written
    if "prompt_logprobs" in body and mode not in ("label-ids", *ECHOES):
        found["prompt_logprobs"] = prompt_logprobs(speaker, mode, ids)
    return found


def prompt_logprobs(speaker: Speaker, mode: str, ids: list[int]) -> list[Any]:
    if mode == "short":
        return [None]
    out: list[Any] = [None]
    for row, true in zip(speaker.logs(ids), ids[1:], strict=False):
        top = int(row.argmax())
        listed = [top] if mode == "lost" else [true, top]  # the true one first, as vLLM does
        out.append(
            {
                str(one): {
                    "logprob": 0.0 if mode == "zeros" else float(row[one]),
                    "rank": int((row >= row[one]).sum()),
                    "decoded_token": speaker.spell([one + (mode == "foreign")]),
                }
                for one in listed
            }
        )
    return out


def legacy(speaker: Speaker, mode: str, ids: list[int]) -> dict[str, Any]:
    """The true token is not the first of its dictionary, and may be missing there."""
    before = [0, *ids] if mode == "bos" else ids
    logs = speaker.logs(before)
    own = [None, *(float(row[one]) for row, one in zip(logs, before[1:], strict=False))]
    top: list[Any] = [
        None,
        *({speaker.spell([int(row.argmax())]): float(row.max())} for row in logs[:-1]),
    ]
    tokens = [speaker.spell([one]) for one in before]
    return {
        "tokens": tokens,
        "token_logprobs": own,
        "top_logprobs": None if mode == "plain" else top,
    }


def check(speaker: Speaker, mode: str, body: dict[str, Any], prompts: list[Any]) -> None:
    """Refuse what the mode does not take."""
    strict = mode in (*ECHOES, "label", "text")
    strange = sorted(set(body) - KNOWN)
    longest = max(prompts, key=len)
    refused = {
        f"unknown setting {strange[:1]}": strict and strange,
        f"prompt must be text, not {prompts}": mode == "text" and not isinstance(prompts[0], str),
        "echo is not served": mode in ("label", "text") and body.get("echo"),
        "logprobs are not served": mode == "text" and "logprobs" in body,
        "max_tokens must be at least 1": mode == "echo-one" and body["max_tokens"] == 0,
        "one prompt a request": mode in ("single", "echo-one") and len(prompts) > 1,
    }
    for message in (message for message, holds in refused.items() if holds):
        raise RefusalError(400, message)
    if mode == "label-500" and ("prompt_logprobs" in body or body.get("echo")):
        raise RefusalError(500, "2326")
    if mode == "narrow" and len(longest) > 40:
        raise RefusalError(400, f"too long: {longest} or {speaker.spell(longest)}")


@dataclass
class Desk:
    """What all requests share: the model, and notes of what was asked."""

    speaker: Speaker
    mode: str
    seen: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, mode: str, **amounts: int) -> int:
        """Count; returns the number of requests before."""
        with self.lock:
            notes = self.seen[mode]
            before = notes["requests"]
            notes.update(amounts)
            notes["most"] = max(notes["most"], notes["now"])
            return before

    def answer(self, mode: str, body: dict[str, Any]) -> dict[str, Any]:
        given = body["prompt"]
        several = isinstance(given, list) and not isinstance(given[0], int)
        prompts = given if several else [given]
        check(self.speaker, mode, body, prompts)
        self.note(mode, prompts=len(prompts))
        ids = [
            self.speaker.tokenizer(one)["input_ids"] if isinstance(one, str) else one
            for one in prompts
        ]
        choices = [
            {"index": place, **choice(self.speaker, mode, one, body)}
            for place, one in enumerate(ids)
        ]
        choices = choices[::-1] if mode == "shuffled" else choices
        usage = {"prompt_tokens": sum(map(len, ids))}
        return {"object": "text_completion", "choices": choices, "usage": usage}


class Answering(BaseHTTPRequestHandler):
    """One request."""

    desk: Desk
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = self.path.strip("/").split("/")
        if parts[0] == "seen":
            self.reply(200, dict(self.desk.seen[parts[1]]))
        elif parts[-1] == "models" and not self.astray(self.mode()):
            card = {"id": "tiny", "object": "model", "root": str(self.desk.speaker.folder)}
            now = self.mode() in ("vllm", "flaky")
            card["created"] = int(time.time()) if now else CREATED  # type: ignore[assignment]
            card["max_model_len"] = self.desk.speaker.context
            self.reply(200, {"object": "list", "data": [card]})

    def do_POST(self) -> None:
        mode = self.mode()
        size = int(self.headers["content-length"])
        body = json.loads(self.rfile.read(size))
        before = self.desk.note(mode, requests=1, now=1)
        try:
            if self.astray(mode) or self.failed(mode, before):
                return
            if mode == "stuck" and before >= 4:
                time.sleep(20)
            if mode == "shuffled":
                time.sleep(0.05 if before % 2 else 0.0)
            self.reply(200, self.desk.answer(mode, body))
        except RefusalError as refusal:
            self.reply(refusal.args[0], {"error": {"message": refusal.args[1]}})
        finally:
            self.desk.note(mode, now=-1)

    def mode(self) -> str:
        first = self.path.strip("/").split("/")[0]
        return first if first in MODES else self.desk.mode

    def failed(self, mode: str, before: int) -> bool:
        """Fail as the mode does; ``before`` requests came already."""
        if mode == "down" or (mode == "flaky" and before % 3 == 0):
            self.reply(503, {"error": "overloaded"})
        elif mode == "flaky" and before % 3 == 1:
            self.close_connection = True
        elif mode == "slow-429" and before < 2:
            self.reply(429, {"detail": "slowly"}, {"Retry-After": "1"})
        elif mode == "stern-429":
            self.reply(429, {"detail": "slowly"}, {"Retry-After": "3600"})
        else:
            return False
        return True

    def astray(self, mode: str) -> bool:
        """Answer what is no API's answer."""
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        if mode == "html":
            self.raw(200, "text/html; charset=utf-8", "<html>Welcome</html>", {})
        elif mode == "broken":
            self.raw(200, "application/json", '{"choices": [{"te', {})
        elif mode == "empty" and self.command == "POST":
            self.reply(200, {"object": "text_completion"})
        elif mode == "moved":
            self.reply(307, {}, {"Location": "/vllm/v1/completions"})
        elif mode == "locked":
            self.reply(401, {"error": {"message": f"no such key: {key}\n\x1b[1mgo"}})
        else:
            return False
        return True

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.raw(status, "application/json", json.dumps(body), headers or {})

    def raw(self, status: int, kind: str, text: str, headers: dict[str, str]) -> None:
        data = text.encode()
        self.send_response(status)
        more = {"Content-Type": kind, "Content-Length": str(len(data))}
        for name, value in {**more, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serving(model: Path, mode: str = "vllm") -> Iterator[str]:
    """A server in a process of its own, by its address without /v1; gone afterwards."""
    command = [sys.executable, __file__, "--model", str(model), "--mode", mode, "--port", "0"]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--mode", choices=sorted(MODES), default="vllm")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    Answering.desk = Desk(Speaker(given.model), given.mode)
    server = ThreadingHTTPServer(("127.0.0.1", given.port), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
