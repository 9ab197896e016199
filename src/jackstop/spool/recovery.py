"""Finding a spool as it was left, by a stop or by a crash: where the last segment ends, its chain, the table of feeds.

Only the last segment is read. What stands behind its last whole frame was never acknowledged; it is cut off and kept beside
it as `<segment>.<byte>.<SHA-256>.torn`. Where frames are gone that had been published, it is kept as `.damaged` instead, and
`verify` tells of it.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.feedtable import FeedTable
from jackstop.spool.heads import ZEROS, Head, Published, read
from jackstop.spool.index import Index
from jackstop.spool.layout import pieces, read_header
from jackstop.spool.segments import DAMAGED, HEAD, PACKED, PLAIN, TORN, Segment, numbers, place, put, sync

_PIECE = 8 << 20


@dataclass(slots=True)
class Left:
    """What was found.

    Attributes:
        number: of the last segment, 0 for none. size: its bytes. first, last: seq of its frames. first_received, received:
        µs UTC of its first frame (0: none) and of the last frame of all. chain: the last link. previous: SHA-256 of the signed
        head before it. closed: whether it is closed, and the next one is to be begun. index: of the
        segment so far.
    """

    number: int = 0
    size: int = 0
    first: int = 1
    last: int = 0
    first_received: int = 0
    received: int = 0
    chain: bytes = b""
    previous: bytes = ZEROS
    feeds: FeedTable = field(default_factory=lambda: FeedTable({}))
    closed: bool = True
    index: Index = field(default_factory=lambda: Index(0, "", {}))


def recover(folder: Path, published: Published | None) -> Left:
    """The spool as it is safe to go on with; the last segment is mended.

    Args:
        folder: of the spool. published: how far all was said to be safe, if it was.

    Raises:
        SpoolError: the last segment is packed and damaged. OSError: reading or mending fails.
    """
    _tidy(folder)
    there = numbers(folder)
    while there:
        number = there.pop()
        try:
            return _last(folder, number, published)
        except _NoHeader:
            if place(folder, number, PACKED).exists() and not place(folder, number, PLAIN).exists():
                raise SpoolError(place(folder, number, PACKED), "damaged", "a packed segment as it was written") from None
            _set_aside(folder, number, 0, published)
            place(folder, number, PLAIN).unlink()
            sync(folder)
    return Left()


class _NoHeader(Exception):
    """The segment's header cannot be read."""


def _tidy(folder: Path) -> None:
    """Remove what a crash left half made, and plain segments that are packed already."""
    for part in folder.glob("*.part"):
        part.unlink()
    for path in folder.glob("*" + PACKED):
        path.with_name(path.name.removesuffix(".zst")).unlink(missing_ok=True)


def _last(folder: Path, number: int, published: Published | None) -> Left:
    """The last segment, read frame by frame."""
    with Segment(folder, number) as segment:
        try:
            header, raw = read_header(segment.read, segment.path)
        except SpoolError:
            raise _NoHeader from None
        left = Left(
            number, header.size, header.first, header.first - 1, 0, header.received, previous=header.previous, closed=False
        )
        left.feeds, left.index = FeedTable(header.feeds), Index(number, "", {})
        left.chain = hashlib.sha256(raw).digest()
        signed, size = _walk(segment, left), segment.size
    if signed is not None and (head := read(signed)) and head.head == as_head(left, closed=True):
        left.previous, left.closed = head.digest(), True
        return left
    if size > left.size:
        _set_aside(folder, number, left.size, published)
        _cut(place(folder, number, PLAIN), left.size)
    return left


def _walk(segment: Segment, left: Left) -> bytes | None:
    """Go through the frames; gives the trailer's signed head where there is one."""
    names: dict[bytes, str] = {}
    for found in pieces(segment.read, segment.number, left.size, names, _PIECE):
        piece = memoryview(segment.read(left.size, found.end - left.size))
        base = left.size
        for frame in found.frames:
            if frame.seq != left.last + 1 or frame.received <= left.received:
                return None
            end = frame.next.offset
            link = hashlib.sha256(left.chain)
            link.update(piece[left.size - base : end - base])
            left.chain = link.digest()
            if frame.kind == Kind.DATA:
                left.index.add(frame.feed, frame.offset, len(frame.data), left.size)
            left.first_received = left.first_received or frame.received
            left.last, left.received, left.size = frame.seq, frame.received, end
            left.feeds.replay((frame,))
        if found.signed is not None:
            return found.signed
    return None


def as_head(left: Left, *, closed: bool) -> Head:
    """The head these frames amount to."""
    return Head(
        segment=left.number,
        size=left.size,
        first=left.first,
        last=left.last,
        first_received=left.first_received,
        last_received=left.received if left.first_received else 0,
        chain=left.chain.hex(),
        previous=left.previous.hex(),
        closed=closed,
    )


def _set_aside(folder: Path, number: int, begin: int, published: Published | None) -> None:
    """Keep what is cut off a segment beside it, under its digest."""
    path = place(folder, number, PLAIN)
    with path.open("rb") as file:
        file.seek(begin)
        rest = file.read()
    lost = published is not None and (published.segment, published.offset) > (number, begin)
    anchor = place(folder, number, HEAD)
    if anchor.exists():
        signed = read(anchor.read_bytes())
        lost = lost or (signed is not None and signed.head.size > begin)
    name = f"{number:08d}.{begin}.{hashlib.sha256(rest).hexdigest()}{DAMAGED if lost else TORN}"
    put(folder / name, rest)


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        file.flush()
        os.fsync(file.fileno())
