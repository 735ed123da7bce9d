"""Finished runs against each other: paired where the records are the same, and said where not."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import finished
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from report.reader import Reader, prose, shown
from report.test_page import HOSTILE

import nonmember as nm
from nonmember.audit import between, manifest
from nonmember.errors import RunError
from nonmember.evaluation.paired import unpaired

Say = Callable[..., tuple[int, str, str]]
N = 100


def run(
    place: Path,
    leaks: dict[str, float],
    *,
    seed: int = 0,
    n: int = N,
    **change: Any,
) -> Path:
    """The folder of a run whose targets leak so much."""
    split = finished.split(n)
    sides = [
        finished.side(name, finished.scores(n, leak, seed=seed), split)
        for name, leak in leaks.items()
    ]
    return finished.folder(place, sides, split, **change)


def with_column(folder: Path, name: str, values: Sequence[Any] | None) -> Path:
    """The same with a column of the private file replaced, or without it."""
    table = pq.read_table(folder / finished.PARQUET)
    place = table.column_names.index(name)
    table = table.remove_column(place)
    if values is not None:
        table = table.add_column(place, name, pa.array(values))
    pq.write_table(table, folder / finished.PARQUET)
    return folder


def test_the_same_records_in_another_order_are_paired(tmp_path: Path) -> None:
    first = run(tmp_path / "before", {"model": 1.5})
    order = np.random.default_rng(0).permutation(2 * N)
    second = run(tmp_path / "after", {"model": 0.2}, order=order)
    (one,) = nm.compare(first, second).beside
    assert one.paired and (one.common, one.records) == (2 * N, (2 * N, 2 * N))
    found = one.differences[0]
    assert (found.target, found.against) == ("after: model", "before: model")
    assert found.simultaneous.high < 0 and found.adjusted is not None and found.adjusted < 0.01
    straight = run(tmp_path / "straight" / "after", {"model": 0.2})
    assert nm.compare(first, straight).beside[0].differences == one.differences


def test_a_run_and_its_copy_differ_by_exactly_nothing(tmp_path: Path) -> None:
    first = run(tmp_path / "one", {"a": 1.0, "b": 0.3})
    shutil.copytree(first, tmp_path / "two")
    (one,) = nm.compare(first, tmp_path / "two").beside
    assert [found.target for found in one.differences[::2]] == ["two: a", "two: b"]
    for found in one.differences:
        assert found.change.value == 0 and (found.p_value, found.adjusted) == (1.0, 1.0)


def test_more_runs_are_each_held_against_the_first_and_all_at_once(tmp_path: Path) -> None:
    leaks = {"one": 1.4, "two": 0.7, "three": 0.1}
    folders = [run(tmp_path / name, {"model": leak}) for name, leak in leaks.items()]
    found = nm.compare(*folders)
    assert [(one.first, one.second) for one in found.beside] == [("one", "two"), ("one", "three")]
    assert {one.among for each in found.beside for one in each.differences} == {2 * 9 * 2}
    assert [len(each.differences) for each in found.beside] == [2, 2]


def test_targets_are_met_by_name_and_those_alone_are_told(tmp_path: Path) -> None:
    first = run(tmp_path / "one", {"model": 1.0, "control": 0.1})
    second = run(tmp_path / "two", {"model": 0.5, "other": 0.2})
    (one,) = nm.compare(first, second).beside
    assert {found.target for found in one.differences} == {"two: model"}
    assert one.alone == ("one: control", "two: other")
    single = [run(tmp_path / "x" / name, {name: 0.5}) for name in ("p", "q")]
    assert nm.compare(*single).beside[0].differences[0].target == "q: q"
    with pytest.raises(RunError, match="no target of the same name"):
        nm.compare(first, run(tmp_path / "three", {"else": 0.5, "more": 0.1}))


def test_records_that_are_partly_others_are_not_paired_and_it_is_said(
    tmp_path: Path, say: Say
) -> None:
    first = run(tmp_path / "one", {"model": 1.5})
    ids = [f"secret-id-{i}" if i % 2 else f"other {i}" for i in range(2 * N)]
    second = run(tmp_path / "two", {"model": 0.2}, keys={"record": ids})
    (one,) = nm.compare(first, second, output=tmp_path).beside
    assert not one.paired and one.common == N
    found = one.differences[0]
    assert (found.p_value, found.adjusted) == (None, None)
    assert found.change == unpaired(found.first, found.second)
    told = shown((tmp_path / "compare.html").read_text())
    assert f"Not paired: {N} records are in both, of {2 * N} and {2 * N}" in told
    status, out, _ = say("compare", first, second, "-o", tmp_path)
    assert status == 0 and f"Not paired: {N} records are in both" in out and "not paired" in out
    other = run(tmp_path / "three", {"model": 0.2}, keys={"record": ids}, level=0.9)
    (again,) = nm.compare(first, other).beside
    assert [one.change for one in again.differences] == [one.change for one in one.differences]


def test_unpaired_differences_hold_for_all_at_once(tmp_path: Path) -> None:
    first = run(tmp_path / "one", {"a": 1.0, "b": 1.0})
    other = run(tmp_path / "two", {"a": 0.6, "b": 0.6}, **elsewhere())
    same = run(tmp_path / "three", {"a": 0.8, "b": 0.8})
    apart, paired = nm.compare(first, other, same, output=tmp_path).beside
    assert not apart.paired and paired.paired
    every = 2 * 2 * 9 * 2  # runs, targets, attacks on the one by attacks on the other, figures
    for found in (*apart.differences, *paired.differences):
        assert found.among == every
        assert found.simultaneous.level == pytest.approx(1 - 0.05 / every)
        assert found.simultaneous.low < found.change.low < found.change.high
        assert found.change.high < found.simultaneous.high
    assert shown((tmp_path / "compare.html").read_text()).count(f"all {every} comparisons") == 2


def elsewhere() -> dict[str, Any]:
    """Half of the records are others'."""
    names = [i if i % 2 else 2 * N + i for i in range(2 * N)]
    return {
        "keys": {
            "record": [f"secret-id-{i}" for i in names],
            "digest": [f"{i:032x}" for i in names],
        }
    }


@pytest.mark.parametrize("moved", [0, 1, 40])
def test_records_that_changed_sides_may_undo_each_other_and_it_is_said(
    tmp_path: Path, say: Say, moved: int
) -> None:
    """As many members as non-members change sides, under other names."""
    first = run(tmp_path / "one", {"model": 1.0})
    places = list(range(2 * N))
    places[:moved], places[N : N + moved] = places[N : N + moved], places[:moved]
    digests = [f"{i:032x}" for i in places]
    names = [f"new {i}" if i % 2 else f"secret-id-{i}" for i in range(2 * N)]
    second = run(tmp_path / "two", {"model": 0.5}, keys={"record": names, "digest": digests})
    (one,) = nm.compare(first, second, output=tmp_path).beside
    assert (one.paired, one.moved) == (False, 2 * moved)
    found = one.differences[0]
    arms = found.change.value - found.change.low
    added = found.first.high - found.first.value + found.second.value - found.second.low
    assert (arms == pytest.approx(added)) == bool(moved) and arms <= added + 1e-9
    told = shown((tmp_path / "compare.html").read_text())
    _, out, _ = say("compare", first, second, "-o", tmp_path)
    assert (f"{2 * moved} more are members in one run and not in the other" in told) == bool(moved)
    assert ("The runs are taken as independent." in told) == (not moved)
    assert (f"{2 * moved} more are on another side" in out) == bool(moved)


def test_groups_of_either_run_keep_records_together(tmp_path: Path) -> None:
    """Swapping the runs only turns signs round; only one of them has groups."""
    pairs = np.arange(2 * N) // 2
    folders = [
        with_column(run(tmp_path / name, {"model": leak}), "group", groups.tolist())
        for name, leak, groups in (("a", 1.2, pairs), ("b", 0.6, np.arange(2 * N)))
    ]
    there, back = (nm.compare(*one).beside[0].differences for one in (folders, folders[::-1]))
    for one, other in zip(there, back, strict=True):
        assert (one.first, one.second) == (other.second, other.first)
        assert one.p_value == pytest.approx(other.p_value)
        assert one.change.low == pytest.approx(-other.change.high)
        assert one.simultaneous.high == pytest.approx(-other.simultaneous.low)
    with_column(folders[0], "group", list(range(2 * N)))
    assert nm.compare(*folders).beside[0].differences[0].change != there[0].change


def test_the_join_of_two_groupings_by_hand() -> None:
    np.testing.assert_array_equal(
        between._joined(np.array([0, 0, 1, 1, 2, 3]), np.array([5, 6, 6, 7, 8, 9])),
        [0, 0, 0, 0, 1, 2],
    )


def test_runs_of_one_name_are_told_apart_without_where_they_are(tmp_path: Path) -> None:
    places = [tmp_path / "one" / "run", tmp_path / "two" / "run", tmp_path / "two" / "run" / "x"]
    runs = [run(place, {"model": 0.5 * i}) for i, place in enumerate(places)]
    found = nm.compare(*runs, output=tmp_path)
    assert [*found.runs] == ["one/run", "two/run", "two/run/x"]
    assert str(tmp_path) not in (tmp_path / "compare.html").read_text()


def test_the_page_and_the_terminal_say_the_same_and_nothing_private(
    tmp_path: Path, say: Say
) -> None:
    first, second = (run(tmp_path / name, {"model": leak}) for name, leak in (("a", 1.5), ("b", 0)))
    status, out, err = say("compare", first, second, "-o", tmp_path / "new" / "folder")
    page = (tmp_path / "new" / "folder" / "compare.html").read_text()
    assert (status, err) == (0, "") and "b beside a" in out and "p < 0.001" in out
    assert "The same 200 records" in shown(page) and "p < 0.001" in shown(page)
    assert "secret-id" not in page + out
    assert not {"script", "link", "iframe", "img"} & Reader(page).tags() and Reader(page).open == []
    status, out, _ = say("compare", first, second, "-o", tmp_path, "--json")
    told = json.loads(out)
    assert status == 0 and told["compared"][0]["differences"][0]["target"] == "b: model"


def test_hostile_names_do_nothing(tmp_path: Path) -> None:
    first = run(tmp_path / "<script>x", {HOSTILE: 1.0}, title=HOSTILE, created=HOSTILE)
    second = run(tmp_path / "\x1b[31m", {HOSTILE: 0.5}, title=HOSTILE)
    nm.compare(first, second, output=tmp_path)
    page = (tmp_path / "compare.html").read_text()
    assert not {"script", "img"} & Reader(page).tags() and "\x1b" not in page
    assert "<script>x" in prose(shown(page))


def test_a_folder_named_to_command_a_terminal_does_not(tmp_path: Path, say: Say) -> None:
    place = tmp_path / "\x1b[2J\x1b]0;owned\x07"
    first = run(place / "a", {"model": 1.0})
    second = run(place / "b\x1b[31m", {"model": 0.5})
    (first / "spec.json").write_text("{}")
    manifest.write(first)
    for words in (
        ["compare", first, second, "-o", place],
        ["report", first],
        ["export", first, "--annex", place / "annex.md"],
        ["verify", second],
        ["gate", place, "--fail-if", "auc > 0.9"],
    ):
        _, out, err = say(*words)
        assert out + err and not {"\x1b", "\x07"} & {*out, *err}, words


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, say: Say) -> None:
    first = run(tmp_path / "one", {"model": 1.0})
    other = run(tmp_path / "other", {"model": 1.0}, kind="transfer")
    digests = run(tmp_path / "edited", {"model": 1.0}, keys={"digest": ["f"] * 2 * N})
    member = ~finished.split(N).member
    moved = with_column(run(tmp_path / "moved", {"model": 1.0}), "member", member.tolist())
    (tmp_path / "file").write_text("x")
    for runs, said in (
        ([first], "give two or more"),
        ([first, tmp_path / "one" / ".." / "one"], "given twice"),
        ([first, other], "kind transfer, and .* of classifier"),
        ([first, digests], "none is in both; compare runs of the same records"),
        ([first, moved], "200 are in both, but on the other side"),
        ([first, tmp_path / "absent"], "no results.json here"),
    ):
        with pytest.raises(RunError, match=said):
            nm.compare(*runs)
    with pytest.raises(RunError, match="is a file; give a folder"):
        nm.compare(first, other, output=tmp_path / "file")
    status, out, err = say("compare", first)
    assert (status, out) == (2, "") and err.startswith("error: ") and err.count("\n") == 1


def test_damaged_shared_and_newer_runs_are_told_apart(tmp_path: Path) -> None:
    first = run(tmp_path / "one", {"model": 1.0})

    def copy(name: str) -> Path:
        return Path(shutil.copytree(first, tmp_path / name))

    shared, cut, newer = copy("shared"), copy("cut"), copy("newer")
    shutil.rmtree(shared / "private")
    (cut / finished.PARQUET).write_bytes((cut / finished.PARQUET).read_bytes()[:200])
    values = json.loads((newer / "results.json").read_text())
    (newer / "results.json").write_text(json.dumps({**values, "schema": 999}))
    older = with_column(copy("older"), "digest", None)
    fewer = with_column(copy("fewer"), "model.loss", None)
    holes = with_column(copy("holes"), "member", [None, *[True] * (2 * N - 1)])
    words = with_column(copy("words"), "model.loss", ["x"] * 2 * N)
    for folder, said in (
        (shared, "without the private scores"),
        (cut, "cannot be read .*run the audit again"),
        (newer, "schema 999 is newer"),
        (older, "lacks digest; run the audit again"),
        (fewer, "lacks model.loss"),
        (holes, "lacks some of its values"),
        (words, "cannot be read"),
    ):
        with pytest.raises(RunError, match=said) as caught:
            nm.compare(first, folder)
        assert "secret-id" not in str(caught.value)


def test_records_that_results_do_not_count_are_refused(tmp_path: Path) -> None:
    first = run(tmp_path / "one", {"model": 1.0})
    for name, rows in (("none", 0), ("some", 2 * N - 1)):
        other = Path(shutil.copytree(first, tmp_path / name))
        table = pq.read_table(other / finished.PARQUET)
        pq.write_table(table.slice(0, rows), other / finished.PARQUET)
        with pytest.raises(RunError, match=f"has {rows} records.*run the audit again"):
            nm.compare(first, other)


def test_no_page_is_written_into_a_run(tmp_path: Path) -> None:
    first, other = (run(tmp_path / name, {"model": 1.0}) for name in ("one", "two"))
    for place in (first, other, other / "pages"):
        with pytest.raises(RunError, match="is in the run"):
            nm.compare(first, other, output=place)
    assert not (other / "pages").exists() and not (first / "compare.html").exists()
