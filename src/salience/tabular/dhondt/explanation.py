"""What the explainer found: values that add up, the seats behind them, and how far to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from salience.results.attributions import Attributions
from salience.results.scores import Scores
from salience.tabular.dhondt.hemicycle import Party, bars, hemicycle, hemicycle_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DhondtExplanation"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class DhondtExplanation:
    """Predictions explained by :class:`~salience.tabular.DhondtExplainer`.

    Parameters
    ----------
    attributions : Attributions
        Values, base, residuals, predictions.
    alliances : ndarray of int, shape (n, d)
        Which alliance each column is in, numbered per row; -1 for excluded columns.
    elections : mapping of str to ndarray, shape (n, groups)
        effects, votes, eligible, votes and seats for and against, per alliance.
    diagnostics : mapping
        ``ratio`` (n,): the correction over the size of the explanation; above .5 the split is not to be trusted.
        ``correction`` (n,): what was missing. ``pairs`` (n,): pairs measured. ``sampling_gap``: mean score of the
        sampled background less that of the whole. ``background_rows``, ``model_rows``, ``allocation_seats``: what it
        cost. ``notes``: what a budget left out.

    Examples
    --------
    >>> from salience.tabular import DhondtExplainer
    >>> background = np.random.default_rng(0).normal(size=(50, 2))
    >>> found = DhondtExplainer(lambda X: X @ [3.0, 1.0], background).explain(np.ones((4, 2)))
    >>> found
    DhondtExplanation of 4 predictions by 2 columns · largest ratio 0.00 · largest gap 0
    >>> found.overall().items
    ['x0', 'x1']
    """

    attributions: Attributions
    alliances: NDArray[np.int64]
    elections: Mapping[str, NDArray[Any]]
    diagnostics: Mapping[str, Any]

    @property
    def values(self) -> Floats:
        """What each column adds to the prediction, shape (n, d)."""
        return self.attributions.values

    @property
    def base_values(self) -> Floats:
        """The mean score of the background, shape (n,)."""
        return self.attributions.base

    @property
    def residuals(self) -> Mapping[str, Floats]:
        """What belongs to no column, each of shape (n,): ``__excluded__``, ``__below_threshold__``,
        ``__projection_residual__``.
        """
        return self.attributions.residual

    @property
    def names(self) -> tuple[Any, ...]:
        """The columns."""
        return self.attributions.items

    @cached_property
    def seats(self) -> pl.DataFrame:
        """One row per prediction and party.

        ``row``, ``party``, ``members``, ``side`` (for, against, none), ``effect`` (of removing it), ``votes``,
        ``share`` (of all votes), ``eligible``, ``seats`` (those for it less those against; a party that took over votes
        can have both), ``seats_for``, ``seats_against``, ``quota`` (all its seats if they could be divided), ``value``.
        """
        ballots = self.elections["for_votes"] + self.elections["against_votes"]
        house = (self.elections["for_seats"] + self.elections["against_seats"]).sum(axis=1)
        rows = []
        for i, labels in enumerate(self.alliances):
            total, cast = self.elections["votes"][i].sum() or 1.0, ballots[i].sum() or 1.0
            for g in range(labels.max() + 1):
                members = np.flatnonzero(labels == g)
                effect = float(self.elections["effects"][i, g])
                rows.append(
                    {
                        "row": i,
                        "party": " + ".join(str(self.names[j]) for j in members),
                        "members": [str(self.names[j]) for j in members],
                        "side": ("against", "none", "for")[int(np.sign(effect)) + 1],
                        "effect": effect,
                        "votes": float(self.elections["votes"][i, g]),
                        "share": float(self.elections["votes"][i, g] / total),
                        "eligible": bool(self.elections["eligible"][i, g]),
                        "seats": int(
                            self.elections["for_seats"][i, g] - self.elections["against_seats"][i, g]
                        ),
                        "seats_for": int(self.elections["for_seats"][i, g]),
                        "seats_against": int(self.elections["against_seats"][i, g]),
                        "quota": float(ballots[i, g] / cast * house[i]),
                        "value": float(self.values[i, members].sum()),
                    }
                )
        return pl.DataFrame(rows)

    def overall(self) -> Scores:
        """Columns over all predictions.

        Returns
        -------
        Scores
            ``value``: mean size; ``mean``: with its sign; ``positive`` and ``negative``: means of the parts above and
            below 0; ``survival``: share of predictions in which its party passed the threshold (excluded: unknown).
        """
        values = self.values
        known = (self.alliances >= 0).all(axis=0)
        passed = np.take_along_axis(self.elections["eligible"], np.maximum(self.alliances, 0), axis=1).mean(
            axis=0
        )
        return Scores.from_values(
            np.where(known, np.abs(values).mean(axis=0), np.nan),
            self.names,
            meta=self.attributions.meta,
            mean=values.mean(axis=0),
            positive=np.maximum(values, 0).mean(axis=0),
            negative=np.maximum(-values, 0).mean(axis=0),
            survival=np.where(known, passed, np.nan),
        )

    def together(self) -> Floats:
        """In which share of the predictions two columns are in one alliance, shape (d, d)."""
        same = np.zeros((len(self.names),) * 2)
        for labels in self.alliances:
            same += (labels[:, None] == labels) & (labels >= 0)
        return same / len(self.alliances)

    def to_shap(self, residuals: bool = True) -> Any:
        """As a ``shap.Explanation``; residuals are columns of their own, so that it adds up.

        Raises
        ------
        ImportError
            When shap is not installed.
        """
        found = self.attributions
        if residuals and found.residual:
            more = np.column_stack(list(found.residual.values()))
            data = np.asarray(found.data, dtype=object)
            found = Attributions(
                np.column_stack([found.values, more]),
                [*found.items, *found.residual],
                base=found.base,
                prediction=found.prediction,
                data=np.column_stack([data, np.full(more.shape, np.nan, dtype=object)]),
                meta=found.meta,
            )
        return found.to_shap()

    def plot(self, i: int = 0, kind: str = "parliament", ax: Axes | None = None) -> Axes:
        """Draw the parliament of prediction `i`, or the values of its columns as bars.

        Parameters
        ----------
        i : int, default=0
        kind : {"parliament", "bars"}, default="parliament"
        ax : matplotlib Axes, optional

        Raises
        ------
        ValueError, IndexError
            No such picture, no such prediction.
        """
        if kind not in _PICTURES:
            raise ValueError(f"there is no picture {kind!r}; the pictures are {', '.join(_PICTURES)}")
        return _PICTURES[kind](self, self._checked(i), ax)

    def to_svg(self, i: int = 0) -> str:
        """The parliament of prediction `i` as one ``<svg>`` element; seats say what they are when pointed at."""
        i = self._checked(i)
        return hemicycle_svg(self._parties(i), **self._words(i))

    def _parties(self, i: int) -> list[Party]:
        rows = self.seats.filter(pl.col("row") == i)
        return [
            Party(name, seats, side, value)
            for name, supporting, against, value in rows.select(
                "party", "seats_for", "seats_against", "value"
            ).iter_rows()
            for side, seats in (("for", supporting), ("against", against))
        ]

    def _words(self, i: int) -> dict[str, str]:
        found = self.attributions
        target = found.meta.params.get("target")
        what = found.meta.params["output"] + ("" if target is None else f" of {target}")
        prediction = 0.0 if found.prediction is None else float(found.prediction[i])
        ratio = float(self.diagnostics["ratio"][i])
        return {
            "title": what,
            "middle": f"{prediction:.3g}",
            "below": f"base {float(found.base[i]):.3g}",
            "note": f"correction {ratio:.0%}" + (": do not trust the split" if ratio > 0.5 else ""),
        }

    def _checked(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise IndexError(f"there are {len(self)} predictions, 0 to {len(self) - 1}; got {i}")
        return i % len(self)

    def __len__(self) -> int:
        return len(self.attributions)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=True)

    def __repr__(self) -> str:
        gap = float(self.attributions.gap().max())
        return (
            f"DhondtExplanation of {len(self):,} predictions by {len(self.names):,} columns · "
            f"largest ratio {float(self.diagnostics['ratio'].max()):.2f} · largest gap {round(gap, 9):.3g}"
        )


def _bars(found: DhondtExplanation, i: int, ax: Axes | None) -> Axes:
    words = found._words(i)
    parts = {
        **dict(zip(found.names, found.values[i], strict=True)),
        **{k: v[i] for k, v in found.residuals.items()},
    }
    return bars(
        {str(name): float(value) for name, value in parts.items()},
        ax=ax,
        title=words["title"],
        axis=f"from {words['below']} to {words['middle']} · {words['note']}",
    )


_PICTURES = {
    "parliament": lambda found, i, ax: hemicycle(found._parties(i), ax=ax, **found._words(i)),
    "bars": _bars,
}
