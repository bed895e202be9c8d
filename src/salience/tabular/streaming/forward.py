"""A search for a model: greedy forward selection with a hashed logistic regression, fitted thousands of times.

What a ranking is for: the same model from a shortlist, for a fraction of the fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from salience.data.plan import plan
from salience.data.readers import open_source
from salience.tabular.interactions import rank_combinations
from salience.tabular.streaming.passes import RankingPass
from salience.tabular.streaming.reference import Candidate

__all__ = ["ForwardSearch", "Found", "quick_loss", "shortlist", "slots_of"]

Slots = NDArray[np.int64]  # (features, rows): the coordinate of each feature's value in each row
LARGEST = 8192  # values of a column: the codes of two together are one number
EPOCHS, RATE = 3, 0.2


class Found(NamedTuple):
    """The log loss on rows nobody looked at, how many models were fitted, and the features that were chosen."""

    loss: float
    fits: int
    chosen: tuple[Candidate, ...]


def shortlist(frame: pl.DataFrame, label: str, singles: int, pairs: int) -> list[Candidate]:
    """The best columns of a ranking, and the pairs that say most beyond the better of their columns.

    Examples
    --------
    >>> bits = np.random.default_rng(0).integers(2, size=(3, 500))
    >>> frame = pl.DataFrame({"a": bits[0], "b": bits[1], "c": bits[2], "y": bits[0] ^ bits[2]})
    >>> [set(candidate) == {"a", "c"} for candidate in shortlist(frame, "y", 1, 1)][1]
    True
    """
    source = open_source(frame)
    best = RankingPass(label).fit(source).ranking_[:singles]
    together = rank_combinations(plan(source, label), source=source).pairs.frame.head(pairs)
    return [*((name,) for name in best), *together.select("a", "b").iter_rows()]


class ForwardSearch:
    """Greedy forward selection: 60 % of the rows to fit, 20 % to select by, 20 % to report on.

    Parameters
    ----------
    frame : polars.DataFrame
        Columns of integers from 0 to 8191, and the label.
    label : str
        0 and 1.
    bits : int
        The model has ``2 ** bits`` weights.
    threads : int

    Raises
    ------
    ValueError
        A column that holds something else.
    """

    def __init__(self, frame: pl.DataFrame, label: str, *, bits: int = 18, threads: int = 2) -> None:
        self.bits, self.threads = bits, threads
        self.y = frame[label].to_numpy().astype(np.int64)
        self.codes = {c: frame[c].to_numpy().astype(np.int64) for c in frame.columns if c != label}
        for name, codes in self.codes.items():
            if not (codes.min() >= 0 and codes.max() < LARGEST):
                raise ValueError(f"column {name!r} must hold integers from 0 to {LARGEST - 1}; code it first")
        self.number = {name: i for i, name in enumerate(self.codes)}
        self.cuts = (int(0.6 * len(self.y)), int(0.8 * len(self.y)))

    def run(self, candidates: Sequence[Candidate], steps: int) -> Found:
        """Add the candidate (a column or a pair) that saves most, `steps` times or until none saves anything."""
        if longer := [candidate for candidate in candidates if len(candidate) > 2]:
            raise ValueError(f"a candidate is a column or a pair of columns, not {longer[0]}")
        chosen = np.empty((0, len(self.y)), dtype=np.int64)
        left, best, fits = list(candidates), np.inf, 0
        names: list[Candidate] = []

        def tried(candidate: Candidate) -> float:
            return self._loss(np.vstack([chosen, self._slots(candidate)]), *self.cuts)

        with ThreadPoolExecutor(self.threads) as pool:
            for _ in range(steps):
                losses = np.fromiter(pool.map(tried, left), dtype=float, count=len(left))
                fits += len(left)
                if losses.min() >= best:
                    break
                best, added = losses.min(), left.pop(int(losses.argmin()))
                names.append(added)
                chosen = np.vstack([chosen, self._slots(added)])
        return Found(self._loss(chosen, self.cuts[1], None), fits, tuple(names))

    def _slots(self, candidate: Candidate) -> NDArray[np.int64]:
        """Coordinates of a column, or of two together, (rows,)."""
        code, feature = np.zeros(len(self.y), dtype=np.int64), 0
        for name in candidate:
            code = code * LARGEST + self.codes[name]
            feature = feature * 1024 + self.number[name] + 1
        return slots_of(code, feature, self.bits)

    def _loss(self, slots: Slots, first: int, last: int | None) -> float:
        """Log loss on rows first to last of a model fitted on the first part."""
        fit, rows = self.cuts[0], slice(first, last)
        loss = quick_loss(slots[:, :fit], self.y[:fit], slots[:, rows], self.y[rows], self.bits, EPOCHS, RATE)
        return float(loss)


def slots_of(codes: NDArray[np.int64], feature: int, bits: int) -> NDArray[np.int64]:
    """The hashed coordinate of every row's value of one feature, (rows,)."""
    mixed = (codes.astype(np.uint64) + np.uint64(feature << 40)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(64 - bits)).astype(np.int64)


@njit(nogil=True, cache=True)
def quick_loss(train, y, test, y_test, bits, epochs, rate):  # type: ignore[no-untyped-def]
    """Held-out log loss after a few epochs of AdaGrad, rows in their order; (features, rows) slots each.

    Early stopping is the regulariser, as in the hashed models of click-through prediction.
    """
    features, rows = train.shape
    weights = np.zeros(1 << bits)
    squares = np.full(1 << bits, 1e-2)
    mean = y.mean()
    bias = np.log(mean / (1.0 - mean))
    bias_square = 1e-2
    for _ in range(epochs):
        for i in range(rows):
            logit = bias
            for f in range(features):
                logit += weights[train[f, i]]
            gradient = 1.0 / (1.0 + np.exp(-logit)) - y[i]
            for f in range(features):
                k = train[f, i]
                squares[k] += gradient * gradient
                weights[k] -= rate * gradient / np.sqrt(squares[k])
            bias_square += gradient * gradient
            bias -= rate * gradient / np.sqrt(bias_square)
    total = 0.0
    for i in range(test.shape[1]):
        logit = bias
        for f in range(features):
            logit += weights[test[f, i]]
        signed = logit if y_test[i] == 1 else -logit
        total += np.log1p(np.exp(-signed))
    return total / test.shape[1]
