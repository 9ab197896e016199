"""The XFS4IoT ear: what terminals say becomes lines the reader understands, and nothing that moves cash can be said to them."""

import ast
import asyncio
import json
import ssl
from pathlib import Path

import pytest
import trustme
import websockets
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given
from hypothesis import strategies as st
from some_logs import logs
from websockets.asyncio.server import serve

from jackstop import formats, intake
from jackstop.formats._xfs4iot_kinds import KINDS
from jackstop.intake import _xfs4iot_ear as ear
from jackstop.intake import xfs4iot_ws
from jackstop.intake._xfs4iot_ear import Ask, services

TERMINALS = ("ATM-1", "ATM-2")
MAY_BE_SAID = {"ServicePublisher.GetServices", "Common.Status", "Common.Capabilities"}
_TAKEN_HEADER = '{"type":"unsolicited","name":"CashManagement.ItemsTakenEvent","version":"2.0"}'
ITEMS_TAKEN = f'{{"header":{_TAKEN_HEADER},"payload":{{"position":"outDefault"}}}}'


class Machine:
    """A terminal as its service publisher and services show it: it answers what it is asked, and says what it is told to say."""

    def __init__(self, names: tuple[str, ...] = ("CashDispenser", "Storage"), context: ssl.SSLContext | None = None) -> None:
        self.names, self.context = names, context
        self.asked: list[dict] = []
        self.connected: list = []
        self.also: list[str] = []

    async def __aenter__(self) -> "Machine":
        self.server = await serve(self._serve, "127.0.0.1", 0, ssl=self.context)
        port = self.server.sockets[0].getsockname()[1]
        self.base = f"{'wss' if self.context else 'ws'}://127.0.0.1:{port}/xfs4iot/v1.0"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()

    async def _serve(self, connection) -> None:
        if connection.request.path.rstrip("/").count("/") > 2:
            self.connected.append(connection)
        async for message in connection:
            told = json.loads(message)
            self.asked.append(told)
            await connection.send(self.answer(told["header"]))

    def answer(self, header: dict) -> str:
        payload: dict = {}
        if header["name"] == "ServicePublisher.GetServices":
            payload = {"services": [{"serviceURI": u} for u in [*(f"{self.base}/{n}/" for n in self.names), *self.also]]}
        if header["name"] == "Common.Status":
            payload = {"common": {"device": "online"}}
        return json.dumps({"header": {**header, "type": "completion"}, "payload": payload})

    async def say(self, text: str | bytes) -> None:
        for connection in self.connected:
            await connection.send(text)

    async def hang_up(self) -> None:
        gone, self.connected = self.connected, []
        for connection in gone:
            await connection.close()


def config(**keys: object) -> xfs4iot_ws.Config:
    return xfs4iot_ws.Config.model_validate({"kind": "xfs4iot-ws", "name": "x", **keys})


def told(gate: FakeGate, name: str = "x/ATM-1") -> list[dict]:
    return [json.loads(line) for line in gate.lines(name)]


def said(lines: list[dict], direction: str) -> list[str]:
    return [line["message"]["header"]["name"] for line in lines if line["direction"] == direction]


async def test_a_terminals_services_are_found_asked_how_they_are_and_listened_to():
    gate = FakeGate()
    async with Machine() as machine:
        place = FakePlace(Path(), TERMINALS)
        async with running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}), gate, place):
            await until(lambda: len(machine.connected) == 2 and len(machine.asked) == 5)
            await machine.say(ITEMS_TAKEN)
            await until(lambda: said(told(gate), "in").count("CashManagement.ItemsTakenEvent") == 2)
            assert place.facts["connections"] == 2
    lines = told(gate)
    assert sorted(said(lines, "out")) == ["Common.Capabilities"] * 2 + ["Common.Status"] * 2 + ["ServicePublisher.GetServices"]
    assert {line["terminal"] for line in lines} == {"ATM-1"}
    assert lines[0]["time"].endswith("Z")
    assert {m["header"]["name"] for m in machine.asked} <= MAY_BE_SAID


async def test_what_is_heard_is_what_the_reader_understands():
    gate = FakeGate()
    messages = [json.loads(line)["message"] for line in logs()["xfs4iot"].splitlines()]
    async with (
        Machine(("Tap",)) as machine,
        running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, poll="0s"), gate, FakePlace(Path(), TERMINALS)),
    ):
        await until(lambda: machine.connected)
        for message in messages:
            await machine.say(json.dumps(message, indent=1 if len(str(message)) % 2 else None))
        await until(lambda: len(gate.lines()) >= len(messages) + 4)
    heard = [line["message"] for line in told(gate)]
    assert [m for m in heard if m["header"]["name"] not in MAY_BE_SAID] == messages
    feed = gate.feeds["x/ATM-1"]
    reader = formats.find(feed.format).reader(feed.reading)
    tables = reader.feed(gate.data("x/ATM-1")).tables
    plain = formats.find("xfs4iot").reader(feed.reading)
    wanted = plain.feed(logs()["xfs4iot"]).tables
    assert reader.tally.refused == 0
    assert tables.cash["activity"].to_list() == wanted.cash["activity"].to_list()
    assert set(tables.cash["terminal"]) == {"ATM-1"}


async def test_status_is_asked_again_every_poll():
    async with Machine(("CashDispenser",)) as machine:
        async with running(
            xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, poll="20ms"), FakeGate(), FakePlace(Path(), TERMINALS)
        ):
            await until(lambda: [m["header"]["name"] for m in machine.asked].count("Common.Status") > 3)
        assert {m["header"]["name"] for m in machine.asked} == MAY_BE_SAID
        numbers = [m["header"]["requestId"] for m in machine.asked[1:]]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_the_older_dialect_is_spoken_where_told_and_only_wanted_services_are_listened_to():
    async with Machine(("CashDispenser", "Printer", "Storage")) as machine:
        made = config(urls={"ATM-1": [machine.base]}, version="1.0", services=["Storage"], poll="0s")
        async with running(xfs4iot_ws, made, FakeGate(), FakePlace(Path(), TERMINALS)):
            await until(lambda: len(machine.asked) == 2)
    assert machine.asked[0]["payload"] == {"timeout": 30000}
    assert "timeout" not in machine.asked[0]["header"]
    assert [c.request.path for c in machine.connected] == ["/xfs4iot/v1.0/Storage/"]


async def test_services_are_listened_to_without_a_publisher_where_told():
    gate = FakeGate()
    async with Machine() as machine:
        made = config(url=machine.base + "/CashDispenser/?at={terminal}", discover=False)
        async with running(xfs4iot_ws, made, gate, FakePlace(Path(), TERMINALS)):
            await until(lambda: len(machine.connected) == 2)
            await machine.say(ITEMS_TAKEN)
            await until(lambda: {t.feed for t in gate.taken if b"ItemsTaken" in t.data} == {"x/ATM-1", "x/ATM-2"})


async def test_a_lost_connection_is_told_and_begun_again(monkeypatch):
    monkeypatch.setattr(xfs4iot_ws, "_FIRST", 0.02)
    gate, place = FakeGate(full=3), FakePlace(Path(), TERMINALS)
    async with (
        Machine(("CashDispenser",)) as machine,
        running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, poll="0s"), gate, place),
    ):
        await until(lambda: machine.connected)
        await machine.hang_up()
        await until(lambda: machine.connected)
        await machine.say(ITEMS_TAKEN)
        await until(lambda: "CashManagement.ItemsTakenEvent" in said(told(gate), "in"))
    assert ("connections", 0) in place.history
    assert "ConnectionClosed" in str(place.facts["fault"])
    assert gate.turned_away == 3


async def test_a_terminal_that_is_away_or_tells_of_nothing_is_tried_again(monkeypatch):
    monkeypatch.setattr(xfs4iot_ws, "_FIRST", 0.02)
    place = FakePlace(Path(), TERMINALS)
    async with Machine(()) as machine:
        urls = {"ATM-1": [machine.base], "ATM-2": ["ws://127.0.0.1:9/"]}
        async with running(xfs4iot_ws, config(urls=urls), FakeGate(), place):
            await until(lambda: len(machine.asked) > 2)
            faults = [str(v) for k, v in place.history if k == "fault"]
    assert any("no service of ours" in f for f in faults)
    assert any("127.0.0.1:9" in f for f in faults)


@pytest.mark.parametrize("junk", ["no json", "[1]", "{" * 3000, b"\x00\xff"], ids=["text", "array", "deep", "binary"])
async def test_what_is_no_message_is_kept_as_refused_and_the_ear_goes_on(junk):
    gate = FakeGate()
    async with (
        Machine(("CashDispenser",)) as machine,
        running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, poll="0s"), gate, FakePlace(Path(), TERMINALS)),
    ):
        await until(lambda: machine.connected)
        await machine.say(junk)
        await machine.say(ITEMS_TAKEN)
        await until(lambda: gate.refused and "CashManagement.ItemsTakenEvent" in said(told(gate), "in"))
    assert gate.refused[0].data == (junk if isinstance(junk, bytes) else junk.encode())


async def test_a_message_that_is_too_long_ends_the_connection_and_not_the_intake(monkeypatch):
    monkeypatch.setattr(xfs4iot_ws, "_FIRST", 0.02)
    place = FakePlace(Path(), TERMINALS)
    async with (
        Machine(("CashDispenser",)) as machine,
        running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, poll="0s"), FakeGate(), place),
    ):
        await until(lambda: machine.connected)
        await machine.say("x" * (2 << 20))
        await until(lambda: len(machine.connected) > 1)
    assert "too big" in str(place.facts["fault"]) or "1009" in str(place.facts["fault"])


async def test_a_gate_that_fails_ends_the_intake_so_that_it_is_begun_again():
    gate = FakeGate(faults=[OSError(5, "Input/output error")])
    async with Machine() as machine:
        listening = xfs4iot_ws.run(config(urls={"ATM-1": [machine.base]}), gate, FakePlace(Path(), TERMINALS).place())
        with pytest.raises(OSError, match="Input/output"):
            await asyncio.wait_for(listening, 10)


async def test_wss_checks_the_terminals_certificate(tmp_path):
    authority, served = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    async with Machine(("CashDispenser",), served) as machine:
        strange = FakePlace(tmp_path, TERMINALS)
        async with running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, ca="other.pem"), FakeGate(), strange):
            await until(lambda: "fault" in strange.facts)
        assert "CERTIFICATE" in str(strange.facts["fault"])
        assert not machine.asked
        gate = FakeGate()
        async with running(xfs4iot_ws, config(urls={"ATM-1": [machine.base]}, ca="ca.pem"), gate, FakePlace(tmp_path, TERMINALS)):
            await until(lambda: machine.connected)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "ws://{hostname}:5846/"}, "in the clear"),
        ({"url": "http://x/"}, "is no address"),
        ({"urls": {"ATM-9": ["wss://x/"]}}, "ATM-9"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused(keys, said):
    with pytest.raises(ValueError, match=said):
        xfs4iot_ws.targets(config(**keys), FakePlace(Path(), TERMINALS).place())


def test_addresses_are_filled_in_for_every_terminal():
    found = xfs4iot_ws.targets(
        config(url="wss://{hostname}/{terminal}", urls={"ATM-2": ["wss://b/"]}), FakePlace(Path(), TERMINALS).place()
    )
    assert found == {"ATM-1": ("wss://PC-ATM-1/ATM-1",), "ATM-2": ("wss://b/",)}
    with pytest.raises(ValueError, match="expected xfs4iot"):
        config(format="ndc")


def answer(*uris: str) -> bytes:
    header = {"type": "completion", "name": "ServicePublisher.GetServices"}
    return json.dumps({"header": header, "payload": {"services": [{"serviceURI": u} for u in uris]}}).encode()


def test_a_publisher_in_wrong_hands_leads_nowhere_else():
    told_of = [
        "wss://atm:1/A/",
        "wss://other/A/",
        "ws://atm/A/",
        "http://atm/A",
        "wss://u@atm/A",
        "wss://atm:99999/A",
        "wss://[x",
        "wss://atm:2/B",
    ]
    assert services(answer(*told_of), "wss://atm:5846/", ()) == ["wss://atm:1/A/", "wss://atm:2/B"]
    assert services(answer(*told_of), "wss://atm:5846/", ("B",)) == ["wss://atm:2/B"]
    assert len(services(answer(*(f"wss://atm:{n}/A" for n in range(1, 500))), "wss://atm/", ()) or []) == ear.MOST
    assert services(ITEMS_TAKEN.encode(), "wss://atm/", ()) is None


@given(st.binary(max_size=80) | st.binary(max_size=20).map(lambda b: answer("wss://atm/A")[:60] + b))
def test_any_answer_is_read_or_passed_over(heard):
    assert services(heard, "wss://atm/", ()) in (None, [], ["wss://atm/A"])


# What may be said -----------------------------------------------------------------------------------------------------------

COMMANDS = sorted({name for name, kind in KINDS if kind == "command"} | {name for name, _ in KINDS})
MOVING = (
    "CashDispenser",
    "CashAcceptor",
    "CashManagement",
    "Storage",
    "CardReader",
    "KeyManagement",
    "PinPad",
    "VendorMode",
    "Deposit",
)


def test_all_that_can_be_said_is_three_questions():
    assert {a.value for a in Ask} == MAY_BE_SAID
    assert not any(a.value.startswith(MOVING) for a in Ask)


@pytest.mark.parametrize(
    "name", [*COMMANDS, "CashDispenser.Dispense", "CashDispenser.Present", "Storage.SetStorage", "Common.Reset"]
)
def test_no_other_command_is_a_thing_that_can_be_said(name):
    if name in MAY_BE_SAID:
        return
    with pytest.raises(ValueError, match="not a valid"):
        Ask(name)


class Wire:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def send(self, message: bytes, text: bool) -> None:
        self.written.append(message)


@pytest.mark.parametrize(
    "what", ["CashDispenser.Dispense", "Common.Status", b"x", None, 1, type("Ask", (), {"value": "CashDispenser.Dispense"})()]
)
async def test_what_is_no_member_of_the_three_cannot_be_said(what):
    wire = Wire()
    with pytest.raises(TypeError, match="nothing else may be said"):
        await ear.Ear(wire, "2.0").ask(what)
    assert not wire.written


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_what_is_said_is_a_question_without_any_content(version):
    wire = Wire()
    speaking = ear.Ear(wire, version)
    for what in Ask:
        assert await speaking.ask(what) == wire.written[-1]
    for n, message in enumerate(wire.written, 1):
        header, payload = json.loads(message)["header"], json.loads(message)["payload"]
        assert (header["name"], header["requestId"], header["type"]) == ([a.value for a in Ask][n - 1], n, "command")
        assert payload.keys() <= {"timeout"}


def test_the_enumeration_cannot_be_added_to():
    with pytest.raises(TypeError):

        class More(Ask):
            DISPENSE = "CashDispenser.Dispense"


def test_only_one_place_in_the_whole_intake_writes_to_a_websocket():
    writing = {"send", "send_text", "send_json", "send_message", "send_bytes", "write_frame", "send_context", "broadcast"}
    places = []
    for path in sorted(Path(intake.__path__[0]).glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        uses = any(isinstance(n, ast.ImportFrom) and (n.module or "").startswith("websockets") for n in ast.walk(tree))
        uses |= any("websockets" in a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names)
        calls = [n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        if uses:
            places += [(path.name, c) for c in calls if c in writing]
        assert uses == (path.name in {"_xfs4iot_ear.py", "xfs4iot_ws.py"})
    assert places == [("_xfs4iot_ear.py", "send")]
    assert "_connection" not in Path(xfs4iot_ws.__file__).read_text("utf-8")
    assert websockets.__version__ >= "17"
