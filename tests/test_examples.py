"""The examples run as they stand, those of language models on a tiny base."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("01_audit_language_model.py", "reference_difference"),
        ("02_your_own_attack.py", "largest_gains"),
        ("03_safer_data_with_trainer.py", "rewritten"),
        ("04_safer_data_with_trl.py", "rewritten"),
        ("05_classifier.py", "rmia"),
        ("06_fence.py", "fenced"),
        ("07_audit_after_training.py", "The model"),
        ("08_model_selection.py", "chosen"),
    ],
)
def test_an_example_runs(name: str, said: str, tmp_path: Path) -> None:
    text = (EXAMPLES / name).read_text()
    base = [str(tiny.llama(tmp_path / "base"))] if "BASE" in text else []
    calm = {**os.environ, "OMP_NUM_THREADS": "1", "NONMEMBER_STORE": str(tmp_path / "store")}
    command = [sys.executable, str(EXAMPLES / name), *base, str(tmp_path / "run")]
    done = subprocess.run(command, env=calm, check=True, capture_output=True, text=True)
    assert said in done.stdout
    assert "AUC" in done.stdout
    assert (tmp_path / "run" / "report.html").is_file()
    assert len(text.splitlines()) < 60
