"""One TCP or TLS connection on which lines are only sent, and how much can be known of their arrival.

TCP tells a sender when the other machine's kernel has the bytes, not when a program has read them. So a batch counts as sent
when nothing of it waits on our side any more and the other kernel has acknowledged it (Linux tells; elsewhere only the first).
Where the connection ends with a reset, the other program went away with bytes unread: the last batch is then due again.
"""

import asyncio
import fcntl
import socket
import ssl
import struct
import sys
import termios

_ALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)) if sys.platform == "linux" else ()
_PAUSE = 0.005


class Wire:
    """A connection; made by `connect`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.reset = False
        self.closed = False
        self._listening = asyncio.ensure_future(self._listen(reader))
        writer.transport.set_write_buffer_limits(0)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Read what the other side says (nothing is expected, and nothing kept) until it ends the connection."""
        try:
            while await reader.read(4096):
                pass
        except ConnectionError:
            self.reset = True
        except (OSError, ssl.SSLError):
            pass
        self.closed = True

    async def send(self, data: bytes, seconds: float) -> None:
        """Send bytes and wait until the other machine has them.

        Raises:
            OSError: the connection ended or the bytes were not acknowledged in time.
        """
        await asyncio.sleep(0)
        self._check()
        self._writer.write(data)
        async with asyncio.timeout(seconds):
            await self._writer.drain()
            while self._waiting():
                self._check()
                await asyncio.sleep(_PAUSE)
        self._check()

    def _check(self) -> None:
        if self.closed or self._writer.is_closing():
            raise ConnectionResetError("the other side ended the connection")

    def _waiting(self) -> int:
        """Bytes that the other machine has not acknowledged."""
        waiting = self._writer.transport.get_write_buffer_size()
        at = self._writer.get_extra_info("socket")
        if sys.platform == "linux" and at is not None and at.fileno() >= 0:
            waiting += struct.unpack("i", fcntl.ioctl(at.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        return int(waiting)

    async def close(self) -> None:
        """End the connection."""
        self.closed = True
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._writer.close()
        try:
            async with asyncio.timeout(2):
                await self._writer.wait_closed()
        except (OSError, TimeoutError, ssl.SSLError):
            self._writer.transport.abort()


async def connect(host: str, port: int, tls: ssl.SSLContext | None, name: str | None, seconds: float) -> Wire:
    """A connection, its other side verified where `tls` says so. `name`: what its certificate must bear, if not the host.

    Raises:
        OSError: it cannot be made, or the other side is not believed.
    """
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=(name or host) if tls else None)
    at = writer.get_extra_info("socket")
    at.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _ALIVE:
        at.setsockopt(socket.IPPROTO_TCP, option, value)
    return Wire(reader, writer)
