"""The MQTT intake against a real mosquitto: nothing lost over full gates, crashes and a broker that goes away."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import pytest
import trustme
from fake_gate import FakeGate, FakePlace, running, until
from hypothesis import given
from hypothesis import strategies as st

from jackstop.intake import Full, mqtt
from jackstop.intake._feeds import Unknown

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
broker_needed = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt-get install mosquitto")
TERMINALS = ("ATM-1", "ATM-2")
COMMON = "persistence false\nlog_dest none\nmax_inflight_messages 0\nmax_queued_messages 0\n"


class Broker:
    """A mosquitto on a port of its own, that can be stopped and started."""

    def __init__(self, root: Path, extra: str = "allow_anonymous true\n") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.config = root / "mosquitto.conf"
        self.config.write_text(COMMON + f"listener {self.port} 127.0.0.1\n" + extra)
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    async def ready(self) -> None:
        def open_() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        await until(open_)


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


def config(served: Broker | None = None, **keys: object) -> mqtt.Config:
    at = f"127.0.0.1:{served.port}" if served else "127.0.0.1:1883"
    given = {"kind": "mqtt", "name": "m", "format": "xfs4iot", "broker": at, "topics": ["atm/{terminal}/events"], **keys}
    return mqtt.Config.model_validate(given)


def place(root: Path = Path(), **secrets: str) -> FakePlace:
    return FakePlace(root, TERMINALS, secrets=secrets)


async def publish(broker: Broker, messages: list[tuple[str, bytes]], **keys: object) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="panel", **keys) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1)


@broker_needed
@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_messages_become_lines_of_their_terminals_feeds(broker, version):
    await broker.ready()
    gate, fake = FakeGate(), place()
    async with running(mqtt, config(broker, version=version), gate, fake):
        await until(lambda: fake.facts.get("connected"))
        assert set(gate.feeds) == {"m/ATM-1", "m/ATM-2"}
        await publish(broker, [("atm/ATM-1/events", b"one"), ("atm/pc-atm-2/events", b"two\n"), ("atm/ATM-1/other", b"no")])
        await until(lambda: len(gate.lines()) == 2)
    assert (gate.data("m/ATM-1"), gate.data("m/ATM-2")) == (b"one\n", b"two\n")
    assert gate.taken[0].peer == f"mqtt 127.0.0.1:{broker.port}"


@broker_needed
async def test_what_was_not_acknowledged_comes_again_after_a_crash_and_what_came_meanwhile_too(broker):
    await broker.ready()
    first, again, made = FakeGate(), FakeGate(), config(broker)
    first.opened.clear()
    fake = place()
    async with running(mqtt, made, first, fake):
        await until(lambda: fake.facts.get("connected"))
        await publish(broker, [("atm/ATM-1/events", b"%d" % n) for n in range(10)])
    assert not first.taken
    await publish(broker, [("atm/ATM-1/events", b"%d" % n) for n in range(10, 20)])
    fake = place()
    async with running(mqtt, made, again, fake):
        await until(lambda: fake.facts.get("messages") == 20)
    assert again.lines() == [b"%d" % n for n in range(20)]
    third = FakeGate()
    fake = place()
    async with running(mqtt, made, third, fake):
        await until(lambda: fake.facts.get("connected"))
        await publish(broker, [("atm/ATM-1/events", b"last")])
        await until(lambda: third.taken)
    assert third.lines() == [b"last"]


@broker_needed
async def test_a_full_gate_is_waited_for_and_a_broker_that_goes_away_is_found_again(broker, monkeypatch):
    monkeypatch.setattr(mqtt, "_FIRST", 0.02)
    await broker.ready()
    gate, fake = FakeGate(full=3), place()
    async with running(mqtt, config(broker), gate, fake):
        await until(lambda: fake.facts.get("connected"))
        await publish(broker, [("atm/ATM-2/events", b"before")])
        await until(lambda: gate.taken)
        assert gate.turned_away == 3
        broker.stop()
        await until(lambda: fake.facts.get("connected") is False)
        assert fake.facts["fault"]
        broker.start()
        await broker.ready()
        await until(lambda: fake.facts.get("connected"))
        await publish(broker, [("atm/ATM-2/events", b"after")])
        await until(lambda: len(gate.lines()) == 2)
    assert gate.lines() == [b"before", b"after"]


class Loud(FakeGate):
    """A gate that takes nothing of one feed."""

    async def accept(self, feed, data, *, mark=b"", peer=""):
        if feed.name == "m/ATM-1":
            raise Full("over its quota", 0.01)
        return await super().accept(feed, data, mark=mark, peer=peer)


@broker_needed
async def test_a_loud_terminal_holds_up_no_other_and_its_messages_are_kept_by_the_broker(broker):
    await broker.ready()
    gate, fake = Loud(), place()
    async with running(mqtt, config(broker), gate, fake):
        await until(lambda: fake.facts.get("connected"))
        await publish(broker, [("atm/ATM-1/events", b"loud %d" % n) for n in range(100)])
        await publish(broker, [("atm/ATM-2/events", b"quiet")])
        await until(lambda: gate.lines("m/ATM-2") == [b"quiet"])
        assert not gate.lines("m/ATM-1")
    again = FakeGate()
    async with running(mqtt, config(broker), again, place()):
        await until(lambda: len(again.lines()) == 100)
    assert again.lines() == [b"loud %d" % n for n in range(100)]


@broker_needed
async def test_a_gate_that_fails_ends_the_intake_so_that_it_is_begun_again(broker):
    await broker.ready()
    gate, fake = FakeGate(faults=[OSError(5, "Input/output error")]), place()
    task = asyncio.ensure_future(mqtt.run(config(broker), gate, fake.place()))
    await until(lambda: fake.facts.get("connected"))
    await publish(broker, [("atm/ATM-1/events", b"x")])
    with pytest.raises(OSError, match="Input/output"):
        await asyncio.wait_for(task, 10)


@broker_needed
async def test_what_cannot_be_taken_is_kept_as_refused_and_acknowledged(broker):
    await broker.ready()
    gate, fake = FakeGate(), place()
    async with running(mqtt, config(broker), gate, fake):
        await until(lambda: fake.facts.get("connected"))
        await publish(
            broker, [("atm/ATM-9/events", b"strange"), ("atm/ATM-1/events", b"x" * (5 << 20)), ("atm/ATM-1/events", b"good")]
        )
        await until(lambda: gate.taken)
    assert [(r.data[:7], r.peer) for r in gate.refused] == [
        (b"strange", "mqtt atm/ATM-9/events"),
        (b"xxxxxxx", "mqtt atm/ATM-1/events"),
    ]
    assert gate.lines() == [b"good"]


@broker_needed
async def test_a_retained_message_is_taken_once_however_often_it_is_sent(broker, monkeypatch):
    monkeypatch.setattr(mqtt, "_FIRST", 0.02)
    await broker.ready()
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("atm/ATM-1/events", b"door open", qos=1, retain=True)
    gate, fake = FakeGate(), place()
    follower = mqtt._Follower(config(broker), gate, fake.place())
    for count in (1, 2):
        task = asyncio.ensure_future(follower.connected())
        await until(lambda count=count: fake.history.count(("connected", True)) == count and fake.facts.get("messages") == count)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert gate.lines() == [b"door open"]


@broker_needed
async def test_tls_and_a_password_are_spoken_and_a_wrong_one_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "_FIRST", 0.02)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "users").write_text("jackstop:plain\n")
    tool = Path(MOSQUITTO).parents[1] / "bin" / "mosquitto_passwd"
    subprocess.run([tool if tool.exists() else "mosquitto_passwd", "-U", str(tmp_path / "users")], check=True)
    files = f"cafile {tmp_path}/ca.pem\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem\n"
    sealed = Broker(tmp_path, files + f"allow_anonymous false\npassword_file {tmp_path}/users\n")
    if shutil.os.geteuid() == 0:
        sealed.config.write_text("user root\n" + sealed.config.read_text())
    sealed.start()
    try:
        await sealed.ready()
        gate, wrong = FakeGate(), place(tmp_path, secret="no")
        made = config(sealed, ca="ca.pem", user="jackstop", password="secret")
        async with running(mqtt, made, gate, wrong):
            await until(lambda: "fault" in wrong.facts)
        assert "no" not in str(wrong.facts["fault"]).split()
        good = place(tmp_path, secret="plain")
        async with running(mqtt, made, gate, good):
            await until(lambda: good.facts.get("connected"))
            context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
            keys = {"username": "jackstop", "password": "plain", "tls_context": context}
            await publish(sealed, [("atm/ATM-1/events", b"sealed")], **keys)
            await until(lambda: gate.taken)
    finally:
        sealed.stop()
    assert gate.lines() == [b"sealed"]


def test_off_loopback_tls_is_spoken_unless_that_is_refused_and_said_aloud():
    assert mqtt.secured(config(broker="mqtt.example:1"), Path()) is not None
    assert mqtt.secured(config(), Path()) is None
    assert mqtt.secured(config(broker="mqtt.example:1", insecure=True), Path()) is None
    with pytest.raises(ValueError, match="not loopback"):
        mqtt.secured(config(broker="mqtt.example:1", tls=False), Path())
    context = mqtt.secured(config(tls=True), Path())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname


@pytest.mark.parametrize(
    ("topic", "name", "terminal"),
    [
        ("atm/{terminal}/events", "atm/A-1/events", "A-1"),
        ("{terminal}", "A", "A"),
        ("{terminal}/#", "A/x/y", "A"),
        ("{terminal}/#", "A", "A"),
        ("+/{terminal}/+", "x/A/", "A"),
        ("a.b/#", "a.b/c", None),
        ("#", "any/thing", None),
    ],
)
def test_a_topic_names_its_terminal(topic, name, terminal):
    assert mqtt.Topics((topic,)).terminal(name) == terminal


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+", "a/b#", "{terminal}/{terminal}", "a{terminal}"])
def test_a_topic_that_is_no_filter_is_refused(topic):
    with pytest.raises(ValueError, match="expected"):
        config(topics=[topic])


@given(name=st.text(max_size=20), topic=st.sampled_from(["atm/{terminal}/events", "+/x", "a/#"]))
def test_any_topic_is_ours_as_mqtt_says_or_refused(name, topic):
    made = mqtt.Topics((topic,))
    try:
        made.terminal(name)
    except Unknown:
        ours = False
    else:
        ours = True
    try:
        known = aiomqtt.Topic(name).matches(made.filters[0]) if name else False
    except ValueError:
        return
    if "" not in name.split("/"):
        assert ours == known
