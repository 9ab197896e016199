"""The spool: frames and bytes made safe a second, read back, verified; the gate before it. One process, the disk of this folder.

python -m benchmarks.spool
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jackstop.model.fleet import Reading
from jackstop.model.service import Feed, SpoolInfo
from jackstop.spool import Kind
from jackstop.spool.follower import Follower
from jackstop.spool.gate import SpoolGate
from jackstop.spool.signer import Signer
from jackstop.spool.verify import verify
from jackstop.spool.writer import Writer

LINE = b"*0123*03/01/2026*02:11:07*CASH PRESENTED 0000120.00 USD AUTH 123456 STAN 000123\r\n" * 2
FEEDS, FRAMES, GROUP = 5000, 300_000, 5000
LARGE = 4 << 20
INFO = SpoolInfo(quota=1 << 40, burst=1 << 40, free=0)


def _timed(what: str, unit: str, work: Callable[[], float]) -> None:
    wall, own = time.perf_counter(), time.process_time()
    done = work()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    print(f"{what:42} {done / wall:12,.0f} {unit}/s   {done / own:12,.0f} {unit}/s of processor time")


def _small(writer: Writer) -> float:
    for n in range(FRAMES):
        writer.append(Kind.DATA, f"T{n % FEEDS:05d}/journal", LINE, mark=b"%d" % n, peer="10.0.0.1")
        if n % GROUP == GROUP - 1:
            writer.commit()
    return FRAMES


def _large(writer: Writer, pieces: int = 200) -> float:
    data = os.urandom(LARGE)
    for n in range(pieces):
        writer.append(Kind.DATA, "large", data)
        if n % 4 == 3:
            writer.commit()
    writer.commit()
    return pieces * LARGE / 1e6


def _follow(folder: Path) -> float:
    follower, count = Follower(folder, None), 0
    while frames := follower.take():
        count += len(frames)
    follower.close()
    return count


async def _accepts(gate: SpoolGate, senders: int = 1000, each: int = 100) -> float:
    task = asyncio.create_task(gate.run())
    feeds = [Feed(format="ncr-journal", reading=Reading(name=f"T{n:05d}/journal")) for n in range(senders)]

    async def send(feed: Feed) -> None:
        for _ in range(each):
            await gate.accept(feed, LINE, peer="10.0.0.1")

    await asyncio.gather(*map(send, feeds))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return senders * each


def _disk(folder: Path, pieces: int = 20) -> float:
    data = os.urandom(4 * LARGE)
    with (folder / "raw").open("wb") as file:
        for _ in range(pieces):
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
    return pieces * len(data) / 1e6


def run() -> None:
    """Measure, and tell."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix=".bench-spool-"))
    signer = Signer(folder / "keys")
    clock = lambda: time.time_ns() // 1000  # noqa: E731
    try:
        _timed("the disk alone, 16 MiB and a sync", "MB", lambda: _disk(folder))
        writer = Writer(folder / "small", INFO, clock, signer)
        _timed(f"frames of {len(LINE)} bytes, {GROUP} to a sync", "frames", lambda: _small(writer))
        _timed("read by a follower", "frames", lambda: _follow(folder / "small"))
        writer.close()
        _timed("verified", "frames", lambda: sum(s.frames for s in verify(folder / "small", signer.public()).segments))
        writer = Writer(folder / "large", INFO, clock, signer)
        _timed("frames of 4 MiB, 4 to a sync", "MB", lambda: _large(writer))
        writer.close()
        writer = Writer(folder / "gate", INFO, clock, signer)
        gate = SpoolGate(writer, INFO, lambda reason, _: RuntimeError(reason))
        _timed("acknowledged by the gate, 1000 senders", "pieces", lambda: asyncio.run(_accepts(gate)))
        writer.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    run()
