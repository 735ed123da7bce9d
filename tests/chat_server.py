"""A served model that chats, without a model: it does what the passage asks for.

Addresses are /MODE/v1/chat/completions. The mode is how the server treats every request; how
it answers a single one is decided by a word of the passage in it, see ``SAID``.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 1.5  # seconds that the slow answer takes
SAID: dict[str, Any] = {
    "refuses": "I'm sorry, but I can't help with that.",
    "declines": None,
    "silent": "",
    "bare": "other words",
    "chatty": "Sure! Here is the rewritten text: other words",
    "open": "<text>other",
    "twice": "<text>one</text> or <text>another</text>",
}
"""Word in a passage -> what is said then."""

TAKEN = {
    "mistral": {"model", "messages", "max_tokens", "temperature", "random_seed"},
    "openai": {"model", "messages", "max_completion_tokens", "temperature", "seed"},
    "old": {"model", "messages", "max_tokens", "temperature"},
}
"""Settings that these modes take; the others overlook what they do not know."""


def passage(question: str) -> str:
    """What stands between the tags of a question; of any other, nothing."""
    return question.rpartition("\n\n<text>\n")[2].removesuffix("\n</text>")


def chat(body: dict[str, Any]) -> dict[str, Any]:
    """The answer: the words in reverse order with the seed behind them, if not told otherwise."""
    question = body["messages"][-1]["content"]
    old = passage(question)
    own = f"<text>{' '.join(reversed(old.split()))} {body.get('seed')}</text>"
    said = {**SAID, "copies": f"<text>{old}</text>", "parrots": question, "cut": own[:-9]}
    content = next((said[word] for word in said if word in old), own)
    message = {"role": "assistant", "content": content}
    if "declines" in old:
        message["refusal"] = "I cannot do that."
    choice = {"message": message, "finish_reason": "length" if "cut" in old else "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    whole = {"choices": [choice], "usage": usage}
    if "choiceless" in old:
        del whole["choices"]
    return whole if "uncounted" not in old else {"choices": [choice]}


class Answering(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    seen: defaultdict[str, list[dict[str, Any]]]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        mode = self.path.strip("/").split("/")[0]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen[mode].append(body)
        assert self.path.endswith("/v1/chat/completions")
        question = body["messages"][-1]["content"]
        if self.failed(mode, question) or self.refused(mode, body):
            return
        if "slow" in passage(question):
            time.sleep(PATIENCE)
        self.reply(200, "{" if "garbled" in passage(question) else json.dumps(chat(body)))

    def failed(self, mode: str, question: str) -> bool:
        codes = {"down": 503, "locked": 401, "missing": 404}
        if mode in codes:
            self.reply(codes[mode], json.dumps({"error": {"message": f"no: {question}"}}))
        elif mode == "html":
            self.reply(200, "<html></html>", "text/html")
        elif "breaks" in passage(question):
            self.reply(503, json.dumps({"error": "overloaded"}))
        elif "hangs up" in passage(question):
            self.close_connection = True
        elif "filtered" in passage(question):
            self.reply(400, json.dumps({"error": {"message": f"not this: {question}"}}))
        else:
            return False
        return True

    def refused(self, mode: str, body: dict[str, Any]) -> bool:
        strange = sorted(set(body) - TAKEN.get(mode, set(body)))
        if strange:
            self.reply(422, json.dumps({"detail": f"unknown: {strange[0]}"}))
        return bool(strange)

    def reply(self, status: int, text: str, kind: str = "application/json") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    """One that says nothing of clients that did not wait for it."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
    """A server in a thread: its address without mode, and what each mode was asked so far."""
    seen: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    with Server(("127.0.0.1", 0), type("Bound", (Answering,), {"seen": seen})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
