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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import Field, field_validator

from jackstop.intake import Gate, Place, _address
from jackstop.intake import _kafka_log as logs
from jackstop.intake._feeds import Feeds, known
from jackstop.intake._kafka_lanes import Desk, Lane
from jackstop.intake._kafka_log import Cluster, Log
from jackstop.intake._kafka_marks import Marks
from jackstop.intake._text import PIECE, Lined
from jackstop.model.service import Feed

_Result = TypeVar("_Result")
_AT_ONCE = 2000
_WAIT, _SOON, _EVERY = 0.25, 0.02, 1.0
_WAITING, _LEAST = 64 << 20, 1 << 18

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
    desk = Desk(config, gate, place, feeds, marks, config.per_terminal, len(config.topics) > 1)
    with ThreadPoolExecutor(1, f"kafka-{config.name}") as thread:
        follower = _Follower(config, desk, clock, thread)
        opening = asyncio.ensure_future(follower.call(open_log, settings, config.topics, follower.resume))
        try:
            log = await asyncio.shield(opening)
            await known(gate, follower.expected())
            await follower.run(log)
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
class _Follower:
    """Brings messages from the log to their lanes."""

    config: Config
    desk: Desk
    clock: Callable[[], float]
    thread: ThreadPoolExecutor
    _lanes: dict[logs.Place, Lane] = field(default_factory=dict)
    _held: set[logs.Place] = field(default_factory=set)
    _noted: float = float("-inf")

    async def call(self, work: Callable[..., _Result], *given: object) -> _Result:
        """Do what blocks in the log's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, *given)

    async def leave(self, log: Log) -> None:
        """End the lanes, tell how far messages are taken, and leave."""
        tasks = [lane.task for lane in self._lanes.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self.call(log.note, dict(self.desk.marks.low))
        finally:
            await self.call(log.close)

    def expected(self) -> list[Feed]:
        """The feeds whose silence is to be seen."""
        sources = self.config.topics if len(self.config.topics) > 1 else (None,)
        terminals = [t.id for t in self.desk.place.fleet.terminal] if self.config.per_terminal else [None]
        return [self.desk.feeds.of(t, s) for t in terminals for s in sources]

    def resume(self, place: logs.Place, first: int, end: int) -> int | None:
        """Where a partition goes on (called in the log's thread, while the loop waits for it)."""
        marks = self.desk.marks
        reached = marks.reached(place)
        if reached is None:
            return None
        if reached > end:
            marks.begin_anew(place, first)
        marks.low[place] = max(marks.low[place], first)
        return marks.low[place]

    async def run(self, log: Log) -> None:
        """Take messages as they come."""
        while True:
            for message in await self.call(log.poll, _AT_ONCE, PIECE, _SOON if self._held else _WAIT):
                lane = self._lanes.get(message.place)
                if lane is None:
                    lane = self._lanes[message.place] = Lane(message.place, self.desk)
                lane.put(message)
            for lane in self._lanes.values():
                if lane.task.done():
                    lane.task.result()
            await self._hold(log)
            if self.clock() - self._noted >= _EVERY:
                self._noted = self.clock()
                await self._tell(log)
            for fault in log.faults():
                self.desk.place.tell("fault", fault)

    async def _hold(self, log: Log) -> None:
        """Partitions of which much waits give nothing more for now; the others go on."""
        room = max(_LEAST, _WAITING // max(1, len(self._lanes)))
        if over := [place for place, lane in self._lanes.items() if lane.bytes > room]:
            await self.call(log.hold, over)
            self._held.update(over)
        if free := [place for place in self._held if self._lanes[place].bytes <= room // 2]:
            await self.call(log.release, free)
            self._held.difference_update(free)

    async def _tell(self, log: Log) -> None:
        await self.call(log.note, dict(self.desk.marks.low))
        self.desk.place.tell("messages", self.desk.messages)
        self.desk.place.tell("lag", await self.call(log.lag))
