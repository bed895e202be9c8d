"""Is a refined image one of its class to anybody but the teacher?"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from salience.instances.distillation.discovery import true_confidence
from salience.networks.evaluating import evaluating

__all__ = ["CrossCheck", "cross_checked"]


class CrossCheck(NamedTuple):
    """What another network says of the distilled images.

    Attributes
    ----------
    before, after : float
        Its accuracy on them before and after the refinement.
    drop : float
        ``before - after``: above 0.1 the refinement is noise that speaks to the teacher alone.
    """

    before: float
    after: float
    drop: float


def cross_checked(
    network: nn.Module, originals: Tensor, images: Tensor, labels: Tensor, batch_size: int
) -> CrossCheck:
    """Accuracy on images before and after the refinement; the network is left as it was."""
    with evaluating(network):
        before, after = (
            float(true_confidence(network, some, labels, batch_size)[1].float().mean())
            for some in (originals, images)
        )
    return CrossCheck(before, after, before - after)
