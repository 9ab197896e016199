"""A file to which alerts are appended, a line each, synced to disk before they count as taken.

For agents that follow files. The file may be renamed or removed at any time (log rotation): the next batch goes to a new one.
A line that a crash or a full disk left half written is ended before the next, so no later line is spoilt.

```toml
[[sink]]
kind = "file"
name = "agent"
path = "/var/log/jackstop/alerts.ocsf.jsonl"
shape = "ocsf"
```
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from jackstop.outlets import Common, Later, Message, Place
from jackstop.outlets._lines import fitted
from jackstop.wire.trust import words


class Config(Common):
    """Keys of a `file` sink. `mode`: who may read a file that is made; `longest`: bytes of a line."""

    path: str
    shape: Literal["ocsf", "ecs", "cef", "leef"] = "ocsf"
    mode: str = Field(default="0640", pattern=r"^0?[0-7]{3}$")
    longest: int = Field(default=5_000_000, ge=2_000)


class File:
    """An open `file` sink."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config = config
        self._path = place.root / config.path
        self._threads = place.threads
        self._at: int | None = None
        self._lock = threading.Lock()

    async def send(self, batch: Sequence[Message]) -> None:
        """Append messages and sync them to disk."""
        config = self._config
        lines = [fitted(config.shape, m, config.lang, config.longest, i) for i, m in enumerate(batch)]
        data = "".join(line + "\n" for line in lines).encode()
        try:
            await self._threads.run(lambda: self._append(data))
        except OSError as fault:
            raise Later(f"{self._path}: {words(fault)}, expected a file that can be written") from None

    def _append(self, data: bytes) -> None:
        """Append bytes, one thread at a time: a batch that was given up may still be at it."""
        with self._lock:
            self._write(self._current(), data)

    def _write(self, at: int, data: bytes) -> None:
        """Write bytes at the end of an open file, whole or not at all as far as the disk allows."""
        size = os.fstat(at).st_size
        if size and os.pread(at, 1, size - 1) != b"\n":
            data = b"\n" + data
        try:
            done = 0
            while done < len(data):
                done += os.write(at, data[done:])
            os.fsync(at)
        except OSError:
            os.ftruncate(at, size)
            raise

    def _current(self) -> int:
        """The file that bears the name now; opened again where another one bears it, or none."""
        if self._at is not None:
            try:
                here, named = os.fstat(self._at), self._path.stat()
            except FileNotFoundError:
                named = None
            if named is not None and (here.st_dev, here.st_ino) == (named.st_dev, named.st_ino):
                return self._at
            self._leave()
        existed = self._path.exists()
        self._at = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, int(self._config.mode, 8))
        if not existed:
            _sync_folder(self._path.parent)
        return self._at

    def _leave(self) -> None:
        if self._at is not None:
            at, self._at = self._at, None
            os.close(at)

    async def close(self) -> None:
        """Close the file."""
        await self._threads.run(self._close)

    def _close(self) -> None:
        with self._lock:
            self._leave()


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file last."""
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(at)
    finally:
        os.close(at)


async def open(config: Config, place: Place) -> File:
    """A `file` sink ready to send; the file is opened with the first batch."""
    return File(config, place)
