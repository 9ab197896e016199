"""Logs from topics of Apache Kafka.

    [[intake]]
    kind = "kafka"
    name = "switch"
    format = "switch-csv"
    brokers = "kafka1.bank.example:9093,kafka2.bank.example:9093"
    topics = ["atm.authorisations"]
    settings = { "security.protocol" = "sasl_ssl", "sasl.mechanisms" = "SCRAM-SHA-512", "sasl.username" = "jackstop",
                 "sasl.password" = "env:KAFKA_PASSWORD", "ssl.ca.location" = "/etc/ssl/bank.pem" }

The topic is the feed, or with `per_terminal` each terminal that keys of messages name. Where a message stands is kept with its
bytes, as the gate's mark, so after any crash each message is taken once; what the consumer group commits is for others to see
the lag, and where to begin when there is no mark. A message of a partition that another member of the group had meanwhile may
be taken by both. Order is kept within a partition.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from jackstop.intake import Full, Gate, Place, _address
from jackstop.intake import _kafka_log as logs
from jackstop.intake._feeds import Feeds, Unknown, known
from jackstop.intake._kafka_log import Cluster, Log, Told
from jackstop.intake._kafka_marks import Marks
from jackstop.intake._text import PIECE, Lined, headed, whole
from jackstop.model.service import Feed

_Result = TypeVar("_Result")
_AT_ONCE = 2000
_WAIT = 0.25
_EVERY = 1.0
_SHORTEST, _LONGEST = 0.005, 5.0

OURS = (
    "bootstrap.servers",
    "group.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "plugin.library.paths",
)
"""Settings of librdkafka that are not to be given: the intake needs them as they are, or they would load code."""


class Config(Lined):
    """Keys of `kind = "kafka"`.

    Attributes:
        brokers: HOST:PORT, more with commas. topics: by name. group: of the consumer; `jackstop-NAME` by default.
        per_terminal: the key of a message names its terminal (id or host name). start: where to begin without any mark.
        settings: others of librdkafka; a value may be `env:NAME` or `file:PATH`. insecure: without TLS off loopback.
    """

    kind: Literal["kafka"]
    brokers: str = Field(min_length=1)
    topics: tuple[str, ...] = Field(min_length=1)
    group: str | None = None
    per_terminal: bool = False
    start: Literal["earliest", "latest"] = "earliest"
    settings: dict[str, str] = Field(default_factory=dict)
    insecure: bool = False

    @field_validator("topics")
    @classmethod
    def _names(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not topic or topic.startswith("^"):
                raise ValueError(f"topic {topic!r}, expected a name (patterns are not taken)")
        return topics

    @field_validator("settings")
    @classmethod
    def _not_ours(cls, settings: dict[str, str]) -> dict[str, str]:
        if taken := sorted(settings.keys() & set(OURS)):
            raise ValueError(f"settings {', '.join(taken)} cannot be given, expected others of librdkafka")
        return settings


async def run(config: Config, gate: Gate, place: Place) -> None:
    """Follow the topics until cancelled.

    Raises:
        ValueError: off loopback without TLS. KafkaException: the cluster refuses (login, rights), or is not understood.
    """
    await follow(config, gate, place, Cluster)


Open = Callable[[Mapping[str, str], tuple[str, ...], Callable[[logs.Place, int, int], int | None]], Log]


async def follow(config: Config, gate: Gate, place: Place, open_log: Open, clock: Callable[[], float] = time.monotonic) -> None:
    """The same with any log; `clock`: seconds that never go back."""
    settings = _settings(config, place)
    feeds = Feeds(config, place, len(config.topics) * (len(place.fleet.terminal) + 1), per_terminal=config.per_terminal)
    marks = Marks()
    marks.learn(gate.marks(config.name))
    follower = _Follower(config, gate, place, feeds, marks, clock)
    with ThreadPoolExecutor(1, f"kafka-{config.name}") as thread:
        follower.thread = thread
        opening = asyncio.ensure_future(follower.call(open_log, settings, config.topics, follower.resume))
        try:
            follower.log = await asyncio.shield(opening)
            await known(gate, follower.expected())
            await follower.run()
        finally:
            await asyncio.shield(follower.leave(await opening))


def _settings(config: Config, place: Place) -> dict[str, str]:
    """Settings of librdkafka, secrets resolved.

    Raises:
        ValueError: messages or passwords would cross the network in the clear, and that was not said aloud.
    """
    given = {k: place.secret(v) for k, v in config.settings.items()}
    sealed = given.get("security.protocol", "plaintext").lower() in {"ssl", "sasl_ssl"}
    checked = given.get("enable.ssl.certificate.verification", "true").lower() != "false"
    hosts = [_address.split(b.strip().rpartition("://")[2])[0] for b in config.brokers.split(",")]
    if not (sealed and checked) and not config.insecure and not all(_address.loopback(h) for h in hosts):
        raise ValueError('brokers off loopback without checked TLS, expected "security.protocol" ssl or sasl_ssl (or insecure)')
    return {
        "queued.max.messages.kbytes": "16384",
        "partition.assignment.strategy": "range",
        **given,
        "bootstrap.servers": config.brokers,
        "group.id": config.group or f"jackstop-{config.name}",
        "auto.offset.reset": config.start,
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
    }


@dataclass(slots=True)
class _Parcel:
    """Messages for one feed: their bytes, and the offset after the last of each partition."""

    feed: Feed
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    reached: dict[logs.Place, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Follower:
    config: Config
    gate: Gate
    place: Place
    feeds: Feeds
    marks: Marks
    clock: Callable[[], float]
    thread: ThreadPoolExecutor | None = None
    log: Log | None = None
    _pending: list[Told] = field(default_factory=list)
    _messages: int = 0
    _noted: float = float("-inf")

    async def call(self, work: Callable[..., _Result], *given: object) -> _Result:
        """Do what blocks in the log's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, *given)

    async def leave(self, log: Log) -> None:
        """Tell how far messages are taken, and leave."""
        try:
            await self.call(log.note, dict(self.marks.low))
        finally:
            await self.call(log.close)

    def expected(self) -> list[Feed]:
        """The feeds whose silence is to be seen."""
        sources = self.config.topics if len(self.config.topics) > 1 else (None,)
        terminals = [t.id for t in self.place.fleet.terminal] if self.config.per_terminal else [None]
        return [self.feeds.of(t, s) for t in terminals for s in sources]

    def resume(self, place: logs.Place, first: int, end: int) -> int | None:
        """Where a partition goes on (called in the log's thread, while the loop waits for it)."""
        reached = self.marks.reached(place)
        if reached is None:
            return None
        if reached > end:
            self.marks.begin_anew(place, first)
        self.marks.low[place] = max(self.marks.low[place], first)
        return self.marks.low[place]

    async def run(self) -> None:
        """Take messages as they come."""
        assert self.log is not None
        while True:
            pending, self._pending = self._pending, []
            polled = pending or await self.call(self.log.poll, _AT_ONCE, PIECE, _WAIT)
            await self._take(polled)
            if self.clock() - self._noted >= _EVERY:
                self._noted = self.clock()
                await self.call(self.log.note, dict(self.marks.low))
                self.place.tell("messages", self._messages)
                self.place.tell("lag", await self.call(self.log.lag))
            for fault in self.log.faults():
                self.place.tell("fault", fault)

    async def _take(self, messages: list[Told]) -> None:
        """Take messages; below the last of each partition everything is then in the spool."""
        parcels: dict[str, _Parcel] = {}
        ends: dict[logs.Place, int] = {}
        for message in messages:
            self.marks.low.setdefault(message.place, message.offset)
            ends[message.place] = max(message.offset + 1, ends.get(message.place, 0))
            await self._sort(message, parcels)
        for parcel in parcels.values():
            await self._hand(parcel)
        for place, end in ends.items():
            self.marks.low[place] = max(end, self.marks.low.get(place, 0))
        self._messages += len(messages)

    async def _sort(self, message: Told, parcels: dict[str, _Parcel]) -> None:
        """Put a message into the parcel of its feed; a full one is handed over first."""
        if not message.value:
            return
        topic = message.place[0]
        key = message.key.decode("utf-8", "replace") if self.config.per_terminal else None
        try:
            feed = self.feeds.of(key or None, topic if len(self.config.topics) > 1 else None)
        except Unknown as fault:
            await self._refuse(message, str(fault))
            return
        if self.marks.known(feed.name, message.place, message.offset):
            return
        data = whole(self.config, message.value)
        if len(data) > PIECE:
            await self._refuse(message, f"a message of {len(data)} bytes, expected {PIECE} at most")
            return
        parcel = parcels.setdefault(feed.name, _Parcel(feed))
        if parcel.size + len(data) > PIECE:
            await self._hand(parcel)
            parcel = parcels[feed.name] = _Parcel(feed)
        parcel.parts.append(data)
        parcel.size += len(data)
        parcel.reached[message.place] = message.offset + 1

    async def _hand(self, parcel: _Parcel) -> None:
        data = headed(self.config, b"".join(parcel.parts))
        mark = self.marks.reach(parcel.feed.name, parcel.reached)
        peer = f"kafka {', '.join(sorted({t for t, _ in parcel.reached}))}"
        await self._patiently(lambda: self.gate.accept(parcel.feed, data, mark=mark, peer=peer))
        self.marks.taken(parcel.feed.name, parcel.reached)

    async def _refuse(self, message: Told, reason: str) -> None:
        where = f"kafka {message.place[0]}/{message.place[1]}@{message.offset}"
        value = message.value or b""
        await self._patiently(lambda: self.gate.refuse(self.feeds.own, value, reason, peer=where))

    async def _patiently(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do what the gate may be too full for; until then the cluster gives nothing more."""
        assert self.log is not None
        held = False
        while True:
            try:
                await work()
            except Full as full:
                if not held:
                    held = True
                    await self.call(self.log.hold)
                    self.place.tell("waiting", full.reason)
                self._pending += await self.call(self.log.poll, _AT_ONCE, PIECE, 0.0)
                await asyncio.sleep(min(max(full.retry_after, _SHORTEST), _LONGEST))
            else:
                break
        if held:
            await self.call(self.log.release)
            self.place.tell("waiting", "")
