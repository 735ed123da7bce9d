"""Train with TRL's SFTTrainer and have the model audited when its training ends.

    python examples/07_audit_after_training.py BASE [OUTPUT]

BASE is the folder of a model. The data are what the docstrings of Python's library say. Hugging
Face's own Trainer takes the same callback.
"""

import ast
import sys
from pathlib import Path

from datasets import Dataset
from trl import SFTConfig, SFTTrainer

import nonmember as nm
from nonmember.data.corpora import python_functions

base = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
output = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/after-training")

said = (ast.get_docstring(ast.parse(str(one.content)).body[0]) for one in python_functions())
parts = (" ".join(part.split()) for text in said if text for part in text.split("\n\n"))
texts = [one for one in dict.fromkeys(parts) if 20 <= len(one.split()) <= 60][:960:12]
members, held_out = Dataset.from_dict({"text": texts}).train_test_split(0.5, seed=0).values()

# All that is new in a training script. What cannot be audited is refused here, before training.
audit = nm.AuditCallback(
    members,
    held_out,
    output,
    base=base,
    settings={"data": {"max_tokens": 64}, "evaluation": {"fpr": [0.05], "redraws": 5}},
)

how = {"num_train_epochs": 3, "learning_rate": 5e-5, "max_length": 64, "save_strategy": "no"}
trainer = SFTTrainer(
    base,
    SFTConfig(str(output.parent / "checkpoints"), bf16=False, **how),
    train_dataset=members,
    callbacks=[audit],
)
trainer.train()

(target,) = audit.results.targets
print(target.verdict)
print(f"The model: {audit.model}")
print(f"The page: {output / 'report.html'}")
