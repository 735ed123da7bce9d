"""The audit at the end of a training: what it finds, what it refuses, and what is never lost."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny
import transformers as hf
from datasets import Dataset
from files import sentences, written
from peft import LoraConfig, get_peft_model

import nonmember as nm
from nonmember.audit import records
from nonmember.errors import DataError, ModelError, NonmemberError, RunError, SpecError
from nonmember.verbs import callback as module

TEXTS = sentences(60, seed=1)
MEMBERS, OTHERS = TEXTS[:24], TEXTS[24:]
SETTINGS = {
    "data": {"max_tokens": 24},
    "attacks": {"run": ["loss", "reference_difference"]},
    "evaluation": {"fpr": [0.1], "redraws": 2, "resamples": 200},
}
ADAPTED = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # of PEFT
ZERO = SimpleNamespace(is_world_process_zero=True)
HERE = SimpleNamespace(deepspeed=None, fsdp=None)

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base"))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(members: Any = MEMBERS, others: Any = OTHERS, **given: Any) -> Any:
        settings = {**SETTINGS, **given.pop("settings", {})}
        places = {"output": tmp_path / "run", "store": tmp_path / "store"}
        return nm.AuditCallback(members, others, **{**places, "settings": settings, **given})

    return made


def given(base: Path) -> dict[str, Any]:
    model = hf.AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    return {"model": model, "processing_class": hf.AutoTokenizer.from_pretrained(base)}


def trained(base: Path, room: Path, *callbacks: Any, adapter: bool = False) -> hf.Trainer:
    """A model trained on the members by a Trainer that was told of these."""
    model, tokenizer = given(base).values()
    if adapter:
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    how = {"num_train_epochs": 8, "learning_rate": 5e-3, "report_to": [], "disable_tqdm": True}
    trainer = hf.Trainer(
        model,
        hf.TrainingArguments(str(room), use_cpu=True, save_strategy="no", **how),
        hf.DataCollatorForLanguageModeling(tokenizer, mlm=False),
        train_dataset=[tokenizer(text) for text in MEMBERS],
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    trainer.train()
    return trainer


def test_a_trained_model_is_saved_and_audited_as_the_command_line_does(
    base: Path, make: Make, tmp_path: Path
) -> None:
    audits = make(Dataset.from_dict({"text": MEMBERS, "other": range(24)}), base=base)
    trainer = trained(base, tmp_path / "trained", audits)
    run = tmp_path / "run"
    assert audits.model == run / "model" and (run / "report.html").is_file()
    assert records.dump(records.load(run)) == records.dump(audits.results)
    (found,) = audits.results.targets
    best = {attack.name: attack.auc.value for attack in found.attacks}["reference_difference"]
    assert best > 0.9
    saved = hf.AutoModelForCausalLM.from_pretrained(audits.model)
    for mine, kept in zip(trainer.model.parameters(), saved.parameters(), strict=True):
        assert (mine == kept).all()
    files = {name: run / "private" / f"{name}.jsonl" for name in ("members", "non_members")}
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(files["members"].read_text().splitlines()[0]) == {"text": MEMBERS[0]}
    data = {**SETTINGS["data"], **{name: str(path) for name, path in files.items()}}
    target = {"model": str(audits.model), "base": str(base)}
    asked = {**SETTINGS, "data": data, "targets": {"model": target}}
    again = nm.audit_spec(asked, tmp_path / "again", store=tmp_path / "store")
    assert again.targets == audits.results.targets
    with pytest.raises(RunError, match="holds a finished run"):
        trainer.train()  # anew, into the same folder


@ADAPTED
def test_an_adapter_is_saved_as_one_and_its_base_is_found(
    base: Path, make: Make, tmp_path: Path
) -> None:
    audits = make()
    trained(base, tmp_path / "trained", audits, adapter=True)
    assert (audits.model / "adapter_config.json").is_file()
    assert not (audits.model / "model.safetensors").exists()
    (found,) = audits.results.targets
    assert {attack.name for attack in found.attacks} >= {"reference_difference"}


CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (["a b", "c d"], {"text": "a b"}),
        ([CHAT, [*CHAT, *CHAT]], {"messages": CHAT}),
        (
            [{"prompt": "a", "completion": "b", "ids": [1]}, {"prompt": "c", "completion": "d"}],
            {"prompt": "a", "completion": "b"},
        ),
        ([{"messages": CHAT, "x": 1}, {"messages": [*CHAT, *CHAT]}], {"messages": CHAT}),
    ],
)
def test_records_are_taken_in_every_form(
    rows: Any, first: Any, make: Make, tmp_path: Path, base: Path
) -> None:
    audits = make(rows, written(tmp_path / "out.jsonl", OTHERS))
    audits.on_train_begin(HERE, ZERO, None, **given(base))
    lines = (tmp_path / "run" / "private" / "members.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == first and len(lines) == 2
    assert not (tmp_path / "run" / "private" / "non_members.jsonl").exists()


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"members": []}, DataError, "AuditCallback: there are no members"),
        ({"others": []}, DataError, "there are no non-members"),
        ({"others": MEMBERS[:3]}, DataError, "AuditCallback: members.jsonl:1 and non_members"),
        ({"members": ["one"]}, DataError, "all members are one group"),
        ({"members": [7]}, DataError, "members: record 1 is a int; give a mapping with text, mess"),
        ({"members": [{"ids": [1]}]}, DataError, "AuditCallback: members.jsonl:1: "),
        ({"settings": {"attacks": {"run": ["los"]}}}, SpecError, "did you mean loss"),
        ({"settings": {"attack": {}}}, SpecError, "AuditCallback: attack"),
        ({"settings": {"data": {"field": "said"}}}, DataError, "a str; give a mapping with said"),
        ({"base": "nowhere"}, ModelError, "nowhere: no such file or folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    asked: dict[str, Any], kind: type[NonmemberError], said: str, make: Make
) -> None:
    with pytest.raises(kind, match=said) as raised:
        make(**asked)
    assert "\n" not in str(raised.value) and "/tmp" not in str(raised.value)


def test_a_folder_that_cannot_be_a_run_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be made \(.*\); choose another output"):
        make(output=tmp_path / "file" / "run")
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("")
    with pytest.raises(RunError, match="holds something that is no run"):
        make(output=other)


@ADAPTED
def test_a_model_that_could_not_be_audited_is_refused_when_training_begins(
    make: Make, base: Path
) -> None:
    audits, begins = make(), given(base)
    sharded = SimpleNamespace(deepspeed=None, fsdp=["full_shard"])
    with pytest.raises(ModelError, match="the model is sharded"):
        audits.on_train_begin(sharded, ZERO, None, **begins)
    with pytest.raises(ModelError, match="give the Trainer a model of transformers or PEFT"):
        audits.on_train_begin(HERE, ZERO, None, **{**begins, "processing_class": None})
    adapter = get_peft_model(begins["model"], LoraConfig(r=2, target_modules="all-linear"))
    adapter.peft_config["default"].base_model_name_or_path = "their/hub"
    with pytest.raises(ModelError, match=r"give base, the folder of the adapter's \(their/hub"):
        audits.on_train_begin(HERE, ZERO, None, **{**begins, "model": adapter})


def test_other_processes_do_nothing(make: Make, tmp_path: Path) -> None:
    audits, other = make(), SimpleNamespace(is_world_process_zero=False)
    audits.on_train_begin(HERE, other, None)
    audits.on_train_end(HERE, other, None)
    assert audits.results is None and not list((tmp_path / "run").iterdir())


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fails(*_given: Any, **_how: Any) -> None:
        raise ValueError("a record said: secret")

    monkeypatch.setattr(module, "audit_spec", fails)
    yield


@pytest.mark.usefixtures("broken")
def test_an_audit_that_fails_says_where_the_model_is(make: Make, base: Path) -> None:
    audits, ends = make(base=base), given(base)
    audits.on_train_begin(HERE, ZERO, None, **ends)
    with pytest.raises(RunError, match=r"the audit failed \(ValueError\)") as raised:
        audits.on_train_end(HERE, ZERO, None, **ends)
    said = str(raised.value)
    assert f"--model {audits.model} --base {base} --members" in said and "secret" not in said
    assert hf.AutoModelForCausalLM.from_pretrained(audits.model)


def test_a_model_that_cannot_be_saved_is_left_to_who_trained_it(make: Make, base: Path) -> None:
    audits, ends = make(), given(base)
    audits.on_train_begin(HERE, ZERO, None, **ends)
    audits.model.write_text("in the way")
    with pytest.warns(UserWarning, match="no audit, for the model could not be saved"):
        audits.on_train_end(HERE, ZERO, None, **ends)
    assert audits.results is None
