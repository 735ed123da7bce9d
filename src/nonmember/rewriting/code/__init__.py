"""The rewriter of Python programs: other names, other comments, the same behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from nonmember.rewriting.code.equality import same
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewrite, Rewriter, Watch
from nonmember.rewriting.registry import rewriter
from nonmember.rewriting.synonyms import synonyms
from nonmember.seeds import derive
from nonmember.types import Share

__all__ = ["Programs", "code", "same"]

RULES = 1  # to be raised when a text and seed come to give another rewrite


@dataclass(frozen=True)
class Programs:
    """Renames variables, and has the comments and docstrings rewritten by ``prose``."""

    prose: Rewriter

    @property
    def name(self) -> str:
        """As it is registered."""
        return "code"

    @property
    def identity(self) -> str:
        """The rules and the parser by version, and who rewrites the prose."""
        return f"code {RULES}, libcst {version('libcst')}, prose by ({self.prose.identity})"

    @property
    def sends_to(self) -> str | None:
        """Where the prose goes."""
        return self.prose.sends_to

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Watch | None = None
    ) -> list[Rewrite]:
        """One for each text; None where it is not Python, or nothing in it can change."""
        from nonmember.rewriting.code.rewriter import draft, finished  # libcst is slow to import

        found = []
        for text, seed in zip(texts, seeds, strict=True):
            begun = draft(text, seed)
            if not isinstance(begun, Rewrite):
                asked = [piece for one in begun.prose for piece in one.asked]
                drawn = [derive(seed, "prose", number) for number in range(len(asked))]
                begun = finished(begun, self.prose.rewrite(asked, drawn))
            found.append(begun)
            if watch is not None:
                watch(1)
        return found


# Strings, attributes and calls of libraries may not change, so that more stays than of prose;
# what a program means is compared as a program, and encoders are not made for it.
@rewriter(limits=Limits(containment=0.7, run=32, similarity=0.6, facts=False, code=True))
def code(*, rate: Share = 0.6) -> Programs:
    """Rename what is a Python program's own, and rewrite its comments and docstrings.

    Local variables, arguments, nested and private functions and classes get other names,
    made of synonyms and drawn by the seed, one for each old name. Arguments of public
    functions do too: a record is a text to learn from, and whoever calls by keyword is not
    in it; calls inside the record follow. Public names, attributes, imports, strings and all
    behaviour stay, and whatever may be looked up by its name. A record is whole Python: a
    module, a function, a method without its class.

    Args:
        rate: share of the content words of comments and docstrings to exchange.
    """
    return Programs(synonyms(rate=rate))
