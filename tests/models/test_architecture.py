"""Architectures: what they are made of decides their digest, and nothing else does."""

import copy
import functools
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from torch import nn

from nonmember.errors import ModelError, SpecError
from nonmember.models.architecture import architecture_of, trusted, try_out
from nonmember.models.content import identity

NET = """
import torch
from torch import nn
from torch.nn.functional import relu
import {name}_helpers as helpers

GAIN = 2.0

def bent(x):
    return relu(x)

class Net(nn.Module):
    def __init__(self, shape, classes, *, width: int = 4):
        super().__init__()
        self.first, self.last = nn.Linear(shape[0], width), nn.Linear(width, classes)
        self.power = 1
    def inner(self, x):
        return bent(self.first(x)) * GAIN + helpers.added()
    def forward(self, x):
        return self.last(self.inner(x) ** self.power)

def make(shape, classes, *, width: int = 4):
    return Net(shape, classes, width=width)
"""
HELPERS = "def added():\n    return 1.0\n"


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Write the network with one thing changed, import it as the same module, ask its digest."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(old: str = "", new: str = "", helpers: str = HELPERS) -> str:
        assert old in NET
        for name in ("altered", "altered_helpers"):
            sys.modules.pop(name, None)
        (tmp_path / "altered.py").write_text(NET.format(name="altered").replace(old, new))
        (tmp_path / "altered_helpers.py").write_text(helpers)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "dont_write_bytecode", True)
            return architecture_of("altered:make", (6,), 3).digest

    yield of
    for name in ("altered", "altered_helpers"):
        sys.modules.pop(name, None)


INNER = "self.power = 1"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.inner(x) ** self.power)", "self.inner(x)) * 2"),
        ("GAIN = 2.0", "GAIN = 3.0"),
        ("return relu(x)", "return torch.tanh(x)"),
        ("classes, *, width: int = 4):\n    return", "classes, *, width: int = 8):\n    return"),
        ("nn.Linear(width, classes)", "nn.Linear(width, classes, bias=False)"),
        (INNER, "self.power = 2"),
        (INNER, f"{INNER}; nn.init.ones_(self.first.weight)"),
        (INNER, f"{INNER}; self.first.requires_grad_(False)"),
        (INNER, f"{INNER}; self.register_forward_hook(lambda m, i, o: o * 2)"),
        (INNER, f"{INNER}; self.register_buffer('one', torch.ones(1), persistent=False)"),
    ],
)
def test_a_change_of_code_or_settings_is_another_architecture(digest_of, old, new) -> None:  # type: ignore[no-untyped-def]
    assert digest_of(old, new) != digest_of()


def test_what_a_network_calls_in_other_modules_of_the_user_counts_too(digest_of) -> None:  # type: ignore[no-untyped-def]
    assert digest_of(helpers=HELPERS.replace("1.0", "1.5")) != digest_of()


@pytest.mark.parametrize("bound", ["at the top", "in the function"])
@pytest.mark.parametrize("depth", [1, 2])
def test_modules_inside_packages_of_the_user_count_too(
    depth: int, bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    inner = ".".join(["theirs", *["deep"] * (depth - 1), "sub"])
    folder = tmp_path.joinpath(*inner.split(".")[:-1])
    folder.mkdir(parents=True)
    top, local = (f"import {inner}\n", "") if bound == "at the top" else ("", f"    import {inner}")
    code = f"""{top}from torch import nn
def make():
{local}
    class Net(nn.Linear):
        def forward(self, x):
            return super().forward({inner}.f(x))
    return Net(4, 2)
"""
    (tmp_path / "of_packages.py").write_text(code)

    def digest(body: str) -> str:
        for name in [one for one in sys.modules if one.split(".")[0] in ("theirs", "of_packages")]:
            monkeypatch.delitem(sys.modules, name)
        (folder / "sub.py").write_text(f"def f(x):\n    return {body}\n")
        importlib.invalidate_caches()
        return architecture_of("of_packages:make", (4,), 2).digest

    assert digest("x * 1") == digest("x * 1") != digest("x * 3")


def test_hooks_and_copies_leave_a_digest_as_it_was() -> None:
    class Net(nn.Linear):
        pass

    def make() -> nn.Module:
        made = Net(4, 2)
        made.register_forward_hook(_doubled)
        return made

    before = architecture_of(make, (4,), 2).digest
    make()  # torch counts the hooks of a process
    assert architecture_of(make, (4,), 2).digest == before

    class Plain:
        pass

    before = identity(Plain)
    copy.copy(Plain())  # notes on the class which slots it has
    assert identity(Plain) == before


def _doubled(layer: nn.Module, given: object, answer: torch.Tensor) -> torch.Tensor:
    return answer * 2


def test_comments_and_what_the_network_never_names_do_not_count(digest_of) -> None:  # type: ignore[no-untyped-def]
    assert digest_of("GAIN = 2.0", "# two\n\nGAIN = 2.0\nUNUSED = 5") == digest_of()


def test_same_look_and_other_forward_are_told_apart() -> None:
    def of(forward):  # type: ignore[no-untyped-def]
        kind = type("Net", (nn.Linear,), {"forward": forward, "__module__": __name__})
        return architecture_of(lambda: kind(4, 2), (4,), 2)

    one = of(lambda self, x: nn.functional.linear(x, self.weight, self.bias))
    other = of(lambda self, x: nn.functional.linear(-x, self.weight, self.bias))
    assert repr(one.make()) == repr(other.make())
    assert one.digest != other.digest


class Double(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Halve(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_layers_of_classes_met_before_are_told_apart_and_so_is_what_a_cache_wraps() -> None:
    def of(last: type, scale: float) -> str:
        @functools.lru_cache
        def scaled() -> float:
            return scale

        class Net(nn.Sequential):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return super().forward(x) * scaled()

        layers = [nn.Linear(4, 2), Double(), Halve(), last()]
        return architecture_of(lambda: Net(*layers), (4,), 2).digest

    digests = []
    for last, scale in ((Double, 1.0), (Halve, 1.0), (Double, 2.0), (Double, 1.0)):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            digests.append(of(last, scale))
    assert len(set(digests)) == 3 and digests[0] == digests[3]


def test_options_and_shapes_of_packaged_networks_count() -> None:
    plain = architecture_of("mlp", (64,), 10)
    assert plain == architecture_of("mlp", (64,), 10, {"width": 128}).__class__(
        **{**vars(architecture_of("mlp", (64,), 10)), "make": plain.make}
    )
    digests = {
        architecture_of(name, shape, classes, options).digest
        for name, shape, classes, options in (
            ("mlp", (64,), 10, {}),
            ("mlp", (64,), 10, {"width": 8}),
            ("mlp", (64,), 10, {"depth": 3}),
            ("mlp", (64,), 9, {}),
            ("mlp", (65,), 10, {}),
            ("cnn", (1, 8, 8), 10, {}),
            ("resnet", (1, 8, 8), 10, {}),
        )
    }
    assert len(digests) == 7
    assert architecture_of("mlp", (64,), 10, {"width": 128}).digest == plain.digest
    assert architecture_of("mlp", (64,), 10, {"width": 8}).name == "mlp (width=8)"


def test_digests_are_the_same_in_another_process(digest_of, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    here = [digest_of(), architecture_of(RandomForestClassifier(3), (64,), 10).digest]
    say = (
        "from nonmember.models.architecture import architecture_of as of\n"
        "from sklearn.ensemble import RandomForestClassifier as Forest\n"
        "print(of('altered:make', (6,), 3).digest, of(Forest(3), (64,), 10).digest)"
    )
    run = subprocess.run(
        [sys.executable, "-c", say], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert run.stdout.split() == here


def test_making_one_leaves_the_random_state_alone_and_draws_anew_each_time() -> None:
    before = torch.random.get_rng_state()
    made = architecture_of("mlp", (4,), 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    first, second = (next(made.make().parameters()) for _ in range(2))
    assert not torch.equal(first, second)
    assert made.size == sum(weight.numel() for weight in made.make().parameters())


def test_functions_classes_and_partials_are_taken() -> None:
    def bare() -> nn.Module:
        return nn.Linear(4, 2)

    def shaped(shape: tuple[int, ...], classes: int) -> nn.Module:
        return nn.Linear(shape[0], classes)

    digests = {
        architecture_of(one, (4,), 2).digest
        for one in (bare, shaped, functools.partial(nn.Linear, 4, 2))
    }
    assert len(digests) == 1
    assert architecture_of(bare, (4,), 2).name.endswith("bare")


def test_estimators_count_by_their_settings_but_not_their_random_state() -> None:
    def of(estimator: object) -> str:
        return architecture_of(estimator, (64,), 10).digest

    assert of(RandomForestClassifier(3)) == of(RandomForestClassifier(3, random_state=7))
    assert of(RandomForestClassifier(3)) != of(RandomForestClassifier(4))
    pipe = make_pipeline(StandardScaler(), LogisticRegression(C=1.0))
    assert of(pipe) != of(make_pipeline(StandardScaler(), LogisticRegression(C=2.0)))
    assert of(pipe) == of(make_pipeline(StandardScaler(), LogisticRegression(random_state=1)))
    one = architecture_of(RandomForestClassifier, (64,), 10)
    assert one.kind == "estimator" and one.make() is not one.make()


def test_a_fitted_estimator_is_made_anew() -> None:
    given = LogisticRegression().fit(np.eye(2), np.arange(2))
    assert not hasattr(architecture_of(given, (2,), 2).make(), "coef_")


@pytest.mark.parametrize(
    ("thing", "what"),
    [
        ("mpl", "no network 'mpl'; did you mean mlp"),
        ("no.such.module:make", "module no.such.module cannot be imported"),
        ("torch.nn:Linaer", "in the module torch.nn there is no function 'Linaer'.*Linear"),
        (nn.Linear(2, 2), "a network that exists already"),
        (7, "is a int; give a function or an estimator"),
        (lambda one: nn.Linear(2, 2), "needs one; let it take nothing, or the shape"),
        (lambda: "text", "makes a str; let it make a torch network"),
        (lambda: nn.Linear(2, 2) / 0, "cannot be made .*mend it"),
        (SVC(), "predict_proba"),
    ],
)
def test_what_is_no_architecture_is_refused(thing: object, what: str) -> None:
    with pytest.raises(ModelError, match=what):
        architecture_of(thing, (2,), 2)


def test_an_estimator_that_cannot_be_read_back_safely_is_refused() -> None:
    foreign = make_pipeline(FunctionTransformer(_squared), LogisticRegression())
    with pytest.raises(ModelError, match=r"_squared, which cannot be stored and read back safely"):
        architecture_of(foreign, (2,), 2)


def _squared(inputs: np.ndarray) -> np.ndarray:
    return inputs**2


def test_only_classes_of_sklearn_itself_are_trusted() -> None:
    assert trusted(["sklearn.tree._tree.Tree"])
    assert not trusted(["sklearn.tree._tree.Tree", "sklearn.datasets._base.urlretrieve"])
    assert not trusted(["sklearn.utils._testing.nothing"]) and not trusted(["sklearnish.Tree"])


def test_options_are_checked() -> None:
    with pytest.raises(SpecError, match=r"mlp: no option 'widht'; did you mean width"):
        architecture_of("mlp", (4,), 2, {"widht": 3})
    with pytest.raises(SpecError, match=r"mlp.width: .*greater than or equal to 1"):
        architecture_of("mlp", (4,), 2, {"width": 0})
    with pytest.raises(SpecError, match="an estimator has its own settings"):
        architecture_of(LogisticRegression(), (4,), 2, {"C": 2})
    with pytest.raises(SpecError, match="1 classes; give labels of at least 2"):
        architecture_of("mlp", (4,), 1)


def test_a_module_in_the_working_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_nets.py").write_text(
        "from torch import nn\ndef small():\n    return nn.Linear(4, 2)\n"
    )
    (tmp_path / "broken_nets.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = architecture_of("own_nets:small", (4,), 2)
    assert found.name == "own_nets:small" and isinstance(sys.modules["own_nets"], ModuleType)
    with pytest.raises(ModelError, match=r"broken_nets cannot be imported \(division by zero\)"):
        architecture_of("broken_nets:small", (4,), 2)
    with pytest.raises(ModelError, match="in the module own_nets there is no function 'large'"):
        architecture_of("own_nets:large", (4,), 2)


def test_a_network_is_tried_on_one_input() -> None:
    inputs = np.zeros((3, 4), dtype=np.float32)
    try_out(architecture_of("mlp", (4,), 2), inputs)
    try_out(architecture_of(LogisticRegression(), (4,), 2), ["a text"])
    with pytest.raises(ModelError, match=r"mlp: refuses inputs of float32 in shape \(4,\)"):
        try_out(architecture_of("mlp", (5,), 2), inputs)
    with pytest.raises(ModelError, match=r"answers \(1, 3\) for one input; let it answer \(1, 2\)"):
        try_out(architecture_of(lambda: nn.Linear(4, 3), (4,), 2), inputs)
    with pytest.raises(ModelError, match="gives probabilities, and training takes logits"):
        soft = architecture_of(lambda: nn.Sequential(nn.Linear(4, 2), nn.Softmax(1)), (4,), 2)
        try_out(soft, inputs)
    with pytest.raises(ModelError, match="texts"):
        try_out(architecture_of("mlp", (4,), 2), ["a text"])


class Looking(nn.Module):
    """Looks its inputs up, as they are or as whole numbers."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self.whole, self.table, self.last = whole, nn.Embedding(9, 2), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.table(x.long() if self.whole else x).flatten(1))


class Wrapped(nn.Linear):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return {"logits": super().forward(x)}


def test_a_network_is_tried_with_what_training_shows_it() -> None:
    whole = np.ones((3, 4), dtype=np.int64)
    try_out(architecture_of(lambda: Looking(True), (4,), 2), whole)
    try_out(architecture_of("mlp", (4,), 2), whole.astype(np.uint8))
    with pytest.raises(ModelError, match=r"of float32 in shape \(4,\).*begin with inputs.long\(\)"):
        try_out(architecture_of(lambda: Looking(False), (4,), 2), whole)
    with pytest.raises(ModelError, match="refuses inputs of float32"):
        try_out(architecture_of(lambda: nn.Linear(4, 2).double(), (4,), 2), whole)
    with pytest.raises(ModelError, match=r"answers dict for one input; let it answer \(1, 2\)"):
        try_out(architecture_of(lambda: Wrapped(4, 2), (4,), 2), whole)
    with pytest.raises(ModelError, match="given <U1; give the inputs as such"):
        try_out(architecture_of("mlp", (4,), 2), np.full((3, 4), "a"))
