"""NRR-DD: dataset distillation via non-critical region refinement (arXiv 2503.18267)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

from reproductions import carriers
from reproductions.claims import Claim
from salience.instances import DBRStore, ImageViews, NRRDistiller, train_student
from salience.instances.distillation.refinement import Refinement, refine
from salience.networks import TensorBatches, fit, small_convnet, supervised_step
from salience.networks.evaluating import evaluating

CLASSES = 10
NATURAL = "the paper's claim is about natural images with real background and a strong teacher"


class Split(NamedTuple):
    """Images and classes to train and to test on, the teacher, and a network that has no part in distilling."""

    train: Tensor
    labels: Tensor
    test: Tensor
    truth: Tensor
    teacher: nn.Module
    second: nn.Module
    seed: int


class Made(NamedTuple):
    """Images to teach by, and their classes."""

    images: Tensor
    labels: Tensor


# --------------------------------------------------------------------------------------------------- digits
def digits(frozen: dict[str, Any]) -> list[Claim]:
    """Digits among clutter: everything that the trial measured, its controls, and the second network."""
    return _experiment(frozen, "digits", _digits)


def _digits(wanted: dict[str, Any], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    canvas = rng.uniform(0, wanted["noise"], (len(pixels), 16, 16))
    for image, digit, (top, left) in zip(canvas, pixels, rng.integers(0, 9, (len(pixels), 2)), strict=True):
        image[top : top + 8, left : left + 8] = digit.reshape(8, 8) / 16
    found = train_test_split(
        canvas[:, None].astype(np.float32), labels, test_size=wanted["test_share"], stratify=labels, random_state=seed
    )  # fmt: skip
    train, test, known, truth = (torch.from_numpy(part) for part in found)
    return train, known, test, truth


# -------------------------------------------------------------------------------------------------- fashion
def fashion(frozen: dict[str, Any]) -> list[Claim]:
    """The same on pictures of clothes."""
    return _experiment({**frozen, **frozen["fashion"]}, "fashion", _fashion)


def _fashion(wanted: dict[str, Any], seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    X, y, X_test, y_test = carriers.fashion_mnist()
    rng = np.random.default_rng(seed)
    parts: list[Tensor] = []
    for pixels, labels, count in ((X, y, wanted["train"]), (X_test, y_test, wanted["test"])):
        rows = rng.permutation(len(pixels))[:count]
        images = pixels[rows].reshape(-1, 1, 28, 28).astype(np.float32) / 255
        parts += [torch.from_numpy(images), torch.from_numpy(labels[rows].astype(np.int64))]
    return parts[0], parts[1], parts[2], parts[3]


# --------------------------------------------------------------------------------------------- what is done
def _experiment(
    frozen: dict[str, Any], name: str, load: Callable[[dict[str, Any], int], tuple[Tensor, Tensor, Tensor, Tensor]]
) -> list[Claim]:  # fmt: skip
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured(frozen, name, load)
    finally:
        torch.set_num_threads(before)


def _measured(frozen: dict[str, Any], name: str, load: Callable[..., Any]) -> list[Claim]:
    wanted = frozen[name]
    accuracy: dict[tuple[str, str], list[float]] = {}
    teachers, sure, shares, drops, all_drops, seconds, refused = [], [], [], [], [], [], []
    for seed in frozen["seeds"]:
        split = _split(load(wanted, seed), frozen, wanted, seed)
        teachers.append(_accuracy(split.teacher, split.test, split.truth))
        seconds.append(_accuracy(split.second, split.test, split.truth))
        low = _distilled(split, frozen, wanted)
        everything = _distilled(split, frozen, wanted, eps=1.01)
        sure.append(float(low.confidence_after_.mean()))
        shares.append(low.mask_share_)
        drops.append(low.cross_check(split.second).drop)
        all_drops.append(everything.cross_check(split.second).drop)
        made = {
            "random": _random(split, frozen["ipc"]),
            "high": _images(_distilled(split, frozen, wanted, confidence="high", steps=0)),
            "low": Made(low.originals_, low.labels_),
            "refined_low": _images(low),
            "refined_random": _refined_random(split, frozen),
            "all_refined": _images(everything),
        }
        controls = {"copies": _copies(made["random"], frozen["ipc"]), "shuffled": _shuffled(low, split)}
        for kind, source in (made | controls).items():
            modes = ("onehot", "dbr") if kind in made else ("onehot",)
            for mode, found in _students(source, split, frozen, wanted, modes).items():
                accuracy.setdefault((kind, mode), []).extend(found)
        for kind in ("random", "low", "refined_low"):
            soft = {**frozen, "students": frozen["soft_students"]}
            found = _students(made[kind], split, soft, wanted, ("soft",))["soft"]
            accuracy.setdefault((kind, "soft"), []).extend(found)
        untrained = split._replace(teacher=_network(wanted["widths"], seed + 500).eval())
        refused.append(_refuses(untrained, frozen, wanted))
        blind = _images(_distilled(untrained, frozen, wanted, correct_only=False))
        taught = _students(blind, untrained, frozen, wanted, ("dbr",))
        accuracy.setdefault(("untrained", "dbr"), []).extend(taught["dbr"])
    mean = {key: float(np.mean(found)) for key, found in accuracy.items()}
    plain = np.concatenate([_gap(accuracy, (k, "dbr"), (k, "onehot")) for k in ("random", "high", "low")])
    refined = [_gap(accuracy, (f"refined_{kind}", "onehot"), (kind, "onehot")) for kind in ("low", "random")]
    return [
        Claim.mean(f"{name}: accuracy of the teacher", teachers, least=wanted["teacher_accuracy"]),
        Claim.mean(f"{name}: students by two distances above those by labels, images not refined", plain,
                   least=frozen["transfer_gain"]),
        Claim.mean(f"{name}: labels alone, refined above its own source", np.concatenate(refined),
                   least=frozen["refined_gain"], why=NATURAL),
        Claim.mean(f"{name}: teacher's probability of the class after refinement", sure,
                   least=frozen["confidence"]),
        Claim.mean(f"{name}: accuracy that a second network (.{round(1000 * np.mean(seconds)):03d} on test rows) loses by the "
                   "refinement", drops, most=frozen["drop"],
                   why="the refinement is noise that speaks to the teacher alone"),
        _reported(f"{name}: the same when all pixels are refined", all_drops),
        *(
            _table(f"{name}: accuracy, {kind.replace('_', ' ')}", mean, kind, wanted.get("seen", {}).get(kind))
            for kind in made
        ),
        _reported(f"{name}: low above high confidence, labels alone", _gap(accuracy, ("low", "onehot"), ("high", "onehot"))),
        _reported(f"{name}: low above high confidence, two distances", _gap(accuracy, ("low", "dbr"), ("high", "dbr"))),
        _reported(f"{name}: refined low above random real images, two distances",
                  _gap(accuracy, ("refined_low", "dbr"), ("random", "dbr"))),
        _reported(f"{name}: protected above all refined, labels alone",
                  _gap(accuracy, ("refined_low", "onehot"), ("all_refined", "onehot"))),
        _reported(f"{name}: refined above its own source, soft labels",
                  _gap(accuracy, ("refined_low", "soft"), ("low", "soft"))),
        _reported(f"{name}: share of the pixels that may be rewritten", shares),
        _reported(f"{name}: refined towards its own above shuffled classes, labels alone",
                  _gap(accuracy, ("refined_low", "onehot"), ("shuffled", "onehot"))),
        Claim.check(f"{name}: an untrained teacher has too few crops it is right about, and is refused", "in every split",
                    f"{sum(refused)} of {len(refused)}", all(refused), control=True),
        Claim.mean(f"{name}: students by the two distances of an untrained teacher", accuracy["untrained", "dbr"],
                   most=frozen["untrained_most"], control=True),
        Claim.mean(f"{name}: refined towards shuffled classes above not refined, labels alone",
                   _gap(accuracy, ("shuffled", "onehot"), ("low", "onehot")), most=0.0, control=True),
        Claim.mean(f"{name}: random images above copies of one per class, labels alone",
                   _gap(accuracy, ("random", "onehot"), ("copies", "onehot")), least=frozen["copies_gap"], control=True),
    ]  # fmt: skip


def _split(
    data: tuple[Tensor, Tensor, Tensor, Tensor], frozen: dict[str, Any], wanted: dict[str, Any], seed: int
) -> Split:
    train, labels, test, truth = data
    teacher, second = (
        _trained(_network(widths, seed + offset), train, labels, frozen, wanted, seed + offset)
        for widths, offset in ((wanted["widths"], 0), (frozen["second_widths"], 100))
    )
    return Split(train, labels, test, truth, teacher, second, seed)


def _network(widths: list[int], seed: int) -> nn.Sequential:
    return small_convnet(CLASSES, widths=widths, generator=torch.Generator().manual_seed(seed))


def _trained(
    net: nn.Module, images: Tensor, labels: Tensor, frozen: dict[str, Any], wanted: dict[str, Any], seed: int
) -> nn.Module:
    step = supervised_step(
        net, functional.cross_entropy, torch.optim.AdamW(net.parameters(), frozen["teacher_lr"])
    )
    batches = TensorBatches(images, labels, size=frozen["teacher_batch"])
    fit(step, batches, epochs=frozen["teacher_epochs"], generator=torch.Generator().manual_seed(seed))
    return net


def _distilled(split: Split, frozen: dict[str, Any], wanted: dict[str, Any], **how: Any) -> NRRDistiller:
    distiller = NRRDistiller(
        split.teacher, frozen["ipc"], crop_scale=tuple(wanted["crop_scale"]), random_state=split.seed, **how
    )
    return distiller.fit(split.train, split.labels)


def _images(distiller: NRRDistiller) -> Made:
    return Made(distiller.images_, distiller.labels_)


def _random(split: Split, ipc: int) -> Made:
    """Whole real images."""
    rng = np.random.default_rng(split.seed)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(split.labels.numpy() == label), ipc, replace=False) for label in range(CLASSES)]
    )  # fmt: skip
    return Made(split.train[rows], split.labels[rows])


def _refined_random(split: Split, frozen: dict[str, Any]) -> Made:
    """The random images themselves, not crops of others."""
    source = _random(split, frozen["ipc"])
    whole = NRRDistiller(split.teacher, frozen["ipc"], crop_scale=(1.0, 1.0), mipc=frozen["ipc"],
                         correct_only=False, random_state=split.seed)  # fmt: skip
    return _images(whole.fit(source.images, source.labels))


def _copies(random: Made, ipc: int) -> Made:
    return Made(random.images[::ipc].repeat_interleave(ipc, 0), random.labels)


def _shuffled(low: NRRDistiller, split: Split) -> Made:
    """The same crops and maps, rewritten towards classes that are not theirs."""
    wrong = low.labels_[torch.randperm(len(low.labels_), generator=torch.Generator().manual_seed(split.seed))]
    with evaluating(split.teacher):
        activation = torch.from_numpy(low.activation_)
        images, _ = refine(split.teacher, low.originals_, wrong, activation, Refinement())
    return Made(images, low.labels_)


def _refuses(split: Split, frozen: dict[str, Any], wanted: dict[str, Any]) -> bool:
    try:
        _distilled(split, frozen, wanted, steps=0)
    except ValueError as error:
        return "too few have class" in str(error)
    return False


def _students(
    made: Made, split: Split, frozen: dict[str, Any], wanted: dict[str, Any], modes: tuple[str, ...]
) -> dict[str, list[float]]:
    augment = ImageViews(flip=wanted["flip"], shift=frozen["shift"])
    store = None
    if "dbr" in modes:
        store = DBRStore.build(
            split.teacher, made.images, made.labels, frozen["epochs"], split.seed, augment=augment
        )
    found: dict[str, list[float]] = {mode: [] for mode in modes}
    for mode in modes:
        for number in range(frozen["students"]):
            net = _network(wanted["widths"], 1000 + 10 * split.seed + number)
            train_student(
                net, made.images, made.labels, mode, teacher=split.teacher, store=store, augment=augment, tau=frozen["tau"],
                epochs=frozen["epochs"], lr=frozen["lr"], random_state=split.seed,
            )  # fmt: skip
            found[mode].append(_accuracy(net, split.test, split.truth))
    return found


def _accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    with evaluating(net), torch.no_grad():
        said = torch.cat([net(some).argmax(1) for some in images.split(500)])
    return float((said == labels).float().mean())


def _gap(accuracy: dict[tuple[str, str], list[float]], one: tuple[str, str], other: tuple[str, str]) -> NDArray[Any]:  # fmt: skip
    """Of students with the same split and the same first weights."""
    return np.array(accuracy[one]) - np.array(accuracy[other])


def _reported(claim: str, values: Any) -> Claim:
    return Claim(claim, "report only", Claim.mean(claim, values, least=0.0).measured, "reported")


def _table(claim: str, mean: dict[tuple[str, str], float], kind: str, seen: list[str] | None) -> Claim:
    names = {"soft": "soft", "onehot": "one-hot", "dbr": "two distances"}
    said = ", ".join(f"{names[mode]} {mean[kind, mode]:.2f}" for mode in names if (kind, mode) in mean)
    expected = f"{'; '.join(seen)} (seen: soft, one-hot, two distances)" if seen else "report only"
    return Claim(claim, expected, said, "reported")


PARTS: dict[str, Callable[[dict[str, Any]], list[Claim]]] = {"digits": digits, "fashion": fashion}
