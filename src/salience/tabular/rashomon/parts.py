"""What is masked and shuffled as one: columns, groups of columns, segments of images; and which sets of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Subset: TypeAlias = tuple[int, ...]

SEEN = 0.5  # share of rows the model was trained on from which a note is due


@dataclass(frozen=True)
class Parts:
    """Named parts of the rows.

    Attributes
    ----------
    names : tuple of str
    columns : tuple of integer arrays
        Of the rows laid flat. The pixels of a segment in order, the channels of a pixel side by side.
    channels : int
        Of an image; 0 for a table.
    shape : tuple of int
        Of one row as the model sees it.
    """

    names: tuple[str, ...]
    columns: tuple[NDArray[np.int64], ...]
    channels: int
    shape: tuple[int, ...]

    def index(self, name: Any) -> int:
        """The place of a part, by name or by place.

        Raises
        ------
        ValueError
            When there is none.
        """
        if isinstance(name, str) and name in self.names:
            return self.names.index(name)
        if isinstance(name, int | np.integer) and not isinstance(name, bool) and 0 <= name < len(self.names):
            return int(name)
        raise ValueError(f"there is no feature {name!r}; the features are {', '.join(self.names[:20])}")

    def subset(self, names: Iterable[Any]) -> Subset:
        """The places of a subset, ascending."""
        if isinstance(names, str):
            raise ValueError(f"a subset is a tuple of features, got the text {names!r}")
        found = tuple(sorted(self.index(name) for name in names))
        if len(set(found)) < len(found):
            raise ValueError(f"the subset {tuple(self.names[i] for i in found)} names a feature twice")
        return found

    def subsets(
        self, given: Iterable[Iterable[Any]] | None, order: int, among: Sequence[int]
    ) -> list[Subset]:
        """Those that were asked for, or all of one size."""
        if given is None:
            return list(combinations(among, order))
        found = [self.subset(names) for names in given]
        wrong = [subset for subset in found if len(subset) != order]
        if wrong:
            raise ValueError(
                f"every subset must have {order} features, got one of {len(wrong[0])}; see `order`"
            )
        return list(dict.fromkeys(subset for subset in found if set(subset) <= set(among)))


def table_parts(names: Sequence[str], groups: Mapping[str, Sequence[Any]] | None = None) -> Parts:
    """Every column a part, but for those of a group, which are one part together.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    groups : mapping of str to sequence of names or places, optional
        The indicator columns of a category, say.

    Raises
    ------
    ValueError
        When a group is empty, names an unknown column, or shares one with another.

    Examples
    --------
    >>> table_parts(["age", "red", "blue"], {"colour": ["red", "blue"]}).names
    ('age', 'colour')
    """
    single = Parts(tuple(names), tuple(np.array([j]) for j in range(len(names))), 0, (len(names),))
    if not groups:
        return single
    owner: dict[int, str] = {}
    for group, members in groups.items():
        if not len(members):
            raise ValueError(f"the group {group!r} is empty; name its columns")
        for column in map(single.index, members):
            if column in owner:
                raise ValueError(
                    f"the column {names[column]!r} stands twice in the groups; a column has one part"
                )
            owner[column] = group
    columns: dict[str, list[int]] = {}
    for j, name in enumerate(names):
        if j not in owner and name in groups:
            raise ValueError(
                f"the group {name!r} has the name of a column that is not in it; name it otherwise"
            )
        columns.setdefault(owner.get(j, name), []).append(j)
    return Parts(tuple(columns), tuple(np.array(found) for found in columns.values()), 0, (len(names),))


def image_parts(shape: tuple[int, ...], segments: Any) -> Parts:
    """Every segment of a label map a part.

    Parameters
    ----------
    shape : tuple of int
        Of one image: (height, width), (height, width, channels) or (channels, height, width).
    segments : integer array of shape (height, width)

    Examples
    --------
    >>> image_parts((1, 2, 3), [[4, 7]]).columns[1]
    array([3, 4, 5])
    """
    labels = np.asarray(segments)
    places = np.arange(int(np.prod(shape))).reshape(shape)
    if places.ndim == 2:
        places = places[..., None]
    elif places.ndim == 3 and places.shape[:2] != labels.shape and places.shape[1:] == labels.shape:
        places = np.moveaxis(places, 0, -1)
    if places.ndim != 3 or places.shape[:2] != labels.shape:
        raise ValueError(
            f"segments of shape {labels.shape} do not fit images of shape {tuple(shape)}; images are (height, width), "
            "(height, width, channels) or (channels, height, width)"
        )
    found = np.unique(labels)
    columns = tuple(places[labels == label].ravel() for label in found)
    return Parts(tuple(f"segment {label}" for label in found), columns, places.shape[2], tuple(shape))


def image_rows(X: Any, y: NDArray[Any]) -> tuple[Floats, NDArray[Any]]:
    """Images and a target for each, as they came.

    Raises
    ------
    ValueError
        When they are not.
    """
    images = np.asarray(X, dtype=np.float64)
    if images.ndim not in (3, 4) or not len(images) or not np.isfinite(images).all():
        raise ValueError(
            "with segments, X holds finite images of shape (n, height, width[, channels]) or (n, channels, height, "
            f"width); got {images.shape}"
        )
    if len(y) != len(images):
        raise ValueError(f"X holds {len(images)} images and y {len(y)} targets; give one for each")
    return images, y


def table_of(X: Any) -> tuple[Any, list[str] | None, Any]:
    """Rows as an array, the names of the columns and the frame, where there is one.

    Raises
    ------
    TypeError
        When a column does not hold numbers.
    """
    if not (hasattr(X, "columns") or hasattr(X, "column_names")):
        array = np.asarray(X)
        if array.dtype.kind in "OSUM":
            array = _of_objects(array)
        return array, None, None
    frame = nw.from_native(X, eager_only=True)
    text = [name for name, kind in frame.schema.items() if not (kind.is_numeric() or kind == nw.Boolean)]
    if text:
        raise TypeError(
            f"columns must hold numbers to be scaled and shuffled; these do not: {', '.join(map(str, text[:5]))}. "
            "Encode them, and name the columns of a category in `groups`"
        )
    return frame.to_numpy().astype(np.float64), [str(name) for name in frame.columns], X


def _of_objects(array: NDArray[Any]) -> Floats:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"X must hold numbers to be scaled and shuffled, got dtype {array.dtype}: {error}. Encode categories, and "
            "name their columns in `groups`"
        ) from error


def centre_of(X: Floats, parts: Parts, centre: Any) -> Floats:
    """The point about which masks act, shape (d,)."""
    if centre is None:
        centre = "zero" if parts.channels else "mean"
    if isinstance(centre, str):
        return X.mean(axis=0) if centre == "mean" else np.zeros(X.shape[1])
    found = np.asarray(centre, dtype=np.float64).reshape(-1)
    if found.shape != (X.shape[1],) or not np.isfinite(found).all():
        raise ValueError(
            f"centre must be one finite number for each of {X.shape[1]} columns, got shape {found.shape}"
        )
    return found


def correlation(X: Floats, parts: Parts, subset: Subset) -> float:
    """The largest correlation, by size, between columns of different parts of the subset; 0 where one is constant."""
    best = 0.0
    for a, b in combinations(subset, 2):
        left, right = X[:, parts.columns[a]], X[:, parts.columns[b]]
        left, right = left - left.mean(axis=0), right - right.mean(axis=0)
        size = np.outer(np.sqrt((left**2).sum(axis=0)), np.sqrt((right**2).sum(axis=0)))
        products = left.T @ right
        found = np.divide(products, size, out=np.zeros_like(size), where=size > 0)
        largest = float(found.flat[np.abs(found).argmax()])
        best = largest if abs(largest) > abs(best) else best
    return best


def notes_on(X: Floats, parts: Parts, seen: Any) -> list[str]:
    """What is wrong with the rows, though not wrong enough to refuse them."""
    notes = []
    still = [n for n, c in zip(parts.names, parts.columns, strict=True) if (X[:, c] == X[0, c]).all()]
    if still and not parts.channels:
        notes.append(
            f"constant on these rows, so neither masks nor shuffles say anything: {', '.join(still[:5])}"
        )
    if seen is not None and share_seen(X, seen) >= SEEN:
        notes.append(
            "the model was trained on these rows: take held-out ones, on these the tolerance is too small"
        )
    return notes


def share_seen(X: Floats, seen: Any) -> float:
    """The share of rows that are also among `seen`."""
    other = np.ascontiguousarray(table_of(seen)[0], dtype=np.float64)
    other = other.reshape(len(other), -1)
    if other.shape[1:] != X.shape[1:]:
        raise ValueError(
            f"`seen` has rows of shape {other.shape[1:]}, X of shape {X.shape[1:]}; they must be alike"
        )
    known = {row.tobytes() for row in other}
    return float(np.mean([row.tobytes() in known for row in np.ascontiguousarray(X)]))
