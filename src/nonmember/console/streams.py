"""Where the terminal's words go."""

from rich.console import Console

PIPE_WIDTH = 120  # a pipe has no width of its own; the default of 80 would break the tables
out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out = Console(width=PIPE_WIDTH)


def moving(console: Console) -> bool:
    """Whether what is drawn over itself, as a bar is, can be shown: not in a pipe."""
    return console.is_terminal and not console.is_dumb_terminal
