"""OutRank: cardinality-aware feature ranking for large sparse data (RecSys 2023, arXiv 2309.01552).

Noise, needles and streams are here; clicks and the search for a model, each a small study, stand beside.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reproductions.claims import Claim
from reproductions.outrank_automl import automl
from reproductions.outrank_clicks import clicks
from salience.data.generators import AutoML, Needle, Xor, generate, write
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.measures.contingency import Contingency
from salience.measures.information import Information, corrected
from salience.measures.nulls import shift_score
from salience.measures.nulltable import NullTable
from salience.tabular import StreamRanker
from salience.tabular.interactions import rank_combinations
from salience.tabular.outrank import outrank_batches

Codes = NDArray[np.int64]


# ---------------------------------------------------------------------------------------------------- noise
def noise(frozen: dict[str, Any]) -> list[Claim]:
    """Noise of any cardinality scores about 0; plain information does not."""
    wanted = frozen["noise"]
    rows, draws = wanted["rows"], wanted["draws"]
    sizes = wanted["cardinalities"]
    found = {size: [_noise_draw(rows, size, seed) for seed in range(draws)] for size in sizes}
    claims = []
    for size, expected in zip(sizes, wanted["plain"], strict=True):
        mean = float(np.mean([plain.mi for plain, _ in found[size]]))
        tolerance = max(wanted["plain_absolute"], wanted["plain_tolerance"] * expected)
        claims.append(
            Claim.check(f"plain information of noise of {size:,} values, mean of {draws} draws",
                        f"{expected:.4f} +- {tolerance:.4f}", f"{mean:.4f}", abs(mean - expected) <= tolerance)
        )  # fmt: skip
    bound = wanted["corrected_most"]
    for name, pick in (("information above its expectation", 0), ("OutRank's shifted score", 1)):
        worst = {
            size: max(abs(pair[0].score if pick == 0 else pair[1]) for pair in pairs)
            for size, pairs in found.items()
        }
        spread = np.std([p[0].score if pick == 0 else p[1] for p in found[sizes[-1]]])
        size = max(worst, key=worst.__getitem__)
        claims.append(
            Claim.check(f"{name}: size of the score of noise in every one of {draws} draws", f"<= {bound}",
                        f"at most {worst[size]:.4f} (at {size:,} values); sd {spread:.4f} at {sizes[-1]:,}",
                        worst[size] <= bound,
                        f"a bound of {bound / max(spread, 1e-12):.1f} sd of the score of such noise: some of "
                        f"{draws} draws must pass it")
        )  # fmt: skip
    return claims + _weak(frozen) + _row_id(wanted)


def _noise_draw(rows: int, size: int, seed: int) -> tuple[Information, float]:
    rng = np.random.default_rng([seed, size])
    y = _balanced(rows, rng)
    x = rng.integers(0, size, rows)
    table = Contingency.from_codes(x, y)
    return corrected(table, NullTable(table.label_counts)), shift_score(x, y)


def _balanced(rows: int, rng: np.random.Generator) -> Codes:
    return rng.permutation(np.arange(rows) % 2)


def _agreeing(y: Codes, share: float, rng: np.random.Generator) -> Codes:
    return np.where(rng.random(len(y)) < share, y, 1 - y)


def _weak(frozen: dict[str, Any]) -> list[Claim]:
    """Two weak binary columns among a hundred columns of noise."""
    wanted = frozen["noise"]
    low, high = wanted["agreement"]
    sizes = np.geomspace(2, wanted["cardinalities"][-1], wanted["noise_columns"]).round().astype(int)
    one = [_weak_draw(wanted["rows"], sizes, (low, high), seed) for seed in range(wanted["draws"])]
    claims = []
    for i, (share, expected) in enumerate(zip((low, high), wanted["agreement_plain"], strict=True)):
        mi = float(np.mean([weak[i].mi for weak, _ in one]))
        tolerance = wanted["agreement_tolerance"]
        claims.append(
            Claim.check(f"plain information of a binary column that agrees in {share:.0%} of the rows",
                        f"{expected} +- {tolerance}", f"{mi:.4f}", abs(mi - expected) <= tolerance)
        )  # fmt: skip
    many = sizes >= wanted["ranked_below_from"]
    fooled = np.mean([max(w.mi for w in weak) < min(n.mi for n, m in zip(noise, many, strict=True) if m)
                      for weak, noise in one])  # fmt: skip
    above = np.mean([weak[1].score > max(n.score for n in noise) for weak, noise in one])
    by_z = np.mean([weak[0].z > max(n.z for n in noise) for weak, noise in one])
    batches = wanted["batches"]
    later = [_weak_draw(wanted["rows"] * batches, sizes, (low,), 1000 + seed) for seed in frozen["seeds"]]
    after = np.mean([weak[0].score > max(n.score for n in noise) for weak, noise in later])
    return [
        *claims,
        Claim.check(f"plain information ranks both below every noise column of {wanted['ranked_below_from']:,} values "
                    "and more", "in every draw", f"in {fooled:.0%}", fooled == 1.0),
        Claim.check(f"corrected, the {high:.0%} column is above all of {len(sizes)} noise columns in one batch",
                    "in every draw", f"in {above:.0%}", above == 1.0,
                    "the highest of many noisy scores of high cardinality"),
        Claim.check(f"the {low:.0%} column is above all of them by z in one batch, or by score after {batches} batches",
                    "in every draw", f"by z in {by_z:.0%}; by score after {batches} batches in {after:.0%}",
                    max(by_z, after) == 1.0),
    ]  # fmt: skip


def _weak_draw(
    rows: int, sizes: NDArray[np.int64], shares: Iterable[float], seed: int
) -> tuple[list[Information], list[Information]]:
    rng = np.random.default_rng([seed, rows])
    y = _balanced(rows, rng)
    null = NullTable(np.bincount(y))
    weak = [corrected(Contingency.from_codes(_agreeing(y, share, rng), y), null) for share in shares]
    return weak, [corrected(Contingency.from_codes(rng.integers(0, size, rows), y), null) for size in sizes]


def _row_id(wanted: dict[str, Any]) -> list[Claim]:
    y = _balanced(wanted["rows"], np.random.default_rng(0))
    table = Contingency.from_codes(np.arange(len(y)), y)
    found = corrected(table, NullTable(table.label_counts))
    shifted = shift_score(np.arange(len(y)), y)
    right = abs(found.mi - wanted["row_id_plain"]) < 1e-3
    right &= max(abs(found.score), abs(shifted)) <= wanted["row_id_corrected"]
    return [
        Claim.check("row number: plain information H(label), corrected 0", f"{wanted['row_id_plain']} and 0",
                    f"{found.mi:.4f}, analytic {found.score:.1g}, shifted {shifted:.1g}", right),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- needles
def needle(frozen: dict[str, Any]) -> list[Claim]:
    """A label that is the sum of two columns: the pair stands out of 4,950."""
    wanted = frozen["needle"]
    found = [_needle(wanted, seed) for seed in frozen["seeds"]]
    pair, other, single, other_single, permuted, first = (
        np.array(values) for values in zip(*found, strict=True)
    )
    low, high = wanted["pair"] - wanted["pair_tolerance"], wanted["pair"] + wanted["pair_tolerance"]
    about, room = wanted["single"], wanted["single_tolerance"]
    return [
        Claim.mean("shifted score of the planted pair", pair, least=low, most=high),
        Claim.mean("best other pair", other, most=wanted["other_pair_most"],
                   why="pairs with one planted column carry what it carries alone"),
        Claim.mean("shifted score of the planted singles", single, least=about - room, most=about + room),
        Claim.mean("best other single", other_single, most=wanted["other_single_most"]),
        Claim.check("salience's own score ranks the pair first of all pairs", "in every seed",
                    f"in {first.mean():.0%}", bool(first.all())),
        Claim.mean("the pair with a permuted label", np.abs(permuted), most=wanted["permuted_most"], control=True),
    ]  # fmt: skip


def _needle(wanted: dict[str, Any], seed: int) -> tuple[float, float, float, float, float, bool]:
    planted = generate(Needle(columns=wanted["columns"]), wanted["rows"], seed=seed)
    a, b = planted.interactions[0]
    run = outrank_batches(planted.frame, planted.label, subsample=1, order=2).pairs.frame
    scores = {tuple(members): value for members, value in run.select("members_a", "value").iter_rows()}
    pairs = {k: v for k, v in scores.items() if len(k) == 2}
    singles = {k[0]: v for k, v in scores.items() if len(k) == 1 and k[0] != planted.label}
    shuffled = planted.frame.with_columns(
        pl.col(planted.label).sample(fraction=1.0, shuffle=True, seed=seed)
    ).select(a, b, planted.label)
    permuted = outrank_batches(shuffled, planted.label, subsample=1, order=2).pairs.frame
    at_random = permuted.filter(pl.col("members_a").list.len() == 2)["value"][0]
    best = _combinations(planted.frame, planted.label).frame.sort("rank").row(0, named=True)
    return (
        pairs[a, b], max(v for k, v in pairs.items() if k != (a, b)), (singles[a] + singles[b]) / 2,
        max(v for k, v in singles.items() if k not in (a, b)), at_random, {best["a"], best["b"]} == {a, b},
    )  # fmt: skip


def _combinations(frame: pl.DataFrame, label: str) -> Any:
    source = open_source(frame)
    return rank_combinations(plan(source, label), source=source, finalists=20).pairs


def xor(frozen: dict[str, Any]) -> list[Claim]:
    """Two fair bits that say nothing alone and everything together."""
    wanted = frozen["xor"]
    singles, gaps, first = [], [], []
    for seed in frozen["seeds"]:
        planted = generate(Xor(columns=wanted["columns"]), wanted["rows"], seed=seed)
        members = planted.interactions[0]
        alone = StreamRanker(planted.label).fit(planted.frame).scores_.frame
        own = alone.filter(pl.col("column").is_in(members))["value"].to_numpy()
        singles.append(float(np.abs(own).max()))
        best = _combinations(planted.frame, planted.label).frame.sort("rank").row(0, named=True)
        first.append({best["a"], best["b"]} == set(members))
        gaps.append(abs(best["joint"] - np.log(2)))
    return [
        Claim.mean("XOR of two fair bits: each alone, size of the score", singles, most=wanted["single_most"], form=".4f"),
        Claim.check("the pair is first of all pairs", "in every seed", f"in {np.mean(first):.0%}", all(first)),
        Claim.mean("the pair's distance from ln 2", gaps, most=wanted["pair_tolerance"], form=".4f"),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------- stream
def stream(frozen: dict[str, Any]) -> list[Claim]:
    """A tenth of the rows finds the same best columns."""
    wanted = frozen["stream"]
    places = np.linspace(2, wanted["columns"] - 3, wanted["planted"]).round().astype(int)
    hits, planted_hits, permuted = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in frozen["seeds"]:
            recipe = AutoML(
                columns=wanted["columns"], largest=wanted["largest"], singles=tuple(f"c{i}" for i in places),
                pair=("c0", "c1"), effect=wanted["effect"], interaction=0.0, world=seed,
            )  # fmt: skip
            file = write(recipe, Path(folder) / "stream.parquet", wanted["rows"], seed=seed)
            k = wanted["planted"]
            full = set(StreamRanker(recipe.label).fit(file).ranking_[:k])
            tenth = set(
                StreamRanker(recipe.label, subsample=wanted["share"], random_state=seed)
                .fit(file)
                .ranking_[:k]
            )
            hits.append(len(full & tenth) / k)
            planted_hits.append(len(tenth & set(recipe.singles)) / k)
            frame = pl.read_parquet(file).sample(fraction=1 / wanted["share"], seed=seed)
            shuffled = frame.with_columns(pl.col(recipe.label).sample(fraction=1.0, shuffle=True, seed=seed))
            permuted.append(len(full & set(StreamRanker(recipe.label).fit(shuffled).ranking_[:k])) / k)
    return [
        Claim.mean("hits@10 of a tenth of the rows against all rows", hits, least=wanted["hits"]),
        Claim.mean("planted columns among its first ten", planted_hits, least=wanted["hits"]),
        Claim.mean("hits@10 with a permuted label", permuted, most=wanted["permuted_hits"], control=True),
    ]


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "noise": noise,
    "needle": needle,
    "xor": xor,
    "clicks": clicks,
    "automl": automl,
    "stream": stream,
}
