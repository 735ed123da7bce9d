"""Everything that is measured, one suite after another, and the document made of it.

    python benchmarks/bench.py [--only SUITE ...] [--data DIR] [--fashion DIR] [--store DIR]

A suite is a script of this folder that says what it measures and writes results/<name>.json. One
that fails does not keep the others from running; the exit status says so. What needs data that are
not given is left out, by name. Afterwards docs/benchmarks.md is written anew from all results.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import document

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Suite:
    """A script, what it takes of the folders that are given, and what it cannot do without.

    ``alone``: it measures one core, whatever the machine has.
    """

    name: str
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    alone: bool = False


SUITES = (
    Suite("startup"),
    Suite("demo"),
    Suite("null"),
    Suite("null_bounds", alone=True),
    Suite("null_intervals", alone=True),
    Suite("attacks"),
    Suite("suite"),
    Suite("scale"),
    Suite("growth", alone=True),
    Suite("resampling", alone=True),
    Suite("faults", alone=True),
    Suite("fuzz", alone=True),
    Suite("ensemble", alone=True),
    Suite("reference_speed", alone=True),
    Suite("tmi_speed", alone=True),
    Suite("adapters"),
    Suite("canaries", alone=True),
    Suite("tmi", ("store",), alone=True),
    Suite("tmi_images", ("data", "store"), ("data",), alone=True),
    Suite("tmi_texts", ("data", "store"), ("data",), alone=True),
    Suite("classifiers", ("data", "store"), alone=True),
    Suite("diffence", ("data", "fashion", "store"), alone=True),
    Suite("soft", ("data", "store"), ("data",)),
)


def main() -> int:
    """Run what was asked for; 0 if all of it ended well."""
    asked = _arguments()
    chosen = [one for one in SUITES if not asked.only or one.name in asked.only]
    if asked.list:
        print("\n".join(one.name for one in chosen))
        return 0
    given = {
        name: Path(folder) for name in ("data", "fashion", "store") if (folder := vars(asked)[name])
    }
    failed = [one.name for one in chosen if not _done(one, given)]
    document.write()
    if failed:
        print(f"failed, or left out: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    names = [one.name for one in SUITES]
    parser.add_argument("--only", nargs="+", action="extend", choices=names, metavar="SUITE")
    parser.add_argument("--data", help="holds what the suites say that they need")
    parser.add_argument("--fashion", help="holds Fashion-MNIST's four files")
    parser.add_argument("--store", default="runs/bench", help="where what is trained is kept")
    parser.add_argument("--list", action="store_true", help="only name the suites")
    return parser.parse_args()


def _done(suite: Suite, given: dict[str, Path]) -> bool:
    """Whether a suite ran, and ended well."""
    missing = [name for name in suite.needs if name not in given]
    if missing:
        print(f"{suite.name}: left out, as it needs --{' and --'.join(missing)}", flush=True)
        return False
    command = [sys.executable, str(HERE / f"{suite.name}.py"), *_folders(suite, given)]
    threads = {"OMP_NUM_THREADS": "1"} if suite.alone else {}
    start = time.perf_counter()
    status = subprocess.run(command, env={**os.environ, **threads}, check=False).returncode
    print(f"{suite.name}: status {status}, {time.perf_counter() - start:.0f} s", flush=True)
    return status == 0


def _folders(suite: Suite, given: dict[str, Path]) -> Sequence[str]:
    named = ((name, given[name]) for name in suite.takes if name in given)
    return [word for name, folder in named for word in (f"--{name}", str(folder))]


if __name__ == "__main__":
    sys.exit(main())
