"""The time axis that a timeline and a cash curve share: where a moment lies, and where to write the time."""

from dataclasses import dataclass
from datetime import timedelta

from jackstop.model.results import Alert
from jackstop.model.settings import HOUR, MINUTE, SECOND
from jackstop.report.moments import Clock

LEFT, RIGHT, WIDTH = 128, 984, 1000
"""Units of the drawing: where its plot begins and ends, and how wide it is."""
_STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12, 24, 48, 168, 720, 8760)),
)
_MOST = 9


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis and what is written there; `date` where a new day begins."""

    x: float
    label: str
    date: str


@dataclass(frozen=True, slots=True)
class Axis:
    """A window of time, µs UTC, drawn from `LEFT` to `RIGHT`."""

    start: int
    end: int

    @classmethod
    def around(cls, alert: Alert) -> "Axis":
        """The window of an alert: its findings and a little more on both sides."""
        last = max(alert.updated_at, alert.raised_at, *(f.time for f in alert.findings), alert.first_event)
        edge = min(max((last - alert.first_event) // 8, MINUTE), 10 * MINUTE)
        return cls(alert.first_event - edge, last + edge)

    def x(self, time: int) -> float:
        """Where a moment lies; those outside lie on the edge."""
        share = (min(max(time, self.start), self.end) - self.start) / (self.end - self.start)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def holds(self, time: int) -> bool:
        """Whether a moment lies in the window."""
        return self.start <= time <= self.end

    def ticks(self, clock: Clock) -> tuple[Tick, ...]:
        """At most nine round local times."""
        step = next((s for s in _STEPS if (self.end - self.start) // s < _MOST), (self.end - self.start) // _MOST + 1)
        ahead = (clock.local(self.start).utcoffset() or timedelta()) // timedelta(microseconds=1)
        first = -(-(self.start + ahead) // step) * step - ahead
        ticks: list[Tick] = []
        day = ""
        for time in range(first, self.end + 1, step):
            date = clock.date(time)
            label = clock.of_day(time) if step < MINUTE else clock.of_day(time)[:5]
            ticks.append(Tick(self.x(time), label, date if date != day else ""))
            day = date
        return tuple(ticks)
