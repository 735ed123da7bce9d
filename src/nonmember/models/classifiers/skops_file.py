"""scikit-learn classifiers in skops files, which are read without unpickling."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from nonmember.errors import ModelError

TREES = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
TRUSTED = (
    *TREES,
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)
"""Types of scikit-learn's own beyond those of skops: they hold numbers and run no code.

No name is trusted for its beginning, since packages hold functions that run code. Trees follow
the indices they hold without looking, so those are checked once they are read.
"""


def read(path: Path) -> Any:
    """What a skops file holds, if all of it is of types that are known to be harmless.

    Raises:
        ModelError: skops is missing, the file is damaged, or it needs other types.
    """
    try:
        from skops import io
    except ImportError:
        raise ModelError(f"{path}: reading it needs skops; pip install skops") from None
    try:
        foreign = set(io.get_untrusted_types(file=path)) - set(TRUSTED)
        found = None if foreign else io.load(path, trusted=list(TRUSTED))
    except (OSError, BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: no readable skops file ({error}); save it again") from None
    if foreign:
        raise ModelError(
            f"{path}: needs {', '.join(sorted(foreign)[:5])}, which may run code; "
            "load the model in Python where you trust it, and audit it there"
        )
    if not all(map(_sound, _trees(found, None, set()))):
        raise ModelError(f"{path}: a tree in it points outside itself; save the model again")
    return found


def _trees(held: Any, features: int | None, seen: set[int]) -> Iterator[tuple[Any, int | None]]:
    """Every tree in an object, with the number of features of the estimator it stands in."""
    if id(held) in seen or isinstance(held, str | bytes | int | float | None):
        return
    seen.add(id(held))
    if f"{type(held).__module__}.{type(held).__qualname__}" in TREES:
        yield held, features
        return
    features = getattr(held, "n_features_in_", features)
    for part in _parts(held):
        yield from _trees(part, features, seen)


def _parts(held: Any) -> list[Any]:
    if isinstance(held, np.ndarray):
        return held.ravel().tolist() if held.dtype == object else []
    if isinstance(held, list | tuple | set):
        return list(held)
    return list((held if isinstance(held, dict) else getattr(held, "__dict__", {})).values())


def _sound(found: tuple[Any, int | None]) -> bool:
    """Whether every branch leads further down the same tree, by a feature that there is."""
    tree, features = found
    if hasattr(tree, "nodes"):
        nodes, bitsets = tree.nodes, len(tree.raw_left_cat_bitsets)
        inner = ~nodes["is_leaf"].astype(bool)
        left, right, asked = nodes["left"], nodes["right"], nodes["feature_idx"]
        sets = nodes["bitset_idx"][inner & nodes["is_categorical"].astype(bool)]
        if len(sets) and int(sets.max()) >= bitsets:
            return False
    else:
        left, right, asked = tree.children_left, tree.children_right, tree.feature
        inner, features = left != -1, tree.n_features
    below = np.minimum(left, right).astype(np.int64)[inner] > np.flatnonzero(inner)
    within = np.maximum(left, right).astype(np.int64)[inner] < len(left)
    known = (asked[inner] >= 0) & (asked[inner] < (features or 0))
    return bool(len(left)) and bool((below & within & known).all())
