"""A DC-09 receiver on real sockets, and what its lines are to the reader."""

import asyncio
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pysiaalarm import SIAAccount, SIAEvent
from pysiaalarm.aio import SIAClient

from jackstop import formats
from jackstop.formats import _dc09_frame as dc09
from jackstop.intake import find
from jackstop.intake._dc09_seal import key, seal
from jackstop.model.fleet import Reading

DC09 = find("dc09")
KEY = "A1" * 16
FRAMES = (
    b'"SIA-DCS"0001L0#90[#90|Nri1/BA15]_02:11:07,03-01-2026',
    b'"ADM-CID"0002L0#90[#90|1137 01 015]_02:11:09,03-01-2026',
    b'"NULL"0003L0#90[]_02:11:10,03-01-2026',
)


def wire(text: bytes) -> bytes:
    return b"\n" + dc09.framed(text) + b"\r"


def config(**keys):
    return DC09.Config.model_validate({"kind": "dc09", "name": "alarms", "listen": "127.0.0.1:0", **keys})


class At:
    """A receiver that listens."""

    def __init__(self, gate: FakeGate, place: FakePlace) -> None:
        self.gate, self.place = gate, place

    def port(self, fact: str = "listening") -> int:
        return int(str(self.place.facts[fact]).rsplit(":", 1)[1])

    async def exchange(self, *frames: bytes) -> list[bytes]:
        """Send frames, each when the one before is answered; the replies."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port())
        replies = []
        for frame in frames:
            writer.write(frame)
            async with asyncio.timeout(5):
                replies.append(await reader.readuntil(b"\r"))
        writer.close()
        await writer.wait_closed()
        return replies


@asynccontextmanager
async def receiving(tmp_path, gate=None, **keys):
    at = At(gate or FakeGate(), FakePlace(tmp_path, terminals=["ATM1"], secrets={"env:ALARM": KEY}))
    async with running(DC09, config(**keys), at.gate, at.place) as task:
        udp = keys.get("transport", "both") != "tcp"
        await until(lambda: {"listening", *(["udp_listening"] if udp else [])} <= at.place.facts.keys() or task.done())
        yield at


async def test_frames_over_tcp_are_acknowledged_and_kept_as_lines_the_reader_understands(tmp_path):
    async with receiving(tmp_path) as at:
        replies = await at.exchange(*map(wire, FRAMES))
    assert [r[9:].strip() for r in replies] == [b'"ACK"0001L0#90[]', b'"ACK"0002L0#90[]', b'"ACK"0003L0#90[]']
    reader = formats.find("dc09").reader(Reading(name="alarms", events={"zone 15": "safe.door"}))
    decoded = reader.feed(at.gate.data(), final=True)
    assert decoded.refusals == []
    rows = decoded.tables.cabinet.select("activity", "part", "sensor", "terminal").rows()
    assert rows == [("opened", "safe", "door", "90"), ("tamper", "safe", "tamper", "90")]
    assert decoded.tables.feeds["activity"].to_list() == ["heartbeat"]
    assert formats.find("dc09").sniff(at.gate.data(), "x") > 90


async def test_frames_over_udp_are_answered_to_their_sender(tmp_path):
    async with receiving(tmp_path) as at:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as panel:
            panel.setblocking(False)
            panel.connect(("127.0.0.1", at.port("udp_listening")))
            for frame in FRAMES:
                panel.send(wire(frame))
                async with asyncio.timeout(5):
                    reply = await loop.sock_recv(panel, 1000)
                assert b'"ACK"' + frame.split(b'"')[2][:4] in reply
    assert len(at.gate.lines()) == 3


async def test_what_jackstop_answers_and_pysiaalarm_answers_is_the_same(tmp_path):
    received: list[SIAEvent] = []

    async def note(event: SIAEvent) -> None:
        received.append(event)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    theirs = SIAClient("127.0.0.1", port, [SIAAccount("1111", allowed_timeband=None)], note)
    await theirs.async_start(reuse_port=True)
    frames = [
        wire(f'"SIA-DCS"{n:04d}R1L0#1111[#1111|Nri1/{code}15]'.encode()) for n, code in enumerate(("BA", "TA", "BR", "RP"), 1)
    ]
    async with receiving(tmp_path) as at:
        ours = await at.exchange(*frames)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for frame, own in zip(frames, ours, strict=True):
            writer.write(frame)
            async with asyncio.timeout(5):
                assert await reader.readuntil(b"\r") == own
        writer.close()
        await writer.wait_closed()
    await theirs.async_stop()
    assert [e.code for e in received] == ["BA", "TA", "BR", "RP"]
    assert len(at.gate.lines()) == 4


async def test_an_encrypted_frame_is_answered_so_that_the_panel_can_read_it(tmp_path):
    stamp = dc09.stamped(datetime.now(UTC))
    text = b'"*SIA-DCS"0001R1L0#1111[' + seal(f"#1111|Nri1/BA15]_{stamp}".encode(), key(KEY))
    async with receiving(tmp_path, key="env:ALARM") as at:
        reply, again, plain = await at.exchange(wire(text), wire(text), wire(FRAMES[0]))
    assert b'"*ACK"0001R1L0#1111[' in reply
    assert b'"*ACK"' in again
    assert b'"DUH"' in plain
    assert len(at.gate.lines()) == 1
    assert [r.reason.split(",")[0] for r in at.gate.refused] == ["not encrypted"]
    assert at.place.facts["repeats"] == 1


async def test_nothing_is_acknowledged_before_the_gate_has_it(tmp_path):
    gate = FakeGate(full=3)
    async with receiving(tmp_path, gate) as at:
        gate.opened.clear()
        task = asyncio.ensure_future(at.exchange(wire(FRAMES[0])))
        await until(lambda: at.place.facts.get("connections") == 1)
        await asyncio.sleep(0.05)
        assert not task.done()
        gate.opened.set()
        assert b'"ACK"' in (await task)[0]
    assert gate.turned_away == 3
    assert len(gate.lines()) == 1


async def test_damage_is_kept_as_refused_and_gets_no_answer(tmp_path):
    async with receiving(tmp_path) as at:
        replies = await at.exchange(wire(FRAMES[0]).replace(b"BA", b"CA") + wire(FRAMES[1]))
    assert b'"ACK"0002' in replies[0]
    assert "CRC" in at.gate.refused[0].reason
    assert len(at.gate.lines()) == 1


async def test_each_terminal_has_a_feed_of_its_own_where_wanted(tmp_path):
    async with receiving(tmp_path, per_terminal=True) as at:
        await at.exchange(wire(FRAMES[0]), wire(FRAMES[1].replace(b"#90", b"#77")))
    assert [t.feed for t in at.gate.taken] == ["alarms/ATM1", "alarms"]
    assert at.gate.feeds["alarms/ATM1"].reading.terminal == "ATM1"


async def test_a_panel_that_stops_within_a_frame_is_let_go(tmp_path):
    async with receiving(tmp_path, slow="50ms", transport="tcp") as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port())
        writer.write(wire(FRAMES[0])[:20])
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await until(lambda: at.gate.refused)
    assert "cut off" in at.gate.refused[0].reason


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([wire(f) for f in FRAMES])), max_size=6))
@settings(max_examples=25, deadline=None)
def test_any_bytes_are_answered_or_refused_and_the_next_panel_is_served(tmp_path_factory, pieces):
    async def story() -> None:
        async with receiving(tmp_path_factory.getbasetemp(), idle="2s", slow="2s", transport="tcp") as at:
            _, writer = await asyncio.open_connection("127.0.0.1", at.port())
            for piece in pieces:
                writer.write(piece)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            (reply,) = await at.exchange(wire(b'"NULL"0009L0#90[]'))
            assert b'"ACK"0009' in reply

    asyncio.run(story())


@pytest.mark.parametrize("keys", [{"key": "short"}, {"keys": {"11": "g" * 48}}])
async def test_a_wrong_key_is_told_by_whose_it_is_and_not_by_what_it_is(tmp_path, keys):
    with pytest.raises(ValueError, match=r"key of (11|all accounts)") as fault:
        await DC09.run(config(**keys), FakeGate(), FakePlace(tmp_path).place())
    assert "short" not in str(fault.value).split("key of")[1]
    assert "ggg" not in str(fault.value)


def test_keys_do_not_show_in_the_configuration():
    made = config(key="S3CRET", keys={"1": "S3CRET"})
    assert "S3CRET" not in repr(made) + str(made)


def test_keys_that_mean_nothing_are_refused():
    for keys in ({"format": "cef"}, {"listen": "x"}, {"early": "soon"}, {"strangers": "maybe"}):
        with pytest.raises(ValidationError):
            config(**keys)
