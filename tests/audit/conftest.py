"""A small world on disk: a tiny base model, and records of random words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
from files import sentences, written

RECIPE = {"epochs": 8, "learning_rate": 0.01, "batch_size": 4}
Values = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pool") / "pool.jsonl", sentences(120, seed=1))


@pytest.fixture
def values(base: Path, pool: Path) -> Values:
    """A spec's values: a model fine-tuned on the members, and a control that is not."""

    def build(**change: Any) -> dict[str, Any]:
        how = {"base": str(base), "recipe": RECIPE}
        plain = {
            "data": {
                "pool": str(pool),
                "take": {"members": 24, "non_members": 40, "control": 24},
                "max_tokens": 24,
            },
            "targets": {
                "leaky": {**how, "trained_on": "members"},
                "control": {**how, "trained_on": "control"},
            },
            "attacks": {"options": {"bag_of_words": {"trees": 5}, "ez_mia": {"min_errors": 1}}},
            "evaluation": {"fpr": [0.1], "resamples": 400, "redraws": 3},
            "compute": {"precision": "float32"},
        }
        return {**plain, **change}

    return build
