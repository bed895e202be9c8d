"""How far the parts of any black box move what it says: by removal, by permutation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "removal_effects",  # what a score loses when sets of columns are replaced by those of other rows
    "removed_means",  # mean scores with sets of columns replaced
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "removal_effects": "salience.measures.sensitivity.removal:removal_effects",
        "removed_means": "salience.measures.sensitivity.removal:removed_means",
    },
)

if TYPE_CHECKING:
    from salience.measures.sensitivity.removal import removal_effects as removal_effects
    from salience.measures.sensitivity.removal import removed_means as removed_means
