"""What is trained on is what was decided: token by token, and record by record in the ledger."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shuffling
import tiny
from files import sentences, written
from shuffling import STUBBORN, Shuffler, defended, made, planned, soft

from nonmember.audit import engine
from nonmember.audit.defended import ledger, protecting
from nonmember.audit.engines import work
from nonmember.audit.jobs import Plan, Protect
from nonmember.data.records import Completion, Record, digest_of
from nonmember.errors import RunError
from nonmember.models.text import Encoded, encode
from nonmember.rewriting.attempts import seed_of
from nonmember.signals.store import Store
from nonmember.training import finetune

Values = Callable[..., dict[str, Any]]
Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def protect(todo: Plan) -> Protect:
    (found,) = (job for job in todo.jobs if isinstance(job, Protect))
    return found


def rows_of(store: Store, job: Protect) -> Rows:
    found: Rows = ledger.table(store.folder(job.address) / ledger.LEDGER).to_pylist()
    return found


def carried_out(values: dict[str, Any], store: Store) -> tuple[Protect, Rows]:
    """The only protection of a plan, and its ledger."""
    todo = planned(values)
    made(todo, store)
    job = protect(todo)
    return job, rows_of(store, job)


def files(folder: Path, members: list[str]) -> dict[str, Any]:
    return {
        "members": str(written(folder / "in.jsonl", members)),
        "non_members": str(written(folder / "out.jsonl", sentences(40, seed=77))),
        "max_tokens": 24,
    }


# What reaches the updates


def trained_on(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The token ids of all that a loss is taken of, as it comes."""
    seen: list[tuple[int, ...]] = []
    plain = finetune.token_loss

    def spied(network: Any, device: Any) -> Any:
        loss = plain(network, device)

        def listening(chosen: Sequence[Encoded]) -> Any:
            seen.extend(tuple(one.ids.tolist()) for one in chosen)
            return loss(chosen)

        return listening

    monkeypatch.setattr(finetune, "token_loss", spied)
    return seen


def expected(job: Protect, rows: Rows) -> Counter[tuple[int, ...]]:
    """The token ids of each record as its role has it, by the rewriter itself."""
    contents = []
    for record, row in zip(job.records, rows, strict=True):
        text = str(record.content)
        if row["role"] == "rewritten":
            seed = seed_of(job.secret, text, row["attempts"] - 1)
            text = str(Shuffler().rewrite([text], [seed])[0].text)
        contents.append(text)
    encoded = encode(
        job.encoded.tokenizer, [Record("", text) for text in contents], job.encoded.form
    )
    return Counter(tuple(one.ids.tolist()) for one in encoded)


@pytest.mark.parametrize(("how", "epochs"), [("restart", 3), ("continue", 2)])
def test_what_was_decided_reaches_every_epoch_after_the_warm_up(
    values: Values,
    base: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    epochs: int,
) -> None:
    seen = trained_on(monkeypatch)
    job, rows = carried_out(defended(values, base, half=[soft(after_warmup=how)]), store)
    assert Counter(row["role"] for row in rows) == {"raw": 12, "rewritten": 12}
    mixture = expected(job, rows)
    raw = Counter(tuple(one.ids.tolist()) for one in job.encoded)
    assert mixture.total() == raw.total() == 24 and (mixture & raw).total() == 12
    passes = [Counter(seen[start : start + 24]) for start in range(0, len(seen), 24)]
    assert passes == [raw, *[mixture] * epochs]


def test_rewrites_are_cut_as_their_originals_are(
    values: Values, base: Path, store: Store, tmp_path: Path
) -> None:
    long = [f"{text} and so it went on and on" for text in sentences(24, seed=3)]
    data = {**files(tmp_path, long), "max_tokens": 20}
    todo = planned({**defended(values, base, whole=[soft(1.0)]), "data": data})
    made(todo, store)
    job = protect(todo)
    found = work._material(job, store)
    assert [len(one.ids) for one in found] == [20] * 24
    assert Counter(tuple(one.ids.tolist()) for one in found) == expected(job, rows_of(store, job))


def test_another_material_than_was_planned_ends_the_run(
    values: Values, base: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = planned(defended(values, base, half=[soft(selector="random")]))
    plain = work.fine_tune

    def swapped(base: Any, material: Any, *given: Any, **settings: Any) -> Any:
        raw = replace(material, epochs=(todo.trained["half"].materials[0].encoded,))
        return plain(base, raw, *given, **settings)

    monkeypatch.setattr(work, "fine_tune", swapped)
    with pytest.raises(RunError, match="was not trained on what was planned; this is a defect"):
        made(todo, store)
    assert not store.has(todo.trained["half"].address)


# The ledger


def test_the_most_exposed_are_rewritten_and_each_by_its_own_rewrite(
    values: Values, base: Path, store: Store
) -> None:
    job, rows = carried_out(defended(values, base, some=[soft(0.3)]), store)
    assert [row["record"] for row in rows] == [record.id for record in job.records]
    by_exposure = sorted(rows, key=lambda row: -row["exposure"])
    assert [row["role"] for row in by_exposure] == ["rewritten"] * 7 + ["raw"] * 17
    left = protecting.trained(store.folder(job.address))
    assert [one.id for one in left] == [one.id for one in job.records]
    for old, new, row in zip(job.records, left, rows, strict=True):
        assert sorted(old.plain().split()) == sorted(new.plain().split())  # its own words
        assert (old.content != new.content) == (row["role"] == "rewritten")
        assert row["defense"] == ("soft" if row["role"] == "rewritten" else "")


def test_the_ledger_has_hashes_of_what_was_and_of_what_is_trained_on(
    values: Values, base: Path, store: Store
) -> None:
    job, rows = carried_out(defended(values, base, half=[soft()]), store)
    key = ledger.key_of(job.secret)
    left = protecting.trained(store.folder(job.address))
    for old, new, row in zip(job.records, left, rows, strict=True):
        assert row["raw"] == ledger.keyed(key, digest_of(old.content))
        assert row["trained"] == ledger.keyed(key, digest_of(new.content))


def test_measures_and_attempts_are_there_for_what_was_rewritten_only(
    values: Values, base: Path, store: Store
) -> None:
    _, rows = carried_out(defended(values, base, half=[soft()]), store)
    for row in rows:
        assert (row["attempts"] > 0) == (row["role"] == "rewritten") == bool(row["measures"])
        assert not row["measures"] or json.loads(row["measures"])["changed"] is True


def stubborn(folder: Path, count: int = 6) -> dict[str, Any]:
    texts = sentences(24, seed=3)
    return files(folder, [*(f"{text} {STUBBORN}" for text in texts[:count]), *texts[count:]])


def test_records_that_cannot_be_rewritten_are_dropped_and_say_why(
    values: Values, base: Path, store: Store, tmp_path: Path
) -> None:
    given = {**defended(values, base, whole=[soft(1.0)]), "data": stubborn(tmp_path)}
    job, rows = carried_out(given, store)
    dropped = [row for row in rows if row["role"] == "dropped"]
    assert len(dropped) == 6
    for row in dropped:
        assert (row["attempts"], row["why"]) == (4, "nothing in it may change")
        assert row["trained"] is None and row["raw"]
    left = protecting.trained(store.folder(job.address))
    assert len(left) == 18 and not any(STUBBORN in one.plain() for one in left)
    about = store.provenance(job.address)
    assert about["roles"] == {"rewritten": 18, "dropped": 6}
    assert about["rejected"] == {"not rewritten": 6} and about["to rewrite"] == 24


def test_or_kept_as_they_are_and_counted(
    values: Values, base: Path, store: Store, tmp_path: Path
) -> None:
    keep = soft(1.0, rewriter={"on_reject": "keep_raw", "attempts": 2})
    given = {**defended(values, base, whole=[keep]), "data": stubborn(tmp_path)}
    job, rows = carried_out(given, store)
    kept = [row for row in rows if row["role"] == "kept"]
    assert len(kept) == 6 and all(row["raw"] == row["trained"] for row in kept)
    assert {row["attempts"] for row in kept} == {2}
    left = protecting.trained(store.folder(job.address))
    assert sum(STUBBORN in one.plain() for one in left) == 6 and len(left) == 24
    assert store.provenance(job.address)["roles"] == {"rewritten": 18, "kept": 6}


def test_a_gate_that_nothing_passes_leaves_nothing_and_ends_the_run(
    values: Values, base: Path, store: Store
) -> None:
    strict = soft(1.0, rewriter={"limits": {"longest": 0.5, "shortest": 0.4}})
    with pytest.raises(RunError, match="protect whole by soft: none of 24 records is left") as said:
        made(planned(defended(values, base, whole=[strict])), store)
    assert "\n" not in str(said.value) and 'on_reject = "keep_raw"' in str(said.value)


def test_copies_are_dropped_before_any_is_rewritten(
    values: Values, base: Path, store: Store, tmp_path: Path
) -> None:
    texts = sentences(16, seed=3)
    data = files(tmp_path, [*texts, *(f"  {text} " for text in texts[:8])])
    asked = defended(values, base, whole=[{"name": "deduplicate"}, soft(1.0)])
    job, rows = carried_out({**asked, "data": data}, store)
    assert Counter((row["role"], row["defense"]) for row in rows) == {
        ("rewritten", "soft"): 16,
        ("dropped", "deduplicate"): 8,
    }
    left = protecting.trained(store.folder(job.address))
    words = Counter(tuple(sorted(one.plain().split())) for one in left)
    assert set(words.values()) == {1}  # no copy is left raw elsewhere
    about = store.provenance(job.address)
    assert about["by"] == {"deduplicate": {"dropped": 8}, "soft": {"rewritten": 16}}
    assert about["options"] == {"deduplicate": {"ngram": 13, "share": 0.8}, "soft": {"ratio": 1.0}}


def test_the_same_answer_to_another_question_is_no_copy(
    values: Values, base: Path, store: Store, tmp_path: Path
) -> None:
    questions = sentences(16, seed=3)
    rows = [{"prompt": f"{one}?", "completion": " yes" if at % 2 else " no"} for at, one in
            enumerate(questions)]  # fmt: skip
    given = defended(values, base, x=[{"name": "deduplicate"}])
    data = files(tmp_path, [])
    lines = [json.dumps(row) + "\n" for row in [*rows, rows[3]]]
    Path(data["members"]).write_text("".join(lines))
    given["data"] = data
    job, found = carried_out(given, store)
    assert Counter(row["role"] for row in found) == {"raw": 16, "dropped": 1}
    left = {one.content for one in protecting.trained(store.folder(job.address))}
    assert left == {Completion(row["prompt"], row["completion"]) for row in rows}


def test_chats_with_a_long_prompt_in_common_are_no_copies(
    values: Values, store: Store, tmp_path: Path
) -> None:
    base = tiny.llama(tmp_path / "long", max_position_embeddings=4096)
    system = {"role": "system", "content": "you are the one who knows " * 20}
    rows = [
        [system, {"role": "user", "content": one}, {"role": "assistant", "content": f"{one} so"}]
        for one in sentences(12, seed=3)
    ]
    long = {"role": "assistant", "content": " ".join(sentences(3, seed=4))}
    rows += [[system, {"role": "user", "content": word}, long] for word in ("why", "how")]
    given = defended(values, base, x=[{"name": "deduplicate"}])
    given["data"] = data = {**files(tmp_path, []), "max_tokens": 4096}
    lines = [json.dumps({"messages": row}) + "\n" for row in rows]
    Path(data["members"]).write_text("".join(lines))
    job = protect(planned(given))
    engine.run([job], store, lambda *_: None)
    roles = Counter(row["role"] for row in rows_of(store, job))
    assert roles == {"raw": 13, "dropped": 1}  # the long answer


def test_left_out_alone_nothing_is_rewritten(
    values: Values, base: Path, store: Store, shuffler: Shuffler
) -> None:
    asked = {"name": "drop_influential", "options": {"ratio": 0.25}}
    job, rows = carried_out(defended(values, base, some=[asked]), store)
    exposure = np.array([row["exposure"] for row in rows])
    dropped = np.array([row["role"] == "dropped" for row in rows])
    assert dropped.sum() == 6 and exposure[dropped].min() >= exposure[~dropped].max()
    assert not shuffler.asked and store.provenance(job.address)["rewriter"] is None


def test_what_may_be_told_holds_counts_and_settings_only(
    values: Values, base: Path, store: Store
) -> None:
    job, rows = carried_out(defended(values, base, half=[soft()]), store)
    about = json.dumps(store.provenance(job.address))
    assert job.secret not in about
    for record, row in zip(job.records, rows, strict=True):
        assert record.id not in about and record.plain() not in about and row["raw"] not in about


def test_what_is_private_is_its_owners_alone(values: Values, base: Path, store: Store) -> None:
    job, _ = carried_out(defended(values, base, half=[soft()]), store)
    folder = store.folder(job.address)
    assert (folder / ledger.LEDGER).stat().st_mode & 0o777 == 0o600
    assert store.root.stat().st_mode & 0o777 == 0o700
