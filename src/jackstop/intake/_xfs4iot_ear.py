"""An ear at an XFS4IoT service: it hears all, and can say three things, none of which moves anything.

What may be said is an enumeration, and the only function that writes to a connection takes a member of it and nothing else: no
name, no payload, no text of a caller's. So nothing of the interfaces that move or count cash (CashDispenser, CashAcceptor,
CashManagement, Storage and all others) can be said, by construction.

Source: XFS4IoT specification (CWA 17852), "Message Format", ServicePublisher.GetServices, Common.Status, Common.Capabilities.
"""

from enum import Enum
from ssl import SSLContext
from urllib.parse import urlsplit

import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect

LARGEST = 1 << 20
"""Bytes of one message at most: what a reader takes for a record."""

MOST = 64
"""Services of one terminal at most."""

_OPEN, _CLOSE, _PING = 10.0, 2.0, 30.0
_TIMEOUT = 30_000


class Ask(Enum):
    """All that may ever be said: which services there are, how a service is, what it can do."""

    SERVICES = "ServicePublisher.GetServices"
    STATUS = "Common.Status"
    CAPABILITIES = "Common.Capabilities"


class _Service(msgspec.Struct):
    uri: str | None = msgspec.field(name="serviceURI", default=None)


class _Payload(msgspec.Struct):
    services: list[_Service] | None = None


class _Header(msgspec.Struct):
    name: str | None = None
    type: str | None = None


class _Message(msgspec.Struct):
    header: _Header | None = None
    payload: _Payload | None = None


_MESSAGES = msgspec.json.Decoder(_Message)


class Ear:
    """One connection to a service."""

    def __init__(self, connection: ClientConnection, version: str) -> None:
        self._connection, self._version, self._number = connection, version, 0

    async def ask(self, what: Ask) -> bytes:
        """Say one of the things that may be said; the only place anything is written to a connection.

        Returns:
            The message as it was said.

        Raises:
            TypeError: it is not one of them. ConnectionClosed: there is nobody to hear it.
        """
        if type(what) is not Ask:
            raise TypeError(f"{type(what).__name__}, expected a member of Ask: nothing else may be said to a terminal")
        self._number += 1
        header = {"type": "command", "name": what.value, "version": self._version, "requestId": self._number}
        old = self._version == "1.0"
        message = {"header": header if old else {**header, "timeout": _TIMEOUT}, "payload": {"timeout": _TIMEOUT} if old else {}}
        said = orjson.dumps(message)
        await self._connection.send(said, text=True)
        return said

    async def hear(self) -> bytes:
        """The next message.

        Raises:
            ConnectionClosed: there will be none.
        """
        return bytes(await self._connection.recv(decode=False))

    async def close(self) -> None:
        """Leave."""
        await self._connection.close()


async def opened(uri: str, context: SSLContext | None, version: str) -> Ear:
    """An ear at a service; it must be closed.

    Raises:
        OSError, TimeoutError, InvalidHandshake: there is no connection.
    """
    connection = await connect(
        uri,
        ssl=context if urlsplit(uri).scheme == "wss" else None,
        compression=None,
        max_size=LARGEST,
        max_queue=16,
        open_timeout=_OPEN,
        close_timeout=_CLOSE,
        ping_interval=_PING,
        ping_timeout=_PING,
        user_agent_header=None,
        proxy=None,
    )
    return Ear(connection, version)


def services(heard: bytes, publisher: str, wanted: tuple[str, ...]) -> list[str] | None:
    """The services a publisher tells of; None where this is not its answer.

    A publisher is a terminal's and may be in wrong hands: only services at its own host count, none less guarded than itself.

    Args:
        publisher: its address. wanted: names of services (last part of their path); all, where empty.
    """
    try:
        message = _MESSAGES.decode(heard)
    except (ValueError, RecursionError):
        return None
    header = message.header
    if header is None or header.name != Ask.SERVICES.value or header.type != "completion":
        return None
    told = [s.uri for s in (message.payload.services or [] if message.payload else []) if s.uri]
    return [uri for uri in dict.fromkeys(told[:MOST]) if _ours(uri, publisher) and (not wanted or _name(uri) in wanted)]


def _ours(uri: str, publisher: str) -> bool:
    try:
        there, here = urlsplit(uri), urlsplit(publisher)
        known = there.port is None or 0 < there.port < 65536
    except ValueError:
        return False
    guarded = there.scheme == "wss" or (there.scheme == "ws" and here.scheme == "ws")
    return known and guarded and there.hostname is not None and there.hostname == here.hostname and there.username is None


def _name(uri: str) -> str:
    return urlsplit(uri).path.rstrip("/").rpartition("/")[2]
