"""Rows, documents and sentences: which of them matter, and which labels are wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "DBRStore",  # two numbers per view in place of soft labels
    "GraphAttentionSelector",  # keep a few percent of the rows, by a graph attention network
    "ImageViews",  # how a student's views of images are made, from a seed
    "ImportanceResampler",
    "LexRank",  # rank sentences by how central they are, explain, summarize
    "NRRDistiller",  # a few images per class: keep what is critical, rewrite the rest
    "NestedClassifier",  # learn from noisy labels; which labels look wrong, which neurons matter
    "importance_weights",
    "lexrank_scores",  # LexRank of any similarity matrix
    "plot_kept",  # the kept rows among all, in two dimensions
    "plot_weights",
    "train_student",  # train a network on distilled images
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "DBRStore": "salience.instances.distillation.store:DBRStore [torch]",
        "GraphAttentionSelector": "salience.instances.gais.selector:GraphAttentionSelector [torch]",
        "ImageViews": "salience.instances.distillation.views:ImageViews [torch]",
        "NestedClassifier": "salience.instances.noisy_labels.classifier:NestedClassifier [torch]",
        "NRRDistiller": "salience.instances.distillation.distiller:NRRDistiller [torch]",
        "train_student": "salience.instances.distillation.student:train_student [torch]",
        "ImportanceResampler": "salience.instances.dsir.resampler:ImportanceResampler",
        "LexRank": "salience.instances.lexrank.model:LexRank",
        "lexrank_scores": "salience.instances.lexrank.centrality:lexrank_scores",
        "importance_weights": "salience.instances.dsir.weights:importance_weights",
        "plot_kept": "salience.instances.gais.picture:plot_kept",
        "plot_weights": "salience.instances.dsir.picture:plot_weights",
    },
)

if TYPE_CHECKING:
    from salience.instances.distillation.distiller import NRRDistiller as NRRDistiller
    from salience.instances.distillation.store import DBRStore as DBRStore
    from salience.instances.distillation.student import train_student as train_student
    from salience.instances.distillation.views import ImageViews as ImageViews
    from salience.instances.dsir.picture import plot_weights
    from salience.instances.dsir.resampler import ImportanceResampler
    from salience.instances.dsir.weights import importance_weights
    from salience.instances.gais.picture import plot_kept as plot_kept
    from salience.instances.gais.selector import GraphAttentionSelector as GraphAttentionSelector
    from salience.instances.lexrank.centrality import lexrank_scores as lexrank_scores
    from salience.instances.lexrank.model import LexRank as LexRank
    from salience.instances.noisy_labels.classifier import NestedClassifier as NestedClassifier
