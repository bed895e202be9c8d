"""Tables and images as the numbers a network takes, in standard deviations; and the rows that are held out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch import Tensor

__all__ = ["SCALES", "Scale", "held_out_rows", "learned_scale"]

Floats = NDArray[np.float64]


class Scale(NamedTuple):
    """Centre and spread of each column of a table, or of each channel of images; 0 where there is no spread."""

    centre: Floats
    per_unit: Floats

    def __call__(self, X: NDArray[np.number]) -> Tensor:
        """Scaled, float32."""
        return torch.from_numpy(((X - self.centre) * self.per_unit).astype(np.float32))


def learned_scale(X: NDArray[np.number], scale: str | None) -> Scale:
    """Of the rows of X: per column of (n, d), per channel of (n, channels, ...), of all of (n, height, width).

    Examples
    --------
    >>> learned_scale(np.array([[0.0, 7.0], [4.0, 7.0]]), "minmax")(np.array([[1.0, 9.0]]))
    tensor([[0.2500, 0.0000]])
    """
    if scale is None:
        return Scale(np.zeros(()), np.ones(()))
    axes = tuple(i for i in range(X.ndim) if i != 1) if X.ndim != 3 else (0, 1, 2)
    centre, spread = SCALES[scale](X, axes)
    spread[spread <= len(X) * np.finfo(np.float64).eps * np.abs(centre)] = 0.0  # rounding is no spread
    per_unit = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    return Scale(centre[0], per_unit[0])


def _standard(X: NDArray[np.number], axes: tuple[int, ...]) -> tuple[Floats, Floats]:
    mean = X.mean(axis=axes, keepdims=True, dtype=np.float64)
    return mean, X.std(axis=axes, keepdims=True, dtype=np.float64)


def _minmax(X: NDArray[np.number], axes: tuple[int, ...]) -> tuple[Floats, Floats]:
    low = X.min(axis=axes, keepdims=True).astype(np.float64)
    return low, X.max(axis=axes, keepdims=True) - low


SCALES: dict[str, Callable[..., tuple[Floats, Floats]]] = {"standard": _standard, "minmax": _minmax}


def held_out_rows(
    codes: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to validate on; no class is in the second only.

    Raises
    ------
    ValueError
        When one of the parts would be empty.
    """
    rows = np.arange(len(codes))
    held = max(1, round(share * len(rows)))
    if not 0 < held < len(rows):
        raise ValueError(
            f"val_fraction={share} of {len(rows)} rows leaves {len(rows) - held} to learn from and {held} to "
            "validate on; give X_val and y_val, or more rows"
        )
    sizes = np.bincount(codes)
    even = sizes.min() >= 2 and min(held, len(rows) - held) >= len(sizes)
    train, val = train_test_split(rows, test_size=held, random_state=seed, stratify=codes if even else None)
    lost = ~np.isin(codes[val], codes[train])
    if lost.all():
        raise ValueError(
            f"no class of {len(rows)} rows has one to learn from and one to validate on; give X_val and y_val"
        )
    return np.sort(np.append(train, val[lost])), np.sort(val[~lost])
