"""How far a classifier's decision boundary is from each input, found by its labels alone.

HopSkipJump (Chen, Jordan, Wainwright 2020, arXiv:1904.02144): from an input of another class
to the boundary by bisection; there, which way the boundary lies is estimated from the labels
of random neighbours; a step that way, and back to the boundary. Inputs are laid out as points
(n d) of the unit cube that the range of the inputs is.

What is drawn is drawn once for all points, so that a distance does not depend on who else is
asked about.
"""

from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.models.protocols import Classifier, Watch
from nonmember.seeds import generator
from nonmember.signals.catalogue import signal
from nonmember.signals.classes import logits
from nonmember.types import Count, Labels

Norm = Literal["l2", "linf"]
Points = Float[np.ndarray, "r d"]
Drawn = Float[np.ndarray, "s d"]
Neighbours = Float[np.ndarray, "r b d"]
Rows = Int[np.ndarray, "r"]

STARTS = 100  # uniform inputs, of which the nearest of another class is where it begins
NEIGHBOURS = 100  # drawn in the first round; their number grows with its square root
FIRST_RADIUS = 0.1  # of the first neighbours, in sides of the cube
HALVINGS = 16  # of a step that leaves the other class
COARSEST = 1e-3  # of the bisection, as a share of the distance
NUMBERS_AT_ONCE = 2**22  # of the inputs that are held at one time


@signal(provides={"boundary_distance": "label", "boundary_queries": "label"}, queries="budget")
def hop_skip_jump(
    classifier: Classifier,
    examples: Examples,
    *,
    budget: Count = 2500,
    norm: Norm = "l2",
    low: float | None = None,
    high: float | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Norm (n,) of the smallest change found by which an input loses its class, and its price.

    ``boundary_distance`` is in sides of the inputs' range: 0 where the class is wrong at once,
    NaN where no start of another class was found. ``boundary_queries`` (n,) are the inputs
    put for it; a round that the budget does not reach is not begun, so that a larger budget
    never finds a longer distance. Inputs of whole numbers are rounded before they are put.

    Args:
        classifier: what is asked; of its answers only the likeliest class is looked at.
        examples: n labelled inputs, arrays.
        budget: most inputs put for each of them.
        norm: Euclidean, or the largest change of any number.
        low: least number of an input; by default the examples' least, of each column of a
            table (n d).
        high: greatest number; by default the examples' greatest, in the same way.
        seed: of the starts and neighbours.
        watch: told the inputs done after each call.

    Raises:
        SpecError: the inputs are texts, or lie outside the range.
        ModelError: an answer is not finite.
    """
    if not isinstance(examples.inputs, np.ndarray):
        raise SpecError(
            "hop_skip_jump: texts have no distance to a boundary; leave out the boundary attack"
        )
    cube = _cube(classifier, examples.inputs, low, high, watch)
    search = _search(cube, examples.inputs, examples.labels, norm, budget)
    rows = search.start(seed)
    turn = 1
    while len(rows):
        search.bisect(rows)
        count = int(NEIGHBOURS * sqrt(turn))
        rows = rows[search.left(rows) > count]
        search.step(
            rows, search.ways(rows, _drawn(generator(seed, turn), count, search), turn), turn
        )
        turn += 1
    distance = np.where(np.isinf(search.best), np.nan, search.best)
    return {
        "boundary_distance": distance.astype(np.float32),
        "boundary_queries": search.used.astype(np.float32),
    }


@dataclass(frozen=True)
class _Cube:
    """The range of the inputs as a unit cube, and how its points are put to a classifier."""

    classifier: Classifier
    shape: tuple[int, ...]
    dtype: np.dtype
    low: Float[np.ndarray, "d"]
    span: Float[np.ndarray, "d"]
    watch: Watch | None

    @property
    def grain(self) -> float:
        """The least change that an input can show, in sides; 0 if there is none."""
        return 0.0 if self.dtype.kind == "f" else float(1 / self.span.max(initial=1))

    def points(self, inputs: Shaped[np.ndarray, "r ..."]) -> Points:
        """Where inputs lie; at 0 in columns that have but one value."""
        flat = inputs.reshape(len(inputs), len(self.low)).astype(float)
        return np.divide(flat - self.low, self.span, out=np.zeros(flat.shape), where=self.span > 0)

    def settled(self, points: Shaped[np.ndarray, "*r d"]) -> Shaped[np.ndarray, "*r d"]:
        """The nearest points that are inputs."""
        inside = np.where(self.span > 0, np.clip(points, 0, 1), 0.0)
        if not self.grain:
            return inside
        whole = np.rint(self.low + inside * self.span) - self.low
        return np.divide(whole, self.span, out=np.zeros(whole.shape), where=self.span > 0)

    def classes(self, points: Points) -> Int[np.ndarray, "r"]:
        """The predicted class of each."""
        flat = self.low + points * self.span
        flat = flat if self.dtype.kind == "f" else np.rint(flat)
        inputs = flat.reshape(len(points), *self.shape).astype(self.dtype)
        return logits(self.classifier, inputs, self.watch).argmax(axis=1)


def _cube(
    classifier: Classifier,
    inputs: Shaped[np.ndarray, "n ..."],
    low: float | None,
    high: float | None,
    watch: Watch | None,
) -> _Cube:
    flat = inputs.reshape(len(inputs), int(np.prod(inputs.shape[1:]))).astype(float)
    axis = 0 if inputs.ndim == 2 and len(flat) else None
    ends = (flat.min(axis=axis), flat.max(axis=axis)) if flat.size else (0.0, 0.0)
    given = (
        np.broadcast_to(np.asarray(end if one is None else one, dtype=float), flat.shape[1:])
        for one, end in zip((low, high), ends, strict=True)
    )
    least, most = given
    if flat.size and (flat.min() < least.min() or flat.max() > most.max()):
        raise SpecError(
            f"hop_skip_jump: inputs from {flat.min():g} to {flat.max():g} are not between "
            f"low={low} and high={high}; set low and high so that all inputs are"
        )
    return _Cube(classifier, inputs.shape[1:], inputs.dtype, least, most - least, watch)


@dataclass(frozen=True)
class _Search:
    """Where each of n inputs is, which point of another class it has come to, and how near.

    ``at``, ``best`` and ``used`` change as it goes on.
    """

    cube: _Cube
    norm: Norm
    budget: int
    labels: Labels
    origin: Points
    at: Points
    best: Float[np.ndarray, "n"]
    used: Int[np.ndarray, "n"]

    @property
    def tolerance(self) -> float:
        """Of the bisection, as a share of the distance; as in the paper where that is finer."""
        size = max(1, self.origin.shape[1])
        return min(COARSEST, float(size) ** (-1.5 if self.norm == "l2" else -2.0))

    def left(self, rows: Rows) -> Int[np.ndarray, "r"]:
        """How many inputs may still be put for each."""
        return self.budget - self.used[rows]

    def length(self, changes: Points) -> Float[np.ndarray, "r"]:
        """The norm of each change."""
        if self.norm == "linf":
            return np.abs(changes).max(axis=1, initial=0.0)
        return np.sqrt(np.square(changes).sum(axis=1))

    def lost(self, points: Neighbours, rows: Rows) -> Bool[np.ndarray, "r b"]:
        """Which points have another class than their row's."""
        each = points.shape[1]
        self.used[rows] += each
        found = self.cube.classes(points.reshape(-1, points.shape[2]))
        return found.reshape(len(rows), each) != self.labels[rows, None]

    def move(self, rows: Rows, points: Points) -> None:
        """Go to these points, which have another class."""
        self.at[rows] = points
        self.best[rows] = np.minimum(self.best[rows], self.length(points - self.origin[rows]))

    def start(self, seed: int) -> Rows:
        """Come to the nearest drawn point of another class. Which rows did so.

        Where no uniform point has another class, as some networks see one class in all noise,
        points of two values follow, each with its own share of the greater one.
        """
        rows = np.flatnonzero(np.isinf(self.best))
        rng = generator(seed, "starts")
        uniform = rng.random((STARTS, self.origin.shape[1]))
        two = rng.random(uniform.shape) < rng.random((STARTS, 1))
        for drawn in (uniform, two.astype(float)):
            rows = rows[np.isinf(self.best[rows]) & (self.left(rows) > 0)]
            if len(rows):
                points = self.cube.settled(drawn[: int(self.left(rows).max())])
                self._begin(rows, points, self.cube.classes(points))
        return np.flatnonzero(np.isfinite(self.best) & (self.best > 0))

    def _begin(self, rows: Rows, points: Drawn, classes: Int[np.ndarray, "s"]) -> None:
        """Go to the nearest of these points that the budget reaches and that is lost."""
        for row in rows:
            reached = min(len(points), self.budget - int(self.used[row]))
            self.used[row] += reached
            lost = points[:reached][classes[:reached] != self.labels[row]]
            if len(lost):
                nearest = self.length(lost - self.origin[row]).argmin()
                self.move(np.array([row]), lost[[nearest]])

    def bisect(self, rows: Rows) -> None:
        """Come back along the way from the input, to just beyond the boundary."""
        way = self.at[rows] - self.origin[rows]
        largest = self.length(way)
        near, far = np.zeros(len(rows)), np.ones(len(rows))
        for _ in range(ceil(-log2(self.tolerance))):
            kept = np.flatnonzero(self.left(rows) > 0)
            rows, way, near, far, largest = (one[kept] for one in (rows, way, near, far, largest))
            middle = (near + far) / 2
            bound = (middle * largest)[:, None]
            part = np.clip(way, -bound, bound) if self.norm == "linf" else way * middle[:, None]
            points = self.cube.settled(self.origin[rows] + part)
            lost = self.lost(points[:, None], rows)[:, 0]
            self.move(rows[lost], points[lost])
            near, far = np.where(lost, near, middle), np.where(lost, middle, far)

    def ways(self, rows: Rows, drawn: Drawn, turn: int) -> Points:
        """Which way each goes deeper into another class, by the labels of its neighbours."""
        size = drawn.shape[1]
        spread = sqrt(size) if self.norm == "l2" else size
        radius = self.length(self.at[rows] - self.origin[rows]) * self.tolerance * spread
        radius = np.full(len(rows), FIRST_RADIUS) if turn == 1 else radius
        radius = np.maximum(radius, self.cube.grain * sqrt(size))
        found = np.zeros((len(rows), size))
        block = max(1, NUMBERS_AT_ONCE // max(1, drawn.size))
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            centre = self.at[rows[part], None]
            points = self.cube.settled(centre + radius[part, None, None] * drawn)
            sign = 2.0 * self.lost(points, rows[part]) - 1
            mean = sign.mean(axis=1, keepdims=True)
            weight = np.where(np.abs(mean) == 1, mean, sign - mean)
            found[part] = np.einsum("rb,rbd->rd", weight, points - centre)
        if self.norm == "linf":
            return np.sign(found)
        length = np.sqrt(np.square(found).sum(axis=1, keepdims=True))
        return np.divide(found, length, out=found, where=length > 0)

    def step(self, rows: Rows, ways: Points, turn: int) -> None:
        """Go that way, half as far each time that it leads out of the other class."""
        size = self.length(self.at[rows] - self.origin[rows]) / sqrt(turn)
        for _ in range(HALVINGS):
            kept = np.flatnonzero(self.left(rows) > 0)
            rows, ways, size = rows[kept], ways[kept], size[kept]
            points = self.cube.settled(self.at[rows] + size[:, None] * ways)
            lost = self.lost(points[:, None], rows)[:, 0]
            self.move(rows[lost], points[lost])
            rows, ways, size = rows[~lost], ways[~lost], size[~lost] / 2


def _search(
    cube: _Cube, inputs: Shaped[np.ndarray, "n ..."], labels: Labels, norm: Norm, budget: int
) -> _Search:
    """The search before its start: who has the wrong class at once is at distance 0."""
    origin = cube.points(inputs)
    wrong = logits(cube.classifier, inputs, cube.watch).argmax(axis=1) != labels
    best = np.where(wrong, 0.0, np.inf)
    used = np.ones(len(labels), dtype=np.int64)
    return _Search(cube, norm, budget, labels, origin, origin.copy(), best, used)


def _drawn(rng: np.random.Generator, count: int, search: _Search) -> Drawn:
    """Directions of length 1."""
    shape = (count, search.origin.shape[1])
    found = rng.standard_normal(shape) if search.norm == "l2" else rng.uniform(-1, 1, shape)
    return found / np.maximum(np.sqrt(np.square(found).sum(axis=1, keepdims=True)), 1e-12)
