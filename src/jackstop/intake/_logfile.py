"""A log file that is open for reading, plain or gzip; and how its bytes are cut into what the gate takes."""

import gzip
import os
import stat
import zlib
from typing import BinaryIO, NamedTuple

PIECE = 1 << 20
"""Bytes taken of a file at a time."""

_RATIO = 200
_SLACK = 64 << 20


class Shape(NamedTuple):
    """What a file looks like from outside: device and inode, size in bytes, ns of its last change."""

    dev: int
    ino: int
    size: int
    mtime: int


def shape(path: str, *, links: bool = False) -> Shape | None:
    """A regular file's shape; None where there is none (or none that can be seen now, as on a share that went away)."""
    try:
        told = os.stat(path, follow_symlinks=links)
    except OSError:
        return None
    return _shape(told) if stat.S_ISREG(told.st_mode) else None


def _shape(told: os.stat_result) -> Shape:
    return Shape(told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns)


class LogFile:
    """A file open for reading. `path`: where it was when it was opened.

    Raises:
        OSError: it cannot be read; `FileNotFoundError` also where it is no regular file.
    """

    def __init__(self, path: str, *, links: bool = False) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW)
        self.path = path
        self._fd = os.open(path, flags)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise FileNotFoundError(f"{path}: no regular file")
        self._packed: BinaryIO | None = None
        self._zipped: gzip.GzipFile | None = None
        if path.endswith(".gz"):
            self._packed = os.fdopen(os.dup(self._fd), "rb")
            self._zipped = gzip.GzipFile(fileobj=self._packed, mode="rb")

    @property
    def plain(self) -> bool:
        """Whether its bytes are the log's own."""
        return self._zipped is None

    def shape(self) -> Shape:
        """Its shape now; of a gzip file the size is that of the packed bytes."""
        return _shape(os.fstat(self._fd))

    def read(self, size: int, offset: int) -> bytes:
        """Bytes at an offset, fewer at the end.

        Raises:
            OSError: it cannot be read, is no gzip file though it is called one, or unpacks to more than a log would.
        """
        if self._zipped is None:
            return os.pread(self._fd, size, offset)
        if offset + size > self.shape().size * _RATIO + _SLACK:
            raise OSError(f"{self.path}: unpacks to more than {_RATIO} times its size, expected a log")
        try:
            self._zipped.seek(offset)
            return self._zipped.read(size)
        except (EOFError, zlib.error) as fault:
            raise OSError(f"{self.path}: {fault}, expected a whole gzip file") from None

    def close(self) -> None:
        """Close it."""
        if self._zipped is not None:
            self._zipped.close()
        if self._packed is not None:
            self._packed.close()
        os.close(self._fd)


def whole_lines(data: bytes, *, room: int = PIECE) -> bytes:
    """As many of the bytes as are whole lines; all of them where one line fills the room."""
    end = data.rfind(b"\n") + 1
    return data[:end] if end or len(data) < room else data
