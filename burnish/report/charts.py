"""Line charts as inline SVG: small, without scripts, coloured by the page's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 440, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 12, 40
MOST_POINTS = 400
"""A longer curve is thinned: more points than pixels only make the file large."""


@dataclass(frozen=True)
class Curve:
    """One quantity over `xs`; `reference` is a level to compare it with, `log` draws it on a logarithmic axis."""

    xs: Sequence[float]
    ys: Sequence[float]
    x_label: str
    percent: bool = False
    log: bool = False
    reference: tuple[str, float] | None = None


def draw(curve: Curve) -> str:
    """The chart of `curve` as an `<svg>` element; empty if no point of it can be drawn."""
    points = [(x, y) for x, y in zip(curve.xs, curve.ys, strict=True) if math.isfinite(y) and (y > 0 or not curve.log)]
    if not points:
        return ""
    points = [*points[: -1 : max(1, len(points) // MOST_POINTS)], points[-1]]
    scale_x = _scale(0.0, max(x for x, _ in points) or 1.0, LEFT, WIDTH - RIGHT)
    low, high = _range(curve, [y for _, y in points])
    lift = math.log10 if curve.log else float
    scale_y = _scale(lift(low), lift(high), HEIGHT - BOTTOM, TOP)
    path = " ".join(f"{scale_x(x):.1f},{scale_y(lift(y)):.1f}" for x, y in points)
    parts = [
        *_y_axis(curve, low, high, lambda y: scale_y(lift(y))),
        *_x_axis(curve.x_label, max(x for x, _ in points) or 1.0, scale_x),
        *_reference(curve, lambda y: scale_y(lift(y))),
        f'<polyline class="line" points="{path}"/>',
        f'<circle class="end" cx="{scale_x(points[-1][0]):.1f}" cy="{scale_y(lift(points[-1][1])):.1f}" r="4"/>',
    ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * count >= span)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number for an axis: 20k, 0.05, 1e-4."""
    if 0 < abs(value) < 0.001:
        return f"{value:.0e}".replace("e-0", "e-")
    if abs(value) >= 1_000_000:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1_000:
        return f"{value / 1e3:g}k"
    return f"{value:.3g}"


def _range(curve: Curve, ys: Sequence[float]) -> tuple[float, float]:
    if curve.percent:
        return 0.0, 1.0
    if curve.log:
        return 10.0 ** math.floor(math.log10(min(ys))), 10.0 ** math.ceil(math.log10(max(ys)) + 1e-9)
    low, high = min(0.0, *ys), max(0.0, *ys)
    return low, high if high > low else low + 1.0


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _y_axis(curve: Curve, low: float, high: float, place: Callable[[float], float]) -> list[str]:
    if curve.log:
        ticks = [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    else:
        ticks = nice_ticks(low, high)
    parts = []
    for tick in ticks:
        y, label = place(tick), f"{tick:.0%}" if curve.percent else short(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return parts


def _x_axis(label: str, high: float, place: Callable[[float], float]) -> list[str]:
    parts = [
        f'<text class="tick" x="{place(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(tick)}</text>'
        for tick in nice_ticks(0.0, high)
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*parts, f'<text class="tick" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(label)}</text>']


def _reference(curve: Curve, place: Callable[[float], float]) -> list[str]:
    if curve.reference is None:
        return []
    name, value = curve.reference
    y = place(value)
    label_y = y + 14 if y < HEIGHT - BOTTOM - 20 else y - 6
    return [
        f'<line class="reference" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>',
        f'<text class="tick" x="{WIDTH - RIGHT}" y="{label_y:.1f}" text-anchor="end">{escape(name)}</text>',
    ]
