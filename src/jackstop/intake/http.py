"""Logs by HTTP or HTTPS: plain lines, Elasticsearch's bulk requests, Splunk's HTTP Event Collector.

    [[intake]]
    kind = "http"
    name = "windows"
    format = "winlogbeat"
    listen = "10.0.0.5:8441"
    tls = { cert = "intake.pem", key = "intake.key" }

| path | what |
|---|---|
| `POST /v1/logs/NAME` | lines or bytes of the format; `?terminal=`, `?source=` and `?offset=`, `Idempotency-Key` |
| `POST /_bulk`, `/INDEX/_bulk` | Elasticsearch bulk: Winlogbeat, Filebeat, Vector, Fluent Bit, Logstash |
| `POST /services/collector[/event, /raw]` | Splunk HEC |
| `POST /v1/feeds/NAME`, `/v1/batches/NAME` | how sources are read, and their bytes, where `declare = true` (`jackstop send`) |

Each sender has an API token of its own (`Bearer`, `Splunk`, `ApiKey`, `Basic` with the token as password). Bodies may be packed
with gzip or zstd. A reply of success comes only when everything is on disk; 429 (HEC: 503) says "later". Senders that count
bytes (`offset`) lose and repeat nothing over restarts of either side; those with a key, nothing within this process and the last
request of each feed over restarts; the others may repeat what they had no reply for, and readers drop records that come again.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Literal

import uvicorn
from pydantic import Field
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jackstop.intake import Gate, Place, _address, _listen
from jackstop.intake._feeds import known
from jackstop.intake._http_app import App, Bodies
from jackstop.intake._listen import Address
from jackstop.model.service import Tls

HEAD = 1 << 20
"""Bytes that may come before a request's headers are whole."""

PATIENCE = 30.0
"""Seconds a request's headers may take."""

_LEAVE = 3
_TELL = 5.0


class Config(Bodies):
    """Keys of `kind = "http"`.

    Attributes:
        listen: HOST:PORT. tls: certificate and key; off loopback needed, unless `insecure` is said aloud.
        connections: open at once at most.
    """

    kind: Literal["http"]
    listen: Address = "127.0.0.1:8441"
    tls: Tls | None = None
    insecure: bool = False
    connections: int = Field(default=2000, ge=1)


async def run(config: Config, gate: Gate, place: Place) -> None:
    """Listen until cancelled.

    Raises:
        ValueError: off loopback without TLS, or a certificate cannot be read. OSError: the address cannot be had.
    """
    host, port = _address.split(config.listen)
    _address.guarded(host, config.tls, insecure=config.insecure)
    context = _listen.context(config.tls, place.root) if config.tls else None
    app = App(config, gate, place, time.monotonic)
    if not config.declare:
        await known(gate, app.feeds.every_terminal() if config.per_terminal else [app.feeds.own])
    listener = _address.bound(host, port)
    server = _Server(_served(app, config, context))
    server.begun = lambda: place.tell("listening", _listen.shown(listener.getsockname()[:2]))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        while not serving.done():
            await asyncio.wait([serving], timeout=_TELL)
            for key, value in {**app.facts(), "connections": len(server.server_state.connections)}.items():
                place.tell(key, value)
    finally:
        server.should_exit = True
        await serving


def _served(app: App, config: Config, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Bounded,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=config.connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_LEAVE,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )


class _Server(uvicorn.Server):
    """A server beside others: signals are the service's. `begun` is called once it listens."""

    begun: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.begun()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Bounded(HttpToolsProtocol):
    """HTTP/1.1 whose headers are bounded in bytes and time."""

    _head = 0
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the headers have become too long."""
        if self._watch is not None:
            self._head += len(data)
            if self._head > HEAD:
                self.transport.abort()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._watch is None:
            self._wait()

    def on_headers_complete(self) -> None:
        """Its headers are whole."""
        self._stop()
        super().on_headers_complete()

    def _wait(self) -> None:
        self._head = 0
        self._watch = self.loop.call_later(PATIENCE, self._late)

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _late(self) -> None:
        self._watch = None
        self.transport.abort()


__all__ = ["Config", "run"]
