"""The logs one intake follows: found by the pattern, named, and looked at many in one go (blocking; for a thread)."""

import os
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from jackstop.intake import Gate
from jackstop.intake import _tail_rotation as rotation
from jackstop.intake._logfile import PIECE, LogFile, shape
from jackstop.intake._pattern import GZIP, Found, Pattern
from jackstop.intake._sources import Sources
from jackstop.intake._tail_dates import Dates
from jackstop.intake._tail_mark import KIB, Mark
from jackstop.intake._tail_trail import Piece, Rules, Trail

_AT_ONCE = 16 * PIECE
_OPEN = 256


class Wanted(NamedTuple):
    """What is to be followed.

    Attributes:
        name: the intake's. form: the format, None to tell it from what a log holds. most: logs at once. skip: begin at the end
            of logs that are there at the start.
    """

    name: str
    form: str | None
    most: int
    skip: bool


class Logs:
    """The logs that are followed.

    Args:
        wanted, rules: what, and how. pattern: finds files. sources: names them. gate: knows where each log stood.
    """

    def __init__(self, wanted: Wanted, rules: Rules, pattern: Pattern, sources: Sources, gate: Gate) -> None:
        self._wanted, self._rules, self._pattern, self._sources, self._gate = wanted, rules, pattern, sources, gate
        self._trails: dict[str, Trail] = {}
        self._claims: dict[tuple[int, int], Trail] = {}
        self._open: dict[Trail, None] = {}
        self._faults: dict[str, str] = {}
        self._over = 0
        self._first = True

    def scan(self, now: float) -> list[Trail]:
        """Logs that are new.

        Args:
            now: seconds of the follower's clock.
        """
        found = list(self._pattern.walk())
        if self._pattern.dated:
            files = {f.path: f.files for f in found}
            for path, trail in self._trails.items():
                trail.renew(files.get(path, ()))
        paths = {f.path for f in found} | self._trails.keys()
        left = list(self._left_over(paths)) if self._first else []
        paths.update(f.path for f in left)
        lives = self._lives(found, paths)
        known = {path for listed in lives.values() for path in listed}
        read = {name for t in self._trails.values() for name in t.before}
        new = sorted((f for f in found if f.path not in self._trails and f.path not in known), key=lambda f: len(f.relative))
        made, self._over = [], 0
        for one in [*left, *new]:
            if one.path in self._trails or not self._is_log(one, read):
                continue
            if len(self._trails) >= self._wanted.most:
                self._over += 1
                continue
            made.append(trail := self._follow(one, lives.get(one.path, []), now))
            read.update(trail.before)
        self._first = False
        return made

    def _is_log(self, one: Found, read: set[str]) -> bool:
        """Whether a file is a log of its own: not packed, not being read as another, not read before as another."""
        if one.path.endswith(rotation.PACKED):
            return False
        if one.files:
            return any(not name.endswith(GZIP) for name in one.files) or self._is_behind(one)
        known = shape(one.path, links=self._rules.links)
        if known is None:
            return True
        if (known.dev, known.ino) in self._claims:
            return False
        begun = f"{known.ino:x}:"
        return not any(name.startswith(begun) for name in read) or begun + self._head(one.path) not in read

    def _is_behind(self, one: Found) -> bool:
        """Whether a log that was followed before the start, and of which all files are packed, may hold what was not read."""
        mark = self._mark(one) if self._first else None
        return mark is not None and Dates(one.path, mark.name, links=self._rules.links).holds(one.files)

    def _mark(self, one: Found) -> Mark | None:
        """Where a log stood."""
        mark = Mark.decode(self._gate.mark(self._sources.name(one)))
        return None if mark is None or bool(one.files) != bool(mark.name) or "/" in mark.name else mark

    def _head(self, path: str) -> str:
        """The beginning of a file in short, as `before` of a mark has it."""
        try:
            file = LogFile(path, links=self._rules.links)
        except OSError:
            return ""
        head = file.read(KIB, 0)
        file.close()
        return sha256(head).digest()[:6].hex()

    def _lives(self, found: list[Found], paths: set[str]) -> dict[str, list[str]]:
        """Rotated files that fit the pattern too, by the log they were, where that is there and they are not followed."""
        lives: dict[str, list[str]] = {}
        for one in found:
            folder, name = os.path.split(one.path)
            base = rotation.base_of(name)
            if base is None or name.endswith(rotation.PACKED) or (log := os.path.join(folder, base)) not in paths:
                continue
            if one.path not in self._trails and not self._gate.mark(self._sources.name(one)):
                lives.setdefault(log, []).append(one.path)
        return lives

    def _left_over(self, paths: set[str]) -> Iterator[Found]:
        """Logs that were followed before the start and are gone now, while what was read of them is about under another name."""
        folders: dict[str, rotation.Listing] = {}
        for data in self._gate.marks(f"{self._wanted.name}/").values():
            mark = Mark.decode(data)
            if mark is None or mark.name or self._pattern.dated or not mark.path or ".." in mark.path.split("/"):
                continue
            path = os.path.join(self._pattern.base, mark.path)
            if path in paths:
                continue
            folder, name = os.path.split(path)
            if folder not in folders:
                folders[folder] = rotation.Listing(path)
            if folders[folder].holds(name, mark.ino):
                yield Found(path, mark.path, self._pattern.terminal(mark.path))

    def _follow(self, one: Found, lives: list[str], now: float) -> Trail:
        mark = self._mark(one)
        feed = partial(self._sources.feed, one)
        zone = self._sources.zone(one)
        dates = Dates(one.path, mark.name if mark else "", links=self._rules.links, zone=zone) if one.files else None
        fits = self._pattern.fits
        trail = Trail(one.path, one.relative, feed, self._wanted.form, mark, self._rules, self._claims, fits, dates)
        trail.renew(one.files, newest=self._first and self._wanted.skip)
        trail.changed = now
        self._trails[one.path] = trail
        if mark is None and self._first and self._wanted.skip:
            try:
                trail.skip()
            except OSError as fault:
                self._faults[one.relative] = str(fault)
        elif mark is None:
            shapes = [(path, shape(path, links=self._rules.links)) for path in lives]
            fresh = [(s.mtime, path) for path, s in shapes if s is not None and s.size and (s.dev, s.ino) not in self._claims]
            trail.oldest = min(fresh, default=(0, None))[1]
        return trail

    def look(self, due: list[Trail], now: float) -> tuple[list[tuple[Trail, Piece | None]], list[Trail]]:
        """What logs have that is new, and the logs there was no room for this time."""
        seen: list[tuple[Trail, Piece | None]] = []
        room = _AT_ONCE
        for n, trail in enumerate(due):
            if room <= 0:
                return seen, due[n:]
            try:
                piece = trail.look(now)
                self._faults.pop(trail.relative, None)
            except OSError as fault:
                trail.close()
                piece = None
                self._faults[trail.relative] = f"{trail.relative}: {fault.strerror or fault}"
            room -= len(piece.data) if piece else 0
            seen.append((trail, piece))
            self._held(trail)
        return seen, []

    def _held(self, trail: Trail) -> None:
        """Keep the number of open files down; those looked at last stay open."""
        self._open.pop(trail, None)
        if trail.open:
            self._open[trail] = None
        while len(self._open) > _OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.close()

    def drop(self, trail: Trail) -> None:
        """Follow a log no more."""
        trail.leave()
        self._open.pop(trail, None)
        self._trails.pop(trail.log, None)
        self._faults.pop(trail.relative, None)

    def close(self) -> None:
        """Let all files go."""
        for trail in self._trails.values():
            trail.close()

    def facts(self) -> dict[str, object]:
        """What is to be told of the logs' health."""
        unknown = self._sources.unknown
        return {
            "files": len(self._trails),
            "files_over": self._over,
            "unknown_terminals": ", ".join(sorted(unknown)[:5]) + (" …" if len(unknown) > 5 else ""),
            "unrecognised": sum(t.unrecognised for t in self._trails.values()),
            "fault": next(iter(self._faults.values()), "") or next((f for t in self._trails.values() if (f := t.fault)), ""),
        }
