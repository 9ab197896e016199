"""API tokens in requests: where they stand in the header, and a short memory of what they stand for."""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256

KEPT, AGAIN = 10.0, 1.0
"""Seconds a good and a bad token are remembered."""

MOST = 4096
"""Tokens remembered at most."""

_AT_ONCE = 4
_LONGEST = 4096


def presented(header: str) -> str | None:
    """The token of an `Authorization` header: `Bearer T`, `Splunk T`, `ApiKey BASE64(id:T)`, `Basic BASE64(user:T)`.

    Returns:
        The token; None where there is none in any of these forms.
    """
    scheme, _, rest = ("" if len(header) > _LONGEST else header.strip()).partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer" | "splunk":
            return rest or None
        case "apikey" | "basic":
            try:
                _, _, token = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return token or None
        case _:
            return None


class Tokens:
    """What tokens stand for at one intake. They are remembered by their digests only, and not for long.

    Args:
        verify, intake: see `Place.verify`. clock: seconds that never go back.
    """

    def __init__(self, verify: Callable[[str, str], Awaitable[str | None]], intake: str, clock: Callable[[], float]) -> None:
        self._verify, self._intake, self._clock = verify, intake, clock
        self._known: OrderedDict[bytes, tuple[str | None, float]] = OrderedDict()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def name(self, token: str) -> str | None:
        """The name a token stands for; None where it is good for nothing here."""
        key = sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (known := self._fresh(key)) is not None:
            return known[0]
        async with self._gate:
            if (known := self._fresh(key)) is not None:
                return known[0]
            name = await self._verify(token, self._intake)
        self._known[key] = (name, self._clock() + (KEPT if name is not None else AGAIN))
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return name

    def _fresh(self, key: bytes) -> tuple[str | None, float] | None:
        known = self._known.get(key)
        return known if known is not None and known[1] > self._clock() else None
