"""The gate: what intakes hand over is gathered, written and synced in groups, and only then acknowledged.

It plays `intake.Gate`. Frames of all feeds are taken in turn; while one group is being synced the next one gathers, so the
slower the disk, the larger the groups.
"""

import asyncio
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from jackstop.model.service import Feed, SpoolInfo
from jackstop.spool import Kind
from jackstop.spool.faults import SpoolError
from jackstop.spool.layout import MOST_DATA, MOST_NAME
from jackstop.spool.queue import Bucket, Queues, Waiting
from jackstop.spool.writer import Writer

GROUP_BYTES, GROUP_FRAMES = 16 << 20, 10_000
_LOOK = 1.0
"""Seconds between two looks at the free disk."""
_SOON, _LATER = 0.25, 5.0
"""Seconds after which to try again: where much waits, where the disk is full."""
_KEPT = 8 << 20
"""Bytes of notes kept in memory while the disk takes none."""


@dataclass(slots=True)
class Figures:
    """What the gate has done, for health and metrics: frames and bytes taken, times it answered Full, groups, seconds of the last
    group's sync, and what is wrong with the disk (empty: nothing)."""

    frames: int = 0
    bytes: int = 0
    full: int = 0
    groups: int = 0
    sync_seconds: float = 0.0
    fault: str = ""


class SpoolGate:
    """The gate before a writer.

    Args:
        writer: of the spool, which nobody else may use meanwhile. info: `[spool]`. full: makes the exception for "not now" from
            the reason and the seconds to wait. tick_every: seconds between two frames of time. free: bytes of disk that are
            free. clock: seconds, for quotas and ticks.
    """

    def __init__(
        self,
        writer: Writer,
        info: SpoolInfo,
        full: Callable[[str, float], Exception],
        tick_every: float = 0.25,
        free: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.figures = Figures()
        self._writer, self._info, self._full, self._clock = writer, info, full, clock
        self._tick_every = tick_every
        self._free = free or (lambda: shutil.disk_usage(writer.folder).free)
        self._queues = Queues(info.pending)
        self._buckets: dict[str, Bucket] = {}
        self._declared: dict[str, Feed] = {}
        self._over: set[str] = set()
        self._wake = asyncio.Event()
        self._looked, self._ample, self._ended = float("-inf"), True, False
        self._noted = 0

    async def run(self) -> None:
        """Write until cancelled; then what still waits is written too, and whoever comes later gets Full."""
        thread = ThreadPoolExecutor(1, "spool-writer")
        group: list[Waiting] = []
        self._ended = False
        try:
            tick = self._clock()
            while True:
                await self._something(tick - self._clock())
                group = self._queues.take(GROUP_BYTES, GROUP_FRAMES)
                if self._clock() >= tick:
                    tick = self._clock() + self._tick_every
                    group.append(Waiting(Kind.TICK, "", b""))
                if group:
                    await self._group(group, thread)
                    group = []
        finally:
            self._ended = True
            thread.shutdown(wait=True)
            self._last([*group, *self._queues.clear()])

    async def accept(self, feed: Feed, data: bytes, *, mark: bytes = b"", peer: str = "") -> int:
        """Take the next bytes of a feed, and give their seq once they are safe (see `intake.Gate`).

        Raises:
            Full: not taken. ValueError: more than 4 MiB, or a mark of more than 64 KiB.
        """
        if len(data) > MOST_DATA or len(mark) > MOST_NAME or len(feed.name) > MOST_NAME // 4:
            what = f"name of {len(feed.name)}, {len(data)} bytes, mark of {len(mark)}"
            raise ValueError(f"{feed.name[:100]}: {what}, expected at most 16383, 4 MiB and 65535")
        item = Waiting(Kind.DATA, feed.name, data, mark, peer)
        self._admit(item)
        self._declare(feed)
        return await self._queued(item)

    async def register(self, feed: Feed) -> None:
        """Make a feed known before its first bytes.

        Raises:
            Full: not written.
        """
        item = self._declaration(feed)
        if item is not None:
            self._admit(item)
            self._declared[feed.name] = feed
            await self._queued(item)

    async def end(self, feed: Feed) -> None:
        """Say that a feed's bytes are complete; what follows of it is declared anew.

        Raises:
            Full: not written.
        """
        item = Waiting(Kind.END, feed.name, b"")
        self._admit(item)
        self._declare(feed)
        self._declared.pop(feed.name, None)
        self._over.add(feed.name)
        await self._queued(item)
        self._over.discard(feed.name)

    async def refuse(self, feed: Feed, data: bytes, reason: str, *, peer: str = "") -> None:
        """Keep bytes that could not be taken as log. Where they are too many, it waits until there is room for them."""
        for begin in range(0, max(1, len(data)), MOST_DATA):
            item = Waiting(Kind.REFUSED, feed.name, data[begin : begin + MOST_DATA], peer=peer, note=reason[:4096])
            while (hindered := self._hindrance(item)) is not None:
                if self._ended:
                    raise self._full(*hindered)
                await asyncio.sleep(min(hindered[1], _SOON))
            self._bucket(feed.name).pay(item.weight)
            self._declare(feed)
            await self._queued(item)

    def note(self, feed: str, data: bytes) -> None:
        """Record something of the service's own, without waiting; kept in memory while the disk takes nothing.

        Raises:
            Full: 8 MiB of notes wait already.
        """
        item = Waiting(Kind.NOTE, feed, data[:MOST_DATA])
        if self._ended or self._noted + item.weight > _KEPT:
            raise self._full("too many notes wait for the disk", _LATER)
        self._noted += item.weight
        self._queues.put(item)
        self._wake.set()

    def mark(self, name: str) -> bytes:
        """The mark kept with the last bytes taken of a feed; empty for none."""
        return self._writer.mark(name)

    def marks(self, prefix: str) -> dict[str, bytes]:
        """The last marks of all feeds whose names begin so."""
        return self._writer.marks(prefix)

    @property
    def waiting(self) -> int:
        """Bytes that wait to be written."""
        return self._queues.bytes

    async def _something(self, seconds: float) -> None:
        """Wait until there is something to write, so many seconds at most."""
        if seconds > 0 and not self._queues.bytes:
            self._wake.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _group(self, group: list[Waiting], thread: ThreadPoolExecutor) -> None:
        """Write one group, and tell those who wait for it."""
        job = thread.submit(self._write, group)
        try:
            await asyncio.wrap_future(job)
        except SpoolError as fault:
            self._failed(group, fault)
            group.clear()
            await asyncio.sleep(self._tick_every)
            return
        except asyncio.CancelledError:
            thread.shutdown(wait=True)
            if job.done() and not job.cancelled() and job.exception() is None:
                self._settle(group, job.result())
                group.clear()
            raise
        self._settle(group, job.result())

    def _last(self, rest: list[Waiting]) -> None:
        """Write what is left at the end, in this thread; where that fails, those who wait are told."""
        try:
            if rest:
                self._settle(rest, self._write(rest))
        except SpoolError as fault:
            self._fail(rest, f"the spool cannot be written: {fault.what}", _LATER)

    def _write(self, group: list[Waiting]) -> list[int]:
        """In the thread: the seqs of a group that is safe now."""
        begun = time.perf_counter()
        append = self._writer.append
        numbers = [append(i.kind, i.feed, i.data, mark=i.mark, peer=i.peer, note=i.note) for i in group]
        self._writer.commit()
        self.figures.sync_seconds = time.perf_counter() - begun
        return numbers

    def _settle(self, group: list[Waiting], numbers: list[int]) -> None:
        figures = self.figures
        figures.groups += 1
        figures.frames += len(group)
        figures.fault = ""
        for item, number in zip(group, numbers, strict=True):
            figures.bytes += len(item.data)
            if item.kind is Kind.NOTE:
                self._noted -= item.weight
            if item.done is not None and not item.done.done():
                item.done.set_result(number)

    def _failed(self, group: list[Waiting], fault: SpoolError) -> None:
        """Nothing of the group is kept. All that wait are told; notes, for which nobody waits, are tried again."""
        self.figures.fault = str(fault)
        self._looked = float("-inf")
        every = [*group, *self._queues.clear()]
        self._declared.clear()
        self._queues.back([i for i in every if i.kind is Kind.NOTE])
        self._fail(every, f"the spool cannot be written: {fault.what}", _LATER)

    def _fail(self, items: list[Waiting], reason: str, seconds: float) -> None:
        for item in items:
            if item.done is not None and not item.done.done():
                self.figures.full += 1
                item.done.set_exception(self._full(reason, seconds))

    def _admit(self, item: Waiting) -> None:
        hindered = self._hindrance(item)
        if hindered is not None:
            self.figures.full += 1
            raise self._full(*hindered)
        self._bucket(item.feed).pay(item.weight)

    def _hindrance(self, item: Waiting) -> tuple[str, float] | None:
        """Why a frame cannot be taken now, and the seconds to wait; None where it can."""
        if self._ended:
            return "the spool is closing", _SOON
        now = self._clock()
        if now - self._looked >= _LOOK:
            self._looked, self._ample = now, self._has_room()
        if not self._ample:
            return "the disk is nearly full", _LATER
        seconds = self._bucket(item.feed).wait(item.weight, now)
        if seconds > 0:
            return f"{item.feed} brings more than its quota", seconds
        if not self._queues.room(item.feed, item.weight):
            return "too much waits to be written", _SOON
        return None

    def _has_room(self) -> bool:
        """Whether enough of the disk is free; a disk that cannot be asked is none."""
        try:
            return self._free() >= self._info.free
        except OSError:
            return False

    def _bucket(self, feed: str) -> Bucket:
        found = self._buckets.get(feed)
        if found is None:
            found = self._buckets[feed] = Bucket(self._info.quota, self._info.burst, self._clock())
        return found

    def _declare(self, feed: Feed) -> None:
        """Put a feed's declaration before its next frame, where it is new or has changed."""
        item = self._declaration(feed)
        if item is not None:
            self._queues.put(item)
            self._declared[feed.name] = feed

    def _declaration(self, feed: Feed) -> Waiting | None:
        known = self._declared.get(feed.name)
        if known is feed:
            return None
        if known is None:
            text = feed.model_dump_json().encode()
            if feed.name not in self._over and self._writer.declared(feed.name) == text:
                self._declared[feed.name] = feed
                return None
            self._over.discard(feed.name)
            return Waiting(Kind.FEED, feed.name, text)
        if known == feed:
            self._declared[feed.name] = feed
            return None
        return Waiting(Kind.FEED, feed.name, feed.model_dump_json().encode())

    async def _queued(self, item: Waiting) -> int:
        item.done = asyncio.get_running_loop().create_future()
        self._queues.put(item)
        self._wake.set()
        return await item.done
