"""How central sentences are: their links, a random walk over the links, the words they hold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from sklearn.exceptions import ConvergenceWarning

from salience.instances.lexrank.similarity import checked_similarity, without_lonely

__all__ = ["Links", "Walk", "lexrank_scores", "links_of_words", "stationary"]

Floats = NDArray[np.float64]


def lexrank_scores(
    S: Any,
    threshold: float = 0.1,
    follow: float = 0.85,
    continuous: bool = False,
    *,
    self_links: bool = True,
    tol: float = 1e-8,
    max_iter: int = 1000,
) -> Floats:
    r"""LexRank of any similarity matrix: how often a reader who follows similarities is at each sentence.

    .. math:: p_u = \frac{1 - f}{n} + f \sum_v B_{vu}\, p_v, \qquad B_{vu} = \frac{A_{vu}}{\sum_z A_{vz}}

    with :math:`A_{uv} = 1` where :math:`S_{uv} > t` (strictly), or :math:`A = S` in the continuous form.

    Parameters
    ----------
    S : array or sparse matrix of shape (n, n)
        Symmetric and non-negative. The diagonal is taken as 1, whatever it holds.
    threshold : float in [0, 1), default=0.1
        t; not used in the continuous form.
    follow : float in [0, 1], default=0.85
        f, the chance to follow a link. The paper's formula has d = 1 - f in its place; only 0.85 as the chance to
        *follow* gives the numbers of its table. 1 needs a connected graph.
    continuous : bool, default=False
    self_links : bool, default=True
        Whether a sentence votes for itself, as in the paper. Without, a sentence that has no link votes for all alike.
    tol : float, default=1e-8
        The walk ends when the Euclidean length of a step is below this.
    max_iter : int, default=1000

    Returns
    -------
    ndarray of shape (n,)
        Shares: they sum to 1.

    Raises
    ------
    ValueError
        A matrix that is not square, symmetric, finite or non-negative; a threshold or a chance out of range;
        ``follow=1`` with a graph that falls apart.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` steps did not suffice; the message has the length of the last one.

    References
    ----------
    Erkan and Radev, LexRank: Graph-based Lexical Centrality as Salience in Text Summarization, JAIR 22 (2004),
    arXiv:1109.2128.

    Examples
    --------
    Sentence 0 is like both others, which are not alike:

    >>> import numpy as np
    >>> S = np.array([[1.0, 0.5, 0.4], [0.5, 1.0, 0.0], [0.4, 0.0, 1.0]])
    >>> lexrank_scores(S).round(3)
    array([0.416, 0.292, 0.292])
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold lies in [0, 1), got {threshold}")
    if not 0 <= follow <= 1:
        raise ValueError(f"follow is a chance in [0, 1], got {follow}")
    pairs = checked_similarity(S)
    pairs.data *= pairs.data > (0.0 if continuous else threshold)
    pairs.eliminate_zeros()
    links = Links.of_pairs(pairs, own=float(self_links), weighted=continuous)
    walk = stationary(links, follow=follow, tol=tol, max_iter=max_iter)
    if walk.warning:
        warnings.warn(walk.warning, ConvergenceWarning, stacklevel=2)
    return walk.shares


@dataclass(frozen=True)
class Links:
    """A symmetric graph of sentences.

    Attributes
    ----------
    sums : ndarray of shape (n,)
        Weights of the links of each sentence, added up.
    times : callable
        The matrix of weights times a vector of shape (n,).
    apart : callable
        How many parts the graph falls into.
    """

    sums: Floats
    times: Callable[[Floats], Floats]
    apart: Callable[[], int]

    @classmethod
    def of_pairs(cls, pairs: csr_array, *, own: float, weighted: bool) -> Links:
        """Links between these pairs, all of weight 1 unless `weighted`; `own` is added to the diagonal."""
        A = pairs if weighted else csr_array((np.ones(pairs.nnz), pairs.indices, pairs.indptr), pairs.shape)
        return cls(
            np.asarray(A.sum(axis=1)).ravel() + own,
            lambda q: A @ q + own * q,
            lambda: int(connected_components(A, directed=False)[0]),
        )


def links_of_words(vectors: csr_array, *, self_links: bool) -> Links:
    r"""Links as strong as the cosines of rows of length 1, none of which is ever written down.

    .. math:: S q = X (X^\top q) + (1 - \lVert x \rVert^2)\, q

    with the words that several sentences share as the columns of X, so that a sentence without such a word has exactly
    its link to itself.
    """
    shared = without_lonely(vectors)
    across = csr_array(shared.T)
    squares = np.asarray(shared.multiply(shared).sum(axis=1)).ravel()
    own = float(self_links) - squares

    def times(q: Floats) -> Floats:
        return np.asarray(shared @ (across @ q) + own * q)

    def apart() -> int:
        n, words = shared.shape
        rows, columns = shared.nonzero()
        both = csr_array((np.ones(len(rows)), (rows, columns + n)), shape=(n + words, n + words))
        return int(connected_components(both, directed=False)[0])

    return Links(times(np.ones(shared.shape[0])), times, apart)


@dataclass(frozen=True)
class Walk:
    """Where a random walk is in the long run.

    Attributes
    ----------
    shares : ndarray of shape (n,)
        They sum to 1.
    steps : int
    residual : float
        Euclidean length of the last step.
    warning : str
        Empty when the walk came to rest.
    """

    shares: Floats
    steps: int
    residual: float
    warning: str = ""


def stationary(
    links: Links, *, follow: float, tol: float, max_iter: int, start: Floats | None = None
) -> Walk:
    """Power iteration from equal shares.

    Parameters
    ----------
    links : Links
    follow, tol, max_iter
        As in `lexrank_scores`.
    start : ndarray of shape (n,), optional
        Where the reader goes who does not follow a link, shares that sum to 1; by default anywhere alike.

    Raises
    ------
    ValueError
        If ``follow=1`` and the graph falls apart.
    """
    n = len(links.sums)
    if follow == 1 and (parts := links.apart()) > 1:
        raise ValueError(
            f"follow=1 needs a connected graph, this one falls into {parts} parts, whose shares would be chance: "
            "take follow below 1 (0.85 is usual)"
        )
    linked = links.sums > 0
    out = np.where(linked, links.sums, 1.0)
    home = np.full(n, 1 / n) if start is None else start
    p, residual = np.full(n, 1 / n), 0.0
    for step in range(1, max_iter + 1):
        # p / sums first: of an isolated sentence with its own link the quotient is p itself, to the last bit
        lost = 0.0 if linked.all() else p[~linked].sum() / n
        new = (1 - follow) * home + follow * (links.times(np.where(linked, p / out, 0.0)) + lost)
        residual = float(np.linalg.norm(new - p))
        p = new
        if residual < tol:
            return Walk(p / p.sum(), step, residual)
    warning = (
        f"the walk did not come to rest in max_iter={max_iter} steps: the last one has length {residual:.2g}, "
        f"tol={tol:g} was asked for; raise max_iter"
    )
    return Walk(p / p.sum(), max_iter, residual, warning)
