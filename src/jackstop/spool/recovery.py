"""Finding a spool as it was left, by a stop or by a crash: where the last segment ends, its chain, the table of feeds.

Only the last segment is read. What stands behind its last whole frame was never acknowledged; it is cut off and kept beside
it as `<segment>.<byte>.<SHA-256>.torn`. Where frames are gone that had been published, it is kept as `.damaged` instead, and
`verify` tells of it.
"""

import hashlib
import os
from pathlib import Path

from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import Published, read
from jackstop.spool.segments import DAMAGED, HEAD, PACKED, PLAIN, TORN, Segment, numbers, place, put, sync
from jackstop.spool.walk import Left, as_head, begin, walk


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
            left = begin(segment)
        except SpoolError:
            raise _NoHeader from None
        ended, size = walk(segment, left), segment.size
    if ended.signed is not None and ended.signed.head == as_head(left, closed=True):
        left.previous, left.closed = ended.signed.digest(), True
        return left
    _mend(folder, left, size, published)
    return left


def _mend(folder: Path, left: Left, size: int, published: Published | None) -> None:
    """Cut off what stands behind the last whole frame."""
    if size > left.size or _is_lost(folder, left.number, left.size, published):
        _set_aside(folder, left.number, left.size, published)
        with place(folder, left.number, PLAIN).open("r+b") as file:
            file.truncate(left.size)
            file.flush()
            os.fsync(file.fileno())


def _set_aside(folder: Path, number: int, begin: int, published: Published | None) -> None:
    """Keep what is cut off a segment beside it, under its digest; on a full disk only what had been made safe once.

    Raises:
        SpoolError: the segment is packed, so it was whole once, and is not now.
    """
    path = place(folder, number, PLAIN)
    if not path.exists():
        raise SpoolError(place(folder, number, PACKED), "damaged", "a packed segment as it was written")
    with path.open("rb") as file:
        file.seek(begin)
        rest = file.read()
    lost = _is_lost(folder, number, begin, published)
    try:
        put(folder / f"{number:08d}.{begin}.{hashlib.sha256(rest).hexdigest()}{DAMAGED if lost else TORN}", rest)
    except OSError:
        if lost:
            raise


def _is_lost(folder: Path, number: int, end: int, published: Published | None) -> bool:
    """Whether a segment went on behind this byte when it was published or signed."""
    if published is not None and (published.segment, published.offset) > (number, end):
        return True
    anchor = place(folder, number, HEAD)
    signed = read(anchor.read_bytes()) if anchor.exists() else None
    return signed is not None and signed.head.size > end
