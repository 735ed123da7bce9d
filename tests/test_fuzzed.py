"""Whatever stands in a file, a spec or a run folder: read, or refused in one sentence.

Contents begin as good ones of their form and are then damaged, so that most of what is tried
reaches the inner parts of a reader.
"""

import io
import json
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report import sample, sample_classifier

from nonmember.audit import kinds, records
from nonmember.audit.records import Results
from nonmember.console import results as told
from nonmember.data import labelled, texts
from nonmember.errors import NonmemberError
from nonmember.report import card, index, page
from nonmember.report.gate import conditions, outcomes
from nonmember.report.junit import junit
from nonmember.report.markdown import annexed
from nonmember.report.sarif import sarif

FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LINES = "".join(json.dumps({"text": f"record {i}", "group": i // 2}) + "\n" for i in range(6))
CHAT = json.dumps(
    {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
)
LABELLED = "".join(f"{i / 7},{1 - i / 7},{i % 2}\n" for i in range(6))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
DAMAGES = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(["cut", "flip", "put", "twice"]), st.binary(max_size=6)
    ),
    max_size=4,
)


def parquet() -> bytes:
    file = io.BytesIO()
    table = pa.table({"a": [0.1, 0.9, 0.5], "b": [0.9, 0.1, 0.5], "label": [0, 1, 1]})
    pq.write_table(table, file)
    return file.getvalue()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.ones((4, 3), dtype=np.float32), y=np.array([0, 1, 0, 1]))
    return file.getvalue()


def damaged(content: bytes, damages: list[tuple[float, str, bytes]]) -> bytes:
    """A content with some bytes changed, put in, cut off, or said twice."""
    for share, how, other in damages:
        place = int(share * len(content))
        match how:
            case "cut":
                content = content[:place]
            case "flip":
                content = content[:place] + other + content[place + len(other) :]
            case "put":
                content = content[:place] + other + content[place:]
            case "twice":
                content = content[:place] + content[max(0, place - 40) :]
    return content


def read_or_refused(read: Callable[[], Any]) -> Any:
    """What is read, or None if it was refused in one sentence without line breaks or controls."""
    try:
        return read()
    except NonmemberError as refused:
        told = str(refused)
        assert told
        assert told.isprintable(), repr(told)
        return None


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("r.jsonl", LINES.encode()),
        ("r.jsonl", (CHAT + "\n").encode() * 3),
        ("r.csv", b"text,group\nfirst,1\nsecond,2\n"),
        ("r.parquet", parquet()),
        ("r.jsonl.gz", b"\x1f\x8b\x08\x00" + LINES.encode()),
        ("r.xz", LINES.encode()),
    ],
)
@FEW
@given(damages=DAMAGES)
def test_records(name: str, good: bytes, tmp_path: Path, damages: Any) -> None:
    (tmp_path / name).write_bytes(damaged(good, damages))
    found = read_or_refused(lambda: [*texts.read(tmp_path / name)])
    assert found is None or all(one.id for one in found)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("m.npz", arrays()),
        ("m.csv", b"a,b,label\n" + LABELLED.encode()),
        ("m.parquet", parquet()),
        ("m.jsonl", b'{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n'),
    ],
)
@FEW
@given(damages=DAMAGES)
def test_labelled_examples(name: str, good: bytes, tmp_path: Path, damages: Any) -> None:
    (tmp_path / name).write_bytes(damaged(good, damages))
    found = read_or_refused(lambda: labelled.read(tmp_path / name))
    if found is not None:
        assert len(found.inputs) == len(found.labels) and (found.labels >= 0).all()


@pytest.fixture(scope="module")
def results_json() -> dict[str, Any]:
    """A run's results as they stand in its file."""
    return json.loads(records.dump(sample.results(sample.leaky(), sample.clean())))


SPECS = ["demo.toml", "transfer.toml", "fence.toml"]


@pytest.mark.parametrize("name", SPECS)
@FEW
@given(damages=DAMAGES)
def test_spec_files(name: str, tmp_path: Path, damages: Any) -> None:
    good = resources.files("nonmember").joinpath(name).read_bytes()
    (tmp_path / "spec.toml").write_bytes(damaged(good, damages))
    read_or_refused(lambda: kinds.read(tmp_path / "spec.toml"))


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything that stands in nested values."""
    keys = (
        range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    )
    return [(*at, key) for key in keys] + [
        way for key in keys for way in places(value[key], (*at, key))
    ]


def put(values: Any, way: tuple[Any, ...], other: Any) -> Any:
    """Nested values with something else at a place."""
    if not way:
        return other
    copy = [*values] if isinstance(values, list) else {**values}
    copy[way[0]] = put(values[way[0]], way[1:], other)
    return copy


@pytest.mark.parametrize("name", SPECS)
@FEW
@given(data=st.data())
def test_specs_with_other_values(name: str, data: Any) -> None:
    values = tomllib.loads(resources.files("nonmember").joinpath(name).read_text(encoding="utf-8"))
    way = data.draw(st.sampled_from(places(values)))
    changed = put(values, way, data.draw(VALUES))
    read_or_refused(lambda: kinds.parse(changed, "spec"))


@FEW
@given(data=st.data())
def test_results_with_other_values(results_json: dict[str, Any], tmp_path: Path, data: Any) -> None:
    way = data.draw(st.sampled_from(places(results_json)))
    changed = put(results_json, way, data.draw(VALUES))
    (tmp_path / "results.json").write_text(json.dumps(changed), encoding="utf-8")
    read_or_refused(lambda: records.load(tmp_path))


ODD = VALUES | st.sampled_from(
    ["NaN", "Infinity", "-Infinity", -1, -0.5, 1.5, 0, 1e308, 10**19, [], {}, ""]
)
"""Numbers as results.json has those that are not finite, and what no figure can be."""
CONDITIONS = ("auc ci_high > 0.5", "tpr@fpr=0.01 ci_low > 0.05", "gap > 0.1", "epsilon ci_low > 1")


def kept_small(target: dict[str, Any]) -> dict[str, Any]:
    """A target whose attacks have curves of three points, and histograms of two bins."""
    drawn = {
        "curve": {"fpr": [0.0, 0.1, 1.0], "tpr": [0.0, 0.6, 1.0]},
        "histogram": {"edges": [0.0, 1.0, 2.0], "members": [20, 180], "non_members": [150, 50]},
    }
    return {**target, "attacks": [{**one, **drawn} for one in target["attacks"]]}


def said_in_every_way(found: Results) -> None:
    """What every command makes of a run's results."""
    page.render(found)
    index.render({"run": found}, broken={}, links={})
    annexed(found)
    for target in found.targets:
        card.section(found, target, "0" * 64)
        card.metadata(found, target)
    told.shown(found)
    judged = outcomes.judge([conditions.parse(one) for one in CONDITIONS], found)
    junit(judged, found.title)
    sarif(found, judged, "results.json")


@pytest.fixture(scope="module", params=["language", "classifier", "claimed"])
def small_results(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Results of two attacks on one target, with as few numbers as may be."""
    found = {
        "language": sample.results(sample.soft()),
        "classifier": sample_classifier.results(),
        "claimed": sample.results(sample.claimed(refuted=True)),
    }[request.param]
    (target, *_) = found.targets
    small = replace(found, targets=(replace(target, attacks=target.attacks[:2]),))
    values = json.loads(records.dump(small))
    return {**values, "targets": [kept_small(one) for one in values["targets"]]}


@settings(FEW, max_examples=25)
@given(data=st.data())
def test_results_that_are_read_can_be_shown(
    small_results: dict[str, Any], tmp_path: Path, data: Any
) -> None:
    way = data.draw(st.sampled_from(places(small_results)))
    changed = put(small_results, way, data.draw(ODD))
    (tmp_path / "results.json").write_text(json.dumps(changed), encoding="utf-8")
    found = read_or_refused(lambda: records.load(tmp_path))
    if found is not None:
        read_or_refused(lambda: said_in_every_way(found))


@FEW
@given(damages=DAMAGES)
def test_damaged_results(results_json: dict[str, Any], tmp_path: Path, damages: Any) -> None:
    (tmp_path / "results.json").write_bytes(damaged(json.dumps(results_json).encode(), damages))
    read_or_refused(lambda: records.load(tmp_path))
