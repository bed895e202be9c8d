"""Two numbers per view and image, in place of a probability for every class."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from salience.instances.distillation.losses import distances, transfer_loss
from salience.instances.distillation.pixels import (
    check_outputs,
    checked_images,
    checked_labels,
    checked_whole,
    placed,
)
from salience.instances.distillation.views import ImageViews, View
from salience.networks.evaluating import evaluating
from salience.results.checksums import check, check_format, leave_room_in_zip
from salience.results.storage import written_beside

__all__ = ["DBRStore"]

FORMAT = 1
AGAIN = "build the store again"


@dataclass(frozen=True, eq=False)
class DBRStore:
    r"""What a teacher says of many views of the distilled images, as two distances to each view's two labels.

    A view mixes an image of class :math:`y_{org}` with one of class :math:`y_{aug}`. Of the teacher's answer only

    .. math:: d_{org} = -\ln p_T(y_{org} \mid x_{mix}), \qquad d_{aug} = -\ln p_T(y_{aug} \mid x_{mix})

    are kept (distance-based representation): 2 numbers where a soft label has one per class. How the views were made is
    kept as a seed. A student is asked for the same two distances, and the teacher is no longer needed.

    Make one with :meth:`build`.

    Attributes
    ----------
    distances : ndarray of shape (views, n, 2)
    labels : ndarray of int64, shape (n,)
    size : (int, int)
        Height and width of the images.
    seed : int
    augment : ImageViews
    data : str
        Digest of the images, pixel by pixel.

    References
    ----------
    Tran et al., Enhancing Dataset Distillation via Non-Critical Region Refinement, arXiv:2503.18267.

    Examples
    --------
    >>> from salience.networks import small_convnet
    >>> teacher, images = small_convnet(10), torch.rand(20, 1, 8, 8)
    >>> store = DBRStore.build(teacher, images, torch.arange(20) % 10, views=5)
    >>> len(store), store.distances.shape, store.nbytes
    (5, (5, 20, 2), 400)
    """

    distances: NDArray[Any]
    labels: NDArray[np.int64]
    size: tuple[int, int]
    seed: int
    augment: ImageViews
    data: str

    @classmethod
    def build(
        cls,
        teacher: nn.Module,
        images: Any,
        labels: Any,
        views: int = 100,
        seed: int = 0,
        *,
        augment: ImageViews | None = None,
        dtype: str = "float16",
        batch_size: int = 256,
        progress: Callable[[int, int], object] | None = None,
    ) -> DBRStore:
        """Ask the teacher once for each view of each image.

        Parameters
        ----------
        teacher : torch.nn.Module
            From images to logits (n, C).
        images : array or Tensor of shape (n, ch, H, W)
            In [0, 1].
        labels : array of int, shape (n,)
        views : int, default=100
            Epochs after which a student sees the same views again.
        seed : int, default=0
        augment : ImageViews, optional
            How views are made; ``ImageViews()`` by default.
        dtype : {"float16", "float32"}, default="float16"
            Half floats are exact to a two-thousandth.
        batch_size : int, default=256
        progress : callable, optional
            ``progress(views done, views in all)``.

        Raises
        ------
        TypeError, ValueError
            Images, labels or numbers that are not as above.
        """
        augment = ImageViews() if augment is None else augment
        pixels = checked_images(images)
        own = checked_labels(labels, len(pixels), "labels")
        views, seed = checked_whole(views, "views", 1), checked_whole(seed, "seed", 0)
        if dtype not in ("float16", "float32"):
            raise ValueError(f"dtype must be 'float16' or 'float32', got {dtype!r}")
        check_outputs(teacher, pixels, own, "teacher")
        kept = np.empty((views, len(pixels), 2), dtype)
        with evaluating(teacher), torch.no_grad():
            for number in range(views):
                view = augment.make(pixels, own, seed=seed, number=number)
                pairs = torch.stack([view.y_org, view.y_aug], 1)
                parts = [
                    distances(teacher(placed(x, teacher)).cpu(), two)
                    for x, two in zip(view.x.split(batch_size), pairs.split(batch_size), strict=True)
                ]
                kept[number] = torch.cat(parts).numpy()
                if progress is not None:
                    progress(number + 1, views)
        size = (int(pixels.shape[2]), int(pixels.shape[3]))
        return cls(kept, own.numpy(), size, seed, augment, _digest(pixels))

    def __len__(self) -> int:
        """Views."""
        return len(self.distances)

    @property
    def nbytes(self) -> int:
        """Bytes of the distances: 2 numbers per view and image."""
        return int(self.distances.nbytes)

    def view(self, images: Tensor, number: int) -> View:
        """View `number` of the images, as the teacher saw it; numbers beyond the last start again.

        Raises
        ------
        ValueError
            When the images are not as many, or not of the size, that the store was built for.
        """
        self._check(images)
        return self.augment.make(
            images, torch.from_numpy(self.labels), seed=self.seed, number=number % len(self)
        )

    def answers(self, number: int) -> Tensor:
        """The teacher's d_org and d_aug of view `number`: float32, shape (n, 2)."""
        return torch.from_numpy(self.distances[number % len(self)].astype(np.float32))

    def loss(
        self, student_logits: Tensor, view: int, *, alpha: float = 1.0, sce_weight: float = 0.1
    ) -> Tensor:
        r"""How far a student is from the teacher's two distances, and from the two labels.

        .. math:: w L_{sce} + \alpha (|d^S_{org} - d_{org}| + |d^S_{aug} - d_{aug}|), \qquad
           L_{sce} = \lambda d^S_{org} + (1 - \lambda) d^S_{aug}

        Parameters
        ----------
        student_logits : Tensor of shape (n, C)
            Of all images of the view.
        view : int
        alpha, sce_weight : float

        Returns
        -------
        Tensor
            Mean over the images.
        """
        if student_logits.ndim != 2 or len(student_logits) != len(self.labels):
            raise ValueError(
                f"the store has {len(self.labels)} images, the logits must have shape ({len(self.labels)}, classes); "
                f"got {tuple(student_logits.shape)}"
            )
        drawn = self.augment.draw(len(self.labels), self.size, seed=self.seed, number=view % len(self))
        own = torch.from_numpy(self.labels)
        pairs = torch.stack([own, own[drawn.partner]], 1).to(student_logits.device)
        share = drawn.share.to(student_logits.device)
        wanted = self.answers(view).to(student_logits.device)
        return transfer_loss(student_logits, pairs, share, wanted, alpha=alpha, sce_weight=sce_weight)

    def save(self, path: str | PathLike[str]) -> None:
        """Write to one ``.npz`` file, with a checksum."""
        made = json.dumps(
            {
                "format": FORMAT,
                "seed": self.seed,
                "size": self.size,
                "augment": asdict(self.augment),
                "data": self.data,
            }
        )
        with written_beside(path, sealed=True) as beside:
            with open(beside, "wb") as file:
                np.savez_compressed(file, distances=self.distances, labels=self.labels, made=np.array(made))
            leave_room_in_zip(beside)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> DBRStore:
        """Read what :meth:`save` wrote; nothing in the file is run.

        Raises
        ------
        ValueError
            When the file is damaged, or something else.
        """
        check(path, AGAIN)
        with open(path, "rb") as file:
            names = set(ZipFile(file).namelist()) if is_zipfile(file) else set()
        if not {"distances.npy", "labels.npy", "made.npy"} <= names:
            raise ValueError(f"{path} was not written by DBRStore.save")
        with np.load(path, allow_pickle=False) as found:
            made = json.loads(str(found["made"]))
            check_format(path, made.get("format"), FORMAT, AGAIN)
            options = made["augment"]
            options["crop"] = None if options["crop"] is None else tuple(options["crop"])
            size = (made["size"][0], made["size"][1])
            return cls(
                found["distances"], found["labels"], size, made["seed"], ImageViews(**options), made["data"]
            )

    def check_data(self, images: Tensor, labels: Tensor) -> None:
        """Refuse images and labels that are not those, in their order, of which the teacher was asked."""
        self._check(images)
        if _digest(images) != self.data:
            raise ValueError("images are not those the store was built for: build it again")
        if not np.array_equal(self.labels, labels.numpy()):
            raise ValueError(
                "labels are not those the store was built for, in the same order: build it again"
            )

    def _check(self, images: Tensor) -> None:
        if len(images) != len(self.labels) or tuple(images.shape[2:]) != self.size:
            raise ValueError(
                f"the store was built for {len(self.labels)} images of {self.size[0]} x {self.size[1]} pixels, got "
                f"{tuple(images.shape)}; build it again for these"
            )


def _digest(images: Tensor) -> str:
    return hashlib.blake2b(images.cpu().contiguous().numpy().tobytes(), digest_size=8).hexdigest()
