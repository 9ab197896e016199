"""A web server on a port of its own that answers as a test says, and keeps what it was asked."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import h11


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: object, status: int = 200) -> "Reply":
        return cls(status, json.dumps(told).encode(), {"content-type": "application/json"})


GONE = None
"""An answer that never comes: the connection ends instead."""


@dataclass
class Server:
    """What a test holds of a server."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [a.headers.get("idempotency-key", "") for a in self.asked]


async def _read(reader: asyncio.StreamReader, connection: h11.Connection) -> Asked | None:
    request, body = None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65536)
            connection.receive_data(data)
            if not data and request is None:
                return None
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            headers = {k.decode(): v.decode() for k, v in request.headers}
            return Asked(request.method.decode(), request.target.decode(), headers, body)
        else:
            return None


@contextlib.asynccontextmanager
async def served(answer: Callable[[Asked], Reply | None], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server on loopback for as long as the block lasts."""
    server = Server()
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        connection = h11.Connection(h11.SERVER)
        with contextlib.suppress(OSError, h11.RemoteProtocolError):
            while (asked := await _read(reader, connection)) is not None:
                server.asked.append(asked)
                reply = answer(asked)
                if reply is None:
                    break
                headers = {"content-length": str(len(reply.body)), **reply.headers}
                writer.write(connection.send(h11.Response(status_code=reply.status, headers=list(headers.items()))))
                writer.write(connection.send(h11.Data(reply.body)) + connection.send(h11.EndOfMessage()))
                await writer.drain()
                if connection.our_state is h11.MUST_CLOSE:
                    break
                connection.start_next_cycle()
        writers.discard(writer)
        writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        for writer in list(writers):
            writer.transport.abort()
        await listening.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)
