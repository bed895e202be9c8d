"""What a model says of the same rows with some parts scaled and shuffled, at the least cost that is exact.

Masks act on parts about a centre, ``x -> c + m (x - c)``. Four ways lead to the same predictions: ask the model
about stacked copies of the rows; ask it once for each combination of the distinct values, where there are few;
once for each row and cell between the thresholds of trees that the masks and shuffles lead to; and for linear models
not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salience.measures.sensitivity.shuffles import PixelShuffles, Shuffles

__all__ = ["Linear", "Moves", "Perturbed", "variants"]

Floats: TypeAlias = NDArray[np.float64]
Subset: TypeAlias = tuple[int, ...]
Said: TypeAlias = NDArray[Any]  # predictions, (batch, n) or (batch, n, classes)
Ask: TypeAlias = Callable[[Floats], Iterator[tuple[int, Said]]]  # mask (q,) -> (variant, predictions)


def variants(subset: Subset) -> list[Subset]:
    """The parts of a subset alone, and all together.

    Examples
    --------
    >>> variants((3, 5)), variants((3,))
    ([(3,), (5,), (3, 5)], [(3,)])
    """
    alone: list[Subset] = [(part,) for part in subset]
    return alone if len(subset) < 2 else [*alone, subset]


@dataclass(frozen=True)
class Moves:
    """Some shuffles, from `start` to `stop`, of variants of a subset: which of its parts move, which only are masked."""

    subset: Subset
    variants: Sequence[Subset]
    shuffles: Shuffles
    start: int
    stop: int

    def donors(self, variant: Subset, part: int) -> NDArray[np.int64]:
        return self.shuffles.donors(variant, part, self.start, self.stop)

    def values(self) -> dict[tuple[Subset, int], Floats]:
        """What is lent to each part in each variant, (shuffles, n, columns)."""
        return {
            (variant, part): self.shuffles.values(variant, part, self.start, self.stop)
            for variant in self.variants
            for part in variant
        }


@dataclass(frozen=True)
class Linear:
    """``link(X @ weights + intercept)``: a model whose answers are known without asking.

    Parameters
    ----------
    weights : ndarray of float64, shape (d,) or (d, classes)
    intercept : float or ndarray, shape (classes,)
    link : callable
    """

    weights: Floats
    intercept: Any
    link: Callable[[Floats], Said]


@dataclass
class Perturbed:
    """A model and its rows, to be asked about under masks and shuffles.

    Parameters
    ----------
    predict : callable
        ``predict(X) -> (rows,) or (rows, classes)``.
    X : ndarray of float64, shape (n, d)
    parts : sequence of integer arrays
        The columns of each part.
    centre : ndarray of float64, shape (d,)
    linear : Linear, optional
        When the model is one.
    thresholds : list of float32 arrays, optional
        Where a piecewise constant model changes in each column: equal answers between two of them.
    memory : int
        Bytes of stacked rows in one call of `predict`, one copy of the rows at least.
    """

    predict: Callable[[Floats], Said]
    X: Floats
    parts: Sequence[NDArray[np.int64]]
    centre: Floats
    linear: Linear | None = None
    thresholds: list[NDArray[np.float32]] | None = None
    memory: int = 1 << 23
    _coded: dict[int, tuple[Floats, NDArray[np.int64]]] = field(default_factory=dict, repr=False)

    @property
    def at_once(self) -> int:
        """Copies of the rows in one call."""
        return max(1, self.memory // (8 * max(self.X.size, 1)))

    def masked(self, subset: Subset, masks: Floats) -> Said:
        """Predictions under masks of shape (K, q); shape (K, n[, classes])."""
        if self.linear is not None:
            ask = _linear_masked(self, subset)
        else:
            ask = (_cells_masked if self._cut(subset) else _stacked_masked)(self, subset)
        step = self.at_once
        return np.concatenate([ask(masks[i : i + step]) for i in range(0, len(masks), step)])

    def shuffled(self, moves: Moves, masks: Floats) -> Iterator[tuple[int, int, Said]]:
        """Under each mask of shape (K, q): its number, that of a variant, and the predictions in each shuffle, shape
        (shuffles, n[, classes]).
        """
        if self.linear is None and self._cut(moves.subset):
            yield from _cells(self, moves, masks)
            return
        ask = self._way(moves)(self, moves)
        for k, mask in enumerate(masks):
            for number, said in ask(mask):
                yield k, number, said

    def _way(self, moves: Moves) -> Callable[[Perturbed, Moves], Ask]:
        if self.linear is not None:
            return _linear
        if isinstance(moves.shuffles, PixelShuffles):
            return _stacked
        asked = len(moves.variants) * (moves.stop - moves.start)
        few = np.prod([len(self.coded(part)[0]) for part in moves.subset]) * 2 <= asked
        return _combinations if few else _stacked

    def _cut(self, subset: Subset) -> bool:
        """Whether answers change only at known thresholds of these parts, each a column."""
        return self.thresholds is not None and all(len(self.parts[part]) == 1 for part in subset)

    def coded(self, part: int) -> tuple[Floats, NDArray[np.int64]]:
        """Distinct values of a part, shape (u, columns), and which one each row has."""
        if part not in self._coded:
            values, codes = np.unique(self.X[:, self.parts[part]], axis=0, return_inverse=True)
            self._coded[part] = values, codes.reshape(-1)
        return self._coded[part]

    def scaled(self, values: Floats, part: int, m: float) -> Floats:
        """``c + m (x - c)`` of values of shape (..., columns of the part)."""
        if m == 1.0:
            return values
        c = self.centre[self.parts[part]]
        return values * m if not c.any() else c + m * (values - c)

    def ask(self, stack: Floats) -> Said:
        """Predictions of rows (batch, n, d), shape (batch, n[, classes])."""
        said = np.asarray(self.predict(stack.reshape(-1, stack.shape[-1])))
        return said.reshape(*stack.shape[:2], *said.shape[1:])


def _stacked_masked(box: Perturbed, subset: Subset) -> Callable[[Floats], Said]:
    def ask(masks: Floats) -> Said:
        stack = np.repeat(box.X[None], len(masks), axis=0)
        for k, mask in enumerate(masks):
            for part, m in zip(subset, mask, strict=True):
                stack[k][:, box.parts[part]] = box.scaled(box.X[:, box.parts[part]], part, m)
        return box.ask(stack)

    return ask


def _stacked(box: Perturbed, moves: Moves) -> Ask:
    """Copies of the rows; what moves from model to model are the columns of the subset only."""
    subset = moves.subset
    moved = moves.values()
    stack = np.repeat(box.X[None], moves.stop - moves.start, axis=0)

    def ask(mask: Floats) -> Iterator[tuple[int, Said]]:
        for number, variant in enumerate(moves.variants):
            for part, m in zip(subset, mask, strict=True):
                columns = box.parts[part]
                values = moved[variant, part] if part in variant else box.X[:, columns]
                where = columns[0] if len(columns) == 1 else columns
                scaled = box.scaled(values, part, m)
                stack[..., where] = scaled[..., 0] if len(columns) == 1 else scaled
            yield number, box.ask(stack)

    return ask


def _combinations(box: Perturbed, moves: Moves) -> Ask:
    """Each row once with every combination of the distinct values; a shuffle only picks among them."""
    subset = moves.subset
    sizes = [len(box.coded(part)[0]) for part in subset]
    picks = _picks(moves, [box.coded(part)[1] for part in subset], sizes)
    grid = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)

    def ask(mask: Floats) -> Iterator[tuple[int, Said]]:
        values = [
            box.scaled(box.coded(part)[0], part, m)[grid[:, i]]
            for i, (part, m) in enumerate(zip(subset, mask, strict=True))
        ]
        yield from _picked(_table(box, subset, values), picks)

    return ask


@dataclass(frozen=True)
class _Grid:
    """The cells between the thresholds of the parts of a subset; a row is asked once for each cell it comes to."""

    box: Perturbed
    subset: Subset

    def codes(self, mask: Floats, values: Sequence[Floats]) -> NDArray[np.int64]:
        """The cell of each part's values, scaled, of shape (..., n) each."""
        code: Any = 0
        for edges, part, m, own in zip(self._edges(), self.subset, mask, values, strict=True):
            # trees compare in float32, a value equal to a threshold goes left
            value = self.box.scaled(own, part, m).astype(np.float32)
            code = code * (len(edges) + 1) + np.searchsorted(edges, value, side="left")
        return np.asarray(code)

    def said(self, codes: NDArray[np.int64]) -> tuple[Said, NDArray[np.int64]]:
        """Predictions, and which of them each code of shape (..., n) has."""
        n = len(self.box.X)
        found, which = np.unique(codes * n + np.arange(n), return_inverse=True)
        cell, row = found // n, found % n
        places = np.unravel_index(cell, [len(edges) + 1 for edges in self._edges()])
        inside = [
            np.append(edges, np.nextafter(edges[-1], np.float32(np.inf))) if len(edges) else np.zeros(1)
            for edges in self._edges()
        ]
        step = self.box.at_once * n
        said = []
        for start in range(0, len(found), step):
            rows = self.box.X[row[start : start + step]]
            for part, values, place in zip(self.subset, inside, places, strict=True):
                rows[:, self.box.parts[part][0]] = values[place[start : start + step]]
            said.append(np.asarray(self.box.predict(rows)))
        return np.concatenate(said), which.reshape(codes.shape)

    def _edges(self) -> list[NDArray[np.float32]]:
        assert self.box.thresholds is not None
        return [self.box.thresholds[self.box.parts[part][0]] for part in self.subset]


def _cells_masked(box: Perturbed, subset: Subset) -> Callable[[Floats], Said]:
    grid = _Grid(box, subset)
    own = [box.X[:, box.parts[part][0]] for part in subset]

    def ask(masks: Floats) -> Said:
        table, which = grid.said(np.stack([grid.codes(mask, own) for mask in masks]))
        return table[which]

    return ask


def _cells(box: Perturbed, moves: Moves, masks: Floats) -> Iterator[tuple[int, int, Said]]:
    """Masks and shuffles lead a row to the same cells again and again: many masks at once ask for each only once."""
    grid = _Grid(box, moves.subset)
    moved = {key: values[..., 0] for key, values in moves.values().items()}
    copies = moves.stop - moves.start
    one = len(moves.variants) * copies * len(box.X)
    step = max(1, box.memory // (8 * one))
    for start in range(0, len(masks), step):
        codes = np.empty(
            (len(masks[start : start + step]), len(moves.variants), copies, len(box.X)), np.int64
        )
        for k, mask in enumerate(masks[start : start + step]):
            for number, variant in enumerate(moves.variants):
                own = [moved[variant, part] if part in variant else box.X[None, :, box.parts[part][0]]
                       for part in moves.subset]  # fmt: skip
                codes[k, number] = grid.codes(mask, own)
        table, which = grid.said(codes)
        for k, number in np.ndindex(codes.shape[:2]):
            yield start + k, number, table[which[k, number]]


def _picks(moves: Moves, codes: list[NDArray[np.int64]], sizes: list[int]) -> list[NDArray[np.int64]]:
    """Of each variant: the combination that each row has in each shuffle, (stop - start, n)."""
    found = []
    for variant in moves.variants:
        pick: Any = 0
        for i, part in enumerate(moves.subset):
            code = codes[i][moves.donors(variant, part)] if part in variant else codes[i][None]
            pick = pick * sizes[i] + code
        found.append(pick)
    return found


def _picked(table: Said, picks: list[NDArray[np.int64]]) -> Iterator[tuple[int, Said]]:
    rows = np.arange(table.shape[1])
    for number, pick in enumerate(picks):
        yield number, table[pick, rows]


def _table(box: Perturbed, subset: Subset, values: list[Floats]) -> Said:
    """Predictions of every row with each of the given combinations, shape (combinations, n[, classes])."""
    found = []
    for start in range(0, len(values[0]), box.at_once):
        rows = slice(start, start + box.at_once)
        stack = np.repeat(box.X[None], len(values[0][rows]), axis=0)
        for part, value in zip(subset, values, strict=True):
            stack[:, :, box.parts[part]] = value[rows][:, None, :]
        found.append(box.ask(stack))
    return np.concatenate(found)


def _pieces(box: Perturbed, subset: Subset) -> tuple[Linear, Floats, list[Floats], list[Any]]:
    """Of a linear model: what the other columns and the centres give, and what each part adds to it."""
    linear = box.linear
    assert linear is not None
    inside = np.concatenate([box.parts[part] for part in subset])
    others = np.setdiff1d(np.arange(box.X.shape[1]), inside)
    rest = box.X[:, others] @ linear.weights[others] + linear.intercept
    rest = rest + box.centre[inside] @ linear.weights[inside]
    own = [(box.X[:, box.parts[p]] - box.centre[box.parts[p]]) @ linear.weights[box.parts[p]] for p in subset]
    return linear, rest, own, [linear.weights[box.parts[p]] for p in subset]


def _linear_masked(box: Perturbed, subset: Subset) -> Callable[[Floats], Said]:
    linear, rest, own, _ = _pieces(box, subset)

    def ask(masks: Floats) -> Said:
        m = masks.reshape(*masks.shape, *[1] * rest.ndim)
        return linear.link(rest + sum(m[:, i] * own[i] for i in range(len(subset))))

    return ask


def _linear(box: Perturbed, moves: Moves) -> Ask:
    subset = moves.subset
    linear, rest, own, weights = _pieces(box, subset)
    moved = {
        (variant, part): (values - box.centre[box.parts[part]]) @ weights[subset.index(part)]
        for (variant, part), values in moves.values().items()
    }

    def ask(mask: Floats) -> Iterator[tuple[int, Said]]:
        for number, variant in enumerate(moves.variants):
            still = rest + sum(m * own[i] for i, m in enumerate(mask) if subset[i] not in variant)
            moving: Any = 0.0
            for i, m in enumerate(mask):
                if subset[i] in variant:
                    moving = moving + m * moved[variant, subset[i]]
            yield number, linear.link(still + moving)

    return ask
