"""How long the spool is kept: closed segments past their time are removed, but for those under a hold or not consumed yet.

Of each one removed its signed head stays, in `removed.jsonl`, one signed line each; so the chain can be followed across the hole,
and what was removed by rule can be told from what somebody took away.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from jackstop.spool import Position
from jackstop.spool.heads import Signed, read
from jackstop.spool.layout import trailer_of
from jackstop.spool.segments import HEAD, INDEX, PACKED, PLAIN, Segment, numbers, place, sync
from jackstop.spool.signer import Keys, Signer, genuine

LEDGER = "removed.jsonl"
DAY = 86_400_000_000


class Removed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment that was removed by rule: its signed head, when (µs UTC), and after how many days."""

    head: Signed
    at: int
    keep: int


class Removal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same, signed."""

    removed: Removed
    key: str
    signature: str

    def raw(self) -> bytes:
        """Its one spelling."""
        return msgspec.json.encode(self)

    def genuine(self, keys: Keys) -> bool:
        """Whether known keys signed it and the head in it."""
        return genuine(keys, self.key, self.signature, _text(self.removed)) and self.removed.head.genuine(keys)


def sweep(
    folder: Path, keep_days: int, holds: Sequence[tuple[int, int]], now: int, consumed: Position, signer: Signer
) -> list[int]:
    """Remove closed segments whose frames were all received more than so many days ago; gives their numbers.

    Args:
        folder: of the spool. keep_days: days. holds: (begins, ends) in µs UTC, both included, of the holds that stand; a segment
            with a frame received in one stays. now: µs UTC. consumed: where the slowest reader stands; its segment and those
            after it stay. signer: signs what was removed.

    Raises:
        SpoolError: a segment that is to go is damaged; it stays, and so do those after it. OSError: the disk fails.
    """
    gone = []
    for number in numbers(folder)[:-1]:
        head = closed(folder, number) if number < consumed.segment else None
        if head is None or head.head.last_received >= now - keep_days * DAY:
            break
        if any(begins <= head.head.last_received and head.head.first_received <= ends for begins, ends in holds):
            continue
        _write(folder, Removed(head, now, keep_days), signer)
        for ending in (PACKED, PLAIN, INDEX, HEAD):
            place(folder, number, ending).unlink(missing_ok=True)
        gone.append(number)
    if gone:
        sync(folder)
    return gone


def closed(folder: Path, number: int) -> Signed | None:
    """The signed head at the end of a closed segment; None where it is open.

    Raises:
        SpoolError: the segment cannot be read.
    """
    with Segment(folder, number) as segment:
        found = trailer_of(segment.read, segment.size)
    return read(found) if found is not None else None


def ledger(folder: Path) -> tuple[list[Removal], list[int]]:
    """What was removed, in order, and the numbers of lines that are no such account (a torn last line is left out)."""
    try:
        lines = (folder / LEDGER).read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], []
    found, bad = [], []
    for n, line in enumerate(lines[:-1], 1):
        removal = _read(line)
        if removal is None:
            bad.append(n)
        else:
            found.append(removal)
    return found, bad


def _read(line: bytes) -> Removal | None:
    try:
        found = msgspec.json.decode(line, type=Removal)
    except (msgspec.MsgspecError, ValueError):
        return None
    return found if found.raw() == line else None


def _write(folder: Path, removed: Removed, signer: Signer) -> None:
    """Add a line, and make it last before anything is removed; what a crash left of a line is cut off first."""
    line = Removal(removed, signer.id, signer.sign(_text(removed))).raw() + b"\n"
    with os.fdopen(os.open(folder / LEDGER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    sync(folder)


def _text(removed: Removed) -> bytes:
    return b"jackstop removed " + msgspec.json.encode(removed)
