"""Where the terminal's words go."""

from rich import markup
from rich.console import Console

from nonmember.report import words

PIPE_WIDTH = 120  # a pipe has no width of its own; the default of 80 would break the tables
out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out = Console(width=PIPE_WIDTH)


def moving(console: Console) -> bool:
    """Whether what is drawn over itself, as a bar is, can be shown: not in a pipe."""
    return console.is_terminal and not console.is_dumb_terminal


def escape(text: str) -> str:
    """Foreign text as it stands: neither Rich nor the terminal finds anything to obey in it."""
    return markup.escape(words.visible(text))
