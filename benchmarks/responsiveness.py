"""Against reachml 0.2.0a1: responsiveness of 1,000 people, with a one-hot rule and without any rule."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from benchmarks.harness import Row, Settings, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.tabular import ActionSpace, Feature, ResponsivenessScorer
from salience.tabular.responsiveness.rules import OneHot

# Its default solver is SCIP, but the module of it imports cplex: without that package no joint rule runs. The free edition
# of cplex is limited to 1,000 variables, far more than five columns need.
REQUIREMENTS = ("reachml==0.2.0a1", "cplex==22.2.0.1", "scikit-learn==1.9.1", "pandas<3", "numpy<2.2")
PEOPLE, LEVELS, JOBS = 1000, 10, 5


def benchmark(settings: Settings) -> Iterator[Row]:
    """Scores equal to the last digits first, then the ratio; both sides start with nothing remembered."""
    people = 50 if settings.quick else PEOPLE
    binaries = peer_environment(settings.cache, "reachml", REQUIREMENTS)
    for kind, aim, peer_runs in (("joint", 20.0, 1), ("separable", 5.0, min(settings.runs, 3))):
        X, space, model = planted(people, joint=kind == "joint")
        payload = {
            "X": X.to_numpy(), "names": X.columns.to_numpy(str), "coef": model.coef_[0], "intercept": model.intercept_,
            "hot": [name for name in X.columns if name.startswith("job")] or [""],
            "low": [one.lb for one in space], "high": [one.ub for one in space],
        }  # fmt: skip
        theirs = run_peer(binaries, "reachml_scores", payload, str(peer_runs), kind, threads=settings.threads)

        def scored(
            X: pd.DataFrame = X, space: ActionSpace = space, model: LogisticRegression = model
        ) -> np.ndarray:
            return ResponsivenessScorer(space, completion="all").score(X, model).scores

        gap = float(np.abs(scored() - np.array(theirs["scores"])).max())
        ours = float(np.median([seconds(scored) for _ in range(settings.runs)]))
        columns = (
            "10 discrete columns and a one-hot of 5" if kind == "joint" else "10 discrete columns, no rule"
        )
        yield Row(
            f"`ResponsivenessScorer` against `reachml`, {people:,} people, {columns}",
            ours, theirs["seconds"], "s", f">= {aim:g}x", gap <= 1e-12 and theirs["seconds"] >= aim * ours,
            f"scores equal to {gap:.1g}",
            f"both without memory of earlier people; `reachml` with its SCIP solver, {peer_runs} run(s)",
        )  # fmt: skip


def planted(people: int, joint: bool) -> tuple[pd.DataFrame, ActionSpace, LogisticRegression]:
    """Six counts from 0 to 9, four flags, a job in five columns where `joint`, and a linear model."""
    rng = np.random.default_rng(0)
    counts = {f"count_{j}": rng.integers(0, LEVELS, people) for j in range(6)}
    flags = {f"flag_{j}": rng.integers(0, 2, people) for j in range(4)}
    job = rng.integers(0, JOBS, people)
    hot = {f"job_{k}": (job == k).astype(int) for k in range(JOBS)} if joint else {}
    X = pd.DataFrame({**counts, **flags, **hot}).astype(float)
    features = [Feature(n, "int", 0, LEVELS - 1) if n in counts else Feature(n, "bool") for n in X.columns]
    space = ActionSpace(features, [OneHot(list(hot))] if joint else [])
    model = LogisticRegression()
    model.coef_ = rng.normal(size=(1, X.shape[1]))
    model.intercept_ = -np.quantile(X.to_numpy() @ model.coef_[0], [0.6])
    model.classes_ = np.array([0, 1])
    model.n_features_in_, model.feature_names_in_ = X.shape[1], X.columns.to_numpy(object)
    return X, space, model
