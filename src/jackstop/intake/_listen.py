"""Listening for connections: addresses, TLS, and connections that are bounded, counted and ended with their intake."""

import asyncio
import ipaddress
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from jackstop.intake._address import split
from jackstop.model.service import Tls

READ = 64 << 10
"""Bytes read from a connection at a time; twice as many wait in memory at most."""

_HANDSHAKE = 10.0
_GOODBYE = 2.0

Tell = Callable[[str, object], None]
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]
"""Serves one connection until it ends; given the two ends of it and who the peer is."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _address(text: str) -> str:
    split(text)
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as fault:
        raise ValueError(f"{text!r} is not a network ({fault}), expected one such as 10.1.0.0/16") from None
    return text


Address = Annotated[str, AfterValidator(_address)]
NetworkText = Annotated[str, AfterValidator(_network)]


class Bounds(NamedTuple):
    """How many connections there may be at once, in all and from one address, and whence (empty: from anywhere)."""

    connections: int
    per_address: int
    allow: tuple[Network, ...] = ()

    def allows(self, address: str) -> bool:
        """Whether this address may send."""
        if not self.allow:
            return True
        try:
            known = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(known, "ipv4_mapped", None)
        return any((mapped or known) in network for network in self.allow)


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Networks from their checked texts."""
    return tuple(ipaddress.ip_network(t) for t in texts)


def context(tls: Tls, root: Path) -> ssl.SSLContext:
    """A server's side of TLS 1.2 or later; with `client_ca`, clients must show a certificate of it.

    Raises:
        ValueError: a file cannot be read, or is no certificate or key; what it holds is never told.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    try:
        made.load_cert_chain(root / tls.cert, root / tls.key)
        if tls.client_ca:
            made.load_verify_locations(root / tls.client_ca)
            made.verify_mode = ssl.CERT_REQUIRED
    except OSError as fault:
        said = fault.strerror or type(fault).__name__
        raise ValueError(f"tls: {said}, expected PEM files: cert {tls.cert}, key, client_ca {tls.client_ca}") from None
    return made


class _Room:
    """The connections there are."""

    def __init__(self, handle: Handle, bounds: Bounds, tell: Tell) -> None:
        self._handle, self._bounds, self._tell = handle, bounds, tell
        self._tasks: set[asyncio.Task[None]] = set()
        self._from: Counter[str] = Counter()
        self._turned_away = 0
        self.fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection has come: serve it, or turn it away."""
        name = writer.get_extra_info("peername")
        address = str(name[0]) if isinstance(name, tuple) else ""
        full = len(self._tasks) >= self._bounds.connections or self._from[address] >= self._bounds.per_address
        if full or not self._bounds.allows(address):
            self._turned_away += 1
            self._tell("turned_away", self._turned_away)
            writer.transport.abort()
            return
        self._from[address] += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer, address))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, address))
        self._tell("connections", len(self._tasks))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> None:
        served = False
        try:
            with suppress(OSError):
                await self._handle(reader, writer, peer(writer, address))
            served = True
        finally:
            if not served:
                writer.transport.abort()
        writer.close()
        try:
            await asyncio.wait_for(writer.wait_closed(), _GOODBYE)
        except (OSError, TimeoutError):
            writer.transport.abort()

    def _ended(self, task: asyncio.Task[None], address: str) -> None:
        self._tasks.discard(task)
        self._from[address] -= 1
        if self._from[address] <= 0:
            del self._from[address]
        self._tell("connections", len(self._tasks))
        if not task.cancelled() and (fault := task.exception()) and not self.fault.done():
            self.fault.set_exception(fault)

    async def close(self) -> None:
        """End all connections."""
        self.fault.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def peer(writer: asyncio.StreamWriter, address: str) -> str:
    """Who is at the other end: the address, and the common name of the certificate that was shown."""
    shown = writer.get_extra_info("peercert") or {}
    names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return f"{address} {names[0][:80]}" if names else address


async def serve(listen: str, handle: Handle, bounds: Bounds, tell: Tell, secure: ssl.SSLContext | None = None) -> None:
    """Serve connections until cancelled; a connection's own end (reset, time-out) is nobody's fault but its own.

    Raises:
        OSError: the address cannot be listened on. Others: what `handle` raised; all connections are ended then.
    """
    host, port = split(listen)
    room = _Room(handle, bounds, tell)
    timeout = {"ssl_handshake_timeout": _HANDSHAKE, "ssl_shutdown_timeout": _GOODBYE} if secure else {}
    server = await asyncio.start_server(room.admit, host, port, ssl=secure, limit=READ, backlog=512, **timeout)
    tell("listening", ", ".join(shown(s.getsockname()) for s in sorted(server.sockets, key=lambda s: s.family)))
    try:
        await room.fault
    finally:
        server.close()
        await room.close()
        await server.wait_closed()


def shown(name: tuple[str, int]) -> str:
    """A socket's name as `HOST:PORT`."""
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"{host}:{name[1]}"


async def side_by_side(*works: Awaitable[None]) -> None:
    """Do several works until cancelled, or until one fails; then all are ended.

    Raises:
        Whatever the first that failed raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
