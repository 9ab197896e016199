"""Time bands of a day, `HH:MM-HH:MM` in a terminal's own time zone; `site` is the site's opening hours of fleet.toml."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from jackstop.model.fleet import Fleet, Site, Terminal

SITE = "site"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def _band(text: str) -> str:
    if text != SITE:
        Site(open=text)
    return text


Band = Annotated[str, AfterValidator(_band)]
"""`site`, or opening and closing time; a band that ends before it begins goes past midnight."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A band at one terminal, with its zone."""

    site: Site
    zone: ZoneInfo

    @classmethod
    def of(cls, band: str, closed_days: tuple[Day, ...], terminal: Terminal, fleet: Fleet) -> "Opening":
        """The band as it stands at a terminal; `site` without a site is always open."""
        own = terminal.site or Site()
        days = closed_days or (own.closed_days if band == SITE else ())
        return cls(
            Site(open=own.open if band == SITE else band, closed_days=days), _zone(terminal.timezone or fleet.fleet.timezone)
        )

    def holds(self, at: int) -> bool:
        """Whether it is open at an instant (µs UTC)."""
        local = (_EPOCH + timedelta(microseconds=at)).astimezone(self.zone)
        return self.site.is_open(local.weekday(), local.time())

    def next(self, at: int) -> int | None:
        """When it opens next (µs UTC), at most nine days on; None where it does not open."""
        local = (_EPOCH + timedelta(microseconds=at)).astimezone(self.zone)
        first, _ = self.site.minutes()
        for day in range(9):
            begin = datetime.combine(local.date() + timedelta(days=day), time(0), self.zone) + timedelta(minutes=first)
            found = (begin.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
            if found > at and self.holds(found):
                return found
        return None


def minutes(band: str) -> tuple[int, int]:
    """Begin and end of a band in minutes of the day; the end of one past midnight is over 1440."""
    begin, end = Site(open=band).minutes()
    return begin, end if begin <= end else end + 1440


def within(inner: str, outer: str) -> bool:
    """Whether one band lies within another, on whatever day."""
    (a, b), (c, d) = minutes(inner), minutes(outer)
    return d - c >= 1440 or any(c <= a + shift and b + shift <= d for shift in (-1440, 0, 1440)) or a == b


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
