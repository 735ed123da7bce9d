"""What SOFT costs: substituting words, judging rewrites, warming up, and asking a chat model."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import soft_texts
from machine import spread
from soft_audits import EPOCHS, RECIPE, Study, audited, forget, soft, values
from soft_figures import ends
from soft_texts import ABSTRACTS, PILE, SEED

from nonmember.audit.records import Results
from nonmember.data.records import Record
from nonmember.evaluation.intervals import clopper_pearson
from nonmember.models import causal, embedding
from nonmember.models.source import locate
from nonmember.models.text import Form, encode
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting import measures, registry
from nonmember.rewriting.attempts import seed_of
from nonmember.rewriting.gates import Limits, Measures, failed, measure
from nonmember.rewriting.measures import Embed, Nats
from nonmember.signals.language import token_statistics
from nonmember.signals.ragged import mean

TEXTS, WORDS = 1_000, 100
TARGET = 500  # texts a second that substitution alone should manage
REPETITIONS = 3
FLUENT = 48  # texts of which the base is asked
CHAT_WORDS = 60
CHAT_DOMAINS = (*(name for name in PILE if name != "github"), ABSTRACTS)
SECRET = "the benchmark's"


def substitution(study: Study) -> dict[str, Any]:
    """Texts a second of the synonyms alone, and of each kind of gate on what they wrote."""
    documents = soft_texts.shuffled(study.data, PILE[0])
    olds = [soft_texts.first_words(text, WORDS) for text in documents]
    olds = [text for text in olds if len(text.split()) == WORDS][:TEXTS]
    made = registry.made("synonyms", {})
    start = time.perf_counter()
    made.rewrite(olds[:1], [SEED])  # the dictionary is read by the first
    first = time.perf_counter() - start
    thirds = [olds[at::REPETITIONS] for at in range(REPETITIONS)]  # no text is met twice
    seconds = [_timed(partial(made.rewrite, some, _seeds(some, 0)))[0] for some in thirds]
    news = [one.text or "" for one in made.rewrite(olds, _seeds(olds, 0))]
    limits = registry.get("synonyms").limits
    return {
        "texts": len(olds),
        "words each": WORDS,
        "seconds of the first text": round(first, 2),
        "texts a second": spread(
            [len(some) / one for some, one in zip(thirds, seconds, strict=True)]
        ),
        "target": TARGET,
        "texts a second of gates": _gates(study, olds, news, limits),
    }


def _gates(
    study: Study, olds: Sequence[str], news: Sequence[str], limits: Limits
) -> dict[str, float]:
    """Without models; then with the meaning; then with the fluency under the base."""
    embed, some = embedding.load_embedder().embed, slice(FLUENT)
    nats = base_nats(study.base)
    measure(olds[:1], news[:1], limits, embed=embed)
    rules = _timed(lambda: measure(olds, news, limits))[0]
    meant, found = _timed(lambda: measure(olds, news, limits, embed=embed))
    asked, _ = _timed(lambda: measures.fluency(olds[some], news[some], nats))
    good = sum(not failed(one, limits) for one in found)
    return {
        "by rules": round(len(olds) / rules, 1),
        "by rules and meaning": round(len(olds) / meant, 1),
        "by fluency": round(len(olds[some]) / asked, 2),
        "share that passes rules and meaning": round(good / len(olds), 4),
    }


def warm_up(study: Study, name: str) -> dict[str, Any]:
    """Warm-up and selection against one epoch and one scoring pass of the same records.

    Two audits, since in one the undefended run would go on from the warm-up.
    """
    plain, guarded = (_alone(study, name, defenses) for defenses in ([], [soft(0.5, "synonyms")]))
    for one in (plain, guarded):
        forget(study, one)
    records = study.size.members + study.size.known
    candidates = study.size.members + study.size.non_members
    epoch = _seconds(plain, "fine-tune") / EPOCHS
    scoring = _seconds(plain, "ask model for") * records / candidates
    warm, select = _seconds(guarded, "warm "), _seconds(guarded, "ask the warm-up")
    protect = _seconds(guarded, "protect ")
    return {
        "records": records,
        "seconds": {
            "an epoch": round(epoch, 1),
            "scoring them once": round(scoring, 1),
            "warm-up": round(warm, 1),
            "asking the warm-up": round(select, 1),
            "rewriting and judging half": round(protect, 1),
        },
        "warm-up and selection / an epoch and a scoring pass": round(
            (warm + select) / (epoch + scoring), 3
        ),
        "all of SOFT before training / the undefended training": round(
            (warm + select + protect) / (epoch * EPOCHS), 3
        ),
    }


def _alone(study: Study, name: str, defenses: list[dict[str, Any]]) -> Results:
    tokenizer = causal.load_tokenizer(locate(study.base))
    limit = study.size.tokens
    path = soft_texts.pool(study.data, name, tokenizer, limit, study.store / "pools")
    made = {"base": study.base, "trained_on": "members", "recipe": RECIPE, "defenses": defenses}
    asked = values(study, "What SOFT costs", path, limit, {"model": made})
    asked["seed"] = SEED + 1 + len(defenses)  # so that nothing is there already
    asked["attacks"]["run"] = ["loss"]
    return audited(study, "cost", asked)


def _seconds(found: Results, beginning: str) -> float:
    jobs = found.provenance["jobs"].items()
    return float(sum(job["seconds"] for label, job in jobs if label.startswith(beginning)))


def chat(study: Study, model: str) -> dict[str, Any]:
    """How many rewrites of a small chat model are good enough, and what they take.

    Each record is tried once; the synonyms' first try on the same records stands beside.
    """
    olds = list(_chatted(study))
    embed, nats = embedding.load_embedder().embed, base_nats(study.base)
    return {
        "records": len(olds),
        "median words": float(np.median([len(text.split()) for text in olds])),
        "chat": _judged("chat", {"model": model}, olds, embed, nats),
        "synonyms": _judged("synonyms", {}, olds, embed, nats),
    }


def _chatted(study: Study) -> Iterator[str]:
    """The first words of documents, as many of each domain."""
    for name in CHAT_DOMAINS:
        for text in soft_texts.shuffled(study.data, name)[: study.size.chatted]:
            yield soft_texts.first_words(text, CHAT_WORDS)


def _judged(
    name: str, options: dict[str, Any], olds: list[str], embed: Embed, nats: Nats
) -> dict[str, Any]:
    made, limits = registry.made(name, options), registry.get(name).limits
    made.rewrite(olds[:1], _seeds(olds[:1], 1))  # its model is read by the first
    seconds, answers = _timed(lambda: made.rewrite(olds, _seeds(olds, 0)))
    pairs = [(old, one.text) for old, one in zip(olds, answers, strict=True) if one.text]
    found = _measured(pairs, limits, embed, nats)
    gates = [failed(one, limits) for one in found]
    good = clopper_pearson(sum(not one for one in gates), len(olds))
    return {
        "seconds per record": round(seconds / len(olds), 3),
        "accepted": ends(good),
        "no rewrite": dict(Counter(one.why for one in answers if not one.text)),
        "failed by gate": dict(Counter(gate for one in gates for gate in one)),
        "failed that gate alone": dict(Counter(one[0] for one in gates if len(one) == 1)),
        "containment by similarity": _joint(found),
        "tokens read per record": round(sum(one.tokens_read for one in answers) / len(olds), 1),
        "tokens written per record": round(
            sum(one.tokens_written for one in answers) / len(olds), 1
        ),
    }


def _measured(
    pairs: Sequence[tuple[str, str]], limits: Limits, embed: Embed, nats: Nats
) -> list[Measures]:
    """Everything of every rewrite: ``measure`` asks models only of those that pass the rest."""
    olds, news = [old for old, _ in pairs], [new for _, new in pairs]
    alike = measures.similarity(olds, news, embed).tolist()
    fluent = measures.fluency(olds, news, nats).tolist()
    return [
        replace(one, similarity=cosine, fluency=ratio)
        for one, cosine, ratio in zip(measure(olds, news, limits), alike, fluent, strict=True)
    ]


def _joint(found: Sequence[Measures]) -> dict[str, dict[str, int]]:
    """Counts by shared 4-grams and by meaning: the two gates pull against each other."""
    rows = {"up to 0.3": (-1, 0.3), "up to 0.5": (0.3, 0.5), "above 0.5": (0.5, 1)}
    columns = {"below 0.7": (-1.1, 0.7), "up to 0.9": (0.7, 0.9), "above 0.9": (0.9, 1.1)}
    return {
        f"containment {row}": {
            f"similarity {column}": sum(
                low < one.containment <= high and least <= one.similarity < most for one in found
            )
            for column, (least, most) in columns.items()
        }
        for row, (low, high) in rows.items()
    }


def base_nats(base: str) -> Nats:
    """Mean nats per token of texts under a model, as the gate asks it."""
    model = causal.load(locate(base), causal.placement())
    form = Form(min(512, model.context or 512))

    def nats(some: Sequence[str]) -> np.ndarray:
        encoded = encode(model.tokenizer, [Record("", text) for text in some], form)
        return -mean(token_statistics(model, encoded)["token_logprobs"])

    return nats


def _seeds(texts: Sequence[str], attempt: int) -> list[int]:
    return [seed_of(SECRET, text, attempt) for text in texts]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made
