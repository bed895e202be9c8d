"""Parameters that HNSW stores take by default, and those of the study."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["HNSW_PRESETS"]

#: Parameters of `HnswRecallAudit` by name. Defaults as documented by pgvector 0.5 and Marqo 2.9, and as faiss 1.15 and
#: hnswlib 0.8 have them; they change, so look at the documentation of the version you run.
HNSW_PRESETS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "paper": MappingProxyType({"M": 16, "ef_construction": 128, "ef_search": 40}),
        "pgvector": MappingProxyType({"M": 16, "ef_construction": 64, "ef_search": 40}),
        "faiss": MappingProxyType({"M": 32, "ef_construction": 40, "ef_search": 16}),
        "hnswlib": MappingProxyType({"M": 16, "ef_construction": 200, "ef_search": 10}),
        "marqo-v2": MappingProxyType({"M": 16, "ef_construction": 512, "ef_search": 2000}),
    }
)
