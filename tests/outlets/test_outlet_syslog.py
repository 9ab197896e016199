"""Syslog against real receivers that frame as the RFCs say: over TLS, TCP and UDP, with receivers that vanish."""

import asyncio
import contextlib
import json
import re
import socket
import struct
from dataclasses import dataclass, field

import pytest
from some_messages import HUGE, message, messages, until

from jackstop import outlets
from jackstop.outlets import Later, Message, Never
from jackstop.outlets.syslog import Config

HEADER = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([\x21-\x7e]{1,255}) jackstop - (alert-new|alert-updated) "
    rb'\[origin software="jackstop" swVersion="[^"]+"\] (.*)',
    re.DOTALL,
)


@dataclass
class Receiver:
    """A receiver of octet-counted syslog; `stalled`: it accepts and reads nothing."""

    port: int = 0
    got: list[bytes] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    stalled: bool = False
    misframed: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        if self.stalled:
            writer.transport.pause_reading()
            return
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = await reader.readuntil(b" ")
                if not re.fullmatch(rb"[1-9]\d{0,6} ", size):
                    self.misframed += 1
                    break
                self.got.append(await reader.readexactly(int(size)))
        writer.transport.abort()


@contextlib.asynccontextmanager
async def receiving(tls=None, receiver=None, port=0):
    """A receiver on loopback for as long as the block lasts."""
    receiver = receiver or Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for writer in receiver.writers:
            writer.transport.abort()
        await server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)


def config(port: int, **keys: object) -> Config:
    return Config(kind="syslog", name="siem", host="127.0.0.1", port=port, hostname="jackstop-1", **{"transport": "tcp", **keys})


async def sent(cfg, around, *batches):
    outlet = await outlets.open(cfg, around.place)
    try:
        for batch in batches:
            await outlet.send(batch)
    finally:
        await outlet.close()


def body(frame: bytes) -> bytes:
    return HEADER.fullmatch(frame).group(5)


async def test_messages_come_over_tls_counted_by_octets_in_order(around, bank):
    async with receiving(bank.server()) as receiver:
        await sent(config(receiver.port, transport="tls", tls={"ca": str(bank.path)}), around, messages(3), [message(1, 2)])
        await until(lambda: len(receiver.got) == 4)
    assert receiver.connections == 1
    told = [HEADER.fullmatch(f).groups() for f in receiver.got]
    assert [t[3] for t in told] == [b"alert-new"] * 3 + [b"alert-updated"]
    assert told[0][:3] == (b"130", b"2026-03-01T02:01:09.120Z", b"jackstop-1")
    assert [re.search(rb"externalId=(\S+)", t[4]).group(1) for t in told] == [
        b"alert-0000", b"alert-0001", b"alert-0002", b"alert-0001"
    ]  # fmt: skip
    assert told[0][4].startswith(b"CEF:0|jackstop|")


@pytest.mark.parametrize(("severity", "facility", "priority"), [("info", 16, 134), ("high", 4, 35), ("medium", 23, 188)])
async def test_the_priority_is_facility_and_severity(around, severity, facility, priority):
    async with receiving() as receiver:
        await sent(config(receiver.port, facility=facility), around, [message(severity=severity)])
        await until(lambda: receiver.got)
    assert not receiver.misframed
    assert HEADER.fullmatch(receiver.got[0]).group(1) == str(priority).encode()


@pytest.mark.parametrize("shape", ["leef", "ocsf", "ecs"])
async def test_other_shapes_are_counted_in_octets_not_in_characters(around, shape):
    async with receiving() as receiver:
        await sent(config(receiver.port, shape=shape, lang="ja"), around, messages(2))
        await until(lambda: len(receiver.got) == 2)
    assert "説明のつかない金額".encode() in body(receiver.got[1])
    if shape != "leef":
        assert isinstance(json.loads(body(receiver.got[0])), dict)


async def test_messages_can_end_with_a_line_feed_instead(around):
    got = bytearray()

    async def serve(reader, writer):
        got.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        await sent(config(server.sockets[0].getsockname()[1], framing="lines"), around, messages(2))
        await until(lambda: got.endswith(b"\n"))
    assert [bool(HEADER.fullmatch(line)) for line in bytes(got).split(b"\n")[:-1]] == [True, True]


async def test_udp_sends_a_datagram_each_and_cuts_what_no_datagram_holds(around):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        cfg = config(receiver.getsockname()[1], transport="udp", shape="ocsf", longest=1_000_000)
        await sent(cfg, around, [message(1), Message(HUGE, 1, False, 2)])
        first, second = receiver.recv(70_000), receiver.recv(70_000)
    assert HEADER.fullmatch(first)
    assert json.loads(body(second))["metadata"]["is_truncated"]


async def test_what_is_too_long_even_when_cut_is_never_sent(around):
    async with receiving() as receiver:
        with pytest.raises(Never) as caught:
            await sent(config(receiver.port, shape="ocsf", longest=500), around, messages(1))
    assert caught.value.index == 0 and receiver.connections == 0


async def test_a_wrong_authority_a_wrong_name_and_no_tls_are_refused(around, bank, stranger):
    async with receiving(bank.server()) as receiver, receiving(bank.server("siem.example")) as named, receiving() as bare:
        for port, ca, seconds in ((receiver.port, stranger, 20), (named.port, bank, 20), (bare.port, bank, 0.3)):
            cfg = config(port, transport="tls", tls={"ca": str(ca.path)}, timeout=seconds)
            with pytest.raises(Later, match=r"not believed|TLS failed|no answer in time|ended"):
                await sent(cfg, around, messages(1))
        assert receiver.got == named.got == bare.got == [] and bare.misframed
        await sent(config(named.port, transport="tls", tls={"ca": str(bank.path), "name": "siem.example"}), around, messages(1))
        await until(lambda: named.got)


async def test_nobody_there_is_a_fault_and_the_next_batch_connects_anew(around):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        outlet = await outlets.open(config(port), around.place)
        with pytest.raises(Later, match=rf"127\.0\.0\.1:{port}: "):
            await outlet.send(messages(1))
    async with receiving(port=port) as receiver:
        await outlet.send(messages(1))
        await until(lambda: receiver.got)
    await outlet.close()


@pytest.mark.parametrize("secure", [False, True])
async def test_a_receiver_that_left_in_order_is_noticed_before_a_line_is_lost(around, bank, secure):
    keys = {"transport": "tls", "tls": {"ca": str(bank.path)}} if secure else {}
    async with receiving(bank.server() if secure else None) as receiver:
        outlet = await outlets.open(config(receiver.port, **keys), around.place)
        await outlet.send([message(0)])
        await until(lambda: len(receiver.got) == 1)
        receiver.writers[0].close()
        await until(lambda: outlet._wire.closed)
        await outlet.send([message(1)])
        await until(lambda: len(receiver.got) == 2)
        assert receiver.connections == 2
        await outlet.close()


async def test_what_a_receiver_left_unread_when_it_was_killed_is_sent_again(around):
    receiver = Receiver(stalled=True)
    async with receiving(receiver=receiver):
        outlet = await outlets.open(config(receiver.port), around.place)
        await outlet.send([message(0)])
        receiver.stalled = False
        at = receiver.writers[0].get_extra_info("socket")
        at.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        receiver.writers[0].transport.abort()
        await until(lambda: outlet._wire.closed)
        await outlet.send([message(1)])
        await until(lambda: len(receiver.got) == 2)
        assert [re.search(rb"externalId=(\S+)", f).group(1) for f in receiver.got] == [b"alert-0000", b"alert-0001"]
        await outlet.close()


async def test_a_receiver_that_takes_nothing_is_a_fault_not_a_hang(around):
    receiver = Receiver(stalled=True)
    async with receiving(receiver=receiver):
        cfg = config(receiver.port, shape="ocsf", timeout=1, longest=2_000_000)
        outlet = await outlets.open(cfg, around.place)
        with pytest.raises(Later, match="no answer in time"):
            for _ in range(200):
                await outlet.send([Message(HUGE, 1, False, 1)] * 20)
        await outlet.close()


async def test_batches_are_taken_only_when_the_other_machine_has_their_bytes(around):
    async with receiving() as receiver:
        outlet = await outlets.open(config(receiver.port), around.place)
        for i in range(20):
            await outlet.send([message(i)])
            assert outlet._wire._waiting() == 0
        await until(lambda: len(receiver.got) == 20)
        await outlet.close()
