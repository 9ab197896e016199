"""The files of a spool's folder: segments by number, plain (`00000001.seg`) or packed (`00000001.seg.zst`)."""

import os
import re
from pathlib import Path

from jackstop.spool.faults import SpoolError
from jackstop.spool.seekable import Seekable

PLAIN, PACKED, INDEX, HEAD, TORN, DAMAGED = ".seg", ".seg.zst", ".idx", ".head", ".torn", ".damaged"
_NAME = re.compile(r"(\d{8,})\.seg(\.zst)?")


def place(folder: Path, number: int, ending: str) -> Path:
    """Where a file of a segment lies."""
    return folder / f"{number:08d}{ending}"


def numbers(folder: Path) -> list[int]:
    """The segments that are there, in order; none where the folder is not there."""
    try:
        found = {int(m.group(1)) for name in os.listdir(folder) if (m := _NAME.fullmatch(name))}
    except FileNotFoundError:
        return []
    return sorted(found)


def sync(folder: Path) -> None:
    """Make new names in a folder last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and make it last.

    Raises:
        OSError: it cannot be written; nothing is left then.
    """
    part = path.with_name(path.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)


class Segment:
    """One segment open for reading, packed or not.

    Args:
        folder: of the spool. number: of the segment. endings: which of its files, where there are two; tried in this order.

    Raises:
        SpoolError: it is not there, or its packing is damaged.
    """

    def __init__(self, folder: Path, number: int, *endings: str) -> None:
        self.number = number
        self._file = -1
        for ending in endings or (PACKED, PLAIN, PACKED):
            self.path = place(folder, number, ending)
            try:
                self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            break
        else:
            raise SpoolError(place(folder, number, PLAIN), "no such segment", "one that has not been removed")
        self._packed: Seekable | None = None
        if self.path.name.endswith(PACKED):
            try:
                self._packed = Seekable(self._plain, os.fstat(self._file).st_size, self.path)
            except SpoolError:
                self.close()
                raise

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the (unpacked) segment from an offset on; fewer at the end."""
        return self._packed.read(offset, length) if self._packed else self._plain(offset, length)

    @property
    def size(self) -> int:
        """Bytes of the (unpacked) segment now."""
        return self._packed.size if self._packed else os.fstat(self._file).st_size

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "Segment":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _plain(self, offset: int, length: int) -> bytes:
        parts = []
        while length > 0 and (part := os.pread(self._file, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
