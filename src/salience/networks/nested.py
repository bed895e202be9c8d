"""Nested dropout: the neurons of a layer, ordered by how often they are there while the network learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from salience.networks.nestedcounts import right_by_length

__all__ = [
    *("NestedDropout", "best_length", "keep_first", "length_probabilities", "nested_accuracy"),
    "nested_logits",
]

PENALTY = 1e-5  # accuracy that a further neuron has to bring


class NestedDropout(nn.Module):
    r"""Keep the first k neurons and set the others to 0, with a new k for every batch (or row).

    .. math:: P(k) \propto \exp\left(-((k - \mu) / \sigma)^2\right), \quad k = 1, \ldots, D

    There is no factor 1/2 in the exponent, and what is kept is not rescaled. The first neuron is there in every step,
    the last in hardly any: what matters most has to go to the front.

    Parameters
    ----------
    dim : int
        Neurons D, at least 2; the second axis of what comes in.
    sigma : float
        Width. A rule of thumb: not below the number of classes.
    mu : float, default=0
    k_per : {"batch", "sample"}, default="batch"
        One k for all rows of a batch, or one for each, which makes gradients vary less.

    Attributes
    ----------
    probs : Tensor of shape (D,)
        P(k).

    Raises
    ------
    ValueError
        When `dim` is below 2, `sigma` is not positive, or `k_per` is unknown.

    References
    ----------
    Compressing Features for Learning with Noisy Labels, arXiv:2206.13140; nested dropout itself is due to Rippel,
    Gelbart and Adams (2014), who show that it makes a linear autoencoder find principal components in their order.

    Examples
    --------
    >>> layer = NestedDropout(4, sigma=2.0)
    >>> layer.probs.numpy().round(4)
    array([0.613 , 0.2896, 0.083 , 0.0144])
    >>> layer(torch.ones(1, 4), k=2)
    tensor([[1., 1., 0., 0.]])
    >>> layer.eval()(torch.ones(1, 4))
    tensor([[1., 1., 1., 1.]])
    """

    probs: Tensor

    def __init__(self, dim: int, sigma: float, mu: float = 0.0, k_per: str = "batch") -> None:
        super().__init__()
        if k_per not in ("batch", "sample"):
            raise ValueError(f"k_per={k_per!r} is unknown; it is 'batch' or 'sample'")
        self.dim, self.sigma, self.mu, self.k_per = dim, float(sigma), float(mu), k_per
        self.register_buffer("probs", torch.from_numpy(length_probabilities(dim, sigma, mu)))

    def draw(self, rows: int) -> Tensor:
        """A k from 1 to D for the batch, shape (1,), or for each of its rows, shape (rows,)."""
        return torch.multinomial(self.probs, rows if self.k_per == "sample" else 1, replacement=True) + 1

    def forward(self, h: Tensor, k: int | Tensor | None = None) -> Tensor:
        """Masked by the given `k`; without one by a new draw in training, and not at all in evaluation."""
        if h.ndim < 2 or h.shape[1] != self.dim:
            raise ValueError(f"h must have the shape (n, {self.dim}, ...), got {tuple(h.shape)}")
        if k is None:
            if not self.training:
                return h
            k = self.draw(len(h))
        return keep_first(h, k)

    def extra_repr(self) -> str:
        """What printing shows."""
        return f"{self.dim}, sigma={self.sigma:g}, mu={self.mu:g}, k_per={self.k_per!r}"


def length_probabilities(dim: int, sigma: float, mu: float = 0.0) -> NDArray[np.float64]:
    """P(k) for k = 1 ... dim; see :class:`NestedDropout`.

    Examples
    --------
    >>> length_probabilities(2, sigma=1e6)
    array([0.5, 0.5])
    """
    if dim < 2:
        raise ValueError(f"an order needs at least 2 neurons, got dim={dim}")
    if not (np.isfinite(sigma) and sigma > 0 and np.isfinite(mu)):
        raise ValueError(f"sigma must be positive and mu finite, got sigma={sigma}, mu={mu}")
    exponent = -(((np.arange(1, dim + 1) - mu) / sigma) ** 2)
    weights = np.exp(exponent - exponent.max())
    return weights / weights.sum()


def keep_first(h: Tensor, k: int | Tensor) -> Tensor:
    """The first `k` entries of the second axis; 0 in the others.

    Parameters
    ----------
    h : Tensor of shape (n, D, ...)
    k : int, or Tensor of shape (1,) or (n,)
    """
    lengths = torch.as_tensor(k, device=h.device).reshape(-1, 1)
    mask = torch.arange(h.shape[1], device=h.device) < lengths  # (1 or n, D)
    return h * mask.to(h.dtype).reshape(*mask.shape, *(1,) * (h.ndim - 2))


def nested_logits(h: Tensor, W: Tensor) -> Tensor:
    """Logits of every length at once: :math:`z_k = \\sum_{j \\le k} h_j W_j`, a cumulative sum.

    All of them are n D C numbers; when the accuracy per length is wanted, :func:`nested_accuracy` keeps n C.

    Parameters
    ----------
    h : Tensor of shape (n, D)
        Features.
    W : Tensor of shape (D, C)
        Head without an intercept; of a ``nn.Linear`` it is ``weight.T``.

    Returns
    -------
    Tensor of shape (n, D, C)

    Examples
    --------
    >>> nested_logits(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[[1., 0.],
             [1., 2.]]])
    """
    _check_head(h, W)
    return (h[:, :, None] * W).cumsum(1)


def nested_accuracy(
    h: Tensor | Sequence[Tensor], W: Tensor | Sequence[Tensor], y: ArrayLike | Tensor
) -> NDArray[np.float64]:
    """Accuracy of the first k neurons, for every k in one pass: O(n D C) work, memory for 64 rows at a time.

    Parameters
    ----------
    h : Tensor of shape (n, D), or a sequence of them
        Features; of several networks the mean of their logits is judged.
    W : Tensor of shape (D, C), or a sequence of them
        Heads without intercepts.
    y : array of int, shape (n,)
        Classes 0 ... C - 1.

    Returns
    -------
    ndarray of shape (D,)
        At place k - 1 the share of rows whose largest logit (the first of equal ones) is that of their class.

    Raises
    ------
    ValueError
        When shapes do not fit, there is no row, or a class is out of range.

    Examples
    --------
    >>> nested_accuracy(torch.eye(2), torch.eye(2), [0, 1])
    array([0.5, 1. ])
    """
    features = [h] if isinstance(h, Tensor) else list(h)
    heads = [W] if isinstance(W, Tensor) else list(W)
    if not features or len(features) != len(heads):
        raise ValueError(f"there are {len(features)} arrays of features and {len(heads)} heads")
    for one, head in zip(features, heads, strict=True):
        _check_head(one, head)
    if len({one.shape for one in features}) > 1 or len({head.shape for head in heads}) > 1:
        raise ValueError("all networks must have the same number of rows, features and classes")
    targets = np.ascontiguousarray(_plain(y), dtype=np.int64)
    rows, classes = len(features[0]), heads[0].shape[1]
    if targets.shape != (rows,) or not rows:
        raise ValueError(f"y must be one class for each of {rows} rows (at least 1), got {targets.shape}")
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(
            f"classes are 0 to {classes - 1}, y has {targets.min()} to {targets.max()}: encode them"
        )
    return right_by_length(_stacked(features), _stacked(heads), targets) / rows


def best_length(accuracy: ArrayLike, penalty: float = PENALTY) -> int:
    """K*: the k with the largest ``accuracy[k - 1] - penalty * k``, so that of equal ones the shortest wins.

    Examples
    --------
    >>> best_length([0.1, 0.9, 0.9, 0.8])
    2
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"accuracy is one number for each length, got the shape {values.shape}")
    return int(np.argmax(values - penalty * np.arange(1, len(values) + 1))) + 1


def _check_head(h: Tensor, W: Tensor) -> None:
    if h.ndim != 2 or W.ndim != 2 or h.shape[1] != W.shape[0]:
        raise ValueError(
            f"h must be (n, D) and W (D, C), got {tuple(h.shape)} and {tuple(W.shape)}; "
            "of a nn.Linear without bias, W is weight.T"
        )


def _stacked(parts: Sequence[Tensor]) -> NDArray[np.float32]:
    """Along a new first axis; one array is not copied."""
    arrays = [np.asarray(_plain(part), dtype=np.float32) for part in parts]
    return np.ascontiguousarray(arrays[0])[None] if len(arrays) == 1 else np.stack(arrays)


def _plain(values: Any) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
