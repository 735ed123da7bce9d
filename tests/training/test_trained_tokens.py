"""The scored tokens are the trained tokens, one test per way of fine-tuning.

What the usual tools train on is read off the labels of their collators: every label but
-100, after the first position, since a label is predicted from the position before it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    default_data_collator,
)

from nonmember.data.records import Completion, Message, Record
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Encodings, Form, encode, windows
from nonmember.training import finetune
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material
from nonmember.training.recipe import Recipe

IGNORED = -100
EOS = 2
TEXTS = (*tiny.LINES, "the cat", "paid 4071 to the naïve 猫 at once", "12")
PAIRS = (
    Completion("said the user: the", " cat sat on 12 mats"),
    Completion("the ledger", ", the user and the naïve 猫"),
    Completion("the ca", "t sat"),
    Completion("", "the cat sat"),
)
CHATS = (
    (Message("user", "the cat?"), Message("assistant", "on the mat 12")),
    (Message("system", "be brief"), Message("user", "and the dog?"), Message("assistant", "猫")),
    (
        Message("user", "the cat?"),
        Message("assistant", "on the mat"),
        Message("user", "and the dog?"),
        Message("assistant", "naïve 猫, the log"),
    ),
)
GENERATION = {
    "to the end of the line": (
        "{% generation %}{{ m.content + '<|im_end|>\n' }}{% endgeneration %}",
        "",
    ),
    "to the end of the turn": (
        "{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}",
        "{{ '\n' }}",
    ),
    "the words alone": (
        "{% generation %}{{ m.content }}{% endgeneration %}",
        "<|im_end|>{{ '\n' }}",
    ),
}
"""What templates for training mark as the assistant's, and what follows it unmarked."""

Row = tuple[list[int], list[bool]]


def ours(records: Sequence[Encoded]) -> list[Row]:
    return [(one.ids.tolist(), one.scored.tolist()) for one in records]


def theirs(batch: Any) -> list[Row]:
    """Token ids without padding, and whether each is trained on."""
    rows = []
    for ids, labels, seen in zip(
        batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
    ):
        trained = (labels != IGNORED) & (seen == 1)
        trained[0] = False
        assert (labels[trained] == ids[trained]).all()
        rows.append((ids[seen == 1].tolist(), trained[seen == 1].tolist()))
    return rows


def records(contents: Sequence[Any]) -> list[Record]:
    return [Record(str(i), content) for i, content in enumerate(contents)]


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("limit", [8, 64])
def test_plain_texts(bos: bool, limit: int) -> None:
    tokenizer = tiny.tokenizer(bos=bos)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    batch = collator([tokenizer(text, truncation=True, max_length=limit) for text in TEXTS])
    assert ours(encode(tokenizer, records(TEXTS), Form(limit))) == theirs(batch)


@pytest.mark.parametrize("marks", GENERATION)
def test_the_assistants_turns_of_chats_whose_template_marks_them(marks: str) -> None:
    tokenizer = tiny.tokenizer(template=marking(marks))
    batch = assistants(tokenizer)
    assert ours(encode(tokenizer, records(CHATS), Form(200))) == theirs(batch)


def test_the_assistants_turns_of_chats_whose_template_does_not() -> None:
    """Tools that train on them swap in a template that marks each answer to its line's end."""
    batch = assistants(tiny.tokenizer(template=marking("to the end of the line")))
    assert ours(encode(tiny.tokenizer(), records(CHATS), Form(200))) == theirs(batch)


def marking(marks: str) -> str:
    spoken, after = GENERATION[marks]
    return (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        f"{{% if m.role == 'assistant' %}}{spoken}{after}"
        "{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )


def assistants(tokenizer: Any) -> Any:
    """A batch of the chats with the labels of training on the assistant's tokens only."""
    rows = []
    for chat in CHATS:
        found = tokenizer.apply_chat_template(
            [turn._asdict() for turn in chat], return_dict=True, return_assistant_tokens_mask=True
        )
        pairs = zip(found["input_ids"], found.pop("assistant_masks"), strict=True)
        rows.append({**found, "labels": [i if mine else IGNORED for i, mine in pairs]})
    return DataCollatorForSeq2Seq(tokenizer)(rows)


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("limit", [7, 64])
def test_completions(bos: bool, limit: int) -> None:
    """The EOS is joined on as text; trained is what the prompt's own tokens do not begin."""
    tokenizer = tiny.tokenizer(bos=bos)
    rows = []
    for pair in PAIRS:
        alone = tokenizer(pair.prompt)["input_ids"]
        found = tokenizer(pair.prompt + pair.completion + tokenizer.eos_token)
        agree = [a == b for a, b in zip(alone, found["input_ids"], strict=False)]
        first = [*agree, False].index(False)
        labels = [IGNORED] * first + found["input_ids"][first:]
        rows.append({key: value[:limit] for key, value in {**found, "labels": labels}.items()})
    batch = DataCollatorForSeq2Seq(tokenizer)(rows)
    assert ours(encode(tokenizer, records(PAIRS), Form(limit))) == theirs(batch)


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("size", [8, 31, 1000])
def test_packed_texts(bos: bool, size: int) -> None:
    """Each token from the one before, but for those that happen to begin a block."""
    tokenizer = tiny.tokenizer(bos=bos)
    stream = [id for text in TEXTS for id in (*tokenizer(text)["input_ids"], EOS)]
    blocks = [stream[start : start + size] for start in range(0, len(stream), size)]
    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids), "labels": ids} for ids in blocks]
    trained = sum((pairs(theirs(default_data_collator([row]))) for row in rows), Counter())
    scored = pairs(ours(encode(tokenizer, records(TEXTS), Form(1000, packed=True))))
    before = [EOS, *stream]
    unseen = Counter((before[start], stream[start]) for start in range(0, len(stream), size))
    between = Counter({(EOS, 0): len(TEXTS)}) if bos else Counter()  # from record to record
    assert trained + unseen == scored + between


def pairs(rows: Sequence[Row]) -> Counter[tuple[int, int]]:
    """The trained tokens, each with the one before it."""
    return Counter(
        (ids[place - 1], ids[place]) for ids, marks in rows for place in np.flatnonzero(marks)
    )


def built(kind: str, folder: Path) -> Source:
    return locate(str(tiny.ARCHITECTURES[kind](folder / kind)))


CONTENTS = (*TEXTS, *PAIRS, *CHATS, "", CHATS[0][:1])
FORMS = {
    "plain": Form(48),
    "cut": Form(9),
    "packed": Form(48, packed=True),
    "slide": Form(9, long="slide"),
    "packed slide": Form(10, packed=True, long="slide"),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[float, int]]]:
    """What the loss was asked for: the log-probability of each token trained on, and its id."""
    found: list[tuple[float, int]] = []
    ordinary = finetune.cross_entropy

    def told(logits: torch.Tensor, targets: torch.Tensor, **more: Any) -> torch.Tensor:
        log = logits.detach().log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
        found.extend(zip(log.tolist(), targets.tolist(), strict=True))
        return ordinary(logits, targets, **more)

    monkeypatch.setattr(finetune, "cross_entropy", told)
    yield found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("kind", ["llama", "untied", "gpt2"])
def test_our_own_training(
    asked: list[tuple[float, int]], tmp_path: Path, kind: str, method: Any, form: str
) -> None:
    """One update on all records asks for the scored tokens, each once, as scoring does."""
    base = built(kind, tmp_path)
    model = causal.load(base, Placement(torch.device("cpu"), torch.float32))
    if kind == "gpt2":  # it would drop a tenth of what it is asked
        base = locate(str(tiny.gpt2(tmp_path / "sure", resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)))
    lazy = Encodings(model.tokenizer, records(CONTENTS), FORMS[form])
    recipe = Recipe(method=method, epochs=1, batch_size=len(lazy), micro_batch=3, rank=2)
    where = Placement(torch.device("cpu"), torch.float32)
    fine_tune(base, Material((lazy,)), recipe, where, tmp_path / "tuned", seed=0)
    expected = [pair for one in lazy for piece in windows(one) for pair in forced(model, piece)]
    assert sum(int(one.scored.sum()) for one in lazy) == len(expected)
    assert Counter(token for _, token in asked) == Counter(token for _, token in expected)
    found, known = (np.array(sorted(pairs, key=by_token)) for pairs in (asked, expected))
    np.testing.assert_allclose(found, known, atol=1e-4)


def by_token(pair: tuple[float, int]) -> tuple[int, float]:
    return pair[1], pair[0]


@torch.inference_mode()
def forced(model: causal.CausalModel, piece: Encoded) -> list[tuple[float, int]]:
    """The whole network's log-probability of each scored token, record by record."""
    ids = torch.from_numpy(piece.ids)[None]
    if not piece.scored.any():
        return []
    log = model.network(input_ids=ids, use_cache=False).logits[0].float().log_softmax(dim=1)
    places = np.flatnonzero(piece.scored).tolist()
    return [(float(log[place - 1, ids[0, place]]), int(ids[0, place])) for place in places]


def test_every_epoch_trains_on_every_scored_token(
    asked: list[tuple[float, int]], tmp_path: Path
) -> None:
    base = built("llama", tmp_path)
    tokenizer = causal.load_tokenizer(base)
    encoded = encode(tokenizer, records(CONTENTS), Form(9, long="slide"))
    recipe = replace(Recipe(), epochs=2, batch_size=4, micro_batch=3)
    where = Placement(torch.device("cpu"), torch.float32)
    fine_tune(base, Material((encoded,)), recipe, where, tmp_path / "tuned", seed=0)
    scored = Counter(int(token) for one in encoded for token in one.ids[one.scored])
    assert Counter(token for _, token in asked) == scored + scored
