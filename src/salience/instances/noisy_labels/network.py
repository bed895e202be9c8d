"""A network whose features are compressed while it learns: stages, a compressor after each, a head without intercept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from salience.instances.noisy_labels.design import Compression
from salience.networks.evaluating import evaluating
from salience.networks.nested import NestedDropout, keep_first

__all__ = ["COMPRESSORS", "Network", "build", "features_of", "in_pieces"]

ROWS = 1024  # that go through a network at once when nothing is learned
Lengths = tuple[Any, ...]


class Network(nn.Module):
    """Stages, each followed by its compressor, then a linear head without an intercept.

    Parameters
    ----------
    stages, compressors : sequences of Module
        Of equal length.
    head : torch.nn.Linear
    alternate : bool
        Of several nested stages only one is masked in a step, by a fair coin; the others run in full.
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        compressors: Sequence[nn.Module],
        head: nn.Linear,
        alternate: bool = True,
    ) -> None:
        super().__init__()
        self.stages, self.compressors = nn.ModuleList(stages), nn.ModuleList(compressors)
        self.head, self.alternate, self.frozen = head, alternate, False

    def draw(self, rows: int) -> Lengths:
        """How many entries of each stage are kept in this step; None where no order is wanted."""
        nested = {i: part for i, part in enumerate(self.compressors) if isinstance(part, NestedDropout)}
        masked = list(nested)
        if self.alternate and len(nested) > 1:
            masked = [masked[int(torch.randint(len(nested), (1,)))]]
        return tuple(
            nested[i].draw(rows) if i in masked else nested[i].dim if i in nested else None
            for i in range(len(self.compressors))
        )

    def forward(self, x: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Logits (n, C); in training by a new draw, unless `lengths` says what is kept of each stage."""
        if lengths is None and self.training:
            lengths = self.draw(len(x))
        return self.head(self.features(x, lengths))

    def features(self, x: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Features (n, D) of the last stage."""
        for stage, compressor, k in zip(
            self.stages, self.compressors, lengths or (None,) * len(self.stages), strict=True
        ):
            x = stage(x)
            x = compressor(x) if k is None else keep_first(x, k)
        return x

    def only(self, k: int | None) -> Lengths:
        """Lengths that keep the first `k` of the last features and all else."""
        return (*(None,) * (len(self.stages) - 1), k)

    @property
    def W(self) -> Tensor:
        """The head as (D, C)."""
        return self.head.weight.T

    @property
    def ordered(self) -> bool:
        """Whether the last features are in an order."""
        return isinstance(self.compressors[-1], NestedDropout)

    def freeze_normalisation(self) -> None:
        """From now on batch normalisation keeps its statistics, its scale and its shift."""
        self.frozen = True
        for module in self._normalisations():
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As of any module; what is frozen stays in evaluation."""
        super().train(mode)
        if self.frozen:
            for module in self._normalisations():
                module.eval()
        return self

    def _normalisations(self) -> Iterator[nn.Module]:
        return (m for m in self.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


def build(
    backbone: Any, X: Tensor, hidden: int, n_features: int, classes: int, compression: Compression, seed: int
) -> Network:
    """A new network, its first weights drawn by `seed`.

    Raises
    ------
    TypeError, ValueError
        When the backbone is no module, or does not give (n, D) with D of at least 2; when there are more sigmas
        than stages.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        stages = stages_of(backbone, X.shape[1] if X.ndim == 2 else None, hidden, n_features)
        widths = _widths(stages, X[:2])
        sigmas = compression.sigmas
        if len(sigmas) > len(stages):
            raise ValueError(
                f"there are {len(sigmas)} sigmas and {len(stages)} stage(s) to mask; give one sigma for each of "
                "the last stages, and a backbone as a list of modules"
            )
        last = len(stages) - len(sigmas)
        compressors = [
            nn.Identity()
            if i < last
            else COMPRESSORS[compression.kind](
                width, sigmas[i - last] or max(width / 6, classes), compression
            )
            for i, width in enumerate(widths)
        ]
        head = nn.Linear(widths[-1], classes, bias=False)
    return Network(stages, compressors, head, compression.alternate)


def stages_of(backbone: Any, columns: int | None, hidden: int, n_features: int) -> list[nn.Module]:
    """Fresh modules: a perceptron of two hidden layers, copies of the modules given, or what a function makes."""
    if isinstance(backbone, str):
        if columns is None:
            raise ValueError(
                "backbone='mlp' takes a table, X of shape (n, d); for images give a torch module that makes "
                "features (n, D) of them"
            )
        first = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU())
        return [first, nn.Sequential(nn.Linear(hidden, n_features), nn.ReLU())]
    if isinstance(backbone, nn.Module):
        return [copy.deepcopy(backbone)]
    if isinstance(backbone, list | tuple) and backbone and all(isinstance(m, nn.Module) for m in backbone):
        return [copy.deepcopy(module) for module in backbone]
    made = backbone() if callable(backbone) else backbone
    if not callable(backbone) or not isinstance(made, nn.Module | list | tuple):
        raise TypeError(
            "backbone is 'mlp', a torch module, a list of modules (stages), or a function without arguments that "
            f"makes one; got {type(made).__name__}"
        )
    return [made] if isinstance(made, nn.Module) else list(made)


def features_of(network: Network, X: Tensor) -> NDArray[np.float32]:
    """Features of all rows, in evaluation."""
    with torch.no_grad():
        return in_pieces(network.eval().features, X).numpy()


def in_pieces(function: Callable[[Tensor], Tensor], X: Tensor) -> Tensor:
    """`function` of all rows, a thousand at a time."""
    return torch.cat([function(rows) for rows in X.split(ROWS)])


def _widths(stages: Sequence[nn.Module], x: Tensor) -> list[int]:
    """Entries of the second axis after each stage."""
    widths = []
    for stage in stages:
        with evaluating(stage), torch.no_grad():
            x = stage(x)
        if not isinstance(x, Tensor) or x.ndim < 2 or x.shape[1] < 2:
            shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(
                f"a stage of the backbone must give (n, D, ...) with D of at least 2, got {shape}"
            )
        widths.append(int(x.shape[1]))
    if x.ndim != 2:
        raise ValueError(
            f"the backbone must end in features (n, D), got {tuple(x.shape)}; add a pooling and nn.Flatten()"
        )
    return widths


COMPRESSORS: dict[str, Callable[[int, float, Compression], nn.Module]] = {
    "nested": lambda width, sigma, how: NestedDropout(width, sigma, how.mu, how.k_per),
    "dropout": lambda _width, _sigma, how: nn.Dropout(how.rate),
    "none": lambda *_: nn.Identity(),
}
