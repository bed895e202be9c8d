"""The pictures of a report, drawn for reading and for print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from markupsafe import Markup

from salience.report.svg import Axis, Drawing
from salience.report.words import PILES, Reading, is_control, number
from salience.results.display import shortened

__all__ = ["HeatMap", "bar", "cardinality_scatter", "curves", "heat_map", "score_bar"]

MOST_POINTS = 1500
MOST_LABELS = 9
# Where a label may stand about its dot, best first: (right, anchor, down), in pixels.
LABEL_PLACES = (
    (8, "start", 4), (-8, "end", 4), (0, "middle", -9), (0, "middle", 17),
    (7, "start", -8), (-7, "end", -8), (7, "start", 15), (-7, "end", 15),
)  # fmt: skip
BAR_WIDTH = 190.0


def score_bar(row: Mapping[str, Any], axis: Axis, css: str) -> Markup:
    """A score with its interval; under it, thin and grey, what noise of the same cardinality would get.

    Both start at zero. A grey line that leaves the picture ends in an arrow: that column would look best
    of all to someone who does not correct for cardinality.
    """
    drawing = Drawing(BAR_WIDTH, 20, f"score {number(row.get('value'))}", css=f"bar {css}")
    zero = axis(0.0)
    drawing.line(zero, 1, zero, 19, "zero")
    value, null = row.get("value"), row.get("null")
    if finite(value):
        drawing.rect(zero, 4, axis(value) - zero, 7, "value")
        if finite(row.get("lo")) and finite(row.get("hi")):
            low, high = axis(row["lo"]), axis(row["hi"])
            drawing.line(low, 7.5, high, 7.5, "interval")
            drawing.line(low, 5, low, 10, "interval")
            drawing.line(high, 5, high, 10, "interval")
    if finite(null) and null > 0:
        end = axis(null)
        drawing.rect(zero, 14, end - zero, 2, "null")
        if null > axis.high:
            drawing.path(f"M{end - 1:.1f} 11.5l6 3.5l-6 3.5z", "null")
    return drawing.done()


def bar(value: Any, axis: Axis, css: str = "") -> Markup:
    """One plain bar from zero."""
    drawing = Drawing(axis.stop + 4, 14, number(value), css=f"bar {css}")
    zero = axis(0.0)
    drawing.line(zero, 0, zero, 14, "zero")
    if finite(value):
        drawing.rect(zero, 3, axis(value) - zero, 8, "value")
    return drawing.done()


def cardinality_scatter(
    rows: Sequence[Mapping[str, Any]], reading: Reading, key: str, unit: str
) -> Markup | None:
    """Raw score against the number of distinct values, both logarithmic, with each column's own noise level.

    The grey tick is what noise with the same values gets; the stem from tick to dot is what is left
    of the score once chance is taken out.

    Parameters
    ----------
    rows : sequence of dict
        Of the ranking, best first, with ``raw``, ``null``, ``card``.
    reading : Reading
    key : str
    unit : str

    Returns
    -------
    Markup or None
        None when there are fewer than three columns to draw.
    """
    drawn = [r for r in rows if finite(r.get("raw")) and finite(r.get("null")) and (r.get("card") or 0) >= 1]
    drawn = drawn[:MOST_POINTS]
    if len(drawn) < 3:
        return None
    positive = [v for r in drawn for v in (r["raw"], r["null"]) if v > 0]
    if not positive:
        return None
    floor = max(min(positive) / 1.5, max(positive) * 1e-7)
    x = Axis(0.9, max(r["card"] for r in drawn) * 1.5, 66, 880, log=True)
    y = Axis(floor, max(positive) * 1.6, 360, 14, log=True)
    picture = Drawing(900, 412, "score against number of distinct values, with the level of noise")
    _frame(
        picture,
        x,
        y,
        "distinct values",
        f"score before correction, {unit}" if unit else "score before correction",
    )
    css = ["control" if is_control(r) else PILES[reading.of[str(r[key])]].css for r in drawn]
    dots = [(x(r["card"]), y(r["raw"]), r) for r in drawn]
    for (left, top, r), colour in zip(dots, css, strict=True):
        level = y(r["null"])
        picture.line(left, level, left, top, f"stem {colour}")
        picture.line(left - 4, level, left + 4, level, "noise")
    taken = [(left - 4, top - 4, left + 4, top + 4) for left, top, _ in dots[:60]]  # no label over a dot
    for (left, top, r), colour in zip(reversed(dots), reversed(css), strict=True):
        share = f"{number(r['raw'])}, of which noise {number(r['null'])}"
        tip = f"{r[key]}: {share}; {number(r['card'])} values; {PILES[reading.of[str(r[key])]].one}"
        picture.dot(left, top, 4.2, f"dot {colour}", tip)
    for left, top, r in _worth_a_label(dots, reading, key):
        text = shortened(str(r[key]), 26)
        width = 6.6 * len(text)
        for dx, anchor, dy in LABEL_PLACES:
            start = left + dx - {"start": 0, "end": width, "middle": width / 2}[anchor]
            box = (start, top + dy - 10, start + width, top + dy + 3)
            inside = box[0] > 66 and box[2] < 890 and box[1] > 4 and box[3] < 360
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                picture.text(left + dx, top + dy, text, "label", anchor)
                break
    return picture.done()


def _worth_a_label(
    dots: list[tuple[float, float, Any]], reading: Reading, key: str
) -> list[tuple[float, float, Any]]:
    """The columns a reader will ask about: what only looks as if, suspicious ones, and the best."""
    piles = [(reading.of[str(dot[2][key])], dot) for dot in dots]
    odd = [dot for pile, dot in piles if pile in ("looks", "leak")][:4]
    return (odd + [dot for pile, dot in piles if pile == "matters"])[:MOST_LABELS]


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _frame(picture: Drawing, x: Axis, y: Axis, x_name: str, y_name: str) -> None:
    """Hairlines, tick labels and names of the axes."""
    left, right, bottom, top = x.start, x.stop, y.start, y.stop
    for tick in y.ticks():
        picture.line(left, y(tick), right, y(tick), "grid")
        picture.text(left - 8, y(tick) + 4, _tick(tick), "tick", "end")
    for tick in x.ticks():
        picture.line(x(tick), bottom, x(tick), bottom + 5, "axis")
        picture.text(x(tick), bottom + 19, _tick(tick), "tick", "middle")
    picture.line(left, bottom, right, bottom, "axis")
    picture.text((left + right) / 2, bottom + 42, x_name, "axisname", "middle")
    picture.text(14, (top + bottom) / 2, y_name, "axisname", "middle", turn=-90)


def _tick(value: float) -> str:
    if value != 0 and (abs(value) < 1e-3):
        return f"{value:.0e}".replace("e-0", "e-")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


class HeatMap(NamedTuple):
    """A clustered matrix: its picture, its groups, how many columns it shows, of how many."""

    picture: Markup
    groups: list[list[str]]
    shown: int
    of: int


def heat_map(names: Sequence[str], pairs: Sequence[tuple[str, str, float]], most: int = 60) -> HeatMap | None:
    """Draw how much columns tell about each other, similar ones side by side (complete linkage).

    Parameters
    ----------
    names : sequence of str
        Columns by rank; the first `most` that occur in a pair are drawn.
    pairs : sequence of (a, b, value)
    most : int

    Returns
    -------
    HeatMap or None
        None when there are fewer than three columns.
    """
    from scipy.cluster.hierarchy import dendrogram, fcluster, linkage
    from scipy.spatial.distance import squareform

    present = {a for a, b, _ in pairs if a != b} | {b for a, b, _ in pairs if a != b}
    known = [n for n in names if n in present] or sorted(present)
    shown = known[:most]
    if len(shown) < 3:
        return None
    index = {n: i for i, n in enumerate(shown)}
    matrix = np.zeros((len(shown), len(shown)))
    for a, b, value in pairs:
        if a in index and b in index and a != b and finite(value):
            matrix[index[a], index[b]] = matrix[index[b], index[a]] = max(value, 0.0)
    strongest = matrix.max() or 1.0
    share = matrix / strongest
    np.fill_diagonal(share, 1.0)
    tree = linkage(
        squareform(1.0 - share, checks=False), method="complete", optimal_ordering=len(shown) <= 200
    )
    drawn = dendrogram(tree, no_plot=True)
    order = list(drawn["leaves"] or [])
    clusters = fcluster(tree, t=0.5, criterion="distance")
    groups = [[shown[i] for i in order if clusters[i] == c] for c in dict.fromkeys(clusters[order])]
    picture = _draw_matrix([shown[i] for i in order], share[np.ix_(order, order)], drawn, strongest)
    return HeatMap(picture, [g for g in groups if len(g) > 1], len(shown), len(known))


SHADES = 9


def _draw_matrix(names: list[str], share: np.ndarray, tree: Mapping[str, Any], strongest: float) -> Markup:
    count = len(names)
    cell = min(26.0, 620.0 / count)
    left, top = 210.0, 62.0
    width, side = left + 620 + 70, count * cell
    picture = Drawing(width, top + side + 14, "redundancy of columns, clustered")
    for xs, ys in zip(tree["icoord"], tree["dcoord"], strict=True):
        points = [
            (left + x / 10 * cell, top - 4 - min(y, 1.0) * (top - 12)) for x, y in zip(xs, ys, strict=True)
        ]
        picture.curve(points, "tree")
    # One path per shade keeps a 60 x 60 matrix at some 50 kB, and prints crisply.
    shades: dict[int, list[str]] = {}
    for i in range(count):
        for j in range(count):
            if i != j and (shade := round(math.sqrt(share[i, j]) * SHADES)):
                shades.setdefault(shade, []).append(
                    f"M{left + j * cell:.1f} {top + i * cell:.1f}h{cell:.1f}v{cell:.1f}h-{cell:.1f}z"
                )
    picture.rect(left, top, side, side, "ground")
    for shade, cells in sorted(shades.items()):
        picture.path("".join(cells), f"h{shade}")
    for i in range(count):
        picture.rect(left + i * cell, top + i * cell, cell, cell, "diagonal")
        picture.text(
            left - 6,
            top + (i + 0.5) * cell + min(cell, 11) * 0.34,
            shortened(names[i], 30),
            f"leaf{' small' if cell < 14 else ''}",
            "end",
        )
    key = left + side + 24
    for k in range(SHADES + 1):
        picture.rect(key, top + (SHADES - k) * 14, 14, 14, f"h{k}" if k else "ground")
    picture.text(key + 20, top + 10, number(strongest, 2), "tick")
    picture.text(key + 20, top + (SHADES + 1) * 14, "0", "tick")
    return picture.done()


def curves(lines: Sequence[Mapping[str, Any]], x_name: str, y_name: str) -> Markup | None:
    """Draw performance against the share of items kept or deleted, the real ranking beside its foils.

    Parameters
    ----------
    lines : sequence of dict
        ``name``, ``x``, ``y``, and where there are ``lo``, ``hi``; the ranking itself first.
    x_name, y_name : str

    Returns
    -------
    Markup or None
    """
    usable = [line for line in lines if sum(finite(v) for v in line["y"]) > 1]
    if not usable:
        return None
    every = [v for line in usable for part in ("y", "lo", "hi") for v in (line.get(part) or []) if finite(v)]
    across = [v for line in usable for v in line["x"]]
    low, high = min(every), max(every)
    pad = 0.06 * ((high - low) or abs(high) or 1.0)
    x = Axis(min(across), max(across), 58, 320)
    y = Axis(low - pad, high + pad, 250, 14)
    picture = Drawing(484, 300, f"{y_name} against {x_name}")
    _frame(picture, x, y, x_name, y_name)
    styles = ["c0", *(f"foil c{min(place, 4)}" for place in range(1, len(usable)))]
    for line, css in zip(reversed(usable), reversed(styles), strict=True):
        points = [(x(a), y(b)) for a, b in zip(line["x"], line["y"], strict=True) if finite(b)]
        if line.get("lo") and line.get("hi"):
            upper = [(x(a), y(b)) for a, b in zip(line["x"], line["hi"], strict=True) if finite(b)]
            lower = [(x(a), y(b)) for a, b in zip(line["x"], line["lo"], strict=True) if finite(b)]
            picture.band(upper, lower, f"band {css}")
        picture.curve(points, f"curve {css}")
        for a, b in points:
            picture.dot(a, b, 2.6 if css == "c0" else 1.8, f"point {css}")
    for place, (line, css) in enumerate(zip(usable, styles, strict=True)):
        top = 24 + place * 22.0
        picture.line(334, top, 354, top, f"curve {css}")
        picture.text(360, top + 4, shortened(str(line["name"]), 20), "label")
    return picture.done()


def finite(value: Any) -> TypeGuard[float]:
    """Whether something is a number, and none of NaN and the infinities."""
    return value is not None and isinstance(value, int | float | np.number) and math.isfinite(value)
