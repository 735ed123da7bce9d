"""Readers of files that others wrote, under a fuzzer that follows which code it reaches.

    python benchmarks/fuzz.py [--minutes 0.5] [--only READER ...]

Each reader is fuzzed in a process of its own by Atheris (libFuzzer), from good files on; only
`nonmember` is instrumented, not what is below it. A finding is an exception that is not one of the
project's own, one of them whose message is not one printable line, or a process that dies, hangs,
or holds more than 2 GiB. Archives are packed anew around what is changed inside them, as a wrong
checksum would end each try. Needs Atheris, which no extra brings: pip install atheris. Writes
benchmarks/results/fuzz.json.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import RESULTS, keep, rounded

LIMITS = ("-rss_limit_mb=2048", "-timeout=30", "-max_len=65536", "-print_final_stats=0")
SHOWN = 5  # findings of a reader that are kept


def fuzzed(name: str, folder: Path, seconds: int) -> dict[str, Any]:
    """One reader, in a process of its own."""
    asked = [sys.executable, __file__, "--reader", name, str(folder), str(seconds)]
    start = time.perf_counter()
    told = subprocess.run(asked, capture_output=True, text=True, errors="replace", check=False)
    lines = (line.removeprefix("FOUND ") for line in told.stdout.splitlines())
    found = sorted({line for line in lines if line.startswith("{")})
    if told.returncode:
        found.append(json.dumps({"process": told.stderr.strip().splitlines()[-1:]}))
    runs = re.findall(r"Done (\d+) runs", told.stderr)
    reached = re.findall(r"cov: (\d+)", told.stderr)
    return {
        "executions": int(runs[-1]) if runs else 0,
        "places in the code at first": int(reached[0]) if reached else 0,
        "places in the code at last": int(reached[-1]) if reached else 0,
        "seconds": rounded(time.perf_counter() - start),
        "findings": len(found),
        "first findings": [json.loads(one) for one in found[:SHOWN]],
    }


def together(names: Iterable[str]) -> dict[str, int]:
    """Over all readers, as each was fuzzed last."""
    kept = json.loads((RESULTS / "fuzz.json").read_text(encoding="utf-8"))
    parts = [kept[name] for name in names if name in kept]
    sums = {what: sum(part[what] for part in parts) for what in ("executions", "findings")}
    return {"readers": len(parts), **sums}


def one_reader(name: str, folder: Path, seconds: int) -> None:
    """Fuzz until the time is over; tells each finding on a line of its own."""
    import atheris

    with atheris.instrument_imports(include=["nonmember"]):
        from fuzz_readers import READERS

        from nonmember.errors import NonmemberError
    reader, corpus, known = READERS[name], folder / "corpus", set[str]()
    corpus.mkdir(parents=True)
    for number, seed in enumerate(reader.seeds(folder)):
        (corpus / str(number)).write_bytes(seed)

    def attempt(content: bytes) -> None:
        try:
            reader.read(reader.put(folder, content))
        except NonmemberError as refused:
            if str(refused) and str(refused).isprintable():
                return
            error: BaseException = refused
        except Exception as other:  # that is what is looked for
            error = other
        else:
            return
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        if what not in known:
            known.add(what)
            told = {"what": what, "message": str(error)[:200], "content": repr(content[:2000])}
            print("FOUND " + json.dumps(told), flush=True)

    options = [*LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], attempt)
    atheris.Fuzz()


def main() -> None:
    """Fuzz the readers that were asked for, one after another."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0.5, help="for each reader")
    parser.add_argument("--only", nargs="+", metavar="READER")
    parser.add_argument("--reader", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reader:
        one_reader(given.reader[0], Path(given.reader[1]), int(given.reader[2]))
        return
    if find_spec("atheris") is None:
        parser.error("Atheris is not installed; pip install atheris")
    from fuzz_readers import READERS  # not before: what is imported already is not instrumented

    with tempfile.TemporaryDirectory() as place:
        for name in given.only or READERS:
            found = fuzzed(name, Path(place) / name.replace(" ", "-"), round(60 * given.minutes))
            keep("fuzz", name, found)
    keep("fuzz", "all", together(READERS))


if __name__ == "__main__":
    main()
