"""Screening against scikit-learn's nearest neighbours and fastHDMI; the mixed model against statsmodels.

fastHDMI smooths with bandwidth 1 whatever it is told, on columns over their quartile distance: with
``bandwidth=1.0, scaling="robust"`` and its grid ours gives the same numbers, and those are compared first.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_regression

from benchmarks.harness import Row, Settings, paired, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.tabular import MIScreener, RobustMixedModel

ROWS, WIDTHS = 1000, (1000, 2000)
PEER_POINTS = 300  # the grid that fastHDMI takes by default
AIM = 5.0
MIXED_AIM = 1 / 3  # of the speed of statsmodels at least
REQUIREMENTS = ("fasthdmi==1.25.26", "pyarrow")  # its dask wants pyarrow, and does not say so

Floats = NDArray[np.float64]


def benchmark(settings: Settings) -> Iterator[Row]:
    """Two peers at two widths, then mixed models of two sizes."""
    peer = peer_environment(settings.cache, "fasthdmi-1.25.26", REQUIREMENTS)
    for width in WIDTHS:
        X, y = quadratic(ROWS, settings.scaled(width) if settings.quick else width)
        yield from _against_neighbors(X, y, settings)
        found = run_peer(
            peer, "fasthdmi_screening", {"X": X, "y": y}, str(min(settings.runs, 3)), str(max(settings.threads, 2)),
            str(PEER_POINTS), threads=1,
        )  # fmt: skip
        yield from _against_fasthdmi(X, y, np.array(found["values"]), found["seconds"], settings)
    for groups, rows in ((30, 8), (500, 10)):
        yield _mixed(groups, rows, settings)


def quadratic(rows: int, columns: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Normal columns, 20 of which matter by their squares, signal to noise 3."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    signal = (X[:, :20] ** 2) @ rng.uniform(0.5, 1.5, 20)
    return X, signal + rng.normal(size=rows) * signal.std() / np.sqrt(3)


def _against_neighbors(X: Floats, y: Floats, settings: Settings) -> Iterator[Row]:
    few = slice(0, 50)
    screener = MIScreener(method="knn", discrete_features=False, n_jobs=1)
    ours = screener.fit(X[:, few], y).scores_.values
    seed = np.random.RandomState(0).randint(2**31 - 1)  # what the screener draws for the jitter
    theirs = mutual_info_regression(X[:, few], y, discrete_features=False, random_state=seed)
    gap = float(np.abs(ours - theirs).max())
    own, peer = paired(
        partial(MIScreener(n_jobs=settings.threads).fit, X, y),
        partial(mutual_info_regression, X, y, n_jobs=settings.threads),
        min(settings.runs, 3),
    )
    yield Row(
        f"`MIScreener()` against `mutual_info_regression`, n = {len(y)}, p = {X.shape[1]}", own, peer, "s",
        f">= {AIM:g}x", peer >= AIM * own and gap < 1e-9,
        f"method='knn' equal to {gap:.1g}; densities are another estimate, and find squares that it misses",
        f"{settings.threads} threads each",
    )  # fmt: skip


def _against_fasthdmi(X: Floats, y: Floats, theirs: Floats, peer: float, settings: Settings) -> Iterator[Row]:
    same = MIScreener(
        bandwidth=1.0, scaling="robust", grid=(PEER_POINTS, PEER_POINTS), discrete_features=False,
        n_jobs=settings.threads,
    )  # fmt: skip
    gap = float(np.abs(same.fit(X, y).scores_.values - theirs).max())
    name = f"against fastHDMI's `continuous_screening_array_parallel`, n = {len(y)}, p = {X.shape[1]}"
    threads = f"{settings.threads} threads, {max(settings.threads, 2)} processes"
    runs = range(min(settings.runs, 3))
    for label, screener in (
        ("the same 300 x 300 grid and bandwidth", same),
        ("by default (128 x 128)", MIScreener(n_jobs=settings.threads)),
    ):
        own = float(np.median([seconds(partial(screener.fit, X, y)) for _ in runs]))
        yield Row(
            f"`MIScreener` {name}, {label}", own, peer, "s", f">= {AIM:g}x", peer >= AIM * own and gap < 1e-4,
            f"at its settings equal to {gap:.1g}; it does not scale its densities to 1", threads,
        )  # fmt: skip


def _mixed(groups: int, rows: int, settings: Settings) -> Row:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(groups), rows)
    X = rng.normal(size=(groups * rows, 4))
    y = 1 + X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=groups)[codes] + rng.normal(size=groups * rows)
    design = np.column_stack([X, np.ones(len(y))])

    def theirs() -> Floats:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(sm.MixedLM(y, design, codes).fit(reml=False).fe_params)

    gaussian = RobustMixedModel(nu=1e6).fit(X, y, groups=codes)
    gap = float(np.abs(np.append(gaussian.coef_, gaussian.intercept_) - theirs()).max())
    own, peer = paired(lambda: RobustMixedModel().fit(X, y, groups=codes), theirs, settings.runs)
    return Row(
        f"`RobustMixedModel()` against statsmodels' `MixedLM`, {groups} groups of {rows}, 4 slopes", own, peer, "s",
        "<= 3x its time", peer >= MIXED_AIM * own and gap < 1e-3,
        f"with nu = 1e6 coefficients equal to {gap:.1g}", "one thread each; ours fits nu too",
    )  # fmt: skip
