"""Topics of a Kafka cluster as a log that is followed: what is asked of a consumer, and librdkafka's as one.

All calls but the constructor block; they belong into one thread.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from confluent_kafka import OFFSET_STORED, Consumer, KafkaError, KafkaException, Message, TopicPartition

Place = tuple[str, int]
"""A topic and a partition of it."""

_LOGGER = logging.getLogger("jackstop.kafka")
_AT_ONCE = 64
_PATIENCE = 10.0
_HARMLESS = {KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT}
_HARMLESS |= {KafkaError._MAX_POLL_EXCEEDED, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._RESOLVE}


class Told(NamedTuple):
    """One message: where it stands, and its bytes (none where it was deleted)."""

    place: Place
    offset: int
    key: bytes
    value: bytes | None


class Log(Protocol):
    """Topics being followed."""

    def poll(self, most: int, size: int, timeout: float) -> list[Told]:
        """The next messages: at most so many, about so many bytes; waits at most `timeout` s for the first."""

    def hold(self, places: Iterable[Place]) -> None:
        """Give no more messages of these partitions for now."""

    def release(self, places: Iterable[Place]) -> None:
        """Go on with them."""

    def note(self, positions: Mapping[Place, int]) -> None:
        """Tell the cluster how far messages are taken, so that others see the lag."""

    def lag(self) -> int:
        """Messages that wait in the cluster, as far as is known."""

    def faults(self) -> list[str]:
        """What went wrong since the last call, in words."""

    def close(self) -> None:
        """Leave."""


class Cluster:
    """A `Log` by librdkafka.

    Args:
        settings: of librdkafka. topics: to follow. resume: where to go on in a partition, or None for where the group stands;
            is told the first offset there is and the one after the last.
    """

    def __init__(
        self, settings: Mapping[str, str], topics: tuple[str, ...], resume: Callable[[Place, int, int], int | None]
    ) -> None:
        self._resume = resume
        self._faults: list[str] = []
        self._consumer = Consumer({**settings, "error_cb": self._error}, logger=_LOGGER)
        self._consumer.subscribe(list(topics), on_assign=self._assigned)

    def poll(self, most: int, size: int, timeout: float) -> list[Told]:
        """See `Log.poll`."""
        found: list[Told] = []
        held = 0
        while len(found) < most and held < size:
            messages = self._consumer.consume(min(_AT_ONCE, most - len(found)), 0 if found else timeout)
            for message in messages:
                if (told := self._told(message)) is not None:
                    found.append(told)
                    held += len(told.value or b"")
            if not messages:
                break
        return found

    def hold(self, places: Iterable[Place]) -> None:
        """See `Log.hold`."""
        self._consumer.pause(self._ours(places))

    def release(self, places: Iterable[Place]) -> None:
        """See `Log.release`."""
        self._consumer.resume(self._ours(places))

    def _ours(self, places: Iterable[Place]) -> list[TopicPartition]:
        wanted = set(places)
        return [p for p in self._consumer.assignment() if (p.topic, p.partition) in wanted]

    def note(self, positions: Mapping[Place, int]) -> None:
        """See `Log.note`."""
        ours = {(p.topic, p.partition) for p in self._consumer.assignment()}
        reached = [TopicPartition(t, p, at) for (t, p), at in positions.items() if (t, p) in ours]
        try:
            if reached:
                self._consumer.commit(offsets=reached, asynchronous=True)
        except KafkaException as fault:
            self._faults.append(_words(fault))

    def lag(self) -> int:
        """See `Log.lag`."""
        assigned = self._consumer.assignment()
        behind = 0
        for place in self._consumer.position(assigned) if assigned else ():
            _, high = self._consumer.get_watermark_offsets(place, cached=True)
            behind += max(0, high - place.offset) if place.offset >= 0 else 0
        return behind

    def faults(self) -> list[str]:
        """See `Log.faults`."""
        found, self._faults = self._faults, []
        return found

    def close(self) -> None:
        """See `Log.close`."""
        self._consumer.close()

    def _told(self, message: Message) -> Told | None:
        error = message.error()
        if error is None:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            key, value = message.key(), message.value()
            if topic is None or partition is None or offset is None:
                return None
            return Told((topic, partition), offset, key if isinstance(key, bytes) else b"", value)
        if error.code() not in _HARMLESS:
            raise KafkaException(error)
        if error.code() != KafkaError._PARTITION_EOF:
            self._faults.append(error.str())
        return None

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Go on from where the gate's marks are, not from where the group is."""
        for partition in partitions:
            first, end = consumer.get_watermark_offsets(partition, timeout=_PATIENCE)
            at = self._resume((partition.topic, partition.partition), first, end)
            partition.offset = OFFSET_STORED if at is None else at
        consumer.assign(partitions)

    def _error(self, error: KafkaError) -> None:
        self._faults.append(error.str())


def _words(fault: KafkaException) -> str:
    error = fault.args[0] if fault.args else None
    return error.str() if isinstance(error, KafkaError) else str(fault)
