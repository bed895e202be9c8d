"""Against generalized-rashomon-set 0.2.0: search, main effects and interactions of four models, one thread each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.harness import Row, Settings, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.data.datasets import load
from salience.tabular import RashomonExplorer

AIM = 3.0
CLOSE = 1e-4
COLUMNS, ROWS, TRAIN = 6, 300, 2000  # the peer takes minutes at a thousand rows
EPSILON_RATE, DELTA, SHUFFLES = 0.1, 0.1, 10
MODELS: dict[str, Any] = {  # as in peers/generalized_rashomon.py
    "LogisticRegression": LogisticRegression(),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=200, random_state=0),
    "MLPClassifier": MLPClassifier(hidden_layer_sizes=(32,), max_iter=60, random_state=0),
    "GradientBoostingRegressor": GradientBoostingRegressor(random_state=0),
}


def benchmark(settings: Settings) -> Iterator[Row]:
    """The whole pipeline, and the search alone, of each model."""
    import sklearn

    environment = peer_environment(
        settings.cache,
        "generalized-rashomon-set-0.2.0",
        ("generalized-rashomon-set==0.2.0", f"scikit-learn=={sklearn.__version__}"),
    )
    for name, model in MODELS.items():
        payload = compas() if name == "MLPClassifier" else planted(classes=name == "LogisticRegression")
        theirs = run_peer(
            environment, "generalized_rashomon", payload, name, str(EPSILON_RATE), str(DELTA), str(SHUFFLES), "1",
            threads=1,
        )  # fmt: skip
        model.fit(payload["train"], payload["y_train"])
        explore = partial(explored, model, payload)
        found = explore()
        ours = median(seconds(explore) for _ in range(settings.runs))
        gap = masks_apart(found, theirs)
        size = float(np.abs(found.samples_["m"].to_numpy()).max())
        apart = scores_apart(found, theirs)
        yield Row(
            f"`RashomonExplorer` against `generalized-rashomon-set`, {name}, {payload['X'].shape[1]} features, {ROWS} rows, "
            f"{SHUFFLES} shuffles, 36 models a pair",
            ours, theirs["seconds"], "s", f">= {AIM:g}x", gap <= CLOSE and theirs["seconds"] >= AIM * ours,
            f"all {found.samples_.height} masks equal to {gap:.1g}, up to {size:.3g} in size; interaction scores of the "
            f"reference within {apart:.2f} of their standard errors",
            f"one thread each; the peer's search alone takes {theirs['search']:.2g} s; its peak "
            f"{theirs['peak_bytes'] / 2**20:.0f} MiB",
        )  # fmt: skip


def planted(classes: bool) -> dict[str, np.ndarray]:
    """Six normal columns, a product of two and a third; or classes by their sum."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(TRAIN + ROWS, COLUMNS))
    y = X[:, 0] * X[:, 1] + X[:, 2] + 0.3 * rng.normal(size=len(X))
    if classes:
        y = (X @ [1, -1, 0.5, 0.5, 0.3, 0.2] + rng.logistic(size=len(X)) > 0).astype(np.int64)
    return {"train": X[:TRAIN], "y_train": y[:TRAIN], "X": X[TRAIN:], "y": y[TRAIN:]}


def compas() -> dict[str, np.ndarray]:
    """Eight of the binary columns of COMPAS, which have few combinations of values."""
    frame = load("compas").sample(TRAIN + ROWS, seed=0, shuffle=True)
    X = frame[:, [0, 4, 8, 12, 16, 20, 24, 26]].to_numpy().astype(np.float64)
    y = frame[:, -1].to_numpy().astype(np.int64)
    return {"train": X[:TRAIN], "y_train": y[:TRAIN], "X": X[TRAIN:], "y": y[TRAIN:]}


def explored(model: Any, payload: dict[str, np.ndarray]) -> RashomonExplorer:
    """Our side."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # models outside the set are expected
        explorer = RashomonExplorer(
            model, epsilon_rate=EPSILON_RATE, delta=DELTA, shuffles=SHUFFLES, centre="zero"
        )
        return explorer.fit(payload["X"], payload["y"])


def masks_apart(found: RashomonExplorer, theirs: dict[str, Any]) -> float:
    """The largest distance between masks that belong together; infinite where the features differ."""
    names = [f"x{f}" for f in theirs["features"]]
    samples = found.samples_
    if samples["feature"].unique(maintain_order=True).to_list() != names:
        return float("inf")
    ours = samples["m"].to_numpy().reshape(len(names), 2, -1).transpose(0, 2, 1)
    return float(np.abs(ours - np.array(theirs["masks"])).max())


def scores_apart(found: RashomonExplorer, theirs: dict[str, Any]) -> float:
    """How far reference scores lie apart, in standard errors: the shuffles are not the same."""
    gap = np.abs(found.scores_.values - np.array(theirs["reference"]))
    return float((gap / np.maximum(found.scores_.frame["se"].to_numpy(), 1e-12)).max())
