"""Rows, documents and sentences: which of them matter, and which labels are wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "ImportanceResampler",
    "importance_weights",
    "plot_weights",
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "ImportanceResampler": "salience.instances.dsir.resampler:ImportanceResampler",
        "importance_weights": "salience.instances.dsir.weights:importance_weights",
        "plot_weights": "salience.instances.dsir.picture:plot_weights",
    },
)

if TYPE_CHECKING:
    from salience.instances.dsir.picture import plot_weights
    from salience.instances.dsir.resampler import ImportanceResampler
    from salience.instances.dsir.weights import importance_weights
