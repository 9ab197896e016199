"""Syslog over TLS, TCP or UDP: RFC 5424 and RFC 3164 messages, each handed over as one line.

    [[intake]]
    kind = "syslog"
    name = "panels"
    format = "cef"
    listen = "0.0.0.0:6514"
    tls = { cert = "tls/server.pem", key = "tls/server.key", client_ca = "tls/panels.pem" }

TLS is what it listens with unless `transport` says `tcp` or `udp`. On connections both framings of RFC 6587 are read (octet
counting and line feeds); each connection shows by its first byte which it uses. A UDP datagram is one message (RFC 5426). The
line is the whole message; with `payload = "message"` only what stands behind the header, for shippers that put JSON there. Line
feeds within a message are written `\\n`.

What is not taken is kept as refused and seen: messages longer than `largest`, bad framing, and, for UDP, which cannot be made to
wait, a line a second that says how many datagrams were dropped. A connection waits while the gate is full; it is ended when it
is silent for `idle`, or when a message it began is not complete after `slow`.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from jackstop.intake import Common, Gate, Place
from jackstop.intake._datagrams import Datagram, Datagrams
from jackstop.intake._feeds import Feeds, Unknown
from jackstop.intake._listen import READ, Address, Bounds, NetworkText, context, networks, serve
from jackstop.intake._patience import register, take
from jackstop.intake._syslog_framing import Found, Framer, Misframed, line
from jackstop.intake._syslog_header import body
from jackstop.model.fleet import Span, microseconds
from jackstop.model.service import Feed, Tls

_KEPT = 4096
"""Bytes kept of what was refused."""


class Config(Common):
    """Keys of a syslog intake.

    Attributes:
        listen: address. transport: `tls` needs `tls`. payload: the whole message, or what stands behind its header.
        per_peer: a feed of each sending address (at most `peers` of them; further ones share the intake's own).
        allow: networks that may send; empty is every one. largest: bytes of a message.
        connections, per_address: connections at once, in all and from one address. queue: bytes of datagrams that may wait.
    """

    kind: Literal["syslog"]
    listen: Address
    transport: Literal["tls", "tcp", "udp"] = "tls"
    tls: Tls | None = None
    payload: Literal["whole", "message"] = "whole"
    per_peer: bool = False
    peers: int = Field(default=1000, ge=1)
    allow: tuple[NetworkText, ...] = ()
    largest: int = Field(default=64 << 10, ge=480, le=1 << 20)
    connections: int = Field(default=1000, ge=1)
    per_address: int = Field(default=100, ge=1)
    idle: Span = "15m"
    slow: Span = "30s"
    queue: int = Field(default=8 << 20, ge=1 << 16)

    @model_validator(mode="after")
    def _secured(self) -> "Config":
        if (self.transport == "tls") != (self.tls is not None):
            raise ValueError(f"transport is {self.transport!r}, expected tls with cert and key for it, and only for it")
        return self


async def run(config: Config, gate: Gate, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
    """Take messages until cancelled.

    Args:
        clock: seconds that only rise.

    Raises:
        OSError: the address cannot be listened on. ValueError: a certificate or key cannot be read.
    """
    senders = _Senders(config, gate, place, clock)
    if not config.per_peer:
        await register(gate, senders.feeds.own, place.tell)
    bounds = Bounds(config.connections, config.per_address, networks(config.allow))
    if config.transport == "udp":
        await Datagrams(config.queue, bounds, place.tell).run(config.listen, senders.datagrams, senders.dropped)
        return
    secure: ssl.SSLContext | None = context(config.tls, place.root) if config.tls else None
    await serve(config.listen, senders.connection, bounds, place.tell, secure)


class _Senders:
    """Whoever sends to one intake: messages become lines of a feed."""

    def __init__(self, config: Config, gate: Gate, place: Place, clock: Callable[[], float]) -> None:
        self.feeds = Feeds(config, place, config.peers)
        self._config, self._gate, self._tell, self._clock = config, gate, place.tell, clock
        self._idle, self._slow = microseconds(config.idle) / 1e6, microseconds(config.slow) / 1e6
        self._bytes = self._refused = self._over = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Take the messages of one connection until it ends."""
        framer, feed = Framer(self._config.largest), self._feed(peer)
        begun: float | None = None
        while True:
            left = self._idle if begun is None else min(self._idle, begun + self._slow - self._clock())
            try:
                async with asyncio.timeout(max(left, 0)):
                    data = await reader.read(READ)
            except TimeoutError:
                data = b""
            found = framer.feed(data) if data else framer.end()
            await self._keep(feed, found, peer)
            if not data or (found and isinstance(found[-1], Misframed) and found[-1].last):
                return
            if not framer.begun:
                begun = None
            elif begun is None or found:
                begun = self._clock()

    async def datagrams(self, peer: str, messages: list[Datagram]) -> None:
        """Take datagrams of one address."""
        found: Found = []
        for message, _ in messages:
            if len(message) > self._config.largest:
                found.append(Misframed(message[: self._config.largest], f"longer than {self._config.largest} bytes"))
            elif text := line(message):
                found.append(text)
        await self._keep(self._feed(peer), found, peer)

    async def dropped(self, count: int, size: int) -> None:
        """Say that datagrams had to be dropped."""
        said = f"{count} datagrams of {size} bytes dropped: more arrived than could be taken"
        await self._gate.refuse(self.feeds.own, said.encode(), "dropped: more datagrams than could be taken")

    def _feed(self, peer: str) -> Feed:
        if not self._config.per_peer:
            return self.feeds.own
        try:
            return self.feeds.of(None, peer.partition(" ")[0])
        except Unknown:
            self._over += 1
            self._tell("peers_over", self._over)
            return self.feeds.own

    async def _keep(self, feed: Feed, found: Found, peer: str) -> None:
        lines = [f for f in found if isinstance(f, bytes)]
        if self._config.payload == "message":
            lines = [text for one in lines if (text := body(one)).strip()]
        if lines:
            data = b"\n".join(lines) + b"\n"
            await take(self._gate, feed, data, self._tell, peer=peer)
            self._bytes += len(data)
            self._tell("bytes", self._bytes)
        for bad in found:
            if isinstance(bad, Misframed):
                self._refused += 1
                self._tell("refused", self._refused)
                await self._gate.refuse(feed, bad.data[:_KEPT], bad.reason, peer=peer)
