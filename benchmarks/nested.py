"""Every length of a nested code at once against one masked product per length; wrong labels against cleanlab."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from torch import Tensor

from benchmarks.harness import Row, Settings, paired, seconds
from benchmarks.peer_environment import peer_environment, run_peer
from salience.instances import NestedClassifier
from salience.networks import nested_accuracy

WIDTH = 512  # features of the paper's ResNet-18
SHARE = 0.3  # of the width: how many times faster
CLEANLAB = ("cleanlab==2.9.0",)
NOISE = 0.4
MARGIN = 0.01  # AUC


def benchmark(settings: Settings) -> Iterator[Row]:
    """Evaluation at three sizes, then wrong labels of digits."""
    for rows, classes in ((1000, 10), (5000, 10), (5000, 100)):
        yield _evaluation(settings.scaled(rows), classes, settings)
    yield from _wrong_labels(settings)


def masked_loop(h: Tensor, W: Tensor, y: Tensor) -> NDArray[np.float64]:
    """As the released code evaluates: features times a mask, times the head, for each length."""
    masks = torch.tril(torch.ones(h.shape[1], h.shape[1]))
    right = [int(((h * mask) @ W).argmax(1).eq(y).sum()) for mask in masks]
    return np.array(right) / len(h)


def _evaluation(rows: int, classes: int, settings: Settings) -> Row:
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(rows, WIDTH, generator=generator).relu()
    W = torch.randn(WIDTH, classes, generator=generator)
    y = torch.randint(0, classes, (rows,), generator=generator)
    gap = float(np.abs(nested_accuracy(h, W, y) - masked_loop(h, W, y)).max())
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        own, peer = paired(
            lambda: nested_accuracy(h, W, y), lambda: masked_loop(h, W, y), min(settings.runs, 3)
        )
    finally:
        torch.set_num_threads(before)
    return Row(
        f"`nested_accuracy` against one masked product per length, D = {WIDTH}, {rows} rows, {classes} classes",
        own, peer, "s", f">= {SHARE * WIDTH:.0f}x", peer >= SHARE * WIDTH * own and gap <= 1 / rows,
        f"equal to {gap:.1g}", "one thread each",
    )  # fmt: skip


def _wrong_labels(settings: Settings) -> Iterator[Row]:
    X, y = load_digits(return_X_y=True)
    X = X / 16
    rng = np.random.default_rng(0)
    given = y.copy()
    wrong = rng.choice(len(y), round(NOISE * len(y)), replace=False)
    given[wrong] = (y[wrong] + rng.integers(1, 10, len(wrong))) % 10
    truth = given != y
    peer = run_peer(
        peer_environment(settings.cache, "cleanlab-2.9.0", CLEANLAB), "cleanlab_issues", {"X": X, "y": given}, threads=1
    )  # fmt: skip
    for name, rate in (("R estimated", "auto"), ("R given", NOISE)):
        model = NestedClassifier(scale=None, sigma=10, forget_rate=rate, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            own = seconds(lambda model=model: model.fit(X, given))
        auc = roc_auc_score(truth, model.label_error_score_)
        suspects = model.label_errors_.top(int(truth.sum())).items
        for kind, found in peer.items():
            if kind == "peak_bytes":
                continue
            theirs = roc_auc_score(truth, -np.array(found["quality"]))
            issues = found["issues"]
            yield Row(
                f"labels of digits, {NOISE:.0%} wrong: `NestedClassifier` ({name}) against cleanlab 2.9.0 with a "
                f"cross-validated {kind}", own, found["seconds"], "s", "AUC not below", auc >= theirs - MARGIN,
                f"AUC {auc:.3f} against {theirs:.3f}; of its {len(issues)} issues {truth[issues].mean():.2f} are "
                f"wrong, of our {len(suspects)} first {truth[suspects].mean():.2f}",
                f"one thread; find_label_issues alone {found['seconds_issues']:.2g} s",
            )  # fmt: skip
