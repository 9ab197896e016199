"""Taking what requests bring: into the gate, once, though a request be sent again."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from jackstop.intake import Full, Gate
from jackstop.intake._http_words import Refusal
from jackstop.model.service import Feed

REMEMBERED = 4096
"""Keys of idempotency, and requests taken in part, that are remembered at most."""

_OFFSET, _KEY = b"offset:", b"key:"


@dataclass(slots=True)
class Share:
    """What of one request belongs to one feed: pieces that are taken one after the other.

    Attributes:
        mark: kept with the last of them. taken: how many of them the gate has. full: why it took no more.
    """

    feed: Feed
    pieces: Sequence[bytes]
    mark: bytes = b""
    taken: int = 0
    full: Full | None = None


@dataclass(slots=True)
class Taking:
    """The way of one intake into the gate.

    A request that carries a key (`Idempotency-Key`) is taken once: the last `REMEMBERED` keys are known, and the last one of
    each feed after a restart too, for it is the gate's mark. A request of which some feeds were taken and others not is
    finished when it comes again. Readers drop a record that comes again besides.
    """

    gate: Gate
    _keys: OrderedDict[bytes, "asyncio.Future[int]"] = field(default_factory=OrderedDict)
    _parts: OrderedDict[bytes, dict[str, int]] = field(default_factory=OrderedDict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def shares(self, shares: Sequence[Share], peer: str, body: bytes) -> None:
        """Take all shares, each feed by itself; what the gate did not take is in the shares.

        Args:
            body: tells a request that comes again from others, where only some of its shares were taken.
        """
        done = self._parts.get(_digest(body), {}) if self._parts else {}
        for share in shares:
            share.taken = min(done.get(share.feed.name, 0), len(share.pieces))
        if len(shares) == 1:
            await self._share(shares[0], peer)
        else:
            ended = await asyncio.gather(*(self._share(s, peer) for s in shares), return_exceptions=True)
            for fault in ended:
                if fault is not None:
                    raise fault
        if any(s.full for s in shares) and any(s.taken for s in shares):
            self._parts[_digest(body)] = {s.feed.name: s.taken for s in shares}
            _bound(self._parts)
        elif done:
            self._parts.pop(_digest(body), None)

    async def _share(self, share: Share, peer: str) -> None:
        try:
            for i in range(share.taken, len(share.pieces)):
                mark = share.mark if i + 1 == len(share.pieces) else b""
                await self.gate.accept(share.feed, share.pieces[i], mark=mark, peer=peer)
                share.taken += 1
        except Full as full:
            share.full = full

    async def once(self, feed: Feed, key: str, work: Callable[[bytes], Awaitable[None]]) -> bool:
        """Do the work of a request unless one with its key was done.

        Args:
            feed: whose mark keeps the key. work: is given the mark.

        Returns:
            Whether it had been done before.
        """
        mark = _KEY + sha256(f"{feed.name}\0{key}".encode("utf-8", "surrogatepass")).digest()
        if self.gate.mark(feed.name) == mark:
            return True
        while (known := self._keys.get(mark)) is not None:
            if await asyncio.shield(known):
                return True
        promise = self._keys[mark] = asyncio.get_running_loop().create_future()
        done = False
        try:
            await work(mark)
            done = True
        finally:
            promise.set_result(int(done))
            if not done:
                self._keys.pop(mark, None)
        _bound(self._keys)
        return False

    async def pieces(self, feed: Feed, pieces: Sequence[bytes], peer: str, body: bytes, mark: bytes = b"") -> None:
        """Take pieces of one feed.

        Raises:
            Full: not all of them are taken.
        """
        share = Share(feed, pieces, mark)
        await self.shares([share], peer, body)
        if share.full is not None:
            raise share.full

    def offset(self, feed: Feed) -> int:
        """How many bytes of a feed's own stream are taken, for senders that count them."""
        mark = self.gate.mark(feed.name)
        return int(mark.removeprefix(_OFFSET)) if mark.startswith(_OFFSET) else 0

    async def at(self, feed: Feed, start: int, pieces: Sequence[bytes], peer: str) -> int:
        """Take what is new of pieces that begin at an offset of the feed's stream; exact over restarts of either side.

        Returns:
            The offset after them.

        Raises:
            Full: not all of them are taken. Refusal: bytes before them are missing.
        """
        async with self._locks.setdefault(feed.name, asyncio.Lock()):
            for piece in pieces:
                known = self.offset(feed)
                if start > known:
                    raise Refusal(409, f"bytes {known} to {start} are missing, expected offset {known}", extra={"offset": known})
                new = piece[known - start :]
                start += len(piece)
                if new:
                    await self.gate.accept(feed, new, mark=_OFFSET + str(start).encode(), peer=peer)
            return self.offset(feed)


def _digest(body: bytes) -> bytes:
    return sha256(body).digest()


def _bound(remembered: "OrderedDict[bytes, asyncio.Future[int]] | OrderedDict[bytes, dict[str, int]]") -> None:
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
