"""The model that is fine-tuned, built once, and records to train it on."""

import pytest
import tiny

from nonmember.data.texts import Record
from nonmember.models.causal import load_tokenizer
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Form, encode


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return locate(str(tiny.llama(tmp_path_factory.mktemp("llama") / "llama")))


@pytest.fixture(scope="session")
def encoded(llama: Source) -> tuple[Encoded, ...]:
    """Twelve records of different lengths; the scored tokens are all but the first."""
    words = " ".join(tiny.LINES).split()
    texts = [" ".join(words[i : i + 4 + i % 5]) for i in range(12)]
    records = [Record(str(i), text) for i, text in enumerate(texts)]
    return encode(load_tokenizer(llama), records, Form(32))
