"""A masked language model as a filler: the paper's scores, recomputed word by word."""

import json
from math import floor

import numpy as np
import pytest
import tiny
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from nonmember.errors import ModelError
from nonmember.rewriting import masked
from nonmember.rewriting.masked import check, read
from nonmember.rewriting.words import neighbours, refilled, split
from nonmember.seeds import generator

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = "the a cat dog sat ran on by mat log old new red big, . !".replace(",", " ,").split()
PIECES = ["##s", "##ing", "run"]
TEXT = "The old dog, RUNS by \N{EM DASH}  the Cat!\nunknownn dogs"
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "initializer_range": 1.0,
}


def wordpiece():
    numbers = {token: i for i, token in enumerate([*SPECIAL, *WORDS, *PIECES])}
    backend = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return backend


def byte_level():
    """As RoBERTa's: a word after white space is another token than one at the beginning."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = {token: i for i, token in enumerate([*SPECIAL, *alphabet])}
    merges = []
    for word in [f"Ġ{word}" for word in [*WORDS, "The", "run"] if word.isalpha()]:
        for end in range(1, len(word)):
            if word[: end + 1] not in numbers:
                merges.append((word[:end], word[end]))
                numbers[word[: end + 1]] = len(numbers)
    backend = Tokenizer(models.BPE(numbers, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    return backend


def saved(folder, kind="Bert", head="MaskedLM", mask="[MASK]"):
    backend = wordpiece() if kind == "Bert" else byte_level()
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token=mask,
    )
    config = getattr(hf, f"{kind}Config")(vocab_size=len(tokenizer), pad_token_id=0, **SIZES)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = getattr(hf, f"AutoModelFor{head}").from_config(config)
    hf.utils.logging.disable_progress_bar()
    network.save_pretrained(folder)
    hf.utils.logging.enable_progress_bar()
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["Bert", "Roberta"])
def folder(request, tmp_path_factory):
    return saved(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def filler(folder):
    return read(str(folder), candidates=3)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return read(str(saved(tmp_path_factory.mktemp("bert"))), candidates=3)


def recomputed(filler, text, seed):
    """All exchanges of a short text, by one pass for each word that is a token, best first."""
    words, network, tokenizer = split(text), filler.network, filler.tokenizer
    ids = torch.tensor(tokenizer(text)["input_ids"])
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    known = []
    for place, word in enumerate(words):
        at = [i for i, (a, b) in enumerate(offsets) if a < word.end and b > word.start and b > a]
        spelled = tokenizer.decode([ids[at[0]]]).strip()
        if len(at) == 1 and spelled.lower() == word.text.lower():
            known.append((place, at[0]))
    draws = generator(seed, "neighbours", text).random((len(known), 16))
    found = []
    for (place, at), draw in zip(known, draws, strict=True):
        embedded = network.get_input_embeddings()(ids)[None].clone()
        embedded[0, at] *= torch.from_numpy(np.where(draw < 0.7, 0, 1 / 0.3)).float()
        p = network(inputs_embeds=embedded).logits[0, at].double().softmax(0).tolist()
        old = words[place].text
        best = {}
        for token, new in filler.vocabulary.items():
            if new.lower() != old.lower():
                best[new.lower()] = max(best.get(new.lower(), 0), p[token] / (1 - p[ids[at]]))
        top = sorted(best.items(), key=lambda one: -one[1])[: filler.candidates]
        found += [(score, place, new) for new, score in top]
    return [(place, new) for _, place, new in sorted(found, reverse=True)]


@pytest.mark.parametrize("seed", [0, 1])
@torch.inference_mode()
def test_exchanges_are_ranked_as_in_the_paper(filler, seed):
    found = filler.ranked(TEXT, split(TEXT), generator(seed, "neighbours", TEXT))
    expected = recomputed(filler, TEXT, seed)
    assert [(swap.place, swap.new.lower()) for swap in found] == expected
    assert len(found) >= 3 * filler.candidates


def test_the_best_exchanges_become_the_copies_at_their_offsets(filler):
    words = split(TEXT)
    ranked = filler.ranked(TEXT, words, generator(0, "neighbours", TEXT))
    expected = tuple(
        TEXT[: words[place].start] + new + TEXT[words[place].end :] for place, new in ranked[:5]
    )
    assert neighbours(TEXT, 5, 1, filler, 0) == expected


def test_words_keep_their_shape_and_are_never_their_own_replacement(bert):
    words = split(TEXT)
    found = bert.ranked(TEXT, words, generator(0, "neighbours", TEXT))
    for place, new in found:
        old = words[place].text
        assert new.lower() != old.lower() and new.istitle() == old.istitle()
    assert {words[swap.place].text for swap in found} == {"The", "old", "dog", "by", "the", "Cat"}


def test_dropout_is_active_and_seeded(filler, monkeypatch):
    def ranked(seed):
        return filler.ranked(TEXT, split(TEXT), generator(seed, "neighbours", TEXT))

    first = ranked(0)
    assert ranked(0) == first and ranked(1) != first
    monkeypatch.setattr(masked, "DROPOUT", 0.0)
    assert ranked(0) == ranked(1) != first


def test_the_rest_of_the_model_has_no_dropout(filler):
    assert not any(module.training for module in filler.network.modules())


def test_passes_of_any_size_rank_alike(filler, monkeypatch):
    draw = "neighbours", TEXT
    whole = filler.ranked(TEXT, split(TEXT), generator(0, *draw))
    monkeypatch.setattr(masked, "LOGITS_AT_ONCE", 1)
    assert filler.ranked(TEXT, split(TEXT), generator(0, *draw)) == whole


@pytest.mark.parametrize("count", [11, 12, 13, 90])
def test_long_texts_are_read_in_windows(filler, count):
    text = " " + " ".join(["the old dog ran by"] * count)
    places = {swap.place for swap in filler.ranked(text, split(text), generator(0))}
    assert places == set(range(5 * count))
    for copy in refilled(text, 2, 0.5, 2, filler, 0):
        changed = [a != b for a, b in zip(copy.split(), text.split(), strict=True)]
        assert sum(changed) == 2 * floor(0.5 * 5 * count / 2 + 1e-9)


def test_masked_words_are_filled_wherever_they_stand(filler):
    words = split(TEXT)
    everything = list(range(len(words)))
    found = filler.filled(TEXT, words, everything, generator(0))
    assert [swap.place for swap in found] == everything
    for place, new in found:
        assert new.lower() in {word.lower() for word in filler.vocabulary.values()}
        assert new.lower() != words[place].text.lower()


def test_fillings_are_drawn_from_the_likeliest_by_their_probabilities(bert):
    text = "the old dog ran"
    ids = torch.tensor([[2, *bert.tokenizer(text, add_special_tokens=False)["input_ids"], 3]])
    ids[0, 2] = 4
    with torch.inference_mode():
        p = bert.network(ids).logits[0, 2].double().softmax(0).tolist()
    said = {word: p[token] for token, word in bert.vocabulary.items() if word != "old"}
    top = dict(sorted(said.items(), key=lambda one: -one[1])[:3])
    draw = generator(0)
    found = [bert.filled(text, split(text), [1], draw)[0].new for _ in range(400)]
    for word, weight in top.items():
        share = weight / sum(top.values())
        spread = 4 * np.sqrt(share * (1 - share) / 400)
        assert abs(np.mean([new == word for new in found]) - share) <= spread + 1e-9
    assert set(found) <= top.keys()


@pytest.mark.parametrize("text", ["", " ", "...", "🙂"])
def test_a_text_without_words_has_no_copy(filler, text):
    assert neighbours(text, 5, 1, filler, 0) == ()
    assert refilled(text, 5, 0.3, 2, filler, 0) == ()


def test_a_word_that_the_tokenizer_drops_is_left_alone(bert):
    text = "the \u200b\u00adold dog"
    words = [*split(text), split(text)[0]._replace(start=4, end=5)]
    assert bert.filled(text, words[:0], [], generator(0)) == []
    lone = words[-1:]
    assert bert.filled(text, lone, [0], generator(0)) == []


def test_a_fragment_of_a_word_is_no_word(bert):
    assert set(bert.vocabulary.values()) == {w for w in [*WORDS, "run"] if w.isalpha()}


def refusal(folder):
    said = []
    for how in (check, read):
        with pytest.raises(ModelError) as told:
            how(str(folder))
        assert str(told.value).count("\n") == 0
        said.append(str(told.value))
    assert said[0] == said[1]
    return said[0]


def test_a_causal_model_is_refused(tmp_path):
    assert "no masked language model (it is a LlamaForCausalLM)" in refusal(tiny.llama(tmp_path))


def test_a_model_without_the_head_is_refused(tmp_path):
    saved(tmp_path, head="SequenceClassification")
    assert "no masked language model (it is a BertForSequenceClass" in refusal(tmp_path)
    edited(tmp_path, architectures=None)
    check(str(tmp_path))
    with pytest.raises(ModelError, match=r"its weights lack or do not fit cls.predictions"):
        read(str(tmp_path))


def edited(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_one_that_was_saved_in_the_middle_of_its_training_is_taken(tmp_path):
    check(str(saved(tmp_path, head="PreTraining")))
    assert read(str(tmp_path)).ranked(TEXT, split(TEXT), generator(0))


def test_it_is_checked_without_loading_it(folder, monkeypatch):
    monkeypatch.setattr(masked.folder, "read", None)
    check(str(folder))


def test_it_is_loaded_once_until_its_files_change(tmp_path, monkeypatch):
    saved(tmp_path)
    hashed, locate = [], masked.locate
    monkeypatch.setattr(masked, "locate", lambda name: hashed.append(name) or locate(name))
    first, again = (read(str(tmp_path), candidates=count) for count in (3, 5))
    assert first.network is again.network and len(hashed) == 1
    assert (first.candidates, again.candidates) == (3, 5)
    edited(tmp_path, max_position_embeddings=64, initializer_range=0.5)
    assert read(str(tmp_path)).network is not first.network


def test_a_tokenizer_without_a_mask_is_refused(tmp_path):
    assert "its tokenizer has no mask" in refusal(saved(tmp_path, mask=None))


def test_an_adapter_is_refused(tmp_path):
    base = tiny.llama(tmp_path / "base")
    adapter = tiny.adapter(tmp_path / "adapter", base)
    assert "another kind (adapter)" in refusal(adapter)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "no such file or folder" in refusal(tmp_path / "none")


def test_damaged_weights_are_refused(tmp_path):
    edited(saved(tmp_path), hidden_size=18)
    with pytest.raises(ModelError, match="its weights lack or do not fit"):
        read(str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(ModelError, match="damaged safetensors"):
        read(str(tmp_path))
