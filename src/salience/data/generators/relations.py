"""How one column or a label follows from several columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["COMBINATIONS", "RELATIONS", "Combine", "cut_at_shares", "find"]

Combine = Callable[[np.ndarray], np.ndarray]  # (rows, columns) -> (rows,)


def cut_at_shares(decision: np.ndarray, portion: np.ndarray) -> np.ndarray:
    """Classes of nearly the wanted shares: cuts lie between distinct values, and no class stays empty."""
    distinct, which, counts = np.unique(decision, return_inverse=True, return_counts=True)
    if len(distinct) < len(portion):
        raise ValueError(
            f"the decision has {len(distinct)} distinct values, too few for {len(portion)} classes"
        )
    reached = np.cumsum(counts) / len(decision)
    cuts = [-1]
    for k, wanted in enumerate(np.cumsum(portion)[:-1]):
        first, last = cuts[-1] + 1, len(distinct) - len(portion) + k
        cuts.append(first + int(np.argmin(np.abs(reached[first : last + 1] - wanted))))
    return np.searchsorted(cuts[1:], which, side="left").astype(np.int32)


def find(which: Any, table: Mapping[str, Any], what: str) -> Any:
    """What a name stands for in a table; a function stands for itself."""
    if callable(which):
        return which
    if which not in table:
        raise ValueError(f"unknown {what} {which!r}; there are {', '.join(table)}")
    return table[which]


def _bitwise(operation: np.ufunc) -> Combine:
    return lambda x: operation.reduce(x.astype(np.int64), axis=1)


#: Combinations by name.
COMBINATIONS: dict[str, Combine] = {
    "linear": lambda x: x.sum(axis=1),
    "nonlinear": lambda x: np.sin(x.sum(axis=1)),
    "xor": _bitwise(np.bitwise_xor),
    "and": _bitwise(np.bitwise_and),
    "or": _bitwise(np.bitwise_or),
}

#: Decision functions of labels by name.
RELATIONS: dict[str, Combine] = {
    "linear": lambda x: (2 * x + 3).sum(axis=1),
    "nonlinear": lambda x: (2 * np.sin(x) + 2 * np.cos(x)).sum(axis=1),
}
