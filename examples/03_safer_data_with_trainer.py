"""Make a data set safer, train on it with Hugging Face's Trainer, and audit the model.

    python examples/03_safer_data_with_trainer.py BASE [OUTPUT]

BASE is the folder of a model. The data are what the docstrings of Python's library say.
"""

import ast
import json
import sys
from pathlib import Path

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
from transformers import DataCollatorForLanguageModeling as Collator

import nonmember as nm
from nonmember.data.corpora import python_functions

base = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
output = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/safer")
work = output.parent / "safer-data"
work.mkdir(parents=True, exist_ok=True)

said = (ast.get_docstring(ast.parse(str(one.content)).body[0]) for one in python_functions())
parts = (" ".join(part.split()) for text in said if text for part in text.split("\n\n"))
texts = [one for one in dict.fromkeys(parts) if 20 <= len(one.split()) <= 60][:1440:12]
members, held_out = Dataset.from_dict({"text": texts}).train_test_split(0.5, seed=0).values()
files = {"members": members, "non_members": held_out}
for name, records in files.items():
    records.save_to_disk(str(work / name))

# All that changes in a training script. The recipe is that of the training below.
order = {"model": base, "max_tokens": 64, "recipe": {"epochs": 3, "learning_rate": 5e-5}}
safer = nm.protect_dataset(members, order, work / "private")
print(json.loads((work / "private" / "manifest.json").read_text())["roles"])

tokenizer = AutoTokenizer.from_pretrained(base)
rows = [tokenizer(text, truncation=True, max_length=64) for text in safer["text"]]
trainer = Trainer(
    AutoModelForCausalLM.from_pretrained(base, dtype="float32"),
    TrainingArguments(str(work / "checkpoints"), num_train_epochs=3, learning_rate=5e-5),
    Collator(tokenizer, mlm=False),
    train_dataset=rows,
    processing_class=tokenizer,
)
trainer.train()
trainer.save_model(str(work / "model"))

# The records as they were before, and the ledger, which says what became of each.
data = {name: str(work / name) for name in files} | {"max_tokens": 64}
target = {"model": str(work / "model"), "base": base, "ledger": str(work / "private")}
asked = {"data": data, "targets": {"mine": target}, "evaluation": {"fpr": [0.05], "redraws": 5}}
(found,) = nm.audit_spec(asked, output).targets
print(found.verdict)
for one in found.roles:
    if one.attack in ("reference_difference", "rewritten"):
        print(f"{one.role:10} {one.attack:21} AUC {one.auc.value:.3f}  {one.members} members")
