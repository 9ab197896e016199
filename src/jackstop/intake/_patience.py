"""Handing bytes to a gate that may be full: wait and try again, which is what makes a sender wait too."""

import asyncio

from jackstop.intake import Full, Gate
from jackstop.intake._listen import Tell
from jackstop.model.service import Feed

_SHORTEST, _LONGEST = 0.005, 30.0


async def take(gate: Gate, feed: Feed, data: bytes, tell: Tell, *, mark: bytes = b"", peer: str = "") -> int:
    """The spool's number of these bytes once they are safe, however long the gate is full; `waiting` tells of it."""
    waited = False
    while True:
        try:
            number = await gate.accept(feed, data, mark=mark, peer=peer)
        except Full as full:
            waited = True
            tell("waiting", full.reason)
            await asyncio.sleep(min(max(full.retry_after, _SHORTEST), _LONGEST))
        else:
            if waited:
                tell("waiting", "")
            return number
