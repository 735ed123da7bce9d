"""Every reference a victim of all others but its group, from one discriminant of all.

Models are taken out of it exactly: by the formulas of Sherman, Morrison and Woodbury, in
coordinates in which what all models scatter is diagonal, so that the spherical part of the
covariance may differ from victim to victim.
"""

import numpy as np
from jaxtyping import Float, Int

from nonmember.attacks.transfer.discriminant import FLOOR, about_sides, discriminated
from nonmember.attacks.transfer.features import Means, Sides
from nonmember.types import ModelGroups

PerModel = Float[np.ndarray, "p m"]
Twins = Int[np.ndarray, "m"]
"""The other model of each one's pair; itself where it is a group by itself."""


def all_discriminated(
    z: Means, saw: Sides, groups: ModelGroups, gamma: float, full: bool
) -> PerModel:
    """What ``discriminated`` says of each model, the references being all of other groups.

    Pairs of which one saw the candidate and one did not, and groups of one, are taken out of
    what was computed of all; for any other group the references are looked at anew.
    """
    twins = _twins(groups)
    paired = saw ^ saw[:, np.maximum(twins, 0)]
    alone = twins == np.arange(len(twins))
    quick = alone | ((twins >= 0) & paired.all(axis=0))
    found = np.zeros(saw.shape)
    if quick.any():
        usable = np.where(quick, twins, np.arange(len(twins)))
        found = _taken_out(z - z[:, :1], saw, usable, gamma, full)
    for model in np.flatnonzero(~quick):
        others = groups != groups[model]
        found[:, model] = discriminated(z[:, model], z[:, others], saw[:, others], gamma, full)
    return found


def _twins(groups: ModelGroups) -> Twins:
    """The other one of each pair, itself of one that is alone, -1 in larger groups."""
    found = np.full(len(groups), -1)
    for name in np.unique(groups):
        members = np.flatnonzero(groups == name)
        if len(members) < 3:
            found[members] = members[::-1]
    return found


def _taken_out(z: Means, saw: Sides, twins: Twins, gamma: float, full: bool) -> PerModel:
    twin = (twins != np.arange(len(twins))).astype(float)  # 1 where it has one
    middle, apart, away = about_sides(z, saw)
    within = (1 - gamma) / (len(twins) - 3 - twin)
    ball = (gamma * _tau(z, twins, twin) + FLOOR)[:, :, None]
    if full:
        scatter, basis = np.linalg.eigh(np.matmul(away.swapaxes(1, 2), away))
        z, away = z @ basis, away @ basis
        middle, apart = (np.matmul(one[:, None], basis)[:, 0] for one in (middle, apart))
    else:
        scatter = np.square(away).sum(axis=1)
    on_side = np.where(saw, saw.sum(axis=1)[:, None], (~saw).sum(axis=1)[:, None])
    shift = away / (on_side - 1)[:, :, None]
    gone = away * np.sqrt(within * on_side / (on_side - 1))[:, :, None]
    signed, other = shift * np.where(saw, 1.0, -1.0)[:, :, None], twin[:, None]
    difference = apart[:, None] - signed - other * signed[:, twins]
    offset = z - middle[:, None] + (shift + other * shift[:, twins]) / 2
    variance, second = within[:, None] * scatter[:, None] + ball, other * gone[:, twins]
    if full:
        return _woodbury(offset, difference, variance, gone, second)
    return (offset * difference / np.maximum(variance - gone**2 - second**2, ball)).sum(axis=2)


def _tau(z: Means, twins: Twins, twin: Float[np.ndarray, "m"]) -> PerModel:
    """Mean variance of a class over all models but the twin."""
    centred = z - z.mean(axis=1, keepdims=True)
    squares = np.square(centred).sum(axis=2)
    gone, rows = squares[:, twins] * twin, z.shape[1] - twin
    total = squares.sum(axis=1)[:, None]
    return ((total - gone) / rows - gone / rows**2) / z.shape[2]


def _woodbury(
    offset: Means, difference: Means, variance: Means, one: Means, two: Means
) -> PerModel:
    """The product offset' (diag(variance) - one one' - two two')^-1 difference."""

    def product(left: Means, right: Means) -> PerModel:
        return np.einsum("pmc,pmc->pm", left, right)

    scaled_offset, scaled_one = offset / variance, one / variance
    a, b = 1 - product(scaled_one, one), product(scaled_one, two)
    d = 1 - product(two / variance, two)
    to_one, to_two = product(scaled_offset, one), product(scaled_offset, two)
    scaled = difference / variance
    from_one, from_two = product(one, scaled), product(two, scaled)
    mended = to_one * (d * from_one + b * from_two) + to_two * (b * from_one + a * from_two)
    return product(scaled_offset, difference) + mended / (a * d - b**2)
