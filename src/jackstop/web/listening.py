"""Who follows what changes, live: one reader of the store for all listeners, each with its own place.

While nobody listens, nothing is read. A listener whose place is older than what is in memory reads the store itself, so one
that comes back after a break (`Last-Event-ID`) misses nothing.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool

from jackstop.store import queries
from jackstop.store.database import Database
from jackstop.store.shown import Change
from jackstop.web.errors import Refused

EVERY = 0.25
"""Seconds between two looks at the store while somebody listens."""
KEPT = 2000
"""Changes kept in memory."""
_PAGE = 500


class Follower:
    """Follows the changes for all listeners of one app.

    Args:
        most: listeners at once. of_one: of one caller.
    """

    def __init__(self, database: Database, most: int, of_one: int) -> None:
        self._database, self._most, self._of_one = database, most, of_one
        self._kept: deque[Change] = deque(maxlen=KEPT)
        self._last: int | None = None
        self._listening: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @asynccontextmanager
    async def place(self, name: str) -> AsyncIterator[None]:
        """A place among the listeners.

        Raises:
            Refused: 503 all are taken, 429 this caller has enough.
        """
        if self._listening.total() >= self._most:
            raise Refused(503, f"{self._most} listeners are here already", {"Retry-After": "30"})
        if self._listening[name] >= self._of_one:
            raise Refused(429, f"expected at most {self._of_one} event streams of one caller", {"Retry-After": "30"})
        self._listening[name] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            self._listening[name] -= 1
            self._listening += Counter()

    async def after(self, place: int, wait: float) -> list[Change] | None:
        """Changes after a place, oldest first; waits so many seconds for the first. Empty: none came. None: it is over."""
        if self._closed:
            return None
        news = self._news
        found = await self._have(place)
        if found:
            return found
        try:
            async with asyncio.timeout(wait):
                await news.wait()
        except TimeoutError:
            return []
        return None if self._closed else await self._have(place)

    async def newest(self) -> int:
        """The number of the newest change."""
        return await run_in_threadpool(queries.last_change, self._database)

    def close(self) -> None:
        """Send every listener away."""
        self._closed = True
        self._news.set()
        if self._task is not None:
            self._task.cancel()

    async def _have(self, place: int) -> list[Change]:
        if self._last is not None and place >= self._last:
            return []
        if self._kept and self._kept[0].id <= place + 1:
            return [c for c in self._kept if c.id > place][:_PAGE]
        return await run_in_threadpool(queries.changes, self._database, place, _PAGE)

    async def _follow(self) -> None:
        """Look for what is new until nobody listens; a fault ends it, and the next listener begins it anew."""
        self._kept.clear()
        self._last = await self.newest()
        while self._listening.total():
            found = await run_in_threadpool(queries.changes, self._database, self._last, _PAGE)
            if found:
                self._kept.extend(found)
                self._last = found[-1].id
                self._news.set()
                self._news = asyncio.Event()
            if len(found) < _PAGE:
                await asyncio.sleep(EVERY)


def visible(change: Change, at_least: Callable[[str], bool]) -> bool:
    """Whether somebody may see a change: what a viewer may read through the API; what is new here, administrators only."""
    known = change.kind in {"alert", "verdict", "handling", "case", "action", "health"}
    return at_least("viewer" if known else "administrator")
