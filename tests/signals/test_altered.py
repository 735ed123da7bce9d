"""Altered copies: each asked about once, each as if it had been asked about alone."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from nonmember.data.records import Completion, Message, Record
from nonmember.errors import ModelError
from nonmember.models.text import Form, encode, reworded
from nonmember.rewriting import words
from nonmember.rewriting.wordnet import Synonyms
from nonmember.signals.altered import lowercase, neighbours, spans, swaps
from nonmember.signals.catalogue import SIGNALS
from nonmember.signals.language import token_statistics

TOKENIZER = tiny.tokenizer()
ARRAY = {
    lowercase: "aug_lowercase_token_logprobs",
    swaps: "aug_swaps_token_logprobs",
    neighbours: "aug_neighbours_token_logprobs",
    spans: "aug_spans_token_logprobs",
}
CHAT = (
    Message("user", "A big dog?"),
    Message("assistant", "The dog ran home"),
    Message("user", "And Then?"),
    Message("assistant", "Over"),
)
CONTENTS = [
    "The big dog ran — caf\u0065\u0301 in İstanbul 🙂 of an hour ago",
    "",
    "dog",
    "no Lemmas: xyzzy",
    CHAT,
    "The big dog ran — caf\u0065\u0301 in İstanbul 🙂 of an hour ago",
    Completion("Say something big: ", "a small house stood near the river"),
    "def area(width, height):\n\treturn width * height  # the area\n",
    "THE DOG",
    "the dog",
]


@dataclass
class Model:
    """Hidden states are running means of embeddings; every text asked about is written down."""

    tokenizer: Any = TOKENIZER
    context: int | None = None
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def __post_init__(self):
        draw = torch.Generator().manual_seed(0)
        self.embedding, self.head = (torch.randn(300, 16, generator=draw) for _ in range(2))

    @property
    def device(self):
        return torch.device("cpu")

    @property
    def vocabulary(self):
        return 300

    def hidden(self, ids, *, past=None):
        self.asked += [tuple(row.tolist()) for row in ids]
        return torch.cumsum(self.embedding[ids], dim=1) / torch.arange(1, ids.shape[1] + 1)[:, None]

    def remember(self, ids):
        raise NotImplementedError

    def logits(self, hidden, *, out=None):
        return torch.matmul(hidden, 3 * self.head.T, out=out)

    def sample(self, prompts, *, most, temperature, top_k, seed, watch=None):
        raise NotImplementedError


def encoded(contents, *, limit=1000, **options):
    return encode(
        TOKENIZER, [Record(f"a:{i}", c) for i, c in enumerate(contents)], Form(limit, **options)
    )


def asked(extract, given, model=None, **options):
    found = extract(model or Model(), given, **options)
    assert found.keys() == {ARRAY[extract]} == SIGNALS[extract.__name__].provides.keys()
    return found[ARRAY[extract]]


def alone(one, change=None):
    """What a record, reworded, gets by itself, without padding."""
    copy = one if change is None else reworded(TOKENIZER, one, change)
    row = token_statistics(Model(), [copy])["token_logprobs"][0]
    return row[~np.isnan(row)]


def close(row, expected):
    np.testing.assert_allclose(row[: len(expected)], expected, rtol=1e-5, atol=1e-5)
    assert np.isnan(row[len(expected) :]).all()


def variants(extract, text):
    """The copies of a text as the extractor is told to make them below."""
    made = {
        lowercase: lambda: (text.lower(),) if text != text.lower() else (),
        swaps: lambda: words.swapped(text, 3, 0.2, 7),
        neighbours: lambda: words.neighbours(text, 4, 1, Synonyms(), 7),
        spans: lambda: words.refilled(text, 3, 0.5, 2, Synonyms(), 7),
    }
    return made[extract]()


OPTIONS = {
    lowercase: {},
    swaps: {"copies": 3, "share": 0.2, "seed": 7},
    neighbours: {"copies": 4, "seed": 7},
    spans: {"copies": 3, "share": 0.5, "seed": 7},
}


@pytest.fixture(params=ARRAY, ids=[extract.__name__ for extract in ARRAY])
def extract(request):
    return request.param


TEXTS = [content for content in CONTENTS if isinstance(content, str)]


def test_each_copy_gets_what_it_would_get_alone(extract):
    given = encoded(TEXTS)
    found = asked(extract, given, **OPTIONS[extract])
    for rows, one in zip(found, given, strict=True):
        copies = variants(extract, one.text)
        for row, copy in zip(rows, copies, strict=False):
            close(row, alone(one, lambda _, copy=copy: copy))
        assert np.isnan(rows[len(copies) :]).all()


def test_arrays_are_as_wide_as_the_longest_copy_and_as_many(extract):
    given = encoded(CONTENTS)
    found = asked(extract, given, **OPTIONS[extract])
    assert found.dtype == np.float32 and len(found) == len(CONTENTS)
    there = ~np.isnan(found)
    assert there.any(axis=2).any(axis=0)[-1] and there.any(axis=(0, 1))[-1]
    packed = np.sort(~there, axis=2)
    np.testing.assert_array_equal(packed, ~there)


def test_nothing_to_alter_is_all_missing_and_one_by_one(extract):
    found = asked(extract, encoded(["", ""]), **OPTIONS[extract])
    assert found.shape == (2, 1, 1) and np.isnan(found).all()


def test_a_text_without_capitals_is_not_asked_about_again():
    model = Model()
    quiet = Message("user", "A big dog?"), Message("assistant", "the dog ran home")
    said = ["the dog", Completion("Say: ", "a small house"), quiet]
    assert np.isnan(asked(lowercase, encoded(said), model)).all() and model.asked == []
    found = asked(lowercase, encoded(["the dog", "The dog"]), model)
    assert np.isnan(found[0]).all() and len(model.asked) == 1
    close(found[1, 0], alone(encoded(["the dog"])[0]))


@pytest.mark.parametrize("extract", [swaps, neighbours, spans], ids=lambda e: e.__name__)
def test_a_text_that_cannot_be_altered_has_no_copy(extract):
    model = Model()
    found = asked(extract, encoded(["xyzzy", "..."]), model, **OPTIONS[extract])
    assert np.isnan(found).all() and model.asked == []


def test_each_distinct_copy_is_asked_about_once(extract):
    model = Model()
    given = encoded(TEXTS)
    asked(extract, given, model, **OPTIONS[extract])
    distinct = {
        tuple(reworded(TOKENIZER, one, lambda _, copy=copy: copy).ids.tolist())
        for one in given
        for copy in variants(extract, one.text)
    }
    found = [tuple(np.trim_zeros(row, "b")) for row in model.asked]
    assert sorted(found) == sorted(ids for ids in distinct if len(ids) > 1)


def test_one_call_holds_the_copies_of_all_records():
    model = Model()
    given = encoded([f"the dog number {i} ran" for i in range(20)])
    asked(swaps, given, model, copies=2)
    told = []
    asked(swaps, given, model, copies=2, watch=told.append)
    assert len(told) == 1


def test_a_record_gets_the_same_in_any_company(extract):
    given = encoded(CONTENTS)
    whole = asked(extract, given, **OPTIONS[extract])
    order = np.random.default_rng(0).permutation(len(given))
    turned = asked(extract, [given[i] for i in order], **OPTIONS[extract])
    np.testing.assert_allclose(turned, whole[order], rtol=1e-5, atol=1e-5)
    for place, one in enumerate(given):
        single = asked(extract, [one], **OPTIONS[extract])[0]
        views, width = single.shape
        np.testing.assert_allclose(whole[place, :views, :width], single, rtol=1e-5, atol=1e-5)
        assert np.isnan(whole[place, views:]).all() and np.isnan(whole[place, :, width:]).all()


@pytest.mark.parametrize("extract", [swaps, neighbours, spans], ids=lambda e: e.__name__)
def test_another_seed_makes_other_copies(extract):
    given = encoded(CONTENTS[:1])
    first = asked(extract, given, **OPTIONS[extract])
    again = asked(extract, given, **OPTIONS[extract])
    other = asked(extract, given, **{**OPTIONS[extract], "seed": 8})
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other, equal_nan=True)


def test_a_chats_answers_are_altered_and_nothing_else():
    one = encoded([CHAT])[0]
    found = asked(lowercase, [one])[0, 0]
    said = [m._replace(content=m.content.lower()) if m.role == "assistant" else m for m in CHAT]
    close(found, alone(encoded([tuple(said)])[0]))


def test_a_turn_that_has_fewer_copies_stays_in_the_rest():
    """WordNet has no synonym of "Over", and many in "The dog ran home"."""
    one = encoded([CHAT])[0]
    found = asked(neighbours, [one], copies=4, seed=7)[0]
    copies = words.neighbours("The dog ran home", 4, 1, Synonyms(), 7)
    for row, copy in zip(found, copies, strict=True):
        chat = (CHAT[0], Message("assistant", copy), *CHAT[2:])
        close(row, alone(encoded([chat])[0]))


def test_a_completions_prompt_stays():
    prompt, answer = "Say Something Big: ", "A Small House"
    found = asked(lowercase, encoded([Completion(prompt, answer)]))[0, 0]
    close(found, alone(encoded([Completion(prompt, answer.lower())])[0]))


@pytest.mark.parametrize("limit", range(2, 12))
def test_a_cut_text_that_cannot_be_altered_has_no_copy_either(limit):
    """Cut within a word, it may tokenise anew; that is not a copy."""
    given = encoded(["xyzzysatdogmatlogentries"], limit=limit)
    assert given[0].truncated
    assert np.isnan(asked(swaps, given)).all() and np.isnan(asked(lowercase, given)).all()


def test_long_texts_are_read_in_windows():
    text = "The dog sat on the mat and THE cat sat on the log " * 4
    given = encoded([text], limit=16, long="slide")
    found = asked(lowercase, given)[0, 0]
    close(found, alone(encoded([text.lower()], limit=16, long="slide")[0]))
    assert (~np.isnan(found)).sum() == len(TOKENIZER(text.lower())["input_ids"]) - 1


def test_a_filler_that_is_none_is_refused_before_the_model_is_asked(tmp_path):
    model = Model()
    for extract in (neighbours, spans):
        with pytest.raises(ModelError, match="no such file or folder"):
            extract(model, encoded(CONTENTS), filler=str(tmp_path / "none"))
        with pytest.raises(ModelError, match="no masked language model"):
            extract(model, encoded(CONTENTS), filler=str(tiny.llama(tmp_path / extract.__name__)))
    assert model.asked == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A masked language model whose tokens are whole words."""
    import transformers as hf
    from tokenizers import Tokenizer, models, pre_tokenizers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {
        token: i for i, token in enumerate([*special, "the", "a", "big", "dog", "cat", "ran"])
    }
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), special, strict=True))
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=backend, **{f"{name}_token": token for name, token in names.items()}
    )
    config = hf.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = hf.BertForMaskedLM(config)
    place = tmp_path_factory.mktemp("masked")
    hf.utils.logging.disable_progress_bar()
    network.save_pretrained(place)
    hf.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(place)
    return str(place)


def test_a_masked_model_fills_too(folder):
    from nonmember.rewriting.masked import read

    text = "the big dog ran"
    given = encoded([text])
    expected = words.neighbours(text, 5, 2, read(folder, candidates=4), 1)
    found = asked(neighbours, given, copies=5, swaps=2, candidates=4, filler=folder, seed=1)[0]
    for row, copy in zip(found, expected, strict=True):
        close(row, alone(given[0], lambda _, copy=copy: copy))
    expected = words.refilled(text, 3, 0.5, 2, read(folder), 1)
    found = asked(spans, given, copies=3, share=0.5, filler=folder, seed=1)[0]
    for row, copy in zip(found, expected, strict=True):
        close(row, alone(given[0], lambda _, copy=copy: copy))


@dataclass
class Endpoint:
    """A model that only answers; what it was asked is counted."""

    tokenizer: Any = TOKENIZER
    context: int | None = None
    access: str = "logprobs"
    asked: list[int] = field(default_factory=list)

    def statistics(self, encoded, *, watch=None):
        self.asked.append(len(encoded))
        found = token_statistics(Model(), encoded)
        return {"token_logprobs": found["token_logprobs"]}

    def sample(self, prompts, *, most, temperature, top_k, seed, watch=None):
        raise NotImplementedError


def test_a_model_that_only_answers_is_asked_once_for_all(extract):
    given, endpoint = encoded(TEXTS), Endpoint()
    found = asked(extract, given, endpoint, **OPTIONS[extract])
    np.testing.assert_array_equal(found, asked(extract, given, **OPTIONS[extract]))
    assert len(endpoint.asked) == 1
