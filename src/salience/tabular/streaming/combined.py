"""What was found about combinations, as scores: of the combinations, of the columns alone, of each column over both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from salience.measures.information import Information
from salience.measures.resampling import q_values
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.tabular.streaming.batchlog import BatchLog
from salience.tabular.streaming.finalists import Finalist
from salience.tabular.streaming.reference import candidate_name
from salience.tabular.streaming.schedule import unrank_combinations

__all__ = ["LEVEL", "of_combinations", "of_singles", "per_column"]

LEVEL = 0.95  # of the intervals
ALPHA = 0.05  # false discovery rate below which a combination counts as signal

Item = tuple[str, ...]


def of_singles(
    log: BatchLog, names: Sequence[str], aggregate: str, alone: Mapping[Item, Information], meta: Meta
) -> Scores:
    """The columns alone: counted over all rows where they are in a finalist, else what the blocks say."""
    found = log.aggregate(len(names), aggregate)
    known = [alone.get((name,)) for name in names]
    is_known = np.array([information is not None for information in known])
    data = {
        "value": _either(known, "score", found["score"]),
        "mi": _either(known, "mi", found["mi"]),
        "null": _either(known, "null", found["null"]),
        "se": _either(known, "se", _se(found)),
    }
    nothing = np.full(len(names), np.nan)
    data |= {name: _either(known, name, nothing) for name in ("z", "p")}
    data |= {name: found[name] for name in ("q10", "q90", "n_batches")}
    frame = pl.DataFrame({"column": list(names), **data, "exact": is_known})
    return Scores(
        frame=frame, keys=("column",), item="column", better="high", meta=meta.replace(symmetric=False)
    )


def of_combinations(
    log: BatchLog,
    single_log: BatchLog,
    names: Sequence[str],
    order: int,
    aggregate: str,
    judged: Mapping[Item, Finalist],
    alone: Mapping[Item, Information],
    total: int,
    meta: Meta,
) -> Scores:
    """The combinations: those told from chance first, then the other finalists, then the rest; by synergy."""
    members = unrank_combinations(log.items(), len(names), order)  # (m, order)
    columns = np.array(list(names), dtype=object)[members]
    items = [tuple(row) for row in columns]
    blocks = log.aggregate(how=aggregate)
    finalists = [judged.get(item) for item in items]
    tested = np.array([finalist is not None for finalist in finalists])
    synergy = [None if f is None else f.synergy for f in finalists]
    joint = [None if f is None else f.joint for f in finalists]
    nothing = np.full(len(items), np.nan)
    data = {
        "value": _either(synergy, "score", blocks["synergy"]),
        "se": _either(synergy, "se", _se(blocks)),
        **{name: _either(synergy, name, nothing) for name in ("null", "z", "p")},
        "joint": _either(joint, "score", blocks["score"]),
        "joint_se": _either(joint, "se", nothing),
        "joint_null": _either(joint, "null", blocks["null"]),
        "mi": _either(joint, "mi", blocks["mi"]),
    }
    half = float(ndtri(0.5 + LEVEL / 2))
    data["lo"], data["hi"] = (data["value"] + side * half * data["se"] for side in (-1, 1))
    # The finalists are the best of all: whoever was not tested counts as p = 1, or the rate would not hold.
    p = np.ones(max(total, len(items)))
    p[: len(items)][tested] = data["p"][tested]
    data["q"] = np.where(tested, q_values(p)[: len(items)], np.nan)
    signal = tested & (data["q"] < ALPHA) & (data["lo"] > 0)
    verdict = np.where(signal, "signal", np.where(tested, "noise", "unjudged"))
    # a finalist is compared with columns counted like it, any other one with columns scored in blocks like it
    parts = single_log.aggregate(len(names), aggregate)["score"][members]
    for i in np.flatnonzero(tested):
        parts[i] = [alone[(name,)].score for name in items[i]]
    data["interaction"] = data["joint"] - parts.sum(axis=1)
    best_first = np.lexsort((-data["value"], ~tested, ~signal))
    rank = np.empty(len(items), dtype=np.uint32)
    rank[best_first] = np.arange(1, len(items) + 1)
    keys = tuple("abcdefgh"[:order]) if order <= 8 else tuple(f"column{i}" for i in range(order))
    shown = ("value", "se", "lo", "hi", "null", "z", "p", "q")
    frame = pl.DataFrame(
        {
            **{key: columns[:, i].tolist() for i, key in enumerate(keys)},
            "pair": [candidate_name(item) for item in items],
            "rank": rank,
            **{name: data[name] for name in shown},
            "verdict": verdict.tolist(),
            "beyond": [None if f is None else candidate_name(f.beyond) for f in finalists],
            **{name: data[name] for name in ("joint", "joint_se", "joint_null", "mi", "interaction")},
            **{name: blocks[name] for name in ("q10", "q90", "n_batches")},
            "exact": [f is not None and f.exact for f in finalists],
        }
    ).sort("rank")
    return Scores(frame=frame, keys=keys, item="pair" if order == 2 else "group", better="high", meta=meta)


def per_column(pairs: Scores, names: Sequence[str]) -> Scores:
    """Median and best synergy of the combinations that hold each column."""
    long = pl.concat(
        [pairs.frame.select(pl.col(key).alias("column"), "value", "pair", "rank") for key in pairs.keys]
    ).sort("rank")
    found = long.group_by("column", maintain_order=True).agg(
        pl.col("value").median(),
        best=pl.col("value").first(),
        partner=pl.col("pair").first(),
        n=pl.len().cast(pl.Int64),
    )
    frame = pl.DataFrame({"column": list(names)}).join(found, on="column", how="inner", maintain_order="left")
    meta = pairs.meta.replace(symmetric=False)
    return Scores(frame=frame, keys=("column",), item="column", better="high", meta=meta)


def _either(
    known: Sequence[Information | None], name: str, blocks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What the count over all rows says where there is one, else what the blocks say together."""
    return np.array(
        [
            block if found is None else getattr(found, name)
            for found, block in zip(known, blocks, strict=True)
        ],
        dtype=np.float64,
    )


def _se(found: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    se: NDArray[np.float64] = found["sd"] / np.sqrt(np.maximum(found["n_batches"], 1))
    return se
