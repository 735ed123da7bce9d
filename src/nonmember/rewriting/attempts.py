"""Rewrites that pass the gates: each record is tried again until one does."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from nonmember.data.records import Content, Record, respoken, spoken
from nonmember.data.texts import WORD, digests
from nonmember.errors import RunError
from nonmember.rewriting.cache import Cache, key
from nonmember.rewriting.gates import Limits, Measures, failed, measure
from nonmember.rewriting.measures import GRAM, Embed, Nats, words
from nonmember.rewriting.protocols import Rewrite, Rewriter, Watch

BLOCK = 32  # texts whose rewrites are kept together: what an interruption may cost
WORDLESS = "there are no words in it"
Ask = tuple[str, int]  # a text and its seed


@dataclass(frozen=True)
class Tools:
    """What rewrites are judged and kept with; a gate without its tool is not asked.

    ``embed`` gives texts' embeddings, ``nats`` their nats per token under the base model.
    ``taken`` are the digests (``texts.digests``) of records that no rewrite may equal.
    """

    embed: Embed | None = None
    nats: Nats | None = None
    cache: Cache | None = None
    taken: Set[bytes] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Outcome:
    """What became of a record: its new content, or None and why.

    ``measures`` are of the last rewrite that was made and ``failed`` the gates that it did not
    pass; ``why`` is what the last attempt's rewriter said if it made none. Tokens are those
    of all attempts.
    """

    content: Content | None = None
    attempts: int = 0
    measures: Measures | None = None
    failed: tuple[str, ...] = ()
    why: str = ""
    tokens_read: int = 0
    tokens_written: int = 0


@dataclass(frozen=True)
class _Desk:
    """Who rewrites, within which limits, and with what."""

    rewriter: Rewriter
    limits: Limits
    secret: str
    tools: Tools


def seed_of(secret: str, text: str, attempt: int) -> int:
    """The seed, of 63 bits, of a text's rewrite: nobody who lacks the secret can tell it."""
    lock = blake2b(secret.encode()).digest()
    digest = blake2b(f"{attempt} {text}".encode(), key=lock, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def accepted(
    contents: Sequence[Content],
    rewriter: Rewriter,
    limits: Limits,
    *,
    secret: str,
    attempts: int = 4,
    tools: Tools | None = None,
    watch: Watch | None = None,
) -> list[Outcome]:
    """What becomes of each content when what is trained on of it is rewritten.

    All that failed an attempt are tried again in the next. An outcome depends on the content
    and the parameters alone, but for one gate: no rewrite may equal a record that is
    ``taken``, nor the rewrite of a content that was accepted before it, in an earlier attempt
    or further up in the same.

    Args:
        contents: whose texts, completions or assistant's turns are rewritten, each turn by a
            seed of its own; the gates judge the turns as one text. A turn of fewer than four
            words that the rewriter leaves alone stays, if there are others.
        rewriter: who rewrites.
        limits: of the gates.
        secret: from which the seeds follow.
        attempts: rewrites of a record that are tried, each by another seed.
        tools: what rewrites are judged and kept with.
        watch: is told how many contents were settled since it was last told.

    Raises:
        RunError: the cache cannot be used, or the rewriter leaves texts out.
    """
    desk = _Desk(rewriter, limits, secret, tools or Tools())
    taken = set(desk.tools.taken)
    outcomes = [Outcome(why="" if _any_words(one) else WORDLESS) for one in contents]
    waiting = [place for place, one in enumerate(outcomes) if not one.why]
    told = watch or (lambda _: None)
    told(len(contents) - len(waiting))
    for attempt in range(attempts):
        places, waiting = waiting, []
        for block in _blocks(places):
            tried = _tried([contents[place] for place in block], attempt, desk)
            for place, one in zip(block, tried, strict=True):
                outcomes[place] = _added(outcomes[place], _unless_taken(one, taken))
            rejected = [place for place in block if outcomes[place].content is None]
            waiting += rejected
            told(len(block) if attempt + 1 == attempts else len(block) - len(rejected))
    return outcomes


def _any_words(content: Content) -> bool:
    return any(WORD.search(text) for text in spoken(content))


def _blocks(places: Sequence[int]) -> Iterator[Sequence[int]]:
    return (places[start : start + BLOCK] for start in range(0, len(places), BLOCK))


def _tried(contents: Sequence[Content], attempt: int, desk: _Desk) -> list[Outcome]:
    """What one attempt makes of each, whatever is taken."""
    parts = [spoken(content) for content in contents]
    asked = [[(text, seed_of(desk.secret, text, attempt)) for text in some] for some in parts]
    answers = rewritten((ask for some in asked for ask in some), desk.rewriter, desk.tools.cache)
    said = [[answers[ask] for ask in some] for some in asked]
    news = [replaced(old, new) for old, new in zip(parts, said, strict=True)]
    pairs = [("\n".join(o), "\n".join(n)) for o, n in zip(parts, news, strict=True) if n]
    measured = iter(_measured(pairs, desk))
    found = [next(measured) if new else None for new in news]
    return [_made(one, desk.limits) for one in zip(contents, said, news, found, strict=True)]


def _measured(pairs: Sequence[tuple[str, str]], desk: _Desk) -> list[Measures]:
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    return measure(olds, news, desk.limits, embed=desk.tools.embed, nats=desk.tools.nats)


def _made(
    of: tuple[Content, Sequence[Rewrite], Sequence[str] | None, Measures | None], limits: Limits
) -> Outcome:
    """The outcome of an attempt, by what was said, what came of that and how it measures."""
    content, said, new, found = of
    read, written = sum(one.tokens_read for one in said), sum(one.tokens_written for one in said)
    if new is None or found is None:
        why = next(one.why for one in said if one.text is None)
        return Outcome(None, 1, why=why, tokens_read=read, tokens_written=written)
    not_passed = failed(found, limits)
    kept = None if not_passed else respoken(content, new)
    return Outcome(kept, 1, found, not_passed, "", read, written)


def replaced(olds: Sequence[str], answers: Sequence[Rewrite]) -> list[str] | None:
    """A record's new passages; None if one that must change has not been rewritten."""
    news = []
    for old, answer in zip(olds, answers, strict=True):
        stays = answer.text is None and len(olds) > 1 and len(words(old)) < GRAM
        if answer.text is None and not stays:
            return None
        news.append(old if answer.text is None else answer.text)
    return news


def _unless_taken(tried: Outcome, taken: set[bytes]) -> Outcome:
    """The outcome, rejected if what is accepted of it is ``taken``, to which it then belongs."""
    if tried.content is None:
        return tried
    digest = digests([Record("", tried.content)])[0].tobytes()
    if digest in taken:
        return replace(tried, content=None, failed=("collision",))
    taken.add(digest)
    return tried


def _added(before: Outcome, last: Outcome) -> Outcome:
    """The last attempt's outcome, with what all attempts before it have cost."""
    return replace(
        last,
        attempts=before.attempts + last.attempts,
        tokens_read=before.tokens_read + last.tokens_read,
        tokens_written=before.tokens_written + last.tokens_written,
    )


def rewritten(
    asked: Iterable[Ask], rewriter: Rewriter, cache: Cache | None = None
) -> dict[Ask, Rewrite]:
    """The rewrite of every text by its seed; what the cache knows is not made again.

    Raises:
        RunError: the cache cannot be used, or the rewriter leaves texts out.
    """
    distinct = list(dict.fromkeys(asked))
    found = {ask: Rewrite(None, WORDLESS) for ask in distinct if not WORD.search(ask[0])}
    to_do = [ask for ask in distinct if ask not in found]
    for start in range(0, len(to_do), BLOCK):
        block = to_do[start : start + BLOCK]
        keys = {key(text, rewriter.identity, seed): (text, seed) for text, seed in block}
        known = _known_or_made(keys, rewriter, cache)
        found.update({ask: known[one] for one, ask in keys.items()})
    return found


def _known_or_made(
    keys: dict[bytes, Ask], rewriter: Rewriter, cache: Cache | None
) -> dict[bytes, Rewrite]:
    known = cache.get(keys) if cache else {}
    missing = [one for one in keys if one not in known]
    made = dict(zip(missing, _asked([keys[one] for one in missing], rewriter), strict=True))
    if cache and made:
        # A failure that cost a model's answer is kept; one that cost nothing may pass.
        cache.put({k: one for k, one in made.items() if one.text or one.tokens_written})
        made |= cache.get(made)  # another process may have been first
    return known | made


def _asked(asks: Sequence[Ask], rewriter: Rewriter) -> list[Rewrite]:
    if not asks:
        return []
    answers = rewriter.rewrite([text for text, _ in asks], [seed for _, seed in asks])
    if len(answers) != len(asks):
        raise RunError(
            f"rewriter {rewriter.name!r}: gave {len(answers)} rewrites of {len(asks)} texts; "
            "mend it to give one for each"
        )
    return [_readable(one) for one in answers]


def _readable(answer: Rewrite) -> Rewrite:
    """The answer, unless a model wrote half a character, which no file can hold."""
    try:
        (answer.text or "").encode()
    except UnicodeEncodeError:
        return answer._replace(text=None, why="it holds half a character")
    return answer
