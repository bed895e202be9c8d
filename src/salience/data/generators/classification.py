"""A builder of categorical classification problems, one step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from salience.data.generators.drawing import Planted
from salience.data.generators.relations import COMBINATIONS, RELATIONS, Combine, cut_at_shares, find

__all__ = ["CategoricalClassification"]


class CategoricalClassification:
    """Build columns, relations between them, a label and noise; then take the frame.

    Every step draws from one generator, so the same steps with the same `random_state` give the same data.
    No column shares memory with another.

    Parameters
    ----------
    rows : int
        Number of rows.
    random_state : int or np.random.Generator, default 0
        Where all randomness comes from.

    Examples
    --------
    >>> made = CategoricalClassification(rows=500, random_state=1)
    >>> base = made.columns(6, cardinality=4)
    >>> cross = made.combination(base[:2], "xor")
    >>> copy = made.duplicates([base[0]])
    >>> made.labels(columns=[cross], shares=(0.7, 0.3))
    >>> planted = made.planted()
    >>> planted.frame.shape, planted.truth
    ((500, 9), (('f6',),))
    """

    def __init__(self, rows: int, random_state: int | np.random.Generator = 0) -> None:
        if rows < 1:
            raise ValueError(f"rows must be at least 1, got {rows}")
        self.rows = rows
        self.rng = np.random.default_rng(random_state)
        self.data: dict[str, np.ndarray] = {}
        self.absent: dict[str, np.ndarray] = {}
        self.label: np.ndarray | None = None
        self.truth: tuple[tuple[str, ...], ...] = ()
        self.steps: list[dict[str, Any]] = []

    # ------------------------------------------------------------------ columns
    def columns(
        self,
        count: int,
        cardinality: int = 5,
        *,
        structure: Mapping[int | tuple[int, ...], Any] | None = None,
        every_value: bool = False,
        random_values: bool = False,
        low: int = 0,
        high: int = 1000,
        width: float = 10.0,
    ) -> tuple[str, ...]:
        """Add categorical columns whose values follow a bell around a random value.

        Parameters
        ----------
        count : int
            How many.
        cardinality : int, default 5
            Values of each column that `structure` does not describe.
        structure : mapping, optional
            For the i-th new column, or for a tuple of them: a cardinality, a list of values, or ``(values,
            shares)``.
        every_value : bool, default False
            Let each value occur at least once (if there are enough rows).
        random_values : bool, default False
            Choose the values from ``low..high`` instead of counting up from `low`.
        low, high : int
            Bounds of the values.
        width : float, default 10
            The bell has a standard deviation of ``cardinality / width`` values: large means narrow.

        Returns
        -------
        tuple of str
            Names of the new columns.

        Raises
        ------
        ValueError
            If a cardinality, a position or the shares make no sense.
        """
        special: dict[int, Any] = {}
        for where, described in (structure or {}).items():
            special.update(dict.fromkeys((where,) if isinstance(where, int) else where, described))
        outside = sorted(i for i in special if not 0 <= i < count)
        if outside:
            raise ValueError(
                f"structure describes columns {outside}, but the new columns are 0 to {count - 1}"
            )
        arrays = []
        for i in range(count):
            values, shares = self._values(special.get(i, cardinality), random_values, low, high)
            arrays.append(self._column(values, shares, every_value, width))
        self.steps.append({"step": "columns", "count": count, "cardinality": cardinality})
        return self._add(arrays)

    def _values(
        self, described: Any, random_values: bool, low: int, high: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if isinstance(described, int | np.integer):
            if described < 1 or (random_values and described > high - low + 1):
                raise ValueError(f"a cardinality of {described} does not fit into the values {low} to {high}")
            if random_values:
                return self.rng.choice(np.arange(low, high + 1), size=described, replace=False), None
            return np.arange(low, low + described), None
        if len(described) == 2 and isinstance(described[0], Sequence | np.ndarray):
            values, shares = np.asarray(described[0]), np.asarray(described[1], dtype=float)
            if len(values) != len(shares) or (shares < 0).any() or shares.sum() <= 0:
                raise ValueError(
                    f"{len(values)} values need as many non-negative shares, got {shares.tolist()}"
                )
            return values, shares / shares.sum()
        return np.asarray(described), None

    def _column(
        self, values: np.ndarray, shares: np.ndarray | None, every_value: bool, width: float
    ) -> np.ndarray:
        if shares is None:
            distance = (values - values[self.rng.integers(len(values))]) * width / len(values)
            density = np.exp(-0.5 * distance**2) + np.finfo(float).tiny
            shares = density / density.sum()
        forced = values if every_value and len(values) < self.rows else values[:0]
        drawn = self.rng.choice(values, size=self.rows - len(forced), p=shares)
        return self.rng.permutation(np.concatenate([drawn, forced])).astype(np.int32)

    # ---------------------------------------------------------------- relations
    def correlated(self, columns: Sequence[str], r: float = 0.8) -> tuple[str, ...]:
        """For each column add a real one whose sample correlation with it is exactly `r`.

        Raises
        ------
        ValueError
            If `r` is outside -1..1, a column is absent, or constant.
        """
        if not -1 <= r <= 1:
            raise ValueError(f"r is a correlation from -1 to 1, got {r}")
        arrays = []
        for name in self._known(columns):
            centred = self.data[name] - self.data[name].mean()
            size = np.linalg.norm(centred)
            if size == 0:
                raise ValueError(f"column {name!r} is constant; nothing correlates with it")
            along = centred / size
            other = self.rng.standard_normal(self.rows)
            other -= other.mean()
            other -= along * (along @ other)
            across = other / np.linalg.norm(other)
            arrays.append((r * along + np.sqrt(1 - r * r) * across) * np.sqrt(self.rows))
        self.steps.append({"step": "correlated", "columns": list(columns), "r": r})
        return self._add(arrays)

    def duplicates(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Add a copy of each column."""
        arrays = [self.data[name].copy() for name in self._known(columns)]
        self.steps.append({"step": "duplicates", "columns": list(columns)})
        return self._add(arrays)

    def combination(self, columns: Sequence[str], how: str | Combine = "linear") -> str:
        """Add one column made from several.

        Parameters
        ----------
        columns : sequence of str
            Which columns.
        how : {"linear", "nonlinear", "xor", "and", "or"} or callable
            The sum; the sine of the sum; the bitwise operation on integers; or a function from (rows,
            columns) to (rows,).

        Returns
        -------
        str
            Name of the new column.
        """
        combine = find(how, COMBINATIONS, "combination")
        result = np.asarray(combine(self._matrix(columns)))
        if result.shape != (self.rows,):
            raise ValueError(
                f"a combination must return one number per row, ({self.rows},); got shape {result.shape}"
            )
        self.steps.append(
            {"step": "combination", "columns": list(columns), "how": getattr(how, "__name__", how)}
        )
        return self._add([result.astype(np.float64 if result.dtype.kind == "f" else np.int32)])[0]

    # -------------------------------------------------------------------- label
    def labels(
        self,
        classes: int = 2,
        shares: Sequence[float] | None = None,
        relation: str | Combine = "linear",
        columns: Sequence[str] | None = None,
        balance: bool = False,
    ) -> None:
        """Make the label from columns; they become the planted truth.

        Parameters
        ----------
        classes : int, default 2
            Number of classes.
        shares : sequence of float, optional
            Share of each class (they must add up to 1); equal when not given. Ties of the decision may shift
            them. For clusters they hold only if `balance`.
        relation : {"linear", "nonlinear", "cluster"} or callable
            Cut ``sum(2 x + 3)``, or ``sum(2 sin x + 2 cos x)``, or a function of (rows, columns) at its
            quantiles; or take clusters of k-means.
        columns : sequence of str, optional
            What decides; all columns when not given.
        balance : bool, default False
            Move the rows farthest from the centres of too large clusters to those that are too small.

        Raises
        ------
        ValueError
            If the shares do not fit, or the decision has too few distinct values.
        """
        portion = np.full(classes, 1 / classes) if shares is None else np.asarray(shares, dtype=float)
        if classes < 2 or len(portion) != classes or (portion <= 0).any() or not np.isclose(portion.sum(), 1):
            raise ValueError(
                f"{classes} classes (at least 2) need as many positive shares with sum 1, got {portion}"
            )
        used = tuple(self.data) if columns is None else self._known(columns)
        matrix = self._matrix(used)
        if relation == "cluster":
            self.label = self._clusters(matrix, portion, balance)
        else:
            decision = np.asarray(find(relation, RELATIONS, "relation")(matrix), dtype=float)
            self.label = cut_at_shares(decision, portion)
        self.truth = tuple((name,) for name in used)
        self.steps.append(
            {"step": "labels", "classes": classes, "relation": getattr(relation, "__name__", relation)}
        )

    def _clusters(self, matrix: np.ndarray, portion: np.ndarray, balance: bool) -> np.ndarray:
        from sklearn.cluster import KMeans

        seed = int(self.rng.integers(2**31))
        found = KMeans(n_clusters=len(portion), n_init=4, random_state=seed).fit(matrix)
        label = found.labels_.astype(np.int32)
        if not balance:
            return label
        distance = found.transform(matrix)  # (rows, classes)
        wanted = np.diff(np.round(np.concatenate([[0.0], np.cumsum(portion)]) * self.rows).astype(int))
        for k, size in enumerate(wanted):
            members = np.flatnonzero(label == k)
            label[members[np.argsort(distance[members, k], kind="stable")[size:]]] = -1
        for k, size in enumerate(wanted):
            free = np.flatnonzero(label == -1)
            missing = size - np.count_nonzero(label == k)
            label[free[np.argsort(distance[free, k], kind="stable")[:missing]]] = k
        return label

    # -------------------------------------------------------------------- noise
    def noise(
        self, share: float = 0.2, kind: str = "categorical", columns: Sequence[str] | None = None
    ) -> None:
        """Spoil a share of the rows of each column.

        Parameters
        ----------
        share : float, default 0.2
            Share of rows, drawn anew for each column.
        kind : {"categorical", "missing"}
            A value that occurs only with other labels (any value of another label if there is none); or no
            value.
        columns : sequence of str, optional
            Which columns; all when not given.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share is a share of rows from 0 to 1, got {share}")
        spoil = find(kind, {"categorical": self._mislead, "missing": self._remove}, "noise")
        for name in tuple(self.data) if columns is None else self._known(columns):
            spoil(name, self.rng.choice(self.rows, size=round(self.rows * share), replace=False))
        self.steps.append({"step": "noise", "share": share, "kind": kind})

    def _mislead(self, name: str, rows: np.ndarray) -> None:
        label, column = self._labelled(), self.data[name]
        seen = {k: np.unique(column[label == k]) for k in np.unique(label)}
        if len(seen) < 2:
            raise ValueError(
                "categorical noise takes values of other labels, but the label has only one class"
            )
        for k, own in seen.items():
            at = rows[label[rows] == k]
            others = [values for other, values in seen.items() if other != k]
            foreign = np.setdiff1d(np.concatenate(others), own)
            if len(foreign):
                column[at] = self.rng.choice(foreign, size=len(at))
            else:
                pick = self.rng.integers(len(others), size=len(at))
                for i, values in enumerate(others):
                    column[at[pick == i]] = self.rng.choice(values, size=np.count_nonzero(pick == i))

    def _remove(self, name: str, rows: np.ndarray) -> None:
        self.absent.setdefault(name, np.zeros(self.rows, dtype=bool))[rows] = True

    def downsample(self, per_class: int | None = None, shuffle: bool = False) -> None:
        """Keep the same number of rows of every class, drawn without replacement.

        Parameters
        ----------
        per_class : int, optional
            That number; the size of the smallest class when not given.
        shuffle : bool, default False
            Mix the rows; otherwise they stay in their order.

        Raises
        ------
        ValueError
            If a class has fewer rows.
        """
        label = self._labelled()
        kinds, sizes = np.unique(label, return_counts=True)
        wanted = int(sizes.min()) if per_class is None else per_class
        if not 1 <= wanted <= sizes.min():
            raise ValueError(
                f"per_class must be from 1 to {sizes.min()}, the smallest class; got {per_class}"
            )
        keep = np.concatenate(
            [self.rng.choice(np.flatnonzero(label == k), wanted, replace=False) for k in kinds]
        )
        keep = self.rng.permutation(keep) if shuffle else np.sort(keep)
        self.data = {name: column[keep] for name, column in self.data.items()}
        self.absent = {name: mask[keep] for name, mask in self.absent.items()}
        self.label, self.rows = label[keep], len(keep)
        self.steps.append({"step": "downsample", "per_class": wanted})

    # ------------------------------------------------------------------- result
    def planted(self, label: str = "label") -> Planted:
        """The frame, with the label under the given name, and what decides it."""
        columns = {}
        for name, array in self.data.items():
            series = pl.Series(name, array.copy())
            mask = self.absent.get(name)
            columns[name] = series if mask is None else series.set(pl.Series(mask), None)
        columns[label] = pl.Series(label, self._labelled().copy())
        return Planted(pl.DataFrame(columns), label, self.truth, {"steps": list(self.steps)})

    def _add(self, arrays: Sequence[np.ndarray]) -> tuple[str, ...]:
        names = tuple(f"f{len(self.data) + i}" for i in range(len(arrays)))
        self.data.update(zip(names, arrays, strict=True))
        return names

    def _known(self, columns: Sequence[str]) -> tuple[str, ...]:
        absent = [c for c in columns if c not in self.data]
        if absent or isinstance(columns, str):
            raise ValueError(
                f"no column named {absent or columns!r}; there are {', '.join(self.data)} (give a list)"
            )
        return tuple(columns)

    def _matrix(self, columns: Sequence[str]) -> np.ndarray:
        known = self._known(columns)
        if not known:
            raise ValueError("at least one column is needed; add some with columns() first")
        return np.column_stack([self.data[c] for c in known])

    def _labelled(self) -> np.ndarray:
        if self.label is None:
            raise ValueError("there is no label yet; call labels() first")
        return self.label
