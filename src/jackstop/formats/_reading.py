"""What every reader shares: offsets, digests, duplicates, refusals, counts and the making of rows.

A reader is fed a source's bytes in pieces of any size and gives rows; how the bytes are cut never changes the rows.
Memory is bounded by the longest record (1 MiB) and the window of remembered duplicates.
"""

from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple, Protocol

from jackstop.formats._rows import Rows, series
from jackstop.model.fleet import Reading
from jackstop.model.tables import ALL, Tables

MAX_RECORD = 1 << 20


class Unreadable(ValueError):
    """This record cannot be read; the message says why and what was expected. The reader counts it and goes on."""


class Refusal(NamedTuple):
    """One record that could not be read: where it stands, and why."""

    offset: int
    length: int
    reason: str


@dataclass(slots=True)
class Tally:
    """Counts of one reader since it began.

    Attributes:
        records: units framed. understood: of these, those whose meaning is known (rows or knowingly none).
        ignored: framed, well formed, and of a kind this reader has no use for.
        refused: could not be read. duplicates: seen before and dropped.
        skipped_bytes: bytes passed over to find the next record after damage.
        reasons: refusals by reason.
    """

    records: int = 0
    understood: int = 0
    ignored: int = 0
    refused: int = 0
    duplicates: int = 0
    skipped_bytes: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Decoded(NamedTuple):
    """What one feeding gave: rows, and the records refused in it (also rows of `feeds`)."""

    tables: Tables
    refusals: list[Refusal]


class Reader(Protocol):
    """A source being read. Plain data: it can be pickled between two feedings."""

    tally: Tally

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the records that these bytes complete; `final` says that no more bytes will come."""


class Frame(NamedTuple):
    """One record found in the buffer: bytes `start` to `end` of it, and the bytes skipped before it."""

    start: int
    end: int


class RecordReader(ABC):
    """A reader of records that are framed one by one.

    A format gives `frames` (where records begin and end) and `decode` (what one says). Feeding, offsets, digests,
    duplicates, refusals and counts are done here.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.tally = Tally()
        self.rows = Rows(reading)
        self._buffer = b""
        self._offset = 0
        self._recent: OrderedDict[bytes, None] = OrderedDict()
        self._refusals: list[Refusal] = []
        self._at = (0, 0)
        self._last_time = 0

    @abstractmethod
    def frames(self, buffer: bytes, *, final: bool) -> Iterator[Frame]:
        """Records in the buffer, in order. Bytes after the last one stay for the next feeding (unless final).

        Bytes between frames are counted as skipped, so a framing that resynchronises just leaves them out.
        """

    @abstractmethod
    def decode(self, record: bytes) -> bool:
        """Add the rows of one record to `self.rows`.

        Returns:
            True if the record was understood, False if it is of a kind this reader ignores.

        Raises:
            Unreadable: it is of a kind we read, and cannot be read.
        """

    def finish(self) -> None:
        """Called once after the last record, for state that the end of the source completes."""

    def natural_key(self, record: bytes, digest: bytes) -> bytes:
        """What makes a record the same record delivered twice; its digest unless a format knows better."""
        return digest

    def note_time(self, time: int) -> None:
        """Tell the time of the record at hand, so that a later refusal can be placed in time."""
        self._last_time = time

    def feed(self, chunk: bytes, *, final: bool = False) -> Decoded:
        """Rows of the records that these bytes complete. See `Reader.feed`."""
        buffer = self._buffer + chunk if self._buffer else chunk
        self._refusals = []
        done = 0
        for start, end in self.frames(buffer, final=final):
            if start != done:
                self.tally.skipped_bytes += len(buffer[done:start].strip())
            self._one(buffer[start:end], self._offset + start)
            done = end
        rest = len(buffer) - done if buffer[done:].strip() else 0
        if rest and (final or rest > MAX_RECORD):
            self._refuse(Refusal(self._offset + done, rest, _LEFT[final]), buffer[done:])
            done = len(buffer)
        self._buffer = buffer[done:]
        self._offset += done
        if final:
            self.finish()
        return Decoded(self.rows.take(), self._refusals)

    def _one(self, raw: bytes, offset: int) -> None:
        self.tally.records += 1
        digest = sha256(raw).digest()
        if len(raw) > MAX_RECORD:
            self._refuse(Refusal(offset, len(raw), f"longer than {MAX_RECORD} bytes"), raw)
            return
        key = self.natural_key(raw, digest)
        if key in self._recent:
            self.tally.duplicates += 1
            return
        self._recent[key] = None
        if len(self._recent) > self.reading.remembered:
            self._recent.popitem(last=False)
        self._at = (offset, len(raw))
        self.rows.at(offset, raw, digest, key)
        try:
            understood = self.decode(raw)
        except Unreadable as fault:
            self._refuse(Refusal(offset, len(raw), str(fault)), raw)
            return
        self.tally.understood += understood
        self.tally.ignored += not understood

    def refuse_part(self, reason: str) -> None:
        """Count and show a part of the record at hand that cannot be read, while the rest of it can."""
        self._count(Refusal(*self._at, reason))

    def _refuse(self, refusal: Refusal, raw: bytes) -> None:
        self.rows.at(refusal.offset, raw, sha256(raw).digest())
        self._count(refusal)

    def _count(self, refusal: Refusal) -> None:
        self.tally.refused += 1
        self.tally.reasons[refusal.reason] += 1
        self._refusals.append(refusal)
        self.rows.add("feeds", self._last_time, activity="refused", count=1, detail=refusal.reason)

    def sequence(self, number: int, previous: int | None, time: int) -> None:
        """Note a gap or a new beginning in the source's own record numbers as a row of `feeds`."""
        if previous is None or number == previous + 1 or number == previous:
            return
        if number > previous:
            self.rows.add("feeds", time, activity="gap", count=number - previous - 1, before=previous, after=number)
        else:
            self.rows.add("feeds", time, activity="restarted", count=1, before=previous, after=number)


_LEFT = {True: "cut off at the end of the source", False: f"no end within {MAX_RECORD} bytes"}


def lines(buffer: bytes, *, final: bool) -> Iterator[Frame]:
    """Frames of text lines: from one line feed to the next, without it; blank lines are passed over."""
    start = 0
    while (end := buffer.find(b"\n", start)) >= 0:
        if buffer[start:end].strip():
            yield Frame(start, end)
        start = end + 1
    if final and buffer[start:].strip():
        yield Frame(start, len(buffer))


def empty() -> Decoded:
    """No rows."""
    return Decoded(Tables.of(), [])


__all__ = ["ALL", "Decoded", "Frame", "Reader", "RecordReader", "Refusal", "Rows", "Tally", "Unreadable", "lines", "series"]
