"""Was this set trained on, and whose records were: verdicts on many records at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import mannwhitneyu, norm, ttest_ind_from_stats

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.intervals import Interval
from nonmember.seeds import generator
from nonmember.types import Features, Groups

FEWEST_DOCUMENTS = 20
TAIL = 0.025
RIDGE = 0.01
SHUFFLES = 9_999
LARGEST = 10.0  # effect in standard deviations, which stands for any larger one
NOISE = 1e-9  # of the largest score: differences that arithmetic alone makes
SIZES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

Rows = Float[np.ndarray, "r d"]
Units = Float[np.ndarray, "u"]
Test = Literal["welch", "permutation", "mann_whitney"]


@dataclass(frozen=True)
class DatasetInference:
    """Whether a suspect set scores above an outsider set, which was never trained on.

    ``p`` is twice the median over repeats, at most 1, which is valid although repeats go
    together (Rüger 1978); that of a single repeat is its own. ``effect`` is the median over
    repeats of the difference of the mean document scores, in pooled standard deviations; 10
    either way stands for all beyond, and for two sets of which each has one score only.
    ``power`` holds, per number of documents a side, the chance that one repeat has p below
    ``significance``, were the effect true; ``enough`` is the smallest number with a chance of
    80 %, None where the effect is not above 0. Documents and records are counted on the
    suspect side, then the other.
    """

    p: float
    significance: float
    effect: Interval
    power: tuple[tuple[int, float], ...]
    enough: int | None
    documents: tuple[int, int]
    records: tuple[int, int]
    left_out: tuple[int, int]
    repeats: int


def dataset_inference(
    features: Features,
    suspect: Bool[np.ndarray, "n"],
    document: Groups,
    *,
    test: Test = "welch",
    repeats: int = 11,
    significance: float = 0.01,
    level: float = 0.95,
    seed: int = 0,
) -> DatasetInference:
    """Maini et al. 2024 (arXiv:2406.06443): is the suspect set likelier trained on?

    Each repeat halves the documents of both sets. On the first halves together it learns where
    to clip every feature, its scale, and a linear model of the side; on the second halves it
    tests, one-sided, whether the documents' mean scores are larger in the suspect set.
    Records without any feature are left out, on both sides. The model learns which way
    features point, so it finds any difference: the two sets must have been drawn alike.

    Args:
        features: such as scores of attacks, (n d); NaN where one is missing.
        suspect: which records are of the suspect set; the others, drawn alike, were never
            trained on.
        document: which document, or person, a record is of; all of it is on one side.
        test: of the documents' mean scores.
        repeats: halvings; an odd number has a median.
        significance: largest p that counts as evidence.
        level: of the effect's interval.
        seed: of the halvings and permutations.

    Raises:
        DataError: a document is in both sets.
        UnresolvableError: a set has fewer than 20 documents with a feature.
    """
    kept = ~np.isnan(features).all(axis=1)
    values, side, unit = features[kept].astype(float), suspect[kept], document[kept]
    counts = _counted(side, unit)
    found = [
        _repeat(values, side, unit, test, generator(seed, "sets", repeat))
        for repeat in range(repeats)
    ]
    p, effects = (np.array(one) for one in zip(*found, strict=True))
    effect = float(np.median(effects))
    return DatasetInference(
        p=float(min(1.0, (1 if repeats == 1 else 2) * np.median(p))),
        significance=significance,
        effect=_effect_interval(effect, counts, level),
        power=_power_curve(effect, min(counts), significance),
        enough=_enough(effect, significance),
        documents=counts,
        records=(int(side.sum()), int((~side).sum())),
        left_out=(int(suspect[~kept].sum()), int((~suspect[~kept]).sum())),
        repeats=repeats,
    )


def _counted(side: Bool[np.ndarray, "r"], document: Groups) -> tuple[int, int]:
    """The documents of the suspect set, and of the other."""
    suspects, others = np.unique(document[side]), np.unique(document[~side])
    both = np.intersect1d(suspects, others)
    if len(both):
        raise DataError(
            f"dataset_inference: document {both[0]} is in both sets; leave all of it to one"
        )
    _refuse_few((len(suspects), len(others)))
    return len(suspects), len(others)


def _refuse_few(counts: tuple[int, int]) -> None:
    if min(counts) < FEWEST_DOCUMENTS:
        raise UnresolvableError(
            f"dataset_inference: {counts[0]} suspect and {counts[1]} outsider documents cannot be "
            f"halved and compared; give at least {FEWEST_DOCUMENTS} of each"
        )


def _repeat(
    values: Rows,
    side: Bool[np.ndarray, "r"],
    document: Groups,
    test: Test,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """The p-value and the effect of one halving."""
    learning = np.zeros(len(side), dtype=bool)
    for own in (side, ~side):
        units = rng.permutation(np.unique(document[own]))
        learning |= np.isin(document, units[: len(units) // 2])
    scores = _linear(values[learning], side[learning], values[~learning])
    of_suspect, of_outsider = (
        _document_means(scores[own], document[~learning][own])
        for own in (side[~learning], ~side[~learning])
    )
    p = TESTS[test](of_suspect, of_outsider, rng)
    return p, _standardised(of_suspect, of_outsider)


def _linear(known: Rows, side: Bool[np.ndarray, "r"], others: Float[np.ndarray, "q d"]) -> Units:
    """Scores of ``others`` by a ridge regression of the side on what is known, both sides as one.

    Clipping, filling in and scaling never look at the side: done per side, they would make
    or hide the difference that is sought.
    """
    there = ~np.isnan(known).all(axis=0)
    low, middle, high = np.nanquantile(known[:, there], [TAIL, 0.5, 1 - TAIL], axis=0)

    def tidy(rows: Float[np.ndarray, "x d"]) -> Float[np.ndarray, "x e"]:
        filled = np.where(np.isnan(rows[:, there]), middle, rows[:, there])
        return np.clip(filled, low, high)

    rows = tidy(known)
    centre, scale = rows.mean(axis=0), np.where(np.ptp(rows, axis=0) > 0, rows.std(axis=0), 1.0)
    inputs = (rows - centre) / scale
    gram = inputs.T @ inputs / len(inputs) + RIDGE * np.eye(inputs.shape[1])
    weights = np.linalg.solve(gram, inputs.T @ (side - side.mean()) / len(inputs))
    return (tidy(others) - centre) / scale @ weights


def _document_means(scores: Units, document: Groups) -> Float[np.ndarray, "v"]:
    _, unit = np.unique(document, return_inverse=True)
    return np.bincount(unit, weights=scores) / np.bincount(unit)


def _welch(above: Units, below: Float[np.ndarray, "v"], rng: np.random.Generator) -> float:
    if not _spread(above, below):
        return _permutation(above, below, rng)  # t would divide by nothing
    of_each = [part for one in (above, below) for part in (one.mean(), one.std(ddof=1), len(one))]
    return float(ttest_ind_from_stats(*of_each, equal_var=False, alternative="greater").pvalue)


def _mann_whitney(above: Units, below: Float[np.ndarray, "v"], _rng: np.random.Generator) -> float:
    return float(mannwhitneyu(above, below, alternative="greater").pvalue)


def _permutation(above: Units, below: Float[np.ndarray, "v"], rng: np.random.Generator) -> float:
    """Share of random regroupings whose difference of means is as large, this one included."""
    pooled = np.concatenate([above, below])
    observed = above.sum()
    drawn = [rng.permutation(pooled)[: len(above)].sum() for _ in range(SHUFFLES)]
    slack = NOISE * np.abs(pooled).max()
    return float((1 + np.sum(np.array(drawn) >= observed - slack)) / (SHUFFLES + 1))


TESTS: dict[Test, Callable[[Units, np.ndarray, np.random.Generator], float]] = {
    "welch": _welch,
    "permutation": _permutation,
    "mann_whitney": _mann_whitney,
}


def _spread(above: Units, below: Float[np.ndarray, "v"]) -> float:
    """The pooled standard deviation; 0 if it is what arithmetic makes of two constants."""
    spread = float(np.sqrt((above.var(ddof=1) + below.var(ddof=1)) / 2))
    return spread if spread > NOISE * np.abs([above.mean(), below.mean()]).max() else 0.0


def _standardised(above: Units, below: Float[np.ndarray, "v"]) -> float:
    """Cohen's d: the difference of means in pooled standard deviations, cut off at ``LARGEST``."""
    spread, gap = _spread(above, below), float(above.mean() - below.mean())
    if spread:
        return float(np.clip(gap / spread, -LARGEST, LARGEST))
    apart = abs(gap) > NOISE * np.abs([above.mean(), below.mean()]).max()
    return float(np.sign(gap)) * LARGEST if apart else 0.0


def _effect_interval(effect: float, documents: tuple[int, int], level: float) -> Interval:
    """Large-sample interval of a standardised difference, of half of the documents.

    Hedges and Olkin 1985.
    """
    first, second = (count - count // 2 for count in documents)
    error = np.sqrt((first + second) / (first * second) + effect**2 / (2 * (first + second)))
    reach = float(norm.ppf((1 + level) / 2) * error)
    return Interval(effect - reach, effect, effect + reach, level)


def _power_curve(effect: float, present: int, significance: float) -> tuple[tuple[int, float], ...]:
    """By the normal approximation; half the documents of a side are spent on learning."""
    sizes = sorted({max(4, round(share * present)) for share in SIZES})
    need = norm.isf(significance)
    return tuple((n, float(norm.sf(need - effect * np.sqrt(n // 2 / 2)))) for n in sizes)


def _enough(effect: float, significance: float, power: float = 0.8) -> int | None:
    if effect <= 0:
        return None
    tested = 2 * ((norm.isf(significance) + norm.ppf(power)) / effect) ** 2
    return 2 * int(np.ceil(tested))
