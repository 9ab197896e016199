"""Logs from topics of an MQTT broker (3.1.1, or 5).

    [[intake]]
    kind = "mqtt"
    name = "panels"
    format = "xfs4iot"
    broker = "mqtt.bank.example:8883"
    ca = "bank.pem"
    user = "jackstop"
    password = "env:MQTT_PASSWORD"
    topics = ["atm/{terminal}/events"]

`{terminal}` in a topic stands for the terminal's id or host name and makes a feed of each; `+` and `#` are MQTT's own. Topics of
one intake bring records of one kind. Messages are asked for with QoS 1 in a session that the broker keeps, and acknowledged when
they are on disk: so after any crash the broker sends again what was not. A crash between the two makes a message come twice;
readers drop the second. What is published with QoS 0, or while there is no session yet, MQTT does not promise.
"""

import asyncio
import re
import ssl
import time
from collections import deque
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Literal

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import Field, field_validator

from jackstop.intake import Full, Gate, Place, _address
from jackstop.intake._feeds import Feeds, Unknown, known
from jackstop.intake._listen import Address
from jackstop.intake._patience import take
from jackstop.intake._text import PIECE, Lined, headed, whole
from jackstop.model.service import Feed

_MOST = 64 << 20
_IN_FLIGHT = 1000
_WAITING = 20_000
_KEPT = 7 * 24 * 3600
_FIRST, _LONGEST = 0.5, 30.0
_RETAINED = 10_000
_TERMINAL = "{terminal}"


class Config(Lined):
    """Keys of `kind = "mqtt"`.

    Attributes:
        broker: HOST:PORT. topics: filters, with `{terminal}` where the terminal is named. client: its id, `jackstop-NAME` by
            default; the broker keeps the session under it, so it must not change.
        tls: whether TLS is spoken (by default off loopback, or where `ca` is given). ca: whose certificates are believed (PEM;
            the system's by default). cert, key: to show. user, password: of the broker; may be `env:NAME` or `file:PATH`.
        version: of MQTT. insecure: without TLS off loopback.
    """

    kind: Literal["mqtt"]
    broker: Address
    topics: tuple[str, ...] = Field(min_length=1)
    client: str | None = Field(default=None, max_length=200)
    tls: bool | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    user: str | None = None
    password: str | None = None
    version: Literal["3.1.1", "5"] = "3.1.1"
    insecure: bool = False

    @field_validator("topics")
    @classmethod
    def _filters(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            parts = topic.split("/")
            if not topic or any("#" in p for p in parts[:-1]) or any(len(p) > 1 and set(p) & set("+#") for p in parts):
                raise ValueError(f"topic {topic!r}, expected a filter such as atm/{_TERMINAL}/events")
            if parts.count(_TERMINAL) > 1 or _TERMINAL in "/".join(p for p in parts if p != _TERMINAL):
                raise ValueError(f"topic {topic!r}, expected {_TERMINAL} once, as a whole part")
        return topics


class _Client(aiomqtt.Client):
    """A client whose messages are acknowledged by hand."""

    def by_hand(self) -> None:
        """Acknowledge nothing by itself."""
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Tell the broker that a message is taken."""
        self._client.ack(message.mid, message.qos)


async def run(config: Config, gate: Gate, place: Place) -> None:
    """Take messages until cancelled; connects again whenever the connection ends.

    Raises:
        ValueError: off loopback without TLS. OSError: a certificate cannot be read.
    """
    follower = _Follower(config, gate, place)
    await known(gate, follower.expected())
    wait = _FIRST
    while True:
        begun = time.monotonic()
        try:
            await follower.connected()
        except aiomqtt.MqttError as fault:
            place.tell("connected", False)
            place.tell("fault", str(fault)[:200])
        if time.monotonic() - begun > _LONGEST:
            wait = _FIRST
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST)


def secured(config: Config, root: Path) -> ssl.SSLContext | None:
    """TLS as configured: 1.2 or later, the broker's name checked.

    Raises:
        ValueError: off loopback without TLS. OSError: a certificate cannot be read.
    """
    host, _ = _address.split(config.broker)
    wanted = config.tls if config.tls is not None else bool(config.ca) or not (config.insecure or _address.loopback(host))
    if not wanted:
        _address.guarded(host, None, insecure=config.insecure)
        return None
    context = ssl.create_default_context(cafile=str(root / config.ca) if config.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.cert:
        context.load_cert_chain(root / config.cert, root / config.key if config.key else None)
    return context


class Topics:
    """What topics mean: filters to subscribe to, and the terminal in a message's topic."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.filters = tuple(t.replace(_TERMINAL, "+") for t in topics)
        self.named = any(_TERMINAL in t for t in topics)
        self._patterns = [re.compile(_pattern(t)) for t in topics]

    def terminal(self, topic: str) -> str | None:
        """The terminal a topic names; None where its filter names none.

        Raises:
            Unknown: no filter has this topic.
        """
        for pattern in self._patterns:
            if found := pattern.fullmatch(topic):
                return found.groupdict().get("terminal")
        raise Unknown(f"topic {topic[:80]!r} is none of ours, expected one of the intake's topics")


def _pattern(topic: str) -> str:
    parts = {_TERMINAL: "(?P<terminal>[^/]+)", "+": "[^/]*"}
    *before, last = topic.split("/")
    made = "/".join(parts.get(p, re.escape(p)) for p in before)
    if last == "#":
        return f"(?s:{made}(?:/.*)?)" if before else "(?s:.*)"
    return "/".join([*([made] if before else []), parts.get(last, re.escape(last))])


class _Lane:
    """Messages of one feed that wait for the gate."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._waiting: deque[tuple[aiomqtt.Message, bytes]] = deque()
        self._some = asyncio.Event()

    def put(self, message: aiomqtt.Message, data: bytes) -> int:
        """A message more; gives its bytes."""
        self._waiting.append((message, data))
        self._some.set()
        return len(data)

    async def next(self) -> tuple[list[aiomqtt.Message], bytes]:
        """The next messages, as many as the gate takes at once, and their bytes together."""
        await self._some.wait()
        messages, parts, size = list[aiomqtt.Message](), list[bytes](), 0
        while self._waiting and size + len(self._waiting[0][1]) <= PIECE:
            message, data = self._waiting.popleft()
            messages.append(message)
            parts.append(data)
            size += len(data)
        if not self._waiting:
            self._some.clear()
        return messages, b"".join(parts)


class _Follower:
    """Takes what a broker sends."""

    def __init__(self, config: Config, gate: Gate, place: Place) -> None:
        self._config, self._gate, self._place = config, gate, place
        self._feeds = Feeds(config, place)
        self._topics = Topics(config.topics)
        self._context = secured(config, place.root)
        self._retained: dict[str, bytes] = {}
        self._messages = self._bytes = 0
        self._room = asyncio.Event()

    def expected(self) -> list[Feed]:
        """The feeds whose silence is to be seen."""
        return list(self._feeds.every_terminal()) if self._topics.named else [self._feeds.own]

    async def connected(self) -> None:
        """Connect and take messages until the connection ends.

        Raises:
            aiomqtt.MqttError: it did, or could not be had.
        """
        self._bytes = 0
        self._room.set()
        async with self._client() as client:
            await client.subscribe([(f, 1) for f in self._topics.filters])
            self._place.tell("connected", True)
            self._place.tell("fault", "")
            try:
                async with asyncio.TaskGroup() as group:
                    await self._read(client, group)
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None

    async def _read(self, client: _Client, group: asyncio.TaskGroup) -> None:
        """Bring each message to the lane of its feed."""
        lanes: dict[str, _Lane] = {}
        async for message in client.messages:
            feed, data = await self._sorted(message)
            if feed is None:
                self._done(client, message)
                continue
            lane = lanes.get(feed.name)
            if lane is None:
                lane = lanes[feed.name] = _Lane(feed)
                group.create_task(self._work(client, lane))
            await self._room.wait()
            self._waits(lane.put(message, data))

    async def _work(self, client: _Client, lane: _Lane) -> None:
        """Take a feed's messages, in their order, and acknowledge them."""
        while True:
            messages, data = await lane.next()
            peer = f"mqtt {self._config.broker}"
            await take(self._gate, lane.feed, headed(self._config, data), self._place.tell, peer=peer)
            for message in messages:
                self._done(client, message)
            self._waits(-len(data))

    def _waits(self, size: int) -> None:
        """So many bytes more wait; where they are too many nothing is read from the broker."""
        self._bytes += size
        if self._bytes > _MOST:
            self._room.clear()
        else:
            self._room.set()

    def _done(self, client: _Client, message: aiomqtt.Message) -> None:
        client.acknowledge(message)
        self._messages += 1
        self._place.tell("messages", self._messages)

    def _client(self) -> _Client:
        """A client for the next connection (after a lost one, one begins anew)."""
        config = self._config
        host, port = _address.split(config.broker)
        properties = None
        if config.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval, properties.ReceiveMaximum = _KEPT, _IN_FLIGHT
        client = _Client(
            host,
            port,
            username=config.user and self._place.secret(config.user),
            password=config.password and self._place.secret(config.password),
            identifier=config.client or f"jackstop-{config.name}",
            protocol=aiomqtt.ProtocolVersion.V5 if config.version == "5" else aiomqtt.ProtocolVersion.V311,
            clean_session=None if config.version == "5" else False,
            clean_start=False if config.version == "5" else MQTT_CLEAN_START_FIRST_ONLY,
            properties=properties,
            tls_context=self._context,
            max_queued_incoming_messages=_WAITING,
        )
        client.by_hand()
        return client

    async def _sorted(self, message: aiomqtt.Message) -> tuple[Feed | None, bytes]:
        """The feed of a message and its bytes; no feed where there is nothing to take."""
        topic, payload = str(message.topic), bytes(message.payload)
        if not payload or (message.retain and self._seen(topic, payload)):
            return None, b""
        try:
            feed = self._feeds.of(self._topics.terminal(topic))
            data = whole(self._config, payload)
            if len(data) > PIECE:
                raise Unknown(f"a message of {len(data)} bytes, expected {PIECE} at most")
        except Unknown as fault:
            await self._refuse(payload, str(fault), topic)
            return None, b""
        return feed, data

    async def _refuse(self, payload: bytes, reason: str, topic: str) -> None:
        while True:
            with suppress(Full):
                await self._gate.refuse(self._feeds.own, payload, reason, peer=f"mqtt {topic[:200]}")
                return
            await asyncio.sleep(_FIRST)

    def _seen(self, topic: str, payload: bytes) -> bool:
        """Whether a retained message is the one that came before: brokers send them at each subscription."""
        digest = sha256(payload).digest()
        before = self._retained.pop(topic, None)
        self._retained[topic] = digest
        if len(self._retained) > _RETAINED:
            del self._retained[next(iter(self._retained))]
        return before == digest


__all__ = ["Config", "Topics", "run", "secured"]
