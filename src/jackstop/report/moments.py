"""Moments as people read them: µs UTC in the fleet's time zone, and lengths of time.

Times come from logs and may be absurd; they are shown within the years that calendars have.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jackstop.model.written import EARLIEST, LATEST

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """A time zone (IANA name) to show moments in."""

    zone: str

    def local(self, time: int) -> datetime:
        """µs UTC as a local time."""
        moment = _EPOCH + timedelta(microseconds=min(max(time, EARLIEST), LATEST))
        return moment.astimezone(ZoneInfo(self.zone))

    def iso(self, time: int) -> str:
        """Local time with offset in ISO 8601, for programs."""
        return self.local(time).isoformat(timespec="milliseconds")

    def full(self, time: int) -> str:
        """Date, time and offset: `2026-03-01 02:11:07 -06:00`."""
        return f"{self.short(time)} {self.offset(time)}"

    def short(self, time: int) -> str:
        """Date and time to the second."""
        return self.local(time).replace(tzinfo=None).isoformat(" ", "seconds")

    def minute(self, time: int) -> str:
        """Date and time to the minute."""
        return self.short(time)[:16]

    def of_day(self, time: int, digits: int = 0) -> str:
        """The time of day, with so many digits after the second."""
        local = self.local(time)
        return f"{local:%H:%M:%S}" + (f".{f'{local.microsecond:06d}'[:digits]}" if digits else "")

    def date(self, time: int) -> str:
        """The date."""
        return self.short(time)[:10]

    def offset(self, time: int) -> str:
        """The zone's offset from UTC at that time: `-06:00`."""
        minutes = round((self.local(time).utcoffset() or timedelta()).total_seconds() / 60)
        sign = "-" if minutes < 0 else "+"
        return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def parts(micros: int) -> tuple[tuple[int, str], ...]:
    """A length of time in at most two units, each a number and `d`, `h`, `min` or `s`: `((3, "min"), (20, "s"))`."""
    seconds = abs(micros) // 1_000_000
    units = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    first = next((i for i, (n, _) in enumerate(units) if n), 3)
    return tuple(u for u in units[first : first + 2] if u[0]) or ((0, "s"),)


def drift(offset_ms: int | None, uncertainty_ms: int | None) -> str:
    """A clock's offset with its uncertainty: `+21.4 s ± 0.9 s`; empty where it is not known."""
    if offset_ms is None:
        return ""
    sign = "-" if offset_ms < 0 else "+"
    known = f"{sign}{abs(offset_ms) / 1000:.1f} s"
    return known if uncertainty_ms is None else f"{known} ± {uncertainty_ms / 1000:.1f} s"
