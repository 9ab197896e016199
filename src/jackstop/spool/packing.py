"""Packing closed segments: `00000001.seg` becomes `00000001.seg.zst`, whole or not at all, with its index beside it."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.index import Index
from jackstop.spool.layout import pieces, read_header
from jackstop.spool.seekable import pack as compress
from jackstop.spool.segments import INDEX, PACKED, PLAIN, Segment, numbers, place, put, sync

LEVEL = 3
_PIECE = 8 << 20


def pack(folder: Path, number: int, index: Index) -> bool:
    """Pack one closed segment; whether it was done. Where the disk is full it stays plain, and is packed another time."""
    plain, packed = place(folder, number, PLAIN), place(folder, number, PACKED)
    part = packed.with_name(packed.name + ".part")
    try:
        compress(plain, part, LEVEL)
        part.replace(packed)
        sync(folder)
        put(place(folder, number, INDEX), Index(number, digest(packed), index.feeds).raw())
        plain.unlink()
    except OSError:
        part.unlink(missing_ok=True)
        return False
    return True


def pack_all(folder: Path, number: int, index: Index, stop: Callable[[], bool]) -> None:
    """Pack a segment that was just closed, and those before it that a full disk had left plain."""
    if pack(folder, number, index):
        pack_rest(folder, number, stop)


def pack_rest(folder: Path, before: int, stop: Callable[[], bool]) -> None:
    """Pack what earlier runs left plain among the segments before a number, until told to stop; damaged ones are left."""
    for number in numbers(folder):
        if stop():
            return
        done = place(folder, number, PACKED).exists() and place(folder, number, INDEX).exists()
        if number < before and not done:
            try:
                with Segment(folder, number) as segment:
                    index = indexed(segment)
            except SpoolError:
                continue
            _finish(folder, number, index)


def _finish(folder: Path, number: int, index: Index) -> None:
    """Pack a segment, or make the index that a packed one lacks."""
    packed = place(folder, number, PACKED)
    if not packed.exists():
        pack(folder, number, index)
        return
    with suppress(OSError):
        put(place(folder, number, INDEX), Index(number, digest(packed), index.feeds).raw())


def indexed(segment: Segment) -> Index:
    """The index of a segment, made from its frames."""
    made, names = Index(segment.number, "", {}), dict[bytes, str]()
    at = read_header(segment.read, segment.path)[0].size
    for found in pieces(segment.read, segment.number, at, names, _PIECE):
        for frame in found.frames:
            if frame.kind == Kind.DATA:
                made.add(frame.feed, frame.offset, len(frame.data), at)
            at = frame.next.offset
    return made


def digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
