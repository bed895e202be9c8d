"""OutRank's experiment with a search for a model, re-made: the same model from a fraction of the fits.

The search is greedy forward selection with a hashed logistic regression. A searches all columns and all pairs; B
only a shortlist: the first columns and pairs of salience's ranking, made on the rows that the models fit. Two
controls have B's fits: the same number of candidates drawn at random, and a shortlist ranked by a permuted label.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from reproductions.claims import Claim
from reproductions.hashed_logistic import Slots, quick_loss, slots_of
from salience.data.generators import AutoML, generate
from salience.data.plan import plan
from salience.data.readers import open_source
from salience.tabular import StreamRanker
from salience.tabular.interactions import rank_combinations

Candidate = tuple[str, ...]
EPOCHS, RATE = 3, 0.2


def automl(frozen: dict[str, Any]) -> list[Claim]:
    """Log loss and fits of both searches."""
    wanted = frozen["automl"]
    runs = [_one(wanted, seed) for seed in frozen["seeds"]]
    loss = {name: np.array([run[name][0] for run in runs]) for name in runs[0]}
    fits = {name: np.array([run[name][1] for run in runs]) for name in runs[0]}
    space = {name: np.array([run[name][2] for run in runs]) for name in runs[0]}
    within, share = wanted["loss_within"], wanted["fits_share"]
    steps_of_all = fits["shortlist"] / space["everything"]
    fraction = fits["shortlist"] / fits["everything"]
    return [
        Claim("log loss on rows nobody looked at: search of everything, of the shortlist", "-",
              f"{loss['everything'].mean():.4f} with {fits['everything'].mean():,.0f} fits, "
              f"{loss['shortlist'].mean():.4f} with {fits['shortlist'].mean():,.0f} fits", "-"),
        Claim.mean("log loss of the shortlist's model, relative to that of the search of everything",
                   loss["shortlist"] / loss["everything"] - 1, most=within, form=".4f",
                   why="a pair that the ranking leaves out of the shortlist"),
        Claim.check("fits it takes", f"<= {share:.3f} of them", f"{fraction.max():.3f} in the worst seed",
                    bool((fraction <= share).all())),
        Claim.check("space searched at equal fits", f">= {wanted['space_times']:g} times",
                    f"{(space['everything'] / space['shortlist']).min():.0f} times: the fits of the whole search of "
                    f"the shortlist are {steps_of_all.mean():.2f} of one step through everything",
                    bool((space["everything"] / space["shortlist"] >= wanted["space_times"]).all())),
        *(
            Claim.mean(f"{name}: log loss relative to the search of everything",
                       loss[name] / loss["everything"] - 1, least=within, form=".4f", control=True)
            for name in ("as many candidates at random", "shortlist of a permuted label")
        ),
    ]  # fmt: skip


def _one(wanted: dict[str, Any], seed: int) -> dict[str, tuple[float, int, int]]:
    """Log loss on the reporting rows, fits and number of candidates of each search."""
    recipe = AutoML(columns=wanted["columns"], largest=wanted["largest"], world=seed)
    planted = generate(recipe, wanted["rows"], seed=seed)
    search = _Search(planted.frame, recipe.label, wanted)
    names = list(planted.features)
    everything = [(name,) for name in names] + list(combinations(names, 2))
    rng = np.random.default_rng(seed)
    pairs = everything[len(names) :]
    at_random = [(str(name),) for name in rng.choice(names, wanted["singles"], replace=False)]
    at_random += [pairs[i] for i in rng.choice(len(pairs), wanted["pairs"], replace=False)]
    fitted = planted.frame.head(search.cuts[0])
    label = pl.Series(recipe.label, rng.permutation(fitted[recipe.label].to_numpy()))
    spaces: dict[str, Sequence[Candidate]] = {
        "everything": everything,
        "shortlist": _shortlist(fitted, recipe.label, wanted),
        "as many candidates at random": at_random,
        "shortlist of a permuted label": _shortlist(fitted.with_columns(label), recipe.label, wanted),
    }
    return {name: (*search.run(space, wanted["steps"]), len(space)) for name, space in spaces.items()}


def _shortlist(frame: pl.DataFrame, label: str, wanted: dict[str, Any]) -> list[Candidate]:
    """The best columns, and the pairs that say most beyond the better of their columns."""
    source = open_source(frame)
    singles = StreamRanker(label).fit(source).ranking_[: wanted["singles"]]
    pairs = rank_combinations(plan(source, label), source=source, finalists=0).pairs.frame
    best = pairs.sort("synergy", descending=True).head(wanted["pairs"])
    return [*((name,) for name in singles), *best.select("a", "b").iter_rows()]


class _Search:
    """Greedy forward selection on fixed rows: some to fit, some to select by, some to report on."""

    def __init__(self, frame: pl.DataFrame, label: str, wanted: dict[str, Any]) -> None:
        self.bits = wanted["hash_bits"]
        self.y = frame[label].to_numpy().astype(np.int64)
        self.codes = {
            name: frame[name].to_numpy().astype(np.int64) for name in frame.columns if name != label
        }
        self.number = {name: i for i, name in enumerate(self.codes)}
        self.cuts = (int(0.6 * len(self.y)), int(0.8 * len(self.y)))

    def slots(self, candidate: Candidate) -> NDArray[np.int64]:
        """Coordinates of a column, or of two together, (rows,)."""
        code, feature = np.zeros(len(self.y), dtype=np.int64), 0
        for name in candidate:
            code = code * 8192 + self.codes[name]
            feature = feature * 1024 + self.number[name] + 1
        return slots_of(code, feature, self.bits)

    def loss(self, slots: Slots, first: int, last: int | None) -> float:
        """Log loss on rows first to last of a model fitted on the first part."""
        fit = self.cuts[0]
        rows = slice(first, last)
        return quick_loss(slots[:, :fit], self.y[:fit], slots[:, rows], self.y[rows], self.bits, EPOCHS, RATE)

    def run(self, candidates: Sequence[Candidate], steps: int) -> tuple[float, int]:
        """Log loss on the reporting rows and number of fits."""
        chosen = np.empty((0, len(self.y)), dtype=np.int64)
        left, best, fits = list(candidates), np.inf, 0

        def tried(candidate: Candidate) -> float:
            return self.loss(np.vstack([chosen, self.slots(candidate)]), *self.cuts)

        with ThreadPoolExecutor(2) as pool:
            for _ in range(steps):
                losses = np.fromiter(pool.map(tried, left), dtype=float, count=len(left))
                fits += len(left)
                if losses.min() >= best:
                    break
                best, added = losses.min(), left.pop(int(losses.argmin()))
                chosen = np.vstack([chosen, self.slots(added)])
        return self.loss(chosen, self.cuts[1], None), fits
