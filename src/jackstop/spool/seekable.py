"""The Zstandard seekable format (facebook/zstd, contrib/seekable_format, version 0.1.0): blocks compressed one by one, and a
table of them in a skippable frame at the end. `zstd -d` unpacks such a file as any other.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import zstandard

from jackstop.spool.faults import SpoolError

BLOCK = 1 << 20
"""Bytes of a block before compression."""

_SKIPPABLE, _MAGIC = 0x184D2A5E, 0x8F92EAB1
_SKIP = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_KEPT = 2


def pack(source: Path, target: Path, level: int) -> None:
    """Compress a file into another; the other is on disk when this returns.

    Raises:
        OSError: reading or writing fails; the target may be there in part.
    """
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    entries = []
    with source.open("rb") as raw, open(target, "wb", opener=_private) as out:
        while block := raw.read(BLOCK):
            made = compressor.compress(block)
            out.write(made)
            entries.append(_ENTRY.pack(len(made), len(block)))
        table = b"".join(entries)
        out.write(_SKIP.pack(_SKIPPABLE, len(table) + _FOOTER.size) + table + _FOOTER.pack(len(entries), 0, _MAGIC))
        out.flush()
        os.fsync(out.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


class Seekable:
    """A packed file, read from any byte on.

    Args:
        read: gives bytes of the packed file at (offset, length). size: bytes of the packed file. where: for messages.

    Raises:
        SpoolError: it is no file of this format, or cut.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, where: object) -> None:
        self._read, self._where = read, where
        footer = read(max(0, size - _FOOTER.size), _FOOTER.size)
        if len(footer) < _FOOTER.size:
            raise self._fault("cut short")
        count, descriptor, magic = _FOOTER.unpack(footer)
        begin = size - _FOOTER.size - count * _ENTRY.size - _SKIP.size
        if magic != _MAGIC or descriptor or begin < 0:
            raise self._fault("no table of blocks at its end")
        table = read(begin, _SKIP.size + count * _ENTRY.size)
        if _SKIP.unpack_from(table) != (_SKIPPABLE, count * _ENTRY.size + _FOOTER.size):
            raise self._fault("no table of blocks at its end")
        pairs = list(_ENTRY.iter_unpack(table[_SKIP.size :]))
        self._packed = list(accumulate((p for p, _ in pairs), initial=0))
        self._plain = list(accumulate((u for _, u in pairs), initial=0))
        if self._packed[-1] != begin or any(u > BLOCK for _, u in pairs):
            raise self._fault("a table of blocks that does not fit the file")
        self._blocks: dict[int, bytes] = {}
        self._decompressor = zstandard.ZstdDecompressor()

    @property
    def size(self) -> int:
        """Bytes unpacked."""
        return int(self._plain[-1])

    def read(self, offset: int, length: int) -> bytes:
        """Bytes unpacked from an offset on; fewer at the end.

        Raises:
            SpoolError: a block is damaged.
        """
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        parts = []
        for n in range(bisect_right(self._plain, offset) - 1, len(self._plain) - 1):
            base = self._plain[n]
            if base >= end:
                break
            parts.append(self._block(n)[max(0, offset - base) : end - base])
        return b"".join(parts)

    def _block(self, n: int) -> bytes:
        found = self._blocks.get(n)
        if found is None:
            packed = self._read(self._packed[n], self._packed[n + 1] - self._packed[n])
            size = self._plain[n + 1] - self._plain[n]
            try:
                found = self._decompressor.decompress(packed, max_output_size=BLOCK)
            except zstandard.ZstdError as fault:
                raise self._fault(f"block {n}: {fault}") from None
            if len(found) != size:
                raise self._fault(f"block {n}: {len(found)} bytes, not {size}")
            while len(self._blocks) >= _KEPT:
                del self._blocks[next(iter(self._blocks))]
            self._blocks[n] = found
        return found

    def _fault(self, what: str) -> SpoolError:
        return SpoolError(self._where, what, "a packed segment as it was written")
