"""The order in which a bundle's bytes came into being: which bytes of which file belong to which span of event time.

A file's bytes keep their order: a record is placed no earlier than those before it. Pieces end where records end. Memory grows
with the number of records of the largest file, and with spans times files.
"""

import copy
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from jackstop import formats
from jackstop.formats import Reader
from jackstop.model.tables import Tables
from jackstop.runners.shelf import STRAY
from jackstop.sources.bundle import Bundle, BundleFile, opened

_PIECE = 1 << 20
Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]

_SCHEMA = {"span": pl.Int64, "file": pl.Int64, "start": pl.Int64, "end": pl.Int64}


class Part(NamedTuple):
    """Bytes of a file, from `start` to before `end` (unpacked), that belong together; `file` is its number in the bundle."""

    file: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Timetable:
    """The bytes of a bundle in the order of event time.

    Attributes:
        parts: span (number of `width` since 1970), file, start, end; sorted by span and file.
        width: µs of one span. added: by number of a file, a line feed that its last line needs to be whole.
        faults: of files that could not be read to their end, one line each.
    """

    parts: pl.DataFrame
    width: int
    added: frozenset[int]
    faults: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Bytes in all."""
        return int((self.parts["end"] - self.parts["start"]).sum())

    def spans(self) -> Iterator[tuple[int, list[Part]]]:
        """The parts of each span that has any, with the span's beginning (µs UTC), in order."""
        for span, rows in groupby(self.parts.iter_rows(), key=itemgetter(0)):
            yield span * self.width, [Part(*row[1:]) for row in rows]


class _Read(NamedTuple):
    """What reading one file gave: offsets of records and their times (µs, 0 is unknown), its size, whether it wants an end."""

    offsets: Ints
    times: Ints
    size: int
    wants_feed: bool
    fault: str


def plan(bundle: Bundle, width: int, until: int | None = None, progress: Progress | None = None) -> Timetable:
    """The timetable of a bundle.

    Args:
        width: µs of one span. until: µs UTC after which nothing is sent. progress: called with bytes read and bytes in all.
    """
    frames, added, faults, done = [pl.DataFrame(schema=_SCHEMA)], set[int](), [], 0
    total = sum(f.size for f in bundle.files)
    for number, file in enumerate(bundle.files):
        read = _read(file)
        frames.append(_placed(number, read, width, until))
        if read.wants_feed:
            added.add(number)
        if read.fault:
            faults.append(read.fault)
        done += file.size
        if progress is not None:
            progress(done, total)
    parts = pl.concat(frames).sort("span", "file", "start")
    return Timetable(parts, width, frozenset(added), tuple(faults))


def _placed(number: int, read: _Read, width: int, until: int | None) -> pl.DataFrame:
    """A file's parts: its bytes cut where the span of time changes."""
    if not read.size:
        return pl.DataFrame(schema=_SCHEMA)
    times = _rising(read.times)
    size = read.size + read.wants_feed
    if until is not None and times.size:
        kept = int(np.searchsorted(times, until, "right"))
        if kept < times.size:
            size = int(read.offsets[kept])
        times = times[:kept]
    if not times.size:
        return pl.DataFrame(schema=_SCHEMA)
    spans = times // width
    first = np.flatnonzero(np.diff(spans, prepend=spans[0] - 1))
    starts = read.offsets[: times.size][first].copy()
    starts[0] = 0
    ends = np.append(starts[1:], size)
    whole = pl.DataFrame({"span": spans[first], "start": starts, "end": ends}).filter(pl.col("end") > pl.col("start"))
    return whole.select("span", pl.lit(number, pl.Int64).alias("file"), "start", "end")


def _rising(times: Ints) -> Ints:
    """Times that never go back, but for stray ones that lie a week or more ahead of a later record: these go with it."""
    if not times.size:
        return times
    later = np.append(np.minimum.accumulate(times[::-1])[::-1][1:], times[-1])
    return np.maximum.accumulate(np.where(times > later + STRAY, later, times))


def _read(file: BundleFile) -> _Read:
    """Where the records of a file stand, and when they were."""
    reader = formats.find(file.format).reader(file.reading)
    found: list[tuple[Ints, Ints]] = []
    size, tail, fault = 0, b"\n", ""
    try:
        with opened(file.path) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                tail = piece[-1:]
                found.append(_marks(reader.feed(piece).tables))
    except (OSError, EOFError, zlib.error) as broken:
        fault = f"{file.name}@{size}: {broken}, expected readable bytes: sent no further"
    wants_feed = tail != b"\n" and _wants_feed(reader)
    found.append(_marks(reader.feed(b"", final=True).tables))
    offsets = np.concatenate([o for o, _ in found])
    times = np.concatenate([t for _, t in found])
    order = np.lexsort((times, offsets))
    offsets, times = offsets[order], times[order]
    kept = times > 0
    offsets, first = np.unique(offsets[kept], return_index=True)
    return _Read(offsets, times[kept][first], size, wants_feed, fault)


def _marks(tables: Tables) -> tuple[Ints, Ints]:
    """Offset and time (µs) of each row."""
    rows = [f.select(o=pl.col("record_offset").cast(pl.Int64), t=pl.col("time").to_physical()) for _, f in tables.items()]
    whole = pl.concat([f for f in rows if f.height] or [rows[0]])
    return whole["o"].to_numpy(), whole["t"].to_numpy()


def _wants_feed(reader: Reader) -> bool:
    """Whether a line feed after the last line is as good as the end of the file: a stream that goes on has no end."""
    fed, ended = copy.deepcopy(reader), copy.deepcopy(reader)
    before = reader.tally.records
    fed.feed(b"\n")
    ended.feed(b"", final=True)
    return fed.tally.records == ended.tally.records > before and fed.tally.refused == ended.tally.refused
