"""The index beside a closed segment (`00000001.idx`): where in it the bytes of each feed lie.

One entry for each feed and each MiB of the segment it occurs in, so an index stays small however small the frames are. An index
is a function of the segment, and `verify` makes it again to compare.
"""

from bisect import bisect_right
from pathlib import Path

import msgspec

from jackstop.spool.faults import SpoolError
from jackstop.spool.segments import INDEX, place

_BLOCK = 20


class Run(msgspec.Struct, array_like=True):
    """One feed in a segment: where (byte of the segment) its stream has reached which offset, and the offset at the end."""

    offsets: list[int]
    places: list[int]
    end: int


class Index(msgspec.Struct, array_like=True):
    """The feeds of a segment. `stored`: hex SHA-256 of the packed file, empty while it is plain."""

    segment: int
    stored: str
    feeds: dict[str, Run]

    def add(self, feed: str, offset: int, length: int, at: int) -> None:
        """Take note of a DATA frame at byte `at` of the segment."""
        run = self.feeds.get(feed)
        if run is None:
            self.feeds[feed] = Run([offset], [at], offset + length)
            return
        if run.places[-1] >> _BLOCK != at >> _BLOCK:
            run.offsets.append(offset)
            run.places.append(at)
        run.end = offset + length

    def where(self, feed: str, offset: int) -> int | None:
        """A byte of the segment at or before which a feed's frame with this stream offset lies; None if it is not here."""
        run = self.feeds.get(feed)
        if run is None or not run.offsets[0] <= offset < run.end:
            return None
        return run.places[bisect_right(run.offsets, offset) - 1]

    def raw(self) -> bytes:
        """Its one spelling."""
        return msgspec.msgpack.encode(self)


def load(folder: Path, number: int) -> Index | None:
    """The index of a segment, None where there is none.

    Raises:
        SpoolError: it is damaged.
    """
    path = place(folder, number, INDEX)
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Index)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError) as fault:
        raise SpoolError(path, str(fault), "an index, or none: remove it and it is made again") from None
