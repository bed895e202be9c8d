"""Cut rows into pieces that keep the shares of the classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def stratified_pieces(
    rows: Rows, codes: NDArray[np.int64], size: int, rng: np.random.Generator
) -> list[Rows]:
    """Deal rows, class by class and in random order, to ``ceil(n / size)`` pieces.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
    codes : ndarray of int
        Class of every row of the table.
    size : int
        No piece is larger.
    rng : Generator

    Returns
    -------
    list of ndarray
        Each row is in one piece. The rows of a class, and rows altogether, differ by at most 1 between pieces.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 0, 1, 1])
    >>> [np.bincount(codes[piece]).tolist() for piece in stratified_pieces(np.arange(6), codes, 3, np.random.default_rng(0))]
    [[2, 1], [2, 1]]
    """
    shuffled = rng.permutation(rows)
    # one deal through all classes: whoever got one row more of a class is the last to get one of the next
    dealt = shuffled[np.argsort(codes[shuffled], kind="stable")]
    count = -(-len(rows) // size)
    return [dealt[start::count] for start in range(count)]
