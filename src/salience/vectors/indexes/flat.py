"""Exact search as an index: the yardstick of the others."""

from __future__ import annotations

import numpy as np

from salience.measures.neighbors import nearest
from salience.vectors.indexes.base import Floats, Ids, Rows, VectorIndex

__all__ = ["FlatIndex"]


class FlatIndex(VectorIndex):
    """Exact search through all rows; needs no other library.

    Parameters
    ----------
    metric : {"l2", "ip", "cosine"}, default="l2"

    Examples
    --------
    >>> from salience.vectors import FlatIndex
    >>> FlatIndex().build([[0.0, 0.0], [3.0, 4.0]], ids=[7, 9]).search([[3.0, 3.0]], k=3)
    array([[ 9,  7, -1]])
    """

    name = "flat"

    def __init__(self, *, metric: str = "l2") -> None:
        super().__init__(metric)

    def _build(self, rows: Rows) -> None:
        self._rows = rows.whole()

    def _search(self, queries: Floats, k: int) -> Ids:
        # under the cosine the rows have length 1 already, so that all three metrics are nearest's own
        return np.asarray(nearest(self._rows, queries, k, metric=self.metric)[0])
