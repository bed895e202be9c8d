"""No peer on PyPI: what a step by two distances costs above a step by labels, and what a live teacher costs instead.

All three see the same views. Seconds are of the processor, on one thread, which other work on the machine hardly changes.
Beside it the choice of RDED: the surest crops, not refined.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness import Row, Settings, alternate
from salience.instances import DBRStore, ImageViews, NRRDistiller, train_student
from salience.networks import TensorBatches, fit, small_convnet, supervised_step

STEP_AIM = 1.05
VIEWS = ImageViews(flip=False, shift=1)
WIDTHS = (32, 64, 64)


def benchmark(settings: Settings) -> Iterator[Row]:
    """Steps of students, then the two ways to choose and refine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images, labels = _digits()
        teacher = _network(0)
        step = supervised_step(teacher, functional.cross_entropy, torch.optim.AdamW(teacher.parameters()))
        generator = torch.Generator().manual_seed(0)
        fit(step, TensorBatches(images[:1200], labels[:1200]), epochs=10, generator=generator)
        distiller = NRRDistiller(teacher, crop_scale=(0.5, 1.0)).fit(images[:1200], labels[:1200])
        yield from _steps(distiller, teacher, settings)
        yield _choice(images, labels, teacher, distiller, settings)
    finally:
        torch.set_num_threads(before)


def _steps(distiller: NRRDistiller, teacher: nn.Module, settings: Settings) -> Iterator[Row]:
    epochs = 10 if settings.quick else 50
    made = distiller.images_, distiller.labels_
    store = DBRStore.build(teacher, *made, views=epochs, augment=VIEWS)
    train = {
        mode: partial(_trained, *made, mode, teacher=teacher, store=store, augment=VIEWS, epochs=epochs, tau=1.0)
        for mode in ("dbr", "onehot", "soft")
    }  # fmt: skip
    steps = 2 * epochs
    others = {
        "onehot": ("labels alone", f"<= {STEP_AIM:g}x its time"),
        "soft": ("soft labels of a live teacher", "-"),
    }
    for other, (what, aim) in others.items():
        train["dbr"](), train[other]()
        own, peer = alternate(partial(_busy, train["dbr"]), partial(_busy, train[other]), settings.runs)
        same = torch.equal(train["dbr"](seen=True), train[other](seen=True))
        yield Row(
            f"a step of a student by two distances against {what}, 50 images of 16 x 16", 1000 * own / steps,
            1000 * peer / steps, "ms", aim, same and own <= STEP_AIM * peer if other == "onehot" else None,
            f"the same views: {same}", "processor seconds, one thread; the making of the views is part of a step",
        )  # fmt: skip
    soft = len(made[0]) * 10 * len(store) * store.distances.itemsize
    yield Row(
        "what is stored of the teacher, 10 classes", store.nbytes / 1e3, soft / 1e3, "kB", ">= 5x", soft >= 5 * store.nbytes,
        "half floats on both sides", "two numbers per view against one per class; 500x with 1,000 classes",
    )  # fmt: skip


def _choice(
    images: Tensor, labels: Tensor, teacher: nn.Module, distiller: NRRDistiller, settings: Settings
) -> Row:
    rded = NRRDistiller(teacher, confidence="high", steps=0, crop_scale=(0.5, 1.0))
    own, peer = alternate(
        *(partial(_busy, partial(way.fit, images[:1200], labels[:1200])) for way in (distiller, rded)),
        min(settings.runs, 3),
    )
    found = []
    for way in (distiller, rded):
        students = [
            _trained(way.images_, way.labels_, "dbr", teacher=teacher, augment=VIEWS, epochs=20 if settings.quick else 130,
                     seed=seed)
            for seed in range(3)
        ]  # fmt: skip
        found.append(
            sum((net(images[1200:]).argmax(1) == labels[1200:]).float().mean().item() for net in students) / 3
        )
    return Row(
        "NRR-DD, refined in 100 steps, against the choice of RDED (surest crops, no refinement), 1,200 digits", own, peer, "s",
        "-", None, f"students by two distances: {found[0]:.3f} against {found[1]:.3f}, three each", "no aim; processor seconds",
    )  # fmt: skip


def _trained(
    images: Tensor, labels: Tensor, mode: str, *, seed: int = 1, seen: bool = False, **how: object
) -> object:
    """A student; with `seen` the first batch that it was shown."""
    net, shown = _network(seed), []
    if seen:
        net.register_forward_pre_hook(
            lambda module, given: shown.append(given[0]) if module.training else None
        )
        how["epochs"] = 1
    if mode != "dbr":
        how["store"] = None
    train_student(net, images, labels, mode, **how)
    return shown[0] if seen else net


def _digits() -> tuple[Tensor, Tensor]:
    pixels, labels = load_digits(return_X_y=True)
    images = functional.interpolate(torch.tensor(pixels / 16, dtype=torch.float32).view(-1, 1, 8, 8), size=16)
    return images, torch.from_numpy(labels)


def _network(seed: int) -> nn.Sequential:
    return small_convnet(10, widths=WIDTHS, generator=torch.Generator().manual_seed(seed))


def _busy(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return time.process_time() - begun
