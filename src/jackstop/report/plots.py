"""Small plots of the continuous measures: geometry for SVG, and block characters for terminals."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from jackstop.model.measures import Drop, Measures
from jackstop.report.moments import Clock
from jackstop.report.texts import Texts

WIDTH, HEIGHT = 480, 96
"""Units of a small plot."""
_LEFT, _TOP, _FOOT = 4, 6, 18
_BLOCKS = "▁▂▃▄▅▆▇█"
_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of a plot: its place and size, and what it says."""

    x: float
    y: float
    width: float
    height: float
    tip: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A small plot: bars, an SVG path over them, what its highest stands for, and when it begins and ends."""

    columns: tuple[Column, ...]
    line: str
    top: str
    begin: str
    end: str
    mark: float | None = None


def unexplained(m: Measures, clock: Clock, t: Texts) -> Plot | None:
    """The fleet's unexplained money by hour, with its smoothed course; None where there are no hours."""
    if not m.hours:
        return None
    binned = _binned([h.unexplained for h in m.hours])
    smooth = _binned([h.ewma for h in m.hours])
    starts = [m.hours[i].hour for i in _starts(len(m.hours))]
    top = max(*binned, *smooth, 1)
    tips = [f"{clock.minute(s)}: {t.money(round(v), m.currency)}" for s, v in zip(starts, binned, strict=True)]
    return Plot(
        _columns(binned, top, tips),
        _line(smooth, top),
        t.money(round(top), m.currency),
        clock.date(starts[0]),
        clock.date(m.hours[-1].hour),
    )


def weeks(m: Measures, clock: Clock) -> Plot | None:
    """Cabinet events out of hours by week; None where no site has opening hours."""
    if not m.weeks:
        return None
    counts = [w.events for w in m.weeks]
    top = max(*counts, 1)
    tips = [f"{clock.date(w.start)}: {w.events}" for w in m.weeks]
    return Plot(_columns(counts, top, tips), "", f"{top:,}", clock.date(m.weeks[0].start), clock.date(m.weeks[-1].start))


def level(drop: Drop, clock: Clock, t: Texts, currency: str) -> Plot | None:
    """The cash of a terminal around an hour in which it fell abnormally; `mark` is that hour's place."""
    if len(drop.level) < 2:
        return None
    worths = [p.worth for p in drop.level]
    top = max(*worths, 1)
    at = next((i for i, p in enumerate(drop.level) if p.hour >= drop.hour), len(worths) - 1)
    step = (WIDTH - 2 * _LEFT) / (len(worths) - 1)
    begin, end = clock.date(drop.level[0].hour), clock.date(drop.level[-1].hour)
    return Plot((), _line(worths, top), t.money(top, currency), begin, end, round(_LEFT + at * step, 1))


def spark(values: Sequence[float]) -> str:
    """Values as block characters, at most sixty; 0 is the lowest block, and nothing but 0 is told apart from a little."""
    shown = _binned(values)
    top = max(shown, default=0)
    if top <= 0:
        return _BLOCKS[0] * len(shown)
    return "".join(_BLOCKS[0] if v <= 0 else _BLOCKS[max(1, min(7, round(v / top * 7)))] for v in shown)


def _starts(count: int) -> list[int]:
    """Where each of at most sixty bins begins."""
    bins = min(count, _COLUMNS)
    return [i * count // bins for i in range(bins)]


def _binned(values: Sequence[float]) -> list[float]:
    """At most sixty values: the highest of each bin."""
    starts = [*_starts(len(values)), len(values)] if values else [0]
    return [max(values[a:b]) for a, b in pairwise(starts)]


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _FOOT - value / top * (HEIGHT - _FOOT - _TOP), 1)


def _columns(values: Sequence[float], top: float, tips: Sequence[str]) -> tuple[Column, ...]:
    wide = (WIDTH - 2 * _LEFT) / len(values)
    gap = min(2.0, wide / 4)
    return tuple(
        Column(round(_LEFT + i * wide, 1), _y(v, top), round(max(wide - gap, 0.5), 1), round(HEIGHT - _FOOT - _y(v, top), 1), tip)
        for i, (v, tip) in enumerate(zip(values, tips, strict=True))
    )


def _line(values: Sequence[float], top: float) -> str:
    """An SVG path through the middles of the columns."""
    wide = (WIDTH - 2 * _LEFT) / max(len(values) - 1, 1)
    return "M" + "L".join(f"{round(_LEFT + i * wide, 1)} {_y(max(v, 0), top)}" for i, v in enumerate(values))
