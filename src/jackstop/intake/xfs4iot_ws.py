"""Messages of XFS4IoT services, heard over WebSocket at the terminals themselves. It listens; it cannot order anything.

    [[intake]]
    kind = "xfs4iot-ws"
    name = "xfs"
    url = "wss://{hostname}:5846/xfs4iot/v1.0"
    ca = "terminals.pem"
    services = ["CashDispenser", "Storage", "Auxiliaries"]

At each terminal the service publisher is asked for its services, and each of these for its capabilities once and its status every
`poll`; nothing else can be said (`_xfs4iot_ear`). A service tells every client what it was not asked (items taken, doors, counts,
modes); commands and completions of others are heard only where the terminal has a tap that repeats them. Every message becomes a
line of the wrapper that format `xfs4iot` reads, with the time it was heard:

    {"time":"2026-03-01T02:11:07.120Z","terminal":"ATM-0001","direction":"in","message":{…}}

What a terminal says while nobody listens is not said again: there is no resuming, and a connection lost is told as such.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field, field_validator
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from jackstop.intake import Full, Gate, Place, _address
from jackstop.intake._feeds import Feeds, known
from jackstop.intake._patience import take
from jackstop.intake._text import PIECE, Lined, one_line
from jackstop.intake._xfs4iot_ear import Ask, Ear, opened, services
from jackstop.model.fleet import Span, Terminal, microseconds
from jackstop.model.service import Feed
from jackstop.model.written import stamp

_FIRST, _LONGEST = 1.0, 60.0
_ANSWER, _AGAIN = 30.0, 600.0
_QUEUE = 1000
_LOST = (OSError, TimeoutError, ConnectionClosed, InvalidHandshake, InvalidURI)


class Config(Lined):
    """Keys of `kind = "xfs4iot-ws"`.

    Attributes:
        url: of every terminal's publisher, with `{hostname}` or `{terminal}` in it. urls: of single terminals, by id.
        discover: whether these are publishers; otherwise they are services themselves. services: names of those to listen to;
            all of them by default. poll: how often their status is asked; `0s` is never. version: the dialect spoken.
        at_once: terminals that are connected to at the same time while connections begin.
        ca: whose certificates are believed (PEM). cert, key: to show. insecure: `ws` off loopback.
    """

    kind: Literal["xfs4iot-ws"]
    format: str = "xfs4iot"
    url: str | None = None
    urls: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    discover: bool = True
    services: tuple[str, ...] = ()
    poll: Span = "60s"
    version: str = Field(default="2.0", pattern=r"^\d{1,3}\.\d{1,3}$")
    at_once: int = Field(default=100, ge=1)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False

    @field_validator("format")
    @classmethod
    def _only_ours(cls, name: str) -> str:
        if name != "xfs4iot":
            raise ValueError(f"format {name!r}, expected xfs4iot: that is what is heard")
        return name


async def run(config: Config, gate: Gate, place: Place) -> None:
    """Listen at all terminals until cancelled; one that is away is tried again and again.

    Raises:
        ValueError: an address is none, of no terminal, or in the clear off loopback. OSError: a certificate cannot be read.
    """
    await listen(config, gate, place, time.time)


async def listen(config: Config, gate: Gate, place: Place, clock: Callable[[], float]) -> None:
    """The same by any clock (s since 1970)."""
    addresses = targets(config, place)
    context = _context(config, place.root) if any(u.startswith("wss:") for us in addresses.values() for u in us) else None
    feeds = Feeds(config, place)
    room = _Room(config, gate, place, clock, context, asyncio.Semaphore(config.at_once))
    await known(gate, [feeds.of(terminal) for terminal in addresses])
    try:
        async with asyncio.TaskGroup() as group:
            for terminal, uris in addresses.items():
                desk = _Desk(room, feeds.of(terminal), orjson.dumps(terminal))
                group.create_task(desk.write())
                for uri in uris:
                    group.create_task(_discovered(room, uri, desk) if config.discover else _kept(room, uri, desk))
    except BaseExceptionGroup as several:
        fault: BaseException = several
        while isinstance(fault, BaseExceptionGroup):
            fault = fault.exceptions[0]
        raise fault from None


def targets(config: Config, place: Place) -> dict[str, tuple[str, ...]]:
    """Addresses by terminal's id.

    Raises:
        ValueError: one is none, of no terminal, or in the clear off loopback.
    """
    found: dict[str, tuple[str, ...]] = {}
    for terminal in place.fleet.terminal:
        uris = config.urls.get(terminal.id) or ((_filled(config.url, terminal),) if config.url else ())
        if uris:
            found[terminal.id] = uris
    if strange := sorted(config.urls.keys() - found.keys()):
        raise ValueError(f"urls names {', '.join(strange)}, expected terminals of this fleet")
    for uri in (u for us in found.values() for u in us):
        parts = urlsplit(uri)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise ValueError(f"{uri!r} is no address, expected ws(s)://HOST:PORT/PATH")
        if parts.scheme == "ws" and not config.insecure and not _address.loopback(parts.hostname):
            raise ValueError(f"{uri} is in the clear off loopback, expected wss (or `insecure = true`)")
    return found


def _filled(url: str, terminal: Terminal) -> str:
    return url.replace("{hostname}", terminal.hostname or terminal.id).replace("{terminal}", terminal.id)


def _context(config: Config, root: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(root / config.ca) if config.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.cert:
        context.load_cert_chain(root / config.cert, root / config.key if config.key else None)
    return context


@dataclass(slots=True)
class _Room:
    """What all connections share, and what is told of them."""

    config: Config
    gate: Gate
    place: Place
    clock: Callable[[], float]
    context: ssl.SSLContext | None
    opening: asyncio.Semaphore
    open: int = 0
    messages: int = 0

    def tell(self, change: int = 0) -> None:
        """Tell how many connections there are."""
        self.open += change
        self.place.tell("connections", self.open)
        self.place.tell("messages", self.messages)

    def fault(self, uri: str, fault: Exception) -> None:
        """Tell what ended a connection."""
        self.place.tell("fault", f"{uri}: {type(fault).__name__}: {str(fault)[:120]}")


@dataclass(slots=True)
class _Desk:
    """Where the messages of one terminal are written down, one after the other."""

    room: _Room
    feed: Feed
    name: bytes
    queue: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(_QUEUE))

    async def note(self, message: bytes, direction: bytes) -> None:
        """A message, heard now; one that is no JSON object is kept as refused."""
        try:
            line = one_line(message)
            if not line.lstrip().startswith(b"{"):
                raise ValueError("not an object")
        except ValueError as fault:
            await self._refuse(message, f"no JSON object ({str(fault)[:60]}), expected a message of XFS4IoT")
            return
        at = stamp(round(self.room.clock() * 1e6)).encode()
        parts = (b'{"time":"', at, b'","terminal":', self.name, b',"direction":"', direction, b'","message":', line, b"}\n")
        await self.queue.put(b"".join(parts))
        self.room.messages += 1

    async def write(self) -> None:
        """Hand lines to the gate as they come."""
        while True:
            lines = [await self.queue.get()]
            size = len(lines[0])
            while not self.queue.empty() and size < PIECE // 2:
                lines.append(self.queue.get_nowait())
                size += len(lines[-1])
            await take(self.room.gate, self.feed, b"".join(lines), self.room.place.tell, peer=f"xfs4iot {self.feed.name}")

    async def _refuse(self, message: bytes, reason: str) -> None:
        while True:
            with suppress(Full):
                await self.room.gate.refuse(self.feed, message, reason, peer=f"xfs4iot {self.feed.name}")
                return
            await asyncio.sleep(_FIRST)


async def _discovered(room: _Room, uri: str, desk: _Desk) -> None:
    """Listen for ever at what a publisher tells of; it is asked again now and then, for services come and go with software."""
    tasks: dict[str, asyncio.Task[None]] = {}
    wait = _FIRST
    async with asyncio.TaskGroup() as group:
        while True:
            try:
                found = await _asked(room, uri, desk)
            except _LOST as fault:
                room.fault(uri, fault)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST)
                continue
            wait = _FIRST
            for service in found:
                if service not in tasks:
                    tasks[service] = group.create_task(_kept(room, service, desk))
            for gone in tasks.keys() - set(found):
                tasks.pop(gone).cancel()
            await asyncio.sleep(_AGAIN)


async def _asked(room: _Room, uri: str, desk: _Desk) -> list[str]:
    """The services a publisher tells of.

    Raises:
        OSError: there are none of ours. Others of `_LOST`: it cannot be reached, or does not answer.
    """
    async with room.opening:
        ear = await opened(uri, room.context, room.config.version)
        try:
            await desk.note(await ear.ask(Ask.SERVICES), b"out")
            async with asyncio.timeout(_ANSWER):
                while True:
                    heard = await ear.hear()
                    await desk.note(heard, b"in")
                    if (found := services(heard, uri, room.config.services)) is not None:
                        break
        finally:
            await ear.close()
    if not found:
        raise OSError("no service of ours, expected some at the publisher's own host")
    return found


async def _kept(room: _Room, uri: str, desk: _Desk) -> None:
    """Listen at a service for ever: whatever ends the connection, another is begun, ever more patiently."""
    wait = _FIRST
    while True:
        begun = time.monotonic()
        try:
            await _heard(room, uri, desk)
        except _LOST as fault:
            room.fault(uri, fault)
        if time.monotonic() - begun > _LONGEST:
            wait = _FIRST
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST)


async def _heard(room: _Room, uri: str, desk: _Desk) -> None:
    """Listen at a service until the connection is lost."""
    async with room.opening:
        ear = await opened(uri, room.context, room.config.version)
    room.tell(+1)
    polling = asyncio.ensure_future(_polled(room, ear, desk))
    try:
        while True:
            await desk.note(await ear.hear(), b"in")
    finally:
        room.tell(-1)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await ear.close()


async def _polled(room: _Room, ear: Ear, desk: _Desk) -> None:
    """Ask a service what it can do, and then how it is, every now and then."""
    every = microseconds(room.config.poll) / 1e6
    await desk.note(await ear.ask(Ask.CAPABILITIES), b"out")
    while every:
        await desk.note(await ear.ask(Ask.STATUS), b"out")
        await asyncio.sleep(every)
