"""Supervised binning: merge the bins of a number where the label does not tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import xlogy

from salience.data.blocks import Column, bin_codes, bin_identities
from salience.tabular.streaming.naming import named_items, no_such_column

if TYPE_CHECKING:
    from salience.data.blocks import Block
    from salience.data.plan import Plan
    from salience.measures.contingency import Contingency

__all__ = ["SupervisedBins", "mdlp_cuts", "merge_cuts", "ordered_counts"]


class SupervisedBins:
    """A derivation: number columns in bins that were chosen for a label.

    Fit it on other rows than those it is scored on, or on few bins: bins chosen for a label look informative
    about it by the choice alone. `mdlp_cuts` guards against that, it leaves noise in one bin.

    Parameters
    ----------
    cuts : mapping of str to float64 array
        For each column the ascending edges between bins. A column without any is left out.
    taken : iterable of str
        Names in use.

    Attributes
    ----------
    names : tuple of str
        For example ``"bins(age)"``.
    items : dict
        From name to ``(column, "bins")``.
    cuts : dict
        From column to its edges.
    """

    def __init__(self, cuts: Mapping[str, np.ndarray], taken: Iterable[str] = ()) -> None:
        self.cuts = {c: np.asarray(edges, dtype=np.float64) for c, edges in cuts.items() if len(edges)}
        for column, edges in self.cuts.items():
            if not (np.diff(edges) > 0).all():
                raise ValueError(f"the edges of {column!r} must ascend strictly, got {edges.tolist()}")
        self.items = named_items(((f"bins({c})", (c, "bins")) for c in self.cuts), taken=set(taken))
        self.names = tuple(self.items)

    @classmethod
    def fit(
        cls,
        plan: Plan,
        tables: Mapping[str, Contingency],
        method: str = "mdlp",
        max_bins: int = 10,
    ) -> SupervisedBins:
        """Choose edges from the counts of the plan's fine bins.

        Parameters
        ----------
        plan : Plan
            Where the fine edges of the columns stand.
        tables : mapping of str to Contingency
            For each column the contingency of its view ``"bins"``.
        method : {"mdlp", "merge"}, default "mdlp"
            Split as long as it shortens the description; or merge neighbours until `max_bins` are left.
        max_bins : int, default 10
            Only for "merge".

        Raises
        ------
        ValueError
            If the method is unknown or a column has no edges in the plan.
        """
        methods: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "mdlp": mdlp_cuts,
            "merge": lambda counts: merge_cuts(counts, max_bins),
        }
        if method not in methods:
            raise ValueError(f"unknown method {method!r}; there are {', '.join(methods)}")
        cuts = {}
        for column, table in tables.items():
            edges = plan.column(column).edges
            if edges is None:
                raise ValueError(f"column {column!r} has no bins in the plan; numbers with many values have")
            edges = np.asarray(edges, dtype=np.float64)
            cuts[column] = edges[methods[method](ordered_counts(table, len(edges) + 1)) - 1]
        return cls(cuts, taken={c.name for c in plan.columns})

    def derive(self, block: Block, name: str) -> Column:
        """The bins of one column; missing stays missing."""
        if name not in self.items:
            raise no_such_column(name, self.names, "the scan")
        column = self.items[name][0]
        x, edges = block.column(column).numeric, self.cuts[column]
        if x is None:
            raise ValueError(f"column {column!r} holds no numbers")
        return Column(bin_identities(len(edges) + 1), bin_codes(x, edges), None)


def ordered_counts(table: Contingency, bins: int) -> np.ndarray:
    """Counts of the bins 0..bins-1 in order, int64 (bins, classes), without the missing value."""
    counts = np.zeros((bins, table.counts.shape[1]), dtype=np.int64)
    place = {int(h): i for i, h in enumerate(bin_identities(bins)[:-1])}
    for key, row in zip(table.keys.tolist(), table.counts, strict=True):
        if key in place:
            counts[place[key]] = row
    return counts


def mdlp_cuts(counts: np.ndarray) -> np.ndarray:
    """Cut points by the minimum description length principle of Fayyad and Irani (1993).

    A part with N rows, k classes and entropy H (bits) is cut where the weighted entropy of the two sides is
    least, if the gain exceeds ``(log2(N - 1) + log2(3^k - 2) - k H + k1 H1 + k2 H2) / N``; then both sides
    are treated in the same way.

    Parameters
    ----------
    counts : int (bins, classes)
        In the order of the number.

    Returns
    -------
    np.ndarray
        Ascending int64: a cut ``i`` lies between bins ``i - 1`` and ``i``.

    Examples
    --------
    >>> mdlp_cuts(np.array([[50, 0], [50, 0], [0, 50], [0, 50]]))
    array([2])
    >>> mdlp_cuts(np.array([[26, 24], [25, 25], [24, 26]]))
    array([], dtype=int64)
    """
    below = np.concatenate([np.zeros((1, counts.shape[1]), dtype=np.int64), np.cumsum(counts, axis=0)])
    cuts: list[int] = []
    waiting = [(0, len(counts))]
    while waiting:
        first, last = waiting.pop()
        total = below[last] - below[first]
        n = int(total.sum())
        if last - first < 2 or n < 2:
            continue
        left = below[first + 1 : last] - below[first]  # (cuts, classes)
        right = total - left
        sides = (left.sum(axis=1) * _bits(left) + right.sum(axis=1) * _bits(right)) / n
        sides = np.where((left.sum(axis=1) == 0) | (right.sum(axis=1) == 0), np.inf, sides)
        at = int(np.argmin(sides))
        k, k1, k2 = (int(np.count_nonzero(c)) for c in (total, left[at], right[at]))
        h, h1, h2 = float(_bits(total)), float(_bits(left[at])), float(_bits(right[at]))
        price = np.log2(n - 1) + np.log2(3.0**k - 2) - (k * h - k1 * h1 - k2 * h2)
        if h - sides[at] > price / n:
            cut = first + 1 + at
            cuts.append(cut)
            waiting += [(first, cut), (cut, last)]
    return np.array(sorted(cuts), dtype=np.int64)


def merge_cuts(counts: np.ndarray, max_bins: int = 10) -> np.ndarray:
    """Cut points that are left when the two neighbours that lose least information are merged until
    `max_bins` remain.

    Parameters
    ----------
    counts : int (bins, classes)
        In the order of the number, for example of quantile bins.
    max_bins : int, default 10
        At least 1.

    Returns
    -------
    np.ndarray
        Ascending int64, as in `mdlp_cuts`.

    Examples
    --------
    >>> merge_cuts(np.array([[50, 0], [50, 1], [0, 50], [20, 20]]), max_bins=3)
    array([2, 3])
    """
    if max_bins < 1:
        raise ValueError(f"max_bins must be at least 1, got {max_bins}")
    bins = [row.astype(np.int64) for row in counts]
    starts = list(range(len(bins)))
    while len(bins) > max_bins:
        table = np.array(bins)
        apart = _information(table[:-1]) + _information(table[1:])
        at = int(np.argmin(apart - _information(table[:-1] + table[1:])))
        bins[at : at + 2] = [table[at] + table[at + 1]]
        del starts[at + 1]
    return np.array(starts[1:], dtype=np.int64)


def _bits(counts: np.ndarray) -> np.ndarray:
    """Entropy in bits along the last axis."""
    n = counts.sum(axis=-1)
    bits: np.ndarray = -_information(counts) / np.maximum(n, 1) / np.log(2)
    return bits


def _information(counts: np.ndarray) -> np.ndarray:
    """``sum c ln(c / n)`` along the last axis: minus n times the entropy."""
    n = counts.sum(axis=-1)
    information: np.ndarray = xlogy(counts, counts).sum(axis=-1) - xlogy(n, n)
    return information
