"""Nested dropout and co-teaching: compressing features for learning with noisy labels (arXiv 2206.13140)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from reproductions import carriers
from reproductions.claims import Claim
from salience.instances import NestedClassifier
from salience.instances.noisy_labels.network import features_of
from salience.networks.threads import threads_that_pay

Rows = NDArray[Any]
CE: dict[str, Any] = {"compression": "none", "coteach": False}
CARRY_NOTHING = "the labels carry nothing"


# ------------------------------------------------------------------------------------------------- noise
def symmetric(y: Rows, share: float, classes: int, rng: np.random.Generator) -> Rows:
    """Labels of which a share is another class, each as likely."""
    noisy = y.copy()
    wrong = rng.choice(len(y), round(share * len(y)), replace=False)
    noisy[wrong] = (y[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return noisy


def by_class(y: Rows, share: float, pairs: list[list[int]], rng: np.random.Generator) -> Rows:
    """Labels of which a share of each first class is its second."""
    noisy = y.copy()
    for one, other in pairs:
        rows = np.flatnonzero(y == one)
        noisy[rng.choice(rows, round(share * len(rows)), replace=False)] = other
    return noisy


# ------------------------------------------------------------------------------------------------- digits
def digits(frozen: dict[str, Any]) -> list[Claim]:
    """The behaviour of the card on digits, last and best epochs, and its controls."""
    wanted, seeds = frozen["digits"], frozen["seeds"]
    sigma, forget = wanted["sigma"], wanted["forget_rate"]
    methods = {
        "CE": CE,
        "dropout 0.3": {**CE, "compression": "dropout", "rate": 0.3},
        "dropout 0.7": {**CE, "compression": "dropout", "rate": 0.7},
        "nested": {"sigma": sigma, "coteach": False},
        "nested + co-teaching": {"sigma": sigma, "forget_rate": forget},
    }
    accuracy: dict[tuple[str, str], list[float]] = {}
    purity, auc, early, random_sets, both = [], [], [], [], []
    clean: dict[str, list[float]] = {}
    said, shuffled = [], []
    for seed in seeds:
        X, y, noisy, (train, test) = _digits(wanted, seed)
        held = (X[test[:200]], y[test[:200]])  # clean labels
        rest = test[200:]
        for name, how in methods.items():
            for keep in ("last", "best"):
                model = _fitted(X[train], noisy[train], how, seed, *held, keep=keep)
                accuracy.setdefault((name, keep), []).append(model.score(X[rest], y[rest]))
                if keep == "last" and name == "nested":
                    early.append(model.acc_curve_[9] / model.acc_curve_.max())
                    random_sets.append(_random_subsets(model, X[rest], y[rest], seed))
                if keep == "last" and name == "nested + co-teaching":
                    right, picked = noisy[train] == y[train], 1 - model.label_error_score_
                    purity.append(float((picked * right).sum() / picked.sum()))
                    auc.append(roc_auc_score(~right, model.label_error_score_))
        # without clean rows: a fifth of the noisy ones is held out and judged
        own = _fitted(X[train], noisy[train], methods["nested + co-teaching"], seed, keep="last")
        both.append(roc_auc_score(noisy[train] != y[train], own.label_error_score_))
        for name in ("CE", "nested", "nested + co-teaching"):
            how = {**methods[name], **({"forget_rate": "auto"} if "co" in name else {})}
            model = _fitted(X[train], y[train], how, seed, *held, keep="last")
            clean.setdefault(name, []).append(model.score(X[rest], y[rest]))
        nothing = np.random.default_rng(seed).permutation(y[train])
        model = _fitted(X[train], nothing, methods["nested"], seed, keep="last")
        shuffled.append(model.score(X[rest], y[rest]))
        said.append(any(CARRY_NOTHING in note for note in model.scores_.meta.warnings))
    last = {name: np.array(accuracy[name, "last"]) for name in methods}
    best = {name: np.array(accuracy[name, "best"]) for name in methods}
    return [
        Claim.mean("digits, 40 % symmetric noise: nested above CE, last epoch", last["nested"] - last["CE"],
                   least=wanted["nested_gain"]),
        Claim.mean("nested + co-teaching above CE, last epoch", last["nested + co-teaching"] - last["CE"],
                   least=wanted["coteach_gain"]),
        Claim.mean("nested + co-teaching, last epoch", last["nested + co-teaching"], least=wanted["coteach_least"]),
        Claim.check("all, last epoch (mean over the seeds)", "ce .64, dropout .3 .77, .7 .81, nested .79, both .92 (seen)",
                    _listed(last), bool((last["CE"] == min(last.values(), key=np.mean)).all())),
        Claim.check("all, best epoch on 200 clean rows", "CE .91 to .92, above nested alone (seen)",
                    _listed(best), bool(best["CE"].mean() >= best["nested"].mean())),
        Claim.mean("CE, best epoch on clean validation rows", best["CE"], least=wanted["best_epoch_ce"]),
        Claim.mean("purity of the rows that were picked (.60 in the data)", purity, least=wanted["purity"]),
        Claim.mean("AUC of the scores of labels against the true flips", auc, least=wanted["auc"]),
        Claim.mean("the same with noisy validation rows, which are judged too", both, least=wanted["auc"]),
        Claim.mean("accuracy with the first 10 features, share of the best", early, least=wanted["early"]),
        Claim.mean("clean labels: nested below CE", np.subtract(clean["CE"], clean["nested"]), most=wanted["clean_loss"],
                   control=True),
        Claim.mean("clean labels: nested + co-teaching below CE, R estimated",
                   np.subtract(clean["CE"], clean["nested + co-teaching"]), most=wanted["clean_loss"], control=True),
        Claim.mean("labels shuffled: accuracy", shuffled, most=wanted["shuffled_accuracy"], control=True),
        Claim.check("labels shuffled: it says that they carry nothing", "in every seed",
                    f"{sum(said)} of {len(said)}", all(said), control=True),
        Claim.mean("random subsets of K* features instead of the first K*", random_sets, most=wanted["collapse"],
                   control=True),
    ]  # fmt: skip


def _digits(wanted: dict[str, Any], seed: int) -> tuple[Rows, Rows, Rows, tuple[Rows, Rows]]:
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    train, test = order[: wanted["learn"]], order[wanted["learn"] :]
    noisy = y.copy()
    noisy[train] = symmetric(y[train], wanted["noise"], 10, rng)
    return X, y, noisy, (train, test)


def _random_subsets(model: NestedClassifier, X: Rows, y: Rows, seed: int) -> float:
    """Mean accuracy of ten random sets of K* features."""
    features = features_of(model.networks_[0], model.scale_(X))
    head = model.networks_[0].W.detach().numpy()
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(10):
        some = rng.choice(len(head), model.k_star_, replace=False)
        found.append(float(((features[:, some] @ head[some]).argmax(1) == y).mean()))
    return float(np.mean(found))


def _listed(accuracy: dict[str, NDArray[np.float64]]) -> str:
    return ", ".join(f"{name} {values.mean():.3f}" for name, values in accuracy.items())


# ------------------------------------------------------------------------------------------------- fashion
def fashion(frozen: dict[str, Any]) -> list[Claim]:
    """Clothes with planted noise, symmetric and by class; cross-validated self-confidence beside it."""
    wanted = frozen["fashion"]
    noises: dict[str, Callable[[Rows, np.random.Generator], Rows]] = {
        "symmetric": lambda y, rng: symmetric(y, wanted["noise"], 10, rng),
        "by class": lambda y, rng: by_class(y, wanted["noise"], wanted["pairs"], rng),
    }
    X, y, X_test, y_test = carriers.fashion_mnist()
    claims = []
    for kind, spoil in noises.items():
        found: dict[str, list[float]] = {}
        for seed in frozen["seeds"]:
            rng = np.random.default_rng(seed)
            rows = rng.choice(len(X), wanted["learn"], replace=False)
            tests = rng.choice(len(X_test), wanted["test"], replace=False)
            truth = y[rows].astype(int)
            noisy = spoil(truth, rng)
            wrong = noisy != truth
            how = {"sigma": wanted["sigma"], "epochs": (40, 20)}
            methods = {
                "CE": {**CE, "epochs": (40, 20)},
                "nested": {**how, "coteach": False},
                "both": {**how, "forget_rate": float(wrong.mean())},
            }
            for name, method in methods.items():
                for rate, keep in ((0.1, "last"), (0.02, "best")):
                    model = _fitted(X[rows], noisy, {**method, "lr": (rate, 0.01)}, seed, keep=keep)
                    found.setdefault(f"{name} {keep}", []).append(model.score(X_test[tests], y_test[tests]))
                    if name == "both":
                        found.setdefault(f"AUC {keep}", []).append(
                            roc_auc_score(wrong, model.label_error_score_)
                        )
            confidence = -_self_confidence(X[rows], noisy, seed)
            found.setdefault("confidence", []).append(roc_auc_score(wrong, confidence))
        claims += _clothes(kind, {name: np.array(values) for name, values in found.items()}, wanted)
    return claims


def _clothes(kind: str, found: dict[str, NDArray[np.float64]], wanted: dict[str, Any]) -> list[Claim]:
    even = kind == "symmetric"
    mean = {name: float(values.mean()) for name, values in found.items()}
    why = "a learning rate of 0.1 is too large for 784 columns; see the last line"
    return [
        Claim.mean(f"Fashion-MNIST, {kind} noise: nested above CE ({mean['CE last']:.3f}), last epoch",
                   found["nested last"] - found["CE last"], least=wanted["nested_gain"], why=why),
        Claim.mean(f"{kind}: nested + co-teaching above CE, last epoch", found["both last"] - found["CE last"],
                   least=wanted["coteach_gain"] if even else wanted["nested_gain"], why=why),
        Claim.mean(f"{kind}: AUC of the scores of labels", found["AUC last"],
                   least=wanted["auc"] if even else wanted["auc_pairs"], why=why),
        Claim.mean(f"{kind}: less that of cross-validated self-confidence, cleanlab's score "
                   f"({mean['confidence']:.3f})", found["AUC last"] - found["confidence"],
                   least=wanted["cleanlab_margin"], why=why),
        Claim.check(f"{kind}: best epoch, learning rate 0.02 (tried after the first run): nested + co-teaching is best",
                    "CE < nested + co-teaching",
                    f"CE {mean['CE best']:.3f}, nested {mean['nested best']:.3f}, both {mean['both best']:.3f}; "
                    f"AUC {mean['AUC best']:.3f}", mean["both best"] > mean["CE best"],
                    "stopping early is the rival: at its best epoch plain CE has not learned the wrong labels yet"),
    ]  # fmt: skip


def _self_confidence(X: Rows, y: Rows, seed: int) -> Rows:
    """Probability of the given label by a network that was trained without the row; the usual cross-validation."""
    found = np.empty(len(X))
    for train, own in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y):
        model = _fitted(X[train], y[train], {**CE, "epochs": (10, 1), "lr": (0.02, 0.01)}, seed, keep="best")
        codes = np.searchsorted(model.classes_, y[own])
        found[own] = model.predict_proba(X[own])[np.arange(len(own)), codes]
    return found


# --------------------------------------------------------------------------------------------------- elpv
def elpv(frozen: dict[str, Any]) -> list[Claim]:
    """Solar cells: labels that an expert was not sure of are to look more suspicious than those that were clear."""
    wanted = frozen["elpv"]
    pictures, probability = carriers.elpv(wanted["side"])
    X, y = pictures[:, None], (probability > 0.5).astype(int)
    unsure = (probability > 0) & (probability < 1)
    auc, accuracy, control = [], [], []
    for seed in frozen["seeds"]:
        how = {"backbone": _convolutions, "epochs": (8, 5), "n_features": 32}
        model = _fitted(X, y, how, seed)
        auc.append(roc_auc_score(unsure, model.label_error_score_))
        accuracy.append(float(model.acc_curve_[model.k_star_ - 1]))
        control.append(
            roc_auc_score(np.random.default_rng(seed).permutation(unsure), model.label_error_score_)
        )
    common = max(y.mean(), 1 - y.mean())
    return [
        Claim.mean(f"elpv: AUC of the scores of labels, the {unsure.sum()} unsure ones against the others",
                   auc, least=wanted["ambiguous_auc"],
                   why=f"validation accuracy {np.mean(accuracy):.3f}, and {common:.3f} by naming the commonest class"),
        Claim.check("the same with the unsure ones permuted", "0.45 to 0.55", f"{np.mean(control):.3f}",
                    abs(np.mean(control) - 0.5) < 0.05, control=True),
    ]  # fmt: skip


def _convolutions() -> torch.nn.Module:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 36, 32), nn.ReLU(),
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------- verdicts
def verdicts(frozen: dict[str, Any]) -> list[Claim]:
    """Real label errors that people judged. The images and texts are not here: the features are the log-probabilities
    of a model, which the self-confidence has as well."""
    wanted = frozen["verdicts"]
    claims = []
    for name in wanted["sets"]:
        found = carriers.label_errors(name)
        given, shown = found["given"].astype(int), found["reviewed"]
        wrong = found["votes"][:, 1:].sum(1) >= wanted["rejected"]  # of five people, who did not take it
        confidence = found["pyx"][np.arange(len(given)), given]
        baseline = roc_auc_score(wrong, -confidence[shown])
        logs = np.log(np.clip(found["pyx"], 1e-6, None))
        auc = []
        for seed in frozen["seeds"]:
            how = {"epochs": (5, 5), "sigma": max(10, found["pyx"].shape[1]), "scale": "standard"}
            model = _fitted(logs, given, how, seed)
            place = model.label_errors_.frame["rank"].to_numpy().astype(float)
            auc.append(roc_auc_score(wrong, -place[shown]))
        claims.append(
            Claim.mean(f"{name}: AUC among the {len(shown)} rows that people were shown, {wrong.sum()} wrong "
                       f"(self-confidence of the model given: {baseline:.3f})", auc, least=wanted["auc"],
                       why="the rows shown are those that the probabilities find most suspicious already")
        )  # fmt: skip
    return claims


# ------------------------------------------------------------------------------------------------- fitting
def _fitted(
    X: Rows, y: Rows, how: dict[str, Any], seed: int, *held: Rows, keep: str = "best"
) -> NestedClassifier:
    made = {"scale": "minmax", "keep": keep, "random_state": seed, **how}
    with warnings.catch_warnings(), threads_that_pay(0):
        warnings.simplefilter("ignore", UserWarning)
        return NestedClassifier(**made).fit(X, y, *held)


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {
    "digits": digits,
    "fashion": fashion,
    "elpv": elpv,
    "verdicts": verdicts,
}
