"""Shards: sorted by content, so that one record more asks little anew."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import sentences, written

from nonmember.audit.jobs import Plan, Query, Train, Write
from nonmember.audit.language import asking, spec, subject
from nonmember.audit.language.plan import plan

Values = Callable[..., dict[str, Any]]


def planned(values: dict[str, Any]) -> Plan:
    return plan(subject.inspect(spec.parse(values, "test")))


def files(folder: Path, members: list[str], others: list[str]) -> dict[str, Any]:
    folder.mkdir()
    return {
        "members": str(written(folder / "in.jsonl", members)),
        "non_members": str(written(folder / "out.jsonl", others)),
        "max_tokens": 24,
    }


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 700, 5000])
def test_shards_cover_every_candidate_once_in_order(count: int) -> None:
    rng = np.random.default_rng(count)
    digests = np.sort(rng.integers(0, 256, (count, 16), dtype=np.uint8).view("S16").ravel())
    shards = asking.shards_of(digests.view(np.uint8).reshape(count, 16), asking.SHARD)
    places = np.concatenate([np.arange(count)[rows] for rows in shards])
    np.testing.assert_array_equal(places, np.arange(count))
    sizes = np.array([rows.stop - rows.start for rows in shards])
    assert (sizes > 0).all()
    if count > asking.SHARD:
        assert sizes.max() <= 1.5 * asking.SHARD and sizes.mean() > asking.SHARD / 3


def test_one_record_more_asks_one_shard_anew(
    values: Values, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SHARD", 8)
    texts = sentences(51, seed=8)
    found = []
    for name, members in (("few", texts[:24]), ("more", texts[:25])):
        data = files(tmp_path / name, members, texts[25:])
        found.append(planned(values(data=data, targets={"m": {"model": str(base)}})))
    few, more = ({job.address for job in one.jobs if isinstance(job, Query)} for one in found)
    extractors = {job.signal.name for job in found[0].jobs if isinstance(job, Query)}
    assert len(few) >= 4 * len(extractors)
    assert len(more - few) == len(extractors)  # each asks the one shard that has grown


def test_the_order_of_a_file_moves_no_address(values: Values, base: Path, tmp_path: Path) -> None:
    texts = sentences(30, seed=9)
    ways = []
    for name, members in (("there", texts[:12]), ("back", texts[11::-1])):
        data = files(tmp_path / name, members, texts[12:])
        ways.append(planned(values(data=data, targets={"m": {"model": str(base)}})))
    assert {j.address for j in ways[0].jobs} == {j.address for j in ways[1].jobs}


def test_options_and_shots_are_part_of_an_address(values: Values) -> None:
    data = {**values()["data"], "known": 4}

    def addresses(**change: Any) -> dict[str, set[str]]:
        given = values(data=data, attacks={"queries": 50}, **change)
        found: dict[str, set[str]] = {}
        for job in planned(given).jobs:
            if isinstance(job, Query):
                found.setdefault(job.signal.name, set()).add(job.address)
        return found

    plain = addresses()
    moved = addresses(signals={"options": {"swaps": {"copies": 2}}})
    assert not plain["swaps"] & moved["swaps"]
    assert all(plain[name] == moved[name] for name in plain.keys() - {"swaps"})
    other = addresses(seed=1)  # another draw of everything, shots among it
    assert not plain["prefix"] & other["prefix"]


def test_the_self_prompted_reference_is_made_from_what_the_target_writes(values: Values) -> None:
    data = {**values()["data"], "known": 4}
    given = values(data=data, attacks={"run": ["spv_mia", "loss"]})
    done: set[str] = set()
    for job in planned(given).jobs:
        if isinstance(job, Query) and "self-prompted" in job.label:
            assert isinstance(job.model, Train) and job.model.address in done
            (material,) = job.model.materials
            assert isinstance(material, Write) and material.address in done
        done.add(job.address)
    assert sum(isinstance(job, Write) for job in planned(given).jobs) == 2  # one per target


def test_known_records_leave_the_evaluation_but_not_the_training(values: Values) -> None:
    data = {**values()["data"], "known": 4}
    found = subject.inspect(spec.parse(values(data=data), "test"))
    known = found.candidates
    assert len(known.known_members) == len(known.known_non_members) == 4
    assert (known.split.member.sum(), (~known.split.member).sum()) == (20, 36)
    evaluated = {record.id for record in known.records}
    aside = {r.id for side in (known.known_members, known.known_non_members) for r in side}
    assert len(aside) == 8 and not aside & evaluated
    (leaky,) = (target for target in found.targets if target.name == "leaky")
    assert len(leaky.training) == 24 and len(leaky.shots) == 4
    trained = {record.id for record in leaky.training.records}
    assert {record.id for record in known.known_members} <= trained


def test_a_known_record_that_shares_thirteen_words_with_another_is_passed_over(
    values: Values, base: Path, tmp_path: Path
) -> None:
    shared = " ".join(f"w{i}" for i in range(13))
    texts = sentences(40, seed=11)
    tainted = [f"{text} {shared}" for text in texts[:2]]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in [*tainted, *texts[2:20]]))
    data = {
        "members": str(path),
        "non_members": str(written(tmp_path / "out.jsonl", texts[20:])),
        "max_tokens": 24,
        "known": 2,
    }
    given = values(data=data, targets={"m": {"model": str(base)}})
    found = subject.inspect(spec.parse(given, "test")).candidates
    assert not [r for r in found.known_members if shared in r.plain()]
