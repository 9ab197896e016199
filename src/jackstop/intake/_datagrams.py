"""Datagrams: they cannot be made to wait, so a bounded number of bytes waits here and the rest is counted and told."""

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from jackstop.intake._address import split
from jackstop.intake._listen import Bounds, Tell, shown

_KERNEL = 4 << 20
_BATCH = 1 << 20
_EACH = 512
"""Bytes of memory a datagram takes besides its own."""
_SHARE = 4
"""One address may use this part of the queue."""


class Datagram(NamedTuple):
    """A datagram, and the socket address it came from."""

    data: bytes
    sender: tuple[str, int]


Take = Callable[[str, list[Datagram]], Awaitable[None]]
Dropped = Callable[[int, int], Awaitable[None]]


class Datagrams(asyncio.DatagramProtocol):
    """The datagrams of one address that is listened on. Senders do not wait for one another.

    Args:
        queue: bytes that may wait. bounds: who may send. tell: counts.
    """

    def __init__(self, queue: int, bounds: Bounds, tell: Tell) -> None:
        self._queue, self._bounds, self._tell = queue, bounds, tell
        self._waiting: dict[str, deque[Datagram]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._size = 0
        self._of: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost = asyncio.Event()
        self._dropped = self._dropped_bytes = self._total = self._turned_away = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep a datagram, or count it as dropped."""
        peer = addr[0].removeprefix("::ffff:")
        if not self._bounds.allows(peer):
            self._turned_away += 1
            self._tell("turned_away", self._turned_away)
            return
        size = len(data) + _EACH
        if self._size + size > self._queue or self._of[peer] + size > self._queue // _SHARE:
            self._dropped += 1
            self._dropped_bytes += len(data)
            self._lost.set()
            return
        self._size += size
        self._of[peer] += size
        waiting = self._waiting.get(peer)
        if waiting is not None:
            waiting.append(Datagram(data, addr))
            return
        self._waiting[peer] = deque([Datagram(data, addr)])
        task = asyncio.get_running_loop().create_task(self._hand_over(peer))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def run(self, address: str, take: Take, dropped: Dropped) -> None:
        """Hand datagrams over until cancelled: those that wait, by address, in the order they came.

        Raises:
            OSError: the address cannot be listened on. Others: what `take` or `dropped` raised.
        """
        self._take, self._fault = take, asyncio.get_running_loop().create_future()
        host, port = split(address)
        where = {"local_addr": (host, port)} if host else {"sock": _everywhere(port)}
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, **where)
        self._transport = transport
        opened = cast(socket.socket, transport.get_extra_info("socket"))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL)
        self._tell("listening", shown(opened.getsockname()))
        report = asyncio.get_running_loop().create_task(self._report(dropped))
        self._tasks.add(report)
        report.add_done_callback(self._ended)
        try:
            await self._fault
        finally:
            transport.close()
            self._fault.cancel()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def answer(self, data: bytes, to: tuple[str, int]) -> None:
        """Send a datagram back."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) and not self._fault.done():
            self._fault.set_exception(fault)

    async def _hand_over(self, peer: str) -> None:
        """Hand over what waits of one address, until nothing does."""
        waiting = self._waiting[peer]
        while waiting:
            batch, size = [], 0
            while waiting and size < _BATCH:
                batch.append(waiting.popleft())
                size += len(batch[-1].data)
            await self._take(peer, batch)
            self._size -= size + _EACH * len(batch)
            self._of[peer] -= size + _EACH * len(batch)
        del self._waiting[peer], self._of[peer]

    async def _report(self, dropped: Dropped) -> None:
        """Tell of datagrams that were dropped, at most once a second."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            count, size = self._dropped, self._dropped_bytes
            self._dropped = self._dropped_bytes = 0
            self._total += count
            self._tell("dropped", self._total)
            await dropped(count, size)
            await asyncio.sleep(1)


def _everywhere(port: int) -> socket.socket:
    """A socket at a port of every address of this machine, of IPv4 too; of IPv4 alone where there is no IPv6.

    Raises:
        OSError: the port cannot be had.
    """
    made = socket.socket(socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        if made.family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("", port))
    except OSError:
        made.close()
        raise
    return made
