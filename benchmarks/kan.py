"""Against pykan 0.2.8, against the form of efficient-kan, and the whole selector against a forest's permutation importance.

Steps of such small networks take one thread on every side: with more, threads wait longer than they work. So epochs are
timed in seconds of the processor, which other work on the machine hardly changes.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sklearn.datasets import load_digits, make_friedman1
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import Row, Settings, alternate, paired
from benchmarks.peer_environment import peer_environment, run_peer
from salience.networks import KAN, TensorBatches, fit, supervised_step
from salience.tabular import KANSelector

PYKAN = (
    *("torch==2.13.0", "pykan==0.2.8", "numpy", "matplotlib", "scikit-learn", "pandas"),
    *("pyyaml", "sympy", "tqdm", "seaborn", "setuptools"),
)
PYKAN_AIM, EFFICIENT_AIM = 5.0, 1.2
BATCH = 64
MODES = {"plain": ("as it is made", PYKAN_AIM), "quick": ("after its `speed()`", None)}


@dataclass(frozen=True)
class Case:
    """A table, standardised, and the splines it is learned with."""

    name: str
    X: Tensor
    y: Tensor
    grid: int
    order: int
    span: float
    modes: tuple[str, ...]  # of pykan

    @property
    def outputs(self) -> int:
        return 1 if self.y.is_floating_point() else int(self.y.max()) + 1

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        function = functional.mse_loss if self.y.is_floating_point() else functional.cross_entropy
        return function(output, target)


def benchmark(settings: Settings) -> Iterator[Row]:
    """An epoch of training, then the whole selector."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        binaries = peer_environment(settings.cache, "pykan-0.2.8", PYKAN)
        for case in cases(settings):
            net = KAN(
                [case.X.shape[1], 2 * case.X.shape[1] + 1, case.outputs], case.grid, case.order, -case.span, case.span,
                generator=torch.Generator().manual_seed(0),
            )  # fmt: skip
            for mode in case.modes:
                yield against_pykan(case, net, settings, binaries, mode)
            if "quick" in case.modes:
                yield against_efficient(case, net, settings)
        yield against_forest(settings)
    finally:
        torch.set_num_threads(before)


def cases(settings: Settings) -> Iterator[Case]:
    """Digits with hats, Friedman's function with cubic splines."""
    X, y = load_digits(return_X_y=True)
    for count, modes in ((128, ("plain",)), (300 if settings.quick else len(X), ("quick",))):
        # pykan as it is made takes seconds for a step: two of them are an epoch
        name = f"digits, {count} rows of 64 columns, grid 2, order 1"
        yield Case(name, _standard(X[:count]), torch.tensor(y[:count]), 2, 1, 1.0, modes)
    X, y = make_friedman1(300 if settings.quick else 1500, 15, noise=1.0, random_state=0)
    name = f"friedman1, {len(X)} rows of 15 columns, grid 5, order 3"
    yield Case(name, _standard(X), _standard(y[:, None]), 5, 3, 2.0, ("plain", "quick"))


def against_pykan(case: Case, net: KAN, settings: Settings, binaries: Path, mode: str) -> Row:
    order = torch.randperm(len(case.X), generator=torch.Generator().manual_seed(1))
    payload = {"X": case.X, "y": case.y, "order": order}
    for i, layer in enumerate(net.layers):
        weights = {name: getattr(layer, name).detach().numpy() for name in ("knots", "base", "coef", "scale")}
        payload |= {f"{name}{i}": array for name, array in weights.items()}
    ours = copy.deepcopy(net)
    outputs = ours(case.X).detach().numpy()
    step = _step(ours, case)
    losses = [step((case.X[rows], case.y[rows]))["loss"] for rows in order.split(BATCH)]
    epoch = partial(fit, step, TensorBatches(case.X, case.y, size=BATCH), epochs=1)
    times = [_busy(epoch) for _ in range(settings.runs)]
    how = (str(case.grid), str(case.order), str(BATCH), str(settings.runs), mode)
    found = run_peer(binaries, "pykan_epoch", payload, *how, threads=1)
    own = median([*times, *(_busy(epoch) for _ in range(settings.runs))])  # half before the peer, half after
    gap = float(np.abs(outputs - np.array(found["outputs"])).max())
    drift = float(np.abs(np.array(losses) - np.array(found["losses"])).max())
    same = gap < 1e-4 and drift < 1e-3
    how_made, aim = MODES[mode]
    return Row(
        f"epoch of `KAN` against pykan 0.2.8, {how_made}, {case.name}",
        own, found["seconds"], "s", "-" if aim is None else f">= {aim:g}x",
        None if aim is None else same and found["seconds"] >= aim * own,
        f"outputs equal to {gap:.1g}, losses of an epoch to {drift:.1g}",
        "processor seconds, one thread each, both with fused Adam",
    )  # fmt: skip


def against_efficient(case: Case, net: KAN, settings: Settings) -> Row:
    ours, theirs = copy.deepcopy(net), nn.Sequential(*map(EfficientForm, net.layers))
    gap = (ours(case.X) - theirs(case.X)).abs().max().item()
    batches = TensorBatches(case.X, case.y, size=BATCH)
    epochs = [partial(fit, _step(model, case), batches, epochs=1) for model in (ours, theirs)]
    for epoch in epochs:
        epoch()
    own, peer = alternate(*(partial(_busy, epoch) for epoch in epochs), settings.runs)
    return Row(
        f"epoch of `KAN` against the form of efficient-kan, {case.name}",
        own, peer, "s", f"<= {EFFICIENT_AIM:g}x its time", gap < 1e-4 and own <= EFFICIENT_AIM * peer,
        f"outputs equal to {gap:.1g}", "its formula written out here, in the same loop; processor seconds, one thread",
    )  # fmt: skip


def against_forest(settings: Settings) -> Row:
    X, y = make_friedman1(300 if settings.quick else 1500, 15, noise=1.0, random_state=0)
    selector = KANSelector(keep=5)

    def forest() -> np.ndarray:
        model = RandomForestRegressor(200, random_state=0, n_jobs=settings.threads).fit(X[::2], y[::2])
        found = permutation_importance(
            model, X[1::2], y[1::2], n_repeats=5, random_state=0, n_jobs=settings.threads
        )
        return found.importances_mean

    top = set(np.argsort(-forest())[:5].tolist())
    both = len(top & set(np.flatnonzero(selector.fit(X, y).get_support()).tolist()))
    own, peer = paired(partial(selector.fit, X, y), forest, min(settings.runs, 3))
    return Row(
        "`KANSelector`, five folds of 100 epochs, against permutation importance of a forest, friedman1 1500 x 15",
        own, peer, "s", "-", None, f"{both} of the best 5 columns in common",
        "200 trees, 5 repeats, one split; no aim",
    )  # fmt: skip


class EfficientForm(nn.Module):
    """The layer of efficient-kan: the recursion on all intervals, silu and splines in two products."""

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        self.base, self.coef, self.scale = (
            nn.Parameter(getattr(like, name).detach().clone(memory_format=torch.contiguous_format))
            for name in ("base", "coef", "scale")
        )
        self.register_buffer("grid", like.knots.clone())  # type: ignore[operator]
        self.order = like.order

    def forward(self, x: Tensor) -> Tensor:
        grid, at = self.grid, x.unsqueeze(-1)
        bases = ((at >= grid[:, :-1]) & (at < grid[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):  # type: ignore[operator]
            bases = (at - grid[:, : -(k + 1)]) / (grid[:, k:-1] - grid[:, : -(k + 1)]) * bases[:, :, :-1] + (
                grid[:, k + 1 :] - at
            ) / (grid[:, k + 1 :] - grid[:, 1:(-k)]) * bases[:, :, 1:]
        weight = (self.coef * self.scale.unsqueeze(-1)).view(len(self.base), -1)
        return functional.linear(functional.silu(x), self.base) + functional.linear(bases.flatten(1), weight)


def _step(model: nn.Module, case: Case) -> object:
    return supervised_step(model, case.loss, torch.optim.Adam(model.parameters(), 1e-3, fused=True))


def _busy(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun


def _standard(values: np.ndarray) -> Tensor:
    spread = values.std(0)
    return torch.tensor((values - values.mean(0)) / np.where(spread > 0, spread, 1.0), dtype=torch.float32)
