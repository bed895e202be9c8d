"""Threads of faiss, which has one number of them for the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import faiss

__all__ = ["faiss_threads"]


@contextmanager
def faiss_threads(number: int) -> Iterator[None]:
    """Within it, faiss works on so many threads; afterwards on as many as before."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
