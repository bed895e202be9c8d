"""What every method returns: scores of items, attributions per instance, selections and agreements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "Agreement",  # how far two rankings of the same items agree
    "Attributions",  # scores of items, per instance
    "Interval",  # which kind of interval lo and hi are, and at which level
    "Meta",  # where scores come from: method, parameters, data, unit
    "Scores",  # items and how much they matter
    "Selection",  # the items that were kept, and by which rule
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "Agreement": "salience.results.agreement:Agreement",
        "Attributions": "salience.results.attributions:Attributions",
        "Interval": "salience.results.meta:Interval",
        "Meta": "salience.results.meta:Meta",
        "Scores": "salience.results.scores:Scores",
        "Selection": "salience.results.selection:Selection",
    },
)

if TYPE_CHECKING:
    from salience.results.agreement import Agreement as Agreement
    from salience.results.attributions import Attributions as Attributions
    from salience.results.meta import Interval as Interval
    from salience.results.meta import Meta as Meta
    from salience.results.scores import Scores as Scores
    from salience.results.selection import Selection as Selection
