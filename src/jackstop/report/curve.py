"""The drawing of the cash curve: what explained movements leave in the machine, what all of them leave, and the gap."""

from collections.abc import Sequence
from dataclasses import dataclass

from jackstop.model import money
from jackstop.model.results import CashPoint
from jackstop.report.axis import RIGHT, Axis, Tick
from jackstop.report.moments import Clock
from jackstop.report.texts import Texts

TOP, BOTTOM = 20, 170
"""Units of the drawing: where its plot begins and ends."""
_LINES = 4


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line of the grid and the money it stands for."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A whole drawing.

    Attributes:
        expected, actual: SVG paths of the two steps. gap: SVG path of the area between them, empty where there is none.
        levels, ticks: the grid. relative: the level was not known, so it begins at zero.
        gap_x, gap_y: where to write the gap. expected_end, actual_end: the last levels, minor units.
    """

    expected: str
    actual: str
    gap: str
    levels: tuple[Level, ...]
    ticks: tuple[Tick, ...]
    relative: bool
    gap_x: float
    gap_y: float
    expected_end: int
    actual_end: int


def draw(points: Sequence[CashPoint], axis: Axis, clock: Clock, t: Texts, currency: str, *, known: bool) -> Curve | None:
    """The curve in the axis's window, or None where nothing moved; `known`: whether counters gave its level."""
    steps = _within(points, axis, 0 if known or not points else points[0].actual)
    if len(steps) < 2:
        return None
    low = min(min(p.expected, p.actual) for p in steps)
    high = max(max(p.expected, p.actual) for p in steps)
    margin = max((high - low) // 8, 1)
    low, high = low - margin, high + margin

    def y(amount: int) -> float:
        return round(BOTTOM - (amount - low) / (high - low) * (BOTTOM - TOP), 1)

    xs = [axis.x(p.time) for p in steps] + [float(RIGHT)]
    top, bottom = [y(p.expected) for p in steps], [y(p.actual) for p in steps]
    last = steps[-1]
    gap = "" if all(a == b for a, b in zip(top, bottom, strict=True)) else _area(xs, top, bottom)
    return Curve(
        expected=_path(xs, top),
        actual=_path(xs, bottom),
        gap=gap,
        levels=tuple(Level(y(a), t.money(a, currency)) for a in _round_amounts(low, high, currency)),
        ticks=axis.ticks(clock),
        relative=not known,
        gap_x=RIGHT - 8,
        gap_y=round((top[-1] + bottom[-1]) / 2 + 4, 1),
        expected_end=last.expected,
        actual_end=last.actual,
    )


def _within(points: Sequence[CashPoint], axis: Axis, zero: int) -> list[CashPoint]:
    """The points of the window, the first at its start with the level of then."""
    moved = [CashPoint(p.time, p.expected - zero, p.actual - zero) for p in sorted(points, key=lambda p: p.time)]
    before = [p for p in moved if p.time <= axis.start]
    inside = [p for p in moved if axis.start < p.time <= axis.end]
    begin = before[-1] if before else inside[0] if inside else None
    if begin is None:
        return []
    return [CashPoint(axis.start, begin.expected, begin.actual), *inside]


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A line of steps: each level holds until the next place."""
    parts = [f"M{xs[0]} {ys[0]}"]
    for i, level in enumerate(ys):
        parts.append(f"V{level}H{xs[i + 1]}" if i else f"H{xs[1]}")
    return "".join(parts)


def _area(xs: Sequence[float], top: Sequence[float], bottom: Sequence[float]) -> str:
    """The area between two lines of steps."""
    back = [f"L{xs[-1]} {bottom[-1]}"]
    back += [f"V{bottom[i]}H{xs[i]}" for i in range(len(bottom) - 1, -1, -1)]
    return _path(xs, top) + "".join(back) + "Z"


def _round_amounts(low: int, high: int, currency: str) -> list[int]:
    """At most four round amounts between two."""
    whole = int(10 ** money.exponent(currency))
    size = max((high - low) // _LINES, 1)
    step = next(n * 10**k for k in range(20) for n in (1, 2, 5) if n * 10**k > size)
    if step < whole < high - low:
        step = whole
    return list(range(-(-low // step) * step, high + 1, step))
