"""Speaking to a gate that may be full: wait and try again, which is what makes a sender wait too."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from jackstop.intake import Full, Gate
from jackstop.intake._listen import Tell
from jackstop.model.service import Feed

_SHORTEST, _LONGEST = 0.005, 30.0
T = TypeVar("T")


async def take(gate: Gate, feed: Feed, data: bytes, tell: Tell, *, mark: bytes = b"", peer: str = "") -> int:
    """The spool's number of these bytes once they are safe, however long the gate is full; `waiting` tells of it."""
    return await _patiently(lambda: gate.accept(feed, data, mark=mark, peer=peer), tell)


async def register(gate: Gate, feed: Feed, tell: Tell) -> None:
    """Make a feed known, however long the gate is full."""
    await _patiently(lambda: gate.register(feed), tell)


async def end(gate: Gate, feed: Feed, tell: Tell) -> None:
    """Say that a feed's bytes are complete, however long the gate is full."""
    await _patiently(lambda: gate.end(feed), tell)


async def _patiently(call: Callable[[], Awaitable[T]], tell: Tell) -> T:
    waited = False
    while True:
        try:
            said = await call()
        except Full as full:
            waited = True
            tell("waiting", full.reason)
            await asyncio.sleep(min(max(full.retry_after, _SHORTEST), _LONGEST))
        else:
            if waited:
                tell("waiting", "")
            return said
