"""Any importance vector as a parliament: so many seats per column, or per alliance of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau, pearsonr, spearmanr

from salience.measures.apportion import dhondt
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.dhondt.alliances import named_groups
from salience.tabular.dhondt.hemicycle import Party, bars, hemicycle, hemicycle_svg
from salience.tabular.dhondt.rules import share_of_votes, whole_from_one

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Consistency", "Parliament", "target_signs"]

Floats = NDArray[np.float64]


class Consistency(NamedTuple):
    """Correlations of seats with other importances of the same parties."""

    pearson: float
    spearman: float
    kendall: float


class Parliament:
    r"""Seats from importances by D'Hondt's method.

    Importances :math:`a_i \ge 0` become votes :math:`v_i = a_i / \sum a \cdot` `num_votes`; alliances add theirs up;
    who has less than the threshold gets no seat and its votes are lost; the seats go one by one to the largest
    :math:`v_i / (s_i + 1)`.

    Parameters
    ----------
    importances : Scores, mapping, fitted estimator with ``feature_importances_``, or array-like of shape (d,)
        Not negative. Of `Scores`, signed values (``better="abs"``) vote with their size, values below 0 (worse than
        chance) and unscored items do not vote; a message in ``warnings`` says so.
    names : sequence, optional
        Of an array or an estimator that knows none; x0, x1, ... by default.
    seats : int, default=600
    threshold : float, optional
        Share of all votes that a party needs, in [0, 1); a number in (1, 100) is a percentage. If none passes, the
        largest does.
    alliances : list of lists of names
        Disjoint groups that stand together, named "a + b".
    exclude : list of names
        Columns that do not vote.
    signs : array-like of shape (d,) or mapping, optional
        The colour of a party is that of its first member: blue from 0 up, red below. Signed scores have signs; for
        others see :func:`target_signs`.
    num_votes : float, default=1e8
        Votes cast, for show: seats do not depend on it.
    tie : {"stable", "random"}, default="stable"
    random_state : int, default=0
        Of random ties.

    Attributes
    ----------
    frame : polars.DataFrame
        One row per party: ``party``, ``members``, ``votes``, ``share`` (of all votes), ``eligible``, ``seats``, ``quota``
        (seats if they could be divided), ``sign``.
    scores : Scores
        The seats, one row per party.
    warnings : tuple of str

    Raises
    ------
    TypeError, ValueError
        Negative, NaN or infinite importances; unknown, repeated or overlapping names; less than one seat; a threshold of 1
        (100 %) or more; scores without numbers, of several contexts, or of which low ones are the good ones.

    Notes
    -----
    Seats say nothing that the importances do not say: with many seats they are the importances, rounded; with few, small
    columns vanish, and D'Hondt favours large ones and alliances. The quota beside the seats shows by how much. Seats that
    agree with SHAP values show that the importances do.

    References
    ----------
    Explainable AI through a Democratic Lens: DhondtXAI for Proportional Feature Importance Using the D'Hondt Method,
    arXiv:2411.05196.

    Examples
    --------
    >>> parliament = Parliament({"age": 100, "income": 80, "city": 30, "colour": 20}, seats=8)
    >>> dict(parliament.frame.select("party", "seats").iter_rows())
    {'age': 4, 'income': 3, 'city': 1, 'colour': 0}
    """

    def __init__(
        self,
        importances: Any,
        names: Sequence[Any] | None = None,
        *,
        seats: int = 600,
        threshold: float | None = None,
        alliances: Sequence[Sequence[Any]] = (),
        exclude: Sequence[Any] = (),
        signs: ArrayLike | Mapping[Any, float] | None = None,
        num_votes: float = 1e8,
        tie: str = "stable",
        random_state: int = 0,
    ) -> None:
        whole_from_one("seats", seats)
        if not (np.isfinite(num_votes) and num_votes > 0):
            raise ValueError(f"num_votes must be a number above 0, got {num_votes!r}")
        tau = share_of_votes(threshold)
        values, items, own_signs, meta, notes = _read(importances, names)
        wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if len(wrong):
            raise ValueError(
                f"importances must be finite and not negative, but that of {items[wrong[0]]!r} is "
                f"{float(values[wrong[0]])!r}; give sizes, and signs= for the colours"
            )
        given = own_signs if signs is None else _signs(signs, items)
        unknown = [name for name in exclude if name not in items]
        if isinstance(exclude, str) or unknown or len(set(exclude)) < len(exclude):
            raise ValueError(f"exclude must list names of items, each once; got {exclude!r}")
        groups = named_groups(alliances, items, exclude)
        allied = {j for group in groups for j in group}
        alone = [(j,) for j, name in enumerate(items) if j not in allied and name not in exclude]
        parties = sorted([*groups, *alone], key=min)
        if not parties:
            raise ValueError("no item is left: all of them are excluded")
        power = np.array([values[list(group)].sum() for group in parties])
        share = power / power.sum() if power.sum() > 0 else power
        eligible = share >= (tau or 0.0)
        if not eligible.any():
            eligible[share.argmax()] = True
        cast = np.where(eligible, share, 0.0)
        won = dhondt(cast, seats, tie=tie, random_state=random_state)
        self.seats = int(seats)
        self.warnings = notes
        self.frame = pl.DataFrame(
            {
                "party": [" + ".join(str(items[j]) for j in group) for group in parties],
                "members": [[str(items[j]) for j in group] for group in parties],
                "votes": share * num_votes,
                "share": share,
                "eligible": eligible,
                "seats": won,
                "quota": cast / (cast.sum() or 1.0) * seats,
                "sign": np.where(given[[group[0] for group in parties]] < 0, -1, 1),
            }
        )
        self._parties = parties
        self.scores = Scores.from_values(
            won.astype(np.float64),
            self.frame["party"].to_list(),
            meta=Meta(
                method="parliament",
                params={"seats": seats, "threshold": tau, "alliances": alliances, "exclude": exclude, "of": meta.method,
                        "tie": tie},
                seed=random_state, data=meta.data, rows=meta.rows, unit="seats", additive=True,
                warnings=(*meta.warnings, *notes),
            ),
            share=share,
            quota=self.frame["quota"].to_numpy(),
        )  # fmt: skip

    def consistency(self, values: ArrayLike | Mapping[Any, float]) -> Consistency:
        """Correlations of the seats with other importances, for instance mean ``|SHAP|``.

        Parameters
        ----------
        values : array-like of shape (d,), or mapping
            One per item, in the order in which importances were given; those of an alliance are added up.

        Returns
        -------
        Consistency
            Pearson, Spearman, Kendall over the parties; NaN where either side is constant.

        Raises
        ------
        ValueError
            When there is not one value per item.
        """
        items = [name for group in self._parties for name in group]
        if isinstance(values, Mapping):
            members = [name for group in self.frame["members"] for name in group]
            missing = [name for name in members if name not in values]
            if missing:
                raise ValueError(f"there is no value for {', '.join(map(repr, missing))}")
            other = np.array([sum(values[name] for name in group) for group in self.frame["members"]])
        else:
            given = np.asarray(values, dtype=np.float64)
            if given.ndim != 1 or len(given) <= max(items):
                raise ValueError(f"values must have one number per item, got the shape {given.shape}")
            other = np.array([given[list(group)].sum() for group in self._parties])
        seats = self.frame["seats"].to_numpy().astype(np.float64)
        if len(seats) < 2 or np.ptp(seats) == 0 or np.ptp(other) == 0:
            return Consistency(float("nan"), float("nan"), float("nan"))
        return Consistency(
            *(float(test(seats, other).statistic) for test in (pearsonr, spearmanr, kendalltau))
        )

    def plot(self, kind: str = "parliament", ax: Axes | None = None) -> Axes:
        """Draw the half circle, or bars with the quota as a tick beside the seats.

        Parameters
        ----------
        kind : {"parliament", "bars"}, default="parliament"
        ax : matplotlib Axes, optional
        """
        if kind not in _PICTURES:
            raise ValueError(f"there is no picture {kind!r}; the pictures are {', '.join(_PICTURES)}")
        return _PICTURES[kind](self, ax)

    def to_svg(self) -> str:
        """The half circle as one ``<svg>`` element; parties say their seats when pointed at."""
        return hemicycle_svg(self._seated(), **self._words())

    def _seated(self) -> list[Party]:
        rows = self.frame.select("party", "seats", "sign").iter_rows()
        return [Party(name, seats, "for" if sign > 0 else "against") for name, seats, sign in rows]

    def _words(self) -> dict[str, str]:
        inside = int((self.frame["seats"] > 0).sum())
        lost = float(self.frame.filter(~pl.col("eligible"))["share"].sum())
        return {
            "title": f"importances: {self.scores.meta.params['of']}",
            "middle": f"{int(self.frame['seats'].sum())}",
            "below": f"seats, {inside} of {len(self.frame)} parties",
            "note": f"{lost:.0%} of the votes below the threshold" if lost else "",
        }

    def __repr__(self) -> str:
        best = self.frame.sort("seats", descending=True)[:3]
        first = ", ".join(f"{name} {seats}" for name, seats in best.select("party", "seats").iter_rows())
        return f"Parliament of {self.seats} seats, {len(self.frame)} parties: {first}, ..."

    def _repr_html_(self) -> str:
        return self.to_svg()


def target_signs(X: Any, y: ArrayLike) -> Floats:
    """Signs of the correlation of columns with a target, for the colours of a parliament.

    It is marginal: in a model with correlated columns a column can act the other way.

    Parameters
    ----------
    X : array-like of shape (n, d)
        Numbers.
    y : array-like of shape (n,)
        Numbers, or two classes: the second one in sorted order counts as larger.

    Returns
    -------
    ndarray of float64, shape (d,)
        -1, 0 (constant) or 1.

    Examples
    --------
    >>> target_signs([[1.0, 5.0], [2.0, 4.0], [3.0, 0.0]], [0, 0, 1])
    array([ 1., -1.])
    """
    table, target = np.asarray(X, dtype=np.float64), np.asarray(y)
    if not np.issubdtype(target.dtype, np.number):
        classes, target = np.unique(target, return_inverse=True)
        if len(classes) > 2:
            raise ValueError(
                f"y has {len(classes)} classes, which have no order; give numbers or two classes"
            )
    if table.ndim != 2 or target.shape != table.shape[:1]:
        raise ValueError(f"X must be (n, d) and y (n,), got {table.shape} and {target.shape}")
    return np.sign(((table - table.mean(axis=0)) * (target - target.mean())[:, None]).sum(axis=0))


def _read(
    importances: Any, names: Sequence[Any] | None
) -> tuple[Floats, list[Any], Floats, Meta, tuple[str, ...]]:
    """Importances, names, signs, meta and messages of whatever was given."""
    if isinstance(importances, Scores):
        return _of_scores(importances)
    if isinstance(importances, Mapping):
        names, values = list(importances), np.array(list(importances.values()), dtype=np.float64)
    else:
        values = getattr(importances, "feature_importances_", importances)
        names = getattr(importances, "feature_names_in_", None) if names is None else names
        values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"importances must be a vector with one number per item, got the shape {values.shape}"
        )
    items = [f"x{j}" for j in range(len(values))] if names is None else [str(name) for name in names]
    if len(items) != len(values) or len(set(items)) < len(items):
        raise ValueError(
            f"{len(values)} importances need as many different names, got {len(items)}: {items[:12]}"
        )
    method = (
        "given"
        if values is importances or isinstance(importances, Mapping | list)
        else type(importances).__name__
    )
    return values, items, np.ones(len(values)), Meta(method=method), ()


def _of_scores(scores: Scores) -> tuple[Floats, list[Any], Floats, Meta, tuple[str, ...]]:
    if scores.by:
        raise ValueError(
            f"there is one ranking per {', '.join(scores.by)}: choose one with scores.where(...)"
        )
    if scores.better == "low":
        raise ValueError(
            "low scores are the good ones here, and votes count for what is large: turn them round first"
        )
    values = scores.values
    items = [" · ".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in scores.items]
    unscored, below = np.isnan(values), (values < 0) & (scores.better == "high")
    notes = []
    if unscored.any():
        notes.append(f"{int(unscored.sum())} items without a score do not vote")
    if below.any():
        notes.append(f"{int(below.sum())} items with a score below 0 do not vote")
    sizes = np.where(unscored | below, 0.0, np.abs(values))
    return sizes, items, np.where(values < 0, -1.0, 1.0), scores.meta, tuple(notes)


def _signs(signs: ArrayLike | Mapping[Any, float], items: list[Any]) -> Floats:
    given = [signs.get(name, 1.0) for name in items] if isinstance(signs, Mapping) else signs
    found = np.asarray(given, dtype=np.float64)
    if found.shape != (len(items),):
        raise ValueError(
            f"signs must have one number for each of {len(items)} items, got the shape {found.shape}"
        )
    return found


def _bars(parliament: Parliament, ax: Axes | None) -> Axes:
    rows = parliament.frame
    sides = {
        name: "for" if sign > 0 else "against" for name, sign in rows.select("party", "sign").iter_rows()
    }
    return bars(
        dict(rows.select("party", "seats").iter_rows()),
        ax=ax,
        marks=dict(rows.select("party", "quota").iter_rows()),
        colours=sides,
        axis=f"seats of {parliament.seats}; the tick is the undivided quota",
        title=parliament._words()["title"],
    )


_PICTURES = {
    "parliament": lambda parliament, ax: hemicycle(parliament._seated(), ax=ax, **parliament._words()),
    "bars": _bars,
}
