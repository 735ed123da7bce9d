"""Records of one side that all but repeat a record of the other: MinHash over what they hold.

A non-member that is nearly a member has been seen, and a member that is nearly a non-member
tells of it: neither is evidence for or against an attack. Exact copies are found by ``texts``
and ``split``; these here too, as pairs of similarity 1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from zlib import crc32

import numpy as np
from jaxtyping import Float, Int, UInt32

from nonmember.data.texts import WORD, normalised
from nonmember.errors import DataError, SpecError
from nonmember.seeds import derive
from nonmember.types import Count, Share, Texts

HASHES = 128
SURE = 0.995  # chance that a pair just as similar as asked for is looked at
WORDS = 5
LEVELS = {"images": 5, "rows": 15}  # odd: values in steps of 2^-k lie on no edge
SIDE = 16  # pieces that a long axis of an image is averaged to
COMMON = 0.5  # share of records whose common value is nobody's own, such as a white margin
SEEDS = 2**32  # that a hash function of the library may have

Shingles: TypeAlias = UInt32[np.ndarray, "_"]
"""The distinct pieces of a record, each as 32 bits, ascending."""

Pair: TypeAlias = tuple[bytes, bytes, float]
"""The pieces of a record and of one of the other side, and how similar they are."""


@dataclass(frozen=True)
class Near:
    """Places of a member and of a non-member, and the Jaccard similarity of their pieces."""

    member: int
    non_member: int
    similarity: float


def near_texts(
    members: Texts, non_members: Texts, *, least: Share = 0.8, words: Count = WORDS, seed: int = 0
) -> tuple[Near, ...]:
    """Pairs of texts that share most of their runs of words, in order of their places.

    Of each record only the most similar one of the other side is told, and the first of those.
    Words are compared without case, punctuation and white space; in scripts without spaces each
    character is a word. A text of fewer words is one piece; one of none is near nothing.

    Args:
        members: texts, n of them.
        non_members: texts of the other side, any number.
        least: similarity, shared pieces over all pieces, above 0; pairs just at it are missed
            once in 200.
        words: in a row that make a piece.
        seed: of the hash functions.

    Raises:
        SpecError: ``least`` or ``words`` is out of range.
    """
    _refuse(least, words)
    inside, outside = ([_of_words(one, words) for one in side] for side in (members, non_members))
    return _pairs(inside, outside, least, seed)


def near_arrays(
    members: np.ndarray,
    non_members: np.ndarray,
    *,
    least: Share = 0.8,
    levels: Count | None = None,
    seed: int = 0,
) -> tuple[Near, ...]:
    """Pairs of rows or images that agree in most of their quantised coordinates.

    Of each record only the most similar one of the other side is told, and the first of those.
    Images, whose records have two axes or more, are averaged down to 16 pieces along each axis
    that is longer, so that compression and a little noise change few of them. Each coordinate
    is cut into equally wide steps between its smallest and its largest value. What more than
    half of all records share is nobody's own, such as a white margin, and does not count.

    Args:
        members: numbers, the first axis being the records; finite.
        non_members: of the other side, records of the same shape.
        least: similarity, shared values over all values, above 0.
        levels: steps of a coordinate, at least 2; None: 5 for images, 15 for rows, which have fewer
            coordinates and agree in more of them by chance.
        seed: of the hash functions.

    Raises:
        DataError: records of different shapes, or a value that is not finite.
        SpecError: ``least`` or ``levels`` is out of range.
    """
    steps = LEVELS["rows" if members.ndim <= 2 else "images"] if levels is None else levels
    _refuse(least, steps - 1)
    if members.shape[1:] != non_members.shape[1:]:
        raise DataError(
            f"near: members of shape {members.shape[1:]} and non-members of "
            f"{non_members.shape[1:]}; give records of one shape"
        )
    if not members.size or not non_members.size:
        return ()
    both = np.concatenate([_averaged(side) for side in (members, non_members)])
    if not np.isfinite(both).all():
        raise DataError("near: values are not finite; leave these records out, or fill them in")
    pieces = _of_steps(_steps(both, steps))
    return _pairs(pieces[: len(members)], pieces[len(members) :], least, seed)


def _refuse(least: float, count: int) -> None:
    if not 0 < least <= 1 or count < 1:
        raise SpecError(
            f"near: least={least}; give a similarity above 0, at most 1, at least one word in a "
            "row, and at least two levels"
        )


def _of_words(text: str, words: int) -> Shingles:
    found = WORD.findall(normalised(text).casefold())
    starts = range(max(1, len(found) - words + 1) if found else 0)
    grams = {" ".join(found[start : start + words]) for start in starts}
    return np.unique(np.array([crc32(gram.encode()) for gram in grams], dtype=np.uint32))


def _averaged(records: np.ndarray) -> Float[np.ndarray, "_ d"]:
    found = records.astype(np.float32)
    for axis in range(1, found.ndim if found.ndim > 2 else 0):
        length = found.shape[axis]
        if length > SIDE:
            edges = np.linspace(0, length, SIDE + 1).astype(int)
            widths = np.diff(edges).reshape([-1 if at == axis else 1 for at in range(found.ndim)])
            found = (np.add.reduceat(found, edges[:-1], axis=axis) / widths).astype(np.float32)
    return found.reshape(len(found), -1)


def _steps(values: Float[np.ndarray, "_ d"], levels: int) -> Int[np.ndarray, "_ d"]:
    """The step of each value; -1 for one that more than half of the records share."""
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = (values - low) / np.where(high > low, high - low, 1)
    steps = np.minimum((scaled * levels).astype(np.int64), levels - 1)
    for level in range(levels):
        here = steps == level
        steps[here & (here.mean(axis=0) > COMMON)] = -1
    return steps


def _of_steps(steps: Int[np.ndarray, "_ d"]) -> list[Shingles]:
    place = np.arange(steps.shape[1]) * (int(steps.max(initial=0)) + 1)
    return [(place[row >= 0] + row[row >= 0]).astype(np.uint32) for row in steps]


def _pairs(
    members: Sequence[Shingles], non_members: Sequence[Shingles], least: float, seed: int
) -> tuple[Near, ...]:
    """The nearest of the other side for each record that is near any, whichever side it is on."""
    inside, outside = _alike(members), _alike(non_members)
    found = _similar(inside, outside, least, seed)
    of_member, of_other = _nearest(found), _nearest([(b, a, near) for a, b, near in found])
    pairs = {
        (place, outside[other][0], near)
        for one, (near, other) in of_member.items()
        for place in inside[one]
    } | {
        (inside[one][0], place, near)
        for other, (near, one) in of_other.items()
        for place in outside[other]
    }
    return tuple(Near(*pair) for pair in sorted(pairs))


def _alike(records: Sequence[Shingles]) -> dict[bytes, list[int]]:
    """The records that hold the same pieces, by these; those of none are left out."""
    found: dict[bytes, list[int]] = {}
    for place, pieces in enumerate(records):
        if len(pieces):
            found.setdefault(pieces.tobytes(), []).append(place)
    return found


def _nearest(found: Iterable[Pair]) -> dict[bytes, tuple[float, bytes]]:
    """The most similar other of each first one; the first of equally similar ones."""
    nearest: dict[bytes, tuple[float, bytes]] = {}
    for one, other, similarity in found:
        if one not in nearest or similarity > nearest[one][0]:
            nearest[one] = similarity, other
    return nearest


def _similar(
    inside: Iterable[bytes], outside: Iterable[bytes], least: float, seed: int
) -> list[Pair]:
    """Pairs that hashes call alike and whose pieces are, in the order given."""
    from datasketch import MinHash, MinHashLSH  # SciPy's integrals come with it: a second

    empty = MinHash(HASHES, seed=derive(seed, "near") % SEEDS, hashfunc=int)

    def sketch(pieces: Shingles) -> MinHash:
        found = empty.copy()
        found.update_batch(pieces.tolist())
        return found

    sets = [(key, np.frombuffer(key, dtype=np.uint32)) for key in outside]
    index = MinHashLSH(num_perm=HASHES, params=_bands(least))
    for place, (_, pieces) in enumerate(sets):
        index.insert(place, sketch(pieces), check_duplication=False)
    found = []
    for key in inside:
        own = np.frombuffer(key, dtype=np.uint32)
        for other, pieces in (sets[place] for place in sorted(index.query(sketch(own)))):
            shared = len(np.intersect1d(own, pieces, assume_unique=True))
            similarity = shared / (len(own) + len(pieces) - shared)
            found += [(key, other, similarity)] if similarity >= least else []
    return found


def _bands(least: float) -> tuple[int, int]:
    """How many bands of how many hashes: the longest that miss few pairs just as similar."""
    for rows in range(HASHES // 2, 1, -1):
        if 1 - (1 - least**rows) ** (HASHES // rows) >= SURE:
            return HASHES // rows, rows
    return HASHES, 1
