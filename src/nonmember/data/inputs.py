"""Numbers that describe an input of a classifier without asking any model about it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from nonmember.seeds import generator
from nonmember.types import Inputs

COLUMNS = 64  # of a table that is described by itself
PROJECTIONS = 32
BLOCK = 1 << 22  # numbers that are widened at once


def input_features(inputs: Inputs, *, seed: int = 0) -> Float64[np.ndarray, "n d"]:
    """Numbers (n d), finite, that describe n inputs, each from itself alone.

    Of images, or other inputs of more than one axis: mean, standard deviation, least, largest,
    share of the most extreme values, share of equal neighbours, the energy of differences along
    each axis, and 32 random projections. Of tables of up to 64 columns: the columns; of wider
    ones mean, standard deviation, share of numbers other than 0, and 32 random projections. Of
    texts: characters, words, mean length of a word, lines, and the shares of digits, capitals
    and spaces.

    Args:
        inputs: an array whose first axis is the inputs, or texts.
        seed: of the projections.
    """
    if not isinstance(inputs, np.ndarray):
        return _texts(inputs)
    if inputs.ndim == 2 and inputs.shape[1] <= COLUMNS:
        return inputs.astype(np.float64)
    rows = max(1, BLOCK // max(1, inputs[:1].size))
    blocks = [inputs[start : start + rows] for start in range(0, max(1, len(inputs)), rows)]
    size = inputs[:1].size
    onto = generator(seed, "projections").normal(size=(size, PROJECTIONS)) / np.sqrt(max(1, size))
    return np.concatenate([_described(block.astype(np.float64), onto) for block in blocks])


def _described(block: np.ndarray, onto: Float[np.ndarray, "d k"]) -> np.ndarray:
    told = _wide(block) if block.ndim == 2 else _image(block)
    return np.hstack([told, block.reshape(len(block), -1) @ onto])


def _wide(rows: Float[np.ndarray, "n d"]) -> np.ndarray:
    return np.stack([rows.mean(1), rows.std(1), (rows != 0).mean(1)], axis=1)


def _image(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    least, largest = flat.min(1), flat.max(1)
    extreme = ((flat == least[:, None]) | (flat == largest[:, None])).mean(1)
    equal = (np.diff(flat, axis=1) == 0).mean(1) if flat.shape[1] > 1 else np.ones(len(flat))
    told = [flat.mean(1), flat.std(1), least, largest, extreme, equal]
    for axis in range(1, images.ndim):
        steps = np.diff(images, axis=axis).reshape(len(images), -1)
        told.append((steps**2).mean(1) if steps.shape[1] else np.zeros(len(images)))
    return np.stack(told, axis=1)


def _texts(texts: Sequence[str]) -> np.ndarray:
    rows = [_text(text) for text in texts]
    return np.array(rows, dtype=np.float64).reshape(len(rows), -1 if rows else 7)


def _text(text: str) -> tuple[int | float, ...]:
    length, words = len(text), text.split()
    counts = (
        sum(map(str.isdigit, text)),
        sum(map(str.isupper, text)),
        sum(map(str.isspace, text)),
    )
    mean = sum(map(len, words)) / max(1, len(words))
    shares = tuple(count / max(1, length) for count in counts)
    return (length, len(words), mean, text.count("\n") + 1, *shares)
