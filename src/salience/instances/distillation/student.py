"""Train a student on distilled images, by soft labels, by two distances, or by the labels alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from salience.instances.distillation.losses import label_loss, soft_loss, transfer_loss
from salience.instances.distillation.pixels import (
    check_outputs,
    checked_images,
    checked_labels,
    checked_whole,
    placed,
)
from salience.instances.distillation.store import DBRStore
from salience.instances.distillation.views import ImageViews, View
from salience.networks.evaluating import evaluating
from salience.networks.training import fit, supervised_step

__all__ = ["MODES", "train_student"]

TEMPERATURES = {"cutmix": 20.0, "mixup": 4.0, None: 20.0}  # of RDED


def train_student(
    net: nn.Module,
    images: Any,
    labels: Any,
    mode: str = "dbr",
    *,
    teacher: nn.Module | None = None,
    store: DBRStore | None = None,
    augment: ImageViews | None = None,
    tau: float | None = None,
    alpha_dbr: float = 1.0,
    sce_weight: float = 0.1,
    epochs: int = 300,
    batch_size: int = 50,
    lr: float = 1e-3,
    weight_decay: float = 0.01,
    random_state: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> nn.Module:
    """Train a network on a few images, a new view of all of them in each epoch.

    All three modes see the same views in the same order under one `random_state`, if a store that was brought along has
    it as its seed and a view for each epoch: what differs is only what is said of them.

    Parameters
    ----------
    net : torch.nn.Module
        From images to logits (n, C); it is changed.
    images : array or Tensor of shape (n, ch, H, W)
        In [0, 1], for instance ``images_`` of a :class:`NRRDistiller`.
    labels : array of int, shape (n,)
    mode : {"dbr", "soft", "onehot"}, default="dbr"
        ``"dbr"``: two stored distances of the teacher, see :class:`DBRStore`. ``"soft"``: all its probabilities; it is asked
        in every step. ``"onehot"``: the labels only.
    teacher : torch.nn.Module, optional
        For ``"soft"``, and for ``"dbr"`` without a store.
    store : DBRStore, optional
        For ``"dbr"``. Without it one is built of `teacher`, with a view for each epoch.
    augment : ImageViews, optional
        How views are made; ``ImageViews()``, or that of the store, by default.
    tau : float, optional
        Temperature of ``"soft"``: 20 with CutMix and 4 with MixUp by default, as RDED has it. 1 suits small networks.
    alpha_dbr, sce_weight : float, default=1.0, 0.1
        Of the two parts of the loss of ``"dbr"``.
    epochs, batch_size : int, default=300, 50
    lr, weight_decay : float, default=1e-3, 0.01
        Of AdamW.
    random_state : int, default=0
        Of the views and the order. The first weights of `net` are the caller's.
    progress : callable, optional
        ``progress(epochs done, epochs in all)``.

    Returns
    -------
    torch.nn.Module
        `net`, in evaluation mode.

    Raises
    ------
    TypeError, ValueError
        Images, labels or numbers that are not as above, a mode without what it needs, or a store of other images.
    KeyboardInterrupt
        On Ctrl-C, after the weights of the last whole epoch were put back.

    Notes
    -----
    One student is no measurement: with ten images per class the accuracy of one varies by 5 to 20 points with its seed.

    Examples
    --------
    >>> from salience.networks import small_convnet
    >>> images, labels = torch.zeros(4, 1, 8, 8), torch.tensor([0, 0, 1, 1])
    >>> images[2:] = 1.0
    >>> net = train_student(small_convnet(2), images, labels, "onehot", epochs=20, lr=0.01)
    >>> net(images).argmax(1).tolist()
    [0, 0, 1, 1]
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
    pixels = checked_images(images)
    own = checked_labels(labels, len(pixels), "labels")
    checked_whole(random_state, "random_state", 0)
    if mode == "dbr" and store is None and teacher is not None:
        store = DBRStore.build(teacher, pixels, own, views=epochs, seed=random_state, augment=augment)
    needed = {"dbr": store, "soft": teacher, "onehot": net}[mode]
    if needed is None:
        raise ValueError(NEEDS[mode])
    if store is not None and mode == "dbr" and augment not in (None, store.augment):
        raise ValueError(
            "augment is not that of the store, whose distances are of its own views: leave it out"
        )
    if store is not None and mode == "dbr":
        store.check_data(pixels, own)
    augment = augment or (store.augment if store is not None else ImageViews())
    checked_whole(batch_size, "batch_size", 1)
    if tau is not None and not tau > 0:
        raise ValueError(f"tau must be above 0, got {tau}")
    temperature = TEMPERATURES[augment.mix] if tau is None else tau
    check_outputs(net, pixels, own, "net")
    loss = MODES[mode](alpha_dbr, sce_weight, temperature)
    batches = _Views(pixels, own, augment, batch_size, random_state, net)
    batches.store = store if mode == "dbr" else None
    batches.teacher = teacher if mode == "soft" else None
    optimizer = torch.optim.AdamW(net.parameters(), lr, weight_decay=weight_decay)
    history = fit(
        supervised_step(net, loss, optimizer), batches, epochs=epochs,
        generator=torch.Generator().manual_seed(random_state),
        progress=None if progress is None else lambda done, total, record: progress(done, total),
    )  # fmt: skip
    if history.stopped == "interrupted":
        raise KeyboardInterrupt
    return net


class _Views:
    """Batches of a view of all images, a new one in each epoch, with what the teacher says of it."""

    store: DBRStore | None = None
    teacher: nn.Module | None = None

    def __init__(
        self, images: Tensor, labels: Tensor, augment: ImageViews, size: int, seed: int, net: nn.Module
    ) -> None:
        self.images, self.labels, self.augment = images, labels, augment
        self.size, self.seed, self.net = size, seed, net
        self.number = 0

    def epoch(self, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Any]]:
        number, self.number = self.number, self.number + 1
        view, wanted = self._view(number)
        pairs = torch.stack([view.y_org, view.y_aug], 1)
        for rows in torch.randperm(len(self.images), generator=generator).split(self.size):
            x = placed(view.x[rows], self.net)
            said = (pairs[rows], view.share[rows], self._asked(x) if wanted is None else wanted[rows])
            yield x, tuple(part.to(x.device) for part in said)

    def _view(self, number: int) -> tuple[View, Tensor | None]:
        if self.store is not None:
            return self.store.view(self.images, number), self.store.answers(number)
        view = self.augment.make(self.images, self.labels, seed=self.seed, number=number)
        return view, None

    def _asked(self, x: Tensor) -> Tensor:
        if self.teacher is None:
            return x.new_zeros(())
        with evaluating(self.teacher), torch.no_grad():
            return self.teacher(placed(x, self.teacher))


Target = tuple[Tensor, Tensor, Tensor]


def _by_labels(alpha: float, sce_weight: float, tau: float) -> Callable[[Tensor, Target], Tensor]:
    return lambda logits, said: label_loss(logits, said[0], said[1])


def _by_distances(alpha: float, sce_weight: float, tau: float) -> Callable[[Tensor, Target], Tensor]:
    ask = partial(transfer_loss, alpha=alpha, sce_weight=sce_weight)
    return lambda logits, said: ask(logits, *said)


def _by_probabilities(alpha: float, sce_weight: float, tau: float) -> Callable[[Tensor, Target], Tensor]:
    return lambda logits, said: soft_loss(logits, said[2], tau)


MODES = {"dbr": _by_distances, "soft": _by_probabilities, "onehot": _by_labels}
NEEDS = {
    "dbr": 'mode "dbr" needs a store=DBRStore.build(teacher, images, labels), or a teacher= to build one of',
    "soft": 'mode "soft" asks the teacher in every step: give teacher=, or take "dbr", which needs it once',
}
