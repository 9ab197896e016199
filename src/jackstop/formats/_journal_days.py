"""Days of a journal whose lines carry only a time of day: headers and file names give the date, midnight rolls it over.

Reading: a line whose time falls back by more than six hours is of the next day; by less, the clock was set back. A line
more than 23 hours ahead is a late one of the day before (formats.md §4.1, traps). Writing: local stamps, cached by quarter hour.
"""

import re
from dataclasses import dataclass

from jackstop.formats._localtime import EPOCH, Zone, naive, stamp
from jackstop.formats._reading import Unreadable

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ROLLS = 6 * HOUR
LATE = 23 * HOUR
YEARS = range(1980, 2200)
_END = naive(2201, 1, 1)
UNDECLARED = "date order not declared, expected date_order = dmy|mdy|ymd in fleet.toml"
_QUARTER = 15 * MINUTE
_DATE = re.compile(r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})", re.ASCII)


@dataclass(slots=True)
class Day:
    """The wall clock of a journal as its lines tell it, µs since 1970 of the local wall clock.

    Attributes:
        midnight: of the day the journal is at, None until a date is known. clock: time of day of the last line.
        now: date and time of the line at hand, None until both are known. resolution: of that time.
    """

    midnight: int | None = None
    clock: int = 0
    now: int | None = None
    resolution: int = SECOND

    def begin(self, midnight: int | None, clock: int | None = None, resolution: int = SECOND) -> None:
        """A header or a file name gave the date, and perhaps the time; None for the date forgets it."""
        if midnight is None:
            self.midnight, self.now = None, None
            return
        if clock is None:
            self.midnight = midnight
            return
        here = midnight + clock
        if resolution > SECOND and self.now is not None and here <= self.now < here + resolution:
            here = self.now
        self.midnight, self.clock, self.now, self.resolution = midnight, here - midnight, here, resolution

    def place(self, clock: int) -> int | None:
        """The midnight that a time of day belongs to, seen from the line before it."""
        if self.midnight is None or self.now is None:
            return self.midnight
        step = clock - self.clock
        if step < -ROLLS:
            return self.midnight + DAY
        return self.midnight - DAY if step > LATE else self.midnight

    def move(self, clock: int) -> None:
        """A line told its time of day."""
        midnight = self.place(clock)
        self.resolution = SECOND
        if midnight is None or self.midnight is None:
            return
        if midnight > _END:
            self.begin(None)
            return
        self.now = midnight + clock
        if midnight >= self.midnight:
            self.midnight, self.clock = midnight, clock


def midnight(text: str, order: str | None) -> int:
    """The midnight of a date such as `04/02/2025`, `18.06.25` or `2025-06-18`, µs since 1970 of the wall clock.

    A year that comes first needs no declared order.

    Raises:
        Unreadable: no such date, or the order of day and month is not declared.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise Unreadable(f"{text[:20]!r} is not a date")
    if len(found[1]) == 4:
        order = "ymd"
    if order is None:
        raise Unreadable(UNDECLARED)
    parts = {part: int(number) for part, number in zip(order, found.groups(), strict=True)}
    year = parts["y"] + (2000 if parts["y"] < 100 else 0)
    try:
        if year in YEARS:
            return naive(year, parts["m"], parts["d"])
    except ValueError:
        pass
    raise Unreadable(f"no date {text} in the order {order}")


class Stamps:
    """Local stamps of UTC µs for a writer: days and times of day as a journal of a zone prints them."""

    def __init__(self, timezone: str) -> None:
        self._zone = Zone(timezone)
        self._offsets: dict[int, int] = {}
        self._days: dict[tuple[int, str], str] = {}

    def local(self, utc: int) -> tuple[int, int]:
        """Day number since 1970 and second of the day, of the wall clock."""
        quarter = utc // _QUARTER
        offset = self._offsets.get(quarter)
        if offset is None:
            offset = self._offsets[quarter] = self._zone.local(utc) - utc
        return divmod((utc + offset) // SECOND, 86400)

    def day(self, number: int, pattern: str) -> str:
        """A day as `strftime` writes it."""
        written = self._days.get((number, pattern))
        if written is None:
            written = self._days[number, pattern] = stamp(number * DAY).strftime(pattern)
        return written


def clock(second: int) -> str:
    """A second of the day as `HH:MM:SS`."""
    minutes, s = divmod(second, 60)
    h, m = divmod(minutes, 60)
    return f"{h:02d}:{m:02d}:{s:02d}"


__all__ = ["DAY", "EPOCH", "MINUTE", "SECOND", "UNDECLARED", "Day", "Stamps", "clock", "midnight"]
