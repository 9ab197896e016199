"""When an ISO 8583 message was sent: field 7 (UTC) or fields 12 and 13 (local) have no year (ISO 8583:1987 §4.3).

The year is the one that brings the stamp nearest to the moment of capture; without that, nearest to the message before; the
first message then wants `year` in the specification.
"""

from typing import NamedTuple

from jackstop.formats._iso_stamp import Stamp
from jackstop.formats._localtime import Zone, naive, stamp
from jackstop.formats._reading import Unreadable
from jackstop.model.vocabulary import QUALITY

SECOND = 1_000_000
INFERRED, AMBIGUOUS = QUALITY["date-inferred"][0], QUALITY["time-ambiguous"][0]
NO_YEAR = 'no year: field 7 has none and the capture tells no time, expected "year" in the specification or "time" in the line'


class Instant(NamedTuple):
    """µs UTC, µs either side, quality bits."""

    time: int
    uncertainty: int
    quality: int


class Calendar:
    """Gives messages their year, in the order they come."""

    def __init__(self, zone: str, year: int | None) -> None:
        self._zone = Zone(zone)
        self._seen: int | None = None
        self._year = year

    def instant(self, doc: dict[str, str], captured: Stamp | None) -> Instant:
        """The instant of a decoded message.

        Raises:
            Unreadable: its stamps are none, or no year is known.
        """
        observed = None
        if captured is not None:
            observed = captured.stamp if captured.absolute else self._zone.utc(captured.stamp)
        near = self._seen if observed is None else observed
        sent = doc.get("7", "").strip()
        if sent.strip("0"):
            time, quality = self._dated(sent[:4], sent[4:], near), INFERRED
        elif doc.get("12", "").strip("0 ") or doc.get("13", "").strip("0 "):
            time, quality = self._local(doc, near)
        elif captured is not None and observed is not None:
            return Instant(observed, captured.uncertainty, 0)
        else:
            raise Unreadable("no time: neither field 7 nor fields 12 and 13")
        self._seen = time
        return Instant(time, SECOND, quality)

    def _local(self, doc: dict[str, str], near: int | None) -> tuple[int, int]:
        clock, date = doc.get("12", "").strip(), doc.get("13", "").strip()
        quality = INFERRED
        if len(clock) == 12:
            local, quality = _naive("20" + clock[:2], clock[2:6], clock[6:]), 0
            if local is None:
                raise Unreadable("field 12 is not YYMMDDhhmmss")
        else:
            local = self._dated(date, clock, None if near is None else self._zone.local(near))
        time = self._zone.utc(local)
        return time, quality | (AMBIGUOUS if self._zone.ambiguous else 0)

    def _dated(self, date: str, clock: str, near: int | None) -> int:
        """MMDD and hhmmss in the year that brings them nearest."""
        if near is None:
            if self._year is None:
                raise Unreadable(NO_YEAR)
            years = [self._year]
        else:
            year = stamp(near).year
            years = [year, year - 1, year + 1]
        found = [t for y in years if (t := _naive(str(y), date, clock)) is not None]
        if not found:
            raise Unreadable("field 7, or 12 and 13, is not MMDD and hhmmss")
        return found[0] if near is None else min(found, key=lambda t: abs(t - near))


def _naive(year: str, date: str, clock: str) -> int | None:
    digits = date + clock
    if len(digits) != 10 or len(date) != 4 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return naive(int(year), *(int(digits[i : i + 2]) for i in range(0, 10, 2)))
    except ValueError:
        return None
