"""Source, mask and refined image beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from salience.plotting.drawing import ORANGE, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from salience.instances.distillation.distiller import NRRDistiller

__all__ = ["plot_mosaic"]

GAP = 2  # pixels between images
NAMES = ("source", "critical", "refined")


def plot_mosaic(
    distiller: NRRDistiller, rows: Sequence[int] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw images in columns of three: source with its critical region outlined, the map, the refined image.

    Parameters
    ----------
    distiller : NRRDistiller
        After `fit`.
    rows : sequence of int, optional
        Which of ``images_``; by default the first of each class, at most ten.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        When there is no such image, or images have neither one nor three channels.
    """
    check_is_fitted(distiller, "scores_")
    images = np.asarray(distiller.images_)
    chosen = np.arange(0, len(images), distiller.ipc)[:10] if rows is None else np.asarray(rows)
    if chosen.ndim != 1 or not len(chosen) or chosen.min() < 0 or chosen.max() >= len(images):
        raise ValueError(f"rows must be numbers of images from 0 to {len(images) - 1}, got {rows}")
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images of 1 or 3 channels can be drawn, these have {images.shape[1]}")
    height, width = images.shape[2:]
    ax = axes_or_new(ax, height=6.4 * 3 / len(chosen) + 0.4)
    strips = (np.asarray(distiller.originals_), _coloured(distiller.activation_), images)
    canvas = np.ones((3 * (height + GAP) - GAP, len(chosen) * (width + GAP) - GAP, 3))
    for column, row in enumerate(chosen):
        left = column * (width + GAP)
        for place, strip in enumerate(strips):
            top = place * (height + GAP)
            canvas[top : top + height, left : left + width] = np.broadcast_to(
                strip[row].transpose(1, 2, 0), (height, width, 3)
            )
            if place != 1:
                _outline(ax, distiller.critical_mask_[row], left, top)
    ax.imshow(canvas, interpolation="nearest")
    labels = np.asarray(distiller.labels_)[chosen]
    ax.set_xticks(np.arange(len(chosen)) * (width + GAP) + (width - 1) / 2, labels.tolist())
    ax.set_yticks(np.arange(3) * (height + GAP) + (height - 1) / 2, NAMES)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _coloured(activation: NDArray[Any]) -> NDArray[np.float64]:
    """Maps as colours that a colour-blind reader can order, shape (n, 3, H, W)."""
    import matplotlib

    return matplotlib.colormaps["cividis"](activation)[..., :3].transpose(0, 3, 1, 2)


def _outline(ax: Axes, mask: NDArray[np.bool_], left: int, top: int) -> None:
    """The border of a mask, along the edges of its pixels."""
    padded = np.pad(mask, 1)
    for axis in (0, 1):
        lower, upper = np.nonzero(np.diff(padded, axis=axis))
        if axis == 0:  # a horizontal edge between rows lower - 1 and lower
            ax.hlines(top + lower - 0.5, left + upper - 1.5, left + upper - 0.5, color=ORANGE, lw=0.9)
        else:
            ax.vlines(left + upper - 0.5, top + lower - 1.5, top + lower - 0.5, color=ORANGE, lw=0.9)
