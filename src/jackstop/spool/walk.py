"""Going through one segment frame by frame: everything that must hold of it by itself, and what it amounts to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from jackstop.spool import Frame, Kind
from jackstop.spool.chain import Chain
from jackstop.spool.feedtable import FeedTable
from jackstop.spool.heads import ZEROS, Head, Signed, read
from jackstop.spool.index import Index
from jackstop.spool.layout import pieces, read_header
from jackstop.spool.segments import Segment

_PIECE = 1 << 20


@dataclass(slots=True)
class Left:
    """A segment up to a frame.

    Attributes:
        number: of the last segment, 0 for none. begin: byte of its first frame. size: its bytes. first, last: seq of its frames.
            first_received, received: µs UTC of its first frame (0: none) and of the last frame of all. chain: up to the last
            frame. previous: SHA-256 of the signed head before it. feeds: as of the last frame. closed: whether it is closed, and
            the next one is to be begun. index: of the segment so far.
    """

    number: int = 0
    begin: int = 0
    size: int = 0
    first: int = 1
    last: int = 0
    first_received: int = 0
    received: int = 0
    chain: Chain = field(default_factory=lambda: Chain(b""))
    previous: bytes = ZEROS
    feeds: FeedTable = field(default_factory=lambda: FeedTable({}))
    closed: bool = True
    index: Index = field(default_factory=lambda: Index(0, "", {}))


class Ended(NamedTuple):
    """How a segment ends: with its signed head, or else why it goes no further. `after`: bytes of it, trailer included."""

    signed: Signed | None
    why: str
    after: int


def begin(segment: Segment) -> Left:
    """A segment before its first frame.

    Raises:
        SpoolError: its header cannot be read.
    """
    header, raw = read_header(segment.read, segment.path)
    left = Left(header.number, header.size, header.size, header.first, header.first - 1, 0, header.received)
    left.previous, left.closed, left.chain = header.previous, False, Chain(raw)
    left.feeds, left.index = FeedTable(header.feeds), Index(header.number, "", {})
    return left


def walk(segment: Segment, left: Left, stops: Iterable[int] = (), seen: dict[int, Head] | None = None) -> Ended:
    """Go through the frames from where `left` stands, which is moved to the last whole one that fits.

    Args:
        segment: the segment. left: from `begin`. stops: bytes at which to note in `seen` what the frames amount to there.
    """
    names: dict[bytes, str] = {}
    wanted, noted = frozenset(stops), {} if seen is None else seen
    if left.size in wanted:
        noted[left.size] = as_head(left, closed=False)
    for found in pieces(segment.read, segment.number, left.size, names, _PIECE):
        for frame in found.frames:
            why = _misfit(frame, left)
            if why:
                left.feeds.keep()
                return Ended(None, why, left.size)
            end = frame.next.offset
            left.chain.add(found.raw(left.size, end))
            if frame.kind is Kind.DATA:
                left.index.add(frame.feed, frame.offset, len(frame.data), left.size)
            left.feeds.step(frame.kind, frame.feed, frame.data, frame.mark)
            left.first_received = left.first_received or frame.received
            left.last, left.received, left.size = frame.seq, frame.received, end
            if end in wanted:
                noted[end] = as_head(left, closed=False)
        left.feeds.keep()
        if found.signed is not None:
            signed = read(found.signed)
            return Ended(signed, "" if signed else "the signed head cannot be read", found.end)
        if not found.want:
            return Ended(None, "a damaged frame", left.size)
    return Ended(None, "cut short" if segment.size > left.size else "", left.size)


def _misfit(frame: Frame, left: Left) -> str:
    """Why a frame cannot follow; empty where it does."""
    if frame.seq != left.last + 1:
        return f"frame {frame.seq} after frame {left.last}"
    if frame.received <= left.received:
        return f"frame {frame.seq} was received before the one ahead of it"
    due = left.feeds.due(frame.feed) if frame.kind is Kind.DATA else 0
    if frame.offset != due:
        return f"frame {frame.seq} is at byte {frame.offset} of {frame.feed[:100]}, which has come to {due}"
    return ""


def as_head(left: Left, *, closed: bool) -> Head:
    """The head that the frames amount to."""
    return Head(
        segment=left.number,
        size=left.size,
        first=left.first,
        last=left.last,
        first_received=left.first_received,
        last_received=left.received if left.first_received else 0,
        chain=left.chain.link.hex(),
        tree=left.chain.root().hex(),
        previous=left.previous.hex(),
        closed=closed,
    )
