"""Make prompts and completions safer, train an adapter with TRL's SFTTrainer, and audit it.

    python examples/04_safer_data_with_trl.py BASE [OUTPUT]

BASE is the folder of a model. The data ask what functions of Python's library do.
"""

import ast
import json
import sys
from pathlib import Path

from datasets import Dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

import nonmember as nm
from nonmember.data.corpora import python_functions

base = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
output = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/safer-adapter")
work = output.parent / "safer-adapter-data"
work.mkdir(parents=True, exist_ok=True)

pairs = []
for one in python_functions()[::10]:
    (function,) = ast.parse(str(one.content)).body
    said = " ".join((ast.get_docstring(function) or "").split("\n\n")[0].split())
    if len(said.split()) >= 12:
        pairs.append({"prompt": f"What does {function.name} do?\n", "completion": said})
members, held_out = Dataset.from_list(pairs[:120]).train_test_split(0.5, seed=0).values()
files = {"members": members, "non_members": held_out}
for name, records in files.items():
    records.save_to_disk(str(work / name))

# All that changes in a training script. Prompts stay; of completions the exposed are rewritten.
recipe = {"method": "lora", "epochs": 3, "learning_rate": 3e-4}
order = {"model": base, "max_tokens": 64, "recipe": recipe}
safer = nm.protect_dataset(members, order, work / "private")
print(json.loads((work / "private" / "manifest.json").read_text())["roles"])

how = {"num_train_epochs": 3, "learning_rate": 3e-4, "max_length": 64}
trainer = SFTTrainer(
    base,
    SFTConfig(str(work / "checkpoints"), bf16=False, **how),
    train_dataset=safer,
    peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
)
trainer.train()
trainer.save_model(str(work / "adapter"))

# The records as they were before, and the ledger, which says what became of each.
data = {name: str(work / name) for name in files} | {"max_tokens": 64}
target = {"model": str(work / "adapter"), "ledger": str(work / "private")}
(found,) = nm.audit_spec({"data": data, "targets": {"mine": target}}, output).targets
print(found.verdict)
for one in (one for one in found.roles if one.attack == "reference_difference"):
    print(f"{one.role:10} AUC {one.auc.value:.3f}  {one.members} members")
