"""The file sink: lines that last, whatever rotation, crashes and full disks do."""

import json
import os
import resource
import signal
import stat

import pytest
from some_messages import HUGE, message, messages

from jackstop import outlets
from jackstop.outlets import Later, Message
from jackstop.outlets.file import Config


def config(**keys: object) -> Config:
    return Config(kind="file", name="agent", path="alerts.jsonl", **keys)


def keys(path) -> list[str]:
    return [json.loads(line)["metadata"]["uid"] for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
async def outlet(around):
    made = await outlets.open(config(), around.place)
    yield made
    await made.close()


async def test_lines_are_appended_in_order_and_others_may_read_them(around, outlet):
    await outlet.send(messages(2))
    await outlet.send([message(0, 2)])
    path = around.root / "alerts.jsonl"
    assert keys(path) == ["alert-0000:1", "alert-0001:1", "alert-0000:2"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0


@pytest.mark.parametrize("away", [lambda p: p.rename(p.with_suffix(".1")), lambda p: p.unlink()])
async def test_after_rotation_lines_go_to_a_new_file(around, outlet, away):
    path = around.root / "alerts.jsonl"
    await outlet.send([message(0)])
    away(path)
    await outlet.send([message(1)])
    assert keys(path) == ["alert-0001:1"]


async def test_a_file_cut_short_in_place_goes_on_from_its_new_end(around, outlet):
    path = around.root / "alerts.jsonl"
    await outlet.send([message(0)])
    os.truncate(path, 0)
    await outlet.send([message(1)])
    assert keys(path) == ["alert-0001:1"]


async def test_half_a_line_of_a_crash_spoils_no_later_line(around, outlet):
    path = around.root / "alerts.jsonl"
    path.write_text('{"metadata":{"uid":"alert-0')
    await outlet.send([message(1)])
    half, whole = path.read_text("utf-8").splitlines()
    assert half == '{"metadata":{"uid":"alert-0'
    assert json.loads(whole)["metadata"]["uid"] == "alert-0001:1"


async def test_a_disk_that_fills_up_leaves_no_half_line_and_is_tried_again(around, outlet):
    path = around.root / "alerts.jsonl"
    await outlet.send([message(0)])
    before = path.read_bytes()
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(Later, match="expected a file that can be written"):
            await outlet.send([message(1)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    await outlet.send([message(1)])
    assert keys(path) == ["alert-0000:1", "alert-0001:1"]


async def test_a_folder_that_is_not_there_is_a_fault_that_can_be_mended(around):
    outlet = await outlets.open(Config(kind="file", name="agent", path="gone/alerts.jsonl"), around.place)
    with pytest.raises(Later, match="No such file"):
        await outlet.send(messages(1))
    (around.root / "gone").mkdir()
    await outlet.send(messages(1))
    await outlet.close()
    assert keys(around.root / "gone" / "alerts.jsonl") == ["alert-0000:1"]


@pytest.mark.parametrize(("shape", "start"), [("cef", "CEF:0|"), ("ecs", "{"), ("leef", "LEEF:2.0|")])
async def test_other_shapes_are_written_too_and_cut_to_the_longest_line(around, shape, start):
    outlet = await outlets.open(config(shape=shape, longest=400_000), around.place)
    await outlet.send([Message(HUGE, 1, False, 1)])
    await outlet.close()
    (line,) = (around.root / "alerts.jsonl").read_text("utf-8").splitlines()
    assert line.startswith(start) and len(line.encode()) <= 400_000
