"""What intrinsic dimension and the order of insertion cost an HNSW index: dimension, orders, audit, advice."""
