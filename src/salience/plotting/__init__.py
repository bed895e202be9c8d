"""The pictures every :class:`~salience.results.scores.Scores` has: matplotlib axes in, the axes out.

Each picture is bounded: however many items there are, it stays readable and says how many it left out.
Colours are told apart by colour-blind readers (Okabe and Ito 2008; cividis; purple to orange).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from salience.plotting.bars import bars
from salience.plotting.clusters import best_cut, clusters, dendrogram, silhouette
from salience.plotting.pictures import (
    agreement,
    curves,
    histogram,
    matrix,
    ranking,
    redundancy,
    score_against_cardinality,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = [
    "PICTURES",
    "agreement",
    "bars",
    "best_cut",
    "clusters",
    "curves",
    "dendrogram",
    "draw",
    "histogram",
    "matrix",
    "ranking",
    "redundancy",
    "score_against_cardinality",
    "silhouette",
]

# What Scores.plot(kind) can draw.
PICTURES: dict[str, Callable[..., Any]] = {
    "ranking": ranking,
    "bars": bars,
    "histogram": histogram,
    "cardinality": score_against_cardinality,
    "matrix": matrix,
    "redundancy": redundancy,
    "dendrogram": dendrogram,
    "silhouette": silhouette,
    "clusters": clusters,
}


def draw(scores: Scores, kind: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw `scores` as the picture `kind`, or as the one that suits them.

    Parameters
    ----------
    scores : Scores
    kind : str, optional
        One of "ranking", "bars", "histogram", "cardinality", "matrix", "redundancy", "dendrogram", "silhouette", "clusters".
        Without it unordered pairs are drawn as "redundancy", other items with two names as "matrix", the rest
        as "ranking".
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it.
    **options
        Of the picture.

    Raises
    ------
    ValueError
        When there is no such picture.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from salience.results import Scores
    >>> ax = Figure().subplots()
    >>> Scores.from_values({"age": 0.2, "city": 0.7}).plot(ax=ax) is ax
    True
    """
    kind = _suited(scores) if kind is None else kind
    if kind not in PICTURES:
        raise ValueError(f"there is no picture {kind!r}; the pictures are {', '.join(PICTURES)}")
    return PICTURES[kind](scores, ax=ax, **options)


def _suited(scores: Scores) -> str:
    if len(scores.keys) == 2 and not scores.by and "value" in scores.frame.columns:
        return "redundancy" if scores.meta.symmetric else "matrix"
    return "ranking"
