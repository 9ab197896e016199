"""Whole files that appear in folders: each taken once, over crashes, and bombs not at all."""

import asyncio
import gzip
import os
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest
import zstandard
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jackstop.intake import find
from jackstop.intake._drop_file import Limits, Unfit, examine, unpacked

DROP = find("drop")
LINE = b"<132>1 2026-03-01T02:11:09Z ATM0001 monitor - - - Safe door CLOSED\n"


def config(**keys):
    quick = {"poll": "5ms", "settle": "10ms", "format": "cef"}
    return DROP.Config.model_validate({"kind": "drop", "name": "exports", "path": "in", **quick, **keys})


@asynccontextmanager
async def dropping(tmp_path, gate=None, terminals=(), **keys):
    (tmp_path / "in").mkdir(exist_ok=True)
    gate, place = gate or FakeGate(), FakePlace(tmp_path, terminals)
    async with running(DROP, config(**keys), gate, place) as task:
        await until(lambda: "files_waiting" in place.facts or task.done())
        yield gate, place


def drop(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name("." + path.name)
    fresh.write_bytes(data)
    fresh.rename(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
async def test_a_file_is_taken_once_and_moved(tmp_path, pack):
    data = LINE * 50_000
    async with dropping(tmp_path) as (gate, place):
        drop(tmp_path / "in" / "a.log", pack(data))
        await until((tmp_path / "in" / "done" / "a.log").exists)
        await until(lambda: place.facts.get("taken") == 1)
    assert gate.data("exports/a.log") == data
    assert gate.ended == ["exports/a.log"]
    assert len(gate.taken) == 4
    assert all(t.data.endswith(b"\n") for t in gate.taken)


@pytest.mark.parametrize("after", ["delete", "leave"])
async def test_a_file_that_was_taken_is_deleted_or_left(tmp_path, after):
    async with dropping(tmp_path, after=after) as (gate, place):
        drop(tmp_path / "in" / "a.log", LINE)
        await until(lambda: place.facts.get("taken") == 1)
        await until(lambda: (tmp_path / "in" / "a.log").exists() == (after == "leave"))
        drop(tmp_path / "in" / "b.log", LINE)
        await until(lambda: place.facts.get("taken") == 2)
    async with dropping(tmp_path, gate, after=after) as (_, place):
        drop(tmp_path / "in" / "c.log", LINE)
        await until(lambda: place.facts.get("taken") == (3 if after == "leave" else 1))
    assert [t.feed for t in gate.taken] == ["exports/a.log", "exports/b.log", "exports/c.log"]


async def test_a_file_that_grows_is_not_touched_until_it_rests(tmp_path):
    path = tmp_path / "in" / "a.log"
    async with dropping(tmp_path, settle="100ms") as (gate, _):
        for _n in range(30):
            with path.open("ab") as file:
                file.write(LINE)
            await asyncio.sleep(0.01)
            assert gate.taken == []
        await until(lambda: gate.ended)
    assert gate.data() == LINE * 30


async def test_unfinished_names_links_and_folders_are_passed_over(tmp_path):
    folder = tmp_path / "in"
    for name in ("a.tmp", "b.part", "c~", ".hidden", "done/old.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(LINE)
    (folder / "link.log").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.log")
    async with dropping(tmp_path) as (gate, _):
        drop(folder / "a.log", LINE)
        await until(lambda: gate.ended)
        (folder / "a.tmp").rename(folder / "z.log")
        await until(lambda: len(gate.ended) == 2)
    assert {t.feed for t in gate.taken} == {"exports/a.log", "exports/z.log"}


async def test_another_file_of_the_same_name_is_a_feed_of_its_own_and_the_same_file_is_only_moved(tmp_path):
    async with dropping(tmp_path) as (gate, place):
        for n, data in enumerate((LINE, LINE * 2, LINE, LINE * 2), 1):
            drop(tmp_path / "in" / "a.log", data)
            await until(lambda: place.facts.get("taken") == n)  # noqa: B023
    second = f"exports/a.log~{sha256(LINE * 2).hexdigest()[:12]}"
    assert [t.feed for t in gate.taken] == ["exports/a.log", second]
    assert sorted(p.name for p in (tmp_path / "in" / "done").iterdir()) == ["a.log", "a.log~2", "a.log~3", "a.log~4"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
async def test_after_a_crash_in_the_middle_the_rest_is_taken(tmp_path, pack):
    data = LINE * 50_000
    drop(tmp_path / "in" / "a.log", pack(data))
    gate = FakeGate()
    for crash in range(4):

        class Crashing(FakeGate):
            async def accept(self, feed, data, *, mark=b"", peer=""):
                number = await gate.accept(feed, data, mark=mark, peer=peer)
                if crash < 3:  # noqa: B023
                    raise RuntimeError("power cut after the bytes were safe")
                return number

            def mark(self, name):
                return gate.mark(name)

            async def end(self, feed):
                await gate.end(feed)

        place = FakePlace(tmp_path)
        task = asyncio.ensure_future(DROP.run(config(), Crashing(), place.place()))
        if crash < 3:
            with pytest.raises(RuntimeError, match="power cut"):
                await asyncio.wait_for(task, 10)
        else:
            await until(lambda: place.facts.get("taken") == 1)  # noqa: B023
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert gate.data() == data
    assert len(gate.taken) == 4
    assert (tmp_path / "in" / "done" / "a.log").exists()


async def test_a_file_taken_before_a_crash_and_not_moved_is_not_taken_again(tmp_path):
    async with dropping(tmp_path) as (gate, place):
        drop(tmp_path / "in" / "a.log", LINE)
        await until(lambda: place.facts.get("taken") == 1)
    (tmp_path / "in" / "done" / "a.log").rename(tmp_path / "in" / "a.log")
    async with dropping(tmp_path, gate) as (_, place):
        await until(lambda: place.facts.get("taken") == 1)
    assert gate.data() == LINE
    assert len(gate.taken) == 1


def bomb() -> bytes:
    return gzip.compress(b"\0" * (64 << 20))


@pytest.mark.parametrize(
    ("data", "keys", "reason"),
    [
        (bomb(), {}, "unpacked from"),
        (zstandard.compress(b"\0" * (64 << 20)), {}, "unpacked from"),
        (gzip.compress(LINE * 1000)[:-20], {}, "damaged"),
        (gzip.compress(LINE * 1000)[:40] + b"x" * 40, {}, "damaged"),
        (zstandard.compress(LINE * 1000)[:30] + b"x" * 40, {}, "damaged"),
        (LINE * 10, {"largest": 100}, "unpacked from"),
        (b"no log at all", {"format": "auto"}, "no format fits"),
    ],
    ids=range(7),
)
async def test_what_is_unfit_is_not_taken_and_put_away_with_its_reason(tmp_path, data, keys, reason):
    async with dropping(tmp_path, **keys) as (gate, place):
        drop(tmp_path / "in" / "a.log", data)
        drop(tmp_path / "in" / "b.log", LINE)
        await until(lambda: place.facts.get("failed") == 1 and (place.facts.get("taken") == 1 or "largest" in keys))
        await until((tmp_path / "in" / "failed" / "a.log.reason.txt").exists)
    assert reason in (tmp_path / "in" / "failed" / "a.log.reason.txt").read_text()
    assert (tmp_path / "in" / "failed" / "a.log").read_bytes() == data
    assert "exports/a.log" not in {t.feed for t in gate.taken}
    assert [reason in r.reason for r in gate.refused] == ([] if keys.get("format") == "auto" else [True])


async def test_files_of_a_folder_may_be_one_stream_each_ended(tmp_path):
    for n, name in enumerate(("b.log", "a.log", "c.log")):
        drop(tmp_path / "in" / "ATM1" / name, name.encode())
        os.utime(tmp_path / "in" / "ATM1" / name, ns=(0, (n + 1) * 10**9))
    async with dropping(tmp_path, path="in/{terminal}", terminals=["ATM1"], one_stream=True) as (gate, place):
        await until(lambda: place.facts.get("taken") == 3)
    assert gate.data("exports/ATM1") == b"b.log\na.log\nc.log\n"
    assert gate.ended == ["exports/ATM1"] * 3
    assert gate.feeds["exports/ATM1"].reading.terminal == "ATM1"


async def test_of_one_stream_the_file_that_was_begun_is_finished_first(tmp_path):
    data = LINE * 20_000
    drop(tmp_path / "in" / "late.log", data)
    os.utime(tmp_path / "in" / "late.log", ns=(0, 9 * 10**9))
    gate, cut = FakeGate(), []

    class Crashing(FakeGate):
        async def accept(self, feed, data, *, mark=b"", peer=""):
            await gate.accept(feed, data, mark=mark, peer=peer)
            cut.append(len(data))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        await asyncio.wait_for(DROP.run(config(one_stream=True), Crashing(), FakePlace(tmp_path).place()), 10)
    drop(tmp_path / "in" / "early.log", b"early\n")
    os.utime(tmp_path / "in" / "early.log", ns=(0, 1 * 10**9))
    async with dropping(tmp_path, gate, one_stream=True) as (_, place):
        await until(lambda: int(str(place.facts.get("taken", 0))) >= 2)
    assert 0 < cut[0] < len(data)
    assert gate.data() == data + b"early\n"


async def test_one_file_that_the_gate_does_not_take_holds_nobody_up(tmp_path):
    class Picky(FakeGate):
        async def accept(self, feed, data, *, mark=b"", peer=""):
            if "loud" in feed.name:
                self.full = 1
            return await FakeGate.accept(self, feed, data, mark=mark, peer=peer)

    async with dropping(tmp_path, Picky()) as (gate, place):
        drop(tmp_path / "in" / "loud.log", LINE)
        await until(lambda: gate.turned_away)
        for n in range(12):
            drop(tmp_path / "in" / f"{n}.log", LINE)
        await until(lambda: place.facts.get("taken") == 12)
    assert "exports/loud.log" not in gate.ended


async def test_an_end_the_gate_did_not_take_is_told_again(tmp_path):
    async with dropping(tmp_path, FakeGate(shy=2)) as (gate, place):
        drop(tmp_path / "in" / "a.log", LINE)
        await until(lambda: place.facts.get("taken") == 1)
    assert gate.ended == ["exports/a.log"]


async def test_a_format_is_told_from_what_a_file_holds(tmp_path):
    async with dropping(tmp_path, format="auto") as (gate, _):
        drop(tmp_path / "in" / "a.gz", gzip.compress(LINE))
        await until(lambda: gate.ended)
    assert gate.feeds["exports/a.gz"].format == "cef"


async def test_what_cannot_be_moved_is_told_and_not_taken_again(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "done").write_bytes(b"a file where the folder should be")
    async with dropping(tmp_path, match="*.log") as (gate, place):
        drop(tmp_path / "in" / "a.log", LINE)
        await until(lambda: "fault" in place.facts)
        (tmp_path / "in" / "done").unlink()
        await until(lambda: place.facts.get("taken") == 1)
    assert gate.data() == LINE


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", gzip.compress(LINE)[:30]]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_file_or_unfit(tmp_path_factory, data, magic):
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(magic + data)
    try:
        examined = examine(str(path), Limits(1 << 20, 100))
    except Unfit as fault:
        assert "expected" in str(fault)
        return
    with unpacked(str(path)) as stream:
        assert len(stream.read()) == examined.size


@pytest.mark.parametrize(
    "keys", [{"path": ""}, {"done": "../x"}, {"one_stream": True, "after": "leave"}, {"match": ""}, {"ratio": 0}]
)
def test_keys_that_mean_nothing_are_refused(keys):
    with pytest.raises(ValidationError):
        config(**keys)
