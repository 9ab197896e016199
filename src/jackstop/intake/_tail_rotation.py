"""Rotated files: which files of a folder are earlier lives of a log, and which of them is the one that was being read."""

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Container

from jackstop.intake._logfile import LogFile, Shape, shape
from jackstop.intake._tail_mark import Place

PACKED = (".gz", ".zst", ".xz", ".bz2", ".zip", ".Z", ".lz4")
_MOST = 2000
_AFTER = re.compile(r"[._~-]+(?:\d[\dT:_.-]{0,40}|old|prev|bak|last)(?:\.gz)?")
_HEAD = 64 << 10


def base_of(name: str) -> str | None:
    """The name of the log that a rotated file of this name belonged to (`x.log.1`, `x.log-20260301` → `x.log`); else None."""
    for end in range(len(name) - 1, 0, -1):
        if name[end] in "._~-" and name[end - 1] not in "._~-" and _AFTER.fullmatch(name, end):
            shorter = base_of(name[:end])
            return shorter or name[:end]
    return None


def family(name: str) -> re.Pattern[str]:
    """Names of rotated files of a log: `x.log.1`, `x.log-20260301.gz`, `x.1.log`, `x-20260301.log`."""
    stem, dot, suffix = name.rpartition(".")
    between = rf"{re.escape(stem)}[._-]\d[\dT:_.-]{{0,40}}{re.escape(dot + suffix)}(?:\.gz)?" if stem else "(?!)"
    return re.compile(rf"{re.escape(name)}{_AFTER.pattern}|{between}")


def packed(path: str, place: Place, *, links: bool, longer: bool = False) -> LogFile | None:
    """The file that was being read, packed under its own name. `longer`: only another file that has more in it."""
    file = _opened(path + ".gz", links=links)
    if file is None:
        return None
    try:
        if place.fits(file) and (not longer or (file.shape().ino != place.ino and _more(file, place))):
            return file
    except OSError:
        pass
    file.close()
    return None


def earlier(
    path: str, place: Place, *, links: bool, longer: bool = False, near: Callable[[str], bool] | None = None
) -> LogFile | None:
    """The file that was being read, found under another name in the log's folder: a plain one before a packed one.

    Args:
        path: the log. place: where its reading stands. longer: only another file that begins the same and has more in it.
        near: only files of these names, and of those only the same file and rotated ones.
    """
    folder, name = os.path.split(path)
    fits = family(name)
    for entry in sorted(_entries(folder), key=lambda e: (e.inode() != place.ino, not fits.fullmatch(e.name), e.name)):
        if entry.name == name or (entry.name.endswith(PACKED) and not entry.name.endswith(".gz")):
            continue
        if near is not None and not (near(entry.name) and (entry.inode() == place.ino or fits.fullmatch(entry.name))):
            continue
        if longer and (entry.inode() == place.ino or not fits.fullmatch(entry.name)):
            continue
        file = _opened(entry.path, links=links)
        if file is None:
            continue
        if _is(file, place) and (not longer or _more(file, place)):
            return file
        file.close()
    return None


def _opened(path: str, *, links: bool) -> LogFile | None:
    try:
        return LogFile(path, links=links)
    except OSError:
        return None


def _is(file: LogFile, place: Place) -> bool:
    """Whether this is the file; one of which nothing was read yet is known by its inode."""
    try:
        return (place.offset > 0 or file.shape().ino == place.ino) and place.fits(file)
    except OSError:
        return False


def _more(file: LogFile, place: Place) -> bool:
    try:
        return bool(file.read(1, place.offset))
    except OSError:
        return False


def between(path: str, place: Place, taken: Container[tuple[int, int]], *, links: bool) -> list[str]:
    """Rotated files of a log changed after the one that was read, oldest first: lives of it that began and ended unseen.

    Args:
        path: the log. place: where the reading of the one before stands. taken: device and inode of files known to be others.
    """
    folder, name = os.path.split(path)
    fits = family(name)
    found: list[tuple[int, str]] = []
    heads = [_head(path, links=links)]
    for entry in _entries(folder):
        if entry.name == name or not fits.fullmatch(entry.name) or (known := shape(entry.path, links=links)) is None:
            continue
        if known.mtime < place.mtime or (known.dev, known.ino) in taken or not known.size:
            continue
        file = _opened(entry.path, links=links)
        if file is None:
            continue
        head, read = _beginning(file), _is(file, place)
        file.close()
        if head and not read and not any(h.startswith(head) for h in heads):
            heads.append(head)
            found.append((known.mtime, entry.path))
    return [p for _, p in sorted(found)]


def _head(path: str, *, links: bool) -> bytes:
    """The first bytes of a log, unpacked; a copy of a log begins the same."""
    file = _opened(path, links=links)
    if file is None:
        return b""
    head = _beginning(file)
    file.close()
    return head


def _beginning(file: LogFile) -> bytes:
    try:
        return file.read(_HEAD, 0)
    except OSError:
        return b""


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder or "/") as listed:
            return [e for _, e in zip(range(_MOST), listed, strict=False)]
    except OSError:
        return []


def same(one: Shape | None, other: Shape | None) -> bool:
    """Whether two shapes are of one file."""
    return one is not None and other is not None and (one.dev, one.ino) == (other.dev, other.ino)


def inodes(path: str) -> list[tuple[str, int]]:
    """Names and inodes of the files in a log's folder."""
    return [(e.name, e.inode()) for e in _entries(path.rpartition("/")[0])]


class Listing:
    """The names and inodes of one folder, to ask of many logs whether an earlier life of them may be there.

    Args:
        path: of any file in the folder.
    """

    def __init__(self, path: str) -> None:
        listed = inodes(path)
        self._inodes = {ino for _, ino in listed}
        self._names = sorted(name for name, _ in listed)

    def holds(self, name: str, ino: int) -> bool:
        """Whether the folder may hold an earlier life of a log: a file of this inode, or a rotated name of it."""
        if ino in self._inodes:
            return True
        stem, fits = name.rpartition(".")[0] or name, family(name)
        at = bisect_left(self._names, stem)
        while at < len(self._names) and self._names[at].startswith(stem):
            if fits.fullmatch(self._names[at]):
                return True
            at += 1
        return False
