"""Kafka: alerts as OCSF (or ECS) messages, the terminal as key, so a machine's alerts stay in order in one partition.

The producer is idempotent with `acks=all`: what it sends again itself comes once and in order. A batch counts as taken when the
brokers acknowledged each message. After a fault a batch is sent again as new messages with the same `idempotency-key` header.

```toml
[[sink]]
kind = "kafka"
name = "bus"
brokers = ["kafka1.example.com:9093", "kafka2.example.com:9093"]
topic = "atm-alerts"
sasl = { mechanism = "SCRAM-SHA-512", user = "jackstop", password = "env:KAFKA_PASSWORD" }
```

Source: librdkafka, "Introduction: idempotent producer", CONFIGURATION.md; KIP-98.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Delivered
from pydantic import Field

from jackstop.model.service import Strict
from jackstop.outlets import Common, Later, Message, Never, Place, Secret
from jackstop.outlets._lines import fitted
from jackstop.outlets._tls import Tls

_REFUSED = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})
_SLICE = 0.2
_LOG = logging.getLogger(__name__)
_LOG.addFilter(lambda record: record.levelno >= logging.ERROR)


class Sasl(Strict):
    """Who we are to the brokers."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str
    password: Secret


class Config(Common):
    """Keys of a `kafka` sink. `plaintext`: no TLS, for trials; `timeout`: seconds for the brokers' acknowledgement."""

    brokers: tuple[str, ...] = Field(min_length=1)
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    shape: Literal["ocsf", "ecs"] = "ocsf"
    tls: Tls = Tls()
    plaintext: bool = False
    sasl: Sasl | None = None
    compression: Literal["none", "gzip", "lz4", "zstd"] = "zstd"
    longest: int = Field(default=900_000, ge=2_000)
    timeout: float = Field(default=30.0, gt=0, le=300)


class Kafka:
    """An open `kafka` sink. The producer is made again after a fault, so nothing of a batch that failed is left in it."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config = config
        self._settings = settings(config, place)
        self._threads = place.threads
        self._producer: Producer | None = None

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages and wait for the brokers' acknowledgement of each."""
        config = self._config
        lines = [fitted(config.shape, m, config.lang, config.longest, i) for i, m in enumerate(batch)]
        outcomes: list[KafkaError | str | None] = ["no acknowledgement in time"] * len(batch)
        try:
            await self._produce(batch, lines, outcomes)
        except KafkaException as fault:
            await self._drop()
            raise Later(f"{config.topic}: {fault.args[0].str()}, expected brokers that take it") from None
        except asyncio.CancelledError:
            await self._drop()
            raise
        await self._settle(outcomes)

    async def _produce(self, batch: Sequence[Message], lines: Sequence[str], outcomes: list[KafkaError | str | None]) -> None:
        """Hand messages to the producer and serve it until each has its outcome or the time is over."""
        if self._producer is None:
            self._producer = Producer(self._settings, logger=_LOG)
        for index, (message, line) in enumerate(zip(batch, lines, strict=True)):

            def settled(error: KafkaError | None, delivered: Delivered, index: int = index) -> None:
                outcomes[index] = error

            key = next(iter(message.alert.terminals), message.alert.id)
            headers: dict[str, str | bytes | None] = {"idempotency-key": message.key, "status": message.status}
            try:
                self._producer.produce(
                    self._config.topic,
                    line.encode(),
                    key.encode("utf-8", "backslashreplace"),
                    on_delivery=settled,
                    headers=headers,
                )
            except KafkaException as fault:
                if fault.args[0].code() not in _REFUSED:
                    raise
                outcomes[index] = fault.args[0]
        slices = int((self._config.timeout + 1) / _SLICE) + 1
        for _ in range(slices):
            if not await self._threads.run(partial(self._producer.flush, _SLICE)):
                return

    async def _settle(self, outcomes: Sequence[KafkaError | str | None]) -> None:
        """Nothing, where all were acknowledged."""
        taken = next((i for i, o in enumerate(outcomes) if o is not None), len(outcomes))
        refused = {i: o.str() for i, o in enumerate(outcomes) if isinstance(o, KafkaError) and o.code() in _REFUSED}
        if refused:
            index = min(refused)
            raise Never(f"{self._config.topic}: {refused.pop(index)}", index, also=refused, taken=taken)
        if taken < len(outcomes):
            await self._drop()
            fault = outcomes[taken]
            said = fault.str() if isinstance(fault, KafkaError) else fault
            raise Later(f"{self._config.topic}: {said}, expected brokers that take it", taken=taken)

    async def _drop(self) -> None:
        """Leave the producer with whatever is still in it: it will be sent again by another."""
        if self._producer is not None:
            left, self._producer = [self._producer], None
            await self._threads.run(partial(_leave, left))

    async def close(self) -> None:
        """Leave the brokers."""
        await self._drop()


def _leave(left: list[Producer]) -> None:
    """Empty a producer and end it; it may take a while, so not in the loop's thread."""
    producer = left.pop()
    producer.purge()
    producer.flush(0)


def settings(config: Config, place: Place) -> dict[str, str | int | float | bool]:
    """What librdkafka is told."""
    made: dict[str, str | int | float | bool] = {
        "bootstrap.servers": ",".join(config.brokers),
        "client.id": "jackstop",
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": config.compression,
        "linger.ms": 5,
        "delivery.timeout.ms": int(config.timeout * 1000),
        "message.max.bytes": config.longest + 10_000,
        "security.protocol": ("SASL_" if config.sasl else "") + ("PLAINTEXT" if config.plaintext else "SSL"),
    }
    if config.sasl:
        made |= {"sasl.mechanism": config.sasl.mechanism, "sasl.username": config.sasl.user}
        made["sasl.password"] = place.secret(config.sasl.password)
    if not config.plaintext:
        tls = config.tls
        made["enable.ssl.certificate.verification"] = tls.verify
        made["ssl.endpoint.identification.algorithm"] = "https" if tls.verify else "none"
        files = {"ssl.ca.location": tls.ca, "ssl.certificate.location": tls.cert, "ssl.key.location": tls.key}
        made |= {name: str(place.root / path) for name, path in files.items() if path}
    return made


async def open(config: Config, place: Place) -> Kafka:
    """A `kafka` sink ready to send."""
    return Kafka(config, place)
