"""How defenses and selectors are found by name, and how third parties add theirs."""

import importlib
import sys

import numpy as np
import pytest

from nonmember.defenses import every, registry
from nonmember.defenses.registry import DEFENSES, defense, get, selector
from nonmember.errors import SpecError


@pytest.fixture
def empty(monkeypatch):
    """A registry of its own for one test."""
    monkeypatch.setattr(registry, "DEFENSES", {})
    monkeypatch.setattr(registry, "SELECTORS", {})
    return registry


def test_a_signature_is_the_defense(empty):
    @defense(family="language", stage="data", paper="We 2026")
    def ours(exposure, texts, *, ratio=0.2):
        return np.zeros(len(texts), dtype=np.int8)

    found = empty.DEFENSES["language.ours"]
    assert (found.name, found.stage, found.paper) == ("ours", "data", "We 2026")
    assert found.needs == ("exposure", "texts") and found.options == {"ratio": 0.2}
    assert found.apply is ours, "the function is handed back unchanged"


def test_a_signature_is_the_selector(empty):
    @selector
    def ours(token_logprobs, *, k=0.2):
        return token_logprobs[:, 0]

    found = empty.SELECTORS["ours"]
    assert (found.name, found.needs, found.options) == ("ours", ("token_logprobs",), {"k": 0.2})
    assert found.exposure is ours


def test_a_taken_name_is_refused(empty):
    def ours(texts):
        return np.zeros(len(texts), dtype=np.int8)

    defense(family="language", stage="data", paper="We 2026")(ours)
    with pytest.raises(
        SpecError, match=r"^defense 'language.ours' is already registered; give yours"
    ):
        defense(family="language", stage="data", paper="They 2026")(ours)
    selector(ours)
    with pytest.raises(SpecError, match=r"^selector 'ours' is already registered; give yours"):
        selector(ours)


def test_a_stage_that_the_signature_denies_is_refused(empty):
    with pytest.raises(SpecError, match=r"'late': needs texts at the training stage; take recipe"):

        @defense(family="language", stage="training", paper="We 2026")
        def late(texts):
            return texts

    with pytest.raises(SpecError, match=r"'early': needs recipe at the data stage; take recipe"):

        @defense(family="language", stage="data", paper="We 2026")
        def early(recipe):
            return recipe

    assert empty.DEFENSES == {}


def test_an_unknown_name_suggests_the_nearest():
    assert get("soft", "language") is DEFENSES["language.soft"]
    with pytest.raises(SpecError, match=r"no defense 'sofft'; did you mean soft"):
        get("sofft", "language")


def test_installed_packages_add_theirs_when_defenses_are_imported(tmp_path, monkeypatch):
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nonmember.defenses]\ntheirs = their_defenses:theirs")
    (tmp_path / "their_defenses.py").write_text(
        "from nonmember.defenses.registry import defense\n"
        "@defense(family='language', stage='training', paper='They 2026, arXiv:2601.00000')\n"
        "def theirs(recipe, *, power: int = 2):\n"
        "    return recipe\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "DEFENSES", dict(DEFENSES))
    importlib.reload(every)
    assert registry.get("theirs", "language").options == {"power": 2}
    sys.modules.pop("their_defenses")
