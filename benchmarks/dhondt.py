"""Against dhondtxai 0.9.5.6 on 100 rows x 30 columns, and against apportionment 1.0 for the seats alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import apportionment.methods as apportionment
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from benchmarks.harness import Row, Settings, paired, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.measures.apportion import dhondt
from salience.tabular import DhondtExplainer

AIM = 3.0
CLOSE = 1e-9
EXPLAINED, BACKGROUND = 100, 100


def benchmark(settings: Settings) -> Iterator[Row]:
    """The explainer on two models, with and without automatic alliances; then the allocation."""
    import sklearn

    environment = peer_environment(
        settings.cache, "dhondtxai-0.9.5.6", ("dhondtxai==0.9.5.6", f"scikit-learn=={sklearn.__version__}")
    )
    rng = np.random.default_rng(0)
    data = load_breast_cancer()
    X = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    order = rng.permutation(len(X))
    payload = {
        "X": X[order[:EXPLAINED]],
        "background": X[order[EXPLAINED : EXPLAINED + BACKGROUND]],
        "train": X[order[EXPLAINED:]],
        "y": data.target[order[EXPLAINED:]],
        "W": rng.normal(size=(X.shape[1], 8)) / 3,
        "v": rng.normal(size=8),
    }
    for model, alliances in (("network", "none"), ("boosting", "none"), ("network", "auto")):
        theirs = run_peer(
            environment, "dhondtxai", payload, model, alliances, str(settings.runs), threads=settings.threads
        )
        explain = partial(_explained, MODELS[model](payload), payload, alliances)
        found = explain()
        ours = median(seconds(explain) for _ in range(settings.runs))
        gap = float(np.abs(found - np.array(theirs["values"])).max())
        case = f"{EXPLAINED} rows x 30 columns, {model}, alliances {alliances}"
        yield Row(
            f"`DhondtExplainer` against `dhondtxai`, {case}",
            ours, theirs["seconds"], "s", f">= {AIM:g}x", gap <= CLOSE and theirs["seconds"] >= AIM * ours,
            f"values and residuals equal to {gap:.1g}",
            f"the same {BACKGROUND} background rows; peer peak {theirs['peak_bytes'] / 2**20:.0f} MiB",
        )  # fmt: skip
    votes = np.floor(1e6 * rng.pareto(1.2, 1000))
    seats = 20_000
    equal = dhondt(votes, seats).tolist() == _apportionment(votes, seats)
    ours, peer = paired(partial(dhondt, votes, seats), partial(_apportionment, votes, seats), settings.runs)
    yield Row(
        "`dhondt` against `apportionment` 1.0, 1,000 parties, 20,000 seats", ours, peer, "s", "-", None,
        "the same seats" if equal else "NOT the same seats",
    )  # fmt: skip


def _explained(model: Any, payload: dict[str, np.ndarray], alliances: str) -> np.ndarray:
    explainer = DhondtExplainer(
        model, payload["background"], **({} if callable(model) else {"output": "decision"})
    )
    found = explainer.explain(payload["X"], alliances=alliances, rho=0.1)
    left = found.residuals.get("__projection_residual__", np.zeros(len(found)))
    return np.column_stack([found.values, left])


def _apportionment(votes: np.ndarray, seats: int) -> list[int]:
    parties = [
        str(i) for i in range(len(votes))
    ]  # without names it has letters, and 1,000 parties run out of them
    return apportionment.compute("dhondt", votes.tolist(), seats, parties=parties, verbose=False)


def small_network(payload: dict[str, np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """A function that costs next to nothing, so that the method itself is measured."""
    W, v = payload["W"], payload["v"]
    return lambda table: np.tanh(table @ W) @ v


def gradient_boosting(payload: dict[str, np.ndarray]) -> GradientBoostingClassifier:
    """A model that takes most of the time on both sides."""
    return GradientBoostingClassifier(random_state=0).fit(payload["train"], payload["y"])


MODELS = {"network": small_network, "boosting": gradient_boosting}
