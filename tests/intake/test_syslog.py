"""Syslog over real sockets, into a gate in memory."""

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import pytest
import trustme
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from jackstop import formats
from jackstop.intake import find
from jackstop.model.fleet import Reading

SYSLOG = find("syslog")
CEF = (
    b"<132>1 2026-03-01T02:11:07.120Z panel1 alarm - - - "
    b"CEF:0|Panel|Alarm|1|door_open|Cabinet door OPEN|7|cs1=1234 cs1Label=account"
)
OLD = b"<132>Mar  1 02:11:09 ATM0001 CEF:0|Panel|Alarm|1|tamper|Tamper ALARM|9|rt=1772331069000"


def config(**keys):
    base = {"kind": "syslog", "name": "panels", "format": "cef", "listen": "127.0.0.1:0", "transport": "tcp"}
    return SYSLOG.Config.model_validate({**base, **keys})


class At:
    """A syslog intake that listens."""

    def __init__(self, gate: FakeGate, place: FakePlace) -> None:
        self.gate, self.place = gate, place

    @property
    def port(self) -> int:
        return int(str(self.place.facts["listening"]).rsplit(":", 1)[1])

    async def connect(self, secure: ssl.SSLContext | None = None) -> asyncio.StreamWriter:
        name = {"server_hostname": "localhost"} if secure else {}
        _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=secure, **name)
        return writer

    async def send(self, data: bytes, secure: ssl.SSLContext | None = None) -> None:
        writer = await self.connect(secure)
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def listening(tmp_path, gate=None, **keys):
    at = At(gate or FakeGate(), FakePlace(tmp_path))
    async with running(SYSLOG, config(**keys), at.gate, at.place) as task:
        await until(lambda: "listening" in at.place.facts or task.done())
        yield at


async def test_messages_in_both_framings_become_lines_the_reader_understands(tmp_path):
    async with listening(tmp_path) as at:
        await at.send(CEF + b"\n" + OLD + b"\r\n")
        await at.send(b"%d %s%d %s" % (len(CEF), CEF, len(OLD), OLD))
        await until(lambda: len(at.gate.lines()) == 4)
    assert sorted(at.gate.lines()) == sorted([CEF, OLD] * 2)
    assert {t.peer for t in at.gate.taken} == {"127.0.0.1"}
    decoded = formats.find("cef").reader(Reading(name="p")).feed(CEF + b"\n" + OLD + b"\n", final=True)
    assert decoded.tables.cabinet.height == 2
    assert decoded.refusals == []


async def test_a_message_with_line_feeds_is_one_line_the_reader_understands(tmp_path):
    message = b"<132>1 2026-03-01T02:11:07Z ATM1 alarm - - - Cabinet door OPEN\nby hand"
    async with listening(tmp_path) as at:
        await at.send(b"%d %s" % (len(message), message))
        await until(lambda: at.gate.taken)
    row = formats.find("cef").reader(Reading(name="p")).feed(at.gate.data(), final=True).tables.cabinet
    assert row.select("activity", "part", "terminal").rows() == [("opened", "cabinet", "ATM1")]


async def test_only_the_message_is_handed_over_where_it_is_another_formats_record(tmp_path):
    record = b'{"@timestamp":"2026-03-01T02:11:07Z","winlog":{"channel":"System"}}'
    async with listening(tmp_path, payload="message", format="winlogbeat") as at:
        await at.send(
            b"<13>1 2026-03-01T02:11:07Z PC winlogbeat - - - " + record + b"\n<13>Mar  1 02:11:07 PC wb: " + record + b"\n"
        )
        await until(lambda: len(at.gate.lines()) == 2)
    assert at.gate.lines() == [record, record]


async def test_many_waiting_messages_are_one_acceptance(tmp_path):
    gate = FakeGate()
    gate.opened.clear()
    async with listening(tmp_path, gate) as at:
        writer = await at.connect()
        writer.write(b"<1>a\n")
        await writer.drain()
        await until(lambda: "connections" in at.place.facts)
        writer.write(b"<1>b\n" * 1000)
        await writer.drain()
        gate.opened.set()
        await until(lambda: len(gate.lines()) == 1001)
        writer.close()
        await writer.wait_closed()
    assert len(gate.taken) < 10


async def test_a_full_gate_makes_the_sender_wait_and_loses_nothing(tmp_path):
    gate = FakeGate(full=10**9)
    line = b"<1>" + b"x" * 996 + b"\n"
    async with listening(tmp_path, gate) as at:
        writer = await at.connect()
        writer.transport.set_write_buffer_limits(0)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(20_000):
                writer.write(line)
                await writer.drain()
                sent += 1

        task = asyncio.ensure_future(flood())
        await until(lambda: gate.turned_away > 5)
        assert at.place.facts["waiting"] == "too much"
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < 20_000
        gate.full = 0
        await task
        writer.close()
        await writer.wait_closed()
        await until(lambda: len(gate.data()) == 20_000 * len(line))
    assert gate.refused == []


async def test_a_fault_of_the_gate_ends_the_intake_and_its_connections(tmp_path):
    gate, place = FakeGate(faults=[RuntimeError("disk gone")]), FakePlace(tmp_path)
    task = asyncio.ensure_future(SYSLOG.run(config(), gate, place.place()))
    await until(lambda: "listening" in place.facts)
    await At(gate, place).send(b"<1>a\n")
    with pytest.raises(RuntimeError, match="disk gone"):
        await asyncio.wait_for(task, 5)


async def test_what_is_no_message_is_refused_and_shown(tmp_path):
    async with listening(tmp_path, largest=480) as at:
        await at.send(b"<1>a\n<1>" + b"x" * 600 + b"\n<1>b\n")
        await at.send(b"4 <1>a9x9 <1>b")
        await at.send(b"10 <1>cut")
        await until(lambda: len(at.gate.refused) == 3)
    assert sorted(at.gate.lines()) == [b"<1>a", b"<1>a", b"<1>b"]
    assert sorted(r.reason.split(":")[0] for r in at.gate.refused) == ["badly framed", "cut off", "longer than 480 bytes"]
    assert at.place.facts["refused"] == 3


async def test_a_silent_connection_and_an_endless_message_are_ended(tmp_path):
    async with listening(tmp_path, idle="80ms", slow="60ms") as at:
        silent, slow = await at.connect(), await at.connect()

        async def drip() -> None:
            while not slow.transport.is_closing():
                slow.write(b"<1>" if not at.gate.taken else b"x")
                await asyncio.sleep(0.01)

        task = asyncio.ensure_future(drip())
        await until(lambda: at.place.facts.get("connections") == 0)
        task.cancel()
        for writer in (silent, slow):
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_connections_are_bounded_in_all_and_from_one_address(tmp_path):
    for keys in ({"connections": 2}, {"per_address": 2}, {"allow": ["10.0.0.0/8"]}):
        async with listening(tmp_path, **keys) as at:
            writers = [await at.connect() for _ in range(4)]
            await until(lambda: at.place.facts.get("turned_away") == (4 if "allow" in keys else 2))  # noqa: B023
            for writer in writers:
                writer.close()
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    served = authority.issue_cert("localhost")
    served.private_key_pem.write_to_path(folder / "key.pem")
    served.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder, authority


def client(authority: trustme.CA, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name:
        authority.issue_cert("panel.example", common_name=name).configure_cert(context)
    return context


def tls(folder, ca=False):
    keys = {"cert": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    return keys | ({"client_ca": str(folder / "ca.pem")} if ca else {})


async def test_over_tls_the_peer_is_named_by_its_certificate(tmp_path, authority):
    folder, ca = authority
    async with listening(tmp_path, transport="tls", tls=tls(folder, ca=True)) as at:
        await at.send(CEF + b"\n", client(ca, "panel-7"))
        await until(lambda: at.gate.taken)
    assert at.gate.taken[0].peer == "127.0.0.1 panel-7"
    assert at.gate.lines() == [CEF]


async def test_over_tls_a_client_without_a_certificate_is_not_believed(tmp_path, authority):
    folder, ca = authority
    async with listening(tmp_path, transport="tls", tls=tls(folder, ca=True)) as at:
        with suppress(OSError):
            await at.send(CEF + b"\n", client(ca))
        await at.send(OLD + b"\n", client(ca, "panel-7"))
        await until(lambda: at.gate.taken)
    assert at.gate.lines() == [OLD]


async def test_old_tls_and_no_tls_are_turned_away(tmp_path, authority):
    folder, ca = authority
    async with listening(tmp_path, transport="tls", tls=tls(folder)) as at:
        old = client(ca)
        with pytest.warns(DeprecationWarning):
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError):
            await at.send(CEF + b"\n", old)
        await at.send(CEF + b"\n")
        await at.send(OLD + b"\n", client(ca))
        await until(lambda: at.gate.taken)
    assert at.gate.lines() == [OLD]


def test_a_key_that_cannot_be_read_is_told_without_what_it_holds(tmp_path, authority):
    folder, _ = authority
    (tmp_path / "bad.pem").write_text("SECRET")
    bad = config(transport="tls", tls={"cert": str(folder / "cert.pem"), "key": "bad.pem"})
    with pytest.raises(ValueError, match="expected PEM files") as fault:
        asyncio.run(SYSLOG.run(bad, FakeGate(), FakePlace(tmp_path).place()))
    assert "SECRET" not in str(fault.value)


async def test_each_datagram_is_one_message(tmp_path):
    async with listening(tmp_path, transport="udp", largest=480) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (CEF, OLD + b"\n", b"<1>two\nlines", b"", b"<1>" + b"x" * 600):
                sender.sendto(data, ("127.0.0.1", at.port))
            await until(lambda: len(at.gate.lines()) == 3 and at.gate.refused)
    assert at.gate.lines() == [CEF, OLD, b"<1>two\\nlines"]
    assert at.gate.refused[0].reason == "longer than 480 bytes"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_without_a_host_it_listens_at_every_address(tmp_path, transport):
    async with listening(tmp_path, transport=transport, listen=":0") as at:
        for n, host in enumerate(("127.0.0.1", "127.0.0.2"), 1):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as sender:
                port = int(str(at.place.facts["listening"]).split(",")[0].rsplit(":", 1)[1])
                sender.connect((host, port))
                sender.send(b"<1>a\n")
            await until(lambda: len(at.gate.lines()) == n)  # noqa: B023
    assert {t.peer for t in at.gate.taken} == {"127.0.0.1"}


async def test_datagrams_that_cannot_be_taken_are_counted_and_shown_once_a_second(tmp_path):
    gate = FakeGate()
    gate.opened.clear()
    async with listening(tmp_path, gate, transport="udp", queue=1 << 16) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for n in range(200):
                sender.sendto(b"<1>" + b"x" * 997, ("127.0.0.1", at.port))
                if n % 20 == 0:
                    await asyncio.sleep(0)
            await until(lambda: gate.refused)
            gate.opened.set()
            await until(lambda: len(gate.lines()) + int(at.place.facts["dropped"]) == 200)
    assert 0 < len(gate.lines()) < 200
    assert len(gate.refused) <= 3
    assert b"dropped" in gate.refused[0].data


async def test_each_peer_has_a_feed_of_its_own_where_wanted_and_their_number_is_bounded(tmp_path):
    async with listening(tmp_path, transport="udp", per_peer=True, peers=2, listen="0.0.0.0:0") as at:
        for n in range(1, 5):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((f"127.0.0.{n}", 0))
                sender.sendto(b"<1>%d" % n, ("127.0.0.1", at.port))
            await until(lambda: len(at.gate.lines()) == n)  # noqa: B023
    assert [t.feed for t in at.gate.taken] == ["panels/127.0.0.1", "panels/127.0.0.2", "panels", "panels"]
    assert at.place.facts["peers_over"] == 2


@given(st.lists(st.binary(max_size=200), max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_bytes_on_a_connection_are_taken_or_refused_and_the_next_sender_is_served(tmp_path_factory, pieces):
    async def story() -> None:
        async with listening(tmp_path_factory.getbasetemp(), idle="1s") as at:
            writer = await at.connect()
            for piece in pieces:
                writer.write(piece)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            await at.send(b"<1>still here\n")
            await until(lambda: b"<1>still here" in at.gate.lines())

    asyncio.run(story())


@pytest.mark.parametrize(
    "keys",
    [
        {"listen": "nowhere"},
        {"listen": "127.0.0.1:99999"},
        {"listen": "::1:514"},
        {"transport": "tls"},
        {"tls": {"cert": "a", "key": "b"}},
        {"allow": ["10.0.0.1/8"]},
        {"largest": 1},
    ],
)
def test_a_key_that_means_nothing_is_refused(keys):
    with pytest.raises(ValidationError):
        config(**keys)
