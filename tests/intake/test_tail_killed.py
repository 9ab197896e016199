"""A follower with the real spool, killed at random moments while its log is written and rotated: each byte once."""

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from fake_gate import FakePlace, until

from jackstop.intake import Full, find
from jackstop.model.service import SpoolInfo
from jackstop.spool import Kind
from jackstop.spool.follower import Follower
from jackstop.spool.gate import SpoolGate
from jackstop.spool.signer import Signer
from jackstop.spool.writer import Writer

KILLS = 3
LINES = 20_000
STEP = 500


async def serve(root: Path) -> None:
    """What the child does until it is killed."""
    info = SpoolInfo(free=0)
    writer = Writer(root / "spool", info, lambda: time.time_ns() // 1000, Signer(root / "keys"))
    gate = SpoolGate(writer, info, Full)
    tail = find("tail")
    keys = {"kind": "tail", "name": "t", "path": "logs/x.log*", "format": "cef", "poll": "5ms", "quiet": "20ms", "linger": "20ms"}
    work = tail.run(tail.Config.model_validate(keys), gate, FakePlace(root).place())
    await asyncio.gather(gate.run(), work)


def taken(root: Path) -> bytes:
    """The feed's stream of bytes in the spool; its frames must follow each other."""
    follower, data = Follower(root / "spool", None), b""
    try:
        while frames := follower.take():
            for frame in frames:
                if frame.kind is Kind.DATA:
                    assert (frame.feed, frame.offset) == ("t/x.log", len(data))
                    data += frame.data
    finally:
        follower.close()
    return data


def write_lines(log: Path, begin: int) -> None:
    with log.open("ab") as file:
        file.write(b"".join(b"line %d\n" % n for n in range(begin, begin + STEP)))


def write(log: Path, stop: threading.Event) -> None:
    """Write the log's lines, rotating it on the way."""
    for begin in range(STEP, LINES, STEP):
        write_lines(log, begin)
        if begin % 4000 == 3500:
            for k in range(30, 0, -1):
                if (older := log.with_name(f"x.log.{k}")).exists():
                    older.rename(log.with_name(f"x.log.{k + 1}"))
            log.rename(log.with_name("x.log.1"))
        stop.wait(0.1)


async def test_a_follower_that_is_killed_again_and_again_takes_each_byte_once():
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        root = Path(folder)
        (root / "logs").mkdir()
        stop, picks = threading.Event(), random.Random(7)
        writing = threading.Thread(target=write, args=(root / "logs" / "x.log", stop))
        write_lines(root / "logs" / "x.log", 0)
        try:
            for n in range(KILLS + 1):
                child = subprocess.Popen([sys.executable, __file__, str(root)])
                try:
                    before = size(root)
                    if n == 0:
                        await until(lambda: size(root) and taken(root), 30)
                        writing.start()
                    if n < KILLS:
                        await until(lambda: size(root) > before + picks.randrange(60_000) or child.poll() is not None, 30)  # noqa: B023
                    else:
                        stop.set()
                        await asyncio.to_thread(writing.join)
                        await until(lambda: size(root) >= total() and len(taken(root)) >= total(), 30)
                    assert child.poll() is None, "the child ended by itself"
                finally:
                    child.send_signal(signal.SIGKILL)
                    child.wait()
        finally:
            stop.set()
            if writing.ident is not None:
                writing.join()
        assert taken(root) == b"".join(b"line %d\n" % n for n in range(LINES))


def total() -> int:
    return sum(len(b"line %d\n" % n) for n in range(LINES))


def size(root: Path) -> int:
    return sum(p.stat().st_size for p in (root / "spool").rglob("*.*") if p.is_file())


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
