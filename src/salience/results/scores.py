"""Scores: items and how much they matter, the one thing that every method returns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import DTypeLike, NDArray

from salience.results import construction, display, ordering, storage
from salience.results.agreement import Agreement, agreement
from salience.results.matrix import Matrix, matrix
from salience.results.meta import Meta
from salience.results.rollup import rolled_up
from salience.results.selection import Selection, chosen, the_one_rule
from salience.results.validation import checked_frame, checked_replicates

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Scores"]

Better = Literal["high", "low", "abs"]


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """Items and how much they matter.

    A tidy frame with declared roles: one row per scored item and context. Items may be columns, pairs, values
    of a field, heads of a layer: `keys` says which columns name them. A method that ranks per class or task
    has one ranking per combination of the columns in `by`. An order without a number has ``rank`` only.

    Parameters
    ----------
    frame : polars.DataFrame
        One row per item and context, with ``value`` (float64) or ``rank`` (uint32, 1 is best) or both. Other
        reserved columns: ``se``, ``lo``, ``hi``, ``null`` (the value that chance gives), ``z``, ``p``, ``q``,
        ``n``, ``flag`` (constant, dead, untrained, too_few, leak, unscored), ``parent``, ``members``. Any
        other column is a further measure. NaN in a reserved column becomes null: not known.
    keys : tuple of str
        Columns that name the item, for instance ``("column",)``, ``("a", "b")``, ``("layer", "head")``.
    by : tuple of str
        Columns that name the context; each combination is a ranking of its own.
    item : str
        Kind of item: column, pair, value, row, sentence, concept, neuron, head, weight, token, stage, ...
    better : {"high", "low", "abs"}
        Which values are the interesting ones. ``"abs"``: signed values, ranked by size.
    replicates : array-like of float32, shape (R, rows), optional
        The values again under other seeds, folds, bootstraps; ``meta.replicate_of`` says which.
    meta : Meta
        Method, parameters, data, unit.

    Raises
    ------
    TypeError, ValueError
        When the frame breaks one of these rules; the message says which row or column, and what to do.

    Examples
    --------
    >>> scores = Scores.from_values({"age": 0.2, "city": 0.7, "id": float("nan")})
    >>> scores
    Scores of 3 columns · given · high is better
    #  column  value
    1  city      0.7
    2  age       0.2
    –  id          –
    >>> scores.top(1).items
    ['city']
    """

    frame: pl.DataFrame
    keys: tuple[str, ...]
    by: tuple[str, ...] = ()
    item: str = "column"
    better: Better = "high"
    replicates: NDArray[np.float32] | None = None
    meta: Meta = field(default_factory=Meta)

    def __post_init__(self) -> None:
        for name in ("keys", "by"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        if not isinstance(self.meta, Meta):
            raise TypeError(f"Scores.meta must be a Meta, got {type(self.meta).__name__}")
        frame = checked_frame(
            self.frame, self.keys, self.by, self.item, self.better, symmetric=self.meta.symmetric
        )
        object.__setattr__(self, "frame", frame)
        if self.replicates is not None:
            object.__setattr__(self, "replicates", checked_replicates(self.replicates, frame.height))

    @classmethod
    def from_values(
        cls,
        values: Any,
        items: Sequence[Any] | None = None,
        *,
        keys: str | Sequence[str] = "column",
        item: str = "column",
        better: Better = "high",
        replicates: Any = None,
        meta: Meta | None = None,
        **columns: Any,
    ) -> Scores:
        """Scores from one value per item.

        Parameters
        ----------
        values : array-like of float, shape (n,), or mapping of item to float
            NaN where the item is unscored.
        items : sequence, optional
            Names; tuples when `keys` are several. By default x0, x1, ... for columns, else 0, 1, ...
        keys, item, better, replicates, meta
            As in the class.
        **columns : array-like, shape (n,)
            Further columns of the frame: ``se=``, ``n=``, ``card=``, ...

        Examples
        --------
        >>> Scores.from_values([0.5, 0.25], [(0, 1), (0, 2)], keys=("layer", "head"), item="head").items
        [(0, 1), (0, 2)]
        """
        frame, keys = construction.frame_of_values(values, items, keys, item, columns)
        return cls(frame, keys, item=item, better=better, replicates=replicates, meta=meta or Meta())

    @classmethod
    def from_order(
        cls,
        items: Sequence[Any],
        *,
        unscored: Sequence[Any] = (),
        keys: str | Sequence[str] = "column",
        item: str = "column",
        meta: Meta | None = None,
    ) -> Scores:
        """Scores of a method that gives an order without a number: `items`, best first, then the unscored.

        Examples
        --------
        >>> Scores.from_order(["b", "a"], unscored=["c"]).ranks().to_list()
        [1, 2, None]
        """
        frame, keys = construction.frame_of_order(items, unscored, keys)
        return cls(frame, keys, item=item, meta=meta or Meta())

    @classmethod
    def from_matrix(
        cls,
        values: Any,
        rows: Sequence[Any] | None = None,
        columns: Sequence[Any] | None = None,
        *,
        keys: tuple[str, str] = ("a", "b"),
        item: str = "pair",
        better: Better = "high",
        meta: Meta | None = None,
    ) -> Scores:
        """Scores of items with two keys from a matrix of shape (rows, columns).

        With ``meta.symmetric`` the matrix must be symmetric; each unordered pair is taken once, the diagonal
        not at all.

        Examples
        --------
        >>> heads = Scores.from_matrix([[0.1, 0.9], [0.4, 0.2]], keys=("layer", "head"), item="head")
        >>> heads.top(2).items
        [(0, 1), (1, 0)]
        """
        meta = meta or Meta()
        frame = construction.frame_of_matrix(values, rows, columns, keys, symmetric=meta.symmetric)
        return cls(frame, tuple(keys), item=item, better=better, meta=meta)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Scores:
        """Read what :meth:`save` wrote.

        Raises
        ------
        ValueError
            When the file is damaged, was not written by salience, or by another version of it.
        """
        return cls(**storage.load(path))

    def save(self, path: str | PathLike[str]) -> None:
        """Write to one Parquet file, roles and meta as JSON in its footer; it appears when it is complete."""
        storage.save(
            path,
            self.frame,
            roles={"keys": self.keys, "by": self.by, "item": self.item, "better": self.better},
            meta=self.meta,
            replicates=self.replicates,
        )

    @property
    def items(self) -> list[Any]:
        """Names in the order of the frame: strings (or numbers) for one key, tuples for several."""
        return construction.items_of(self.frame, self.keys)

    @property
    def values(self) -> NDArray[np.float64]:
        """Values in frame order, shape (rows,), NaN where unscored; an order without numbers has none."""
        if "value" not in self.frame.columns:
            raise ValueError("these scores are an order without numbers: use ranks() or top(k)")
        return self.frame["value"].to_numpy().astype(np.float64, copy=True)

    def where(self, **conditions: Any) -> Scores:
        """The rows whose columns have these values; a list, tuple or set means any of them. None: an error.

        Examples
        --------
        >>> pairs = Scores.from_matrix([[0.1, 0.9], [0.4, 0.2]], keys=("layer", "head"), item="head")
        >>> pairs.where(layer=1).items
        [(1, 0), (1, 1)]
        """
        return self._take(construction.matching_rows(self.frame, conditions))

    def order(self, **conditions: Any) -> NDArray[np.int64]:
        """Row numbers of the frame, best first; shape (rows,) of the ranking that `conditions` leave.

        The one ranking rule: by ``rank`` if there is one, else by ``value`` and what is `better`; unscored
        items last; ties in the order of the frame.

        Raises
        ------
        ValueError
            When more than one context is left: each is a ranking of its own.

        Examples
        --------
        >>> Scores.from_values([-3.0, 1.0, 2.0], better="abs").order()
        array([0, 2, 1])
        """
        rows = construction.matching_rows(self.frame, conditions)
        kept = self.frame[rows]
        if np.unique(ordering.contexts(kept, self.by)).size > 1:
            raise ValueError(
                f"there is one ranking per {', '.join(self.by)}; name one, for instance "
                f"order({construction.as_arguments(kept.select(self.by).row(0, named=True))}), "
                "or use top(k), ranks() or select(), which go context by context"
            )
        return rows[ordering.order_within(kept, self.by, self.better)]

    def top(self, k: int = 10, **conditions: Any) -> Scores:
        """The `k` best scored items, or as many as there are, best first; of each context.

        Examples
        --------
        >>> Scores.from_values([0.1, 0.9], ["a", "b"]).top(1).items
        ['b']
        """
        found = self.where(**conditions)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 0:
            raise ValueError(f"top(k) takes a whole number from 0 up, got {k!r}")
        place = ordering.positions(found.frame, found.by, found.better)
        return found._take(found._ordered_rows((place > 0) & (place <= k)))

    def ranks(self) -> pl.Series:
        """Place of each row in its context, 1 is best, null where unscored; uint32, in frame order."""
        place = ordering.positions(self.frame, self.by, self.better)
        return pl.Series("rank", place).replace(0, None).cast(pl.UInt32)

    def select(
        self,
        *,
        k: int | None = None,
        fraction: float | None = None,
        above: float | None = None,
        beats_null: bool | float | None = None,
        per: str | Sequence[str] = (),
    ) -> Selection:
        """Keep some items by exactly one rule.

        Parameters
        ----------
        k : int
            This many of the best.
        fraction : float
            This share of the items, in (0, 1], rounded up.
        above : float
            Values strictly beyond this: above it, or below for ``better="low"``, or in size for ``"abs"``.
        beats_null : bool or float
            Items better than chance: by ``q``, else ``p``, else ``z``, at this level (True: 0.05); with
            only a column ``null``, values better than it (True).
        per : str or sequence of str
            Run the rule in each of these groups by itself, beside each context: the 2 best heads per layer.

        Examples
        --------
        >>> heads = Scores.from_matrix([[0.1, 0.9], [0.4, 0.2]], keys=("layer", "head"), item="head")
        >>> heads.select(k=1, per="layer").items
        [(0, 1), (1, 0)]
        """
        rule, argument = the_one_rule(k=k, fraction=fraction, above=above, beats_null=beats_null)
        per = (per,) if isinstance(per, str) else tuple(per)
        mask = chosen(self, (*self.by, *per), rule, argument)
        said = {rule: argument, **({"per": list(per)} if per else {})}
        kept = self.frame[self._ordered_rows(mask, per)]
        return Selection(kept, self.keys, self.by, mask, said, self.meta)

    def rollup(self, to: str | Sequence[str], how: str = "mean", name: str | None = None) -> Scores:
        """Scores of larger items from those of their parts: heads to layers, pairs to columns.

        Parameters
        ----------
        to : str or sequence of str
            Columns that name the larger item (``"layer"``), or ``"parent"``, or ``"members"``: then each
            member takes part in the score of every group it is in. Unordered pairs are groups of two members.
        how : {"mean", "mean_abs", "sum", "median", "max", "min", "best"}
            ``"best"`` follows `better`, or the rank. ``"sum"`` needs ``meta.additive``.
        name : str, optional
            What to call the larger item; without it as its column, or "column" for the members of pairs,
            "member" for other members, "group" for parents.

        Examples
        --------
        >>> heads = Scores.from_matrix([[0.1, 0.9], [0.4, 0.2]], keys=("layer", "head"), item="head")
        >>> heads.rollup("layer", "max").values
        array([0.9, 0.4])
        """
        return dataclasses.replace(self, **rolled_up(self, to, how, name))

    def matrix(self, column: str = "value") -> Matrix:
        """A column as a matrix over two keys, or over one key and one context; NaN where there is no item.

        Examples
        --------
        >>> heads = Scores.from_matrix([[0.1, 0.9], [0.4, 0.2]], keys=("layer", "head"), item="head")
        >>> heads.matrix().values
        array([[0.1, 0.9], [0.4, 0.2]])
        """
        return matrix(self, column)

    def compare(self, other: Scores, k: int = 10) -> Agreement:
        """How far two rankings of the same items agree; see :class:`Agreement`."""
        return agreement(self, other, k)

    def plot(self, kind: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the scores; without `kind`, the picture that suits them. See :mod:`salience.plotting`."""
        from salience import plotting  # matplotlib is loaded by those who draw

        return plotting.draw(self, kind, ax, **options)

    def to_polars(self) -> pl.DataFrame:
        """The frame."""
        return self.frame.clone()

    def to_pandas(self) -> pd.DataFrame:
        """The frame as a pandas one."""
        return self.frame.to_pandas()

    def replace(self, **changes: Any) -> Scores:
        """The same scores with some fields changed, and checked again."""
        return dataclasses.replace(self, **changes)

    def equals(self, other: Scores) -> bool:
        """Whether frame, roles, replicates and meta are all the same."""
        mine, theirs = self.replicates, other.replicates
        same_replicates = mine is theirs or (
            mine is not None and theirs is not None and np.array_equal(mine, theirs, equal_nan=True)
        )
        roles = ("keys", "by", "item", "better", "meta")
        return (
            same_replicates
            and all(getattr(self, role) == getattr(other, role) for role in roles)
            and self.frame.schema == other.frame.schema
            and self.frame.equals(other.frame)
        )

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values of Scores are given as a copy only: np.asarray(scores)")
        return self.values if dtype is None else self.values.astype(dtype)

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        return display.as_text(self)

    def _repr_html_(self) -> str:
        return display.as_html(self)

    def _take(self, rows: NDArray[np.int64]) -> Scores:
        replicates = None if self.replicates is None else self.replicates[:, rows]
        return dataclasses.replace(self, frame=self.frame[rows], replicates=replicates)

    def _ordered_rows(self, mask: NDArray[np.bool_], per: Sequence[str] = ()) -> NDArray[np.int64]:
        order = ordering.order_within(self.frame, (*self.by, *per), self.better)
        return order[mask[order]]
