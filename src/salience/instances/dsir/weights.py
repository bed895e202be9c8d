r"""The mathematics on counts of features: log importance weights, effective sample size, KL reduction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

__all__ = [
    "FLOOR",
    "effective_sample_size",
    "importance_weights",
    "kl_reduction",
    "log_ratio",
    "token_counts",
]

FLOOR = 1e-8  # added to every share before its logarithm
Floats = NDArray[np.float64]


def importance_weights(Z_raw: Any, Z_target: Any, *, smoothing: float = 1.0) -> Floats:
    r"""Log importance weights of rows of counts: how much more a row looks like the target than like the raw rows.

    .. math::

        \log w(x) = \sum_k z_k \left[\ln(p_k + 10^{-8}) - \ln(q_k + 10^{-8})\right], \qquad
        p_k = \frac{c^\mathrm{target}_k + a}{\sum_j (c^\mathrm{target}_j + a)}, \quad
        q_k = \frac{c^\mathrm{raw}_k}{\sum_j c^\mathrm{raw}_j}

    Any counts will do: of hashed n-grams, as :class:`ImportanceResampler` makes them, or of the values of columns.

    Parameters
    ----------
    Z_raw : array-like or sparse matrix of shape (n, m)
        Not negative.
    Z_target : array-like or sparse matrix of shape (n_target, m)
    smoothing : float, default=1.0
        a, added to every count of the target. With 0 a feature that the target lacks decides everything.

    Returns
    -------
    ndarray of float64, shape (n,)
        A sum over all counts of a row, so it grows with their number: compare rows of equal length.

    Raises
    ------
    ValueError
        Counts that are negative or not finite, no count at all on a side, or sides of different width.

    References
    ----------
    Xie, Santurkar, Ma, Liang, Data Selection for Language Models via Importance Resampling, NeurIPS 2023,
    arXiv:2302.03169.

    Examples
    --------
    >>> importance_weights([[2, 0], [0, 2]], [[3, 1]], smoothing=0).round(3)
    array([ 0.811, -1.386])
    """
    raw, target = _counts(Z_raw, "Z_raw"), _counts(Z_target, "Z_target")
    if raw.shape[1] != target.shape[1]:
        raise ValueError(
            f"Z_raw has {raw.shape[1]} features and Z_target {target.shape[1]}; count the same ones"
        )
    if not np.isfinite(smoothing) or smoothing < 0:
        raise ValueError(f"smoothing={smoothing!r} must be a number from 0 up")
    of_target, of_raw = (np.asarray(Z.sum(axis=0), np.float64).reshape(-1) for Z in (target, raw))
    return np.asarray(raw @ log_ratio(of_target, of_raw, smoothing), np.float64)


def log_ratio(target: ArrayLike, raw: ArrayLike, smoothing: float = 0.0) -> Floats:
    """What one occurrence of each feature adds to the log weight, from counts of shape (m,)."""
    p = np.asarray(target, np.float64) + smoothing
    q = np.asarray(raw, np.float64)
    for counts, name in ((p, "target"), (q, "raw")):
        if not counts.sum():
            raise ValueError(f"{name} has no n-gram at all; give documents with words in them")
    return np.asarray(np.log(p / p.sum() + FLOOR) - np.log(q / q.sum() + FLOOR))


def token_counts(n_grams: ArrayLike, n: int) -> NDArray[Any]:
    r"""How many tokens gave so many n-grams of 1 to n tokens: :math:`\lfloor (z + n (n - 1) / 2) / n \rfloor`.

    Exact from n - 1 tokens up, and for none.

    Examples
    --------
    >>> token_counts([0, 1, 9], 2)
    array([0, 1, 5])
    """
    z = np.asarray(n_grams)
    tokens = z + n * (n - 1) // 2
    tokens //= n
    tokens[z == 0] = 0
    return tokens


def effective_sample_size(log_weights: Floats) -> float:
    r"""How many rows carry the weight: :math:`(\sum_i w_i)^2 / \sum_i w_i^2`, from 1 to n.

    Examples
    --------
    >>> effective_sample_size(np.zeros(5)), effective_sample_size(np.array([0.0, -300.0]))
    (5.0, 1.0)
    """
    w = log_weights - log_weights.max()
    np.exp(w, out=w)
    return float(w.sum() ** 2 / (w @ w))


def kl_reduction(targets: NDArray[Any], raw: NDArray[Any], selected: NDArray[Any], smoothing: float) -> float:
    r"""How much nearer the selected rows are to the targets than all rows are, in nats.

    .. math::

        \frac{1}{|T|} \sum_{p \in T} \mathrm{KL}(p \,\|\, q) - \mathrm{KL}(p \,\|\, s)
        = \frac{1}{|T|} \sum_{p \in T} \sum_k p_k \ln \frac{s_k}{q_k}

    Parameters
    ----------
    targets : ndarray of shape (targets, m)
        Counts, as `raw` and `selected` of shape (m,).
    smoothing : float
        Added to every count of q and s alike; with 0, 1e-8 is added to every share instead.

    Examples
    --------
    >>> raw = np.array([5.0, 5.0])
    >>> round(kl_reduction(np.array([[3.0, 1.0]]), raw, np.array([3.0, 1.0]), 0.0), 3)
    0.131
    """
    p = targets / targets.sum(axis=1, keepdims=True)
    q, s = raw + smoothing, selected + smoothing
    floor = 0.0 if smoothing else FLOOR
    return float((p @ (np.log(s / s.sum() + floor) - np.log(q / q.sum() + floor))).mean())


def _counts(Z: Any, name: str) -> Any:
    is_sparse: bool = sparse.issparse(Z)
    matrix: Any = Z.tocsr() if is_sparse else np.asarray(Z, np.float64)
    if matrix.ndim != 2 or not matrix.shape[0]:
        raise ValueError(f"{name} must be a matrix of counts, at least one row; got the shape {matrix.shape}")
    values = matrix.data if is_sparse else matrix
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} must hold counts: finite and not negative")
    return matrix
