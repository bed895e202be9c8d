"""Orders in which rows can be inserted: at random, by dimension, by category."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from salience.measures.vectors import as_vectors
from salience.vectors.hnsw.dimension import local_intrinsic_dimension

__all__ = ["ORDERS", "Material", "insertion_order", "needs"]

Permutation: TypeAlias = NDArray[np.int64]


def insertion_order(
    X: ArrayLike,
    by: str = "lid",
    descending: bool = True,
    *,
    groups: ArrayLike | None = None,
    group_order: Sequence[Any] | None = None,
    lid: Any = None,
    metric: str = "l2",
    k: int | None = None,
    random_state: int = 0,
) -> Permutation:
    """An order in which to insert rows into a graph: ``index.build(X, order=order)``.

    There is no order that is best for all data: sorted insertion helps one cloud and strands clusters that lie far
    apart. `HnswRecallAudit` measures which serves yours.

    Parameters
    ----------
    X : array-like, shape (n, d)
    by : {"lid", "random", "category"}, default="lid"
        By local intrinsic dimension (within and between the `groups`, when they are given: groups by the median of
        their finite dimensions);
        at random; or all rows of one group, then the next, as they stand.
    descending : bool, default=True
        The most complex first. Rows without a finite dimension come last in either case.
    groups : array-like, shape (n,), optional
        Category of each row.
    group_order : sequence, optional
        The categories in their order, for "category"; by default as they first appear.
    lid : array-like or Scores, shape (n,), optional
        Dimensions, when they are known already.
    metric, k
        Of `local_intrinsic_dimension`.
    random_state : int, default=0

    Returns
    -------
    ndarray of int64, shape (n,)
        A permutation of the row numbers.

    Raises
    ------
    ValueError
        When `by` is unknown, groups or dimensions do not fit the rows, or "category" has no groups.

    Examples
    --------
    >>> from salience.vectors import insertion_order
    >>> insertion_order(np.eye(4), lid=[2.0, 9.0, np.inf, 5.0])
    array([1, 3, 0, 2])
    >>> insertion_order(np.eye(4), by="category", groups=["b", "a", "b", "a"])
    array([0, 2, 1, 3])
    """
    rows = as_vectors(X, "X")
    choices = {
        "random": "random",
        "category": "category",
        "lid": ("category_" if groups is not None else "") + ("lid_desc" if descending else "lid_asc"),
    }
    if by not in choices:
        raise ValueError(f"by={by!r} is unknown; it must be one of {', '.join(map(repr, choices))}")
    name = choices[by]
    if lid is None and "lid" in needs(name):
        lid = local_intrinsic_dimension(rows, k, metric=metric, random_state=random_state)
    return ORDERS[name](Material.checked(len(rows), lid, groups, group_order), random_state)


@dataclass(frozen=True)
class Material:
    """What orders are made from.

    Attributes
    ----------
    n : int
    lid : ndarray of float64 (n,) or None
    group : ndarray of int64 (n,) or None
        Number of the group of each row, in the order of the groups.
    """

    n: int
    lid: NDArray[np.float64] | None
    group: NDArray[np.int64] | None

    @classmethod
    def checked(
        cls, n: int, lid: Any = None, groups: Any = None, group_order: Sequence[Any] | None = None
    ) -> Material:
        """From what a person gives, or an error that says what does not fit."""
        values = None if lid is None else np.asarray(lid, dtype=np.float64)
        if values is not None and values.shape != (n,):
            raise ValueError(
                f"lid has the shape {values.shape}; it must be one number for each of the {n} rows"
            )
        return cls(n, values, None if groups is None else _numbered(np.asarray(groups), n, group_order))

    def keys(self, descending: bool) -> NDArray[np.float64]:
        """Ascending in the order of the dimension; what is not finite comes last."""
        if self.lid is None:
            raise ValueError(
                "this order needs the dimensions of the rows: give lid=local_intrinsic_dimension(X)"
            )
        return np.where(np.isfinite(self.lid), -self.lid if descending else self.lid, np.inf)

    def groups(self) -> NDArray[np.int64]:
        if self.group is None:
            raise ValueError("this order needs the category of each row: give groups=, shape (n,)")
        return self.group


def _numbered(groups: NDArray[Any], n: int, order: Sequence[Any] | None) -> NDArray[np.int64]:
    if groups.shape != (n,):
        raise ValueError(
            f"groups has the shape {groups.shape}; it must name a category for each of the {n} rows"
        )
    known, first, codes = np.unique(groups, return_index=True, return_inverse=True)
    if order is None:
        place = np.argsort(np.argsort(first))
    else:
        wanted = {value: number for number, value in enumerate(order)}
        absent = [value for value in known.tolist() if value not in wanted]
        if absent:
            raise ValueError(
                f"group_order lacks {', '.join(map(repr, absent[:10]))}; it must name every category"
            )
        place = np.array([wanted[value] for value in known.tolist()])
    return place[codes].astype(np.int64)


def _random(material: Material, seed: int) -> Permutation:
    return np.random.default_rng(seed).permutation(material.n)


def _given(material: Material, seed: int) -> Permutation:
    return np.arange(material.n)


def _by_dimension(descending: bool) -> Callable[[Material, int], Permutation]:
    return lambda material, seed: np.argsort(material.keys(descending), kind="stable")


def _by_category(material: Material, seed: int) -> Permutation:
    return np.argsort(material.groups(), kind="stable")


def _by_category_and_dimension(descending: bool) -> Callable[[Material, int], Permutation]:
    def order(material: Material, seed: int) -> Permutation:
        keys, groups = material.keys(descending), material.groups()
        known, codes = np.unique(groups, return_inverse=True)
        finite = np.isfinite(keys)
        medians = np.full(len(known), np.inf)  # of a group in which no row has a dimension
        for group in np.unique(codes[finite]):
            medians[group] = np.median(keys[finite & (codes == group)])
        return np.lexsort((keys, groups, medians[codes]))

    return order


#: Orders of the audit by name: from the material and a seed to a permutation.
ORDERS: Mapping[str, Callable[[Material, int], Permutation]] = {
    "given": _given,
    "random": _random,
    "lid_asc": _by_dimension(descending=False),
    "lid_desc": _by_dimension(descending=True),
    "category": _by_category,
    "category_lid_asc": _by_category_and_dimension(descending=False),
    "category_lid_desc": _by_category_and_dimension(descending=True),
}


def needs(name: str) -> frozenset[str]:
    """What an order is made from: "lid", "groups", both or nothing.

    Examples
    --------
    >>> sorted(needs("category_lid_asc"))
    ['groups', 'lid']
    """
    wanted = {"lid": "lid" in name, "groups": "category" in name}
    return frozenset(part for part, needed in wanted.items() if needed)
