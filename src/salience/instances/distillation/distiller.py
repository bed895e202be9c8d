"""Shrink a set of images to a few per class: keep what carries the class, rewrite the rest."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from salience.instances.distillation.crosscheck import CrossCheck, cross_checked
from salience.instances.distillation.discovery import ORDERS, Discovery, Search, discover, true_confidence
from salience.instances.distillation.pixels import check_outputs, checked_images, checked_labels, like
from salience.instances.distillation.refinement import Refinement, normalisations, refine, refinement_mask
from salience.instances.distillation.views import ImageViews
from salience.networks.evaluating import evaluating
from salience.results.meta import Meta
from salience.results.scores import Scores
from salience.verify.fingerprints import fingerprint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NRRDistiller"]

KNOWN = 0.5  # share of the crops that the teacher classifies correctly, below which it is said


class NRRDistiller(BaseEstimator):
    r"""Distil images to a few per class by refining their non-critical regions.

    A trained teacher chooses, marks and rewrites:

    1. Of each class, crops over which its class activation map is widest, and among these the ones it is least sure of but
       right about. ``factor**2`` of them are put into one image.
    2. With the map :math:`C` of these crops, pixels with :math:`C \ge \epsilon` are critical and stay, bit for bit. The
       others are rewritten with :math:`M = \max(0, \epsilon - C)`, step by step,

       .. math:: x \leftarrow x - M\, \eta\, \frac{\nabla_x L_C}{\lVert\nabla_x L_C\rVert_2}, \qquad
          L_C = CE(T(x), y) + \alpha \sum_l w_l \left(\lVert \mu_l(x) - \mu_l \rVert_2
          + \lVert \sigma^2_l(x) - \sigma^2_l \rVert_2\right),

       towards the class and the statistics of the teacher's batch normalisations (SRe2L).
    3. :class:`DBRStore` and :func:`train_student` train a student on them, with two numbers per view in place of a soft label.

    Use it when a training set of images has to become very small. Step 2 is close to a targeted adversarial step: the
    teacher is sure of every refined image, whether or not another network agrees. `cross_check` asks another network;
    believe nothing before that. Random real images of equal count are the baseline, and hard to beat on small images.

    The paper's code was not available. How the gradient is normalised, that the map is fixed, `eps`, `steps`,
    `alpha_bn`, the CAM ratio (share of the pixels of at least half the strongest), how many crops are looked at (twice
    those wanted) and `correct_only` are choices made here.

    Parameters
    ----------
    teacher : torch.nn.Module
        From images to logits (n, C); ends in global average pooling and one linear layer. What standardises pixels
        belongs into it. It is left as it was.
    ipc : int, default=10
        Images per class.
    factor : int, default=1
        Of the grid of crops in one image: 2 from about 100 pixels, 1 below. A factor of 2 on tiny images makes objects of
        half the size that a student will be tested on.
    confidence : {"low", "high", "random"}, default="low"
        Which crops are taken; RDED takes the high ones.
    eps : float, default=0.5
        From which activation on a pixel is critical. 0 rewrites nothing, above 1 everything.
    steps, step_size : int and float, default=100, 1.0
        Of the refinement; a step of one image is at most `eps` times the size long, where C is 0 everywhere. 0 steps: none.
    alpha_bn, first_bn : float, default=0.01, 10.0
        Weight of the batch normalisations, and of the first of them among all.
    augment : ImageViews, optional
        How images are cropped, flipped and shifted in each step of the refinement, which guards against patterns of single
        pixels; nothing is mixed. Not at all by default.
    mipc : int, default=300
        At most so many images of a class are looked at.
    crops : int, default=5
        Random crops of each image.
    crop_scale : (float, float), default=(0.08, 1.0)
        Least and largest share of the area of a crop, as in RDED; (1, 1) takes whole images.
    correct_only : bool, default=True
        Take only crops that the teacher classifies correctly. Without it low confidence picks wrong labels.
    batch_size : int, default=500
        Images at a time, in the refinement too: a batch holds all classes.
    progress : callable, optional
        ``progress(done, total)`` over classes and steps.
    random_state : int, RandomState or None, default=0
        Of images, crops and views.

    Attributes
    ----------
    images_ : array or Tensor of shape (C * ipc, ch, H, W)
        Class by class; numpy or torch as `images` were, float32.
    labels_ : array or Tensor of int64, shape (C * ipc,)
    originals_ : array or Tensor of shape (C * ipc, ch, H, W)
        Before the refinement.
    activation_ : ndarray of shape (C * ipc, H, W)
        Class activation maps C of each crop.
    critical_mask_ : ndarray of bool, shape (C * ipc, H, W)
        Pixels that had to stay.
    mask_share_ : float
        Share of the pixels that could be rewritten. A weak teacher marks half of every image.
    source_index_ : ndarray of int64, shape (C * ipc, factor**2)
        Row of the training image that each crop is from.
    confidence_before_, confidence_after_ : ndarray of shape (C * ipc,)
        Probability of the own class by the teacher, before and after the refinement.
    scores_ : Scores
        Over the training images, key "row". ``value``: what rows of a class were chosen by (the confidence; a random
        number for ``"random"``), null where a row could not be chosen; ``confidence`` and ``cam_ratio`` of its best crop,
        ``correct``, ``kept``, ``class``. ``scores_.select(k=ipc * factor**2, per="class")`` are the kept rows.
    history_ : dict
        ``loss``, ``cross_entropy`` and ``bn`` per step.

    Raises
    ------
    TypeError, ValueError
        Images that are not floats of shape (N, ch, H, W) in [0, 1]; sides that `factor` does not divide; classes that are no
        outputs of the teacher, or have too few usable crops (all are named); a teacher without batch normalisation and
        `alpha_bn` not 0; a teacher without a linear head after pooling.

    Warns
    -----
    UserWarning
        When the teacher knows less than half of the crops; ``scores_.meta.warnings`` has the text too.

    References
    ----------
    Tran et al., Enhancing Dataset Distillation via Non-Critical Region Refinement, CVPR 2025, arXiv:2503.18267.
    Sun et al., On the Diversity and Realism of Distilled Dataset (RDED), arXiv:2312.03526.
    Yin et al., Squeeze, Recover and Relabel (SRe2L), arXiv:2306.13092.

    Examples
    --------
    >>> from salience.networks import small_convnet
    >>> from salience.networks import TensorBatches, fit, supervised_step
    >>> y = torch.arange(200) % 2
    >>> images = 0.3 * torch.rand(200, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    >>> images[y == 1, :, 2:6, 2:6] += 0.6  # a bright square is the class
    >>> teacher = small_convnet(2, widths=(8, 8), generator=torch.Generator().manual_seed(0))
    >>> adam = torch.optim.Adam(teacher.parameters(), 0.01)
    >>> step = supervised_step(teacher, nn.functional.cross_entropy, adam)
    >>> _ = fit(step, TensorBatches(images, y), epochs=10, generator=torch.Generator().manual_seed(0))
    >>> distiller = NRRDistiller(teacher, ipc=2, crop_scale=(1, 1), steps=20).fit(images, y)
    >>> distiller.images_.shape, distiller.labels_.tolist()
    (torch.Size([4, 1, 12, 12]), [0, 0, 1, 1])
    >>> stay = torch.from_numpy(distiller.critical_mask_)[:, None]
    >>> torch.equal(distiller.images_[stay], distiller.originals_[stay])
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "teacher": [nn.Module],
        "ipc": [Interval(Integral, 1, None, closed="left")],
        "factor": [Interval(Integral, 1, None, closed="left")],
        "confidence": [StrOptions(set(ORDERS))],
        "eps": [Interval(Real, 0, None, closed="left")],
        "steps": [Interval(Integral, 0, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither")],
        "alpha_bn": [Interval(Real, 0, None, closed="left")],
        "first_bn": [Interval(Real, 0, None, closed="left")],
        "augment": [ImageViews, None],
        "mipc": [Interval(Integral, 1, None, closed="left")],
        "crops": [Interval(Integral, 1, None, closed="left")],
        "crop_scale": [tuple, list],
        "correct_only": ["boolean"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "progress": [callable, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        teacher: nn.Module,
        ipc: int = 10,
        factor: int = 1,
        confidence: str = "low",
        eps: float = 0.5,
        steps: int = 100,
        step_size: float = 1.0,
        alpha_bn: float = 0.01,
        mipc: int = 300,
        crops: int = 5,
        *,
        first_bn: float = 10.0,
        augment: ImageViews | None = None,
        crop_scale: tuple[float, float] = (0.08, 1.0),
        correct_only: bool = True,
        batch_size: int = 500,
        progress: Callable[[int, int], object] | None = None,
        random_state: Any = 0,
    ) -> None:
        self.teacher = teacher
        self.ipc = ipc
        self.factor = factor
        self.confidence = confidence
        self.eps = eps
        self.steps = steps
        self.step_size = step_size
        self.alpha_bn = alpha_bn
        self.mipc = mipc
        self.crops = crops
        self.first_bn = first_bn
        self.augment = augment
        self.crop_scale = crop_scale
        self.correct_only = correct_only
        self.batch_size = batch_size
        self.progress = progress
        self.random_state = random_state

    def fit(self, images: Any, y: Any) -> Self:
        """Choose crops, mark their critical pixels, and rewrite the others.

        Parameters
        ----------
        images : ndarray or Tensor of shape (N, ch, H, W)
            Floats in [0, 1].
        y : array of int, shape (N,)
            Outputs of the teacher; every class has images.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        self._validate_params()
        pixels = checked_images(images)
        labels = checked_labels(y, len(pixels))
        self._check_sides(pixels)
        if self.alpha_bn and self.steps and not normalisations(self.teacher):
            raise ValueError(
                "the teacher has no BatchNorm2d with running statistics to hold the images to: set alpha_bn=0"
            )
        seeds = check_random_state(self.random_state).randint(2**31, size=2)
        random = torch.Generator().manual_seed(int(seeds[0]))
        with evaluating(self.teacher):
            classes = check_outputs(self.teacher, pixels, labels, "teacher")
            total = classes + int(self.steps)
            found = discover(
                self.teacher, pixels, labels, classes, self._search(), random,
                lambda done: self._tell(done, total),
            )  # fmt: skip
            refined, history = refine(
                self.teacher, found.images, found.labels, found.activation, self._refinement(int(seeds[1])),
                lambda done: self._tell(classes + done, total),
            )  # fmt: skip
            before, _ = true_confidence(self.teacher, found.images, found.labels, self.batch_size)
            after, _ = true_confidence(self.teacher, refined, found.labels, self.batch_size)
        notes = tuple(_notes(found))
        for note in notes:
            warnings.warn(note, UserWarning, stacklevel=2)
        self.images_, self.originals_ = like(images, refined), like(images, found.images)
        self.labels_ = like(y if isinstance(y, Tensor) else images, found.labels)
        self.activation_ = found.activation.numpy()
        self.critical_mask_: NDArray[np.bool_] = (found.activation >= self.eps).numpy()
        self.mask_share_ = float((refinement_mask(found.activation, self.eps) > 0).float().mean())
        self.source_index_: NDArray[np.int64] = found.source.numpy()
        self.confidence_before_, self.confidence_after_ = before.numpy(), after.numpy()
        self.history_ = {name: history[name] for name in ("loss", "cross_entropy", "bn") if history.records}
        self.n_images_in_ = len(pixels)
        self.scores_: Scores = self._scores_of(found, pixels, labels, notes, started)
        return self

    def fit_resample(self, images: Any, y: Any) -> tuple[Any, Any]:
        """Fit, and give the distilled images with their classes.

        Returns
        -------
        images : array or Tensor of shape (C * ipc, ch, H, W)
        labels : array or Tensor of shape (C * ipc,)
        """
        self.fit(images, y)
        return self.images_, self.labels_

    def get_support(self, indices: bool = False) -> NDArray[Any]:
        """Which training images have a crop in a distilled one: a mask of shape (N,), or row numbers."""
        check_is_fitted(self, "scores_")
        rows = np.unique(self.source_index_)
        return rows if indices else np.isin(np.arange(self.n_images_in_), rows)

    def cross_check(self, network: nn.Module) -> CrossCheck:
        """Accuracy on the distilled images of a network that had no part in making them, before and after refinement.

        Train it on other weights than the teacher's, best with another architecture. A drop says that what was
        rewritten means something to the teacher alone: it is adversarial noise.
        """
        check_is_fitted(self, "scores_")
        originals, images, labels = map(torch.as_tensor, (self.originals_, self.images_, self.labels_))
        return cross_checked(network, originals, images, labels, self.batch_size)

    def plot_mosaic(self, rows: Any = None, *, ax: Axes | None = None) -> Axes:
        """Draw source, mask and refined image, see :func:`salience.instances.distillation.mosaic.plot_mosaic`."""
        from salience.instances.distillation.mosaic import (
            plot_mosaic,  # matplotlib is loaded by those who draw
        )

        return plot_mosaic(self, rows, ax=ax)

    def _tell(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)

    def _check_sides(self, pixels: Tensor) -> None:
        height, width = pixels.shape[2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"the sides of the images, {height} x {width}, must be divisible by factor={self.factor}: "
                "cut or pad them, or take another factor"
            )
        ends = self.crop_scale
        if (
            len(ends) != 2
            or not all(isinstance(end, Real) for end in ends)
            or not 0 < ends[0] <= ends[1] <= 1
        ):
            raise ValueError(
                f"crop_scale must be two shares of the area, 0 < least <= largest <= 1, got {self.crop_scale}"
            )

    def _search(self) -> Search:
        whole = self.crop_scale[0] == 1
        low, high = self.crop_scale
        return Search(
            ipc=self.ipc, factor=self.factor, confidence=self.confidence, mipc=self.mipc,
            crops=1 if whole else self.crops, crop_scale=(low, high), correct_only=self.correct_only,
            batch_size=self.batch_size,
        )  # fmt: skip

    def _refinement(self, seed: int) -> Refinement:
        return Refinement(
            eps=self.eps, steps=self.steps, step_size=self.step_size, alpha_bn=self.alpha_bn,
            first_bn=self.first_bn, augment=self.augment, batch_size=self.batch_size, seed=seed,
        )  # fmt: skip

    def _scores_of(
        self, found: Discovery, pixels: Tensor, labels: Tensor, notes: tuple[str, ...], started: float
    ) -> Scores:
        weights = sum(weight.numel() for weight in self.teacher.parameters())
        said = {"teacher": f"{type(self.teacher).__name__} of {weights:,} weights"}
        others: dict[str, Any] = {"class": labels.numpy()}  # not a name that can be written as an argument
        return Scores.from_values(
            found.key.double().numpy(),
            keys="row",
            item="row",
            better=ORDERS[self.confidence][1],
            confidence=_known(found.confidence),
            cam_ratio=_known(found.ratio),
            correct=found.correct.numpy(),
            kept=np.isin(np.arange(len(pixels)), self.source_index_),
            **others,
            meta=Meta(
                method="nrr-dd",
                params=self.get_params(deep=False) | said,
                seed=int(self.random_state) if isinstance(self.random_state, Integral) else None,
                data=(fingerprint(pixels.flatten(1).numpy()),),
                rows=len(pixels),
                unit="draw" if self.confidence == "random" else "probability",
                warnings=notes,
                seconds=time.perf_counter() - started,
                extra={"mask_share": self.mask_share_},
            ),
        )


def _known(values: Tensor) -> pl.Series:
    """Null where a row was not looked at."""
    return pl.Series(values.double().numpy()).fill_nan(None)


def _notes(found: Discovery) -> list[str]:
    looked = ~found.confidence.isnan()
    known = float(found.correct[looked].float().mean())
    if known >= KNOWN:
        return []
    return [
        f"the teacher classifies only {known:.0%} of the crops correctly: what it calls critical is only as good as that. "
        "Train it longer, take larger crops (crop_scale), or check that y are the numbers of its outputs"
    ]
