"""Following logs at work: into a gate in memory, over its refusals and the intake's restarts."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import pytest
from fake_gate import FakeGate, FakePlace, running, until
from pydantic import ValidationError

from jackstop.intake import find

TAIL = find("tail")


def config(**keys):
    quick = {"poll": "5ms", "quiet": "20ms", "linger": "20ms", "format": "cef"}
    return TAIL.Config.model_validate({"kind": "tail", "name": "traces", "path": "*.log", **quick, **keys})


@asynccontextmanager
async def following(tmp_path, gate=None, terminals=(), **keys):
    gate, place = gate or FakeGate(), FakePlace(tmp_path, terminals)
    async with running(TAIL, config(**keys), gate, place) as task:
        await until(lambda: "files" in place.facts or task.done())
        yield gate, place


def add(path, data):
    with path.open("ab") as file:
        file.write(data)


async def test_a_log_is_followed_as_it_grows_and_over_rotation(tmp_path):
    log = tmp_path / "x.log"
    async with following(tmp_path) as (gate, _):
        add(log, b"a\n")
        await until(lambda: gate.data() == b"a\n")
        add(log, b"b\n")
        log.rename(tmp_path / "x.log.1")
        add(log, b"c\n")
        await until(lambda: gate.data() == b"a\nb\nc\n")
    assert {t.feed for t in gate.taken} == {"traces/x.log"}


async def test_a_feed_is_known_before_its_first_bytes(tmp_path):
    (tmp_path / "ATM1").mkdir()
    (tmp_path / "ATM1" / "x.log").touch()
    async with following(tmp_path, terminals=["ATM1"], path="{terminal}/*.log") as (gate, _):
        await until(lambda: gate.feeds)
    feed = gate.feeds["traces/ATM1/x.log"]
    assert (feed.reading.terminal, feed.reading.timezone, feed.reading.currency) == ("ATM1", "Europe/Paris", "EUR")
    assert gate.taken == []


async def test_feeds_and_ends_the_gate_did_not_take_are_told_again(tmp_path):
    log = tmp_path / "x.log"
    log.touch()
    async with following(tmp_path, FakeGate(shy=2), forget="30ms") as (gate, _):
        await until(lambda: gate.feeds)
        gate.shy = 2
        log.unlink()
        await until(lambda: gate.ended == ["traces/x.log"])


async def test_after_a_restart_it_goes_on_where_the_gates_last_bytes_end(tmp_path):
    log, gate = tmp_path / "x.log", FakeGate()
    for n in range(5):
        add(log, b"%d\n" % n * 100)
        async with following(tmp_path, gate):
            await until(lambda: gate.data().count(b"\n") == 100 * (n + 1))  # noqa: B023
    assert gate.data() == log.read_bytes()


async def test_one_feed_that_the_gate_does_not_take_holds_nobody_up(tmp_path):
    class Picky(FakeGate):
        async def accept(self, feed, data, *, mark=b"", peer=""):
            if feed.name.endswith("loud.log") and not self.full:
                from jackstop.intake import Full

                self.turned_away += 1
                raise Full("quota", 0.01)
            return await FakeGate.accept(self, feed, data, mark=mark, peer=peer) if not self.full else 0

    gate = Picky()
    add(tmp_path / "loud.log", b"x\n" * 100_000)
    async with following(tmp_path, gate) as (_, place):
        for n in range(20):
            add(tmp_path / "quiet.log", b"%d\n" % n)
            await until(lambda: gate.data("traces/quiet.log").count(b"\n") == n + 1)  # noqa: B023
    assert gate.turned_away > 1
    assert gate.data("traces/loud.log") == b""
    assert place.facts["waiting"] == "quota"


async def test_a_full_gate_loses_nothing(tmp_path):
    add(tmp_path / "x.log", b"line\n" * 700_000)
    async with following(tmp_path, FakeGate(full=5)) as (gate, _):
        await until(lambda: len(gate.data()) == 3_500_000)
    assert gate.data() == b"line\n" * 700_000
    assert gate.turned_away == 5
    assert all(t.data.endswith(b"\n") for t in gate.taken)


async def test_a_fault_of_the_gate_ends_the_intake_and_the_bytes_are_read_again(tmp_path):
    add(tmp_path / "x.log", b"a\n")
    gate, place = FakeGate(faults=[RuntimeError("disk gone")]), FakePlace(tmp_path)
    with pytest.raises(RuntimeError, match="disk gone"):
        await asyncio.wait_for(TAIL.run(config(), gate, place.place()), 5)
    async with following(tmp_path, gate):
        await until(lambda: gate.data() == b"a\n")


async def test_a_log_that_is_gone_ends_its_feed_and_may_come_again(tmp_path):
    log = tmp_path / "x.log"
    add(log, b"a\n")
    async with following(tmp_path, forget="30ms") as (gate, place):
        await until(lambda: gate.data() == b"a\n")
        log.unlink()
        await until(lambda: gate.ended == ["traces/x.log"])
        add(log, b"b\n")
        await until(lambda: gate.data() == b"a\nb\n")
        await until(lambda: place.facts["files"] == 1)


async def test_nothing_stays_open_when_it_ends(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for n in range(20):
        add(tmp_path / f"{n}.log", b"a\n")
    async with following(tmp_path) as (gate, _):
        await until(lambda: len(gate.taken) == 20)
    assert len(os.listdir("/proc/self/fd")) <= before + 2


async def test_the_number_of_logs_is_bounded_and_what_is_over_is_told(tmp_path):
    for n in range(5):
        add(tmp_path / f"{n}.log", b"a\n")
    async with following(tmp_path, files=3) as (gate, place):
        await until(lambda: place.facts.get("files_over") == 2 and len(gate.taken) == 3)


async def test_a_thousand_quiet_logs_cost_little(tmp_path):
    for n in range(50):
        (tmp_path / f"{n}").mkdir()
        for k in range(20):
            add(tmp_path / f"{n}" / f"{k}.log", b"a\n")
    async with following(tmp_path, path="*/*.log", poll="200ms", quiet="2s") as (gate, _):
        await until(lambda: len(gate.taken) == 1000, 30)
        spent, began = time.process_time(), time.monotonic()
        await until(lambda: time.monotonic() - began > 2.5)
        used = (time.process_time() - spent) / (time.monotonic() - began)
    assert used < 0.25, f"{used:.0%} of a processor for 1,000 logs"


@pytest.mark.parametrize(
    "keys", [{"path": ""}, {"path": "a/**/b"}, {"path": "{x}/y"}, {"path": "{date}/y"}, {"poll": "often"}, {"begin": "middle"}]
)
def test_keys_that_mean_nothing_are_refused(keys):
    with pytest.raises(ValidationError):
        config(**keys)
