"""The registry of rewriters, and options held against what makes them."""

from dataclasses import dataclass
from typing import Literal

import pytest

from nonmember.errors import SpecError
from nonmember.options import checked
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.registry import REWRITERS, get, made, rewriter
from nonmember.types import Share


@dataclass(frozen=True)
class Echo:
    """What a third party may register."""

    rate: float
    name: str = "echo"
    identity: str = "echo 1"
    sends_to: None = None

    def rewrite(self, texts, seeds, *, watch=None):
        return []


@pytest.fixture(autouse=True)
def registered():
    """A registry of one; the real one, in its order, comes back afterwards."""
    before = dict(REWRITERS)
    REWRITERS.clear()

    def echo(*, rate: Share = 0.5, kind: Literal["prose", "code"] = "prose"):
        return Echo(rate)

    assert rewriter(limits=Limits(run=9))(echo) is echo
    yield echo
    REWRITERS.clear()
    REWRITERS.update(before)


def test_it_is_found_by_its_name(registered):
    found = get("echo")
    assert (found.name, found.make, found.limits.run) == ("echo", registered, 9)
    assert found.options == {"rate": 0.5, "kind": "prose"}


def test_it_is_made_with_options_and_defaults():
    assert made("echo", {}) == Echo(0.5)
    assert made("echo", {"rate": 0.25}) == Echo(0.25)


def test_an_unknown_name_names_the_closest():
    with pytest.raises(SpecError, match=r"no rewriter 'ecko'; did you mean echo\?"):
        made("ecko", {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rat": 0.5}, r"rewriter echo: no option 'rat'; did you mean rate\?"),
        ({"rate": "half"}, r"rewriter echo\.rate: .* valid number .*'half'.*; mend it there"),
        ({"rate": 2.0}, r"rewriter echo\.rate: .* less than or equal to 1"),
        ({"kind": "verse"}, r"rewriter echo\.kind: .* 'prose' or 'code'"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(SpecError, match=said):
        made("echo", options)


def test_what_takes_no_options_says_so():
    with pytest.raises(SpecError, match="here: no option 'a'; it takes none, leave it out"):
        checked(lambda: None, {}, {"a": 1}, "here")


def test_a_parameter_without_annotation_takes_anything():
    assert checked(lambda a=1: a, {"a": 1}, {"a": "x"}, "here") == {"a": "x"}


def positional(rate=0.5):
    """Its option could be given by place."""


def bare(*, rate):
    """Its option has no default."""


def catching(*, rate=0.5, **others):
    """It takes whatever is given."""


@pytest.mark.parametrize("wrong", [positional, bare, catching])
def test_a_parameter_that_is_no_option_is_refused(wrong):
    with pytest.raises(SpecError, match="is not keyword-only or has no default"):
        rewriter(limits=Limits())(wrong)


def test_a_name_is_taken_once(registered):
    with pytest.raises(SpecError, match="'echo' is already registered; give yours another name"):
        rewriter(limits=Limits())(registered)
