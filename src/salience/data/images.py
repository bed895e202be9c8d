"""Labelled images from files: an .npz of two arrays, or a folder with a folder of PNG or JPEG files for each class."""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salience.data.arrays import opened_npz
from salience.data.files import unreadable
from salience.data.readers.source import SourceError, near

__all__ = ["LabelledImages", "read_images"]

NAMES = (("images", "labels"), ("X", "y"), ("x", "y"))  # of the arrays in an .npz
ENDINGS = (".png", ".jpg", ".jpeg")
SCALES = (1.0, 255.0, 65535.0)  # what white is
MEMORY = 4 << 30  # bytes that images may take
PIXELS = 1 << 26  # of one picture, before it is made smaller
_PIXEL_BYTES = 12  # of a picture that is decoded, and made smaller as numbers of 32 bits


class LabelledImages(NamedTuple):
    """Images and their classes.

    Attributes
    ----------
    pixels : ndarray of float32, shape (n, channels, H, W)
        In [0, 1]; 1 channel or 3.
    labels : ndarray of int64, shape (n,)
        Places in `classes`.
    classes : ndarray
        Whole numbers or text, ascending.
    rows : ndarray of int64, shape (n,)
        Numbers in the source, from 0, ascending.
    total : int
        Images that the source has.
    files : tuple of str
        Of a folder, its files: ``"cat/01.png"``. Empty for an ``.npz``.
    notes : tuple of str
        What was done to the pixels.
    """

    pixels: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: NDArray[Any]
    rows: NDArray[np.int64]
    total: int
    files: tuple[str, ...]
    notes: tuple[str, ...]


def read_images(
    path: str | os.PathLike[str],
    size: int | None = None,
    *,
    rows: int | None = None,
    seed: int = 0,
    memory: int = MEMORY,
) -> LabelledImages:
    """Read images with their classes; nothing in a file is executed.

    Parameters
    ----------
    path : path
        ``.npz`` with arrays ``images`` and ``labels`` (or ``X`` and ``y``), the images of shape (n, H, W), (n, H, W, channels)
        or (n, channels, H, W) with 1 or 3 channels; or a folder that has one folder of PNG and JPEG files for each class.
        Numbers beyond 1 are divided by 255 or 65,535, or, where they reach not half of that, by the largest of them.
    size : int, optional
        Height and width that every image gets, bilinearly. Without it the files of a folder must be of one size.
    rows : int, optional
        At most so many images, drawn with equal chances.
    seed : int
        Of the draw.
    memory : int
        Bytes that reading may take: arrays as they unpack, the numbers made of those that are drawn, one picture.

    Returns
    -------
    LabelledImages

    Raises
    ------
    SourceError
        Nothing there, another format, a broken picture (its name is in the message), shapes that are none of images,
        numbers below 0 or missing, one class only, Python objects (a pickle), more than `memory`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", images=np.zeros((4, 8, 8), np.uint8), labels=["cat", "dog"] * 2)
    ...     found = read_images(f"{folder}/a.npz")
    >>> found.pixels.shape, found.classes.tolist(), found.labels.tolist()
    ((4, 1, 8, 8), ['cat', 'dog'], [0, 1, 0, 1])
    """
    given = Path(path)
    if size is not None and size < 1:
        raise ValueError(f"size is a number of pixels from 1 up, got {size}")
    if given.is_dir():
        return _folder(given, size, rows, seed, memory)
    if odd := unreadable(given):
        raise SourceError(odd)
    if given.suffix.lower() != ".npz":
        raise SourceError(
            f"{given}: images are read from an .npz with the arrays images and labels, or from a folder with one folder of "
            "PNG or JPEG files for each class"
        )
    if not given.is_file():
        names = [file.name for file in given.parent.iterdir()] if given.parent.is_dir() else []
        raise SourceError(f"there is no file {near(given.name, names)} in {given.parent}")
    return _npz(given, size, rows, seed, memory)


# ------------------------------------------------------------------------------------------------- arrays
def _npz(path: Path, size: int | None, rows: int | None, seed: int, memory: int) -> LabelledImages:
    images, labels = _arrays(path, memory)
    pixels = _channels_first(images, path)
    named = _checked_labels(labels, len(pixels), path)
    drawn = _drawn(len(pixels), rows, seed)
    numbers = len(drawn) * math.prod(pixels.shape[1:])
    resized = 0 if size is None else len(drawn) * pixels.shape[1] * size * size
    room = memory - images.nbytes - numbers * (images.itemsize if len(drawn) < len(pixels) else 0)
    _refuse_many(2 * numbers + resized, room, path)  # twice: converted, and divided
    some = pixels[drawn]
    _refuse_wild(some, drawn, path)
    scale, notes = _scale(float(some.max()), path)
    found = some.astype(np.float32) / np.float32(scale)
    if size is not None and found.shape[2:] != (size, size):
        found = np.stack([_resized(image, size) for image in found])
    classes, codes = _coded(named[drawn], path)
    return LabelledImages(found, codes, classes, drawn, len(pixels), (), notes)


def _arrays(path: Path, memory: int) -> tuple[NDArray[Any], NDArray[Any]]:
    with opened_npz(path, "np.asarray(images, dtype=np.uint8), np.asarray(labels).astype(str)") as file:
        pair = next((pair for pair in NAMES if set(pair) <= set(file.files)), None)
        if pair is None:
            there = ", ".join(file.files) or "nothing"
            raise SourceError(
                f"{path} has {there}; the arrays are called images and labels, or X and y: "
                "np.savez(path, images=images, labels=labels)"
            )
        file.refuse_large(
            pair, memory, "save fewer images, smaller ones, or bytes (uint8), or give more memory"
        )
        return file[pair[0]], file[pair[1]]


def _channels_first(images: NDArray[Any], path: Path) -> NDArray[Any]:
    """Shape (n, channels, H, W), a view."""
    shape = images.shape
    if images.dtype.kind not in "buif":
        raise SourceError(
            f"the images in {path} are {images.dtype}; pixels are numbers: uint8, or floats in [0, 1]"
        )
    if 0 in shape or images.ndim not in (3, 4):
        raise SourceError(
            f"the images in {path} have the shape {shape}; it is (n, H, W), (n, H, W, channels) or (n, channels, H, W). Flat "
            "rows become images.reshape(n, H, W)"
        )
    if images.ndim == 3:
        return images[:, None]
    last, first = shape[3] in (1, 3), shape[1] in (1, 3)
    if last == first:
        why = "either could be the channels" if last else "there are 1 or 3 channels (leave transparency out)"
        raise SourceError(
            f"the images in {path} have the shape {shape}: {why}; save (n, H, W) or (n, channels, H, W)"
        )
    return images.transpose(0, 3, 1, 2) if last else images


def _checked_labels(labels: NDArray[Any], n: int, path: Path) -> NDArray[Any]:
    named = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if named.shape != (n,):
        raise SourceError(
            f"{path} has labels of the shape {labels.shape} for {n:,} images; there is one per image: labels.argmax(1) "
            "makes them of columns of 0 and 1"
        )
    if named.dtype.kind == "f":
        odd = np.flatnonzero(~np.isfinite(named) | (named != np.floor(named)))
        if len(odd):
            raise SourceError(
                f"label {odd[0]} in {path} is {named[odd[0]]}; labels are whole numbers or text"
            )
        return named.astype(np.int64)
    if named.dtype.kind not in "iubUS":
        raise SourceError(f"the labels in {path} are {named.dtype}; labels are whole numbers or text")
    return named.astype(str) if named.dtype.kind == "S" else named


def _refuse_wild(pixels: NDArray[Any], rows: NDArray[np.int64], path: Path) -> None:
    """Numbers that no pixel has, by the image that has them."""
    flat = pixels.reshape(len(pixels), -1)
    wrong = (~np.isfinite(flat)).any(axis=1) if pixels.dtype.kind == "f" else np.zeros(len(flat), dtype=bool)
    if wrong.any():
        raise SourceError(
            f"image {rows[wrong.argmax()]} in {path} has NaN or inf in it; fill it, or leave it out"
        )
    below = flat.min(axis=1) < 0
    if below.any():
        raise SourceError(
            f"image {rows[below.argmax()]} in {path} has numbers below 0; pixels lie in [0, 1] or from 0 to 255: undo what "
            "standardised them"
        )


def _scale(largest: float, path: Path) -> tuple[float, tuple[str, ...]]:
    """What pixels are divided by, and what is said of it."""
    scale = next((scale for scale in SCALES if largest <= scale), largest)
    if scale > 1 and 2 * largest < scale:
        scale = largest
    said = (
        f"the pixels of {path.name} were divided by {scale:g}, the largest of them"
        if scale not in SCALES
        else None
    )
    return scale, () if said is None else (said,)


def _resized(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    from PIL import Image

    channels = [Image.fromarray(channel).resize((size, size), Image.Resampling.BILINEAR) for channel in image]
    return np.stack([np.asarray(channel, dtype=np.float32) for channel in channels]).clip(0, 1)


# ------------------------------------------------------------------------------------------------ folders
def _folder(path: Path, size: int | None, rows: int | None, seed: int, memory: int) -> LabelledImages:
    kinds = sorted(kind for kind in path.iterdir() if kind.is_dir() and not kind.name.startswith("."))
    found = {kind.name: list(_pictures_in(kind)) for kind in kinds}
    files = [f"{name}/{file}" for name, names in found.items() for file in names]
    if not files:
        loose = any(file.suffix.lower() in ENDINGS for file in path.iterdir())
        there = "pictures, but no folder for each class" if loose else "no folders of pictures"
        raise SourceError(
            f"{path} has {there}: put the PNG or JPEG files of each class into a folder of its name, as {path.name}/cat/01.png"
        )
    others = [file for kind in (path, *kinds) for file in sorted(kind.iterdir()) if _left_out(file, path)]
    odd = f"{len(others):,} files that are no PNG or JPEG in a folder of a class are left out, such as"
    notes = [f"{odd} {others[0].relative_to(path)}"] if others else []
    drawn = _drawn(len(files), rows, seed)
    chosen = [files[row] for row in drawn]
    pixels, said = _decoded(path, chosen, size, memory)
    classes, codes = _coded(np.array([name.partition("/")[0] for name in chosen]), path)
    return LabelledImages(pixels, codes, classes, drawn, len(files), tuple(files), (*notes, *said))


def _pictures_in(folder: Path) -> Iterator[str]:
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".") and file.is_file():
            yield file.name


def _left_out(file: Path, folder: Path) -> bool:
    hidden = file.name.startswith(".") or file.is_dir()
    return not hidden and (file.parent == folder or file.suffix.lower() not in ENDINGS)


def _decoded(
    folder: Path, files: Sequence[str], size: int | None, memory: int
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Pictures one after the other into one array: grey if all are, else of three colours."""
    most = min(PIXELS, memory // _PIXEL_BYTES)
    with _opened(folder / files[0], most) as first:
        side = (size, size) if size is not None else (first.height, first.width)
    colour = any(_is_coloured(folder / name, most) for name in files)
    _refuse_many(len(files) * (3 if colour else 1) * math.prod(side), memory, folder)
    pixels = np.empty((len(files), 3 if colour else 1, *side), dtype=np.float32)
    clear = 0
    for place, name in enumerate(files):
        with _opened(folder / name, most) as picture:
            if size is None and (picture.height, picture.width) != side:
                raise SourceError(
                    f"{folder / name} has {picture.height} x {picture.width} pixels, {files[0]} has {side[0]} x {side[1]}: "
                    "--size makes them alike"
                )
            clear += picture.has_transparency_data
            pixels[place] = _as_array(picture, colour, side)
    notes = (f"transparency was left out of {clear:,} pictures",) if clear else ()
    return pixels, notes


def _as_array(picture: Any, colour: bool, side: tuple[int, int]) -> NDArray[np.float32]:
    from PIL import Image

    if picture.mode.startswith("I"):  # 16 bits of grey, which convert would cut off
        grey = Image.fromarray(np.asarray(picture, dtype=np.float32) / np.float32(65535))
        resized = np.asarray(grey.resize(side[::-1], Image.Resampling.BILINEAR), dtype=np.float32)
        return np.broadcast_to(resized, (3 if colour else 1, *side))
    plain = picture.convert("RGB" if colour else "L")
    if plain.size != side[::-1]:
        plain = plain.resize(side[::-1], Image.Resampling.BILINEAR)
    values = np.asarray(plain, dtype=np.float32) / np.float32(255)
    return values.transpose(2, 0, 1) if colour else values[None]


def _is_coloured(file: Path, most: int) -> bool:
    """By its head alone."""
    with _opened(file, most) as picture:
        return picture.mode not in ("1", "L", "LA") and not picture.mode.startswith("I")


@contextmanager
def _opened(file: Path, most: int) -> Iterator[Any]:
    """A picture of which only the head was read; what cannot be read, here or later, is said with its name."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is narrower
            picture = Image.open(file, formats=("PNG", "JPEG"))
        with picture:
            if picture.width * picture.height > most:
                raise SourceError(
                    f"{file} has {picture.width:,} x {picture.height:,} pixels, more than {most:,}: make it smaller first"
                )
            yield picture
    except SourceError:
        raise
    except Image.DecompressionBombError:
        raise SourceError(f"{file} has too many pixels: make it smaller first") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, zlib.error) as error:
        said = "it is no PNG or JPEG" if isinstance(error, UnidentifiedImageError) else str(error)
        raise SourceError(f"{file} cannot be read as a picture: {said}; mend it, or take it away") from None


# --------------------------------------------------------------------------------------------------- both
def _drawn(n: int, rows: int | None, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(n)[:rows])


def _coded(named: NDArray[Any], path: Path) -> tuple[NDArray[Any], NDArray[np.int64]]:
    classes, codes = np.unique(named, return_inverse=True)
    if len(classes) < 2:
        raise SourceError(
            f"all images of {path} are of the class {classes[0]}: there is nothing to tell apart"
        )
    return classes, codes.astype(np.int64)


def _refuse_many(numbers: int, room: int, path: Path) -> None:
    if 4 * numbers > room:
        raise SourceError(
            f"the images of {path} are {numbers:,} numbers together, which take {4 * numbers / 2**30:,.2f} GiB, and there is "
            f"room for {max(room, 0) / 2**30:,.2f}: make them smaller with --size, take fewer with --rows, or give more memory"
        )
