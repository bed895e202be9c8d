"""Scalable Graph Attention-based Instance Selection, GAIS (arXiv 2502.20293)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from benchmarks.gais import PEER
from benchmarks.peer_environment import peer_environment, run_peer
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split

from reproductions import carriers
from reproductions.claims import Claim
from salience.instances import GraphAttentionSelector
from salience.verify import compare_row_selectors

SETS: dict[str, Callable[..., Any]] = {
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
    "wine": load_wine,
}
REFUSED = 0.9  # a smaller mean reduction has a split in which all rows were kept
HASHED = ("lsh", "lsh-multilevel", "lsh-multiview")
LOST = "rows from the middle of the classes say little about where they end; random rows lose as much at this reduction"

MORE = "it keeps more rows"


class LeastConfident(GraphAttentionSelector):
    """The control: of each class the rows whose label the network believes least."""

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        frame = self.scores_.frame
        place = pl.col("confidence").rank("ordinal").over("class")
        count = pl.col("kept").sum().over("class")
        kept = frame.select(place <= count).to_series().to_numpy()
        return np.flatnonzero(kept) if indices else kept


# ---------------------------------------------------------------------------------------------------- noise
def noise(frozen: dict[str, Any]) -> list[Claim]:
    """A fifth of the labels is wrong."""
    wanted = frozen["noise"]
    claims = []
    for name in wanted["sets"]:
        X, y = SETS[name](return_X_y=True)
        tables = [
            _compared(frozen, X, y, seed, {"gais": {}, "attention": {"score_by": "attention"}}, _wrong(y, wanted["share"], seed))
            for seed in frozen["seeds"]
        ]  # fmt: skip
        ours, alone, random, full = (
            partial(_values, tables, selector) for selector in ("gais", "attention", "random", "all rows")
        )
        seen = (
            f"{_said(tables, 'gais')}, random {_said(tables, 'random')}, all rows {_said(tables, 'all rows')}"
        )
        claims += [
            Claim.mean(f"{name}, 20 % wrong labels: 1-NN above random rows (1-NN/SVM: {seen})",
                       ours() - random(), least=wanted["over_random"]),
            Claim.mean(f"{name}: 1-NN above all rows, which is label filtering", ours() - full(),
                       least=wanted["over_all"]),
            Claim.mean(f"{name}: wrong labels among the kept (random {random('wrong').mean():.2f})",
                       ours("wrong"), most=wanted["kept_noise"]),
            Claim.mean(f"{name}: attention alone, 1-NN above random rows", alone() - random(),
                       most=wanted["attention_over_random"], control=True),
            Claim.mean(f"{name}: attention alone, wrong labels among the kept", alone("wrong"),
                       least=wanted["attention_noise"], control=True),
        ]  # fmt: skip
    return claims


# ---------------------------------------------------------------------------------------------------- clean
def clean(frozen: dict[str, Any]) -> list[Claim]:
    """Right labels: nothing to filter, so something is lost."""
    wanted = frozen["clean"]
    claims = []
    for name in wanted["sets"]:
        X, y = SETS[name](return_X_y=True)
        graphs = {graph: {"graph": graph} for graph in HASHED}
        tables = [
            _compared(frozen, X, y, seed, {"gais": {}, "low": {}, **graphs}) for seed in frozen["seeds"]
        ]
        ours, random, full = (
            partial(_values, tables, selector) for selector in ("gais", "random", "all rows")
        )
        seen = (
            f"{_said(tables, 'gais')}, random {_said(tables, 'random')}, all rows {_said(tables, 'all rows')}"
        )
        claims += [
            Claim.mean(f"{name}, right labels: 1-NN above random rows (1-NN/SVM: {seen})", ours() - random(),
                       least=wanted["over_random"]),
            *(Claim.mean(f"{name}: accuracy is kept at 96 % reduction, {judge}",
                         ours(judge=judge) - full(judge=judge), least=wanted["kept"], why=LOST)
              for judge in ("1-NN", "RBF-SVM")),
            *(Claim.mean(f"{name}: 1-NN of {graph} above that of minibatch",
                         _values(tables, graph) - ours(), least=wanted["hashed"]) for graph in HASHED),
            Claim.mean(f"{name}: least confident rows, 1-NN above random rows",
                       _values(tables, "low") - random(), most=wanted["low_confidence"], control=True),
        ]  # fmt: skip
    return claims


# ---------------------------------------------------------------------------------------------------- peers
class Peer:
    """A selector of imbalanced-learn, in an environment of its own."""

    def __init__(self, selector: str) -> None:
        self.selector = selector

    def fit_resample(self, X: NDArray[np.float64], y: NDArray[Any]) -> None:
        """Only says which rows it keeps."""
        binaries = peer_environment(
            Path(tempfile.gettempdir()) / "salience-peers", "imbalanced-learn-0.14.2", PEER
        )
        found = run_peer(binaries, "imbalanced_learn_rows", {"X": X, "y": y}, self.selector, threads=1)
        self.sample_indices_ = np.array(found["rows"])


def peers(frozen: dict[str, Any]) -> list[Claim]:
    """Right labels, beside the selectors that the paper says it equals or beats."""
    wanted = frozen["peers"]
    claims = []
    for name in wanted["sets"]:
        X, y = SETS[name](return_X_y=True)
        tables = [
            _compared(frozen, X, y, seed, {"gais": {}}, others={peer: Peer(peer) for peer in wanted["selectors"]})
            for seed in frozen["seeds"]
        ]  # fmt: skip

        def said(selector: str, tables: list[pl.DataFrame] = tables) -> str:
            accuracy, reduction = (
                _values(tables, selector, column).mean() for column in ("accuracy", "reduction")
            )
            return f"{accuracy:.2f} at {reduction:.0%}"

        def above(selector: str, column: str, tables: list[pl.DataFrame] = tables) -> NDArray[np.float64]:
            return _values(tables, "gais", column) - _values(tables, selector, column)

        for peer in wanted["selectors"]:
            claims += [
                Claim.mean(f"{name}: accuracy times reduction above that of {peer} ({said('gais')}, theirs {said(peer)})",
                           above(peer, "effectiveness"), least=wanted["effectiveness"]),
                Claim.mean(f"{name}: 1-NN above that of {peer}", above(peer, "accuracy"), least=wanted["kept"], why=MORE),
            ]  # fmt: skip
        claims.append(
            Claim.mean(f"{name}: accuracy times reduction of random rows above ours ({said('random')})",
                       -above("random", "effectiveness"), least=wanted["random"], control=True)
        )  # fmt: skip
    return claims


# -------------------------------------------------------------------------------------------------- refusal
def refusal(frozen: dict[str, Any]) -> list[Claim]:
    """Labels that mean nothing are refused, and copies do not fill the budget."""
    wanted = frozen["refusal"]
    claims = []
    for name in wanted["sets"]:
        X, y = SETS[name](return_X_y=True)
        found = [
            _quiet(GraphAttentionSelector(n_rounds=3, random_state=seed),
                   X, np.random.default_rng(seed).permutation(y))
            for seed in range(wanted["permutations"])
        ]  # fmt: skip
        said = ", ".join(f"{one.val_accuracy_:.2f}" for one in found)
        refused = sum(one.refused_ for one in found)
        claims.append(
            Claim.check(f"{name}: permuted labels are refused", f"{len(found)} of {len(found)}",
                        f"{refused} of {len(found)} (validation {said}, chance {found[0].chance_:.2f})",
                        refused == len(found), control=True)
        )  # fmt: skip
    X, y = load_digits(return_X_y=True)
    copies = np.flatnonzero(y == 0)[: wanted["block"]]
    middle = X[y == 0].mean(axis=0)
    X[copies] = X[y == 0][np.argmin(((X[y == 0] - middle) ** 2).sum(axis=1))]
    shares = {}
    for diverse in (False, True):
        kept = [
            _quiet(
                GraphAttentionSelector(
                    score_by="confidence", diverse=diverse, random_state=seed, rate=frozen["rate"]
                ),
                X,
                y,
            ).support_
            for seed in frozen["seeds"]
        ]
        shares[diverse] = [float(mask[copies].sum() / mask[y == 0].sum()) for mask in kept]
    claims.append(
        Claim.mean(f"digits by confidence: copies of one row among kept zeros, diverse (without: {np.mean(shares[False]):.2f})",
                   shares[True], most=wanted["block_most"], control=True)
    )  # fmt: skip
    return claims


# ----------------------------------------------------------------------------------------------------- keel
def keel(frozen: dict[str, Any]) -> list[Claim]:
    """All balanced sets of KEEL: what is left at 96 % reduction."""
    wanted = frozen["keel"]
    claims, above, lost, reached = [], [], [], 0
    for name in wanted["sets"]:
        X, y = _encoded(name, wanted["rows"])
        found = _compared({**frozen, **wanted}, X, y, 0, {"gais": {}})
        ours, random, full = (
            {row["estimator"]: row for row in found.filter(selector=selector).iter_rows(named=True)}
            for selector in ("gais", "random", "all rows")
        )
        reduction = ours["1-NN"]["reduction"]
        gap = ours["1-NN"]["accuracy"] - full["1-NN"]["accuracy"]
        said = "; ".join(
            f"{judge} {ours[judge]['accuracy']:.2f}, random {random[judge]['accuracy']:.2f}, all {full[judge]['accuracy']:.2f}"
            for judge in ours
        )
        claims.append(
            Claim.check(f"keel {name}, {len(y)} x {X.shape[1]}: 1-NN keeps its accuracy",
                        f">= all rows {wanted['kept']:+.2f}, reduction >= {wanted['reduction']:.0%}",
                        f"{said}; reduction {reduction:.1%}",
                        gap >= wanted["kept"] and reduction >= wanted["reduction"], _why(reduction, wanted["reduction"]))
        )  # fmt: skip
        if reduction > REFUSED:
            above.append(ours["1-NN"]["accuracy"] - random["1-NN"]["accuracy"])
            lost.append(gap)
        reached += reduction >= wanted["reduction"]
    count = len(wanted["sets"])
    return [
        Claim.mean(f"keel: 1-NN above random rows, mean over the {len(above)} sets that were not refused", above,
                   least=wanted["over_random"]),
        Claim.mean(f"keel: 1-NN above all rows, mean over the same (reduction of 96 % in {reached} of {count})", lost,
                   least=wanted["kept"], why=LOST),
        *claims,
    ]  # fmt: skip


def _why(reduction: float, wanted: float) -> str:
    if reduction < REFUSED:
        return (
            "refused in some of the splits: the network is not .1 better than guessing, and all rows are kept"
        )
    return LOST if reduction >= wanted else "rounding up in each class keeps more than 4 %"


def _encoded(name: str, most: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Text as one column per value where it is no number, rows with a class, and at most so many of them."""
    frame = carriers.keel(name).drop_nulls()
    numbers = [
        column.cast(pl.Float64, strict=False) if column.dtype == pl.String else column
        for column in frame.drop("target")
    ]
    table = pl.DataFrame(
        [
            text if number.null_count() else number
            for number, text in zip(numbers, frame.drop("target"), strict=True)
        ]
    )
    X, y = table.to_dummies(cs.string()).to_numpy().astype(np.float64), frame["target"].to_numpy()
    if len(y) > most:
        X, _, y, _ = train_test_split(X, y, train_size=most, stratify=y, random_state=0)
    return X, y


def _compared(
    frozen: Mapping[str, Any], X: Any, y: Any, seed: int, selectors: Mapping[str, dict[str, Any]], given: Any = None,
    others: Mapping[str, Any] | None = None,
) -> pl.DataFrame:  # fmt: skip
    made: dict[str, Any] = {
        name: (LeastConfident if name == "low" else GraphAttentionSelector)(**params)
        for name, params in selectors.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a refusal shows in the reduction
        return compare_row_selectors(
            {**made, **(others or {})},
            X,
            y,
            rates=(frozen["rate"],),
            splits=frozen["splits"],
            given=given,
            random_state=seed,
        )


def _values(
    tables: list[pl.DataFrame], selector: str, column: str = "accuracy", judge: str = "1-NN"
) -> NDArray[np.float64]:
    """One number per seed."""
    return np.array([table.filter(selector=selector, estimator=judge)[column].item() for table in tables])


def _said(tables: list[pl.DataFrame], selector: str) -> str:
    return "/".join(
        f"{_values(tables, selector, judge=judge).mean():.2f}".lstrip("0") for judge in ("1-NN", "RBF-SVM")
    )


def _wrong(y: NDArray[Any], share: float, seed: int) -> NDArray[Any]:
    """Labels of which a share is drawn from the other classes."""
    rng = np.random.default_rng(seed + 100)
    classes = int(y.max()) + 1
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, classes, len(y))) % classes, y)


def _quiet(selector: GraphAttentionSelector, X: Any, y: Any) -> GraphAttentionSelector:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return selector.fit(X, y)


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "noise": noise,
    "clean": clean,
    "peers": peers,
    "refusal": refusal,
    "keel": keel,
}
