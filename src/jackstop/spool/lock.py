"""One writer to a spool: an open file description lock (fcntl, Linux), gone with the process that holds it."""

import fcntl
import os
import struct
from pathlib import Path

from jackstop.spool.faults import SpoolError

NAME = "lock"
_SHAPE = struct.Struct("hhqqi4x")
_ALL = (os.SEEK_SET, 0, 0, 0)


class Lock:
    """The writer's lock on a folder, held until `release`.

    Raises:
        SpoolError: another writer holds it. OSError: the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _SHAPE.pack(fcntl.F_WRLCK, *_ALL))
        except OSError:
            os.close(self._file)
            raise SpoolError(folder, "another writer has it", "one writer to a spool") from None

    def release(self) -> None:
        """Let another write."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def held(folder: Path) -> bool:
    """Whether a writer is at work on a folder."""
    try:
        file = os.open(folder / NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, _SHAPE.pack(fcntl.F_RDLCK, *_ALL))
        return bool(_SHAPE.unpack(found)[0] != fcntl.F_UNLCK)
    finally:
        os.close(file)
