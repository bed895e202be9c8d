"""What a student is asked for on a view of two images: the labels, the teacher's two distances, or all its probabilities."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["distances", "label_loss", "soft_loss", "transfer_loss"]


def distances(logits: Tensor, pairs: Tensor) -> Tensor:
    """d_org and d_aug: cross-entropy with each of two classes.

    Parameters
    ----------
    logits : Tensor of shape (n, C)
    pairs : Tensor of int64, shape (n, 2)

    Returns
    -------
    Tensor of shape (n, 2)
    """
    return -logits.log_softmax(1).gather(1, pairs)


def label_loss(logits: Tensor, pairs: Tensor, share: Tensor) -> Tensor:
    """L_sce: the two distances weighted by the shares of the area; shape of `share` (n,)."""
    return _weighted(distances(logits, pairs), share)


def transfer_loss(
    logits: Tensor,
    pairs: Tensor,
    share: Tensor,
    wanted: Tensor,
    *,
    alpha: float = 1.0,
    sce_weight: float = 0.1,
) -> Tensor:
    """``sce_weight`` L_sce, and `alpha` times how far both distances are from the teacher's, `wanted` (n, 2)."""
    own = distances(logits, pairs)
    return sce_weight * _weighted(own, share) + alpha * (own - wanted).abs().sum(1).mean()


def soft_loss(logits: Tensor, wanted: Tensor, tau: float) -> Tensor:
    """KL of the student's probabilities from the teacher's, both at temperature `tau`; `wanted` are logits (n, C)."""
    return functional.kl_div(
        (logits / tau).log_softmax(1), (wanted / tau).log_softmax(1), log_target=True, reduction="batchmean"
    )


def _weighted(own: Tensor, share: Tensor) -> Tensor:
    return (share * own[:, 0] + (1 - share) * own[:, 1]).mean()
