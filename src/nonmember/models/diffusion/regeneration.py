"""Copies of inputs, noised and denoised: Peng et al. 2025, arXiv:2312.04692, section 4."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from nonmember.models.batches import rows_at_once
from nonmember.models.diffusion import codes, noise
from nonmember.models.diffusion.codes import Values
from nonmember.models.diffusion.form import Diffusion, Regeneration
from nonmember.models.diffusion.samplers import sample
from nonmember.models.diffusion.schedule import noised
from nonmember.models.protocols import Watch

MAX_BATCH = 256  # copies that are denoised at once at most

Noised = tuple[np.ndarray, Tensor, Tensor, Tensor]
"""Rows of a batch among all copies, then their inputs, noise and noised inputs, (b ...)."""


def regenerate(
    diffusion: Diffusion,
    inputs: Values,
    how: Regeneration,
    secret: bytes,
    *,
    watch: Watch | None = None,
) -> Shaped[np.ndarray, "n v ..."]:
    """Copies (n v ...) of n inputs, of their type, in 256 steps from ``low`` to ``high``.

    Their noise depends on the secret, the input and ``how`` only; on a processor that adds up in
    another order for another size of batch, a copy may differ by one step in few places.

    Args:
        diffusion: what regenerates.
        inputs: (n ...), from ``low`` to ``high``.
        how: the settings.
        secret: keys the noise; with it and the model, whoever has it can make all copies.
        watch: told the copies done after each batch.

    Raises:
        DataError: the inputs are of another shape, or outside the range.
        SpecError: there are not as many steps in the schedule, or the secret is empty.
    """
    found = np.empty((len(inputs) * how.n, *diffusion.shape), dtype=np.uint8)
    with torch.inference_mode():
        for rows, _, _, given in batches(diffusion, inputs, how, secret):
            clean = sample(given, diffusion.denoiser, diffusion.alphas, how)
            found[rows] = _codes(clean)
            if watch is not None:
                watch(len(rows))
    values = codes.decode(found, diffusion.low, diffusion.high, inputs.dtype)
    return values.reshape(len(inputs), how.n, *diffusion.shape)


def batches(
    diffusion: Diffusion, inputs: Values, how: Regeneration, secret: bytes
) -> Iterator[Noised]:
    """All copies of all inputs, noised, some at a time."""
    codes.check(diffusion, inputs, how.t, secret)
    exact = codes.encode(inputs, diffusion.low, diffusion.high)
    drawn = noise.keys(exact, how.t - 1, how.sampler, secret)
    clean = torch.from_numpy(codes.scaled(inputs, diffusion.low, diffusion.high))
    clean, alpha = clean.to(diffusion.device), float(diffusion.alphas[how.t - 1])
    size = min(MAX_BATCH, rows_at_once(diffusion.shape, diffusion.device))
    start = 0
    for part in noise.batches(drawn, how.n, diffusion.shape, size):
        rows = np.arange(start, start + len(part))
        block = torch.from_numpy(part).to(diffusion.device)
        given = clean[torch.from_numpy(rows // how.n).to(diffusion.device)]
        yield rows, given, block, noised(given, block, alpha)
        start += len(part)


def _codes(clean: Tensor) -> UInt8[np.ndarray, "b ..."]:
    return ((clean + 1) * (codes.LARGEST / 2)).round_().to(torch.uint8).cpu().numpy()
