"""Short names of configurations: an index, its metric, and the parameters that tell it from the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["short_names"]


def short_names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name configurations by ``index``, ``metric`` and those of ``params`` (JSON) that differ within both.

    Examples
    --------
    >>> one = {"index": "hnsw", "metric": "l2", "params": '{"M": 8, "ef": 10}'}
    >>> short_names([one, {**one, "params": '{"M": 8, "ef": 20}'}, {**one, "metric": "ip"}])
    ['hnsw (l2, ef=10)', 'hnsw (l2, ef=20)', 'hnsw (ip)']
    """
    said = [json.loads(row["params"]) for row in rows]
    names = []
    for row, params in zip(rows, said, strict=True):
        alike = [
            other
            for one, other in zip(rows, said, strict=True)
            if (one["index"], one["metric"]) == (row["index"], row["metric"])
        ]
        differ = [key for key in params if any(other.get(key) != params[key] for other in alike)]
        names.append(
            f"{row['index']} ({', '.join([row['metric'], *(f'{key}={params[key]}' for key in differ)])})"
        )
    return names
