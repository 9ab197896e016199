"""Syslog (RFC 5424) over TLS, TCP or UDP with CEF, LEEF, OCSF or ECS as its message.

TLS and TCP frame by octet counting (RFC 5425, RFC 6587), or by line feeds where a receiver knows nothing else. Syslog has no
acknowledgement: a batch counts as taken when the receiver's machine has its bytes (`_wire`). What the receiver's program had
not read when it was killed is sent again as far as its reset tells us; what it had read and not kept is lost to it. A batch that
broke off is sent again whole, so lines may come twice, with the same alert and revision. UDP promises nothing.

The message is sent as MSG-ANY in UTF-8, without a byte order mark, which receivers of CEF and LEEF do not expect.

```toml
[[sink]]
kind = "syslog"
name = "qradar"
host = "qradar.example.com"
shape = "leef"
tls = { ca = "keys/bank-ca.pem" }
```

Source: RFC 5424 section 6; RFC 5425 section 4.3; RFC 5426; RFC 6587 section 3.4.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from jackstop import __version__
from jackstop.model import written
from jackstop.outlets import Common, Later, Message, Place
from jackstop.outlets._lines import fitted
from jackstop.outlets._tls import Tls, context
from jackstop.outlets._wire import Wire, connect
from jackstop.wire.trust import words

_PORTS = {"tls": 6514, "tcp": 601, "udp": 514}
_LEVELS = {"info": 6, "low": 5, "medium": 4, "high": 3, "critical": 2}
_DATAGRAM = 65_000
_NOT_HOST = re.compile(r"[^\x21-\x7e]")


class Config(Common):
    """Keys of a `syslog` sink.

    Attributes:
        host, port, transport: where to and how; the port is 6514 (tls), 601 (tcp) or 514 (udp) if none is given.
        framing: octet counting, or a line feed after each message. facility: 0 to 23 (16 is local0).
        hostname: our own name as the receiver is to see it. longest: bytes of a message. timeout: seconds.
    """

    host: str = Field(min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    transport: Literal["tls", "tcp", "udp"] = "tls"
    tls: Tls = Tls()
    framing: Literal["octets", "lines"] = "octets"
    shape: Literal["cef", "leef", "ocsf", "ecs"] = "cef"
    facility: int = Field(default=16, ge=0, le=23)
    hostname: str | None = Field(default=None, max_length=255)
    longest: int = Field(default=64_000, ge=480)
    timeout: float = Field(default=20.0, gt=0, le=300)


class Syslog:
    """An open `syslog` sink; it connects with the first batch, and again after a fault."""

    def __init__(self, config: Config, place: Place) -> None:
        self._config = config
        self._port = config.port or _PORTS[config.transport]
        self._tls = context(config.tls, place.root) if config.transport == "tls" else None
        self._host = _NOT_HOST.sub("", config.hostname or socket.gethostname())[:255] or "-"
        self._threads = place.threads
        self._wire: Wire | None = None
        self._last = b""
        self._again = b""

    async def send(self, batch: Sequence[Message]) -> None:
        """Send messages over the one connection."""
        frames = [self._frame(m, i) for i, m in enumerate(batch)]
        where = f"{self._config.host}:{self._port}"
        try:
            if self._config.transport == "udp":
                await self._threads.run(lambda: self._datagrams(frames))
            else:
                await self._stream(b"".join(frames))
        except (OSError, ssl.SSLError) as fault:
            await self._part()
            raise Later(f"{where}: {words(fault)}, expected a syslog receiver") from None
        except asyncio.CancelledError:
            await self._part()
            raise

    async def _stream(self, data: bytes) -> None:
        """Send bytes on a connection that lives, after those of the last batch if the receiver dropped them unread."""
        if self._wire is not None and self._wire.closed:
            await self._part()
        if self._wire is None:
            config = self._config
            self._wire = await connect(config.host, self._port, self._tls, config.tls.name, config.timeout)
        await self._wire.send(self._again + data, self._config.timeout)
        self._last, self._again = data, b""

    async def _part(self) -> None:
        """Leave the connection; what was last sent on it is due again where the receiver reset it."""
        wire, self._wire = self._wire, None
        if wire is not None:
            if wire.reset:
                self._again = self._last or self._again
            self._last = b""
            await wire.close()

    def _datagrams(self, frames: Sequence[bytes]) -> None:
        """Send each message as one datagram."""
        found = socket.getaddrinfo(self._config.host, self._port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(found[0], found[1], found[2]) as at:
            at.connect(found[4])
            for frame in frames:
                at.send(frame)

    def _frame(self, message: Message, index: int) -> bytes:
        """A message with its header and frame."""
        config = self._config
        head = header(message, config.facility, self._host)
        longest = min(config.longest, _DATAGRAM) if config.transport == "udp" else config.longest
        made = head + fitted(config.shape, message, config.lang, longest - len(head), index).encode()
        if config.transport == "udp":
            return made
        return b"%d %b" % (len(made), made) if config.framing == "octets" else made + b"\n"

    async def close(self) -> None:
        """End the connection."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


def header(message: Message, facility: int, host: str) -> bytes:
    """HEADER and STRUCTURED-DATA of a message (RFC 5424 section 6), with the space before MSG."""
    alert = message.alert
    at = written.stamp(alert.updated_at if message.updated else alert.raised_at)
    origin = f'[origin software="jackstop" swVersion="{__version__}"]'
    return f"<{facility * 8 + _LEVELS[alert.severity]}>1 {at} {host} jackstop - alert-{message.status} {origin} ".encode()


async def open(config: Config, place: Place) -> Syslog:
    """A `syslog` sink ready to send."""
    return Syslog(config, place)
