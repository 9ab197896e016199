"""What else lies in a spool's folder: ends that were cut off after a crash, and files that are none of the spool's."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jackstop.spool import heads, lock, retention
from jackstop.spool.faults import SpoolError
from jackstop.spool.segments import DAMAGED, PACKED, PLAIN, TORN, Segment, place

_CUT = re.compile(rf"(\d{{8,}})\.(\d+)\.([0-9a-f]{{64}})({re.escape(TORN)}|{re.escape(DAMAGED)})")
_OWN = re.compile(r"(\d{8,})\.(seg|seg\.zst|idx|head)")
_NAMES = {heads.PUBLISHED, lock.NAME, retention.LEDGER}
_PIECE = 8 << 20


class Odd(NamedTuple):
    """Something in the folder: which file, what of it, and whether it is a fault or only to be told."""

    name: str
    what: str
    fault: bool


def odd(folder: Path) -> Iterator[Odd]:
    """What there is to say of a folder beside its segments."""
    for path in sorted(folder.iterdir()):
        name = path.name
        if found := _CUT.fullmatch(name):
            yield from _cut(path, found.group(3), damaged=found.group(4) == DAMAGED)
        elif name == lock.NAME:
            if path.stat().st_size:
                yield Odd(name, "holds bytes, expected none", True)
        elif found := _OWN.fullmatch(name):
            yield from _double(folder, int(found.group(1)), name)
        elif name not in _NAMES:
            yield Odd(name, "left half made" if name.endswith(".part") else "none of the spool's files", False)


def _cut(path: Path, digest: str, *, damaged: bool) -> Iterator[Odd]:
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        yield Odd(path.name, "not the bytes its name says", True)
    elif damaged:
        yield Odd(path.name, "frames that had been made safe were found damaged here", True)
    else:
        yield Odd(path.name, "the end of an unfinished write, never acknowledged", False)


def _double(folder: Path, number: int, name: str) -> Iterator[Odd]:
    """A segment that is there twice, as a crash while it was packed leaves it, must be the same twice."""
    if not name.endswith(PLAIN) or not place(folder, number, PACKED).exists():
        return
    try:
        with Segment(folder, number, PLAIN) as plain, Segment(folder, number, PACKED) as packed:
            at = 0
            while piece := plain.read(at, _PIECE):
                if packed.read(at, _PIECE) != piece:
                    yield Odd(name, "differs from the packed one beside it", True)
                    return
                at += len(piece)
    except SpoolError as fault:
        if place(folder, number, PLAIN).exists():
            yield Odd(name, f"cannot be held against the packed one: {fault.what}", True)
