"""Reading a spool while it is written, from another process."""

from pathlib import Path

from jackstop.spool import Frame, Position
from jackstop.spool.faults import SpoolError
from jackstop.spool.heads import Board, Published
from jackstop.spool.layout import ahead, read_header
from jackstop.spool.lock import held
from jackstop.spool.segments import Segment, numbers

NOTHING = Published(0, 0, 0, 0)
FAR = 1 << 62


class Follower:
    """Frames from a position on, in order, only those that are safe on disk.

    Args:
        folder: of the spool; it need not be there yet. start: a `Frame.next`, or None for the oldest frame there is.
    """

    def __init__(self, folder: Path, start: Position | None) -> None:
        self._folder = folder
        self._at = start
        self._segment: Segment | None = None
        self._board: Board | None = None
        self._names: dict[bytes, str] = {}

    @property
    def position(self) -> Position:
        """Where the next frame begins; (0, 0) where nothing was ever there."""
        return self._at or Position(0, 0)

    @property
    def head(self) -> tuple[int, int]:
        """The last safe seq and its `received` (µs UTC); (0, 0) for none."""
        found = self._published()
        return found.seq, found.received

    def take(self, most_bytes: int = 8 << 20) -> list[Frame]:
        """The next frames that are there now, about so many bytes of them, at least one; none if there are none.

        Raises:
            SpoolError: what lies there is damaged, or the position is not in this spool; frames before are given first.
        """
        published = self._published()
        frames: list[Frame] = []
        left = most_bytes
        while left > 0:
            try:
                found = self._some(published, left)
            except SpoolError:
                if frames:
                    break
                raise
            if not found:
                break
            frames += found
            left -= max(1, sum(len(f.data) for f in found))
        return frames

    def close(self) -> None:
        """Close the files."""
        for opened in (self._segment, self._board):
            if opened:
                opened.close()
        self._segment = self._board = None

    def _some(self, published: Published, most: int) -> list[Frame]:
        """Frames of one segment; moves on to the next segment at its trailer."""
        while (at := self._begin(published)) is not None:
            end = published.offset if at.segment == published.segment else None
            if at.offset == end:
                return []
            frames, ended = self._read(at, end, most)
            if frames or not ended:
                return frames
        return []

    def _begin(self, published: Published) -> Position | None:
        """The position, the header of its segment passed; None where nothing is published there yet."""
        if self._at is None or self._at == (0, 0):
            there = numbers(self._folder) if published.segment else []
            self._at = Position(there[0], 0) if there else None
        at = self._at
        if at is None or published.segment < at.segment:
            if at is not None and at.segment > published.segment + (at.offset == 0):
                self._beyond(at)
            return None
        if at.offset == 0:
            segment = self._opened(at.segment)
            at = self._at = Position(at.segment, read_header(segment.read, segment.path)[0].size)
        if at.segment == published.segment and at.offset > published.offset:
            self._beyond(at)
            return None
        return at

    def _beyond(self, at: Position) -> None:
        """A position that is not published: until a writer has looked through the spool, that says nothing."""
        if held(self._folder) and (now := self._published()).segment and at > (now.segment, now.offset):
            raise SpoolError(self._where(at), f"the spool ends at {now.segment}@{now.offset}", "a position in this spool")

    def _read(self, at: Position, end: int | None, most: int) -> tuple[list[Frame], bool]:
        """Frames from here, and whether the segment is at its end."""
        segment = self._opened(at.segment)
        limit = FAR if end is None else end
        found = ahead(lambda o, n: segment.read(o, min(n, limit - o)), at.segment, at.offset, self._names, most)
        if found.signed is not None:
            if not found.frames:
                self._at = Position(at.segment + 1, 0)
                return [], True
        elif not found.frames:
            raise SpoolError(self._where(at), "cut short" if found.want else "a damaged frame", "a whole frame")
        self._at = Position(at.segment, found.end) if found.signed is None else Position(at.segment + 1, 0)
        return found.frames, found.signed is not None

    def _opened(self, number: int) -> Segment:
        if self._segment is None or self._segment.number != number:
            if self._segment:
                self._segment.close()
                self._segment = None
            self._segment = Segment(self._folder, number)
        return self._segment

    def _published(self) -> Published:
        if self._board is None:
            try:
                self._board = Board(self._folder)
            except FileNotFoundError:
                return NOTHING
        return self._board.get() or NOTHING

    def _where(self, at: Position) -> str:
        return f"{self._segment.path if self._segment else self._folder}@{at.offset}"
