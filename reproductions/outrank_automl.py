"""OutRank's experiment with a search for a model, re-made: the same model from a fraction of the fits.

The search is greedy forward selection with a hashed logistic regression. A searches all columns and all pairs; B
only a shortlist: the first columns and pairs of salience's ranking, made on the rows that the models fit. Two
controls have B's fits: the same number of candidates drawn at random, and a shortlist ranked by a permuted label.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from reproductions.claims import Claim
from salience.data.generators import AutoML, generate
from salience.tabular.streaming.forward import ForwardSearch, shortlist
from salience.tabular.streaming.reference import Candidate


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
    search = ForwardSearch(planted.frame, recipe.label, bits=wanted["hash_bits"])
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
        "shortlist": shortlist(fitted, recipe.label, wanted["singles"], wanted["pairs"]),
        "as many candidates at random": at_random,
        "shortlist of a permuted label": shortlist(
            fitted.with_columns(label), recipe.label, wanted["singles"], wanted["pairs"]
        ),
    }
    found = {name: search.run(space, wanted["steps"]) for name, space in spaces.items()}
    return {name: (one.loss, one.fits, len(spaces[name])) for name, one in found.items()}
