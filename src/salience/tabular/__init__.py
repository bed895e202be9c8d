"""Columns, pairs of columns, and what can be made of them: which matter for a label?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "CardinalityAwareSelector",  # keep the columns above the noise level of their cardinality
    "StreamRanker",  # rank columns, combinations and transformations in one pass over any amount of data
    "rank",  # the same as one call
    "rank_3mr",  # order by relevance, redundancy and relation
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "CardinalityAwareSelector": "salience.tabular.selector:CardinalityAwareSelector",
        "StreamRanker": "salience.tabular.ranking:StreamRanker",
        "rank": "salience.tabular.ranking:rank",
        "rank_3mr": "salience.tabular.redundancy:rank_3mr",
    },
)

if TYPE_CHECKING:
    from salience.tabular.ranking import StreamRanker as StreamRanker
    from salience.tabular.ranking import rank as rank
    from salience.tabular.redundancy import rank_3mr as rank_3mr
    from salience.tabular.selector import CardinalityAwareSelector as CardinalityAwareSelector
