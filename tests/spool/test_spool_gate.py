"""The gate: groups, acknowledgement, quotas, bounds, ticks, a full disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from some_spool import everything, feed, opened, streams

from jackstop.model.service import SpoolInfo
from jackstop.spool import Kind
from jackstop.spool.faults import SpoolFull
from jackstop.spool.gate import SpoolGate
from jackstop.spool.queue import Bucket, Queues, Waiting
from jackstop.spool.writer import Writer

ROOMY = SpoolInfo(segment=1 << 20, free=0)


class Full(Exception):
    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.reason, self.retry_after = reason, retry_after


@asynccontextmanager
async def running(gate: SpoolGate) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(gate.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def test_what_is_acknowledged_is_on_disk_in_the_order_of_each_feed(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)

    async def sender(name: str) -> list[int]:
        return [await gate.accept(feed(name), f"{name} {i}\n".encode(), mark=str(i).encode()) for i in range(30)]

    async with running(gate):
        numbers = await asyncio.gather(*(sender(f"f{n}") for n in range(8)))
        frames = {f.seq: f for f in everything(tmp_path)}
        for n, seqs in enumerate(numbers):
            assert [frames[s].data for s in seqs] == [f"f{n} {i}\n".encode() for i in range(30)]
            assert seqs == sorted(seqs)
        assert gate.mark("f3") == b"29"
        assert gate.marks("f") == {f"f{n}": b"29" for n in range(8)}
        assert gate.figures.groups < 8 * 30
    writer.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_a_feed_that_ended_is_declared_anew_before_what_follows(tmp_path: Path, restart: bool) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)
    async with running(gate):
        await gate.accept(feed("a"), b"1\n")
        ending = asyncio.ensure_future(gate.end(feed("a")))
        await asyncio.sleep(0)
        if not restart:
            await gate.accept(feed("a"), b"2\n")
        await ending
    if restart:
        writer.close()
        writer = opened(tmp_path, ROOMY)
        gate = SpoolGate(writer, ROOMY, Full)
        async with running(gate):
            await gate.accept(feed("a"), b"2\n")
    writer.close()
    kinds = [f.kind for f in everything(tmp_path) if f.feed == "a"]
    assert kinds == [Kind.FEED, Kind.DATA, Kind.END, Kind.FEED, Kind.DATA]


async def test_a_feed_is_declared_before_its_first_bytes_and_when_it_changes_and_not_otherwise(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)
    async with running(gate):
        await gate.register(feed("a"))
        await gate.register(feed("a"))
        await gate.accept(feed("a"), b"1\n")
        await gate.accept(feed("b"), b"2\n")
        await gate.accept(feed("a", terminal="T1"), b"3\n")
        await gate.refuse(feed("c"), b"junk", "too long")
    writer.close()
    again = opened(tmp_path, ROOMY)
    second = SpoolGate(again, ROOMY, Full)
    async with running(second):
        await second.accept(feed("a", terminal="T1"), b"4\n")
        await second.accept(feed("b"), b"5\n")
    again.close()
    told = [(f.kind.name, f.feed, f.data) for f in everything(tmp_path) if f.kind is not Kind.TICK]
    expected = [
        ("FEED", "a", feed("a").model_dump_json().encode()),
        ("DATA", "a", b"1\n"),
        ("FEED", "b", feed("b").model_dump_json().encode()),
        ("DATA", "b", b"2\n"),
        ("FEED", "a", feed("a", terminal="T1").model_dump_json().encode()),
        ("DATA", "a", b"3\n"),
        ("FEED", "c", feed("c").model_dump_json().encode()),
        ("REFUSED", "c", b"junk"),
        ("DATA", "a", b"4\n"),
        ("DATA", "b", b"5\n"),
    ]
    assert told == expected


async def test_time_passes_without_data_and_with_it(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full, tick_every=0.01)
    async with running(gate):
        await until(lambda: sum(f.kind is Kind.TICK for f in everything(tmp_path)) >= 3)
        before = sum(f.kind is Kind.TICK for f in everything(tmp_path))

        async def chatter() -> None:
            while True:
                await gate.accept(feed("a"), b"x\n")

        talk = asyncio.create_task(chatter())
        await until(lambda: sum(f.kind is Kind.TICK for f in everything(tmp_path)) >= before + 3)
        talk.cancel()
        with suppress(asyncio.CancelledError):
            await talk
    writer.close()


async def test_a_feed_over_its_quota_is_told_when_to_try_again_and_others_are_not_hindered(tmp_path: Path) -> None:
    info = SpoolInfo(quota=1024, burst=1 << 16, free=0)
    writer = opened(tmp_path, info)
    now = [100.0]
    gate = SpoolGate(writer, info, Full, clock=lambda: now[0])
    async with running(gate):
        await gate.accept(feed("loud"), b"x" * 60_000)
        with pytest.raises(Full, match="quota") as told:
            await gate.accept(feed("loud"), b"x" * 60_000)
        assert 50 < told.value.retry_after < 60
        await gate.accept(feed("quiet"), b"y")
        now[0] += told.value.retry_after
        await gate.accept(feed("loud"), b"z" * 60_000)
    writer.close()
    assert streams(everything(tmp_path)) == {"loud": b"x" * 60_000 + b"z" * 60_000, "quiet": b"y"}


async def test_a_loud_feed_cannot_fill_the_memory_and_a_quiet_one_is_still_taken(tmp_path: Path) -> None:
    info = SpoolInfo(pending=1 << 20, free=0)
    writer = opened(tmp_path, info)
    gate = SpoolGate(writer, info, Full)
    sent = [asyncio.create_task(gate.accept(feed("loud"), bytes([i % 256]) * 10_000)) for i in range(200)]
    await asyncio.sleep(0)
    refused = [t for t in sent if t.done() and isinstance(t.exception(), Full)]
    assert 0 < gate.waiting <= (1 << 20) // 2 + 20_000
    assert 100 < len(refused) < 200
    quiet = asyncio.create_task(gate.accept(feed("quiet"), b"q" * 1000))
    await asyncio.sleep(0)
    assert not quiet.done()
    async with running(gate):
        seq = await quiet
        await asyncio.gather(*(t for t in sent if t not in refused))
    writer.close()
    order = [f.feed for f in everything(tmp_path) if f.kind is Kind.DATA]
    assert order.index("quiet") <= 1
    assert seq > 0


async def test_a_disk_that_is_nearly_full_is_told_and_time_goes_on(tmp_path: Path) -> None:
    info = SpoolInfo(free=1000)
    writer = opened(tmp_path, info)
    left, now = [10], [5.0]
    gate = SpoolGate(writer, info, Full, tick_every=0.01, free=lambda: left[0], clock=lambda: now[0])
    async with running(gate):
        with pytest.raises(Full, match="nearly full"):
            await gate.accept(feed("a"), b"x")
        now[0] += 1
        await until(lambda: any(f.kind is Kind.TICK for f in everything(tmp_path)))
        left[0] = 2000
        now[0] += 2
        await gate.accept(feed("a"), b"y")
    writer.close()
    assert streams(everything(tmp_path)) == {"a": b"y"}


class Failing:
    """A writer whose disk is full while `full` is set."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self.full = writer, True
        self.append, self.mark, self.marks = writer.append, writer.mark, writer.marks
        self.declared, self.folder = writer.declared, writer.folder

    def commit(self) -> int:
        if self.full:
            self._writer._drop()
            raise SpoolFull("disk", "No space left on device", "room")
        return self._writer.commit()


async def test_when_the_disk_is_full_all_that_wait_are_told_notes_are_kept_and_it_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    writer = opened(tmp_path, ROOMY)
    failing = Failing(writer)
    gate = SpoolGate(failing, ROOMY, Full, tick_every=0.02)  # type: ignore[arg-type]
    gate.note("interlock", b"allow 1")
    gate.note("interlock", b"allow 2")
    async with running(gate):
        for n in range(3):
            with pytest.raises(Full, match="cannot be written: No space"):
                await gate.accept(feed("a"), b"lost %d" % n)
        assert "No space" in gate.figures.fault
        failing.full = False
        await gate.accept(feed("a"), b"kept")
        await until(lambda: sum(f.kind is Kind.NOTE for f in everything(tmp_path)) == 2)
        assert gate.figures.fault == ""
    writer.close()
    frames = everything(tmp_path)
    assert [f.data for f in frames if f.kind is Kind.NOTE] == [b"allow 1", b"allow 2"]
    assert streams(frames) == {"a": b"kept"}
    assert [f.feed for f in frames if f.kind is Kind.FEED] == ["a"]


async def test_notes_are_bounded_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)
    with pytest.raises(Full, match="notes"):
        for _ in range(10):
            gate.note("interlock", bytes(1 << 20))
    writer.close()


async def test_at_the_end_what_waits_is_told_or_safe_never_neither(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)
    task = asyncio.create_task(gate.run())
    sent = [asyncio.create_task(gate.accept(feed(f"f{n % 5}"), b"%d\n" % n)) for n in range(200)]
    gate.note("interlock", b"an answer")
    await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
    more = [asyncio.create_task(gate.accept(feed(f"f{n % 5}"), b"%d\n" % n)) for n in range(200, 300)]
    await asyncio.sleep(0)
    gate.note("interlock", b"the last answer")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    outcome = await asyncio.gather(*sent, *more, return_exceptions=True)
    with pytest.raises(Full):
        await gate.accept(feed("late"), b"x")
    writer.close()
    there = {f.seq: f.data for f in everything(tmp_path)}
    assert {b"an answer", b"the last answer"} <= set(there.values())
    for n, result in enumerate(outcome):
        if isinstance(result, int):
            assert there[result] == b"%d\n" % n
        else:
            assert isinstance(result, Full)
            assert b"%d\n" % n not in there.values()


async def test_at_the_end_on_a_full_disk_all_that_wait_are_told(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(Failing(writer), ROOMY, Full)  # type: ignore[arg-type]
    task = asyncio.create_task(gate.run())
    sent = [asyncio.create_task(gate.accept(feed("a"), b"%d\n" % n)) for n in range(20)]
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert all(isinstance(r, Full) for r in await asyncio.gather(*sent, return_exceptions=True))
    writer.close()
    assert everything(tmp_path) == []


async def test_too_large_a_piece_is_our_own_fault_and_a_large_refused_one_is_kept_in_parts(tmp_path: Path) -> None:
    writer = opened(tmp_path, ROOMY)
    gate = SpoolGate(writer, ROOMY, Full)
    async with running(gate):
        with pytest.raises(ValueError, match="4 MiB"):
            await gate.accept(feed("a"), bytes((4 << 20) + 1))
        await gate.refuse(feed("a"), b"r" * (9 << 20), "line too long", peer="10.1.1.1")
    writer.close()
    kept = [f for f in everything(tmp_path) if f.kind is Kind.REFUSED]
    assert [len(f.data) for f in kept] == [4 << 20, 4 << 20, 1 << 20]
    assert {(f.note, f.peer) for f in kept} == {("line too long", "10.1.1.1")}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3000)), max_size=60), st.integers(1, 4000), st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_queues_give_all_back_in_the_order_of_each_feed_and_in_turn(items, most_bytes: int, most_items: int) -> None:
    queues = Queues(1 << 20)
    put: dict[str, list[int]] = {}
    for n, (name, size) in enumerate(items):
        queues.put(Waiting(Kind.DATA, f"f{name}", bytes(size), mark=str(n).encode()))
        put.setdefault(f"f{name}", []).append(n)
    got: dict[str, list[int]] = {}
    while taken := queues.take(most_bytes, most_items):
        assert len(taken) <= most_items
        assert sum(i.weight for i in taken[:-1]) < most_bytes
        for i in taken:
            got.setdefault(i.feed, []).append(int(i.mark))
        counts = [len(got.get(f, [])) for f in put if len(got.get(f, [])) < len(put[f])]
        assert not counts or max(counts) - min(counts) <= 1
    assert got == put
    assert queues.bytes == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000)), max_size=40))
@settings(max_examples=150, deadline=None)
def test_a_bucket_never_lets_more_through_than_quota_and_burst_allow(steps) -> None:
    quota, burst = 1000, 2000
    bucket, now, passed = Bucket(quota, burst, 0.0), 0.0, 0
    for pause, size in steps:
        now += pause
        wait = bucket.wait(size, now)
        if wait:
            now += wait + 1e-6
            assert bucket.wait(size, now) < 1e-3
        assert passed <= burst + quota * now
        bucket.pay(size)
        passed += size
