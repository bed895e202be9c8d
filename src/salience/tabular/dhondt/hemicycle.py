"""A parliament as a half circle of seats, in matplotlib and as SVG, and its numbers as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from salience.measures.apportion import sainte_lague
from salience.plotting.drawing import GREY, axes_or_new, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Party", "bars", "hemicycle", "hemicycle_svg", "seat_places"]

Floats = NDArray[np.float64]
INNER = 0.40  # radius of the first row of seats, the last is 1
SHADES = {"for": ("#08407e", "#9cc8e8"), "against": ("#9c1b12", "#f4b49b")}  # the largest party, the smallest
INK, EMPTY = "#222222", "#e4e4e4"
NAMED = 14  # parties that are named around the half circle, room permitting
LINE = 0.062  # height of a line of names, in radii
LETTER = 0.024  # width of a letter of them


@dataclass(frozen=True)
class Party:
    """A party with seats.

    Attributes
    ----------
    name : str
    seats : int
    side : {"for", "against"}
    value : float, optional
        Shown beside its seats.
    """

    name: str
    seats: int
    side: str = "for"
    value: float | None = None


def seat_places(seats: int) -> tuple[Floats, Floats, float]:
    """Where the seats of a half circle stand, from left to right.

    Parameters
    ----------
    seats : int

    Returns
    -------
    x, y : ndarray of float64, shape (seats,)
        In a half circle of radius 1 around the origin.
    size : float
        Diameter of a seat.

    Examples
    --------
    >>> x, y, size = seat_places(3)
    >>> x.round(2), y.round(2)
    (array([-1.,  0.,  1.]), array([0., 1., 0.]))
    """
    if seats < 1:
        return np.zeros(0), np.zeros(0), 0.0
    rows = max(1, round((0.26 * seats) ** 0.5))  # rows are then as far apart as the seats in them
    radii = np.linspace(INNER, 1.0, rows) if rows > 1 else np.ones(1)
    in_row = sainte_lague(radii, seats)
    angle = np.concatenate([_spread(int(k)) for k in in_row])
    radius = np.repeat(radii, in_row)
    order = np.lexsort((radius, -angle.round(9)))
    near = [np.pi * r / (k - 1) for r, k in zip(radii, in_row, strict=True) if k > 1]
    apart = min([*near, (1 - INNER) / max(rows - 1, 1)])
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    return x[order], y[order], 0.84 * min(apart, 0.22)


def _spread(k: int) -> Floats:
    return np.linspace(np.pi, 0.0, k) if k > 1 else np.full(k, np.pi / 2)


@dataclass(frozen=True)
class _Seated:
    """A party with its places, its colour, and the angle of its middle."""

    party: Party
    places: slice
    colour: str
    angle: float


def _seated(parties: Sequence[Party], x: Floats, y: Floats) -> list[_Seated]:
    """Against on the left, for on the right, the largest outside; with one side only, the largest on the left."""
    against, supporting = (
        sorted((p for p in parties if p.side == side and p.seats > 0), key=lambda p: -p.seats)
        for side in ("against", "for")
    )
    shaded = [*_shaded(against), *(reversed(_shaded(supporting)) if against else _shaded(supporting))]
    found, start = [], 0
    for party, colour in shaded:
        places = slice(start, start + party.seats)
        middle = float(np.arctan2(y[places].mean(), x[places].mean())) if party.seats else np.pi / 2
        found.append(_Seated(party, places, colour, middle))
        start += party.seats
    return found


def _shaded(parties: list[Party]) -> list[tuple[Party, str]]:
    """Dark to light, every other one a little lighter, so that neighbours are told apart."""
    steps = max(len(parties) - 1, 1)
    shade = [min(0.88 * (i / steps) ** 0.6 + 0.12 * (i % 2), 1.0) for i in range(len(parties))]
    return [(party, _between(*SHADES[party.side], t)) for party, t in zip(parties, shade, strict=True)]


def _between(dark: str, light: str, t: float) -> str:
    a, b = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (dark, light))
    return "#" + "".join(f"{int(v):02x}" for v in np.round(a + t * (b - a)))


def _named(seated: Sequence[_Seated], size: float) -> list[tuple[_Seated, float, float, str]]:
    """Names around the half circle, the largest first, those that find room: party, x, y, text."""
    taken: list[tuple[float, float, float, float]] = []
    found = []
    for one in sorted(seated, key=lambda one: -one.party.seats)[:NAMED]:
        text = f"{label_of(one.party.name)} {one.party.seats}"
        beside = 1.04 + size / 2
        x, y = beside * np.cos(one.angle), beside * np.sin(one.angle)
        width = LETTER * len(text)
        left = x - (width if x < -0.12 else 0.0 if x > 0.12 else width / 2)
        box = (left, y - LINE / 2, left + width, y + LINE / 2)
        if all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in taken):
            taken.append(box)
            found.append((one, x, y, text))
    return found


def _anchor(x: float) -> str:
    return "right" if x < -0.12 else "left" if x > 0.12 else "center"


def _rest(seated: Sequence[_Seated], named: Sequence[Any]) -> str:
    left = len(seated) - len(named)
    seats = sum(one.party.seats for one in seated) - sum(one.party.seats for one, *_ in named)
    return f"{left} more with {seats} seat{'s' if seats != 1 else ''}" if left else ""


def hemicycle(
    parties: Sequence[Party],
    ax: Axes | None = None,
    *,
    title: str = "",
    middle: str = "",
    below: str = "",
    note: str = "",
) -> Axes:
    """Draw parties as a half circle of seats: red against, blue for, darker is larger.

    Parameters
    ----------
    parties : sequence of Party
    ax : matplotlib Axes, optional
    title : str
        Above.
    middle, below : str
        In the middle of the half circle, the first one large.
    note : str
        Under it.

    Returns
    -------
    matplotlib Axes
    """
    from matplotlib.collections import EllipseCollection

    ax = axes_or_new(ax, height=3.9)
    total = sum(party.seats for party in parties)
    x, y, size = seat_places(total)
    seated = _seated(parties, x, y)
    colours = [one.colour for one in seated for _ in range(one.party.seats)]
    width = np.full(total, size)
    ax.add_collection(
        EllipseCollection(
            width, width, np.zeros(total), units="xy", offsets=np.column_stack([x, y]), offset_transform=ax.transData,
            facecolors=colours, edgecolors="none",
        )
    )  # fmt: skip
    named = _named(seated, size)
    for _, at_x, at_y, text in named:
        ax.text(at_x, at_y, text, ha=_anchor(at_x), va="center", fontsize=8.5, color=INK)
    ax.text(0, 0.08, middle, ha="center", va="center", fontsize=20, fontweight="bold", color=INK)
    ax.text(0, -0.12, below, ha="center", va="center", fontsize=9, color=GREY)
    ends = " · ".join(filter(None, (_rest(seated, named), note)))
    ax.text(0, -0.21, ends, ha="center", va="center", fontsize=8.5, color=GREY)
    ax.set_xlim(-1.62, 1.62)
    ax.set_ylim(-0.26, 1.16)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(title, fontsize="medium", loc="left")
    return ax


def hemicycle_svg(
    parties: Sequence[Party], *, title: str = "", middle: str = "", below: str = "", note: str = ""
) -> str:
    """Write the same picture as one ``<svg>`` element; each party says its seats when pointed at.

    Parameters
    ----------
    parties : sequence of Party
    title, middle, below, note : str
        As in :func:`hemicycle`; `title` is what a screen reader says.

    Returns
    -------
    str

    Examples
    --------
    >>> hemicycle_svg([Party("age", 2), Party("<city>", 1, "against")]).count("<circle")
    3
    """
    x, y, size = seat_places(sum(party.seats for party in parties))
    seated = _seated(parties, x, y)
    named = _named(seated, size)
    scale, left, floor = 200.0, 330.0, 240.0
    at_x, at_y = left + scale * x, floor - scale * y
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="parliament" viewBox="0 0 660 290" role="img" '
        f'font-family="sans-serif"><title>{escape(title or "parliament")}</title>'
    ]
    for one in seated:
        party = one.party
        value = "" if party.value is None else f", value {party.value:+.4g}"
        parts.append(
            f'<g class="{party.side}" fill="{one.colour}"><title>{escape(party.name)}: {party.seats} '
            f"seat{'s' if party.seats != 1 else ''} {party.side}{value}</title>"
        )
        parts += [
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{scale * size / 2:.2f}"/>'
            for cx, cy in zip(at_x[one.places], at_y[one.places], strict=True)
        ]
        parts.append("</g>")
    anchors = {"right": "end", "left": "start", "center": "middle"}
    for _, name_x, name_y, text in named:
        parts.append(
            f'<text x="{left + scale * name_x:.1f}" y="{floor - scale * name_y + 4:.1f}" font-size="12" '
            f'fill="currentColor" text-anchor="{anchors[_anchor(name_x)]}">{_plain(text)}</text>'
        )
    for text, text_y, size_px, more in (
        (middle, floor - 6, 30, ' font-weight="bold"'),
        (below, floor + 26, 12, ' opacity="0.65"'),
        (" · ".join(filter(None, (_rest(seated, named), note))), floor + 44, 12, ' opacity="0.65"'),
    ):
        if text:
            parts.append(
                f'<text x="{left:g}" y="{text_y:g}" font-size="{size_px}" fill="currentColor" text-anchor="middle"{more}>'
                f"{escape(text)}</text>"
            )
    return "".join([*parts, "</svg>"])


def _plain(label: str) -> str:
    return escape(label.replace(r"\$", "$"))


def bars(
    values: Mapping[str, float], ax: Axes | None = None, *, marks: Mapping[str, float] | None = None, top: int = 20,
    colours: Mapping[str, str] | None = None, axis: str = "", title: str = "",
) -> Axes:  # fmt: skip
    """Bars of signed values, the largest on top: red below 0, blue above; residuals hatched.

    Parameters
    ----------
    values : mapping of str to float
        Names that start with "__" are residuals.
    ax : matplotlib Axes, optional
    marks : mapping of str to float, optional
        A tick beside each bar: the quota beside seats.
    top : int, default=20
    colours : mapping of str to {"for", "against"}, optional
        Sides that are not the sign of the value.
    axis, title : str
    """
    chosen = sorted((name for name in values if values[name] != 0), key=lambda name: -abs(values[name]))
    shown = chosen[:top]
    ax = axes_or_new(ax, height=1.2 + 0.24 * max(len(shown), 3))
    for place, name in enumerate(shown):
        value = values[name]
        side = (colours or {}).get(name, "for" if value >= 0 else "against")
        residual = name.startswith("__")
        ax.barh(
            place, value, height=0.76, color=EMPTY if residual else SHADES[side][0], alpha=0.92,
            hatch="////" if residual else None, edgecolor=GREY if residual else "none", linewidth=0.0,
        )  # fmt: skip
        if marks is not None:
            ax.plot([marks[name]] * 2, [place - 0.44, place + 0.44], color=INK, linewidth=1.2)
    ax.set_yticks(range(len(shown)), [label_of(_worded(name)) for name in shown])
    ax.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel(axis)
    ax.set_title(title, fontsize="medium", loc="left")
    if len(chosen) > top:
        ax.annotate(f"{len(chosen) - top} more", (1, 0), xycoords="axes fraction", ha="right", va="bottom",
                    fontsize="small", color=GREY)  # fmt: skip
    return ax


def _worded(name: str) -> str:
    return name.strip("_").replace("_", " ") if name.startswith("__") else name
