"""After a crash: every acknowledged frame is there, and the writer goes on."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import SMALL, Clock, everything, fill, in_memory, opened, packed

from jackstop.spool import Kind, packing, seekable
from jackstop.spool.faults import SpoolError, SpoolFull
from jackstop.spool.segments import HEAD, INDEX, PACKED, PLAIN, Segment, numbers, place
from jackstop.spool.signer import Signer
from jackstop.spool.verify import verify
from jackstop.spool.writer import Writer


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool of two segments, the last one open."""
    folder = tmp_path_factory.mktemp("left")
    writer = opened(folder)
    fill(writer, 400)
    for n in range(2):
        fill(writer, 2, begin=400 + n * 2, size=30)
    writer.close()
    assert numbers(folder / "spool") == [1, 2]
    return folder


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder in memory."""
    with in_memory() as folder:
        yield folder


def test_cut_at_every_byte_the_writer_goes_on_behind_the_last_whole_frame(left: Path, quick: Path) -> None:
    content = place(left / "spool", 2, PLAIN).read_bytes()
    every = everything(left)
    spool = quick / "spool"
    shutil.copytree(left, quick, dirs_exist_ok=True)
    aside = {p.name for p in spool.iterdir()}
    for cut in range(len(content)):
        place(spool, 2, PLAIN).write_bytes(content[:cut])
        writer = opened(quick)
        whole = [f for f in every if f.next.segment == 1 or f.next.offset <= cut]
        assert writer.append(Kind.DATA, "feed-0", b"next") == len(whole) + 1
        writer.commit()
        writer.close()
        found = everything(quick)
        assert found[:-1] == whole
        assert found[-1].data == b"next"
        for path in spool.iterdir():
            if path.name not in aside:
                path.unlink()
            elif path.suffix != ".idx":
                shutil.copy(left / "spool" / path.name, path)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_torn_tail_of_any_bytes_is_cut_off_and_kept_beside(left: Path, data) -> None:
    tail = data.draw(st.binary(min_size=1, max_size=300))
    with in_memory() as folder:
        shutil.copytree(left, folder, dirs_exist_ok=True)
        with place(folder / "spool", 2, PLAIN).open("ab") as file:
            file.write(tail)
        opened(folder).close()
        assert everything(folder) == everything(left)
        assert [p.read_bytes() for p in (folder / "spool").glob("*.torn")] == [tail]
        found = verify(folder / "spool", Signer(folder / "keys").public())
        assert found.ok
        assert any("never acknowledged" in n for n in found.notices)


def test_frames_that_were_acknowledged_and_are_gone_are_told_for_ever_after(left: Path, tmp_path: Path) -> None:
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    path = place(tmp_path / "spool", 2, PLAIN)
    end = everything(left)[-2].next.offset
    os.truncate(path, end)
    opened(tmp_path).close()
    found = verify(tmp_path / "spool", Signer(tmp_path / "keys").public())
    assert not found.ok
    assert any("made safe" in f.what for f in found.faults)


def test_a_crash_between_any_two_steps_of_closing_and_packing_loses_nothing(left: Path, tmp_path: Path) -> None:
    """The states that a crash leaves: closed but nothing begun; packed but plain still there; packed without an index."""
    keys = Signer(left / "keys").public()
    with Segment(left / "spool", 1) as segment:
        plain = segment.read(0, segment.size)
    every = everything(left)
    for state in ("closed only", "both", "no index", "half packed"):
        folder = tmp_path / state
        shutil.copytree(left, folder)
        spool = folder / "spool"
        expected = every
        if state == "closed only":
            for name in (
                place(spool, 1, PACKED),
                place(spool, 1, INDEX),
                place(spool, 2, PLAIN),
                place(spool, 2, HEAD),
                spool / "head",
            ):
                name.unlink()
            place(spool, 1, PLAIN).write_bytes(plain)
            expected = [f for f in every if f.next.segment == 1]
        elif state == "both":
            place(spool, 1, PLAIN).write_bytes(plain)
        elif state == "no index":
            place(spool, 1, INDEX).unlink()
        else:
            place(spool, 1, PACKED).rename(place(spool, 1, PACKED + ".part"))
            place(spool, 1, INDEX).unlink()
            place(spool, 1, PLAIN).write_bytes(plain)
        opened(folder).close()
        writer = opened(folder)
        packed(folder, 1)
        writer.close()
        assert everything(folder) == expected
        assert verify(spool, keys).ok, verify(spool, keys)
        assert place(spool, 1, PACKED).exists()
        assert not place(spool, 1, PLAIN).exists()


class Disk:
    """`os.pwrite` and the like over a disk that has so many bytes left."""

    def __init__(self, left: int) -> None:
        self.left = left

    def pwrite(self, file: int, data, at: int) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = REAL_PWRITE(file, data[: min(len(data), self.left)], at)
        self.left -= done
        return done


REAL_PWRITE = os.pwrite


@pytest.mark.parametrize("room", [0, 1, 41, 200, 5000])
def test_on_a_full_disk_nothing_of_the_batch_stays_and_it_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    writer = opened(tmp_path)
    fill(writer, 20)
    before, disk = everything(tmp_path), Disk(room)
    monkeypatch.setattr(os, "pwrite", lambda f, d, at: disk.pwrite(f, d, at) if len(d) > 40 else REAL_PWRITE(f, d, at))
    for _ in range(3):
        with pytest.raises(SpoolFull, match="No space left"):
            fill(writer, 50, begin=20)
        assert everything(tmp_path) == before
        assert writer.mark("feed-0") == b"18"
    disk.left = 1 << 30
    fill(writer, 50, begin=20)
    writer.close()
    assert [f.mark for f in everything(tmp_path)] == [b"%d" % n for n in range(70)]
    assert verify(tmp_path / "spool", Signer(tmp_path / "keys").public()).ok


def test_a_service_starts_on_a_full_disk_and_goes_on_when_there_is_room(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    with place(tmp_path / "spool", 2, PLAIN).open("ab") as file:
        file.write(b"torn")
    before, real = everything(left), os.open

    def full(path, flags, *more, **named) -> int:
        if flags & os.O_CREAT and not Path(path).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        writer = opened(tmp_path)
        assert everything(tmp_path) == before
    fill(writer, 10, begin=404)
    writer.close()
    assert [f.mark for f in everything(tmp_path)] == [b"%d" % n for n in range(414)]


def test_segments_that_a_full_disk_left_plain_are_packed_with_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, told = seekable.pack, threading.Event()

    def full(source: Path, target: Path, level: int) -> None:
        if source.name.startswith("00000001"):
            told.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target, level)

    writer, spool = opened(tmp_path), tmp_path / "spool"
    with monkeypatch.context() as patch:
        patch.setattr(packing, "compress", full)
        fill(writer, 400)
        assert told.wait(20)
        assert place(spool, 1, PLAIN).exists()
    fill(writer, 400, begin=400)
    packed(tmp_path, 1)
    writer.close()
    assert [place(spool, n, PACKED).exists() for n in numbers(spool)] == [True, True, False]
    assert [f.mark for f in everything(tmp_path)] == [b"%d" % n for n in range(800)]
    assert verify(spool, Signer(tmp_path / "keys").public()).ok


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from some_spool import *
from jackstop.spool.faults import SpoolFull
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = opened(Path(sys.argv[1]), SpoolInfo(segment=1 << 30, free=0))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
n = full = 0
while n < 60:
    try:
        fill(writer, 10, begin=n * 10)
        n += 1
    except SpoolFull:
        full += 1
        if full == 5:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.close()
print(full)
"""


def test_a_file_that_may_not_grow_is_a_full_disk_to_a_real_process(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), here], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["5"]
    assert [f.mark for f in everything(tmp_path)] == [b"%d" % n for n in range(600)]


APPEND = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from some_spool import *

def append():
    writer = opened(Path(sys.argv[1]))
    n = writer.commit()
    while True:
        for _ in range(1 + n % 7):
            n = writer.append(Kind.DATA, f"feed-{n % 5}", (b"%d " % (n + 1)) * (1 + n * 37 % 400), mark=b"%d" % (n + 1))
        writer.commit()
        os.write(1, b"%d\\n" % n)

while sys.stdin.readline():
    child = os.fork()
    if not child:
        os.write(1, b"%d\\n" % os.getpid())
        append()
    os.waitpid(child, 0)
    os.write(1, b"dead\\n")
"""


def test_killed_at_random_moments_no_acknowledged_frame_is_lost(quick: Path) -> None:
    """A process of its own appends and tells what is acknowledged; it is killed thirty times (each a fresh fork of a parent)."""
    words, acknowledged = [sys.executable, "-c", APPEND, str(quick), str(Path(__file__).parent)], 0
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        for kill in range(30):
            parent.stdin.write("go\n")
            child = int(parent.stdout.readline())
            for _ in range(1 + kill * 7 % 23):
                acknowledged = int(parent.stdout.readline())
            os.kill(child, signal.SIGKILL)
            while (line := parent.stdout.readline()) != "dead\n":
                acknowledged = int(line)
            if kill % 10 == 9:
                assert everything(quick)[-1].seq >= acknowledged
        parent.stdin.close()
    frames = everything(quick)
    assert [f.seq for f in frames] == list(range(1, len(frames) + 1))
    assert len(frames) >= acknowledged > 30
    assert all(f.data.startswith(b"%d " % f.seq) and f.mark == b"%d" % f.seq for f in frames)
    opened(quick, clock=Clock(now=frames[-1].received)).close()
    found = verify(quick / "spool", Signer(quick / "keys").public())
    assert found.ok, [f for s in found.segments for f in s.faults]


def test_a_damaged_packed_segment_at_the_end_is_refused_not_cut(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    fill(writer, 400)
    writer.close()
    spool = tmp_path / "spool"
    place(spool, 2, PLAIN).unlink()
    packed = place(spool, 1, ".seg.zst")
    content = bytearray(packed.read_bytes())
    content[20] ^= 1
    packed.write_bytes(content)
    with pytest.raises(SpoolError, match="expected a packed segment as it was written"):
        Writer(spool, SMALL, Clock(), Signer(tmp_path / "keys"))
