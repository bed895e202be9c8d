"""Distil and try it out: what do students of distilled images know, beside those of as many real images drawn blindly?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from salience.instances.distillation.discovery import true_confidence
from salience.instances.distillation.distiller import NRRDistiller
from salience.instances.distillation.student import train_student
from salience.instances.distillation.views import ImageViews
from salience.networks.batches import TensorBatches
from salience.networks.convnet import small_convnet
from salience.networks.evaluating import evaluating
from salience.networks.threads import threads_that_pay
from salience.networks.training import fit, supervised_step
from salience.verify.check import Check
from salience.verify.fingerprints import fingerprint, refuse_same_data
from salience.verify.intervals import mean_intervals

__all__ = ["KINDS", "Teaching", "Trial", "checks_of", "chosen_again", "students_of", "tried", "work"]

Tell = Callable[[int, int], object]
Set = tuple[Tensor, Tensor]

KINDS = (
    "random real",
    "selected, not refined",
    "distilled",
)  # what students learn from; the first is the baseline
TEACHERS, SECONDS = (
    (32, 64, 64),
    (24, 48, 48),
)  # channels of the teacher and its students, and of the second network
BATCH = 64
SMALL = 100  # pixels, below which a small crop shows too little and an image is no grid of crops
TEST = 0.3  # share of each class that is held out
GAIN = 0.01  # of the test images, that students must know more of
DROP = 0.1  # of the distilled images, that a second network may lose by the refinement


@dataclass(frozen=True)
class Teaching:
    """How networks learn.

    Parameters
    ----------
    epochs, lr : int, float
        Of the teacher and of the second network.
    students : int
        Of each kind of images and each way of teaching, every one with a seed and random images of its own.
    student_epochs, student_batch, student_lr, tau : int, int, float, float
        See :func:`train_student`.
    flip : bool
        Students see mirrored images, too.
    modes : tuple of str
        Ways of teaching.
    """

    epochs: int = 40
    lr: float = 2e-3
    students: int = 3
    student_epochs: int = 130
    student_batch: int = 50
    student_lr: float = 1e-3
    tau: float = 1.0
    flip: bool = False
    modes: tuple[str, ...] = ("onehot", "dbr", "soft")


@dataclass(frozen=True, eq=False)
class Trial:
    """Networks and distilled images of one split.

    Attributes
    ----------
    train, test : ndarray of int
        Rows of each, ascending.
    teacher, second : torch.nn.Module
    distiller : NRRDistiller
        Fitted to the training images.
    known, second_known : float
        Share of the test images that the teacher, and the second network, classify correctly.
    images, labels : Tensor
        All of them.
    seed : int
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    teacher: nn.Module
    second: nn.Module
    distiller: NRRDistiller
    known: float
    second_known: float
    images: Tensor
    labels: Tensor
    seed: int

    @property
    def chance(self) -> float:
        """Accuracy of always naming the class that most test images have."""
        return float(np.bincount(self.labels[self.test].numpy()).max() / len(self.test))


def tried(
    images: Tensor,
    labels: Tensor,
    teaching: Teaching,
    *,
    seed: int,
    tell: Tell | None = None,
    **settings: Any,
) -> Trial:
    """Hold test images out by class, train a teacher and a second network on the others, and distil these.

    Parameters
    ----------
    images : Tensor of shape (n, ch, H, W)
        In [0, 1].
    labels : Tensor of int64, shape (n,)
        From 0 up, none without an image.
    teaching : Teaching
    seed : int
    tell : callable, optional
        ``tell(done, total)`` over epochs of both networks, classes and steps.
    **settings
        Of the :class:`NRRDistiller`.

    Raises
    ------
    ValueError
        What the distiller refuses, and a training whose loss is not finite.
    KeyboardInterrupt
    """
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST, stratify=labels.numpy(), random_state=seed
    )
    train, test = np.sort(train), np.sort(test)
    x, y = images[train], labels[train]
    classes = int(labels.max()) + 1
    teacher, second = networks = [
        _network(classes, images.shape[1], widths, _mixed(seed, number))
        for number, widths in enumerate((TEACHERS, SECONDS))
    ]
    before = 0

    def told(done: int, total: int, record: object = None) -> None:
        if tell is not None:
            tell(before + done, 2 * teaching.epochs + classes + distiller.steps)

    # RDED's crops of a twelfth of the area are for photographs: of 8 pixels they leave two
    settings = {"crop_scale": (0.5, 1.0) if min(images.shape[2:]) < SMALL else (0.08, 1.0), **settings}
    distiller = NRRDistiller(teacher, random_state=seed, progress=told, **settings)
    with threads_that_pay(_multiply_adds(images)):
        for number, net in enumerate(networks):
            step = supervised_step(
                net, functional.cross_entropy, torch.optim.AdamW(net.parameters(), teaching.lr)
            )
            history = fit(
                step, TensorBatches(x, y, size=BATCH), epochs=teaching.epochs,
                generator=torch.Generator().manual_seed(_mixed(seed, number)), progress=told,
            )  # fmt: skip
            if history.stopped == "interrupted":
                raise KeyboardInterrupt
            before += teaching.epochs
        distiller.fit(x, y)
        known, also = (float(right(net, images[test], labels[test]).mean()) for net in networks)
    return Trial(train, test, teacher, second, distiller, known, also, images, labels, seed)


def students_of(
    trial: Trial, teaching: Teaching, tell: Tell | None = None
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Which test images each student classifies correctly.

    Returns
    -------
    dict of (kind, mode) to ndarray of bool, shape (students, test images)
        Kinds are `KINDS`. Student by student all start from the same weights and see views of the same seed.
    """
    side = int(min(trial.images.shape[2:]))
    factor = trial.distiller.factor
    views = ImageViews(factor=factor, flip=teaching.flip, shift=max(1, side // 8))
    test, truth = trial.images[trial.test], trial.labels[trial.test]
    classes = int(trial.labels.max()) + 1
    found: dict[tuple[str, str], list[NDArray[np.bool_]]] = {}
    total = teaching.students * len(KINDS) * len(teaching.modes)
    with threads_that_pay(_multiply_adds(trial.images)):
        for number in range(teaching.students):
            seed = _mixed(trial.seed, 10 + number)
            for kind, (x, y) in _sets(trial, seed).items():
                # whole images have no patches that could change places
                augment = (
                    views
                    if kind != KINDS[0]
                    else ImageViews(crop=views.areas, flip=views.flip, shift=views.shift)
                )
                for mode in teaching.modes:
                    net = _network(classes, test.shape[1], TEACHERS, seed)
                    train_student(
                        net, x, y, mode, teacher=trial.teacher, augment=augment, tau=teaching.tau,
                        epochs=teaching.student_epochs, batch_size=teaching.student_batch, lr=teaching.student_lr,
                        random_state=seed,
                    )  # fmt: skip
                    found.setdefault((kind, mode), []).append(right(net, test, truth))
                    if tell is not None:
                        tell(sum(map(len, found.values())), total)
    return {key: np.stack(rows) for key, rows in found.items()}


def checks_of(trial: Trial, knows: Mapping[tuple[str, str], NDArray[np.bool_]]) -> list[Check]:
    """What the trial comes to: are distilled images worth more than random ones, and are they images to others?

    Parameters
    ----------
    trial : Trial
    knows : mapping of (kind, mode) to ndarray of bool, shape (students, test images)
        From :func:`students_of`.

    Raises
    ------
    ValueError
        When the images were distilled from the test images.
    """
    test = trial.images[trial.test].flatten(1).numpy()
    refuse_same_data(trial.distiller.scores_.meta.data, [fingerprint(test)])
    return [_worth(knows, trial.seed), _second(trial)]


def chosen_again(trial: Trial) -> int:
    """How many of the rows chosen are chosen under another seed, too; nothing is refined for that."""
    other = clone(trial.distiller, safe=False)
    other.set_params(teacher=trial.teacher, steps=0, progress=None, random_state=_mixed(trial.seed, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the distiller itself has said it
        other.fit(trial.images[trial.train], trial.labels[trial.train])
    return len(np.intersect1d(other.source_index_, trial.distiller.source_index_))


def right(network: nn.Module, images: Tensor, labels: Tensor) -> NDArray[np.bool_]:
    """Which images a network classifies correctly, shape (n,)."""
    with evaluating(network):
        return true_confidence(network, images, labels, 500)[1].numpy()


def _worth(knows: Mapping[tuple[str, str], NDArray[np.bool_]], seed: int) -> Check:
    """The interval is the wider of those over test images and over students: both are samples."""
    modes = list(dict.fromkeys(mode for _, mode in knows))
    by_kind = {
        kind: np.mean([knows[kind, mode] for mode in modes], axis=0) for kind in KINDS
    }  # (students, images)
    gap = by_kind[KINDS[-1]] - by_kind[KINDS[0]]
    (images,), (students,) = (mean_intervals([gap.mean(axis=axis)], None, 0.95, seed) for axis in (0, 1))
    # NaN, and so undecided, for one student, which shows no spread
    lo, hi = float(np.minimum(images.lo, students.lo)), float(np.maximum(images.hi, students.hi))
    said = ", ".join(
        f"{mode} {knows[KINDS[-1], mode].mean():.2f} against {knows[KINDS[0], mode].mean():.2f}"
        for mode in modes
    )
    return Check.judged(
        "beyond random images", statistic=images.mean, lo=lo, hi=hi,
        reference=0.0, threshold=GAIN, unit="accuracy", how="refit",
        why=f"{len(gap)} student{'s' * (len(gap) > 1)} each, mean over the ways of teaching: {said}",
        settings={"students": len(gap), "test_images": gap.shape[1], "modes": modes, "level": 0.95, "seed": seed},
    )  # fmt: skip


def _second(trial: Trial) -> Check:
    distiller = trial.distiller
    before, after = (
        right(trial.second, images, distiller.labels_).astype(float)
        for images in (distiller.originals_, distiller.images_)
    )
    (drop,) = mean_intervals([before - after], None, 0.95, trial.seed)
    return Check.judged(
        "second network", statistic=drop.mean, lo=drop.lo, hi=drop.hi, reference=0.0, threshold=DROP, better="low",
        unit="accuracy", how="hold",
        why=f"what one with no part in it loses by the refinement: it is right about {before.mean():.2f} of {len(before)} "
        f"images before, {after.mean():.2f} after",
        settings={"images": len(before), "level": 0.95, "seed": trial.seed},
    )  # fmt: skip


def _sets(trial: Trial, seed: int) -> dict[str, Set]:
    """What students learn from: as many images of each class."""
    found = trial.distiller
    random = np.random.default_rng(seed)
    own = trial.labels[trial.train].numpy()
    drawn = np.concatenate(
        [random.choice(trial.train[own == label], found.ipc, replace=False) for label in np.unique(own)]
    )
    sets = (
        (trial.images[drawn], trial.labels[drawn]),
        (found.originals_, found.labels_),
        (found.images_, found.labels_),
    )
    return dict(zip(KINDS, sets, strict=True))


def _network(classes: int, channels: int, widths: Sequence[int], seed: int) -> nn.Module:
    return small_convnet(classes, channels, widths, generator=torch.Generator().manual_seed(seed))


def _mixed(seed: int, number: int) -> int:
    """A seed of its own for each network."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def work(images: Tensor, classes: int, ipc: int, teaching: Teaching) -> float:
    """About how many multiply-adds of training it all takes."""
    a_student = teaching.student_epochs * classes * ipc
    students = teaching.students * len(KINDS) * len(teaching.modes) * a_student
    return 3 * _multiply_adds(images) / BATCH * (2 * teaching.epochs * len(images) * (1 - TEST) + students)


def _multiply_adds(images: Tensor) -> float:
    """Of a step of the teacher, forward."""
    pairs = zip((images.shape[1], *TEACHERS[:-1]), TEACHERS, strict=True)
    area = float(images.shape[2] * images.shape[3])
    return BATCH * sum(9 * before * after * area / 4**place for place, (before, after) in enumerate(pairs))
