"""The few shapes the pictures of a report are made of, as inline SVG; colours come from the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup, escape

__all__ = ["Axis", "Drawing"]


class Drawing:
    """Collect shapes and hand them out as one ``<svg>``.

    Parameters
    ----------
    width, height : float
        In CSS pixels; the picture shrinks with the page.
    title : str
        What a screen reader says.
    """

    def __init__(self, width: float, height: float, title: str, css: str = "figure") -> None:
        self.width, self.height = width, height
        self.parts: list[str] = [
            f'<svg class="{css}" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
            'role="img">'
            f"<title>{escape(title)}</title>"
        ]

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        """A straight line."""
        self.parts.append(f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def rect(self, x: float, y: float, width: float, height: float, css: str) -> None:
        """A filled box; a negative width grows to the left."""
        x, width = (x + width, -width) if width < 0 else (x, width)
        self.parts.append(
            f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'
        )

    def dot(self, x: float, y: float, r: float, css: str, tip: str = "") -> None:
        """A disc with an optional tooltip."""
        inside = f"><title>{escape(tip)}</title></circle>" if tip else "/>"
        self.parts.append(f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"{inside}')

    def text(
        self, x: float, y: float, text: str, css: str = "", anchor: str = "start", turn: float = 0
    ) -> None:
        """A line of text, optionally turned around its anchor (degrees)."""
        turned = f' transform="rotate({turn:g} {x:.1f} {y:.1f})"' if turn else ""
        self.parts.append(
            f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turned}>'
            f"{escape(text)}</text>"
        )

    def path(self, d: str, css: str) -> None:
        """Anything else."""
        self.parts.append(f'<path class="{css}" d="{d}"/>')

    def curve(self, points: list[tuple[float, float]], css: str) -> None:
        """A polyline through the points."""
        self.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), css)

    def band(self, upper: list[tuple[float, float]], lower: list[tuple[float, float]], css: str) -> None:
        """The area between two polylines."""
        around = [*upper, *reversed(lower)]
        self.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in around) + "Z", css)

    def done(self) -> Markup:
        """The finished element, safe to place in a page: every text in it has been escaped."""
        return Markup("".join(self.parts) + "</svg>")


@dataclass(frozen=True)
class Axis:
    """A scale from data to pixels, linear or logarithmic.

    Examples
    --------
    >>> Axis(1, 1000, 0, 300, log=True)(10.0)
    100.0
    >>> Axis(0, 0.31, 0, 300).ticks()
    [0.0, 0.1, 0.2, 0.3]
    """

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self._scaled(self.low), self._scaled(self.high)
        share = (self._scaled(min(max(value, self.low), self.high)) - low) / ((high - low) or 1.0)
        return round(self.start + share * (self.stop - self.start), 6)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self) -> list[float]:
        """Round values to label: powers of ten, or about four steps of 1, 2 or 5."""
        if self.log:
            powers = range(
                math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1
            )
            step = max(1, math.ceil(len(powers) / 7))
            return [10.0**k for k in powers][::step]
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        raw = span / 4
        size = 10 ** math.floor(math.log10(raw))
        step = next(size * m for m in (1, 2, 5, 10) if raw <= size * m * 1.0001)
        first = math.ceil(self.low / step - 1e-9)
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]
