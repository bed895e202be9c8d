"""Which columns belong together: complete linkage of ``1 - similarity`` as a tree, a profile of its cuts, and a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.plotting.drawing import (
    CYCLE,
    GREY,
    MOST_CELLS,
    ORANGE,
    axes_or_new,
    label_of,
    name_points,
    note_left_out,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.results.scores import Scores

__all__ = ["Cut", "best_cut", "clusters", "dendrogram", "silhouette"]

MOST_COLUMNS = 500  # of a map or a profile: all pairs are held, and the map takes seconds
MOST_CUTS = 30
NAMED = 40  # points of a map whose names are written
Matrix = NDArray[np.float64]


class Cut(NamedTuple):
    """A tree cut where its clusters are most apart.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        Cluster of each column, from 1.
    sizes : ndarray of int
        Numbers of clusters that were tried, ascending.
    silhouettes : ndarray of float
        Mean silhouette of each: 1 is far apart, 0 is no structure.
    """

    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    silhouettes: Matrix

    @property
    def best(self) -> int:
        """The number of clusters with the highest mean silhouette."""
        return int(self.sizes[np.argmax(self.silhouettes)]) if len(self.sizes) else 1


def best_cut(distance: Matrix) -> Cut:
    """Cut the complete linkage of a matrix of distances where the mean silhouette is highest.

    Parameters
    ----------
    distance : ndarray of float, shape (n, n)
        Symmetric, zero on the diagonal.

    Examples
    --------
    >>> distance = np.array([[0, 0.1, 1, 1], [0.1, 0, 1, 1], [1, 1, 0, 0.2], [1, 1, 0.2, 0]])
    >>> cut = best_cut(distance)
    >>> cut.best, cut.labels.tolist()
    (2, [1, 1, 2, 2])
    """
    from scipy.cluster.hierarchy import fcluster
    from sklearn.metrics import silhouette_score

    n = len(distance)
    if n < 3:
        return Cut(np.ones(n, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    tree = _tree(distance)
    found: dict[int, tuple[float, NDArray[np.int64]]] = {}
    for wanted in range(2, min(n, MOST_CUTS + 1)):
        labels = fcluster(tree, wanted, "maxclust").astype(np.int64)
        size = int(labels.max())  # ties in the tree may leave fewer
        if 1 < size < n and size not in found:
            found[size] = (float(silhouette_score(distance, labels, metric="precomputed")), labels)
    if not found:
        return Cut(np.ones(n, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    sizes = np.array(sorted(found), dtype=np.int64)
    values = np.array([found[size][0] for size in sizes])
    return Cut(found[int(sizes[np.argmax(values)])][1], sizes, values)


def dendrogram(scores: Scores, ax: Axes | None = None, *, top: int = MOST_CELLS) -> Axes:
    """The tree of columns: they join at one minus their least similarity (complete linkage).

    Parameters
    ----------
    scores : Scores
        Of unordered pairs, from ``--redundancy`` (`StreamRanker.redundancy_`).
    ax : matplotlib Axes, optional
    top : int
        Columns that are drawn at most, those with the strongest pairs.
    """
    from scipy.cluster.hierarchy import dendrogram as draw_tree

    names, distance, left_out = _distances(scores, top)
    ax = axes_or_new(ax, height=1.0 + 0.2 * max(len(names), 4))
    if len(names) > 1:
        cut = best_cut(distance)
        tree = _tree(distance)
        # below the join that the best cut undoes, a cluster has a colour of its own
        height = tree[-(cut.best - 1), 2] if cut.best > 1 else 0.0
        draw_tree(
            tree, labels=[label_of(name) for name in names], orientation="right", ax=ax, color_threshold=height,
            above_threshold_color=GREY,
        )  # fmt: skip
        ax.tick_params(axis="y", labelsize="small" if len(names) > 25 else "medium")
        if cut.best > 1:
            ax.axvline(height, color=GREY, linestyle=":", linewidth=1)
    ax.set_xlabel("1 - similarity")
    note_left_out(ax, left_out, "column")
    return titled(ax, scores, {})


def silhouette(scores: Scores, ax: Axes | None = None, *, top: int = MOST_COLUMNS) -> Axes:
    """Mean silhouette against the number of clusters, the best cut marked; the parameters are those of `dendrogram`."""
    from matplotlib.ticker import MaxNLocator

    _, distance, left_out = _distances(scores, top)
    cut = best_cut(distance)
    ax = axes_or_new(ax)
    ax.plot(cut.sizes, cut.silhouettes, marker="o", markersize=4, color=CYCLE[0])
    if len(cut.sizes):
        most = float(cut.silhouettes.max())
        ax.scatter([cut.best], [most], s=90, color=ORANGE, zorder=3)
        ax.annotate(
            f"{cut.best} clusters: {most:.2f}", (cut.best, most), xytext=(8, 4), textcoords="offset points"
        )
        ax.margins(x=0.08, y=0.15)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("clusters")
    ax.set_ylabel("mean silhouette")
    note_left_out(ax, left_out, "column")
    return titled(ax, scores, {})


def clusters(scores: Scores, ax: Axes | None = None, *, top: int = MOST_COLUMNS, seed: int = 0) -> Axes:
    """A map of the columns (t-SNE of ``1 - similarity``), similar ones close, the clusters of the best cut in colours.

    Distances between far points mean nothing in such a map. `seed` is that of t-SNE; the others as in `dendrogram`.
    """
    names, distance, left_out = _distances(scores, top)
    cut = best_cut(distance)
    place = _map(distance, seed)
    ax = axes_or_new(ax)
    sizes = np.bincount(cut.labels)
    for i, cluster in enumerate(np.argsort(-sizes, kind="stable")):
        own = cut.labels == cluster
        if not sizes[cluster]:
            continue
        alone = sizes[cluster] == 1
        colour, marker = (
            (GREY, "o") if alone else (CYCLE[i % len(CYCLE)], MARKERS[i // len(CYCLE) % len(MARKERS)])
        )
        ax.scatter(place[own, 0], place[own, 1], s=28, color=colour, marker=marker, alpha=0.8, linewidths=0)
    ax.margins(0.15)
    if len(names) <= NAMED:
        name_points(ax, place[:, 0], place[:, 1], range(len(names)), [label_of(name) for name in names])
    ax.set_xticks([])
    ax.set_yticks([])
    together = int((sizes > 1).sum())
    ax.set_xlabel(f"{cut.best} clusters, {together} of them with several columns (grey: alone)")
    note_left_out(ax, left_out, "column")
    return titled(ax, scores, {})


MARKERS = ("o", "s", "^", "D", "v")


def _distances(scores: Scores, top: int) -> tuple[list[str], Matrix, int]:
    """Names, ``1 - similarity`` of the columns with the strongest pairs, and how many were left out."""
    if not (scores.meta.symmetric and len(scores.keys) == 2):
        raise ValueError("columns are clustered by their pairs: two keys and Meta(symmetric=True)")
    found = scores.matrix("similarity" if "similarity" in scores.frame.columns else "value")
    similar = np.nan_to_num(found.values)
    most = similar.max(initial=0.0)
    similar = np.clip(similar / most if most > 1 else similar, 0, 1)  # nats have no upper end
    np.fill_diagonal(similar, 0)
    kept = np.sort(np.argsort(-similar.max(axis=1, initial=0.0), kind="stable")[:top])
    distance = 1.0 - similar[np.ix_(kept, kept)]
    np.fill_diagonal(distance, 0)
    return [str(found.rows[i]) for i in kept], distance, len(found.rows) - len(kept)


def _tree(distance: Matrix) -> Matrix:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    return np.asarray(linkage(squareform(distance, checks=False), "complete"))


def _map(distance: Matrix, seed: int) -> Matrix:
    """Two coordinates per column, (n, 2)."""
    from sklearn.manifold import TSNE

    n = len(distance)
    if n < 4:
        return np.column_stack([np.arange(n), np.zeros(n)]).astype(np.float64)
    perplexity = min(30.0, max(2.0, (n - 1) / 4))
    settings = {"metric": "precomputed", "init": "random", "random_state": seed}
    place = np.asarray(TSNE(perplexity=perplexity, **settings).fit_transform(distance), dtype=np.float64)
    # a column like no other may be thrown far out, and all others would share a dot
    low, high = np.quantile(place, (0.1, 0.9), axis=0)
    return np.clip(place, low - (high - low) / 2, high + (high - low) / 2)
