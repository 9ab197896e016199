"""Messages on their way from partitions to the gate: a lane for each, so that one whose feed is full holds up no other."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from jackstop.intake import Full, Gate, Place
from jackstop.intake import _kafka_log as logs
from jackstop.intake._feeds import Feeds, Unknown
from jackstop.intake._kafka_log import Told
from jackstop.intake._kafka_marks import Marks
from jackstop.intake._text import PIECE, Lined, headed, whole
from jackstop.model.service import Feed

_AT_ONCE = 2000
_SHORTEST, _LONGEST = 0.005, 5.0


@dataclass(slots=True)
class _Parcel:
    """Messages of one partition for one feed: their bytes, and the offset after the last."""

    feed: Feed
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    end: int = 0


@dataclass(slots=True)
class Desk:
    """Takes messages of partitions; shared by all lanes.

    Attributes:
        per_terminal: whether keys name terminals. several: whether topics have feeds of their own. messages: taken so far.
    """

    config: Lined
    gate: Gate
    place: Place
    feeds: Feeds
    marks: Marks
    per_terminal: bool
    several: bool
    messages: int = 0
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _waiting: int = 0

    async def take(self, place: logs.Place, messages: list[Told]) -> None:
        """Take messages of one partition, in order; below the last everything is in the spool then, whatever feed it was for."""
        parcels: dict[str, list[_Parcel]] = {}
        self.marks.low.setdefault(place, messages[0].offset)
        for message in messages:
            await self._sort(message, parcels)
        ended = await asyncio.gather(*(self._hand(place, p) for p in parcels.values()), return_exceptions=True)
        for fault in ended:
            if fault is not None:
                raise fault
        self.marks.low[place] = max(messages[-1].offset + 1, self.marks.low[place])
        self.messages += len(messages)

    async def _sort(self, message: Told, parcels: dict[str, list[_Parcel]]) -> None:
        """Put a message into the last parcel of its feed, or a new one where that is full."""
        if not message.value:
            return
        key = message.key.decode("utf-8", "replace") if self.per_terminal else None
        try:
            feed = self.feeds.of(key or None, message.place[0] if self.several else None)
        except Unknown as fault:
            await self._refuse(message, str(fault))
            return
        if self.marks.known(feed.name, message.place, message.offset):
            return
        data = whole(self.config, message.value)
        if len(data) > PIECE:
            await self._refuse(message, f"a message of {len(data)} bytes, expected {PIECE} at most")
            return
        mine = parcels.setdefault(feed.name, [])
        if not mine or mine[-1].size + len(data) > PIECE:
            mine.append(_Parcel(feed))
        mine[-1].parts.append(data)
        mine[-1].size += len(data)
        mine[-1].end = message.offset + 1

    async def _hand(self, place: logs.Place, parcels: list[_Parcel]) -> None:
        """Hand a feed's parcels over; marks of one feed are made one after the other, so that the last one has all of them."""
        for parcel in parcels:
            name = parcel.feed.name
            data = headed(self.config, b"".join(parcel.parts))
            async with self._locks.setdefault(name, asyncio.Lock()):
                mark = self.marks.reach(name, {place: parcel.end})
                await self._patiently(self._accepting(parcel.feed, data, mark, place[0]))
                self.marks.taken(name, {place: parcel.end})

    def _accepting(self, feed: Feed, data: bytes, mark: bytes, topic: str) -> Callable[[], Awaitable[object]]:
        return lambda: self.gate.accept(feed, data, mark=mark, peer=f"kafka {topic}")

    async def _refuse(self, message: Told, reason: str) -> None:
        where = f"kafka {message.place[0]}/{message.place[1]}@{message.offset}"
        value = message.value or b""
        await self._patiently(lambda: self.gate.refuse(self.feeds.own, value, reason, peer=where))

    async def _patiently(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do what the gate may be too full for."""
        waited = False
        try:
            while True:
                try:
                    await work()
                except Full as full:
                    self._waiting += not waited
                    waited = True
                    self.place.tell("waiting", full.reason)
                    await asyncio.sleep(min(max(full.retry_after, _SHORTEST), _LONGEST))
                else:
                    return
        finally:
            if waited:
                self._waiting -= 1
                if not self._waiting:
                    self.place.tell("waiting", "")


class Lane:
    """One partition: messages that wait, and the task that takes them."""

    def __init__(self, place: logs.Place, desk: Desk) -> None:
        self.bytes = 0
        self._place, self._desk = place, desk
        self._waiting: deque[Told] = deque()
        self._wake = asyncio.Event()
        self.task = asyncio.ensure_future(self._run())

    def put(self, message: Told) -> None:
        """A message more."""
        self._waiting.append(message)
        self.bytes += _weight(message)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            batch = [self._waiting[i] for i in range(min(_AT_ONCE, len(self._waiting)))]
            if batch:
                await self._desk.take(self._place, batch)
            for message in batch:
                self.bytes -= _weight(message)
                self._waiting.popleft()
            if not self._waiting:
                self._wake.clear()


def _weight(message: Told) -> int:
    return len(message.value or b"") + len(message.key) + 64
