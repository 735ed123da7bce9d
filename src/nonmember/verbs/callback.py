"""An audit of what a Hugging Face Trainer trained, as soon as training ends."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from transformers import TrainerCallback

from nonmember.audit import run, threat, whole
from nonmember.audit.engine import HERE, Engine
from nonmember.audit.language import spec as specs
from nonmember.audit.language.candidates import read_candidates
from nonmember.audit.language.spec import Spec
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.data.rows import USUAL
from nonmember.errors import DataError, ModelError, NonmemberError, RunError
from nonmember.models.source import locate
from nonmember.verbs.audits import audit_spec
from nonmember.verbs.classifiers import NONE

WHERE = "AuditCallback"
Records: TypeAlias = Iterable[Any] | str | Path
"""A ``datasets.Dataset`` or a list of texts, chats or rows as a file would have them; or a file."""


class AuditCallback(TrainerCallback):  # type: ignore[misc]  # transformers tells no types
    """Audits the model when its training ends: ``Trainer(..., callbacks=[AuditCallback(...)])``.

    The trained model is saved to ``output/model`` first, an adapter as an adapter, and audited
    from there as ``nonmember audit llm`` does: it needs the model's memory a second time. Of
    several processes the world's first does it, and the others go on.

    Attributes:
        results: what was found; None until then.
    """

    def __init__(
        self,
        members: Records,
        non_members: Records,
        output: str | Path,
        *,
        base: str | Path | None = None,
        settings: Mapping[str, Any] = NONE,
        store: str | Path | None = None,
        observe: Observe = unobserved,
        engine: Engine = HERE,
    ) -> None:
        """Check all that can be checked before anything is trained.

        Args:
            members: records that are trained on, or a sample of them.
            non_members: records like them that are not.
            output: the run folder; there is no finished run in it yet.
            base: the folder of what training starts from; makes the attacks far stronger. An
                adapter's is found by itself where it is on this machine.
            settings: further keys of the spec, such as ``data``, ``attacks`` or ``references``.
            store: where finished work is kept; the user's cache folder if not given.
            observe: given the jobs still to do, opens what is told of their progress.
            engine: where they are done; in this process if not given.

        Raises:
            NonmemberError: one sentence saying where, what, and what to do.
        """
        self.results: Results | None = None
        self._output, self._base, self._settings = Path(output), base, dict(settings)
        self._store, self._observe, self._engine = store, observe, engine
        data = self._settings.get("data", {})
        fields = {data.get("field"), data.get("group")} - {None}
        self._sides = {
            "members": _held(members, "members", fields),
            "non_members": _held(non_members, "non-members", fields),
        }
        self._check_sides()
        if base is not None:
            locate(str(base))
        self._check_output()

    @property
    def model(self) -> Path:
        """Where the trained model is saved."""
        return self._output / "model"

    def on_train_begin(self, args: Any, state: Any, _control: Any, **given: Any) -> None:
        """Refuse what could not be audited, and put the records into the run folder.

        Raises:
            ModelError: the model or its tokenizer cannot be saved by this process, or an
                adapter's base is not on this machine.
            RunError: the run folder cannot be used.
        """
        if not state.is_world_process_zero:
            return
        _check_model(given["model"], given["processing_class"], args, self._base)
        self._check_output()
        run.claim(self._output, self._spec(self._private))
        self._write(self._private)

    def on_train_end(self, _args: Any, state: Any, _control: Any, **given: Any) -> None:
        """Save the model, then audit it.

        A model that cannot be saved is not audited, and a warning says so: nothing is raised, so
        that whoever trained it can still save it elsewhere.

        Raises:
            RunError: the audit failed; it says where the model is.
        """
        if not state.is_world_process_zero:
            return
        try:
            given["model"].save_pretrained(str(self.model))
            given["processing_class"].save_pretrained(str(self.model))
            locate(str(self.model))  # transformers tells some failures to its log alone
        except Exception as error:  # whatever it is, the model is still in the Trainer's hands
            warnings.warn(
                f"{WHERE}: no audit, for the model could not be saved to {self.model} ({error}); "
                "save it elsewhere and run nonmember audit llm on it",
                stacklevel=2,
            )
            return
        self._audit()

    def _audit(self) -> None:
        spec = self._spec(self._private)
        try:
            self.results = audit_spec(
                spec, self._output, store=self._store, observe=self._observe, engine=self._engine
            )
        except Exception as error:
            why = str(error) if isinstance(error, NonmemberError) else type(error).__name__
            base = "" if self._base is None else f" --base {self._base}"
            raise RunError(
                f"{WHERE}: the audit failed ({why}); the trained model is saved, audit it with "
                f"nonmember audit llm --model {self.model}{base} --members {spec.data.members} "
                f"--non-members {spec.data.non_members} and another --output"
            ) from error

    @property
    def _private(self) -> Path:
        return self._output / "private"

    def _spec(self, folder: Path) -> Spec:
        """What is asked, the records that are in memory being in this folder."""
        paths = {
            name: str(_file(folder, name)) if isinstance(side, bytes) else side
            for name, side in self._sides.items()
        }
        values = {"title": f"Membership audit of {self._output.name}", **self._settings}
        target = {"model": str(self.model), **values.pop("target", {})}
        if self._base is not None:
            target["base"] = str(self._base)
        values |= {"data": {**values.get("data", {}), **paths}, "targets": {"model": target}}
        return specs.parse(values, WHERE)

    def _write(self, folder: Path) -> None:
        for name, side in self._sides.items():
            if isinstance(side, bytes):
                whole.write(_file(folder, name), side, 0o600)

    def _check_sides(self) -> None:
        """Read both sides as the audit will: what is amiss is said of them and of no file."""
        with tempfile.TemporaryDirectory(prefix="nonmember-") as room:
            self._write(Path(room))
            spec = self._spec(Path(room))
            threat.check(spec)
            try:
                read_candidates(spec.data, seed=spec.seed)
            except DataError as error:
                said = str(error).replace(f"{room}{os.sep}", "")
                raise DataError(f"{WHERE}: {said}") from None

    def _check_output(self) -> None:
        folder = self._output
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{folder}: cannot be made ({error.strerror}); choose another output"
            ) from None
        if not os.access(folder, os.W_OK):
            raise RunError(f"{folder}: cannot be written to; choose another output")
        if (folder / "results.json").exists():
            raise RunError(f"{folder}: holds a finished run; choose another output, or remove it")
        run.check(folder, self._spec(self._private))


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.jsonl"


def _held(given: Records, name: str, fields: set[str]) -> bytes | str:
    """Records as the lines of a file, with the fields that are read; the path of those in one."""
    if isinstance(given, str | Path):
        return str(given)
    usual = {field for several in USUAL for field in several}
    lines = []
    for place, one in enumerate(given, start=1):
        row = _row(one, f"{WHERE}: {name}: record {place}", fields)
        kept = {key: value for key, value in row.items() if key in fields | usual} or row
        lines.append(json.dumps(kept, default=str) + "\n")
    if not lines:
        raise DataError(f"{WHERE}: there are no {name}; give some, up to all that there are")
    return "".join(lines).encode()


def _row(one: Any, where: str, fields: set[str]) -> Mapping[str, Any]:
    if isinstance(one, Mapping):
        return one
    if isinstance(one, str) and not fields:
        return {"text": one}
    if isinstance(one, list | tuple) and one and not fields:
        return {"messages": one}
    wanted = " and ".join(sorted(fields)) or "text, messages, or prompt and completion"
    raise DataError(f"{where} is a {type(one).__name__}; give a mapping with {wanted}")


def _check_model(model: Any, tokenizer: Any, args: Any, base: str | Path | None) -> None:
    """Refuse a model that cannot be saved and found again by one process.

    Raises:
        ModelError: it is sharded, or not of transformers or PEFT; or an adapter without its base.
    """
    if getattr(args, "deepspeed", None) or getattr(args, "fsdp", None):
        raise ModelError(
            f"{WHERE}: the model is sharded, and no process has all of it; leave the callback out, "
            "save the model after training, and run nonmember audit llm on it"
        )
    if not (hasattr(model, "save_pretrained") and hasattr(tokenizer, "save_pretrained")):
        raise ModelError(
            f"{WHERE}: a {type(model).__name__} with a {type(tokenizer).__name__} cannot be "
            "saved; give the Trainer a model of transformers or PEFT, and its tokenizer as "
            "processing_class"
        )
    adapters = getattr(model, "peft_config", None)
    if adapters and base is None:
        (path,) = {one.base_model_name_or_path for one in adapters.values()}
        try:
            locate(str(path))
        except ModelError as error:
            raise ModelError(f"{WHERE}: give base, the folder of the adapter's ({error})") from None
