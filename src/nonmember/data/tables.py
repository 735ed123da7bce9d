"""Tables that come with an installed package."""

import numpy as np
from jaxtyping import Float, Int
from sklearn.datasets import load_breast_cancer, load_wine


def breast_cancer() -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, "n"]]:
    """Cell nuclei of breast masses: 30 measurements each (569 30); 0 malignant, 1 benign.

    scikit-learn's copy of UCI's Breast Cancer Wisconsin (Diagnostic) (Wolberg et al. 1993).
    """
    found = load_breast_cancer()
    return found.data, found.target


def wine() -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, "n"]]:
    """Chemical analyses of wines: 13 measurements each (178 13), and their cultivar, 0 to 2.

    scikit-learn's copy of UCI's Wine (Aeberhard and Forina 1991).
    """
    found = load_wine()
    return found.data, found.target
