"""What the graphs of all libraries share: their parameters, and the links of the lowest level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from salience.vectors.indexes.base import VectorIndex

__all__ = ["GraphIndex"]


class GraphIndex(VectorIndex):
    """An HNSW graph: `M`, `ef_construction`, and `ef_search`, which may be changed after `build`."""

    settings: ClassVar[Sequence[str]] = ("M", "ef_construction", "ef_search", "seed", "threads")

    def __init__(
        self, M: int = 16, ef_construction: int = 128, ef_search: int = 40, *, metric: str = "l2", seed: int = 0,
        threads: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(metric)
        self._at_least(2, M=M)
        self._at_least(1, ef_construction=ef_construction, ef_search=ef_search, threads=threads)
        self._at_least(0, seed=seed)
        self.M, self.ef_construction, self.ef_search = int(M), int(ef_construction), int(ef_search)
        self.seed, self.threads = int(seed), int(threads)

    def links(self) -> NDArray[np.int64] | None:
        """What each row links to on level 0, shape (n, 2M), -1 where it has fewer; None: the library does not tell.

        Rows are numbered in the order of insertion.
        """
        return None

    def in_degree(self) -> NDArray[np.int64] | None:
        """How many rows link to each row of `X` on level 0, shape (n,); None: the library does not tell.

        A row that no other links to can be found only through the upper levels.
        """
        links = self.links()
        if links is None:
            return None
        inserted = np.bincount(links[links >= 0], minlength=len(self.ids))
        if self.order is None:
            return inserted
        degree = np.empty_like(inserted)
        degree[self.order] = inserted
        return degree

    def _check_breadth(self, k: int) -> None:
        if self.ef_search < k:
            raise ValueError(
                f"ef_search={self.ef_search} is smaller than k={k}: a search that keeps so few rows cannot answer "
                f"with {k}; give ef_search={k} or more"
            )
