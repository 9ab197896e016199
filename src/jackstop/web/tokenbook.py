"""API tokens in memory: a lookup takes microseconds, and a revocation holds within a second, whoever wrote it."""

import asyncio
import hmac
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from jackstop.store import tokens
from jackstop.store.database import Database
from jackstop.store.people import digest
from jackstop.store.tokens import Token

FRESH = 400_000
"""µs after which the book is read again while calls go on with what it holds."""
STALE = 900_000
"""µs after which a call waits until it is read again."""
_NOTED = 60_000_000
_LONGEST = 200


class TokenBook:
    """The tokens that are good, read anew as calls come in; nothing runs while nobody calls.

    Args:
        clock: µs UTC.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database, self._clock = database, clock
        self._kept: dict[str, Token] = {}
        self._read_at: int | None = None
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    async def find(self, secret: str) -> Token | None:
        """The token a secret stands for, if it is good now.

        Raises:
            StoreError: the tokens cannot be read.
        """
        if not secret.startswith(tokens.PREFIX) or len(secret) > _LONGEST:
            return None
        now = self._clock()
        age = None if self._read_at is None else now - self._read_at
        if age is None or not 0 <= age < FRESH:
            reading = self._begin()
            if age is None or not 0 <= age < STALE:
                await asyncio.shield(reading)
        kept = digest(secret)
        found = self._kept.get(kept)
        if found is None or not hmac.compare_digest(found.digest, kept) or not found.holds(self._clock()):
            return None
        if now - self._noted.get(found.id, 0) >= _NOTED:
            self._used[found.id] = now
        return found

    async def verify(self, secret: str, scope: str) -> str | None:
        """The name of the good token that has a scope (`intake:NAME`, `interlock`, a role …); None for none."""
        found = await self.find(secret)
        return found.name if found is not None and scope in found.scopes else None

    def forget(self) -> None:
        """Read the tokens anew at the next call: one was made or revoked here."""
        self._read_at = None

    def _begin(self) -> "asyncio.Task[None]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        at, used = self._clock(), self._used
        self._used = {}
        self._noted.update(used)
        listed = await run_in_threadpool(self._load, used)
        self._kept = {t.digest: t for t in listed if t.revoked_at is None}
        self._noted = {t.id: self._noted[t.id] for t in listed if t.id in self._noted}
        self._read_at = at

    def _load(self, used: dict[str, int]) -> list[Token]:
        if used:
            with self._database.write() as connection:
                tokens.used(connection, used)
        with self._database.read() as connection:
            return tokens.listing(connection)
