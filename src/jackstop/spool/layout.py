"""The bytes of a segment: header, frames, trailer. All numbers are little endian.

A segment is a header, frames, and once it is closed a trailer. Each of the three begins or ends with a CRC-32, so that a torn
write is known at once; that nobody altered them is shown by the chain (see `chain`). The trailer is the signed head.

The header holds the table of feeds (how far each has come, its mark, its declaration) as of the segment's beginning, so each
segment can be read on its own, and the table outlives the removal of old segments.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import zstandard

from jackstop.spool import Frame, Kind, Position
from jackstop.spool.faults import SpoolError

MAGIC = b"JSSPOOL\n"
VERSION = 1
LARGEST = 16 << 20
"""Bytes of a frame that a reader believes in."""
MOST_DATA = 4 << 20
"""Bytes of data in one frame."""
MOST_NAME = 0xFFFF
"""Bytes of a feed's name, a mark, a peer and a note."""

HEADER = struct.Struct("<8sIIQqI32s")
FRAME = struct.Struct("<IIQqQBBHHHH")
ENVELOPE = struct.Struct("<II")
_HEAD = struct.Struct("<IQqQBBHHHH")
_CRC = struct.Struct("<I")
_LAST = 0x80000000
_KINDS = {int(k): k for k in Kind}


class FeedState(msgspec.Struct, array_like=True, frozen=True):
    """How far a feed has come: bytes so far, its last mark, its last declaration (JSON; empty for none)."""

    offset: int = 0
    mark: bytes = b""
    declared: bytes = b""


class Header(NamedTuple):
    """The beginning of a segment.

    Attributes:
        number: of the segment, from 1. first: seq of its first frame. received: µs UTC of the frame before it, 0 for none.
        previous: SHA-256 of the signed head of the segment before, zeros for the first. feeds: the table as of here.
        size: bytes; the first frame begins there.
    """

    number: int
    first: int
    received: int
    previous: bytes
    feeds: dict[str, FeedState]
    size: int


def header(number: int, first: int, received: int, previous: bytes, feeds: dict[str, FeedState]) -> bytes:
    """The bytes of a header (see `Header`)."""
    table = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(feeds))
    fixed = HEADER.pack(MAGIC, VERSION, number, first, received, len(table), previous)
    return b"".join((fixed, table, _CRC.pack(zlib.crc32(table, zlib.crc32(fixed)))))


def read_header(read: Callable[[int, int], bytes], where: object) -> tuple[Header, bytes]:
    """A segment's header and its bytes.

    Args:
        read: gives bytes at (offset, length), fewer at the end. where: the file, for the message.

    Raises:
        SpoolError: it is none, or damaged.
    """
    fixed = read(0, HEADER.size)
    if len(fixed) < HEADER.size or not fixed.startswith(MAGIC):
        raise SpoolError(where, "no header", "a segment of a spool")
    _, version, number, first, received, length, previous = HEADER.unpack(fixed)
    if version != VERSION:
        raise SpoolError(where, f"layout {version}", f"layout {VERSION}, the one this version knows")
    rest = read(HEADER.size, length + 4)
    whole = fixed + rest
    if len(rest) != length + 4 or _CRC.unpack(rest[-4:])[0] != zlib.crc32(whole[:-4]):
        raise SpoolError(where, "the header is damaged", "a header that matches its checksum")
    try:
        table = zstandard.ZstdDecompressor().decompress(rest[:-4])
        feeds = msgspec.msgpack.decode(table, type=dict[str, FeedState])
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError) as fault:
        raise SpoolError(where, f"the header's table of feeds: {fault}", "one that can be read") from None
    return Header(number, first, received, previous, feeds, len(whole)), whole


def encode(
    seq: int, kind: int, received: int, feed: bytes, offset: int, data: bytes, mark: bytes, peer: bytes, note: bytes
) -> bytes:
    """One frame. `peer` and `note` are cut to what there is room for; the rest must fit (`MOST_NAME`, `MOST_DATA`)."""
    peer, note = peer[:MOST_NAME], note[:MOST_NAME]
    size = FRAME.size + len(feed) + len(mark) + len(peer) + len(note) + len(data)
    head = (
        _HEAD.pack(size, seq, received, offset, kind, 0, len(feed), len(mark), len(peer), len(note)) + feed + mark + peer + note
    )
    return b"".join((_CRC.pack(zlib.crc32(data, zlib.crc32(head))), head, data))


def trailer(signed: bytes) -> bytes:
    """The trailer around a signed head; its length stands at its end too, so it is found from there."""
    size = ENVELOPE.size + len(signed) + _CRC.size
    rest = _CRC.pack(size | _LAST) + signed + _CRC.pack(size)
    return _CRC.pack(zlib.crc32(rest)) + rest


def trailer_of(read: Callable[[int, int], bytes], size: int) -> bytes | None:
    """The signed head at the end of a segment of so many bytes; None where it does not end with a trailer."""
    end = read(size - _CRC.size, _CRC.size)
    length = _CRC.unpack(end)[0] if len(end) == _CRC.size else 0
    if not ENVELOPE.size + _CRC.size < length <= min(size, LARGEST):
        return None
    return scan(read(size - length, length), 0, 0, {}).signed


class Scanned(NamedTuple):
    """Bytes of a segment taken apart.

    Attributes:
        frames: whole frames. end: byte of the segment up to which all was whole.
        want: bytes from `end` that the next frame needs, where fewer were given; 0 where the frame there is none.
        signed: the signed head, where the trailer was reached. piece: the bytes. base: the byte of the segment they begin at.
    """

    frames: list[Frame]
    end: int
    want: int
    signed: bytes | None
    piece: bytes
    base: int

    def raw(self, begin: int, end: int) -> memoryview:
        """The bytes between two bytes of the segment."""
        return memoryview(self.piece)[begin - self.base : end - self.base]


def scan(piece: bytes, segment: int, base: int, names: dict[bytes, str]) -> Scanned:
    """The frames in a piece of a segment that begins with a frame.

    Args:
        piece: the bytes. segment: its number. base: byte of the segment at which the piece begins.
        names: a cache of feed names, kept by the caller between calls.
    """
    frames: list[Frame] = []
    at, view, length = 0, memoryview(piece), len(piece)
    while at + ENVELOPE.size <= length:
        crc, size = ENVELOPE.unpack_from(piece, at)
        total = size & ~_LAST
        least = ENVELOPE.size + _CRC.size if size & _LAST else FRAME.size
        if not least <= total <= LARGEST:
            return Scanned(frames, base + at, 0, None, piece, base)
        end = at + total
        if end > length:
            return Scanned(frames, base + at, total, None, piece, base)
        if zlib.crc32(view[at + 4 : end]) != crc:
            return Scanned(frames, base + at, 0, None, piece, base)
        if size & _LAST:
            return Scanned(frames, base + end, 0, piece[at + ENVELOPE.size : end - _CRC.size], piece, base)
        frame = _frame(piece, at, end, Position(segment, base + end), names)
        if frame is None:
            return Scanned(frames, base + at, 0, None, piece, base)
        frames.append(frame)
        at = end
    return Scanned(frames, base + at, ENVELOPE.size, None, piece, base)


def _frame(piece: bytes, at: int, end: int, after: Position, names: dict[bytes, str]) -> Frame | None:
    """The frame between two bytes; None where its parts do not fit into it."""
    _, _, seq, received, offset, kind, zero, feed, mark, peer, note = FRAME.unpack_from(piece, at)
    a = at + FRAME.size
    b = a + feed
    c = b + mark
    d = c + peer
    e = d + note
    if e > end or zero or kind not in _KINDS:
        return None
    raw = piece[a:b]
    name = names.get(raw)
    if name is None:
        name = names[raw] = raw.decode("utf-8", "surrogatepass")
    return Frame(
        seq,
        _KINDS[kind],
        received,
        name,
        offset,
        piece[e:end],
        piece[b:c],
        piece[c:d].decode("utf-8", "replace") if peer else "",
        piece[d:e].decode("utf-8", "replace") if note else "",
        after,
    )


def ahead(read: Callable[[int, int], bytes], segment: int, at: int, names: dict[bytes, str], size: int) -> Scanned:
    """The frames from a byte on in about `size` bytes, at least one where there is a whole one (see `scan`)."""
    found = scan(read(at, size), segment, at, names)
    while not found.frames and found.want > len(found.piece):
        piece = read(at, found.want)
        if len(piece) < found.want:
            break
        found = scan(piece, segment, at, names)
    return found


def pieces(read: Callable[[int, int], bytes], segment: int, start: int, names: dict[bytes, str], size: int) -> Iterator[Scanned]:
    """A segment's frames from a byte on, a piece of about `size` bytes at a time; the last one says how it ends."""
    at = start
    while True:
        found = ahead(read, segment, at, names, size)
        yield found
        if found.signed is not None or found.end == at or not found.want:
            return
        at = found.end
