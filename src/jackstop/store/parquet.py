"""Parquet files of the history on disk: how they are named, written so that a power cut loses nothing recorded, and read
while others remove some.

A file counts once the database names it. What the database does not name is left over and may go.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from jackstop.store.faults import StoreError

GROUP = 20_000
"""Rows of one row group: what a search by terminal skips or reads."""

_MERGED = "merged-"
_SPILT = "part-"
_LOCK, _TURN = ".reading", ".merging"


def fresh_name(seq: int, number: int) -> str:
    """The name of a checkpoint's file: by the spool's frame, so that a repeat gives the same name."""
    return f"{seq:016d}-{number:03d}.parquet"


def spilt_name(number: int) -> str:
    """The name of a file whose checkpoint is yet to come."""
    return f"{_SPILT}{number:06d}.parquet"


def merged_name(paths: Iterable[str]) -> str:
    """The name of the file that stands for others."""
    return f"{_MERGED}{hashlib.sha256(chr(10).join(sorted(paths)).encode()).hexdigest()[:24]}.parquet"


def seq_of(name: str) -> int | None:
    """The checkpoint a file was written for; None for others."""
    digits = name.partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else None


def is_merged(name: str) -> bool:
    """Whether a file stands for others."""
    return name.startswith(_MERGED)


def write(frame: pl.DataFrame, path: Path, *, quick: bool = False) -> int:
    """Write a frame, and give the bytes it takes once they are on disk (the folder is not synced).

    `quick`: rather soon than small.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        _folder(path.parent)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            frame.write_parquet(
                file, compression="zstd", compression_level=1 if quick else 3, row_group_size=GROUP, statistics=True
            )
            file.flush()
            os.fsync(file.fileno())
            return os.fstat(file.fileno()).st_size
    except (OSError, pl.exceptions.PolarsError) as fault:
        raise StoreError(f"{path}: {_said(fault)}, expected a place for the history") from None


def sync(folders: Iterable[Path]) -> None:
    """Make names in folders lasting.

    Raises:
        StoreError: one cannot be synced.
    """
    for folder in sorted(set(folders)):
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as fault:
            raise StoreError(f"{folder}: {_said(fault)}, expected a folder of the history") from None


@contextmanager
def reading(root: Path) -> Iterator[None]:
    """While this lasts, no file that was named when it began is removed."""
    with _locked(root / _LOCK, fcntl.LOCK_SH):
        yield


@contextmanager
def merging(root: Path) -> Iterator[bool]:
    """Gives whether it is our turn to merge and remove; only one does at a time."""
    try:
        with _locked(root / _TURN, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield True
    except BlockingIOError:
        yield False


def remove(root: Path, paths: Iterable[str]) -> int:
    """Remove files nobody reads and the database does not name; gives how many. Where somebody reads, none are."""
    try:
        with _locked(root / _LOCK, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return sum(_unlinked(root / p) for p in paths)
    except BlockingIOError:
        return 0


def found(root: Path) -> list[str]:
    """The Parquet files that are there, by their path below the history's folder."""
    return sorted(p.relative_to(root).as_posix() for p in root.glob("*/day=*/*.parquet"))


def _unlinked(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    try:
        _folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise StoreError(f"{path}: {_said(fault)}, expected a folder of the history") from None
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def _folder(path: Path) -> None:
    """Make a folder that only we may look into, and those above it."""
    if not path.is_dir():
        _folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def _said(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or str(fault).splitlines()[0]
