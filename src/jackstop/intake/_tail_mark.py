"""Where the reading of a log stands: told by what the file holds, not by its name or inode alone.

Two files are the same if the first KiB and the KiB before the offset are the same. Inodes are used again, change on shares and
with programs that write a new file in place of the old one; names change with every rotation.
"""

from hashlib import sha256
from typing import Self

import msgspec

from jackstop.intake._logfile import LogFile, Shape

KIB = 1024
_LAST = 64 << 10


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a reading stands, as kept with the bytes.

    Attributes:
        dev, ino, mtime: of the file. offset: bytes of it taken. head, tail: SHA-256 of its first and its last bytes taken, of
            which there are `heads` and `tails`, at most a KiB. before: files read before that are still about under a name
            that fits, so that they are not taken for new ones. path: of the log, from the pattern's fixed beginning.
            name: of the dated file, where the log is one.
    """

    dev: int
    ino: int
    mtime: int
    offset: int
    head: bytes = b""
    heads: int = 0
    tail: bytes = b""
    tails: int = 0
    before: tuple[str, ...] = ()
    path: str = ""
    name: str = ""

    def encode(self) -> bytes:
        """The mark as bytes (JSON)."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """The mark these bytes are; None where they are none."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, ValueError):
            return None


class Place:
    """Where a reading stands, while it goes on.

    Args:
        shape: of the file. mark: where it stood; None is its beginning.
    """

    def __init__(self, shape: Shape, mark: Mark | None = None) -> None:
        self.dev, self.ino, self.mtime = shape.dev, shape.ino, shape.mtime
        self.offset = mark.offset if mark else 0
        self._head = self._tail = b""
        self._mark = mark

    @classmethod
    def at_end(cls, file: LogFile) -> Self:
        """The place behind the last whole line of a file.

        Raises:
            OSError: it cannot be read.
        """
        place = cls(file.shape())
        size = file.shape().size
        last = file.read(_LAST, max(0, size - _LAST))
        place.offset = size - len(last) + (last.rfind(b"\n") + 1 or len(last))
        place._head = file.read(min(KIB, place.offset), 0)
        place._tail = file.read(min(KIB, place.offset), max(0, place.offset - KIB))
        return place

    def fits(self, file: LogFile) -> bool:
        """Whether a file is the one that is being read, whatever it is called now.

        Raises:
            OSError: it cannot be read.
        """
        if file.plain and file.shape().size < self.offset:
            return False
        heads, tails = (self._mark.heads, self._mark.tails) if self._mark else (len(self._head), len(self._tail))
        head = file.read(heads, 0)
        tail = file.read(tails, self.offset - tails) if tails else b""
        if self._mark is not None:
            if (sha256(head).digest(), sha256(tail).digest()) != (self._mark.head, self._mark.tail) and self.offset:
                return False
            self._head, self._tail, self._mark = head, tail, None
            return True
        return head == self._head and tail == self._tail

    def found(self, shape: Shape) -> None:
        """The file was found with this shape."""
        self.dev, self.ino, self.mtime = shape.dev, shape.ino, shape.mtime

    def taken(self, data: bytes) -> None:
        """These bytes of the file were taken."""
        self.offset += len(data)
        if len(self._head) < KIB:
            self._head += data[: KIB - len(self._head)]
        self._tail = data[-KIB:] if len(data) >= KIB else (self._tail + data)[-KIB:]

    def mark(self, data: bytes, before: tuple[str, ...], path: str, name: str = "") -> Mark:
        """Where the reading stands once these bytes are taken as well."""
        head = self._head + data[: KIB - len(self._head)]
        tail = (self._tail + data)[-KIB:]
        return Mark(
            self.dev,
            self.ino,
            self.mtime,
            self.offset + len(data),
            sha256(head).digest(),
            len(head),
            sha256(tail).digest(),
            len(tail),
            before,
            path,
            name,
        )

    @property
    def name(self) -> str:
        """The file in short, for `before`."""
        return f"{self.ino:x}:{sha256(self._head).digest()[:6].hex()}"
