"""Seconds until the command line answers, and until the package is imported.

    python benchmarks/startup.py [--times 9]

`nonmember --help` and `--version`, `nonmember list attacks`, which imports every attack, and Python
alone with `import nonmember`, each in a process of its own, by turns; Python that does nothing
stands beside them. Under half a second is asked of `--help`. The first run of each is not counted:
it reads files that the system then remembers. Writes benchmarks/results/startup.json.
"""

import argparse
import subprocess
import sys
from functools import partial

from machine import interleaved, keep, ratios, spread

COMMAND = (sys.executable, "-m", "nonmember")
WAYS = {
    "--help": (*COMMAND, "--help"),
    "--version": (*COMMAND, "--version"),
    "list attacks": (*COMMAND, "list", "attacks"),
    "import nonmember": (sys.executable, "-c", "import nonmember"),
    "python alone": (sys.executable, "-c", ""),
}
ASKED = 0.5  # seconds of --help


def main() -> None:
    """Measure each way in turns and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=9, help="turns")
    times = parser.parse_args().times
    ways = {name: partial(_run, command) for name, command in WAYS.items()}
    seconds = {name: taken[1:] for name, taken in interleaved(ways, times + 1).items()}
    found = {name: {"seconds": spread(taken)} for name, taken in seconds.items()}
    for name in ("--help", "--version", "import nonmember"):
        found[name]["times python alone"] = ratios(seconds[name], seconds["python alone"])
    keep("startup", "ways", {**found, "seconds asked of --help": ASKED, "turns": times})


def _run(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
