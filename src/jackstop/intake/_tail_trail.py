"""One log that is followed: its lives in order, each read to its end before the next (blocking; for a thread)."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from jackstop import formats
from jackstop.intake import _tail_rotation as rotation
from jackstop.intake._logfile import PIECE, LogFile, Shape, shape, whole_lines
from jackstop.intake._pattern import GZIP
from jackstop.intake._tail_dates import Dates
from jackstop.intake._tail_mark import Mark, Place
from jackstop.model.service import Feed

HEAD = 64 << 10
CERTAIN = 30
_KEPT_BEFORE = 12
_PAST, _SLOW = 2 * 86_400.0, 30
"""Seconds without growth after which a log is most likely one of days past, and how much more seldom it is looked at then."""


class Piece(NamedTuple):
    """Bytes to be taken: `data` for the gate, `read` as they stand in the file, and the mark that goes with them."""

    data: bytes
    read: bytes
    mark: bytes


class Rules(NamedTuple):
    """How logs are followed: seconds until the rest of a line is taken, seconds an old life must be quiet, links or not."""

    rest_after: float
    linger: float
    links: bool


class Trail:
    """A log that is followed.

    Args:
        path: where the log is. relative: its path from the pattern's beginning. feed: makes its feed of a format.
        form: the format, or None to tell it from the first bytes. mark: where it stood. rules: see `Rules`.
        claims: device and inode of the file each log is reading. fits: whether a relative path fits the pattern.
        dates: the log's dated files, where it has such.

    Attributes:
        log: `path` as it was given. path: of a log with dates, its file that is being read.
    """

    def __init__(
        self,
        path: str,
        relative: str,
        feed: Callable[[str], Feed],
        form: str | None,
        mark: Mark | None,
        rules: Rules,
        claims: dict[tuple[int, int], "Trail"],
        fits: Callable[[str], bool],
        dates: Dates | None = None,
    ) -> None:
        self.log, self.relative, self._dates = path, relative, dates
        self.path = dates.path if dates else path
        self.feed: Feed | None = feed(form) if form else None
        self.gone: float | None = None
        self.changed = 0.0
        self.waits_for_rest = False
        self.oldest: str | None = None
        self._make, self._rules, self._claims, self._fits = feed, rules, claims, fits
        self._lines: bool | None = None
        self._file: LogFile | None = None
        self._before = mark.before if mark else ()
        self._place = Place(Shape(mark.dev, mark.ino, 0, mark.mtime), mark) if mark else None
        self._seen: Shape | None = None
        self._verified: Shape | None = None
        self._unknown = -1
        self._key: tuple[int, int] | None = None
        self._grew = 0.0
        self._settled = False
        self._packed: Shape | None = None
        if self._place:
            self._claim(self._place)

    @property
    def open(self) -> bool:
        """Whether a file is held open."""
        return self._file is not None

    @property
    def before(self) -> tuple[str, ...]:
        """Files read before that are about under names that fit."""
        return self._before

    def close(self) -> None:
        """Let the file go; it is found again when there is more."""
        if self._file is not None:
            self._file.close()
            self._file = self._verified = None

    def leave(self) -> None:
        """Follow it no more."""
        self.close()
        if self._key is not None and self._claims.get(self._key) is self:
            del self._claims[self._key]

    @property
    def fault(self) -> str:
        """What is odd about the log's dated files; empty for nothing."""
        return f"{self.relative}: {self._dates.fault}" if self._dates is not None and self._dates.fault else ""

    def renew(self, files: Sequence[str], *, newest: bool = False) -> None:
        """Hear which dated files there are now. `newest`: begin with the newest."""
        if self._dates is None:
            return
        if self._place is None:
            self._dates.choose(files, newest=newest)
            self.path = self._dates.path
        if self._dates.renew(files):
            self._settled = False

    def skip(self) -> None:
        """Begin at the end of what is there.

        Raises:
            OSError: it cannot be read.
        """
        file = LogFile(self.path, links=self._rules.links)
        try:
            self._place = Place.at_end(file)
        finally:
            file.close()
        self._claim(self._place)

    def wait(self, now: float, poll: float, quiet: float) -> float:
        """Seconds until the next look: the longer a log did not grow, the longer."""
        idle = now - self.changed
        return _SLOW * quiet if idle > _PAST else min(max(poll, idle / 4), max(poll, quiet))

    def look(self, now: float) -> Piece | None:
        """The next bytes; None where there are none now.

        Raises:
            OSError: a file cannot be read now.
        """
        known = shape(self.path, links=self._rules.links)
        there = known is not None or (self._dates is not None and self._dates.there)
        self.gone = None if there else now if self.gone is None else self.gone
        if self._at_rest(known):
            return None
        if self._seen is not None and known != self._seen:
            self._grew = now
        self._seen = None
        if self._file is None and not self._begin(known, now):
            return None
        piece = self._read(now)
        return piece if piece is not None else self._turn(known, now)

    def _at_rest(self, known: Shape | None) -> bool:
        """Whether nothing can have come since the last look."""
        if self.waits_for_rest or (self._dates is not None and self._dates.following is not None):
            return False
        if known is not None:
            return known == self._seen
        return self._settled and self._packed == shape(self.path + GZIP, links=self._rules.links)

    def taken(self, piece: Piece, now: float) -> None:
        """A piece was taken: go on behind it."""
        self.changed = now
        if self._place is not None:
            self._place.taken(piece.read)

    def _begin(self, known: Shape | None, now: float) -> bool:
        """Open the file to be read: the one that was being read, wherever it is now."""
        self._grew = self._grew or now
        if self._place is None:
            first = self.oldest or (self.path if known is not None else None)
            return first is not None and self._new_life(first, now)
        if known is not None:
            self._file = LogFile(self.path, links=self._rules.links)
            if self._place.fits(self._file):
                self._adopt()
                return True
            self.close()
        self._file = self._elsewhere(self._place)
        if self._file is not None:
            self._adopt()
            return True
        return self._next_life(known, now) or self._settle(known)

    def _elsewhere(self, place: Place, *, longer: bool = False) -> LogFile | None:
        """The file that was being read under another name; `longer`: another that begins the same and has more in it."""
        if self._dates is None:
            return rotation.earlier(self.path, place, links=self._rules.links, longer=longer)
        packed = rotation.packed(self.path, place, links=self._rules.links, longer=longer)
        return packed or rotation.earlier(self.path, place, links=self._rules.links, longer=longer, near=self._dates.near)

    def _adopt(self) -> None:
        if self._file is not None and self._place is not None:
            self._place.found(self._file.shape())
            self._claim(self._place)

    def _claim(self, place: Place) -> None:
        """Say which file is being read."""
        if self._key is not None and self._claims.get(self._key) is self:
            del self._claims[self._key]
        self._key = (place.dev, place.ino)
        self._claims.setdefault(self._key, self)

    def _new_life(self, path: str, now: float) -> bool:
        """Read a file from its beginning."""
        self.close()
        self._file = LogFile(path, links=self._rules.links)
        self._place = Place(self._file.shape())
        self._claim(self._place)
        self._grew, self._lines, self._unknown = now, None, -1
        return True

    def _next_life(self, known: Shape | None, now: float) -> bool:
        """Go on with the life after the one that was read: rotated files not seen before, then the log itself."""
        if self._place is None:
            return False
        taken = self._claims.keys() | {(self._place.dev, self._place.ino)}
        unseen = rotation.between(self.path, self._place, taken, links=self._rules.links) if self._dates is None else []
        if unseen:
            following = unseen[0]
        elif known is not None and known.size and self._claims.get((known.dev, known.ino), self) is self:
            following = self.path
        else:
            return self._next_date(known, now)
        self._remember(self._place)
        return self._new_life(following, now)

    def _next_date(self, known: Shape | None, now: float) -> bool:
        """Go on with the file of the next date. What is not there any more is left out when the names are told anew."""
        if self._dates is None or self._dates.following is None or (known is None and self._dates.listed):
            return False
        path = self._dates.path_of(self._dates.following)
        try:
            self._new_life(path if shape(path, links=self._rules.links) else path + GZIP, now)
        except FileNotFoundError:
            return False
        self.path = path
        self._dates.turn()
        return True

    def _remember(self, place: Place) -> None:
        """Keep in mind a file whose name still fits the pattern, so that it is not taken for a new log."""
        folder = self.relative.rpartition("/")[0]
        for name, ino in rotation.inodes(self.path):
            relative = f"{folder}/{name}" if folder else name
            if ino == place.ino and relative != self.relative and self._fits(relative):
                self._before = (*self._before, place.name)[-_KEPT_BEFORE:]

    def _read(self, now: float) -> Piece | None:
        """The next bytes of the file that is open."""
        file, place = self._file, self._place
        if file is None or place is None:
            return None
        told = file.shape()
        if told != self._verified and not place.fits(file):
            return self._rewritten(now)
        self._verified = told
        place.found(told)
        data = file.read(PIECE, place.offset)
        if not data or not self._known(file):
            self.waits_for_rest = False
            return None
        whole = whole_lines(data) if self._lines else data
        if whole:
            self._grew, self.waits_for_rest = now, False
            return self._piece(whole, whole)
        self.waits_for_rest = True
        return self._piece(data + b"\n", data) if now - self._grew >= self._rules.rest_after else None

    def _rewritten(self, now: float) -> Piece | None:
        """The file holds something else now: it was copied and cut off, or written anew."""
        file, place = self._file, self._place
        if file is None or place is None:
            return None
        copy = self._elsewhere(place)
        if copy is not None:
            self.close()
            self._file = copy
            self._adopt()
        else:
            self._new_life(self.path, now)
        return self._read(now)

    def _piece(self, data: bytes, read: bytes) -> Piece:
        place, name = self._place, self._dates.name if self._dates else ""
        return Piece(data, read, place.mark(read, self._before, self.relative, name).encode() if place else b"")

    def _turn(self, known: Shape | None, now: float) -> Piece | None:
        """At the end of a file: stay, or go on with the next life of the log."""
        file, place = self._file, self._place
        if file is None or place is None:
            return None
        if file.plain and rotation.same(known, file.shape()):
            self._seen = known if known is not None and known.size == place.offset else None
            return self._leave_date(file, place, known, now)
        if known is not None and self._replaced(known):
            return self._read(now)
        return self._leave_life(file, place, known, now) if now - self._grew >= self._rules.linger else None

    def _leave_date(self, file: LogFile, place: Place, known: Shape | None, now: float) -> Piece | None:
        """A file is quiet and there is one of a later date: what is left of it, then the next."""
        if self._dates is None or self._dates.following is None or now - self._grew < self._rules.linger:
            return None
        rest = file.read(PIECE, place.offset) if self._lines is not None else b""
        if rest and not self.waits_for_rest:
            return None
        if rest:
            self.waits_for_rest = False
            return self._piece(rest if rest.endswith(b"\n") else rest + b"\n", rest)
        return self._read(now) if self._next_date(known, now) else None

    def _leave_life(self, file: LogFile, place: Place, known: Shape | None, now: float) -> Piece | None:
        """A file that was rotated away is quiet: what is left of it, in it or in a longer copy, then the next."""
        if (copy := self._elsewhere(place, longer=True)) is not None:
            self.close()
            self._file = copy
            self._adopt()
            return self._read(now)
        if self.waits_for_rest and (rest := file.read(PIECE, place.offset)):
            self.waits_for_rest = False
            return self._piece(rest + b"\n", rest)
        return self._read(now) if self._next_life(known, now) or self._settle(known) else None

    def _settle(self, known: Shape | None) -> Literal[False]:
        """No more of a dated file that is gone: not looked for again until the names in its folder change, or the packed file."""
        if self._dates is not None and known is None:
            self._settled, self._packed = True, shape(self.path + GZIP, links=self._rules.links)
            self.close()
        return False

    def _replaced(self, known: Shape) -> bool:
        """Whether the log is the same under another inode: written anew with more in it, or on a share that changes them."""
        if self._place is None or self._claims.get((known.dev, known.ino), self) is not self or not self._place.offset:
            return False
        file = LogFile(self.path, links=self._rules.links)
        if not self._place.fits(file):
            file.close()
            return False
        self.close()
        self._file = file
        self._adopt()
        return True

    def _known(self, file: LogFile) -> bool:
        """Whether the format is known, and with it whether the log is lines."""
        if self._lines is not None:
            return True
        size = file.shape().size
        if size == self._unknown or self._unknown >= HEAD:
            return False
        head = file.read(HEAD, 0)
        if self.feed is None:
            sure = next((n for certainty, n in formats.guess(head, self.path.rpartition("/")[2]) if certainty >= CERTAIN), None)
            if sure is None:
                self._unknown = size
                return False
            self.feed = self._make(sure)
        self._lines = formats.by_lines(self.feed.format, head) and b"\0" not in head[:1024]
        return True

    @property
    def unrecognised(self) -> bool:
        """Whether no format fits what the log holds."""
        return self.feed is None and self._unknown > 0
