"""How attacks are found by name, and how third parties add theirs."""

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

import nonmember.attacks
from nonmember.attacks import registry
from nonmember.attacks.language import likelihood
from nonmember.attacks.registry import ATTACKS, attack, get, of_families
from nonmember.errors import SpecError


@pytest.fixture
def empty(monkeypatch):
    """A registry of its own for one test."""
    monkeypatch.setattr(registry, "ATTACKS", {})
    return registry.ATTACKS


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A third party's package with one attack, as pip leaves it; and the modules it imports."""
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[nonmember.attacks]\ntheirs = theirs_attacks:theirs\n")
    (tmp_path / "theirs_attacks.py").write_text(
        "import nonmember as nm\n"
        "@nm.attack(family='language', paper='They 2026, arXiv:2601.00000')\n"
        "def theirs(token_logprobs, *, power: int = 2):\n"
        "    return (token_logprobs**power).sum(axis=1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "ATTACKS", dict(ATTACKS))
    yield
    sys.modules.pop("theirs_attacks", None)


def test_a_signature_is_the_attack(empty):
    @attack(family="language", paper="We 2026")
    def ours(token_logprobs, base_token_logprobs, *, k=0.2, window=1):
        return token_logprobs[:, 0]

    found = empty["language.ours"]
    assert found.needs == ("token_logprobs", "base_token_logprobs")
    assert found.options == {"k": 0.2, "window": 1}
    assert (found.key, found.paper, found.learned) == ("language.ours", "We 2026", False)
    assert found.score is ours, "the function is handed back unchanged"


def test_an_attack_that_is_told_the_truth_of_others_is_learned(empty):
    @attack(family="blind", paper="We 2026")
    def taught(texts, known_texts, known_member):
        return np.zeros(len(texts))

    assert empty["blind.taught"].learned and not empty["blind.taught"].rowwise
    assert ATTACKS["blind.bag_of_words"].learned and not ATTACKS["language.wbc"].learned


def test_an_attack_that_holds_candidates_against_a_population_is_learned(empty):
    @attack(family="language", paper="We 2026")
    def against(token_logprobs, pop_token_logprobs):
        return token_logprobs[:, 0]

    assert empty["language.against"].learned and not empty["language.against"].rowwise


def test_an_attack_on_the_scores_of_others_needs_all_candidates(empty):
    @attack(family="language", paper="We 2026")
    def combined(features):
        return features[:, 0]

    assert not empty["language.combined"].learned and not empty["language.combined"].rowwise
    assert ATTACKS["language.wbc"].rowwise


def test_known_records_without_their_membership_are_refused():
    with pytest.raises(SpecError, match=r"'untold': asks for known records but not whether"):

        @attack(family="language", paper="We 2026")
        def untold(token_logprobs, known_token_logprobs):
            return token_logprobs[:, 0]


def test_a_taken_name_is_refused_in_its_family_only(empty):
    def loss(token_logprobs):
        return token_logprobs[:, 0]

    attack(family="language", paper="We 2026")(loss)
    attack(family="classifier", paper="We 2026")(loss)
    with pytest.raises(SpecError, match=r"'language\.loss' is already registered; give yours"):
        attack(family="language", paper="They 2026")(loss)
    assert {key: one.paper for key, one in empty.items()} == {
        "language.loss": "We 2026",
        "classifier.loss": "We 2026",
    }


def test_families_have_their_own_short_names():
    blind, both = of_families(["blind"]), of_families(["language", "blind"])
    assert "bag_of_words" in blind and "loss" not in blind
    assert {"loss", "wbc", *blind} <= both.keys()
    assert all(one.name == name for name, one in both.items())
    assert of_families([]) == {}


def test_a_name_is_found_in_full_anywhere_and_short_in_its_family():
    assert get("loss", ["language"]).score is likelihood.loss
    assert get("language.loss", ["blind"]).score is likelihood.loss
    with pytest.raises(SpecError, match="no attack 'loss'"):
        get("loss", ["blind"])


@pytest.mark.parametrize(
    "wrong, near", [("los", "loss"), ("minkplusplus", "min_k_plus_plus"), ("ez-mia", "ez_mia")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, near):
    with pytest.raises(SpecError, match=rf"no attack '{wrong}'; did you mean {near}"):
        get(wrong, ["language", "blind"])


def test_installed_packages_add_theirs_when_attacks_are_imported(installed):
    importlib.reload(nonmember.attacks)
    theirs = registry.get("theirs", ["language"])
    assert theirs.needs == ("token_logprobs",) and theirs.options == {"power": 2}
    assert theirs.score(np.array([[1.0, 3.0]])) == [10.0]


def test_a_package_that_is_imported_first_may_import_ours(installed, monkeypatch):
    """Its own import of ours finds it half loaded: its attack is not there yet to be named."""
    half_loaded = ModuleType("theirs_attacks")
    monkeypatch.setitem(sys.modules, "theirs_attacks", half_loaded)
    importlib.reload(nonmember.attacks)
    assert sys.modules["theirs_attacks"] is half_loaded
    assert "language.theirs" not in registry.ATTACKS
