"""What each method makes of a graph of sentences: a value for each, and whose votes it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salience.instances.lexrank.centrality import Links, stationary
from salience.instances.lexrank.graph import Graph

__all__ = [
    "MEASURES",
    "Centroid",
    "Continuous",
    "Degree",
    "Threshold",
    "Votes",
    "level",
    "places",
    "structure",
]

Floats = NDArray[np.float64]
TIE = 1e-6  # of the mean value


@dataclass(frozen=True)
class Votes:
    """What the value of one sentence is made of.

    Attributes
    ----------
    shares : ndarray of shape (m,)
        Of the value.
    of : ndarray of int, shape (m,)
        The sentences that vote.
    words : list of str or None
        The words that count, where it is they.
    """

    shares: Floats
    of: NDArray[np.intp]
    words: list[str] | None = None


class Walk:
    """The shares of a random walk; a base class.

    Attributes
    ----------
    values : ndarray of shape (n,)
    unit : str
    steps : int
    residual : float
    alone : int
        Sentences with no link but that to itself.
    warning : str
        Empty, or that the walk did not come to rest.
    """

    unit = "share of the visits"

    def __init__(self, model: Any, graph: Graph) -> None:
        self.graph, self.follow, self.self_links, self.weak = (
            graph,
            model.follow,
            model.self_links,
            model.weak,
        )
        links = self.links()
        walk = stationary(links, follow=self.follow, tol=model.tol, max_iter=model.max_iter, start=graph.home)
        self.sums, self.values = links.sums, walk.shares
        self.alone = int((links.sums == float(self.self_links)).sum())
        self.steps, self.residual, self.warning = walk.steps, walk.residual, walk.warning

    def votes(self, i: int) -> Votes:
        """The sentences with a link to sentence `i`; a sentence without any link votes for all, and is not listed."""
        weights = self.row(i)
        weights[i] = float(self.self_links)
        of = np.flatnonzero(weights)
        return Votes(
            self.follow * weights[of] * self.values[of] / self.sums[of] / (self.values[i] or 1.0), of
        )

    def links(self) -> Links:
        return self.graph.counted(self_links=self.self_links)

    def row(self, i: int) -> Floats:
        """Weights of the links of one sentence, shape (n,)."""
        return np.asarray(self.graph.links[[i]].toarray(), dtype=np.float64).ravel()


class Threshold(Walk):
    """All links weigh the same."""

    def row(self, i: int) -> Floats:
        return (super().row(i) > 0).astype(np.float64)


class Continuous(Walk):
    """A link weighs what the similarity is."""

    def links(self) -> Links:
        return self.graph.weighted(self_links=self.self_links, weak=self.weak)

    def row(self, i: int) -> Floats:
        return self.graph.similar(i) if self.weak else super().row(i)


class Degree:
    """The number of links; attributes as those of `Walk`."""

    unit = "links"
    steps, residual, warning = 0, 0.0, ""

    def __init__(self, model: Any, graph: Graph) -> None:
        _refuse_title(model, graph)
        self.graph, self.self_links = graph, model.self_links
        links = np.diff(graph.links.indptr)
        self.values = links.astype(np.float64) - (not self.self_links)
        self.alone = int((links == 1).sum())

    def votes(self, i: int) -> Votes:
        """Each link counts alike."""
        of = np.sort(self.graph.links[[i]].indices).astype(np.intp)
        of = of if self.self_links else of[of != i]
        return Votes(np.full(len(of), 1 / max(len(of), 1)), of)


class Centroid:
    r"""The words of the centre of all documents: :math:`\frac{\sum_x \mathrm{tf}_{wx}}{N}\,\mathrm{idf}_w` above a cutoff.

    A sentence scores the sum over its words, each as often as it stands there. Attributes as those of `Walk`.
    """

    unit = "tf idf"
    steps, residual, alone, warning = 0, 0.0, None, ""

    def __init__(self, model: Any, graph: Graph) -> None:
        _refuse_title(model, graph)
        if graph.words is None or graph.weights is None:
            raise ValueError(
                f"method='centroid' adds up words, but similarity={model.similarity!r} has none: say 'tfidf'"
            )
        self.words = graph.words
        centre = np.asarray(self.words.counts.sum(axis=0)).ravel() / graph.documents * graph.weights
        self.centre = np.where(centre > model.cutoff, centre, 0.0)
        self.values = np.asarray(self.words.counts @ self.centre)

    def votes(self, i: int) -> Votes:
        """The words of the centre that sentence `i` has."""
        row = self.words.counts[[i]]
        of = row.indices.astype(np.intp)
        worth = row.data * self.centre[of]
        return Votes(worth / (self.values[i] or 1.0), of, [self.words.names[word] for word in of])


MEASURES: dict[str, type[Threshold | Continuous | Degree | Centroid]] = {
    "threshold": Threshold,
    "continuous": Continuous,
    "degree": Degree,
    "centroid": Centroid,
}


def places(values: Floats, degree: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each value, 1 is the highest; of values within a millionth of the mean, more links, then the earlier.

    Examples
    --------
    >>> places(np.array([0.2, 0.3, 0.3 + 1e-12, 0.2]), np.array([1, 2, 2, 3])).tolist()
    [4, 1, 2, 3]
    """
    order = np.argsort(-values, kind="stable")
    falling = -values[order]
    group = np.empty(len(values), dtype=np.int64)
    start, number, width = 0, 0, TIE * abs(float(values.mean()))
    while start < len(values):  # a tie reaches from its highest value, so that it cannot grow link by link
        stop = int(np.searchsorted(falling, falling[start] + width, side="right"))
        group[order[start:stop]] = number
        start, number = stop, number + 1
    place = np.empty(len(values), dtype=np.int64)
    place[np.lexsort((np.arange(len(values)), -degree, group))] = np.arange(1, len(values) + 1)
    return place


def level(values: Floats) -> bool:
    """Whether all values are one, but for rounding.

    Examples
    --------
    >>> level(np.array([0.1 + 0.2, 0.3])), level(np.array([0.2, 0.3]))
    (True, False)
    """
    return bool(np.ptp(values) <= TIE * abs(float(values.mean())))


def structure(values: Floats, alone: int | None) -> list[str]:
    """What to say when the values tell little; `alone` sentences have no link, None where links do not count."""
    n, said = len(values), []
    if n > 1 and level(values):
        why = {None: "", n: ", because no two are linked"}.get(alone, ", because all are linked alike")
        said.append(f"no structure: all {n} sentences score the same{why}; their order says nothing")
    if alone is not None and n > alone > n / 2:
        said.append(
            f"{alone} of {n} sentences are isolated: lower the threshold, or say self_links=False to rank them last"
        )
    return said


def _refuse_title(model: Any, graph: Graph) -> None:
    if graph.home is not None:
        raise ValueError(
            f"about= steers a walk; method={model.method!r} has none: say 'threshold' or 'continuous'"
        )
