"""A safer data set: what is written where, who may read it, and what an interruption leaves."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shuffling
from files import sentences, written
from shuffling import LOOSE, STUBBORN, Shuffler, soft

import nonmember as nm
from nonmember.audit.defended import delivery, ledger
from nonmember.audit.defended.order import Order
from nonmember.audit.language import spec, subject
from nonmember.audit.language.means import ADAPTIVE
from nonmember.data import texts
from nonmember.data.records import Completion, digest_of, spoken
from nonmember.errors import DataError, ModelError, NonmemberError, RunError, SpecError
from nonmember.models import causal
from nonmember.models.causal import placement
from nonmember.models.source import locate
from nonmember.models.text import Encodings, Form
from nonmember.rewriting import attempts
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material
from nonmember.training.recipe import Recipe

RECIPE = {"epochs": 2, "learning_rate": 0.01, "batch_size": 4}
TEXTS = sentences(12, seed=5)
Asked = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "in.jsonl", TEXTS)


@pytest.fixture
def asked(base: Path, data: Path) -> Asked:
    """What is asked; the base alone tells who is exposed, which takes no warm-up."""

    def build(ratio: float = 0.5, **change: Any) -> dict[str, Any]:
        plain = {
            "data": str(data),
            "model": str(base),
            "max_tokens": 24,
            "defenses": [soft(ratio, warmup_epochs=0)],
            "recipe": RECIPE,
            "compute": {"precision": "float32"},
        }
        return {**plain, **change}

    return build


def protect(asked: dict[str, Any], output: Path) -> dict[str, Any]:
    return nm.protect(asked, output, store=output.parent / "store")


def bag(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.split()))


def rows_of(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ledger.table(
        output.with_name(f"{output.name}.private") / ledger.LEDGER
    ).to_pylist()
    return found


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


# Formats


def jsonl(path: Path) -> Path:
    return written(path.with_suffix(".jsonl"), TEXTS)


def csv(path: Path) -> Path:
    rows = "".join(f'{i},"{text}"\n' for i, text in enumerate(TEXTS))
    path.with_suffix(".csv").write_text(f"id,text\n{rows}")
    return path.with_suffix(".csv")


def parquet(path: Path) -> Path:
    pq.write_table(pa.table({"text": TEXTS, "n": range(len(TEXTS))}), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def chats(path: Path) -> Path:
    rows = [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": text}]}
        for text in TEXTS
    ]
    path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.with_suffix(".jsonl")


def answers(path: Path) -> Path:
    rows = [{"prompt": f"say {i}:", "completion": f" {text}"} for i, text in enumerate(TEXTS)]
    path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.with_suffix(".jsonl")


def saved(path: Path) -> Path:
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": TEXTS, "n": list(range(12))}).save_to_disk(str(path))
    return path


@pytest.mark.parametrize("write", [jsonl, csv, parquet, chats, answers, saved])
def test_half_of_the_records_are_rewritten_in_every_format(
    asked: Asked, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    source = write(tmp_path / "source")
    output = tmp_path / source.name.replace("source", "safer")
    manifest = protect(asked(data=str(source), field=None), output)
    before, after = texts.read(source), texts.read(output)
    roles = {row["record"]: row["role"] for row in rows_of(output)}
    assert manifest["roles"] == Counter(roles.values()) == {"raw": 6, "rewritten": 6}
    for old, new in zip(before, after, strict=True):
        assert (old.content != new.content) == (roles[old.id] == "rewritten")
        ours, theirs = spoken(old.content), spoken(new.content)
        assert [bag(one) for one in ours] == [bag(one) for one in theirs]  # each its own words
        if isinstance(old.content, Completion):
            assert isinstance(new.content, Completion) and new.content.prompt == old.content.prompt


def test_of_no_ratio_the_file_stays_byte_for_byte(
    asked: Asked, data: Path, tmp_path: Path, shuffler: Shuffler
) -> None:
    given = asked(0.0, defenses=[soft(0.0)])
    manifest = protect(given, tmp_path / "safer.jsonl")
    assert (tmp_path / "safer.jsonl").read_bytes() == data.read_bytes()
    assert manifest["roles"] == {"raw": 12} and not shuffler.asked
    prepared = delivery.prepare(Order(**given), delivery.beside(tmp_path / "again.jsonl"))
    assert len(prepared.jobs) == 1  # no warm-up


def test_what_the_model_is_trained_on_is_what_was_delivered(asked: Asked, tmp_path: Path) -> None:
    output = tmp_path / "safer.jsonl"
    protect(asked(), output)
    key = ledger.read(tmp_path / "safer.jsonl.private").key
    trained = [row["trained"] for row in sorted(rows_of(output), key=_line) if row["trained"]]
    assert trained == [ledger.keyed(key, digest_of(one.content)) for one in texts.read(output)]


def _line(row: dict[str, Any]) -> int:
    return int(row["record"].rsplit(":")[-1])


# The files beside it


def test_all_is_there_or_nothing_and_the_private_is_its_owners_alone(
    asked: Asked, tmp_path: Path
) -> None:
    protect(asked(), tmp_path / "safer.jsonl")
    private = tmp_path / "safer.jsonl.private"
    there = {path.name for path in tmp_path.iterdir()}
    beside = {"safer.jsonl", "safer.jsonl.private", "safer.jsonl.manifest.json"}
    assert there == {"in.jsonl", "store", *beside}
    assert {path.name for path in private.iterdir()} == {"ledger.parquet", "order.json", "secret"}
    assert mode(private) == mode(tmp_path / "store") == 0o700
    assert {mode(path) for path in private.iterdir()} == {0o600}


def test_the_manifest_holds_counts_digests_and_settings_that_are_so(
    asked: Asked, data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "safer.jsonl"
    manifest = protect(asked(0.25), output)
    assert manifest == json.loads((tmp_path / "safer.jsonl.manifest.json").read_text())
    assert manifest["source"] == {"name": "in.jsonl", "sha256": _sha256(data)}
    assert manifest["output"] == {"name": "safer.jsonl", "sha256": _sha256(output)}
    rows = rows_of(output)
    assert manifest["records"] == len(rows) == 12
    assert manifest["roles"] == Counter(row["role"] for row in rows) == {"raw": 9, "rewritten": 3}
    assert manifest["attempts"] == sum(row["attempts"] for row in rows)
    assert manifest["by"] == {"soft": {"rewritten": 3}} and manifest["rewriter"] == "shuffler"
    assert manifest["options"] == {"soft": {"ratio": 0.25}}
    assert manifest["settings"]["recipe"]["epochs"] == 2
    assert manifest["limits"] == asdict(LOOSE)
    assert manifest["sent to"] is None and manifest["base"]["digest"]


def _sha256(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_what_may_be_shared_tells_of_nobody(asked: Asked, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "safer.jsonl"
    protect(asked(seed=4071), output)
    said = (tmp_path / "safer.jsonl.manifest.json").read_text()
    secret = (tmp_path / "safer.jsonl.private" / "secret").read_text()
    assert secret not in said and "4071" not in said and str(tmp_path) not in said
    for row in rows_of(output):
        assert row["record"] not in said and row["raw"] not in said
    for one in (*texts.read(data), *texts.read(output)):
        assert one.plain() not in said
    assert "text" not in pq.read_schema(tmp_path / "safer.jsonl.private" / "ledger.parquet").names


def test_each_data_set_has_a_secret_of_its_own(asked: Asked, tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        protect(asked(1.0), tmp_path / name)
    one, two = (tmp_path / f"{name}.jsonl" for name in ("one", "two"))
    secrets = {(tmp_path / f"{p.name}.private" / "secret").read_text() for p in (one, two)}
    assert len(secrets) == 2 and {len(secret) for secret in secrets} == {32}
    assert one.read_bytes() != two.read_bytes()


# Again, and after an interruption


def test_what_is_there_is_never_written_over(asked: Asked, tmp_path: Path) -> None:
    output = tmp_path / "safer.jsonl"
    protect(asked(), output)
    before = output.read_bytes()
    with pytest.raises(DataError, match=r"safer\.jsonl: exists already; remove it"):
        protect(asked(), output)
    assert output.read_bytes() == before


def test_removed_it_is_made_again_as_it_was(
    asked: Asked, tmp_path: Path, shuffler: Shuffler
) -> None:
    output = tmp_path / "safer.jsonl"
    protect(asked(), output)
    before, count = output.read_bytes(), len(shuffler.asked)
    output.unlink()
    protect(asked(), output)
    assert output.read_bytes() == before and len(shuffler.asked) == count


def test_another_order_for_the_same_place_is_refused(asked: Asked, tmp_path: Path) -> None:
    output = tmp_path / "safer.jsonl"
    protect(asked(), output)
    output.unlink()
    with pytest.raises(RunError, match=r"\.private: belongs to another order") as caught:
        protect(asked(0.75), output)
    assert "\n" not in str(caught.value) and not output.exists()


def test_interrupted_it_goes_on_with_the_same_secret_and_repeats_nothing(
    asked: Asked, tmp_path: Path, shuffler: Shuffler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "BLOCK", 4)
    output, shuffle = tmp_path / "safer.jsonl", Shuffler.rewrite

    def interrupted(self: Shuffler, texts: Sequence[str], seeds: Sequence[int]) -> Any:
        if len(shuffler.asked) >= 8:
            raise KeyboardInterrupt
        return shuffle(self, texts, seeds)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Shuffler, "rewrite", interrupted)
        protect(asked(1.0), output)
    secret = (tmp_path / "safer.jsonl.private" / "secret").read_text()
    assert not output.exists() and not (tmp_path / "safer.jsonl.manifest.json").exists()
    protect(asked(1.0), output)
    assert (tmp_path / "safer.jsonl.private" / "secret").read_text() == secret
    assert len(shuffler.asked) == len(set(shuffler.asked)) == 12


def test_other_records_in_the_same_file_are_refused_and_the_ledger_stays(
    asked: Asked, data: Path, tmp_path: Path
) -> None:
    output, private = tmp_path / "safer.jsonl", tmp_path / "safer.jsonl.private"
    protect(asked(), output)
    before = (private / "ledger.parquet").read_bytes()
    output.unlink()
    written(data, sentences(12, seed=6))
    with pytest.raises(RunError, match=r"\.private: belongs to .* to other records"):
        protect(asked(), output)
    assert (private / "ledger.parquet").read_bytes() == before and not output.exists()


def test_of_two_that_begin_at_once_both_have_the_secret_of_the_first(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, drawn = tmp_path / "safer.jsonl.private", delivery.secrets.token_hex

    def overtaken(size: int) -> str:
        """Another process draws its own in the meantime."""
        monkeypatch.setattr(delivery.secrets, "token_hex", drawn)
        delivery._secret(private)
        return drawn(size)

    monkeypatch.setattr(delivery.secrets, "token_hex", overtaken)
    found = delivery.prepare(Order(**asked()), delivery.beside(tmp_path / "safer.jsonl"))
    assert found.protect.secret == (private / "secret").read_text()
    assert {path.name for path in private.iterdir()} == {"order.json", "secret"}
    assert mode(private / "secret") == 0o600


def test_of_two_files_that_are_made_at_once_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link = tmp_path / "secret", delivery.os.link

    def late(part: str, to: Path) -> None:
        path.write_bytes(b"theirs")  # after we looked, before we link
        link(part, to)

    monkeypatch.setattr(delivery.os, "link", late)
    assert delivery._first(path, b"ours") == b"theirs"
    assert [one.name for one in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("name", ["ledger.parquet", "secret", "order.json", "made"])
def test_a_data_set_may_be_named_as_a_file_of_the_private_folder(
    asked: Asked, tmp_path: Path, name: str
) -> None:
    write = parquet if name.endswith(".parquet") else saved  # a saved one is a folder of any name
    source, output = write(tmp_path / "source"), tmp_path / name
    protect(asked(data=str(source)), output)
    private = tmp_path / f"{name}.private"
    assert {path.name for path in private.iterdir()} == {"ledger.parquet", "order.json", "secret"}
    assert len(texts.read(output)) == len(rows_of(output)) == 12
    output.unlink() if output.is_file() else shutil.rmtree(output)
    protect(asked(data=str(source)), output)  # with the same secret
    found = ledger.read(private).of(texts.read(source).digests)
    assert Counter(found.tolist()) == {"raw": 6, "rewritten": 6}


# Mistakes


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"data": "nowhere.jsonl"}, DataError, "nowhere.jsonl: no such file"),
        ({"model": "nothing"}, ModelError, "nothing: no such file or folder"),
        ({"field": "txt"}, DataError, "set `field` to the right one"),
        ({"defenses": []}, SpecError, "give those of the data stage, such as soft"),
        ({"defenses": [{"name": "dp_lora"}]}, SpecError, "makes data safer, not training"),
        ({"defenses": [soft(), {"name": "weight_decay"}]}, SpecError, "not training"),
        ({"defenses": [soft(2.0)]}, SpecError, "defenses.soft.options.ratio: "),
        ({"defenses": [soft(reselect="each_epoch")]}, SpecError, "reselect, after_warmup and view"),
        ({"defenses": [soft(after_warmup="continue")]}, SpecError, "train in an audit's targets"),
        ({"defenses": [soft(rewriter={"views": 2})]}, SpecError, "views change the data"),
        ({"modell": "x"}, SpecError, "did you mean model"),
        ({"max_tokens": 1}, SpecError, "max_tokens"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    asked: Asked, tmp_path: Path, change: dict[str, Any], kind: type[NonmemberError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        protect(asked(**change), tmp_path / "safer.jsonl")
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize("name", ["safer.csv", "nowhere/safer.jsonl"])
def test_a_place_that_cannot_be_is_refused_before_any_work(
    asked: Asked, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError):
        protect(asked(), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


# Records that are no ordinary texts


def test_empty_records_stay_where_they_are(asked: Asked, tmp_path: Path) -> None:
    source = written(tmp_path / "gaps.jsonl", [TEXTS[0], "", *TEXTS[1:4], " ", *TEXTS[4:]])
    output = tmp_path / "safer.jsonl"
    manifest = protect(asked(0.5, data=str(source)), output)
    after = [one.plain() for one in texts.read(output)]
    assert len(after) == 14 and (after[1], after[5]) == ("", " ")
    assert manifest["roles"] == {"raw": 7, "rewritten": 7}


def test_asked_to_rewrite_all_what_is_empty_is_dropped(asked: Asked, tmp_path: Path) -> None:
    source = written(tmp_path / "gaps.jsonl", [TEXTS[0], "", *TEXTS[1:]])
    manifest = protect(asked(1.0, data=str(source)), tmp_path / "safer.jsonl")
    assert manifest["roles"] == {"rewritten": 12, "dropped": 1}
    assert manifest["rejected"] == {"not rewritten": 1}


def test_what_cannot_be_rewritten_is_left_out_and_listed_in_the_ledger_alone(
    asked: Asked, tmp_path: Path
) -> None:
    source = written(tmp_path / "some.jsonl", [*TEXTS[:3], f"a {STUBBORN} one", *TEXTS[3:]])
    output = tmp_path / "safer.jsonl"
    manifest = protect(asked(1.0, data=str(source)), output)
    assert manifest["roles"] == {"rewritten": 12, "dropped": 1}
    (row,) = (row for row in rows_of(output) if row["role"] == "dropped")
    assert (row["record"], row["why"]) == ("some.jsonl:4", "nothing in it may change")
    lines = output.read_text().splitlines()
    assert len(lines) == 12 and STUBBORN not in output.read_text()
    assert [bag(json.loads(line)["text"]) for line in lines] == [bag(text) for text in TEXTS]


def test_or_kept_if_that_is_asked_for(asked: Asked, tmp_path: Path) -> None:
    source = written(tmp_path / "some.jsonl", [*TEXTS[:3], f"a {STUBBORN} one", *TEXTS[3:]])
    defense = soft(1.0, warmup_epochs=0, rewriter={"on_reject": "keep_raw"})
    manifest = protect(asked(data=str(source), defenses=[defense]), tmp_path / "safer.jsonl")
    assert manifest["roles"] == {"rewritten": 12, "kept": 1}
    lines = (tmp_path / "safer.jsonl").read_text().splitlines()
    assert json.loads(lines[3]) == {"text": f"a {STUBBORN} one"}


def test_where_nothing_would_be_left_there_is_no_data_set(asked: Asked, tmp_path: Path) -> None:
    source = written(tmp_path / "some.jsonl", [f"{text} {STUBBORN}" for text in TEXTS])
    with pytest.raises(RunError, match=r"protect some\.jsonl by soft: none of 12 records is left"):
        protect(asked(1.0, data=str(source)), tmp_path / "safer.jsonl")
    assert not (tmp_path / "safer.jsonl").exists()


# A data set in memory


def test_a_private_folder_is_never_another_data_sets(
    asked: Asked, dataset: Any, tmp_path: Path
) -> None:
    given, private = ordered(asked()), tmp_path / "private"
    nm.protect_dataset(dataset, given, private, store=tmp_path / "store")
    before = (private / "ledger.parquet").read_bytes()
    others = datasets.Dataset.from_dict({"text": sentences(12, seed=6)})
    with pytest.raises(RunError, match=r"private: belongs to .* to other records") as caught:
        nm.protect_dataset(others, given, private, store=tmp_path / "store")
    assert "\n" not in str(caught.value)
    assert (private / "ledger.parquet").read_bytes() == before


@pytest.fixture
def dataset() -> Any:
    features = datasets.Features(
        {
            "text": datasets.Value("large_string"),
            "kind": datasets.ClassLabel(names=["a", "b"]),
            "n": datasets.Value("int16"),
        }
    )
    rows = {"text": TEXTS, "kind": [i % 2 for i in range(12)], "n": list(range(12))}
    return datasets.Dataset.from_dict(rows, features=features)


def ordered(asked: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in asked.items() if key != "data"}


def test_a_data_set_keeps_its_features_and_other_columns(
    asked: Asked, dataset: Any, tmp_path: Path
) -> None:
    private = tmp_path / "deep" / "private"
    found = nm.protect_dataset(dataset, ordered(asked()), private, store=tmp_path / "store")
    assert type(found) is datasets.Dataset and found.features == dataset.features
    assert found["n"][:] == list(range(12)) and found["kind"][:] == dataset["kind"][:]
    assert [bag(text) for text in found["text"]] == [bag(text) for text in TEXTS]
    changed = sum(old != new for old, new in zip(TEXTS, found["text"], strict=True))
    assert changed == 6 and found._fingerprint != dataset._fingerprint
    assert mode(private) == 0o700
    names = {"ledger.parquet", "manifest.json", "order.json", "secret"}
    assert {path.name for path in private.iterdir()} == names
    assert json.loads((private / "manifest.json").read_text())["roles"]["rewritten"] == 6
    assert dataset["text"][:] == TEXTS


def test_asked_again_it_is_the_same_and_nothing_is_repeated(
    asked: Asked, dataset: Any, tmp_path: Path, shuffler: Shuffler
) -> None:
    def protected(ratio: float) -> list[str]:
        made = nm.protect_dataset(
            dataset, ordered(asked(ratio)), tmp_path / "private", store=tmp_path / "store"
        )
        return [str(text) for text in made["text"]]

    first, count = protected(0.5), len(shuffler.asked)
    assert protected(0.5) == first and len(shuffler.asked) == count
    with pytest.raises(RunError, match="belongs to another order"):
        protected(0.75)


# Then an audit


@pytest.fixture
def tuned(asked: Asked, base: Path, data: Path, tmp_path: Path) -> Path:
    """A model that somebody trained on a protected file."""
    protect(asked(), tmp_path / "safer.jsonl")
    source, where = locate(str(base)), placement("cpu", "float32")
    material = Encodings(
        causal.load_tokenizer(source), texts.read(tmp_path / "safer.jsonl"), Form(24)
    )
    recipe = Recipe(**{**RECIPE, "epochs": 6})  # type: ignore[arg-type]
    (tmp_path / "tuned").mkdir()
    fine_tune(source, Material((material,)), recipe, where, tmp_path / "tuned", seed=0)
    return tmp_path / "tuned"


def with_ledger(tuned: Path, base: Path, members: Path, **change: Any) -> dict[str, Any]:
    ledger = str(tuned.parent / "safer.jsonl.private")
    outside = written(tuned.parent / "out.jsonl", sentences(40, seed=78))
    return {
        "data": {"members": str(members), "non_members": str(outside), "max_tokens": 24},
        "targets": {"x": {"model": str(tuned), "base": str(base), "ledger": ledger}},
        "evaluation": {"fpr": [0.1], "resamples": 200, "redraws": 0},
        "compute": {"precision": "float32"},
        **change,
    }


def test_by_default_a_model_with_a_ledger_is_attacked_as_one_that_saw_rewrites(
    tuned: Path, base: Path, data: Path
) -> None:
    (target,) = subject.inspect(spec.parse(with_ledger(tuned, base, data), "test")).targets
    ran = {one.name for one in target.attacks}
    assert ADAPTIVE - ran == {"semantic_neighbours"}  # over the budget of queries, as is said
    assert "--queries 10" in target.left_out["semantic_neighbours"]
    assert target.rewriter == {"rewriter": "shuffler", "how": {}}


def test_an_audit_with_the_ledger_tells_the_roles_apart(
    tuned: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    run = ["loss", "reference_difference", "rewritten", "bag_of_words"]
    few = {"bag_of_words": {"trees": 5}}
    given = with_ledger(tuned, base, data, attacks={"run": run, "options": few})
    (found,) = nm.audit_spec(given, tmp_path / "run", store=tmp_path / "store").targets
    counts = {(one.role, one.attack): one.members for one in found.roles}
    assert counts == {(role, name): 6 for role in ("raw", "rewritten") for name in run}
    (defense,) = found.defenses
    assert (defense.name, defense.roles) == ("soft", {"raw": 6, "rewritten": 6})
    assert defense.options == {"ratio": 0.5, "selector": "lowest_loss"}
    assert defense.rewriter == "shuffler"
    aucs = {(one.role, one.attack): one.auc.value for one in found.roles}
    raw, rewritten = (aucs[role, "reference_difference"] for role in ("raw", "rewritten"))
    assert raw > rewritten and raw > 0.9


def test_a_ledger_of_another_data_set_is_refused(tuned: Path, base: Path, tmp_path: Path) -> None:
    others = written(tmp_path / "others.jsonl", sentences(12, seed=79))
    with pytest.raises(DataError, match=r"targets\.x\.ledger: knows 0 of the 12 members") as caught:
        subject.inspect(spec.parse(with_ledger(tuned, base, others), "test"))
    assert "\n" not in str(caught.value)
