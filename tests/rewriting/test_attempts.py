"""The loop that tries until the gates are passed, with rewriters that do as they are told."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from nonmember.data.records import Completion, Message, Record
from nonmember.data.texts import digests
from nonmember.errors import RunError
from nonmember.rewriting.attempts import BLOCK, Outcome, Tools, accepted, seed_of
from nonmember.rewriting.cache import Cache
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewrite, Rewriter

OPEN = Limits(0.0, math.inf, 1.0, 999, -1.0, None, facts=False)
SECRET = "a secret"


@dataclass
class Fake:
    """Says what a function of text and seed says, and writes down what it was asked."""

    say: object
    name: str = "fake"
    identity: str = "fake 1"
    sends_to: None = None
    asked: list = field(default_factory=list)

    def rewrite(self, texts, seeds, *, watch=None):
        self.asked += zip(texts, seeds, strict=True)
        return [self.say(*one) for one in zip(texts, seeds, strict=True)]


def attempt_of(text, seed):
    return next(k for k in range(9) if seed_of(SECRET, text, k) == seed)


def seeded(text, seed):
    return Rewrite(f"{text} {seed}", "", 3, 2)


def better_each_time(text, seed):
    """A rewrite of as many words as the attempt's number, from 0."""
    return Rewrite("word " * attempt_of(text, seed), "", 3, 2)


def run(contents, say, limits=OPEN, **options):
    return accepted(contents, Fake(say), limits, secret=SECRET, **options)


def test_the_fake_is_a_rewriter():
    assert isinstance(Fake(seeded), Rewriter)


def test_seeds_depend_on_secret_text_and_attempt():
    asks = [("s", "a", 0), ("t", "a", 0), ("s", "b", 0), ("s", "a", 1), ("", "a", 0), ("s", "", 0)]
    seeds = [seed_of(*ask) for ask in asks]
    assert len({*seeds}) == len(asks) and all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of("s", "a", 0) == 6103620926146814647


def test_the_first_that_passes_is_taken():
    (found,) = run(["one two three four"], better_each_time, replace(OPEN, shortest=0.7))
    assert found.content == "word " * 3 and found.attempts == 4 and found.failed == ()
    assert found.measures.length == 0.75
    assert (found.tokens_read, found.tokens_written, found.why) == (12, 8, "")


def test_what_never_passes_says_which_gates_it_failed():
    limits = replace(OPEN, shortest=0.9)
    (found,) = run(["one two three four"], better_each_time, limits, attempts=3)
    assert found.content is None and found.attempts == 3 and found.failed == ("length",)
    assert found.measures.length == 0.5 and (found.tokens_read, found.tokens_written) == (9, 6)


def test_the_text_itself_is_no_rewrite():
    (found,) = run(["some words"], lambda text, _: Rewrite(f" {text}\n"), attempts=2)
    assert found.failed == ("changed",) and found.content is None


def test_what_cannot_be_rewritten_says_why():
    (found,) = run(["2 + 2"], lambda *_: Rewrite(None, "nothing in it may change"), attempts=2)
    assert found == Outcome(None, 2, why="nothing in it may change")


@pytest.mark.parametrize(
    "content", ["", " \n", "👍", (Message("user", "hi"),), Completion("q", "")]
)
def test_what_has_no_words_is_never_asked_about(content):
    fake = Fake(seeded)
    (found,) = accepted([content], fake, OPEN, secret=SECRET)
    assert found == Outcome(why="there are no words in it") and fake.asked == []


def test_no_attempts_and_no_records():
    assert run([], seeded) == []
    assert run(["a b"], seeded, attempts=0) == [Outcome()]


def test_only_what_is_trained_on_is_rewritten():
    chat = (
        Message("system", "be brief"),
        Message("user", "how many are there"),
        Message("assistant", "there are seven of them"),
        Message("user", "thanks a lot"),
        Message("assistant", "you are very welcome"),
    )
    contents = ["a plain text", Completion("a prompt", " its answer"), chat]
    found = run(contents, lambda text, _: Rewrite(text.upper() + "!"))
    assert [one.content for one in found] == [
        "A PLAIN TEXT!",
        Completion("a prompt", " ITS ANSWER!"),
        tuple(
            turn._replace(content=turn.content.upper() + "!") if turn.role == "assistant" else turn
            for turn in chat
        ),
    ]


def test_turns_have_seeds_of_their_own_and_are_judged_as_one():
    chat = (Message("assistant", "one two three four"), Message("assistant", "five"))
    fake = Fake(lambda text, _: Rewrite(text.replace("five", "six seven eight")))
    (found,) = accepted([chat], fake, replace(OPEN, longest=1.4), secret=SECRET, attempts=1)
    assert found.measures.length == 1.4 and found.content[1].content == "six seven eight"
    assert fake.asked == [(t.content, seed_of(SECRET, t.content, 0)) for t in chat]


def test_a_short_turn_that_is_left_alone_stays():
    def say(text, _):
        return Rewrite(None, "fixed") if text == "42." else Rewrite("new words instead")

    long = Message("assistant", "the old words here")
    found = run([(long, Message("assistant", "42.")), (Message("assistant", "42."),)], say)
    assert [one.content for one in found[0].content] == ["new words instead", "42."]
    assert found[1].content is None and found[1].why == "fixed"
    (both,) = run([(long, Message("assistant", "👍"))], lambda *_: Rewrite(None, "timed out"))
    assert both.content is None and both.why == "timed out"


def test_only_the_rejected_are_tried_again():
    def say(text, seed):
        return Rewrite(text + " new" if text != "b b" or attempt_of(text, seed) else text)

    fake = Fake(say)
    found = accepted(["a a", "b b", "c c"], fake, OPEN, secret=SECRET)
    assert [text for text, _ in fake.asked] == ["a a", "b b", "c c", "b b"]
    assert [one.attempts for one in found] == [1, 2, 1]


def test_no_two_rewrites_are_alike_and_none_is_a_record():
    raw = digests([Record("", "word word")])
    found = run(["x y", "x z"], better_each_time, tools=Tools(taken={*raw.tolist()}), attempts=5)
    assert [one.content for one in found] == ["word ", "word word word "]
    assert [one.attempts for one in found] == [2, 4]
    (last,) = run(["x y"], lambda *_: Rewrite("word  word"), tools=Tools(taken={raw[0].tobytes()}))
    assert last.failed == ("collision",) and last.content is None and last.measures.changed


def test_the_callers_digests_are_left_alone():
    taken = set()
    run(["a b"], seeded, tools=Tools(taken=taken))
    assert taken == set()


def test_outcomes_depend_on_the_content_and_not_on_its_company():
    contents = [f"text number {number}" for number in range(3 * BLOCK + 5)]
    together = run(contents, seeded)
    assert together[::-1] == run(contents[::-1], seeded)
    assert together[40] == run(contents[40:41], seeded)[0]
    assert run(contents, seeded) == together
    assert accepted(contents, Fake(seeded), OPEN, secret="other") != together


def test_equal_contents_end_with_rewrites_of_their_own():
    found = run(["a b", "a b"], seeded)
    assert [one.attempts for one in found] == [1, 2]
    assert found[0].content != found[1].content


def test_every_settled_record_is_told_of_once():
    contents = ["", *(f"a b {number}" for number in range(80)), "never it"]

    def say(text, seed):
        return Rewrite(text if text == "never it" else f"{text} {seed}")

    told = []
    run(contents, say, watch=told.append, attempts=2)
    assert sum(told) == len(contents) and told[0] == 1 and told[1] == BLOCK


def test_models_are_asked_where_they_are_given():
    limits = replace(OPEN, similarity=0.5, fluency=2.0)

    def embed(texts):
        return np.array([[1.0, float(len(text) > 9)] for text in texts])

    def nats(texts):
        return np.array([float(len(text)) for text in texts])

    found = run(
        ["a b", "b a"],
        lambda text, _: Rewrite(text + " c d" if text == "a b" else text + " c d e f"),
        limits,
        tools=Tools(embed, nats),
        attempts=1,
    )
    assert [one.failed for one in found] == [("fluency",), ("fluency",)]
    assert found[0].measures.similarity == 1 and found[0].measures.fluency == 7 / 3
    assert found[1].measures.similarity == pytest.approx(1 / math.sqrt(2))


def test_what_the_cache_knows_is_not_made_again(tmp_path):
    tools = Tools(cache=Cache(tmp_path / "rewrites"))
    contents = [f"text number {number}" for number in range(BLOCK + 9)]
    limits = replace(OPEN, run=2)  # never met: every attempt is made
    first = run(contents, seeded, limits, tools=tools)
    silent = Fake(lambda *_: pytest.fail("asked again"))
    assert accepted(contents, silent, limits, secret=SECRET, tools=tools) == first
    for other in (Fake(seeded, identity="fake 2"), Fake(seeded)):
        secret = SECRET if other.identity == "fake 2" else "other"
        accepted(contents, other, OPEN, secret=secret, tools=tools)
        assert len(other.asked) == len(contents)


def test_an_interruption_costs_no_more_than_a_block(tmp_path):
    tools = Tools(cache=Cache(tmp_path / "rewrites"))
    contents = [f"text number {number}" for number in range(3 * BLOCK)]

    def interrupted(text, seed):
        if text == contents[2 * BLOCK + 1]:
            raise KeyboardInterrupt
        return seeded(text, seed)

    with pytest.raises(KeyboardInterrupt):
        run(contents, interrupted, tools=tools)
    fake = Fake(seeded)
    found = accepted(contents, fake, OPEN, secret=SECRET, tools=tools)
    assert len(fake.asked) == BLOCK and found == run(contents, seeded)


def test_failures_are_kept_if_a_model_wrote_for_them(tmp_path):
    answers = {"a b": Rewrite(None, "no tags", 5, 6), "c d": Rewrite(None, "timed out", 5, 0)}
    tools = Tools(cache=Cache(tmp_path / "rewrites"))
    for expected in (["a b", "c d"], ["c d"]):
        fake = Fake(lambda text, _: answers[text])
        found = accepted([*answers], fake, OPEN, secret=SECRET, attempts=1, tools=tools)
        assert [text for text, _ in fake.asked] == expected
        assert [one.why for one in found] == ["no tags", "timed out"]


def test_half_a_character_is_no_text(tmp_path):
    tools = Tools(cache=Cache(tmp_path / "rewrites"))
    (found,) = run(["a b"], lambda *_: Rewrite("half \ud83d", "", 1, 1), tools=tools)
    assert found.content is None and found.why == "it holds half a character"


def test_a_rewriter_that_leaves_texts_out_is_refused():
    class Short(Fake):
        def rewrite(self, texts, seeds, *, watch=None):
            return []

    with pytest.raises(RunError, match=r"'fake': gave 0 rewrites of 1 texts; mend it"):
        accepted(["a b"], Short(seeded), OPEN, secret=SECRET)
