"""Iceberg: pitfalls of vector search from the view of the task (arXiv 2512.12980)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ortho_group
from sklearn.datasets import load_digits

from reproductions import carriers
from reproductions.claims import Claim
from salience.data.generators import cone_vectors
from salience.measures.neighbors import METRICS
from salience.vectors import FunnelAudit, HnswIndex, HnswIpIndex, recommend_index, vector_meta_features
from salience.vectors.iceberg.report import FunnelReport

Rows = NDArray[Any]
SHORT = {"l2": "distance", "ip": "inner product", "cosine": "cosine"}


def cone(frozen: dict[str, Any]) -> list[Claim]:
    """The paper's central finding on planted vectors: a perfect recall that is worth nothing."""
    wanted, k = frozen["cone"], frozen["k"]
    angles, worth, losses, crowds, taus, sums, recalls = [], [], [], [], [], [], []
    for seed in frozen["seeds"]:
        X, y = cone_vectors(wanted["rows"], seed=seed)
        graphs = {"hnsw": HnswIndex(ef_construction=100), "hnsw-ip": HnswIpIndex(ef_construction=100)}
        grid = {"ef_search": wanted["ef"]}
        audit = FunnelAudit(k, indexes=graphs, sweep=dict.fromkeys(graphs, grid), random_state=seed)
        report = _audited(audit, X, y, wanted["queries"], seed)
        value = _worth(report)
        angles.append(report.meta_features.ra)
        worth.append((value["ip"], value["l2"]))
        losses.append(_loss(report, "ip", "metric"))
        crowds.append(report.by_metric["crowd"][report.by_metric["metric"].to_list().index("ip")])
        assert report.rank_shift is not None
        taus.append(report.rank_shift.tau)
        recalls.append(report.scores.where(metric="ip", index="exact").frame["recall"][0])
        sums.append(_additive(report))
    ip, l2 = np.array(worth).T
    return [
        Claim.mean("cone: mean angle to the mean vector", angles, most=wanted["angle_most"], form=".2f"),
        Claim.check("cone: recall of exact search by inner product", "1", f"{min(recalls):.3f}", min(recalls) == 1),
        Claim.mean("cone: label recall by inner product", ip, most=wanted["ip_most"]),
        Claim.mean("cone: label recall by distance", l2, least=wanted["l2_least"]),
        Claim.mean("cone: loss to the metric, inner product", losses, least=wanted["metric_loss_least"]),
        Claim.mean("cone: share of lists with the same row, inner product", crowds, least=wanted["crowd_least"]),
        Claim.mean("cone: tau of HNSW configurations by recall and by task", taus, most=wanted["tau_most"]),
        Claim.check(
            "the three losses sum to 1 - U", f"to {frozen['additive']:g}", f"{max(sums):.1e}", max(sums) <= frozen["additive"]
        ),
    ]  # fmt: skip


def digits(frozen: dict[str, Any]) -> list[Claim]:
    """Real vectors on which the tree is wrong, and the report says so."""
    wanted, k = frozen["digits"], frozen["k"]
    X, y = load_digits(return_X_y=True)
    gaps, centred, said, flagged = [], [], [], []
    for seed in frozen["seeds"]:
        report = _audited(FunnelAudit(k, repair="center", random_state=seed), X, y, wanted["queries"], seed)
        value = _worth(report)
        gaps.append(value["l2"] - value["ip"])
        assert report.repairs is not None
        centred.append(dict(report.repairs.select("metric", "value").rows())["ip"])
        said.append(report.recommendation.metric)
        flagged.append(not report.verdict.agrees)
    return [
        Claim.mean("digits: distance above inner product", gaps, least=wanted["gap_least"]),
        Claim.mean("digits: inner product after centring", centred, least=wanted["centred_least"]),
        Claim.check("digits: the tree says inner product", "every seed", f"{said.count('ip')} of {len(said)}", set(said) == {"ip"}),
        Claim.check(
            "digits: the report says that the tree is wrong", "every seed", f"{sum(flagged)} of {len(flagged)}", all(flagged)
        ),
    ]  # fmt: skip


def norms(frozen: dict[str, Any]) -> list[Claim]:
    """Lengths that differ lead the tree to distance."""
    wanted = frozen["norms"]
    spread, said = [], []
    for seed in frozen["seeds"]:
        X, y = cone_vectors(frozen["cone"]["rows"], shift=0.0, seed=seed)
        lengths = np.random.default_rng(seed).lognormal(sigma=wanted["sigma"], size=(len(X), 1))
        meta = vector_meta_features(X * lengths, y, random_state=seed)
        spread.append(meta.cv)
        said.append(recommend_index(meta).metric)
    return [
        Claim.mean("lognormal lengths: CV", spread, least=wanted["cv_least"]),
        Claim.check(
            "lognormal lengths: the tree says distance", "every seed", f"{said.count('l2')} of {len(said)}", set(said) == {"l2"}
        ),
    ]  # fmt: skip


def clothes(frozen: dict[str, Any]) -> list[Claim]:
    """Fashion-MNIST: what is lost, and by whom."""
    wanted = frozen["clothes"]
    X, y, Q, yq = carriers.fashion_mnist()
    drawn = np.random.default_rng(frozen["seeds"][0]).permutation(len(Q))[: wanted["queries"]]
    graphs = {"hnsw": HnswIndex(32, 256), "hnsw-ip": HnswIpIndex(32, 256)}
    audit = FunnelAudit(
        wanted["k"], indexes=graphs, sweep={name: {"ef_search": wanted["ef"]} for name in graphs}
    )
    report = audit.fit(X, y, queries=Q[drawn], query_labels=yq[drawn]).report_
    by_distance = report.by_index.filter(metric="l2").row(-1, named=True)
    return [
        _on_the_tree("Fashion-MNIST", report),
        Claim.check(
            "Fashion-MNIST: loss to HNSW by distance where its recall is high",
            f"<= {wanted['index_loss_most']} at recall >= {wanted['recall_least']}",
            f"{by_distance['loss_index']:+.4f} at {by_distance['recall']:.3f}",
            by_distance["recall"] >= wanted["recall_least"] and by_distance["loss_index"] <= wanted["index_loss_most"],
            "the graph does not reach the recall",
        ),
        Claim.check(
            "Fashion-MNIST: what is lost to the embedding, and to the metric by inner product", "told",
            f"{_loss(report, 'ip', 'embedding'):.3f}, {_loss(report, 'ip', 'metric'):.3f}", True,
        ),
        Claim.check(
            "Fashion-MNIST: the three losses sum to 1 - U", f"to {frozen['additive']:g}", f"{_additive(report):.1e}",
            _additive(report) <= frozen["additive"],
        ),
    ]  # fmt: skip


def labels(frozen: dict[str, Any]) -> list[Claim]:
    """Does the tree name a metric that measures best? On sets of letters, digits, textures and soil."""
    wanted = frozen["labels"]
    claims = []
    for name in wanted["sets"]:
        frame = carriers.keel(name)
        X, y = frame.drop("target").to_numpy().astype(np.float64), frame["target"].to_numpy()
        claims.append(
            _on_the_tree(
                name, _audited(FunnelAudit(frozen["k"]), X, y, wanted["queries"], frozen["seeds"][0])
            )
        )
    return claims


def words(frozen: dict[str, Any]) -> list[Claim]:
    """Analogies of words: hits of one relevant row, on vectors of length 1 and on the same ones moved."""
    wanted, k = frozen["words"], frozen["k"]
    names, X = carriers.word2vec()
    place = {name: row for row, name in enumerate(names)}
    known = np.array(
        [[place[w] for w in four] for four in carriers.analogies() if all(w in place for w in four)]
    )
    unit, moved, kept = [], [], []
    for seed in frozen["seeds"]:
        a, b, c, d = known[np.random.default_rng(seed).permutation(len(known))[: wanted["queries"]]].T
        Q = X[b] - X[a] + X[c]
        plain = _worth(
            FunnelAudit(k, task="hit", random_state=seed).fit(X, queries=Q, query_labels=d).report_
        )
        unit.append(max(plain.values()) - min(plain.values()))
        shift = np.zeros(X.shape[1], dtype=np.float32)
        shift[0] = wanted["shift"]
        audit = FunnelAudit(k, task="hit", random_state=seed).fit(
            X + shift, queries=Q + shift, query_labels=d
        )
        value = _worth(audit.report_)
        moved.append(value["l2"] - value["ip"])
        kept.append(abs(value["l2"] - plain["l2"]))
    return [
        Claim.mean("word2vec analogies: metrics differ on vectors of length 1 by", unit, most=wanted["unit_loss_most"]),
        Claim.mean("word2vec analogies, moved: distance above inner product", moved, least=wanted["shift_loss_least"]),
        Claim.mean("word2vec analogies, moved: hits by distance change by", kept, most=wanted["unit_loss_most"], form=".4f"),
    ]  # fmt: skip


def controls(frozen: dict[str, Any]) -> list[Claim]:
    """Where nothing is to be found nothing is found, and what should not matter does not."""
    wanted, k = frozen["controls"], frozen["k"]
    X, y = load_digits(return_X_y=True)
    away, gains, turned, contrasts = [], [], [], []
    for seed in frozen["seeds"]:
        rng = np.random.default_rng(seed)
        shuffled = _audited(
            FunnelAudit(k, random_state=seed), X, rng.permutation(y), frozen["digits"]["queries"], seed
        )
        away.append(max(abs(value - shuffled.chance) for value in _worth(shuffled).values()))
        gains.append(len(shuffled.verdict.tied) < len(METRICS) - 1)
        rotation = ortho_group.rvs(X.shape[1], random_state=seed)
        before, after = (
            _worth(_audited(FunnelAudit(k, random_state=seed), vectors, y, frozen["digits"]["queries"], seed))
            for vectors in (X, X @ rotation)
        )
        turned.append(max(abs(before[metric] - after[metric]) for metric in METRICS))
        twice = np.concatenate([X, X[rng.permutation(len(X))[: int(wanted["copies"] * len(X))]]])
        contrasts.append(vector_meta_features(twice, random_state=seed).rc)
    return [
        Claim.mean("labels shuffled: distance of U from chance", away, most=wanted["prior_most"], control=True),
        Claim.check(
            "labels shuffled: a metric is said to be better", "never", f"{sum(gains)} of {len(gains)}", not any(gains),
            control=True, why="a 95 % interval excludes 0 by chance now and then",
        ),
        Claim.mean("vectors rotated: U changes by", turned, most=wanted["rotated_most"], form=".4f", control=True),
        Claim.mean("rows that stand twice: contrast", contrasts, most=wanted["contrast_most"], form=".1f", control=True),
    ]  # fmt: skip


def _audited(audit: FunnelAudit, X: Rows, y: Rows, queries: int, seed: int) -> FunnelReport:
    """Queries held out at random."""
    order = np.random.default_rng(seed).permutation(len(X))
    asked, base = order[:queries], order[queries:]
    return audit.fit(X[base], y[base], queries=X[asked], query_labels=y[asked]).report_


def _worth(report: FunnelReport) -> dict[str, float]:
    return dict(report.by_metric.select("metric", "value").rows())


def _loss(report: FunnelReport, metric: str, layer: str) -> float:
    return float(report.funnel.filter(metric=metric, index="exact", layer=layer)["loss"][0])


def _additive(report: FunnelReport) -> float:
    def off() -> Iterator[float]:
        for row in report.scores.frame.rows(named=True):
            yield abs(row["loss_embedding"] + row["loss_metric"] + row["loss_index"] - (1 - row["value"]))

    return max(off())


def _on_the_tree(name: str, report: FunnelReport) -> Claim:
    value = _worth(report)
    measured = ", ".join(f"{SHORT[metric]} {value[metric]:.3f}" for metric in METRICS)
    close = [decision.question for decision in report.recommendation.path if decision.close]
    return Claim.check(
        f"{name}: the tree's metric measures best, or cannot be told from the best",
        SHORT[report.recommendation.metric], measured, report.verdict.agrees,
        f"the tree is wrong here{': ' + ' and '.join(close) + ' was too close to call' if close else ''}; the report says so",
    )  # fmt: skip


PARTS = {
    "cone": cone,
    "digits": digits,
    "norms": norms,
    "clothes": clothes,
    "labels": labels,
    "words": words,
    "controls": controls,
}
