"""Exploring the cloud of feature interaction scores in a Rashomon set (ICLR 2024, arXiv 2305.10181).

A product that a network has to learn, the recidivism data in the paper's coding, and data without anything to find.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
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
    own, others, ratio, contains, inside, missed = (np.array(v) for v in zip(*found, strict=True))
    low, high = wanted["reference_fis"]
    return [
        Claim.mean("FIS of the product in the network", own, least=low, most=high),
        Claim.mean("largest |FIS| of the other 14 pairs", others, most=wanted["other_pairs_most"]),
        Claim.mean("range of the cloud of the product, against the median range", ratio, least=wanted["range_times"]),
        Claim.check(f"the cloud contains the population's {wanted['population']:g}", "in every seed",
                    f"in {contains.mean():.0%}", bool(contains.all())),
        Claim.check("which the reference misses by two standard errors", "in every seed", f"in {missed.mean():.0%}",
                    bool(missed.all()), "its standard error at 600 rows is about as large as what it misses"),
        Claim.mean("share of joint models inside the set", inside, least=wanted["in_set"][0], most=wanted["in_set"][1]),
    ]  # fmt: skip


def _synthetic(wanted: dict[str, Any], seed: int) -> tuple[float, ...]:
    X, y, model = _planted(wanted, seed, seed)
    explorer = _explorer(model, wanted).fit(X, y)
    frame = explorer.scores_.frame
    product = frame.filter((pl.col("a") == "x0") & (pl.col("b") == "x1")).row(0, named=True)
    rest = frame.filter(~((pl.col("a") == "x0") & (pl.col("b") == "x1")))
    truth = wanted["population"]
    return (
        product["value"], rest["value"].abs().max(), product["range"] / rest["range"].median(),
        product["lo"] <= truth <= product["hi"], frame["in_set"].mean(), abs(product["value"] - truth) > 2 * product["se"],
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
    wider = masks.scores_.frame["range"].to_numpy() >= seeds.scores_.frame["range"].to_numpy()
    claim = f"cloud by masks at least as wide as over retrained networks in the set ({members} with the reference)"
    if members < wanted["least_members"]:
        return [Claim(claim, f"> {wanted['share']:.0%} of pairs", "too few of them", "undecided")]
    return [Claim.check(claim, f"> {wanted['share']:.0%} of pairs", f"{wider.mean():.0%} of {len(wider)}; all models: "
                        f"{float(masks.scores_.frame['range'].median()):.3f} against "
                        f"{float(seeds.scores_.frame['range'].median()):.3f} at the median",
                        bool(wider.mean() > wanted["share"]),
                        "retrained networks differ in what they do to noise columns, which masks can only scale")]  # fmt: skip


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
    plain = _explorer(lambda Z: Z @ w, planted).fit(X, X @ w + noise).scores_.frame
    beyond_plain = float(
        (np.maximum(-plain["lo"].to_numpy(), plain["hi"].to_numpy()) > 3 * plain["se"].to_numpy()).mean()
    )
    share = float((tiny["range"] / tiny["se"]).max())
    return [
        Claim.check("permuted target: pairs beyond 2 standard errors", f"<= {wanted['beyond_most']:.0%}",
                    f"{np.mean(beyond):.1%} of {wanted['draws'] * 15}", float(np.mean(beyond)) <= wanted["beyond_most"],
                    control=True),
        Claim.check("tolerance of 1e-9: the widest range, in standard errors", "<= 1", f"{share:.2f}", share <= 1,
                    "a reference that is not the best of its masks has a mirror that is as good", control=True),
        Claim.check("additive model: clouds that reach beyond 3 standard errors", "none", f"{beyond_plain:.0%}",
                    beyond_plain == 0, control=True),
    ]  # fmt: skip


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "exact": exact,
    "synthetic": synthetic,
    "coverage": coverage,
    "compas": compas,
    "controls": controls,
}
