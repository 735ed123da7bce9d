"""Images that come with an installed package."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.datasets import load_digits


def digits() -> tuple[Float[np.ndarray, "n h w"], Int[np.ndarray, "n"]]:
    """Handwritten digits: images (1797 8 8), intensity from 0 (paper) to 1, and labels 0 to 9.

    scikit-learn's copy of the test part of UCI's Optical Recognition of Handwritten Digits
    (Alpaydin and Kaynak 1998); nothing is downloaded.
    """
    found = load_digits()
    return found.images / 16, found.target
