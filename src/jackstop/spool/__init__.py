"""The spool (floor 5): every record as it was received, in one order, hashed and chained; the evidence and the only input
of the loop.

What the loop decides is a function of the frames of the spool alone: bytes, feeds, and ticks of time. So a restart that
reads it again decides the same.
"""

from enum import IntEnum
from typing import NamedTuple

__all__ = ["Frame", "Kind", "Position"]


class Kind(IntEnum):
    """What a frame is.

    DATA: bytes of a feed. FEED: how a feed is read from here on (JSON of `model.service.Feed`). TICK: nothing but time.
    REFUSED: bytes that were not taken as log; `note` is the reason. NOTE: the service's own record (interlock answers).
    END: a feed's bytes are complete, as those of a whole file; what follows begins anew.
    """

    DATA = 1
    FEED = 2
    TICK = 3
    REFUSED = 4
    NOTE = 5
    END = 6


class Position(NamedTuple):
    """Where a reader stands: the segment's number and the byte in it at which the next frame begins."""

    segment: int
    offset: int


class Frame(NamedTuple):
    """One frame.

    Attributes:
        seq: running number from 1, without holes. kind: see `Kind`. received: µs UTC, strictly rising with `seq`.
        feed: the feed's name, empty for ticks. offset: of `data` in the feed's own stream of bytes (DATA only).
        data: the bytes. mark: where the sender stood. peer: who sent it. note: a reason in words. next: where to read on.
    """

    seq: int
    kind: Kind
    received: int
    feed: str
    offset: int
    data: bytes
    mark: bytes
    peer: str
    note: str
    next: Position
