"""Data that several tests of this family look at."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs


@pytest.fixture
def images():
    """Twelve pictures of noise."""
    torch = pytest.importorskip("torch")
    return torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels():
    """Four classes of them."""
    return pytest.importorskip("torch").arange(12) % 4


@pytest.fixture(scope="session")
def noisy():
    """Three groups of points; each fifth label is that of another group."""
    X, y = make_blobs(300, 6, centers=3, random_state=1)
    given = y.copy()
    wrong = np.arange(0, 300, 5)
    given[wrong] = (y[wrong] + 1) % 3
    return X, y, given
