"""A receiver of alarm panels by SIA DC-09, over TCP and UDP: SIA-DCS and ADM-CID events and link tests.

    [[intake]]
    kind = "dc09"
    name = "alarms"
    listen = "0.0.0.0:9999"
    key = "file:secrets/alarm-key"
    events = { "zone 15" = "safe.door", "zone 16" = "cabinet.door", "137/01/015" = "safe.tamper" }

A frame is acknowledged when it is on disk; while the gate is full its panel waits and sends it again, which is noticed. `key` is
the AES key (128, 192 or 256 bits) of every account, `keys` has one for each; an account that has a key must use it. Encrypted
frames must be as young as `late` and `early` say. What is handed over is the frame, decrypted, a line each behind its time of
receipt: see the format `dc09`. Source: ANSI/SIA DC-09-2013; replies: `_dc09_receiver`.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from jackstop.formats import _dc09_frame as frames
from jackstop.intake import Common, Gate, Place
from jackstop.intake._datagrams import Datagram, Datagrams
from jackstop.intake._dc09_receiver import Receiver, Rules
from jackstop.intake._dc09_scan import Scanned, Scanner
from jackstop.intake._dc09_seal import key
from jackstop.intake._feeds import Feeds
from jackstop.intake._listen import READ, Address, Bounds, NetworkText, context, networks, serve, side_by_side
from jackstop.intake._patience import register, take
from jackstop.model.fleet import Span, microseconds
from jackstop.model.service import Feed, Tls


class Config(Common):
    """Keys of a DC-09 receiver.

    Attributes:
        transport: `both` is TCP and UDP on one port; with `tls`, TCP is TLS. key, keys: secrets, of all accounts and by account.
        early, late: how far an encrypted frame's stamp may be ahead and behind. repeat: in which a frame again is a repeat.
        strangers: frames of accounts that are no terminal's `alarm_account`: take or refuse them.
        per_terminal: a feed of each terminal in place of one for all. Others: as in `syslog`.
    """

    kind: Literal["dc09"]
    format: Literal["dc09"] = "dc09"
    listen: Address
    transport: Literal["both", "tcp", "udp"] = "both"
    tls: Tls | None = None
    key: str | None = Field(default=None, repr=False)
    keys: dict[str, str] = Field(default={}, repr=False)
    early: Span = "20s"
    late: Span = "40s"
    repeat: Span = "5m"
    strangers: Literal["take", "refuse"] = "take"
    per_terminal: bool = False
    allow: tuple[NetworkText, ...] = ()
    largest: int = Field(default=4096, ge=512, le=1 << 16)
    connections: int = Field(default=2000, ge=1)
    per_address: int = Field(default=50, ge=1)
    idle: Span = "15m"
    slow: Span = "30s"
    queue: int = Field(default=4 << 20, ge=1 << 16)


async def run(
    config: Config,
    gate: Gate,
    place: Place,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], int] = lambda: time.time_ns() // 1000,
) -> None:
    """Receive until cancelled.

    Args:
        clock: seconds that only rise. now: µs UTC, for the stamps of replies and lines.

    Raises:
        OSError: the address cannot be listened on. ValueError: a key or certificate is wrong.
    """
    panels = _Panels(config, gate, place, clock, now)
    await register(gate, panels.feeds.own, place.tell)
    bounds = Bounds(config.connections, config.per_address, networks(config.allow))
    works = []
    if config.transport != "udp":
        secure = context(config.tls, place.root) if config.tls else None
        works.append(serve(config.listen, panels.connection, bounds, place.tell, secure))
    if config.transport != "tcp":
        panels.udp = Datagrams(config.queue, bounds, lambda name, value: place.tell(f"udp_{name}", value))
        works.append(panels.udp.run(config.listen, panels.datagrams, panels.dropped))
    await side_by_side(*works)


class _Panels:
    """The panels that send to one receiver."""

    def __init__(self, config: Config, gate: Gate, place: Place, clock: Callable[[], float], now: Callable[[], int]) -> None:
        self.feeds = Feeds(config, place)
        self.udp: Datagrams | None = None
        self._config, self._gate, self._tell, self._clock = config, gate, place.tell, clock
        self._idle, self._slow = microseconds(config.idle) / 1e6, microseconds(config.slow) / 1e6
        self._terminals = {t.alarm_account.upper(): t.id for t in place.fleet.terminal if t.alarm_account}
        self._frames = self._refused = 0
        self._receiver = Receiver(_rules(config, place, frozenset(self._terminals)), self._keep, now)

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        """Answer the frames of one connection until it ends."""
        scanner = Scanner(self._config.largest)
        begun: float | None = None
        while True:
            left = self._idle if begun is None else min(self._idle, begun + self._slow - self._clock())
            try:
                async with asyncio.timeout(max(left, 0)):
                    data = await reader.read(READ)
            except TimeoutError:
                data = b""
            found = scanner.feed(data) if data else scanner.end()
            for one in found:
                if reply := await self._one(one, peer):
                    writer.write(reply)
                    async with asyncio.timeout(self._slow):
                        await writer.drain()
            if not data:
                return
            begun = None if not scanner.begun else begun if begun is not None and not found else self._clock()

    async def datagrams(self, peer: str, messages: list[Datagram]) -> None:
        """Answer datagrams of one address."""
        for data, sender in messages:
            scanner = Scanner(self._config.largest)
            for one in [*scanner.feed(data), *scanner.end()]:
                if (reply := await self._one(one, peer)) and self.udp is not None:
                    self.udp.answer(reply, sender)

    async def dropped(self, count: int, size: int) -> None:
        """Say that datagrams had to be dropped; their panels send them again."""
        said = f"{count} datagrams of {size} bytes dropped: more arrived than could be taken"
        await self._gate.refuse(self.feeds.own, said.encode(), "dropped: more datagrams than could be taken")

    async def _one(self, scanned: Scanned, peer: str) -> bytes:
        """Deal with a frame; what to reply."""
        reply, refused = b"", scanned.fault
        if not refused:
            reply, refused = await self._receiver.answer(scanned.text, peer)
            self._tell("repeats", self._receiver.repeats)
        if refused:
            self._refused += 1
            self._tell("refused", self._refused)
            await self._gate.refuse(self.feeds.own, scanned.text, refused, peer=peer)
        return reply

    async def _keep(self, message: frames.Message, line: bytes, peer: str) -> None:
        await take(self._gate, self._feed(message), line, self._tell, peer=peer)
        self._frames += 1
        self._tell("frames", self._frames)

    def _feed(self, message: frames.Message) -> Feed:
        terminal = self._terminals.get((message.who or "").upper()) if self._config.per_terminal else None
        return self.feeds.of(terminal)


def _rules(config: Config, place: Place, accounts: frozenset[str]) -> Rules:
    """Whom the receiver believes.

    Raises:
        ValueError: a key is none; the message says whose.
    """
    told = {account.upper(): value for account, value in config.keys.items()} | ({"": config.key} if config.key else {})
    keys: dict[str, bytes] = {}
    for account, value in told.items():
        try:
            keys[account] = key(place.secret(value))
        except ValueError as fault:
            raise ValueError(f"intake {config.name!r}, key of {account or 'all accounts'}: {fault}") from None
    known = accounts | (keys.keys() - {""}) if config.strangers == "refuse" else None
    early, late, repeat = (microseconds(s) / 1e6 for s in (config.early, config.late, config.repeat))
    return Rules(keys, known, early, late, repeat)
