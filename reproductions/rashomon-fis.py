"""Exploring the cloud of feature interaction scores in a Rashomon set (ICLR 2024, arXiv 2305.10181).

A product that a network has to learn, the recidivism data in the paper's coding, and data without anything to find.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from reproductions.claims import Claim
from salience.data.datasets import load
from salience.measures.sensitivity import permutation_effects
from salience.tabular import RashomonExplorer, fis

Floats = NDArray[np.float64]


def exact(frozen: dict[str, Any]) -> list[Claim]:
    """Closed forms: interactions are minus twice their variance, correlation adds to them."""
    wanted = frozen["exact"]
    X = np.random.default_rng(0).normal(size=(wanted["rows"], 3))
    cases = {
        "x1 x2": (lambda Z: Z[:, 0] * Z[:, 1], -2.0),
        "x1 + x2": (lambda Z: Z[:, 0] + Z[:, 1], 0.0),
        "x1 + x2 + x1 x2": (lambda Z: Z[:, 0] + Z[:, 1] + Z[:, 0] * Z[:, 1], -2.0),
        "x1 x2 x3": (lambda Z: Z[:, 0] * Z[:, 1] * Z[:, 2], -2.0),
    }
    claims = []
    for name, (f, value) in cases.items():
        found = permutation_effects(f, X, f(X), [(0, 1)], shuffles=wanted["shuffles"]).interaction[0]
        tolerance = wanted["tolerance"]
        claims.append(Claim.check(f"FIS of the first pair of {name}, standard normals", f"{value:g} +- {tolerance}",
                                  f"{found:.3f}", abs(found - value) <= tolerance))  # fmt: skip
    Z = np.column_stack([X[:, 0], 0.8 * X[:, 0] + 0.6 * X[:, 1]])
    for kind, value in zip(("independent", "joint"), wanted["correlated"], strict=True):
        found = permutation_effects(
            lambda Z: Z.sum(axis=1), Z, Z.sum(axis=1), [(0, 1)], shuffles=wanted["shuffles"], permutation=kind
        ).interaction[0]
        claims.append(Claim.check(f"x1 + x2 with correlation .8, {kind} shuffles", f"{value:g} +- {wanted['tolerance']}",
                                  f"{found:.3f}", abs(found - value) <= wanted["tolerance"]))  # fmt: skip
    return claims


def synthetic(frozen: dict[str, Any]) -> list[Claim]:
    """A network underrates the product; the cloud contains its true strength."""
    wanted = frozen["synthetic"]
    found = [_synthetic(wanted, seed) for seed in frozen["seeds"]]
    own, others, ratio, contains, within, inside, missed, truth, sampled = (
        np.array(v) for v in zip(*found, strict=True)
    )
    low, high = wanted["reference_fis"]
    rows = (f"of the rows, not of the model: on them the true function itself scores {truth.min():.2f} to {truth.max():.2f}, "
            "with a standard error of .16 to .21")  # fmt: skip
    return [
        Claim.mean("FIS of the product in the network", own, least=low, most=high),
        Claim.mean("largest |FIS| of the other 14 pairs", others, most=wanted["other_pairs_most"]),
        Claim.mean("range of the cloud of the product, against the median range", ratio, least=wanted["range_times"]),
        Claim.check(f"the cloud contains the population's {wanted['population']:g}", "in every seed",
                    f"in {contains.mean():.0%}; that of the models inside the set alone in {within.mean():.0%}",
                    bool(contains.all()), rows),
        Claim.check("asked after the first run: it contains the score of the true function on the same rows", "in every seed",
                    f"in {sampled.mean():.0%}", bool(sampled.all())),
        Claim.check("which the reference misses by two standard errors", "in every seed", f"in {missed.mean():.0%}",
                    bool(missed.all()), rows),
        Claim.mean("share of joint models inside the set", inside, least=wanted["in_set"][0], most=wanted["in_set"][1]),
    ]  # fmt: skip


def _synthetic(wanted: dict[str, Any], seed: int) -> tuple[float, ...]:
    X, y, model = _planted(wanted, seed, seed)
    explorer = _explorer(model, wanted).fit(X, y)
    frame = explorer.scores_.frame
    product = frame.filter((pl.col("a") == "x0") & (pl.col("b") == "x1")).row(0, named=True)
    rest = frame.filter(~((pl.col("a") == "x0") & (pl.col("b") == "x1")))
    whole = wanted["population"]
    truth = fis(
        lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2], X, y, [("x0", "x1")], shuffles=wanted["shuffles"]
    ).values[0]
    return (
        product["value"], rest["value"].abs().max(), product["range"] / rest["range"].median(),
        product["lo"] <= whole <= product["hi"], product["in_set_lo"] <= whole <= product["in_set_hi"],
        frame["in_set"].mean(), abs(product["value"] - whole) > 2 * product["se"], truth,
        product["lo"] <= truth <= product["hi"],
    )  # fmt: skip


def _planted(wanted: dict[str, Any], seed: int, start: int) -> tuple[Floats, Floats, MLPRegressor]:
    rng = np.random.default_rng(seed)
    train, rows = wanted["train_rows"], wanted["rows"]
    X = rng.normal(size=(train + rows, wanted["features"]))
    y = X[:, 0] * X[:, 1] + X[:, 2] + wanted["noise"] * rng.normal(size=len(X))
    model = MLPRegressor(
        hidden_layer_sizes=wanted["hidden"], max_iter=wanted["iterations"], random_state=start
    )
    return X[train:], y[train:], _quietly(model, X[:train], y[:train])


def _quietly(model: Any, X: Floats, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def _explorer(model: Any, wanted: dict[str, Any], **more: Any) -> RashomonExplorer:
    warnings.filterwarnings("ignore", message=".*outside the Rashomon set")
    names = ("epsilon_rate", "delta", "shuffles")
    return RashomonExplorer(model, **{name: wanted[name] for name in names if name in wanted}, **more)


def coverage(frozen: dict[str, Any]) -> list[Claim]:
    """Masks reach further than training again with other seeds."""
    wanted = {**frozen["synthetic"], **frozen["coverage"]}
    X, y, reference = _planted(wanted, 0, 0)
    again = [_planted(wanted, 0, 1 + seed)[2] for seed in range(wanted["retrained"])]
    masks = _explorer(reference, wanted).fit(X, y)
    seeds = _explorer(reference, wanted, models=[reference, *again]).fit(X, y)
    members = int(seeds.samples_["in_set"].sum())
    ranges = [one.scores_.frame["range"].to_numpy() for one in (masks, seeds)]
    noise = np.mean([r < masks.scores_.frame["se"].to_numpy() for r in ranges], axis=0)
    wider = ranges[0] >= ranges[1]
    claim = f"cloud by masks at least as wide as over retrained networks in the set ({members} with the reference)"
    if members < wanted["least_members"]:
        return [Claim(claim, f"> {wanted['share']:.0%} of pairs", "too few of them", "undecided")]
    return [Claim.check(claim, f"> {wanted['share']:.0%} of pairs", f"{wider.mean():.0%} of {len(wider)}; the product (first "
                        f"pair): {ranges[0][0]:.3f} against {ranges[1][0]:.3f}, the others at the median: "
                        f"{np.median(ranges[0][1:]):.3f} against {np.median(ranges[1][1:]):.3f}",
                        bool(wider.mean() > wanted["share"]),
                        f"{(noise[1:] == 1).sum()} of the other 14 ranges are below the standard error on both sides: the "
                        "share of pairs is one of pairs without an interaction")]  # fmt: skip


def compas(frozen: dict[str, Any]) -> list[Claim]:
    """Recidivism: equally accurate models differ in their interactions."""
    wanted = frozen["compas"]
    frame = load("compas")
    ratios, wider = [], []
    for seed in frozen["seeds"]:
        mixed = frame.sample(fraction=1.0, shuffle=True, seed=seed)
        X, y = mixed[:, :-1], mixed[:, -1].to_numpy()
        train, rows = wanted["train_rows"], wanted["rows"]
        model = MLPClassifier(
            hidden_layer_sizes=wanted["hidden"], max_iter=wanted["iterations"], random_state=seed
        )
        _quietly(model, X[:train].to_numpy().astype(float), y[:train])
        held = X[train : train + rows].to_numpy().astype(float)
        found = _explorer(model, wanted, screen_shuffles=3, top=20).fit(held, y[train : train + rows])
        spans = found.scores_.frame["range"]
        ratios.append(float(spans.max() / spans.median()))
        top = found.scores_.frame.sort("range", descending=True).head(10)
        wider.append(float((top["range"] > top["value"].abs()).mean()))
    return [
        Claim.mean(
            "widest range of an interaction against the median one", ratios, least=wanted["different_times"]
        ),
        Claim.mean(
            "share of the ten widest clouds that are wider than the reference's own score", wider, least=0.5
        ),
    ]


def controls(frozen: dict[str, Any]) -> list[Claim]:
    """Nothing is found where nothing is."""
    wanted, planted = frozen["controls"], frozen["synthetic"]
    beyond = []
    for draw in range(wanted["draws"]):
        rng = np.random.default_rng(1000 + draw)
        X = rng.normal(size=(wanted["rows"], planted["features"]))
        y = rng.permutation(X[:, 0] * X[:, 1] + X[:, 2])
        found = fis(lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2] + Z[:, 3] * Z[:, 4], X, y, shuffles=planted["shuffles"],
                    random_state=draw).frame  # fmt: skip
        beyond.append(float((found["value"].abs() > 2 * found["se"]).mean()))
    X, y, model = _planted(planted, 0, 0)
    tiny = _explorer(model, {**planted}, epsilon=wanted["tiny"]).fit(X, y).scores_.frame
    w = np.array([1.0, -0.5, 0.5, 0.25, -1.0, 2.0])
    noise = np.random.default_rng(0).normal(size=len(X))
    best = _explorer(LinearRegression().fit(X, y), planted, epsilon=wanted["tiny"]).fit(X, y).scores_.frame
    plain = _explorer(lambda Z: Z @ w, planted).fit(X, X @ w + noise)
    far = np.array(
        [_farthest(plain, pair, X, X @ w + noise, planted["shuffles"]) for pair in plain.scores_.items]
    )
    share, collapsed = (float((one["range"] / one["se"]).max()) for one in (tiny, best))
    return [
        Claim.check("permuted target: pairs beyond 2 standard errors", f"<= {wanted['beyond_most']:.0%}",
                    f"{np.mean(beyond):.1%} of {wanted['draws'] * 15}", float(np.mean(beyond)) <= wanted["beyond_most"],
                    control=True),
        Claim.check("tolerance of 1e-9: the widest range, in standard errors", "<= 1", f"{share:.2f}", share <= 1,
                    "the network is not the best of its masks on held-out rows: from there the loss falls, and its way back up "
                    "to L* ends at another model, which is in the set at any tolerance", control=True),
        Claim.check("the same of least squares on these rows, which no mask improves (asked after the first run)", "<= 1",
                    f"{collapsed:.1g}", collapsed <= 1, control=True),
        Claim.check("additive model: clouds that reach beyond 3 standard errors of their farthest members", "none",
                    f"{(far > 3).sum()} of {len(far)}; farthest {far.max():.2f}", bool((far <= 3).all()), control=True),
    ]  # fmt: skip


def _farthest(explorer: RashomonExplorer, pair: Any, X: Floats, y: Floats, shuffles: int) -> float:
    """How far from 0 the ends of a cloud are, each in the standard error of its own model: masks scale that too."""
    own = explorer.interaction_cloud_.filter((pl.col("a") == pair[0]) & (pl.col("b") == pair[1])).sort("fis")
    found = []
    for member in (own.row(0, named=True), own.row(-1, named=True)):
        masks = {pair[0]: member["m_a"], pair[1]: member["m_b"]}
        scores = fis(partial(explorer.masked_predict, masks), X, y, [pair], shuffles=shuffles)
        found.append(abs(scores.values[0]) / scores.frame["se"][0])
    return float(max(found))


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "exact": exact,
    "synthetic": synthetic,
    "coverage": coverage,
    "compas": compas,
    "controls": controls,
}
