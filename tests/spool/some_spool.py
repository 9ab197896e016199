"""What the spool's tests stand on: a clock that can be set, a spool in a folder, frames read back."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jackstop.model.fleet import Reading
from jackstop.model.service import Feed, SpoolInfo
from jackstop.spool import Frame, Kind, Position
from jackstop.spool.follower import Follower
from jackstop.spool.segments import INDEX, PLAIN, place
from jackstop.spool.signer import Signer
from jackstop.spool.writer import Writer

START = 1_800_000_000_000_000
SMALL = SpoolInfo(segment=1 << 16, free=0)


@dataclass
class Clock:
    """A clock (µs) that moves by `step` with every look."""

    now: int = START
    step: int = 1000

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def opened(folder: Path, info: SpoolInfo = SMALL, clock: Clock | None = None) -> Writer:
    """A writer of `folder/spool` with its keys beside it."""
    return Writer(folder / "spool", info, clock or Clock(), Signer(folder / "keys"))


def everything(folder: Path, start: Position | None = None) -> list[Frame]:
    """All frames that are safe in `folder/spool`."""
    follower = Follower(folder / "spool", start)
    try:
        found = []
        while frames := follower.take():
            found += frames
        return found
    finally:
        follower.close()


def feed(name: str, **settings: str) -> Feed:
    """A feed of this name."""
    return Feed(format="ncr-journal", reading=Reading(name=name, **settings))


def fill(writer: Writer, frames: int, *, feeds: int = 3, size: int = 200, begin: int = 0) -> None:
    """Append and commit DATA frames of several feeds, each different."""
    for n in range(begin, begin + frames):
        data = (f"{n} ".encode() * size)[:size]
        writer.append(Kind.DATA, f"feed-{n % feeds}", data, mark=str(n).encode(), peer="10.0.0.1")
    writer.commit()


def streams(frames: list[Frame]) -> dict[str, bytes]:
    """The stream of bytes of each feed; its frames must follow each other."""
    found: dict[str, bytes] = {}
    for f in frames:
        if f.kind is Kind.DATA:
            so_far = found.get(f.feed, b"")
            assert f.offset == len(so_far)
            found[f.feed] = so_far + f.data
    return found


@contextmanager
def in_memory() -> Iterator[Path]:
    """A folder on a file system that syncs at once, where there is one: for what does not turn on the disk."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def packed(folder: Path, number: int) -> None:
    """Wait until a segment of `folder/spool` is packed and its index is there.

    Raises:
        TimeoutError: it takes too long.
    """
    spool, last = folder / "spool", time.monotonic() + 30
    while place(spool, number, PLAIN).exists() or not place(spool, number, INDEX).exists():
        if time.monotonic() > last:
            raise TimeoutError(f"segment {number} is not packed")
        time.sleep(0.005)
