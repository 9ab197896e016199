"""Delivery as a whole: sinks do not wait for one another, new alerts are found at once, and kill -9 loses nothing."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
from fake_outlet import Counted, FakeOutlet, alert, announce, config
from fake_web import Asked, Reply, served
from some_messages import until

from jackstop.outlets import Later
from jackstop.runners.delivery import Pace, deliver
from jackstop.store import letters, schema
from jackstop.store.database import Database

FAST = Pace(poll=0.01, first=0.01, most=0.05)


def real(around):
    """The place with a clock and waits that are real."""
    loop = asyncio.get_running_loop()
    from dataclasses import replace

    return replace(around.place, clock=lambda: int(loop.time() * 1e6), wait=asyncio.sleep)


@contextlib.asynccontextmanager
async def delivering(database, around, sinks, outlets, metrics=None):
    """Delivery to fake outlets by the names of their sinks, for as long as the block lasts."""

    async def opener(sink, place):
        return outlets[sink.name]

    task = asyncio.create_task(
        deliver(database, sinks, real(around), random.Random(1), metrics=metrics, pace=FAST, opener=opener)
    )
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)


def keys(outlet: FakeOutlet) -> list[str]:
    return [m.key for m in outlet.got]


async def test_a_sink_that_hangs_and_one_that_is_down_delay_no_other(database, around):
    class Down(FakeOutlet):
        async def send(self, batch):
            raise Later("down")

    outlets = {"hangs": FakeOutlet(opened=asyncio.Event()), "down": Down(), "well": FakeOutlet(), "also-well": FakeOutlet()}
    counted = Counted()
    async with delivering(database, around, [config(n) for n in outlets], outlets, counted):
        for i in range(5):
            announce(database, alert(i))
            await until(lambda: len(outlets["well"].got) == len(outlets["also-well"].got) == i + 1)  # noqa: B023
        await until(lambda: outlets["hangs"].calls and counted.counts.get(("retried", "down"), 0) > 3)
        await until(lambda: letters.health(database, ["well"])[0].queue == 0)
        health = {h.sink: h for h in letters.health(database, list(outlets))}
        assert (health["well"].queue, health["hangs"].queue, health["down"].queue) == (0, 5, 5)
        assert (health["well"].sent, health["down"].fault, health["hangs"].fault) == (5, "down", None)
        outlets["hangs"].opened.set()
        await until(lambda: len(outlets["hangs"].got) == 5)
    assert all(o.closed for o in outlets.values())


async def test_a_letter_asked_for_again_is_sent_without_a_new_alert(database, around):
    bad = [True]
    outlet = FakeOutlet(poison=lambda m: bad[0])
    async with delivering(database, around, [config()], {"siem": outlet}):
        announce(database, alert(1))
        await until(lambda: letters.letters(database))
        bad.clear()
        bad.append(False)
        letters.resend(database, letters.letters(database)[0].id, 1)
        await until(lambda: outlet.got)
        await until(lambda: letters.health(database, ["siem"])[0].dead == 0)


async def test_when_cancelled_a_delivery_ends_with_its_outlets_closed_whatever_they_do(database, around):
    outlets = {"idle": FakeOutlet(), "busy": FakeOutlet(opened=asyncio.Event())}
    async with delivering(database, around, [config(n) for n in outlets], outlets) as task:
        announce(database, alert(1))
        await until(lambda: outlets["idle"].got and outlets["busy"].calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
    assert outlets["idle"].closed == outlets["busy"].closed == 1
    assert letters.health(database, ["busy"])[0].queue == 1


async def test_a_store_that_is_away_for_a_while_stops_nothing_for_good(sqlite_url, around):
    with contextlib.closing(Database(sqlite_url)) as database:
        outlet, counted = FakeOutlet(), Counted()
        async with delivering(database, around, [config()], {"siem": outlet}, counted):
            announce(database, alert(1))
            await until(lambda: outlet.got)
            with database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE changes RENAME TO away")
            await until(lambda: counted.counts.get(("store-faults", ""), 0) > 2)
            with database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE away RENAME TO changes")
            announce(database, alert(2))
            await until(lambda: len(outlet.got) == 2)


class Kills:
    """A receiver that has its sender killed: before it answers, after it, or while nothing is sent."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.pid, self.left, self.kills = chance, 0, 0, 0
        self.lines: list[dict[str, object]] = []

    def __call__(self, asked: Asked) -> Reply | None:
        if self.chance.random() < 0.1:
            return Reply(503)
        self.lines += [json.loads(line) for line in asked.body.splitlines()]
        self.left -= 1
        if self.pid and self.left <= 0:
            pid, self.pid = self.pid, 0
            os.kill(pid, signal.SIGKILL)
            self.kills += 1
            if self.chance.random() < 0.5:
                return None
        return Reply()


@contextlib.asynccontextmanager
async def nursery(database_url: str, url: str):
    """The process whose children are killed."""
    script = Path(__file__).with_name("killed_delivery.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database_url, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"ready\n"
        yield process
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)


async def begun(process) -> int:
    """A new child; gives its pid."""
    process.stdin.write(b"go\n")
    await process.stdin.drain()
    return int(await asyncio.wait_for(process.stdout.readline(), 30))


async def test_killed_twenty_times_nothing_is_missing_and_what_comes_twice_has_the_same_key(sqlite_url):
    chance = random.Random(20)
    receiver = Kills(chance)
    revisions: Counter[int] = Counter()

    def write(database, count):
        for _ in range(count):
            nth = chance.randrange(40)
            revisions[nth] += 1
            announce(database, alert(nth, chance.choice(["high", "critical"]), said=revisions[nth]))

    with contextlib.closing(Database(sqlite_url)) as database:
        async with served(receiver) as server, nursery(sqlite_url, server.url) as process:
            for _ in range(20):
                write(database, chance.randint(1, 12))
                receiver.left = chance.choice([1, 1, 2])
                receiver.pid = pid = await begun(process)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(chance.choice([0.05, 0.4, 4, 4, 4])):
                        await until(lambda: not receiver.pid)
                if receiver.pid:
                    receiver.pid = 0
                    os.kill(pid, signal.SIGKILL)
                assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ended\n"
            pid = await begun(process)
            await until(lambda: [h.queue for h in letters.health(database, ["lake"])] == [0], 60)
            os.kill(pid, signal.SIGKILL)
        with database.read() as connection:
            held = {i: r for i, r in connection.execute(schema.alerts.select().with_only_columns(*_columns()))}
        assert letters.letters(database) == ()
    told = [(line["finding_info"]["uid"], line["unmapped"]["revision"], line["metadata"]["uid"]) for line in receiver.lines]
    newest = {a: max(r for b, r, _ in told if b == a) for a, _, _ in told}
    assert newest == held == {f"alert-{n:04}": r for n, r in revisions.items()}
    assert receiver.kills >= 5, "some kills fell into a sending"
    assert all(key == f"{name}:{revision}" for name, revision, key in told)
    for name in held:
        own = [r for a, r, _ in told if a == name]
        assert own == sorted(own), "never an older revision after a newer one"


def _columns():
    return schema.alerts.c.id, schema.alerts.c.revision
