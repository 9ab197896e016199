"""Pace: how far the frames of the spool let time come; the watermark of the live loop. Pure; goes into the checkpoint.

`clock`: time is the time of arrival. After a time in which nothing could arrive (the service was down) it stands still for a
while, so that what senders held back counts as if it had come in time. `records`: time is that of the records themselves,
behind the latest of them by as much as they may be out of order; for what is past.
"""

from typing import Protocol

import msgspec
import numpy as np
import polars as pl

from jackstop.model.settings import HOUR, SECOND
from jackstop.model.tables import Tables

NEVER = -(2**62)
GAP = 5 * SECOND
"""µs without a tick after which the service was down."""

NEAR = HOUR
"""µs within which stamps agree."""

AGREE = 3
"""Different stamps that must agree before time is believed to be there: one forged or damaged line moves nothing."""

_STRAYS = 64


class Pace(Protocol):
    """The role: told of every tick and of every row, it says how far time has come."""

    def tick(self, received: int) -> None:
        """A tick of the spool (µs)."""

    def note(self, tables: Tables) -> None:
        """Rows that came since the last tick."""

    @property
    def watermark(self) -> int:
        """How far time has come (µs UTC); never goes back."""

    def pack(self) -> bytes:
        """The pace as bytes."""


class _Clock(msgspec.Struct):
    last: int = NEVER
    held: int = NEVER
    until: int = NEVER


class ClockPace:
    """Time is the time of arrival. `catch_up`: µs for which time stands still after a gap."""

    def __init__(self, catch_up: int, packed: bytes = b"") -> None:
        self._catch_up = catch_up
        self._now = msgspec.json.decode(packed, type=_Clock) if packed else _Clock()

    def tick(self, received: int) -> None:
        """See `Pace`."""
        now = self._now
        if now.last > NEVER and received - now.last > GAP:
            now.held, now.until = (self.watermark, received + self._catch_up)
        now.last = max(now.last, received)

    def note(self, tables: Tables) -> None:
        """See `Pace`."""

    @property
    def watermark(self) -> int:
        """See `Pace`."""
        return self._now.held if self._now.last < self._now.until else self._now.last

    @property
    def waits(self) -> bool:
        """Whether time stands still for senders to catch up."""
        return self._now.last < self._now.until

    def pack(self) -> bytes:
        """See `Pace`."""
        return msgspec.json.encode(self._now)


class _Seen(msgspec.Struct):
    """`latest`: the stamp time has come to. `kept`: what later stamps are held against, in order: two up to it, and strays."""

    latest: int = NEVER
    kept: tuple[int, ...] = ()


class RecordPace:
    """Time is that of the records. `slack`: µs by which they may be out of order.

    It has come to the latest stamp that two others precede by an hour at most: that does not depend on how rows are cut into
    steps.
    """

    def __init__(self, slack: int, packed: bytes = b"") -> None:
        self._slack = slack
        self._seen = msgspec.json.decode(packed, type=_Seen) if packed else _Seen()

    def tick(self, received: int) -> None:
        """See `Pace`."""

    def note(self, tables: Tables) -> None:
        """See `Pace`."""
        stamps = [f["time"].to_physical() for n, f in tables.items() if f.height and n != "visits"]
        if not stamps:
            return
        seen = self._seen
        fresh = pl.concat(stamps).drop_nulls().unique().to_numpy()
        times = np.union1d(fresh[fresh > 0], np.array(seen.kept, np.int64))
        agreed = np.flatnonzero(times[AGREE - 1 :] - times[: 1 - AGREE] <= NEAR)
        if agreed.size:
            seen.latest = max(seen.latest, int(times[agreed[-1] + AGREE - 1]))
        after = int(np.searchsorted(times, seen.latest, "right"))
        seen.kept = tuple(times[max(0, after - AGREE + 1) : after + _STRAYS].tolist())

    @property
    def watermark(self) -> int:
        """See `Pace`."""
        return self._seen.latest - self._slack if self._seen.latest > NEVER else NEVER

    def pack(self) -> bytes:
        """See `Pace`."""
        return msgspec.json.encode(self._seen)
