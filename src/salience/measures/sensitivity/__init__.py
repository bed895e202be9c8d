"""How far the parts of any black box move what it says: by removal, by permutation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "PermutationEffects",  # what `permutation_effects` found
    "permutation_effects",  # how much worse a model predicts when sets of its columns are shuffled
    "removal_effects",  # what a score loses when sets of columns are replaced by those of other rows
    "removed_means",  # mean scores with sets of columns replaced
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "PermutationEffects": "salience.measures.sensitivity.permutation:PermutationEffects",
        "permutation_effects": "salience.measures.sensitivity.permutation:permutation_effects",
        "removal_effects": "salience.measures.sensitivity.removal:removal_effects",
        "removed_means": "salience.measures.sensitivity.removal:removed_means",
    },
)

if TYPE_CHECKING:
    from salience.measures.sensitivity.permutation import PermutationEffects as PermutationEffects
    from salience.measures.sensitivity.permutation import permutation_effects as permutation_effects
    from salience.measures.sensitivity.removal import removal_effects as removal_effects
    from salience.measures.sensitivity.removal import removed_means as removed_means
