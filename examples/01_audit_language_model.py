"""Audit a fine-tuned language model on your own two files of records.

    python examples/01_audit_language_model.py [BASE] [OUTPUT]

BASE is a model folder, or `smollm2`, the packaged one. With your own model, replace the
target by {"model": "path/to/it", "base": "path/to/what/it/was/tuned/from"}.
"""

import json
import sys
from pathlib import Path

import nonmember as nm
from nonmember.data.corpora import python_functions

base = sys.argv[1] if len(sys.argv) > 1 else "smollm2"
output = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/example")

# Two files, one record a line: what the model was trained on, and the like that it was not.
folder = output.parent / "example-data"
folder.mkdir(parents=True, exist_ok=True)
functions = python_functions()
for name, records in {"members": functions[::97], "held_out": functions[5::97]}.items():
    lines = (json.dumps({"text": str(record.content)}) + "\n" for record in records)
    (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")

results = nm.audit_spec(
    {
        "title": "Which functions was this model fine-tuned on?",
        "data": {
            "members": str(folder / "members.jsonl"),
            "non_members": str(folder / "held_out.jsonl"),
            "max_tokens": 48,
        },
        "targets": {"mine": {"base": base, "trained_on": "members"}},
        "evaluation": {"fpr": [0.05], "redraws": 5},
    },
    output,
)

(target,) = results.targets
print(target.verdict)
for attack in sorted(target.attacks, key=lambda one: -one.auc.value):
    ends = f"[{attack.simultaneous.low:.3f}, {attack.simultaneous.high:.3f}]"
    print(f"{attack.name:22} AUC {attack.auc.value:.3f} {ends}  needs {attack.access}")
print(f"The page: {output / 'report.html'}")
