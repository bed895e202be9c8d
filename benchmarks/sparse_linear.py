"""Against skglm 0.5 on whole paths, and nonconvexAG 1.1.6 on one fit; the schedules of the paper by their iterations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.harness import Row, Settings, attempt, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.measures.optimize import ag_nonconvex, largest_eigenvalue, prox_ncg, proximal_gradient
from salience.measures.penalties import L1, MCP, SCAD
from salience.tabular.sparse_linear.columns import standardized
from salience.tabular.sparse_linear.losses import Squared
from salience.tabular.sparse_linear.path import SparsePath, fit_path, largest_lambda

SKGLM = ("skglm==0.5",)
NONCONVEXAG = (
    "nonconvexAG==1.1.6",
    "numpy<2",
    "numba",
    "scipy",
    "multiprocess",
)  # which it needs and does not ask for
PENALTIES = {"scad": SCAD(1.0), "mcp": MCP(1.0), "l1": L1(1.0)}
# rows, columns, true columns, correlation of neighbours, last lambda over the largest
DESIGNS = {
    "few of many columns": (500, 5000, 20, 0.1, 0.1),
    "correlated columns": (1000, 2000, 50, 0.9, 0.1),
    "many rows, strongly correlated": (2000, 500, 100, 0.95, 0.01),
}
AIM = 0.5  # at most twice the time of skglm


def benchmark(settings: Settings) -> Iterator[Row]:
    """Paths of three designs, then one fit by accelerated gradient, then iterations."""
    yield from attempt("paths of `SparseLinear` against skglm", partial(_paths, settings))
    yield from attempt("`ag_nonconvex` against nonconvexAG", partial(_one_fit, settings))
    yield from attempt("iterations of `ag_nonconvex`", partial(_iterations, settings))


def _paths(settings: Settings) -> Iterator[Row]:
    binaries = peer_environment(settings.cache, "skglm-0.5", SKGLM)
    for design, (n, p, true, rho, last) in DESIGNS.items():
        shrink = 4 if settings.quick else 1
        X, y = planted(n // shrink, p // shrink, true // shrink, rho)
        columns, loss = standardized(X), Squared(y)
        largest = largest_lambda(columns, loss)
        lambdas, tol = largest * np.geomspace(1, last, 50), 1e-6 * largest
        for name, penalty in PENALTIES.items():
            peer = run_peer(
                binaries, "skglm_paths", {"X": X, "y": y, "lambdas": lambdas}, name, str(tol), str(settings.runs),
                threads=settings.threads,
            )  # fmt: skip
            own, path = _ours(X, loss, penalty, lambdas, tol, settings.runs)
            theirs = [
                loss.value(X @ b) + dataclasses.replace(penalty, lam=lam).value(b)
                for b, lam in zip(np.asarray(peer["coef"]), lambdas, strict=True)
            ]
            apart = path.objective - np.array(theirs)
            convex = np.cumprod(path.locally_convex).astype(bool)
            # Several minima may satisfy the same conditions where the penalty is not convex, so both sides are held to
            # those; L1 has one minimum, and there the objectives must agree.
            gap = max(path.kkt_gap.max(), peer["gap"])
            equal = gap < 1e-6 and (name != "l1" or np.abs(apart).max() < 1e-6)
            yield Row(
                f"path of 50 lambdas, {name}, {design}: {X.shape[0]} x {X.shape[1]}",
                own, peer["seconds"], "s", f">= {AIM:g}x", bool(equal and peer["seconds"] >= AIM * own),
                f"both stationary to {gap:.1g}; objectives equal to {np.abs(apart[convex]).max():.1g} while ours is locally "
                f"convex ({convex.sum()} lambdas)",
                f"ours less theirs beyond: {apart[~convex].min(initial=0):.1g} to {apart[~convex].max(initial=0):.1g}; "
                "ours standardises too",
            )  # fmt: skip


def _ours(
    X: np.ndarray, loss: Squared, penalty: L1, lambdas: np.ndarray, tol: float, runs: int
) -> tuple[float, SparsePath]:
    def run() -> SparsePath:
        return fit_path(standardized(X), loss, penalty, lambdas, tol=tol)

    path = run()
    return float(np.median([seconds(run) for _ in range(runs)])), path


def _one_fit(settings: Settings) -> Iterator[Row]:
    binaries = peer_environment(settings.cache, "nonconvexAG-1.1.6", NONCONVEXAG)
    X, y = planted(400, 1000, 10, 0.5)
    columns, loss = standardized(X), Squared(y)
    lam = 0.5 * largest_lambda(columns, loss)
    for name in ("scad", "mcp"):
        penalty = dataclasses.replace(PENALTIES[name], lam=lam)
        peer = run_peer(
            binaries, "nonconvexag_fit", {"X": X, "y": y}, name, str(lam), "1e-4", str(settings.runs),
            threads=settings.threads,
        )  # fmt: skip
        path = fit_path(columns, loss, penalty, np.array([lam]), solver="ag", screen=False)
        own = np.median(
            [
                seconds(
                    lambda at=penalty: fit_path(columns, loss, at, np.array([lam]), solver="ag", screen=False)
                )
                for _ in range(settings.runs)
            ]
        )
        theirs = loss.value(X @ np.asarray(peer["coef"])) + penalty.value(peer["coef"])
        apart = abs(float(path.objective[0]) - theirs)
        yield Row(
            f"one {name} fit by accelerated gradient from zero, 400 x 1000, no screening", float(own), peer["seconds"],
            "s", "-", None, f"objectives equal to {apart:.1g}",
            f"{path.n_iter[0]} and {peer['iterations']} iterations; at 501 the peer ran out before its own rule",
        )  # fmt: skip


def _iterations(settings: Settings) -> Iterator[Row]:
    """Gradients until within 1e-3 of the final descent."""
    for rho in (0.1, 0.5, 0.9):
        X, y = planted(200, 600, 10, rho)
        n = len(y)
        penalty = SCAD(np.abs(X.T @ y).max() / n / 2)
        lipschitz = max(largest_eigenvalue(X), penalty.curvature)
        problem = (
            lambda b, X=X, y=y, at=penalty: float(np.sum((y - X @ b) ** 2)) / (2 * len(y)) + at.concave(b),
            lambda b, X=X, y=y, at=penalty: X.T @ (X @ b - y) / len(y) + at.concave_gradient(b),
            penalty.l1_prox,
            np.zeros(X.shape[1]),
        )
        rule = {"h": penalty.l1, "max_iter": 3000}
        runs = {
            "original": ag_nonconvex(*problem, lipschitz=lipschitz, schedule="original", tol=1e-12, **rule),
            "plain": proximal_gradient(*problem, lipschitz=lipschitz, tol=1e-12, **rule),
            "conjugate": prox_ncg(*problem, step=0.99 / lipschitz, tol=1e-9, **rule),
        }
        own = ag_nonconvex(*problem, lipschitz=lipschitz, tol=1e-12, **rule)
        needed = {name: _gradients(run) for name, run in {"proposed": own, **runs}.items()}
        ends = [run.history.min() for run in (own, *runs.values())]
        for name in runs:
            yield Row(
                f"gradients of `ag_nonconvex` against {name} at correlation {rho}, SCAD, 200 x 600",
                needed["proposed"], needed[name], "", "-", None, f"objectives equal to {max(ends) - min(ends):.1g}",
            )  # fmt: skip


def _gradients(run: object) -> float:
    best = np.minimum.accumulate(run.history)  # type: ignore[attr-defined]
    return float(run.gradients[np.argmax(best - best[-1] <= 1e-3 * (best[0] - best[-1]))])  # type: ignore[attr-defined]


def planted(n: int, p: int, true: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Standardised autoregressive columns, and an outcome of some of them at a signal-to-noise of 3."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    beta = np.zeros(p)
    beta[rng.choice(p, true, replace=False)] = rng.choice([-1.0, 1.0], true)
    signal = X @ beta
    y = signal + rng.normal(size=n) * signal.std() / np.sqrt(3)
    return np.asfortranarray((X - X.mean(0)) / X.std(0)), (y - y.mean()) / y.std()
