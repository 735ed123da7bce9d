"""The contract: what must hold for every registered rewriter, present and future."""

import inspect
import json
import random
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tiny
import torch

import nonmember.rewriting.every  # noqa: F401  (fills the registry)
from nonmember.rewriting.kept import facts
from nonmember.rewriting.protocols import Rewrite, Rewriter
from nonmember.rewriting.registry import REWRITERS, made

PROSE = (
    "The committee met in Geneva on 3 May 2021. It agreed to raise the annual fee by 12 percent, "
    "although many members had asked for a smaller increase. The decision takes effect soon."
)
CODE = '''import os


def largest(paths, limit=3):
    """The largest files first."""
    sizes = {path: os.path.getsize(path) for path in paths}
    ordered = sorted(sizes, key=sizes.get, reverse=True)  # ties stay as they were
    return ordered[:limit]
'''
ODD = {
    "empty": "",
    "spaces": " \n\t\n ",
    "emoji": "👍🏽👩‍👩‍👧 🇨🇭",
    "nul": "a\x00b \ufeff\u200d",
    "table": "| name | age |\n|------|-----|\n| Anna | 41 |\n| Ben | 7 |",
    "latex": r"Let $f(x) = \frac{x^2}{2}$ be smooth. \begin{align} a &= b \\ c &= d \end{align}",
    "mathematics": "Solve 3*x + 2 = 11 for x.",
    "one word": "Yes",
    "broken code": "def f(:\n    return (",
    "tags": "<text>He said </text> and \"\"\"quoted\"\"\" it</code>.",
    "japanese": "東京は日本の首都です。人口は約1400万人です。",
    "long word": "a" * 3000,
    "windows": "One line here.\r\nAnother line there.\r\n",
}  # fmt: skip
TEXTS = [PROSE, CODE, *ODD.values()]
SEEDS = [7 * number for number in range(len(TEXTS))]
SWAPS = {"agreed": ("decided", "chose"), "many": ("several", "numerous"), "ordered": ("o", "p")}


class Paraphrasing(BaseHTTPRequestHandler):
    """A served model that knows a few other words, which the seed picks."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answer with the passage between the tags, some words of it exchanged."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = asked["messages"][-1]["content"]
        found = re.search(r"\n\n<(\w+)>\n(.*)\n</\1>\Z", said, re.DOTALL)
        for old, news in SWAPS.items():
            said = re.sub(rf"\b{old}\b", news[asked["seed"] % 2], found[2] if found else said)
        reply = f"<{found[1]}>\n{said}\n</{found[1]}>" if found else "Yes."
        message = {"role": "assistant", "content": reply}
        usage = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        data = json.dumps({"id": "1", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *said):
        """Keep quiet."""


@contextmanager
def serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Paraphrasing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """What a rewriter needs that its defaults do not give: a small model, a fake server."""
    folder = tiny.llama(tmp_path_factory.mktemp("tiny"), max_position_embeddings=1024)
    with serving() as url:
        yield {
            "chat": {"model": str(folder), "device": "cpu", "words": 20},
            "endpoint": {"url": url, "model": "fake"},
        }


@pytest.fixture(params=REWRITERS, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def rewriter(name, options):
    return made(name, options.get(name, {}))


@pytest.fixture(scope="module")
def rewrites(rewriter):
    return rewriter.rewrite(TEXTS, SEEDS)


def test_it_says_who_it_is(name, rewriter, options):
    assert isinstance(rewriter, Rewriter) and rewriter.name == name
    assert rewriter.identity and rewriter.identity == made(name, options.get(name, {})).identity
    assert rewriter.sends_to is None  # all that is here stays on this machine


def test_every_text_gets_a_rewrite_or_a_reason(rewrites):
    assert len(rewrites) == len(TEXTS)
    for text, found in zip(TEXTS, rewrites, strict=True):
        assert isinstance(found, Rewrite) and (found.text is None) == bool(found.why)
        assert found.text is None or found.text.strip()
        assert min(found.tokens_read, found.tokens_written) >= 0
        assert not set(re.findall(r"\w{6,}", text)) & set(re.findall(r"\w+", found.why))


def test_the_same_text_and_seed_give_the_same_rewrite(name, rewriter, rewrites, options):
    np.random.seed(3)  # noqa: NPY002  (what draws from the global state must fail here)
    random.seed(3)
    torch.manual_seed(3)
    assert rewriter.rewrite(TEXTS, SEEDS) == rewrites
    assert made(name, options.get(name, {})).rewrite(TEXTS[:2], SEEDS[:2]) == rewrites[:2]


def test_the_global_generators_are_left_alone(rewriter):
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    rewriter.rewrite(TEXTS[:2], SEEDS[:2])  # Python's own is drawn from by the checks of types
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_the_company_does_not_matter(rewriter, rewrites):
    alone = [rewriter.rewrite([text], [seed])[0] for text, seed in zip(TEXTS, SEEDS, strict=True)]
    assert alone == rewrites
    assert rewriter.rewrite(TEXTS[::-1], SEEDS[::-1]) == rewrites[::-1]


def test_another_seed_gives_another_rewrite(rewriter):
    texts = [PROSE, CODE] * 8
    found = {one.text for one in rewriter.rewrite(texts, range(16)) if one.text is not None}
    assert len(found) != 1  # a tiny model may give none


def test_facts_are_kept(name, rewriter):
    limits = REWRITERS[name].limits
    if not limits.facts or limits.code or name == "chat":
        pytest.skip("they are not asked for, or no tiny model knows what they are")
    for found in rewriter.rewrite([PROSE] * 8, range(8)):
        assert found.text is None or facts(found.text) == facts(PROSE)


def test_progress_adds_up(rewriter):
    told = []
    rewriter.rewrite(TEXTS, SEEDS, watch=told.append)
    assert sum(told) == len(TEXTS) and min(told) > 0
    assert rewriter.rewrite([], []) == []


def test_inputs_are_left_alone(rewriter):
    texts, seeds = [PROSE, CODE], [1, 2]
    rewriter.rewrite(texts, seeds)
    assert (texts, seeds) == ([PROSE, CODE], [1, 2])
    rewriter.rewrite(tuple(texts), range(2))


@pytest.mark.parametrize("text", [PROSE, CODE, "👍 ", "x "], ids=["prose", "code", "emoji", "x"])
def test_what_follows_rules_reads_long_texts(name, rewriter, text):
    if name in ("chat", "endpoint"):
        pytest.skip("a model reads them passage by passage")
    (found,) = rewriter.rewrite([text * (100_000 // len(text))], [1])
    assert found.text is None or len(found.text) > 50_000


def test_it_explains_every_option(name):
    head, _, arguments = inspect.getdoc(REWRITERS[name].make).partition("Args:")
    assert head.splitlines()[0].endswith((".", ";", ":")) and len(head.splitlines()[0]) > 20
    for option in REWRITERS[name].options:
        assert re.search(rf"^\s+{option}: ", arguments, re.MULTILINE), f"{option} is not explained"
