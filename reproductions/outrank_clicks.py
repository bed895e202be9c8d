"""OutRank's click experiment, re-made: which ranking of the columns gives the better click model?

Three of a hundred impressions are clicked; users and ads are skewed identities of 10^5 and 10^4 values; forty
columns of 2 to 50,000 values are noise. Rankings are made on the training rows; a hashed logistic regression
on the first k columns of each is judged on other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from reproductions.claims import Claim, interval
from reproductions.hashed_logistic import converged_loss, slots_of
from salience.data.generators import Clicks, generate
from salience.measures.association import chi2, pearson
from salience.measures.contingency import Contingency
from salience.tabular import StreamRanker

Codes = dict[str, NDArray[np.int64]]
WITH_PAIR = "corrected, the pair's columns among the planted"
COMPARED = ("forest", "chi2", "Pearson", WITH_PAIR)


def clicks(frozen: dict[str, Any]) -> list[Claim]:
    """Share of planted columns in the top k, and held-out log loss, by ranking."""
    wanted = frozen["clicks"]
    runs = [_one(wanted, seed) for seed in frozen["seeds"]]
    shares = {name: [share[name] for share, _ in runs] for name in runs[0][0]}
    losses = {name: np.array([loss[name] for _, loss in runs]) for name in runs[0][1]}  # (seeds, k)
    claims = [
        Claim.mean("planted columns in the top k: corrected information", shares["corrected"],
                   least=wanted["corrected_share"],
                   why="segment and category say something alone too, where users and ads are skewed, and can stand "
                   "before the weakest main effect", form=".2f"),
        Claim.mean("planted columns in the top k: plain information", shares["plain"],
                   most=wanted["plain_share"], form=".2f",
                   why="plain information of noise of many values must exceed that of the planted columns"),
        Claim.mean("planted columns in the top k: permuted target", shares["permuted target"],
                   most=wanted["permuted_share"], form=".2f", control=True),
        *(_said(f"planted columns in the top k: {name}", shares[name]) for name in COMPARED),
    ]  # fmt: skip
    for i, k in enumerate(wanted["keep"]):
        for name, theirs in losses.items():
            if name != "corrected":
                # Paired by seed: the same rows, the same model.
                gain = theirs[:, i] - losses["corrected"][:, i]
                claims.append(
                    Claim.mean(f"k = {k}: log loss of the first k by {name} minus by corrected information, 1e-3 nats",
                               1e3 * gain, least=0.0, form=".2f", control=name in ("random", "permuted target"),
                               why="the planted columns it misses are not worth more to this model at this k")
                )  # fmt: skip
        mean = losses["corrected"][:, i].mean()
        claims.append(Claim(f"k = {k}: log loss by corrected information", "-", f"{mean:.4f}", "-"))
    return claims


def _said(name: str, values: Sequence[float]) -> Claim:
    low, high = interval(values)
    return Claim(name, "-", f"{np.mean(values):.2f} ({low:.2f} to {high:.2f}, {len(values)} seeds)", "-")


def _one(wanted: dict[str, Any], seed: int) -> tuple[dict[str, float], dict[str, NDArray[np.float64]]]:
    recipe = Clicks(noise=wanted["noise"], world=seed)
    rows = wanted["rows"]
    frame = generate(recipe, rows + wanted["test_rows"], seed=seed).frame
    planted = set(generate(recipe, 1).singles)
    codes = {name: _codes(frame[name]) for name in frame.columns if name != recipe.label}
    y = frame[recipe.label].to_numpy().astype(np.int64)
    train, first = frame.head(rows), {name: x[:rows] for name, x in codes.items()}
    rng = np.random.default_rng(seed)
    orders = {name: ranking(train, first, y[:rows], wanted, seed) for name, ranking in RANKINGS.items()}
    shares = {
        name: len(planted & set(order[: len(planted)])) / len(planted) for name, order in orders.items()
    }
    slots = {name: slots_of(x, i, wanted["hash_bits"]) for i, (name, x) in enumerate(codes.items())}

    @cache
    def loss(chosen: frozenset[str]) -> float:
        all_rows = np.stack([slots[name] for name in sorted(chosen)])
        return converged_loss(
            all_rows[:, :rows], y[:rows], all_rows[:, rows:], y[rows:], wanted["inverse_penalty"]
        )

    keep = wanted["keep"]
    losses = {name: np.array([loss(frozenset(order[:k])) for k in keep]) for name, order in orders.items()}
    names = list(codes)
    shuffled = [rng.permutation(names).tolist() for _ in range(wanted["random_orders"])]
    at_random = [[loss(frozenset(order[:k])) for k in keep] for order in shuffled]
    in_truth = {name for item in recipe.truth for name in item}
    shares[WITH_PAIR] = len(in_truth & set(orders["corrected"][: len(in_truth)])) / len(in_truth)
    return shares, losses | {"random": np.mean(at_random, axis=0)}


def _codes(column: pl.Series) -> NDArray[np.int64]:
    return column.cast(pl.String).cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)


def _by_stream(null: str, permute: bool = False) -> Callable[..., list[str]]:
    def ranking(
        frame: pl.DataFrame, codes: Codes, y: NDArray, wanted: dict[str, Any], seed: int
    ) -> list[str]:
        label = pl.Series("click", np.random.default_rng(seed).permutation(y) if permute else y)
        return StreamRanker("click", null=null).fit(frame.with_columns(label)).ranking_

    return ranking


def _by_statistic(statistic: Callable[[NDArray, NDArray], float]) -> Callable[..., list[str]]:
    def ranking(
        frame: pl.DataFrame, codes: Codes, y: NDArray, wanted: dict[str, Any], seed: int
    ) -> list[str]:
        score = {name: statistic(x, y) for name, x in codes.items()}
        return sorted(score, key=score.__getitem__, reverse=True)

    return ranking


def _by_forest(frame: pl.DataFrame, codes: Codes, y: NDArray, wanted: dict[str, Any], seed: int) -> list[str]:
    rows = np.random.default_rng(seed).permutation(len(y))[: wanted["forest_rows"]]
    forest = RandomForestClassifier(wanted["forest_trees"], n_jobs=2, random_state=seed)
    forest.fit(np.column_stack([x[rows] for x in codes.values()]), y[rows])
    return [list(codes)[i] for i in np.argsort(-forest.feature_importances_, kind="stable")]


RANKINGS: dict[str, Callable[..., list[str]]] = {
    "corrected": _by_stream("analytic"),
    "plain": _by_stream("none"),
    "forest": _by_forest,
    "chi2": _by_statistic(lambda x, y: chi2(Contingency.from_codes(x, y))),
    "Pearson": _by_statistic(lambda x, y: abs(pearson(x, y))),
    "permuted target": _by_stream("analytic", permute=True),
}
