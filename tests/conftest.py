"""One thread for every test, and the command line as a function."""

from collections.abc import Callable

import pytest
import torch

Say = Callable[..., tuple[int, str, str]]

torch.set_num_threads(1)  # on tiny models, waiting for a second one is all it would do


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Say:
    """Run the command line; returns exit status, standard output, standard error."""
    from nonmember import cli  # not before shapes are checked on import

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nonmember", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capfd.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run
