"""The impacts of data, ordering and intrinsic dimensionality on recall in HNSW graphs (arXiv 2405.17813)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from reproductions import carriers
from reproductions.claims import Claim
from salience.data.generators import clustered_vectors, subspace_vectors
from salience.measures.dimension import global_dimension, local_dimension
from salience.vectors import HNSW_PRESETS, HnswRecallAudit, label_qrels, rank_shift
from salience.vectors.hnsw.builds import BACKENDS, found_backend
from salience.vectors.hnsw.truth import Truth

Floats = NDArray[np.float64]
PAPER = HNSW_PRESETS["paper"]


# ------------------------------------------------------------------------------------------------ dimension
def dimension(frozen: dict[str, Any]) -> list[Claim]:
    """Vectors in a random subspace: the more dimensions it has, the less is found."""
    wanted, seeds = frozen["dimension"], frozen["seeds"]
    wide, narrow, lid = (np.array(found).reshape(len(wanted["ranks"]), len(seeds)) for found in zip(
        *(_sweep(wanted, rank, seed) for rank in wanted["ranks"] for seed in seeds), strict=True
    ))  # fmt: skip
    at = {rank: row for row, rank in enumerate(wanted["ranks"])}
    claims = []
    for what, found in (("ef_search 40", wide), (f"ef_search {wanted['narrow']}", narrow)):
        seen = wanted["seen" if found is wide else "seen_narrow"]
        falls = (np.diff(found, axis=0) <= 0).all(axis=0)
        claims.append(
            Claim.check(f"recall falls with every rank, {what}", ", ".join(f"{r}: {v:.2f}" for r, v in seen.items()) + " (seen)",
                        _listed(wanted["ranks"], found, ".3f") + f"; in {falls.sum()} of {len(seeds)} seeds", bool(falls.all()))
        )  # fmt: skip
    claims.append(
        Claim.mean("recall at rank 16 less that at rank 128, paper's parameters", wide[at[16]] - wide[at[128]],
                   least=wanted["drop"])
    )  # fmt: skip
    rises = bool((np.diff(lid, axis=0) > 0).all())
    seen = ", ".join(f"{r}: {v:g}" for r, v in wanted["seen_lid"].items())
    claims.append(
        Claim.check("mean local dimension rises with the rank, and lies below it", f"{seen} (seen)",
                    _listed(wanted["ranks"], lid, ".1f"), rises and lid.mean(axis=1)[-1] < wanted["ranks"][-1])
    )  # fmt: skip
    return claims


def _sweep(wanted: dict[str, Any], rank: int, seed: int) -> tuple[float, float, float]:
    rows, queries = _held_out(
        subspace_vectors(wanted["rows"] + wanted["queries"], wanted["columns"], rank, seed=seed), wanted
    )
    truth = Truth.of(rows, queries, 10, "l2")
    index = BACKENDS[found_backend("auto")](**PAPER, metric="l2", threads=1, seed=seed).build(rows)
    recalls = []
    for breadth in (PAPER["ef_search"], wanted["narrow"]):
        index.ef_search = breadth
        recalls.append(float(truth.hits(index.search(queries, 10)).mean() / 10))
    return recalls[0], recalls[1], global_dimension(local_dimension(rows, 100)).mean


def _listed(names: list[Any], found: Floats, form: str) -> str:
    return ", ".join(f"{name}: {row.mean():{form}}" for name, row in zip(names, found, strict=True))


def _held_out(X: NDArray[Any], wanted: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return X[: wanted["rows"]], X[wanted["rows"] : wanted["rows"] + wanted["queries"]]


# --------------------------------------------------------------------------------------------------- orders
def orders(frozen: dict[str, Any]) -> list[Claim]:
    """The same rows in another order are another index, and no order is best for all data."""
    wanted, seeds = frozen["orders"], frozen["seeds"]
    claims, signs = [], {}
    for separation in wanted["separations"]:
        narrow = [_clusters(wanted, separation, seed, wanted["narrow"]) for seed in seeds]
        shown = _orders_listed(narrow)
        claims.append(
            Claim.mean(f"separation {separation:g}, M = {wanted['narrow']['M']}: best order less the worst ({shown}; seen "
                       f"{wanted['seen_narrow'].split('; ')[wanted['separations'].index(separation)]})",
                       [audit.spread_ for audit in narrow], least=wanted["spread"])
        )  # fmt: skip
        signs[separation] = _gain(narrow, "lid_desc", "lid_asc")
        if separation == max(wanted["separations"]):
            others = [
                _recall(audit, "random") - max(_recall(audit, o) for o in audit.orders_ if o != "random")
                for audit in narrow
            ]
            claims.append(
                Claim.mean(
                    "clusters far apart: random order above the best sorted one, M = 6", others, least=0.0
                )
            )
            claims.append(
                Claim.check("the audit advises random order there", f"in {len(seeds)} of {len(seeds)} seeds",
                            f"in {sum(not (audit.table_['verdict'] == 'better').any() for audit in narrow)}",
                            all(not (audit.table_["verdict"] == "better").any() for audit in narrow))
            )  # fmt: skip
        if separation in wanted["wide_at"]:
            wide = [_clusters(wanted, separation, seed, PAPER) for seed in seeds]
            seen = wanted["seen_wide"].split("; ")[wanted["wide_at"].index(separation)]
            less = [a.spread_ - b.spread_ for a, b in zip(narrow, wide, strict=True)]
            claims.append(
                Claim.mean(f"separation {separation:g}: the paper's parameters are spread less ({_orders_listed(wide)}; seen "
                           f"{seen})", less, least=0.0)
            )  # fmt: skip
    listed = ", ".join(f"{s:g}: {np.mean(gain):+.3f}" for s, gain in signs.items())
    claims.append(
        Claim.check("paper: descending dimension is the favourable order (descending less ascending, by separation)",
                    "above 0 everywhere", listed, all(np.mean(gain) > 0 for gain in signs.values()),
                    "the sign depends on how far apart the clusters are")
    )  # fmt: skip
    return [*claims, _homogeneous(wanted, seeds)]


def _homogeneous(wanted: dict[str, Any], seeds: list[int]) -> Claim:
    gains = []
    for seed in seeds:
        rows, queries = _held_out(
            subspace_vectors(
                wanted["rows"] + wanted["queries"], wanted["columns"], wanted["homogeneous_rank"], seed=seed
            ),
            wanted,
        )
        audit = HnswRecallAudit(**wanted["narrow"], seeds=wanted["builds"], reach_rows=0).fit(
            rows, queries=queries
        )
        gains.append(_recall(audit, "lid_desc") - _recall(audit, "lid_asc"))
    most = wanted["homogeneous_spread"]
    return Claim.mean(
        "one normal cloud of 64 dimensions: descending less ascending",
        gains,
        least=-most,
        most=most,
        control=True,
    )


def _clusters(wanted: dict[str, Any], separation: float, seed: int, parameters: Any) -> HnswRecallAudit:
    X, groups = clustered_vectors(
        wanted["rows"] + wanted["queries"], wanted["columns"], wanted["clusters"], separation, seed=seed
    )
    rows, queries = _held_out(X, wanted)
    audit = HnswRecallAudit(
        **parameters,
        orders=("random", "lid_desc", "lid_asc", "category"),
        seeds=wanted["builds"],
        reach_rows=0,
    )
    return audit.fit(rows, queries=queries, groups=groups[: len(rows)])


def _recall(audit: HnswRecallAudit, order: str) -> float:
    return float(audit.table_.filter(pl.col("order") == order)["recall"].item())


def _gain(audits: list[HnswRecallAudit], one: str, other: str) -> list[float]:
    return [_recall(audit, one) - _recall(audit, other) for audit in audits]


def _orders_listed(audits: list[HnswRecallAudit]) -> str:
    means = {order: np.mean([_recall(audit, order) for audit in audits]) for order in audits[0].orders_}
    return ", ".join(
        f"{order} {mean:.3f}" for order, mean in sorted(means.items(), key=lambda pair: -pair[1])
    )


# ---------------------------------------------------------------------------------------------------- shift
def shift(frozen: dict[str, Any]) -> list[Claim]:
    """Two embeddings of digits: the one of more dimensions loses more under approximate search."""
    wanted, seeds = frozen["shift"], frozen["seeds"]
    X, y = load_digits(return_X_y=True)
    narrow, wide = [], []
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(X))
        base, asked = order[wanted["queries"] :], order[: wanted["queries"]]
        low = PCA(wanted["low"], random_state=seed).fit(X[base])
        high = np.random.default_rng(seed).normal(size=(X.shape[1], wanted["high"]))
        models = {
            "low": (low.transform(X[base]), low.transform(X[asked])),
            "high": (X[base] @ high, X[asked] @ high),
        }
        qrels = label_qrels(y[base], y[asked])
        narrow.append(rank_shift(models, qrels, wanted["k"], **wanted["narrow"], metric="l2"))
        wide.append(
            rank_shift(
                models,
                qrels,
                wanted["k"],
                M=48,
                ef_construction=400,
                ef_search=len(base),
                metric="l2",
                seeds=1,
            )
        )
    losses = [_value(table, "high", "loss") - _value(table, "low", "loss") for table in narrow]
    recalls = {
        model: np.mean([_value(table, model, "recall") for table in narrow]) for model in ("low", "high")
    }
    shown = ", ".join(
        f"{model} {np.mean([_value(table, model, 'loss') for table in narrow]):.2%}" for model in recalls
    )
    return [
        Claim.mean(f"relative loss of NDCG@10 of {wanted['high']} random columns above that of {wanted['low']} principal ones, "
                   f"ef_search = k ({shown}; recall {recalls['high']:.3f} against {recalls['low']:.3f})",
                   losses, least=wanted["more"], form=".4f"),
        Claim.check("positions that models move, search as wide as the data", "0", f"{max(t['shift'].abs().max() for t in wide)}",
                    all((t["shift"] == 0).all() for t in wide), control=True),
        Claim.check("relative loss of NDCG@10, search as wide as the data", "0",
                    f"{max(t['loss'].abs().max() for t in wide):.2g}", all(t["loss"].abs().max() < 1e-6 for t in wide),
                    control=True),
    ]  # fmt: skip


def _value(table: pl.DataFrame, model: str, column: str) -> float:
    return float(table.filter(pl.col("model") == model)[column].item())


# ----------------------------------------------------------------------------------------------------- real
def real(frozen: dict[str, Any]) -> list[Claim]:
    """Pictures and words: random rows of each, as many as fit into minutes."""
    wanted = frozen["real"]
    claims, recalls, dimensions = [], {}, {}
    for name, (read, metric) in SETS.items():
        X, groups = read()
        audits = [_of_real(X, groups, metric, wanted, seed) for seed in frozen["seeds"]]
        recalls[name] = [_recall(audit, "random") for audit in audits]
        dimensions[name] = float(np.mean([audit.lid_.meta.extra["mean"] for audit in audits]))
        why = f"at these parameters recall in random order is {np.mean(recalls[name]):.3f}: little is left to lose"
        shown = f"{_orders_listed(audits)}; in the paper up to {wanted['paper_spread']}"
        claims += [
            Claim.mean(f"{name}, {wanted['rows']:,} random rows: best order less the worst ({shown})",
                       [audit.spread_ for audit in audits], least=wanted["spread"], why=why),
            Claim.mean(f"{name}: descending dimension less random order", _gain(audits, "lid_desc", "random"), least=0.0,
                       form=".4f", why="sorted insertion gains nothing that can be told here"),
            Claim.mean(f"{name}: Spearman's correlation of a query's recall with the dimension around it",
                       [audit.lid_correlation_[0] for audit in audits], most=wanted["correlation"],
                       why="recall is near 1 for nearly all queries"),
            Claim.mean(f"{name}: reach of the tenth of the rows with the fewest links, less that of the others",
                       [_reach_by_links(audit) for audit in audits], most=0.0, form=".4f",
                       why="every graph reaches nearly every row"),
        ]  # fmt: skip
    high, low = sorted(dimensions, key=dimensions.__getitem__, reverse=True)
    claims.append(
        Claim.mean(f"recall of {low} (dimension {dimensions[low]:.1f}) above that of {high} ({dimensions[high]:.1f})",
                   np.subtract(recalls[low], recalls[high]), least=0.0)
    )  # fmt: skip
    return claims


def _reach_by_links(audit: HnswRecallAudit) -> float:
    links, reach = audit.scores_.frame["in_degree"].to_numpy(), audit.scores_.values
    few = links <= np.quantile(links, 0.1)
    return float(np.nanmean(reach[few]) - np.nanmean(reach[~few]))


def _of_real(X: NDArray[Any], groups: Any, metric: str, wanted: dict[str, Any], seed: int) -> HnswRecallAudit:
    chosen = np.random.default_rng(seed).permutation(len(X))[: wanted["rows"] + wanted["queries"]]
    rows, queries = _held_out(X[chosen], wanted)
    names = ("random", "lid_desc", "lid_asc", *(("category",) if groups is not None else ()))
    audit = HnswRecallAudit(**PAPER, orders=names, seeds=wanted["builds"], metric=metric, random_state=seed)
    return audit.fit(rows, queries=queries, groups=None if groups is None else groups[chosen][: len(rows)])


def whole(frozen: dict[str, Any]) -> list[Claim]:
    """All rows of both sets, once: intervals are over queries and builds."""
    wanted, limits, claims = frozen["whole"], frozen["real"], []
    for name, (read, metric) in SETS.items():
        X, _ = read()
        audit = HnswRecallAudit(
            **PAPER, seeds=wanted["builds"], metric=metric, n_queries=wanted["queries"], reach_rows=0
        ).fit(X)
        recall = _recall(audit, "random")
        why = f"at these parameters recall in random order is {recall:.3f}: little is left to lose"
        shown = f"{_orders_listed([audit])}; in the paper up to {limits['paper_spread']}"
        difference = audit.table_.filter(pl.col("order") == "lid_desc").row(0, named=True)
        claims += [
            _within(f"{name}, all {len(X):,} rows: best order less the worst ({shown})",
                    audit.spread_, audit.spread_interval_, least=limits["spread"], why=why),
            _within(f"{name}, all rows: descending dimension less random order", difference["difference"],
                    (difference["difference_lo"], difference["difference_hi"]), least=0.0,
                    why="sorted insertion gains nothing that can be told here"),
            _within(f"{name}, all rows: Spearman's correlation of a query's recall with the dimension around it",
                    audit.lid_correlation_[0], audit.lid_correlation_[1:], most=limits["correlation"],
                    why="recall is near 1 for nearly all queries"),
        ]  # fmt: skip
    return claims


def _within(
    claim: str, value: float, interval: tuple[float, ...], *, why: str, least: float = -np.inf, most: float = np.inf
) -> Claim:  # fmt: skip
    """Decided only when the whole interval is on one side; not a number is undecided."""
    low, high = interval
    holds, fails = least <= low and high <= most, high < least or low > most
    verdict = "holds" if holds else "does not hold" if fails else "undecided"
    wanted = f">= {least:g}" if np.isfinite(least) else f"<= {most:g}"
    return Claim(claim, wanted, f"{value:.4f} ({low:.4f} to {high:.4f})", verdict, "" if holds else why)


def _pictures() -> tuple[NDArray[Any], NDArray[Any]]:
    X, y, _, _ = carriers.fashion_mnist()
    return X.astype(np.float32) / 255, y


SETS: dict[str, tuple[Callable[[], tuple[NDArray[Any], Any]], str]] = {
    "Fashion-MNIST": (_pictures, "l2"),
    "word2vec": (lambda: (carriers.word2vec()[1], None), "cosine"),
}


# -------------------------------------------------------------------------------------------------- control
def control(frozen: dict[str, Any]) -> list[Claim]:
    """What must not be found, and what must be the same."""
    wanted, seeds = frozen["control"], frozen["seeds"]
    narrow = frozen["orders"]["narrow"]
    verdicts, wide, same = [], [], []
    for seed in seeds:
        X = (
            np.random.default_rng(seed)
            .normal(size=(wanted["rows"] + wanted["queries"], wanted["columns"]))
            .astype(np.float32)
        )
        rows, queries = _held_out(X, wanted)
        copy = np.random.default_rng(seed + 100).permutation(len(rows))
        audit = HnswRecallAudit(**narrow, orders={"given": None, "relabelled": copy}, reach_rows=0).fit(
            rows, queries=queries
        )
        verdicts += audit.table_.filter(pl.col("order") != "random")["verdict"].to_list()
        few = rows[:500]
        everything = HnswRecallAudit(48, 500, 500, orders=("lid_desc", "lid_asc"), seeds=2, reach_rows=0).fit(
            few, queries=queries
        )
        wide.append(float(everything.recalls_.min()))
        same.append(audit.reproducible_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        threaded = HnswRecallAudit(**narrow, threads=2, seeds=1, reach_rows=0).fit(rows, queries=queries)
    different = len(verdicts) - verdicts.count("not distinguishable")
    return [
        Claim.check("exchangeable rows, as they stand and relabelled, against random orders: called different",
                    f"at most {wanted['false_most']} of {len(verdicts)}", str(different), different <= wanted["false_most"],
                    control=True),
        Claim.check("recall when the search is as wide as the data, worst of all orders", "1", f"{min(wide):.4f}", min(wide) == 1.0,
                    control=True),
        Claim.check("the same seed and one thread: the same ids twice", "always", f"{sum(same)} of {len(same)}", all(same),
                    control=True),
        Claim.check("two threads: called reproducible", "never", str(threaded.reproducible_), not threaded.reproducible_,
                    control=True),
    ]  # fmt: skip


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "dimension": dimension,
    "orders": orders,
    "shift": shift,
    "real": real,
    "whole": whole,
    "control": control,
}
