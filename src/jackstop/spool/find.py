"""The bytes of a record in the spool: a reference names a feed, a place in its stream of bytes, a length and a SHA-256."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jackstop.model.results import RecordRef
from jackstop.spool import Frame, Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import Board
from jackstop.spool.index import Index, load
from jackstop.spool.layout import pieces, read_header
from jackstop.spool.packing import indexed
from jackstop.spool.segments import Segment, numbers

_PIECE = 1 << 18
_HEADERS = 64
_INDEXES = 16


@dataclass(frozen=True, slots=True)
class Found:
    """A record found: its bytes, and the frames they came in."""

    data: bytes
    frames: tuple[Frame, ...]


class Finder:
    """Finds records in a spool; it may be in use meanwhile. Keep one for many records: it remembers what it has read.

    Args:
        folder: of the spool.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = numbers(folder)
        self._starts: dict[int, dict[str, int]] = {}
        self._indexes: dict[int, Index] = {}
        board = Board(folder) if self._numbers else None
        self._published = board.get() if board else None
        if board:
            board.close()

    def find(self, ref: RecordRef) -> Found:
        """A record's bytes, with their SHA-256 checked.

        Raises:
            SpoolError: the record is not in the spool (any more), damaged, or another than its digest says.
        """
        frames = []
        want, end = ref.offset, ref.offset + ref.length
        parts = []
        for frame in self._frames(ref.path, want):
            stop = frame.offset + len(frame.data)
            if stop <= want:
                continue
            if frame.offset > want:
                break
            parts.append(frame.data[want - frame.offset : end - frame.offset])
            frames.append(frame)
            want = stop
            if want >= end:
                break
        data = b"".join(parts)
        where = f"{ref.path}@{ref.offset}+{ref.length}"
        if len(data) != ref.length or not frames:
            raise SpoolError(where, "not in the spool", "a record that was received and not removed since")
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise SpoolError(where, "other bytes", f"those whose SHA-256 is {ref.sha256}")
        return Found(data, tuple(frames))

    def _frames(self, feed: str, offset: int) -> Iterator[Frame]:
        """A feed's frames from the one that holds a byte of its stream on."""
        begun = False
        for number in self._numbers[self._first(feed, offset) :]:
            if begun and feed not in self._index(number).feeds:
                continue
            at = self._index(number).where(feed, offset) if not begun else self._index(number).feeds[feed].places[0]
            if at is None:
                return
            begun = True
            yield from self._of_feed(number, feed, at)

    def _of_feed(self, number: int, feed: str, at: int) -> Iterator[Frame]:
        """A feed's frames in a segment from a byte on, as far as they are safe."""
        newest = self._published is not None and self._published.segment == number
        with Segment(self._folder, number) as segment:
            for found in pieces(segment.read, number, at, {}, _PIECE):
                for frame in found.frames:
                    if newest and self._published and frame.next.offset > self._published.offset:
                        return
                    if frame.kind is Kind.DATA and frame.feed == feed:
                        yield frame

    def _first(self, feed: str, offset: int) -> int:
        """Place in the list of numbers of the segment a byte of a stream lies in: the last that begins at or before it."""
        low, high = 0, len(self._numbers)
        while high - low > 1:
            middle = (low + high) // 2
            if self._reached(self._numbers[middle], feed) <= offset:
                low = middle
            else:
                high = middle
        return low

    def _reached(self, number: int, feed: str) -> int:
        """How far a feed's stream had come when a segment began."""
        if number not in self._starts:
            with Segment(self._folder, number) as segment:
                header = read_header(segment.read, segment.path)[0]
            _limit(self._starts, _HEADERS)
            self._starts[number] = {name: state.offset for name, state in header.feeds.items()}
        return self._starts[number].get(feed, 0)

    def _index(self, number: int) -> Index:
        if number not in self._indexes:
            found = load(self._folder, number)
            if found is None:
                with Segment(self._folder, number) as segment:
                    found = indexed(segment)
            _limit(self._indexes, _INDEXES)
            self._indexes[number] = found
        return self._indexes[number]


def declarations(folder: Path) -> dict[str, bytes]:
    """The last declaration (JSON of `model.service.Feed`) of each feed, as far as the newest segment tells."""
    there = numbers(folder)
    if not there:
        return {}
    with Segment(folder, there[-1]) as segment:
        header = read_header(segment.read, segment.path)[0]
        known = {name: state.declared for name, state in header.feeds.items() if state.declared}
        for found in pieces(segment.read, there[-1], header.size, {}, _PIECE):
            known |= {f.feed: f.data for f in found.frames if f.kind is Kind.FEED}
    return known


def _limit(kept: "dict[int, Index] | dict[int, dict[str, int]]", most: int) -> None:
    while len(kept) >= most:
        del kept[next(iter(kept))]
