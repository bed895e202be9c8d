"""Columns, pairs of columns, and what can be made of them: which matter for a label?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "ActionSpace",  # what people can change: columns, bounds, and rules that tie columns together
    "CardinalityAwareSelector",  # keep the columns above the noise level of their cardinality
    "DhondtExplainer",  # single predictions as parliaments of columns
    "DhondtExplanation",  # values that add up, and the seats behind them
    "Feature",  # one column of an action space
    "KANSelector",  # keep the columns that a spline network learns most from
    "MIScreener",  # keep the columns with most information about an outcome
    "Parliament",  # any importances as seats
    "QuickSelector",  # columns that carry the structure of a table without labels, by a sparse autoencoder
    "RashomonExplorer",  # how strongly features could interact in any model that predicts as well
    "ResponsivenessScorer",  # which single features could a person change to get the other decision
    "RobustMixedModel",  # columns and outlying groups, where rows come in groups
    "SparseLinear",  # linear and logistic models that drop columns and do not shrink the rest
    "StreamRanker",  # rank columns, combinations and transformations in one pass over any amount of data
    "audit",  # what is odd about each column
    "compare",  # which columns have drifted between two sources
    "evolve",  # grow a model feature by feature
    "fis",  # interaction scores of one model by permutation
    "importance_from_kan",  # the scores of columns from a spline network that is trained already
    "outrank_batches",  # the numbers of the package outrank, batch by batch
    "pairwise_redundancy",  # which columns say the same
    "profile",  # what is in each column: values, sizes, numbers
    "rank",  # a ranking in one call
    "rank_3mr",  # order by relevance, redundancy and relation
    "rank_combinations",  # which columns say something only together
    "rare_values",  # which values occur hardly ever
    "surrogate_scores",  # what each column adds to a small model
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "ActionSpace": "salience.tabular.responsiveness.space:ActionSpace",
        "Feature": "salience.tabular.responsiveness.feature:Feature",
        "ResponsivenessScorer": "salience.tabular.responsiveness.scorer:ResponsivenessScorer",
        "CardinalityAwareSelector": "salience.tabular.selector:CardinalityAwareSelector",
        "DhondtExplainer": "salience.tabular.dhondt.explainer:DhondtExplainer",
        "DhondtExplanation": "salience.tabular.dhondt.explanation:DhondtExplanation",
        "Parliament": "salience.tabular.dhondt.parliament:Parliament",
        "MIScreener": "salience.tabular.screening.screener:MIScreener",
        "KANSelector": "salience.tabular.kan.selector:KANSelector [torch]",
        "QuickSelector": "salience.tabular.quickselection.selector:QuickSelector",
        "RobustMixedModel": "salience.tabular.mixed_model.model:RobustMixedModel",
        "SparseLinear": "salience.tabular.sparse_linear.model:SparseLinear",
        "RashomonExplorer": "salience.tabular.rashomon.explorer:RashomonExplorer",
        "StreamRanker": "salience.tabular.ranking:StreamRanker",
        "audit": "salience.tabular.auditing:audit",
        "compare": "salience.tabular.drift:compare",
        "evolve": "salience.tabular.evolution:evolve",
        "importance_from_kan": "salience.tabular.kan.importance:importance_from_kan [torch]",
        "fis": "salience.tabular.rashomon.fis:fis",
        "outrank_batches": "salience.tabular.outrank:outrank_batches",
        "pairwise_redundancy": "salience.tabular.streaming.similarity:pairwise_redundancy",
        "profile": "salience.tabular.profiling:profile",
        "rank": "salience.tabular.ranking:rank",
        "rank_3mr": "salience.tabular.redundancy:rank_3mr",
        "rank_combinations": "salience.tabular.interactions:rank_combinations",
        "rare_values": "salience.tabular.rare:rare_values",
        "surrogate_scores": "salience.tabular.streaming.surrogates:surrogate_scores",
    },
)

if TYPE_CHECKING:
    from salience.tabular.auditing import audit as audit
    from salience.tabular.dhondt.explainer import DhondtExplainer as DhondtExplainer
    from salience.tabular.dhondt.explanation import DhondtExplanation as DhondtExplanation
    from salience.tabular.dhondt.parliament import Parliament as Parliament
    from salience.tabular.drift import compare as compare
    from salience.tabular.evolution import evolve as evolve
    from salience.tabular.interactions import rank_combinations as rank_combinations
    from salience.tabular.kan.importance import importance_from_kan as importance_from_kan
    from salience.tabular.kan.selector import KANSelector as KANSelector
    from salience.tabular.mixed_model.model import RobustMixedModel as RobustMixedModel
    from salience.tabular.outrank import outrank_batches as outrank_batches
    from salience.tabular.profiling import profile as profile
    from salience.tabular.quickselection.selector import QuickSelector as QuickSelector
    from salience.tabular.ranking import StreamRanker as StreamRanker
    from salience.tabular.ranking import rank as rank
    from salience.tabular.rare import rare_values as rare_values
    from salience.tabular.rashomon.explorer import RashomonExplorer as RashomonExplorer
    from salience.tabular.rashomon.fis import fis as fis
    from salience.tabular.redundancy import rank_3mr as rank_3mr
    from salience.tabular.responsiveness.feature import Feature as Feature
    from salience.tabular.responsiveness.scorer import ResponsivenessScorer as ResponsivenessScorer
    from salience.tabular.responsiveness.space import ActionSpace as ActionSpace
    from salience.tabular.screening.screener import MIScreener as MIScreener
    from salience.tabular.selector import CardinalityAwareSelector as CardinalityAwareSelector
    from salience.tabular.sparse_linear.model import SparseLinear as SparseLinear
    from salience.tabular.streaming.similarity import pairwise_redundancy as pairwise_redundancy
    from salience.tabular.streaming.surrogates import surrogate_scores as surrogate_scores
