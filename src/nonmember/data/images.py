"""Images that come with an installed package."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.datasets import load_digits

NOISE, NOISE_SEED = 0.8, 20231


def digits() -> tuple[Float[np.ndarray, "n h w"], Int[np.ndarray, "n"]]:
    """Handwritten digits: images (1797 8 8), intensity from 0 (paper) to 1, and labels 0 to 9.

    scikit-learn's copy of the test part of UCI's Optical Recognition of Handwritten Digits
    (Alpaydin and Kaynak 1998); nothing is downloaded.
    """
    found = load_digits()
    return found.images / 16, found.target


def noisy_digits() -> tuple[Float[np.ndarray, "n h w"], Int[np.ndarray, "n"]]:
    """The same under heavy noise that is drawn once: images (1797 8 8) from -1 to 1, and labels.

    Gaussian, of 0.8 on the scale from -1 to 1, cut off at twice that scale and halved: detail
    that a network can learn by heart and none can guess.
    """
    images, labels = digits()
    noise = np.random.default_rng(NOISE_SEED).normal(0, NOISE, images.shape)
    return np.clip(2 * images - 1 + noise, -2, 2) / 2, labels
