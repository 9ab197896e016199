"""Local stamps to instants: a declared zone, daylight saving resolved by order, nothing guessed silently."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1)
HOUR = 3_600_000_000


def naive(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> int:
    """A local wall-clock stamp as µs since 1970 of that wall clock.

    Raises:
        ValueError: no such date or time.
    """
    stamp = datetime(year, month, day, hour, minute, second, micro)
    return (stamp - EPOCH) // timedelta(microseconds=1)


class Zone:
    """Turns wall-clock µs of one zone into UTC µs.

    A local hour that exists twice is taken as the first until the stamps step back within it; from then on as the
    second. A local time that does not exist (spring) is read with the offset before the change. `ambiguous` tells
    whether the last stamp was taken as the first though it could mean the second.
    """

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)
        self._offsets: dict[int, tuple[int, int]] = {}
        self._last = 0
        self._second = False
        self.ambiguous = False

    def utc(self, local: int) -> int:
        """UTC µs of a wall-clock µs."""
        quarter = local // (HOUR // 4)
        both = self._offsets.get(quarter)
        if both is None:
            both = self._offsets[quarter] = self._both(quarter)
        first, second = both
        self._second = first > second and (self._second or local < self._last - HOUR // 4)
        self.ambiguous = first > second and not self._second
        self._last = local
        return local - (second if self._second else first)

    def local(self, utc: int) -> int:
        """Wall-clock µs of a UTC µs (for writers)."""
        stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=utc)
        offset = stamp.astimezone(self._zone).utcoffset() or timedelta()
        return utc + offset // timedelta(microseconds=1)

    def _both(self, quarter: int) -> tuple[int, int]:
        stamp = EPOCH + timedelta(microseconds=quarter * (HOUR // 4))
        offsets = [stamp.replace(tzinfo=self._zone, fold=f).utcoffset() or timedelta() for f in (0, 1)]
        first, second = (o // timedelta(microseconds=1) for o in offsets)
        return (first, second) if first >= second else (first, first)


def stamp(local: int) -> datetime:
    """Wall-clock µs as a naive datetime (for writers)."""
    return EPOCH + timedelta(microseconds=local)
