"""Log files read side by side: `Shelf.until(T)` gives at least the rows up to an instant, and no file is read further than
it must be.

Memory is bounded by a piece of each file (pieces shrink as files grow in number), not by the length of the files.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import BinaryIO, NamedTuple

import polars as pl

from jackstop import formats
from jackstop.model.settings import HOUR, MINUTE
from jackstop.model.tables import Tables
from jackstop.sources.bundle import BundleFile, opened

FAR = 2**62
DISORDER = MINUTE
"""µs by which rows of one file may be out of order besides the source's latency."""

STRAY = 7 * 24 * HOUR
"""µs by which a stamp must be ahead of all others to be taken for a wrong one."""

_TAIL = 129
_PIECES = 16 << 20
_FEW, _STRAGGLERS = 20, 0.01


@dataclass(slots=True)
class Account:
    """What became of one file so far: counts of its reader, rows given, first and last time (µs), gaps, faults."""

    name: str
    records: int = 0
    understood: int = 0
    ignored: int = 0
    refused: int = 0
    duplicates: int = 0
    skipped_bytes: int = 0
    rows: int = 0
    bytes_read: int = 0
    first: int | None = None
    last: int | None = None
    gaps: list[tuple[int, int]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    fault: str = ""


class Given(NamedTuple):
    """What a shelf gives for one instant: rows, whether every file is at its end, files found out of order."""

    tables: Tables
    done: bool
    disordered: tuple[str, ...]


def piece_size(files: int) -> int:
    """Bytes read at a time from each of so many files."""
    return max(1 << 16, min(4 << 20, _PIECES // max(1, files)))


class Cursor:
    """One file being read. `frontier` is how far its rows reach in time (µs); every row before has most likely come."""

    def __init__(self, file: BundleFile, piece: int, *, whole: bool) -> None:
        self.file = file
        self.account = Account(file.name)
        self.frontier = -FAR
        self.done = False
        self._slack = file.latency + DISORDER
        self._whole = whole
        self._piece = piece
        self._reader = formats.find(file.format).reader(file.reading)
        self._asked = self._reach = -FAR
        self._late = 0
        self._stream: BinaryIO | None = None
        self.disordered = False

    def read(self, instant: int) -> list[Tables]:
        """Rows not given before, of as many pieces as it takes to have all rows up to an instant (µs), and later ones."""
        fresh = []
        while not self.done and (self._whole or self.frontier - self._slack <= instant):
            tables = self._read()
            if tables.height:
                fresh.append(tables)
        self._asked = max(self._asked, instant)
        return fresh

    def _read(self) -> Tables:
        piece = self._bytes()
        self.done = len(piece) < self._piece
        decoded = self._reader.feed(piece, final=self.done)
        self.account.bytes_read += len(piece)
        self._note(decoded.tables)
        if self.done:
            self.frontier = max(self.frontier, self._reach)
        return decoded.tables

    def _bytes(self) -> bytes:
        """The next piece; a file that fails while it is read ends there, and its account says why."""
        try:
            if self.file.path.suffix == ".gz":
                self._stream = self._stream or opened(self.file.path)
                return self._stream.read(self._piece)
            with self.file.path.open("rb") as file:
                file.seek(self.account.bytes_read)
                return file.read(self._piece)
        except (OSError, EOFError, zlib.error) as fault:
            self.account.fault = f"{self.file.name}@{self.account.bytes_read}: {fault}, expected readable bytes: read no further"
            return b""

    def _note(self, tables: Tables) -> None:
        tally, account = self._reader.tally, self.account
        account.records, account.understood, account.ignored = tally.records, tally.understood, tally.ignored
        account.refused, account.duplicates, account.skipped_bytes = tally.refused, tally.duplicates, tally.skipped_bytes
        account.reasons = tally.reasons
        account.rows += tables.height
        stamps = [f.select(t=pl.col("time").to_physical(), o="record_offset") for n, f in tables.items() if f.height]
        if tables.feeds.height:
            missing = tables.feeds.filter(pl.col("activity") == "gap").select(pl.col("time").to_physical(), "count").rows()
            account.gaps += missing[: max(0, 1000 - len(account.gaps))]
        if not stamps:
            return
        times = pl.concat(stamps).filter(pl.col("t") > 0).sort("o", "t")["t"]
        if not times.len():
            return
        low, high, end = times.min(), times.max(), times.tail(_TAIL).median()
        self.frontier, self._reach = max(self.frontier, int(end)), max(self._reach, _end(times.sort()))  # type: ignore[arg-type]
        account.first = min(account.first or FAR, int(low))  # type: ignore[arg-type]
        account.last = max(account.last or -FAR, int(high))  # type: ignore[arg-type]
        if self.file.terminal is None and not self._whole:
            self._late += int((times <= self._asked).sum())
            self.disordered = self._late > _FEW and self._late > _STRAGGLERS * account.rows


def _end(times: pl.Series) -> int:
    """The last of these times (µs, sorted), but for a few stray ones that lie a week or more ahead of all others."""
    last = times.tail(_FEW + 1).to_list()
    ahead = [i for i, (a, b) in enumerate(pairwise(last)) if b - a >= STRAY]
    return int(last[ahead[0]] if ahead else last[-1])


class Shelf:
    """Some files of a bundle, read side by side.

    Args:
        files: which. piece: bytes read at a time from each. whole: names of files that are out of order and read whole.
    """

    def __init__(self, files: Sequence[BundleFile], piece: int, whole: frozenset[str]) -> None:
        self._cursors = [Cursor(f, piece, whole=f.name in whole) for f in files]

    def until(self, instant: int) -> Given:
        """The rows not given before of all pieces it takes to have every row up to an instant (µs), in each file's order."""
        fresh = [tables for cursor in self._cursors for tables in cursor.read(instant)]
        bad = tuple(c.file.name for c in self._cursors if c.disordered)
        return Given(Tables.concat(fresh) if fresh else Tables.of(), all(c.done for c in self._cursors), bad)

    def accounts(self) -> list[Account]:
        """What became of each file so far."""
        return [c.account for c in self._cursors]

    def progress(self) -> int:
        """Bytes read so far."""
        return sum(c.account.bytes_read for c in self._cursors)

    def end(self) -> int:
        """How far the rows of the files reach, `-FAR` for none; a single stray stamp does not count."""
        return max((c.frontier for c in self._cursors), default=-FAR)
