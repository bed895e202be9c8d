"""Vectors of an index: will approximate search serve the task, and which rows does it not reach?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "HNSW_PRESETS",  # parameters that stores take by default
    "FaissHnswIndex",  # HNSW of faiss
    "FlatIndex",  # exact search
    "FunnelAudit",  # which of embedding, metric and index loses what a task needs
    "HnswIndex",  # HNSW of hnswlib
    "HnswIpIndex",  # HNSW on inner products
    "HnswRecallAudit",  # recall of an HNSW graph, by order of insertion
    "IvfPqIndex",  # lists of product-quantized rows, of faiss
    "RabitqIndex",  # lists of rows of one bit per dimension, of faiss
    "UsearchIndex",  # HNSW of usearch
    "insertion_order",  # in which order to insert rows
    "label_qrels",  # relevance from labels
    "local_intrinsic_dimension",  # how many directions there are around each row
    "ndcg",  # how good the answers to queries are
    "rank_shift",  # do models stand in another order under approximate search
    "recommend_index",  # the published tree from meta-features to a metric and a family of indexes
    "vector_meta_features",  # how vectors are spread: separation, lengths, angles, contrast
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "HNSW_PRESETS": "salience.vectors.hnsw.presets:HNSW_PRESETS",
        "FaissHnswIndex": "salience.vectors.indexes.faiss_hnsw:FaissHnswIndex [vectors]",
        "FlatIndex": "salience.vectors.indexes.flat:FlatIndex",
        "FunnelAudit": "salience.vectors.iceberg.audit:FunnelAudit",
        "HnswIndex": "salience.vectors.indexes.hnsw:HnswIndex [vectors]",
        "HnswRecallAudit": "salience.vectors.hnsw.audit:HnswRecallAudit",
        "HnswIpIndex": "salience.vectors.indexes.hnsw:HnswIpIndex [vectors]",
        "IvfPqIndex": "salience.vectors.indexes.quantized:IvfPqIndex [vectors]",
        "RabitqIndex": "salience.vectors.indexes.quantized:RabitqIndex [vectors]",
        "UsearchIndex": "salience.vectors.indexes.usearch_hnsw:UsearchIndex [vectors]",
        "insertion_order": "salience.vectors.hnsw.orders:insertion_order",
        "label_qrels": "salience.vectors.hnsw.shift:label_qrels",
        "local_intrinsic_dimension": "salience.vectors.hnsw.dimension:local_intrinsic_dimension",
        "ndcg": "salience.vectors.hnsw.shift:ndcg",
        "rank_shift": "salience.vectors.hnsw.shift:rank_shift",
        "recommend_index": "salience.vectors.iceberg.tree:recommend_index",
        "vector_meta_features": "salience.vectors.iceberg.meta:vector_meta_features",
    },
)

if TYPE_CHECKING:
    from salience.vectors.hnsw.audit import HnswRecallAudit as HnswRecallAudit
    from salience.vectors.hnsw.dimension import local_intrinsic_dimension as local_intrinsic_dimension
    from salience.vectors.hnsw.orders import insertion_order as insertion_order
    from salience.vectors.hnsw.presets import HNSW_PRESETS as HNSW_PRESETS
    from salience.vectors.hnsw.shift import label_qrels as label_qrels
    from salience.vectors.hnsw.shift import ndcg as ndcg
    from salience.vectors.hnsw.shift import rank_shift as rank_shift
    from salience.vectors.iceberg.audit import FunnelAudit as FunnelAudit
    from salience.vectors.iceberg.meta import vector_meta_features as vector_meta_features
    from salience.vectors.iceberg.tree import recommend_index as recommend_index
    from salience.vectors.indexes.faiss_hnsw import FaissHnswIndex as FaissHnswIndex
    from salience.vectors.indexes.flat import FlatIndex as FlatIndex
    from salience.vectors.indexes.hnsw import HnswIndex as HnswIndex
    from salience.vectors.indexes.hnsw import HnswIpIndex as HnswIpIndex
    from salience.vectors.indexes.quantized import IvfPqIndex as IvfPqIndex
    from salience.vectors.indexes.quantized import RabitqIndex as RabitqIndex
    from salience.vectors.indexes.usearch_hnsw import UsearchIndex as UsearchIndex
